"""Evaluations → the paper's figures and those that it lacks, as Matplotlib figures. (extra [report])

    roc_grid              small multiples of ROC curves, one attribute each
    auc_dots              AUC with its interval, one line an attribute
    slope_chart           one encoder or method against another, attribute by attribute
    read_from_map         what a reading is read from, as a heat map
    reliability_diagrams  are the probabilities true?
    qualitative_table     what was read of a handful of photos, by each method

Every figure takes ``theme="light"`` or ``"dark"`` and is safe for the colour-blind: Okabe and Ito's colours, and a
style, a marker or a letter beside every colour. :func:`write_figure` writes SVG with text as text, PDF or PNG.
"""

from clip_smu.report.figures.charts import auc_dots, most_told, read_from_map, slope_chart
from clip_smu.report.figures.curves import reliability_diagrams, roc_grid
from clip_smu.report.figures.qualitative import qualitative_table
from clip_smu.report.figures.series import AucSeries, auc_series, method_series
from clip_smu.report.figures.style import DARK, LIGHT, Theme, as_svg, write_figure

__all__ = [
    "DARK",
    "LIGHT",
    "AucSeries",
    "Theme",
    "as_svg",
    "auc_dots",
    "auc_series",
    "method_series",
    "most_told",
    "qualitative_table",
    "read_from_map",
    "reliability_diagrams",
    "roc_grid",
    "slope_chart",
    "write_figure",
]
