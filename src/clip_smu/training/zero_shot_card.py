"""The model card of a zero-shot interpreter."""

from __future__ import annotations

import math
from pathlib import Path

from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.storage.files import atomic
from clip_smu.words.attributes import by_name

_CARD = """---
license: other
library_name: clip-smu
tags: [face-recognition, interpretability, soft-biometrics, privacy, clip, zero-shot]
---
# {name}: reads templates of {encoder}, zero-shot

The 47 prompts of MAAD-Face's attributes ("A photo of a face with gray hair.") as the text encoder `{text_encoder}`
gives them, untouched: nothing was trained. A reading is the cosine between a template ({dim} numbers) and a prompt.
Made by `clip-smu zero-shot`. The text encoder's own licence and terms of use hold for `text_encoder.onnx`; OpenAI's
model card of CLIP calls facial recognition out of scope.

```
clip-smu interpret PHOTO --method {name}
```

A reading is what a *template* gives away, not a fact about a person.

## What it reached
{reached}

## Limits
Cosines of a text encoder that never saw such templates with their labels are weak readings: compare with a fitted
interpreter (`clip-smu fit`) or a probe. Race, gender and age can be hidden with `--hide`. Inferring such attributes
of persons is restricted by law in many places (in the EU by the GDPR and the AI Act); this is a tool for measuring
what templates leak.
"""

_MEASURED = """Calibrated on {faces} faces of {persons} persons, measured on {source}.
**If the labels were machine-made, the figures say how well readings agree with those labels.** Mean AUC over
{counted} attributes: **{mean}**. Thresholds were chosen so that at most {rate:.0%} of the asserted verdicts are
wrong; a share of {error} was, and {coverage} of the labelled readings got a verdict.

| attribute | AUC | 95 % interval | positives | negatives |
|---|---|---|---|---|
{rows}"""

_NOT_MEASURED = (
    "Not calibrated: no labelled faces were given, so every verdict is *cannot tell*. Rank by score."
)


def write_card(interpreter: Interpreter, folder: Path) -> None:
    made = interpreter.provenance
    reached = _NOT_MEASURED
    if made["calibrated_on"] is not None:
        aucs = [row.auc for row in interpreter.evidence if not math.isnan(row.auc)]
        reached = _MEASURED.format(
            faces=made["calibrated_on"]["faces"],
            persons=made["calibrated_on"]["persons"],
            source=made["evidence_from"],
            counted=len(aucs),
            mean=_figure(sum(aucs) / len(aucs) if aucs else None),
            rate=interpreter.error_rate,
            error=_figure(made["verdicts"]["error"]),
            coverage=_figure(made["verdicts"]["coverage"]),
            rows="\n".join(
                f"| {by_name(name).label} | {_figure(row.auc)} | {_figure(row.low)} to {_figure(row.high)} "
                f"| {row.n_positive} | {row.n_negative} |"
                for name, row in zip(interpreter.attributes, interpreter.evidence, strict=True)
            ),
        )
    with atomic(folder / "README.md") as temporary:
        temporary.write_text(
            _CARD.format(
                name=interpreter.name,
                encoder=interpreter.encoder,
                dim=interpreter.dim,
                text_encoder=made["text_encoder"],
                reached=reached,
            ),
            encoding="utf-8",
        )


def _figure(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"
