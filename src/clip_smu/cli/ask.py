"""``clip-smu ask``: faces ranked by a question in free words."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from clip_smu.cli.inputs import batches, face_name, finish, tell_rejected
from clip_smu.cli.options import AsJsonLines, Column, EncoderName, Example, Faces, Inputs, InterpreterName
from clip_smu.cli.show import note, write


def ask(
    *,
    question: Annotated[str, typer.Argument(help='A phrase or sentence, such as "wears spectacles".')],
    inputs: Inputs = None,
    method: InterpreterName = "dlib-faces",
    encoder: EncoderName = None,
    example: Example = False,
    top: Annotated[int, typer.Option(min=1, help="Show this many faces, the best first.")] = 10,
    hide: Annotated[
        str,
        typer.Option(help="Refuse questions about these attributes or groups: race,gender,age,sensitive ..."),
    ] = "",
    as_json: AsJsonLines = False,
    faces: Faces,
    column: Column = None,
) -> None:
    """Rank faces by how well they fit a question in free words.

    Example: clip-smu ask "wears spectacles" photos/
    """
    import heapq

    from clip_smu.interpreter.interpreter import load_interpreter
    from clip_smu.words.hiding import refuse_question

    refuse_question(question, hide)
    reader = load_interpreter(method)
    unseen = reader.unseen_words(question)
    if unseen:
        note(
            f"the text encoder was not trained on: {', '.join(unseen)}; the order may mean little. "
            "Words that it knows: see clip-smu words"
        )
    best: list[tuple[float, int, str, int]] = []
    done = rejected = 0
    for batch in batches(reader, inputs, encoder, example, faces, column):
        for image, error in batch.rejected:
            rejected += 1
            tell_rejected(image, error, as_json)
        if not len(batch.vectors):
            continue
        for (image, face), score in zip(batch.names, reader.ask(question, batch.vectors).scores, strict=True):
            entry = (float(score), -done, image, face)
            (heapq.heappush if len(best) < top else heapq.heappushpop)(best, entry)
            done += 1
    for rank, (score, _, image, face) in enumerate(sorted(best, reverse=True), 1):
        if as_json:
            write(
                json.dumps(
                    {"rank": rank, "image": image, "face": face, "score": round(score, 6)}, ensure_ascii=False
                )
            )
        else:
            write(f"{rank:4d}  {score:+.4f}  {face_name(image, face)}")
    finish(done, rejected)
