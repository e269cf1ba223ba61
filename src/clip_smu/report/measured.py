"""What was measured, on whose photos, with whose labels, by which commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.evaluation import Evaluation
from clip_smu.interpreter.interpreter import DEFAULT
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.report.provenance import short
from clip_smu.report.sources import Source

Values = dict[str, Any]
NOT_SAID = "labels whose origin is not recorded (say it with --labels-are)"
_SHIPPED_LABELS = "machine-made labels of LFW in the form of MAAD-Face"


def measured_of(source: Source, evaluation: Evaluation | None, labels_are: str | None) -> Values:
    """What was measured, on what, by which commands."""
    evidence_from = _evidence_from(source)
    if evaluation is None:
        method = next(iter(source.methods.values()))
        persons, photos, commands = None, _faces(method), [method.made_by]
        encoders = [_encoder(method.encoder, photos, method.dim, method.provenance)]
    else:
        photos, persons = len(evaluation.images), len(set(evaluation.persons().tolist()))
        dims = {home: method.dim for (home, _), method in reversed(source.methods.items())}
        evaluations = source.evaluations.items()
        commands = [
            str(one.manifest.get("command") or f"clip-smu evaluate ({one.encoder})") for _, one in evaluations
        ]
        encoders = [
            _encoder(one.encoder, len(one.images), dims.get(name), one.manifest) for name, one in evaluations
        ]
    said = source.manifest.get("labels_are")
    shipped = source.kind == "method" and source.name == DEFAULT
    return {
        "encoders": encoders,
        "photos": photos,
        "persons": persons,
        "evidence_from": evidence_from,
        "labels_are": labels_are or said or (_SHIPPED_LABELS if shipped else NOT_SAID),
        "error_rate": next((method.error_rate for method in source.methods.values()), None),
        "commands": list(dict.fromkeys(short(command) for command in commands)),
        "finished": source.finished,
        "smoke": bool(source.manifest.get("smoke", False)),
    }


def _encoder(name: str, photos: int, dim: int | None, record: Mapping[str, Any]) -> Values:
    """An encoder's row; ``record`` is what holds the check of its preprocessing."""
    check = kept_check(record)
    return {
        "encoder": name,
        "photos": photos,
        "dim": dim,
        "fed": in_words(check),
        "misfed": bool(check and check["misfed"]),
    }


def _evidence_from(source: Source) -> str:
    """Whose photos these are, and whether the methods may have met them; by encoder where that differs."""
    if not source.evaluations:
        made = next(iter(source.methods.values())).provenance
        return str(made.get("evidence_from", "not recorded"))
    said = {name: str(one.manifest.get("training_persons", "")) for name, one in source.evaluations.items()}
    texts = {
        name: text or "whether training met these persons was not recorded" for name, text in said.items()
    }
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _faces(method: TemplateReader) -> int:
    """Faces that the evidence rests on: what the provenance says, else the most that any attribute has."""
    first = str(method.provenance.get("evidence_from", "")).split(" ", 1)[0]
    return (
        int(first)
        if first.isdigit()
        else max((row.n_positive + row.n_negative for row in method.evidence), default=0)
    )
