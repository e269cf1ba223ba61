"""Methods against labels: ``evaluate`` reads labelled templates by each method and says how well, with intervals.

Everything that gives evidence (comparisons, confounds, figures, reports) starts from an evaluation.
"""

from clip_smu.evaluation.folder import (
    FORMAT,
    TABLE_SCHEMA,
    Evaluation,
    Scored,
    read_evaluation,
    table_of,
    write_evaluation,
    write_table,
)
from clip_smu.evaluation.measures import METRICS, metric_table
from clip_smu.evaluation.resampling import resample_auc
from clip_smu.evaluation.run import EvaluationConfig, evaluate

__all__ = [
    "FORMAT",
    "METRICS",
    "TABLE_SCHEMA",
    "Evaluation",
    "EvaluationConfig",
    "Scored",
    "evaluate",
    "metric_table",
    "read_evaluation",
    "resample_auc",
    "table_of",
    "write_evaluation",
    "write_table",
]
