"""Questions in words beside readings: how well an attribute's own sentences, and new ones of its words, rank faces.

    python benchmarks/questions.py TEMPLATES LABELS.csv --only LIST [--method dlib-faces]

Mean ROC AUC over the attributes that both kinds of labels are there for; labels of 0 are left out. `asked` is
`Interpreter.ask`, `cosine` the cosine to the question alone. "own": the canonical sentence of each side. "trained": all
sentences of the side, which the text encoder learnt. "new": sentences of the same phrases that it did not.
"""

from __future__ import annotations

import argparse

import numpy as np

from clip_smu import load_interpreter, read_templates
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.prompts import prompt, prompts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("templates")
    parser.add_argument("labels")
    parser.add_argument("--only", required=True)
    parser.add_argument("--method", default="dlib-faces")
    options = parser.parse_args()
    interpreter = load_interpreter(options.method)
    faces = join(read_templates(options.templates), read_labels(options.labels), read_list(options.only))
    vectors, labels = faces.templates.vectors, faces.labels
    read = auc(interpreter.interpret(vectors).scores, labels).value
    told = np.flatnonzero(~np.isnan(read))
    print(
        f"{len(vectors)} faces, {len(told)} attributes with labels of both kinds; readings {read[told].mean():.4f}"
    )
    centred = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) - interpreter.centre
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    print(
        f"{'sentences':10}{'side':>6}{'count':>7}{'asked':>9}{'cosine':>9}{'worst':>8}  (asked, behind the reading)"
    )
    for kind in ("own", "trained", "new"):
        for positive in (True, False):
            rows, sign = [], 1 if positive else -1
            for k in told:
                row = ATTRIBUTES[k]
                phrases = row.positives if positive else row.negatives
                own, trained = prompt(row, positive), prompts(row, positive)
                texts = {
                    "own": [own],
                    "trained": trained,
                    "new": sorted({prompt(row, positive, phrase) for phrase in phrases} - {*trained}),
                }[kind]
                if not texts:
                    continue
                asked = np.column_stack([interpreter.ask(text, vectors).scores for text in texts])
                alone = centred @ interpreter.text_encoder.encode(texts).T
                areas = [
                    auc(sign * scores, np.repeat(labels[:, [k]], len(texts), axis=1)).value
                    for scores in (asked, alone)
                ]
                rows.append((areas[0].mean(), areas[1].mean(), read[k] - areas[0].min(), len(texts)))
            table = np.array(rows)
            mean_asked, mean_alone = table[:, :2].mean(axis=0)
            print(
                f"{kind:10}{'yes' if positive else 'no':>6}{int(table[:, 3].sum()):7d}{mean_asked:9.4f}"
                f"{mean_alone:9.4f}{table[:, 2].max():8.4f}"
            )


if __name__ == "__main__":
    main()
