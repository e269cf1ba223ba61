"""Templates → captions, three strategies, and how good the captions are: precision, recall and F1 of their attributes.

- ``calibrated``: ours. What the interpreter's verdicts call *encoded*; ``likely``: what is at least as likely as not.
- ``threshold``: the paper's "positive when the cosine is above the threshold".
- ``greedy``: the paper's caption by likelihood: begin with "A photo of a face.", add the attribute that makes the
  caption the likeliest, stop when none does.

A label of 0 (unknown) counts neither for nor against a caption.
"""

from clip_smu.evaluation.generation.comparison import compare_strategies
from clip_smu.evaluation.generation.files import CaptionsWritten, write_captions, write_figures
from clip_smu.evaluation.generation.greedy import greedy
from clip_smu.evaluation.generation.scores import Average, CaptionScores, caption_scores
from clip_smu.evaluation.generation.strategies import (
    STRATEGIES,
    CaptionConfig,
    Captions,
    above,
    calibrated,
    choose_threshold,
    generate,
)

__all__ = [
    "STRATEGIES",
    "Average",
    "CaptionConfig",
    "CaptionScores",
    "Captions",
    "CaptionsWritten",
    "above",
    "calibrated",
    "caption_scores",
    "choose_threshold",
    "compare_strategies",
    "generate",
    "greedy",
    "write_captions",
    "write_figures",
]
