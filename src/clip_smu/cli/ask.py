"""``clip-smu ask``: faces ranked, selected or counted by a question in free words."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.arrays import Float32s
from clip_smu.cli.inputs import batches, face_name, finish, tell_rejected
from clip_smu.cli.options import AsJsonLines, Column, EncoderName, Example, Faces, Inputs, InterpreterName
from clip_smu.cli.show import note, write
from clip_smu.errors import InputError

if TYPE_CHECKING:
    from clip_smu.interpreter.questions import Answer, Plan

TOP = 10


def ask(
    *,
    question: Annotated[str, typer.Argument(help='Such as "wears spectacles" or "an old man with no tie".')],
    inputs: Inputs = None,
    method: InterpreterName = "dlib-faces",
    encoder: EncoderName = None,
    example: Example = False,
    top: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Show this many faces, the best first. [default: {TOP}; with --threshold all]"
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only faces with at least this probability.")
    ] = None,
    count: Annotated[
        bool,
        typer.Option(
            "--count", help="Say of how many faces it is so, with an interval, in place of the faces."
        ),
    ] = False,
    hide: Annotated[
        str,
        typer.Option(help="Refuse questions about these attributes or groups: race,gender,age,sensitive ..."),
    ] = "",
    as_json: AsJsonLines = False,
    faces: Faces,
    column: Column = None,
) -> None:
    """Rank faces by how likely the answer to a question in free words is yes.

    Example: clip-smu ask "an old man with glasses" photos/ --threshold 0.5
    """
    from clip_smu.cli.inputs import tell_place
    from clip_smu.interpreter.interpreter import load_interpreter
    from clip_smu.interpreter.questions import planned
    from clip_smu.interpreter.store_readings import SAMPLE

    reader = load_interpreter(method)
    plan = planned(reader, question, hide, reader.read_phrase)
    _tell(plan, as_json)
    if plan.refused:
        raise InputError(plan.refused)
    if plan.direction:
        _tell_unseen(reader.unseen_words(question), counted=count or threshold is not None)
    found = _Found(top or (TOP if threshold is None else None), threshold or 0)
    intervals = count or threshold is not None  # else the faces shown have theirs, at the end
    rejected, placed = 0, reader
    for batch in batches(reader, inputs, encoder, example, faces, column):
        for image, error in batch.rejected:
            rejected += 1
            tell_rejected(image, error, as_json)
        if not len(batch.vectors):
            continue
        if batch.begins and not plan.direction:
            placed, drift = reader.for_batch(batch.vectors[:: max(1, len(batch.vectors) // SAMPLE)])
            tell_place(drift)
            if there := planned(placed, question, hide, reader.read_phrase).refused:
                raise InputError(there)
        found.add(
            batch.names, placed.ask(question, batch.vectors, hide=hide, intervals=intervals), batch.vectors
        )
    if count:
        found.show_count(threshold, as_json)
    else:
        found.show(as_json, None if intervals else lambda vectors: placed.ask(question, vectors, hide=hide))
    finish(found.faces, rejected)


@dataclass
class _Found:
    """The best faces so far, ``most`` of them (``None``: all), and sums over those with probability enough."""

    most: int | None
    least: float
    best: list[tuple[float, int, str, int, tuple[float, ...], Float32s]] = field(default_factory=list)
    faces: int = 0
    selected: int = 0
    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0
    variance: float = 0.0

    def add(self, names: list[tuple[str, int]], answer: Answer, vectors: Float32s) -> None:
        import numpy as np

        enough = np.ones(len(names), bool) if not self.least else answer.probabilities >= self.least
        p = answer.probabilities[enough].astype(float)
        self.selected += int(enough.sum())
        self.expected += float(np.nansum(p))
        self.low += float(np.nansum(answer.low[enough]))
        self.high += float(np.nansum(answer.high[enough]))
        self.variance += float(np.nansum(p * (1 - p)))
        rows = np.flatnonzero(enough)
        if self.most is not None and len(rows) > self.most:
            rows = np.sort(rows[np.argsort(-answer.scores[rows], kind="stable")[: self.most]])
        for row in rows.tolist():
            figures = (float(answer.probabilities[row]), float(answer.low[row]), float(answer.high[row]))
            entry = (float(answer.scores[row]), -(self.faces + row), *names[row], figures, vectors[row])
            if self.most is not None and len(self.best) >= self.most:
                heapq.heappushpop(self.best, entry)
            else:
                heapq.heappush(self.best, entry)
        self.faces += len(names)

    def show(self, as_json: bool, again: Callable[[Float32s], Answer] | None) -> None:
        """The best faces; ``again`` asks them anew, for their intervals."""
        import numpy as np

        self.best.sort(key=lambda entry: entry[:2], reverse=True)
        figures = [entry[4] for entry in self.best]
        if again is not None and self.best:
            answer = again(np.stack([entry[5] for entry in self.best]))
            figures = list(
                zip(*(one.tolist() for one in (answer.probabilities, answer.low, answer.high)), strict=True)
            )
        for rank, ((score, _, image, face, *_), (p, low, high)) in enumerate(
            zip(self.best, figures, strict=True), 1
        ):
            calibrated = not math.isnan(p)
            if as_json:
                values: dict[str, Any] = {
                    "rank": rank,
                    "image": image,
                    "face": face,
                    "score": round(score, 6),
                }
                if calibrated:
                    values |= {"probability": round(p, 6), "low": round(low, 6), "high": round(high, 6)}
                write(json.dumps(values, ensure_ascii=False))
            elif calibrated:
                write(f"{rank:4d}  {p:.3f} ({low:.3f}-{high:.3f})  {face_name(image, face)}")
            else:
                write(f"{rank:4d}  {score:+.4f}  {face_name(image, face)}")

    def show_count(self, threshold: float | None, as_json: bool) -> None:
        """Faces of which it is so: the sum of probabilities, between the sums of both ends and chance's share."""
        chance = 1.96 * math.sqrt(self.variance)
        low, high = max(self.low - chance, 0), min(self.high + chance, self.selected)
        if as_json:
            values = {"faces": self.faces, "threshold": threshold, "selected": self.selected}
            values |= {"expected": round(self.expected, 2), "low": round(low, 2), "high": round(high, 2)}
            write(json.dumps(values))
            return
        chosen = (
            ""
            if threshold is None
            else f"{self.selected} of {self.faces} faces reach {threshold:g}; of these "
        )
        of = f" of {self.faces} faces" if threshold is None else ""
        write(f"{chosen}about {self.expected:.0f}{of} ({low:.0f} to {high:.0f})")


def _tell(plan: Plan, as_json: bool) -> None:
    """How the question was understood: to standard error, and in JSON as the first row."""
    if as_json:
        parse = {**plan.understood.to_dict(), "refused": plan.refused or None}
        write(json.dumps(parse, ensure_ascii=False))
    elif not plan.refused and not plan.direction:
        note(f"understood as {plan.understood.understood}")
    for one in plan.understood.notes:
        note(one)


def _tell_unseen(unseen: tuple[str, ...], *, counted: bool) -> None:
    """What to think of an order by the text encoder alone."""
    if counted:
        raise InputError(
            "--threshold and --count need a probability, and no table holds all words of this question: ask in other "
            "words (clip-smu words), or leave them out"
        )
    if unseen:
        note(
            f"the text encoder was not trained on: {', '.join(unseen)}; the order may mean little. "
            "Words that it knows: see clip-smu words"
        )
