"""Is it really that attribute? What a reading owes to sex, age, race, photo quality, or the probe's own memory.

Five questions, each with its figure: AUC among faces that are alike in another attribute (:func:`conditional_auc`),
AUC of a reading for other labels (:func:`read_from`), what is left when other readings are regressed out
(:func:`residual`), what the same probe reaches on labels that mean nothing (:func:`control_task`), and what template
norms tell (:func:`by_norm`). :func:`confounds` answers all of them for one method of an evaluation and writes a folder.
"""

from clip_smu.evaluation.confounds.conditional import Conditional, conditional_auc
from clip_smu.evaluation.confounds.control import ControlTask, Photos, Selectivity, control_task
from clip_smu.evaluation.confounds.folder import Confounds, read_confounds, write_confounds
from clip_smu.evaluation.confounds.readings import ByNorm, ReadFrom, Residual, by_norm, read_from, residual
from clip_smu.evaluation.confounds.run import ConfoundsConfig, ControlData, confounds

__all__ = [
    "ByNorm",
    "Conditional",
    "Confounds",
    "ConfoundsConfig",
    "ControlData",
    "ControlTask",
    "Photos",
    "ReadFrom",
    "Residual",
    "Selectivity",
    "by_norm",
    "conditional_auc",
    "confounds",
    "control_task",
    "read_confounds",
    "read_from",
    "residual",
    "write_confounds",
]
