"""The model card of an interpreter: README.md with the front matter that the Hugging Face Hub reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.storage.files import atomic
from clip_smu.words.attributes import by_name

_TEXT = """---
license: apache-2.0
library_name: clip-smu
tags: [face-recognition, interpretability, soft-biometrics, privacy, clip]
---
# {name}: reads templates of {encoder}

A text encoder and calibration that say, in plain language, which of MAAD-Face's 47 facial attributes a template
({dim} numbers) of the encoder **{encoder}** gives away. Made by `clip-smu fit` (objective `{objective}`).

```
clip-smu interpret PHOTO --method {name}
```

**The labels it was trained and measured on are machine-made** unless you gave it others: a figure below says how
well the reading agrees with those labels. A reading is what a *template* gives away, not a fact about a person.
{places}
## How it was made
- trained on {faces} faces of {persons} persons; left out: {left_out}
- evidence from {evidence_from}
- {preprocessing_check}
- text encoder: {text_encoder}
- seed {seed}, {steps} steps, {seconds} s on {machine}
- {versions}

## What it reached
Mean AUC over {counted} attributes: **{mean:.4f}**. Verdicts: a reading is asserted where it is at least {bound} likely to
be right, a bound chosen on held-out faces so that at most {rate:.0%} of all asserted verdicts are wrong. On the evidence
faces {error} of them were wrong ({green} of *encoded*, {red} of *not encoded*), and {coverage} of the labelled readings
got a verdict; single attributes are better and worse than that, as the table says. Expected calibration error (15
bins): {ece} over all readings, {ece_mean} mean over attributes.

| attribute | AUC | 95 % interval | positives | negatives | wrong when *encoded* | wrong when *not encoded* | verdicts | MAAD label accuracy |
|---|---|---|---|---|---|---|---|---|
{rows}

The interval counts persons, not photos (DeLong with Obuchowski's clustered variance). "MAAD label accuracy" is
MAAD-Face's own human check of its labels.

## Limits
Free-text questions whose words the lexicon knows are answered by these readings; others by the text encoder, which
was trained on {words} words, and `clip-smu ask` warns of the rest. Race, gender and age can be hidden with `--hide`. Inferring such attributes of persons is restricted by law
in many places (in the EU by the GDPR and the AI Act); this is a tool for measuring what templates leak.
"""


_PLACES = """
## What it promises, and what was found
At most {rate:.0%} of the verdicts wrong. Faces from anywhere, and single ones, are read with caution (*away*); a batch of 50 or
more that looks like one of the data sets below is read as calibrated there (*at home*). No person of
these faces was learnt from; figures of faces that calibrated it flatter.

| faces | number | mean AUC | wrong | of *encoded* | of *not encoded* | verdicts | calibration error | worst group of people: wrong |
|---|---|---|---|---|---|---|---|---|
{rows}

Groups are those of at least 100 persons, by the labels: women, men, ages, races, and these by gender.
"""


_ORIGINS = {
    "mini": "`mini`, trained from scratch",
    "minilm": "`minilm`: sentence-transformers/all-MiniLM-L6-v2 (Apache License 2.0), changed: its last layer is trained and "
    "kept beside the old one, its vocabulary pruned, its weights in eight bits",
}


def write_model_card(interpreter: Interpreter, folder: Path) -> None:
    """Writes README.md of an interpreter whose evidence and provenance are filled in."""
    made = interpreter.provenance
    verdicts = made["verdicts"]
    aucs = [row.auc for row in interpreter.evidence if not math.isnan(row.auc)]
    rows = "\n".join(
        f"| {by_name(name).label} | {_number(row.auc)} | {_number(row.low)} to {_number(row.high)} | {row.n_positive} "
        f"| {row.n_negative} | {_percent(row.encoded_error)} | {_percent(row.not_encoded_error)} | {_percent(row.coverage)} "
        f"| {row.label_accuracy:.0%} |"
        for name, row in zip(interpreter.attributes, interpreter.evidence, strict=True)
    )
    text = _TEXT.format(
        name=interpreter.name,
        encoder=interpreter.encoder,
        places=_places(made),
        dim=interpreter.dim,
        objective=made["objective"],
        **{key: made["trained_on"][key] for key in ("faces", "persons")},
        left_out=_left_out(made["trained_on"]),
        evidence_from=made["evidence_from"],
        preprocessing_check=in_words(kept_check(made)),
        text_encoder=_ORIGINS.get(made["text_encoder"], made["text_encoder"]),
        seed=made["config"]["seed"],
        steps=made["steps"],
        seconds=made["seconds"],
        machine=made["machine"],
        versions=", ".join(f"{package} {number}" for package, number in made["versions"].items()),
        counted=len(aucs),
        mean=sum(aucs) / len(aucs) if aucs else float("nan"),
        rate=verdicts["chosen_error_rate"],
        error=_percent(verdicts["error"]),
        green=_percent(verdicts["green_error"]),
        red=_percent(verdicts["red_error"]),
        bound=_percent(verdicts["bound"]),
        coverage=_percent(verdicts["coverage"]),
        ece=_number(verdicts["ece_pooled"]),
        ece_mean=_number(verdicts["ece_mean"]),
        rows=rows,
        words=len(interpreter.known_words),
    )
    with atomic(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _places(made: dict[str, Any]) -> str:
    """What it reached away from home, first, and at home; nothing where it has no homes."""
    if not made.get("at_home") and not made.get("recalibrated"):
        return ""
    parts = [
        ("away: read by what the other data sets taught", made.get("abroad") or {}),
        ("at home", made.get("at_home") or {}),
        ("at home, the faces that calibrated it", made.get("recalibrated") or {}),
    ]
    rows = "\n".join(
        f"| {name}, {where} | {row['faces']} | {_number(row['auc'])} | {_percent(row['error'])} | "
        f"{_percent(row['green_error'])} | {_percent(row['red_error'])} | {_percent(row['coverage'])} | "
        f"{_number(row['ece_pooled'])} | {_worst(row.get('groups') or {})} |"
        for where, told in parts
        for name, row in told.items()
    )
    return _PLACES.format(rate=made["verdicts"]["chosen_error_rate"], rows=rows)


def _worst(groups: dict[str, dict[str, Any]]) -> str:
    known = {name: row["error"] for name, row in groups.items() if row["error"] is not None}
    if not known:
        return "-"
    name = max(known, key=lambda one: known[one])
    return f"{name} ({groups[name]['persons']} persons): {_percent(known[name])}"


def _left_out(trained_on: dict[str, int]) -> str:
    """What of templates and labels was not trained on, and why."""
    return ", ".join(
        f"{trained_on.get(key, 0)} {text}" for key, text in _LEFT_OUT.items() if trained_on.get(key)
    ) or ("nothing")


_LEFT_OUT = {
    "without_label": "templates without a label",
    "not_listed": "labelled templates that are not on the training list",
    "without_template": "labels without a template",
    "ambiguous": "names that may be of several photos",
    "unusable": "templates that are zero or not finite",
}


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.1%}"
