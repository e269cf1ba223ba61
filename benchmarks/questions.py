"""Questions in words that no prompt holds: how many are answered, and how well answers rank labelled faces.

    python benchmarks/questions.py TEMPLATES LABELS.csv --only LIST [--half tune|report|fresh] [--method dlib-faces]

The development questions (tests/questions/development.tsv) of one half: tune on "tune", report "report" once. For
each
kind: how many questions, how many of them have a probability (others are refused, or read by the text encoder
alone), the mean ROC AUC of these answers against what the labels say of the meaning, that of the attributes' own
readings (joined by minimum or maximum, which needs no words), and that of all answers, the text encoder's too. Of
several attributes the labels' own conjunction or disjunction counts, where they are known enough to tell it. For
kinds that no label answers: how many are refused, and how many for that reason. ``--wrong`` lists what is not
answered, or behind the readings.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip_smu import load_interpreter, read_templates
from clip_smu.interpreter.questions import Answer
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.words.attributes import NAMES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
from questions import REFUSED, Question, development


class Row(NamedTuple):
    """A question in scope: whether there is a probability, the answer's AUC, and that of the readings; NaN: none."""

    answered: bool
    area: float
    reading: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("templates")
    parser.add_argument("labels")
    parser.add_argument("--only", required=True)
    parser.add_argument("--half", default="tune", choices=["tune", "report", "fresh"])
    parser.add_argument("--method", default="dlib-faces")
    parser.add_argument("--wrong", action="store_true")
    options = parser.parse_args()
    interpreter = load_interpreter(options.method)
    faces = join(read_templates(options.templates), read_labels(options.labels), read_list(options.only))
    vectors, labels = faces.templates.vectors, faces.labels
    readings = interpreter.interpret(vectors)
    there = [NAMES.index(name) for name in readings.attributes]  # a home reads what it has labels of
    own = np.nanmean(auc(readings.probabilities, labels[:, there]).value)
    read = np.full(labels.shape, 0.5)
    read[:, there] = readings.probabilities
    print(f"{len(vectors)} faces, {options.method}, half {options.half}; mean AUC of readings {own:.4f}")
    print(f"{'kind':14}{'questions':>10}{'answered':>10}{'AUC':>8}{'readings':>10}{'all':>8}")
    kinds: dict[str, list[Question]] = defaultdict(list)
    for one in development(options.half):
        kinds[one.kind].append(one)
    total: list[Row] = []
    for kind, questions in kinds.items():
        answers = [interpreter.ask(one.question, vectors, intervals=False) for one in questions]
        if kind in REFUSED:
            print(refused(kind, answers))
            continue
        rows = [measured(one, answer, labels, read) for one, answer in zip(questions, answers, strict=True)]
        total += rows
        print(line(kind, rows))
        for answer, row in zip(answers, rows, strict=True) if options.wrong else ():
            if not row.answered or row.area < row.reading - 0.02:
                print(
                    f"    {answer.question!r}: {answer.understood.understood} ({row.area:.3f}, {row.reading:.3f})"
                )
    print(line("in scope", total))


def line(kind: str, rows: list[Row]) -> str:
    """A line of the table."""
    sure = [row for row in rows if row.answered]
    area, reading = (np.nanmean([row[k] for row in sure]) if sure else np.nan for k in (1, 2))
    every = np.nanmean([row.area for row in rows])
    return f"{kind:14}{len(rows):10d}{len(sure) / len(rows):10.1%}{area:8.4f}{reading:10.4f}{every:8.4f}"


def refused(kind: str, answers: list[Answer]) -> str:
    """A line of a kind that no label answers."""
    reason = "out-of-vocabulary" if kind == "nonsense" else kind
    shares = [
        np.mean([bool(answer.refused) for answer in answers]),
        np.mean([f"({reason})" in answer.refused for answer in answers]),
        np.mean([np.isnan(answer.probabilities).all() for answer in answers]),
    ]
    told = "refused {:.1%}, for that reason {:.1%}; no probability {:.1%}".format(*shares)
    return f"{kind:14}{len(answers):10d}   {told}"


def measured(one: Question, answer: Answer, labels: NDArray, read: NDArray) -> Row:
    """A question in scope against the labels."""
    truth, chance = meaning(one, labels, read)
    answered = not np.isnan(answer.probabilities).all()
    known = truth != 0
    if len(set(truth[known].tolist())) < 2:
        return Row(answered, float("nan"), float("nan"))
    scores = np.nan_to_num(answer.scores.astype(np.float64))
    area, reading = (float(auc(some[known, None], truth[known, None]).value[0]) for some in (scores, chance))
    return Row(answered, float("nan") if answer.refused else area, reading)


def meaning(one: Question, labels: NDArray, read: NDArray) -> tuple[NDArray, NDArray]:
    """(N,) what the labels say of a meaning, 1, -1, or 0 where they leave it open; and (N,) what readings do."""
    either = "|" in one.means
    sides, chances = [], []
    for part in re.split(r" [&|] ", one.means):
        columns = [(NAMES.index(mean[:-1]), 1 if mean.endswith("+") else -1) for mean in part.split(";")]
        sides.append(np.min([labels[:, k] * side for k, side in columns], axis=0))
        chances.append(np.min([read[:, k] if side > 0 else 1 - read[:, k] for k, side in columns], axis=0))
    outer = np.max if either else np.min
    return outer(sides, axis=0).astype(np.int8), outer(chances, axis=0).astype(np.float64)


if __name__ == "__main__":
    main()
