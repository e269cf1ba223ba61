"""How well scores tell an attribute: AUC with intervals, paired tests, calibration; NumPy, exact with ties.

Everywhere: ``scores`` (N, K) float, higher means *more likely to have the attribute*; ``labels`` (N, K)
signed integers, 1 yes, -1 no, **0 unknown**, left out attribute by attribute. A 1-D input is one attribute.
Figures are float64. Float32 scores are compared as float32, so their ties stay ties.

Every figure of an attribute comes with a **reason**, the empty string where nothing is wrong. A figure is NaN
only where its formula has no value, and then the reason is never empty:

- ``no labels``, ``no positives``, ``no negatives``: nothing to compare.
- ``positives of one identity``, ``negatives of one identity``: identities were given, and no variance exists.
- ``positives of few identities``, ``negatives of few identities``: under ``MIN_CLASS``, the figure is given. Of figures
  that count other photos, ``photos``, ``verdicts``, ``encoded verdicts`` or ``not encoded verdicts`` of one or few.
- ``constant score``: all photos score the same, AUC is 0.5 by definition.
- ``missing in resamples``, ``no resample differs``: an evaluation's figure has no interval.
- ``no difference between the rankings``, ``no variance``: a paired test has nothing to test, or to test with.
- ``too few positives``, ``too few negatives``: 1 to ``MIN_CLASS - 1`` of them. The figure is given (the
  interval from two of each class on), and the caller decides whether to use it.
"""

from clip_smu.metrics.calibration_error import Reliability, ece, reliability
from clip_smu.metrics.intervals import AucInterval, delong
from clip_smu.metrics.paired_tests import AucDifference, benjamini_hochberg, delong_paired
from clip_smu.metrics.ranking import MIN_CLASS, Measure
from clip_smu.metrics.roc import RocCurve, auc, average_precision, eer, roc_curve, tpr_at_fpr

__all__ = [
    "MIN_CLASS",
    "AucDifference",
    "AucInterval",
    "Measure",
    "Reliability",
    "RocCurve",
    "auc",
    "average_precision",
    "benjamini_hochberg",
    "delong",
    "delong_paired",
    "ece",
    "eer",
    "reliability",
    "roc_curve",
    "tpr_at_fpr",
]
