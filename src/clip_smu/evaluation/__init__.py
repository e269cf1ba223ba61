"""Methods against labels: ``evaluate`` reads labelled templates by each method and says how well, with intervals.

Everything that gives evidence (comparisons, confounds, figures, reports) starts from an evaluation.
"""

from clip_smu.evaluation.folder import (
    FORMAT,
    GROUP_SCHEMA,
    TABLE_SCHEMA,
    Evaluation,
    Scored,
    read_evaluation,
    table_of,
    write_evaluation,
    write_table,
)
from clip_smu.evaluation.groups import GROUP_METRICS, group_table, worst_group
from clip_smu.evaluation.measures import METRICS, metric_table
from clip_smu.evaluation.resampling import resample_auc
from clip_smu.evaluation.run import EvaluationConfig, evaluate

__all__ = [
    "FORMAT",
    "GROUP_METRICS",
    "GROUP_SCHEMA",
    "METRICS",
    "TABLE_SCHEMA",
    "Evaluation",
    "EvaluationConfig",
    "Scored",
    "evaluate",
    "group_table",
    "metric_table",
    "read_evaluation",
    "resample_auc",
    "table_of",
    "worst_group",
    "write_evaluation",
    "write_table",
]
