"""Were these persons trained on? A training list, of photos or of persons, against what is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from clip_smu.errors import LabelError
from clip_smu.evaluation.folder import Evaluation
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import composed, in_both, known_persons
from clip_smu.photos.names import match
from clip_smu.photos.spelling import clean, folder_of


def refuse_trained(names: Sequence[str], labels: Labels, evaluation: Evaluation) -> str:
    """Refuses an evaluation on persons, or on photos of unknown persons, of the training list.

    Each line is taken by itself: as the name of a labelled photo, or of a labelled person, or of a photo without a
    label, whose folder is its person.

    Args:
        names: of the training list.

    Returns:
        What was checked, in words.

    Raises:
        LabelError: somebody is on both sides, or no name is that of a labelled photo or person.
    """
    labelled = known_persons(labels.identities)
    at = match(names, labels.images, labels.identities).at.tolist()
    persons, photos, unplaced = set[str](), set[str](), 0
    for name, row in zip(names, at, strict=True):
        own = composed(clean(name))
        if row >= 0 and (own not in labelled or own == clean(labels.images[row])):
            photos.add(labels.images[row])
            persons.add(labels.identities[row])
        elif own in labelled:
            persons.add(own)
        elif (folder := folder_of(name)) in labelled:
            persons.add(folder)
        else:
            unplaced += 1
    if unplaced == len(names):
        raise LabelError(
            "no photo of the training list has a label, and no name there is that of a labelled person: the list says "
            f"{next(iter(names), 'nothing')}, the labels {labels.images[0]}; give labels that cover the training list"
        )
    for what, both in (
        ("persons", in_both(persons, evaluation.identities)),
        ("photos", photos & set(evaluation.images)),
    ):
        if both:
            raise LabelError(
                f"{len(both)} {what} of the training list would be evaluated on, the first is {min(both)}: "
                "give a list of other persons' photos (--only)"
            )
    unknown = f"; {unplaced} of its {len(names)} names are of no labelled photo or person" if unplaced else ""
    return f"none of the training list is evaluated on{unknown}"
