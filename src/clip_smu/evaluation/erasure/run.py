"""Encoded or used? Erases attributes from templates by a closed-form linear map, and measures what is left.

    ERASED/
    ├── part-00000.parquet ...   templates of norm 1 with photo, face and identity; every command reads them
    ├── eraser.safetensors       left (d, m), right (d, m)
    ├── eraser.json              what they erase, and from which encoder's templates
    └── erasure.json             what could be read and verified, before and after

LEACE (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form") moves vectors as little as an
affine map can that leaves no covariance with the labels; then no linear classifier does better on the data of the
fit than a constant one. Templates are compared by angle, so an erased template is scaled to norm 1 again, which
would bring a little covariance back: :func:`fit_eraser` corrects LEACE's factors until the scaled templates have none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip_smu.errors import InputError
from clip_smu.evaluation.erasure.eraser import Eraser, fit_eraser
from clip_smu.evaluation.erasure.recognition import Recognition, recognition_of
from clip_smu.evaluation.erasure.rereading import Reread, norm_auc, reread
from clip_smu.evaluation.erasure.sentences import sentence_of
from clip_smu.evaluation.erasure.store import Progress, gather, write_erased
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, refuse_overlap
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.pairs import Pairs, pairs_of_identities, read_pairs
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.documents import finite, write_json
from clip_smu.storage.job_folders import writes_folder
from clip_smu.templates import Source, Templates, store_of
from clip_smu.words.attributes import NAMES, resolve
from clip_smu.words.hiding import Hide, hidden_names


@dataclass(frozen=True, slots=True, eq=False)
class Erasure:
    """What :func:`erase` did and found.

    Attributes:
        eraser: the map.
        templates: rows written; ``unusable`` of them are zero or not finite, and were written as they are.
        readings: by reader.
        recognition: ``None`` where there were no pairs; ``no_recognition`` says why.
        norm_auc: erased attribute → AUC of the norm of the network's output alone (NaN where it is not stored).
        sentence: the answer in plain words.
    """

    eraser: Eraser
    templates: int
    unusable: int
    readings: tuple[Reread, ...]
    recognition: Recognition | None
    no_recognition: str
    norm_auc: dict[str, float]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        known = self.recognition
        return {
            "format": 1,
            "attributes": list(self.eraser.attributes),
            "encoder": self.eraser.encoder,
            "sentence": self.sentence,
            "templates": self.templates,
            "unusable": self.unusable,
            "fit": self.eraser.provenance,
            "readings": [reading.to_dict() for reading in self.readings],
            "norm_auc": finite(self.norm_auc),
            "verification": None if known is None else asdict(known),
            "no_verification": self.no_recognition,
        }


@dataclass(frozen=True, slots=True)
class ErasureConfig:
    """How :func:`erase` measures.

    Attributes:
        pairs: ``pairs.txt`` or csv of photos to verify; default, pairs drawn from the persons of the test list.
        hide: attributes, groups or categories, by name, of which nothing is told; none that is to be erased.
        seed: of the probes' folds and landmarks, and of drawn pairs.
    """

    pairs: str | Path | None = None
    hide: Hide = ()
    seed: int = 0


@writes_folder
def erase(
    attributes: Sequence[str],
    templates: Source,
    labels: str | Path,
    output: str | Path,
    *,
    train: str | Path,
    test: str | Path,
    methods: Sequence[TemplateReader] = (),
    config: ErasureConfig | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Erasure:
    """Erases attributes from stored templates, and measures what can still be read and who is still recognised.

    The eraser is fitted on the training persons. All templates of the store are written, erased, to ``output``, with
    photo, face and identity; not the norm of the network's output, the box and the landmarks, which tell attributes
    too. Then the test persons are read: by ``methods`` as they are, and by linear and non-linear probes fitted
    afresh to the erased templates, once of the training persons and once (linear) of other test persons.

    Args:
        attributes: names or groups ("race").
        templates: folder or file; labels: csv in the MAAD form.
        train, test: lists of photos of different persons.
        methods: interpreters or probes of the same encoder.
        overwrite: replace what another job left in ``output``.
        progress: called with stage, done, total.

    Raises:
        InputError, LabelError: an unknown attribute, a hidden one, one with a single class, lists that share
            persons, or an ``output`` that holds another job.
        EncoderError, TemplateError: a method reads other templates.
        StorageError: the disk is full; the same command goes on.
    """
    started = time.time()
    config = config or ErasureConfig()
    columns = _to_erase(attributes, config.hide)
    names = tuple(NAMES[k] for k in columns)
    store, output, tell = store_of(templates), Path(output), progress or (lambda *_: None)
    lists = read_list(train), read_list(test)
    pairs = None if config.pairs is None else read_pairs(Path(config.pairs))
    known, paired = read_labels(labels), [] if pairs is None else [*pairs.first, *pairs.second]
    kept = gather(store, [*lists[0], *lists[1], *paired], tell)
    fitted, tested = (join(kept, known, only) for only in lists)
    refuse_overlap(fitted, tested)
    for method in methods:
        method.check_templates(kept.card, kept.vectors.shape[1])
    encoder = kept.card.name if kept.card else ""
    eraser = fit_eraser(fitted.templates.vectors, fitted.labels[:, columns], names, encoder=encoder)
    eraser.provenance["persons"] = count_persons(fitted.templates.identities)
    recognition, no_recognition = _recognition(pairs, kept, tested, eraser, config)
    rows, bad = write_erased(eraser, store, output, overwrite, tell)
    eraser.save(output)
    readings = reread(methods, fitted, tested, eraser, columns, config.hide, config.seed, tell)
    found = Erasure(
        eraser,
        rows,
        bad,
        readings,
        recognition,
        no_recognition,
        norm_auc(names, tested, columns),
        sentence_of(names, readings, recognition, eraser),
    )
    test_report = {"faces": len(tested.labels), "persons": count_persons(tested.templates.identities)}
    values = found.to_dict() | {"test": test_report, "seconds": round(time.time() - started, 1)}
    write_json(output / "erasure.json", values)
    return found


def _to_erase(attributes: Sequence[str], hide: Hide) -> tuple[int, ...]:
    """Columns of the attributes to erase, none of them hidden."""
    columns = resolve(list(attributes))
    if not columns:
        raise InputError("nothing to erase: name an attribute or a group, such as Male or race")
    if secret := hidden_names(hide).intersection(NAMES[k] for k in columns):
        raise InputError(
            f"{min(secret)} is hidden, and what is erased is told of: hide others, or erase others"
        )
    return columns


def _recognition(
    pairs: Pairs | None, kept: Templates, tested: Labelled, eraser: Eraser, config: ErasureConfig
) -> tuple[Recognition | None, str]:
    """Verification before and after; or why there is none, where no pairs were given and none can be drawn."""
    if pairs is not None:
        return recognition_of(pairs, kept, eraser, Path(str(config.pairs)).name), ""
    try:
        photos = list(zip(tested.templates.images, tested.templates.identities, strict=True))
        drawn = pairs_of_identities(photos, seed=config.seed)
        return recognition_of(drawn, kept, eraser, "identities of the test list"), ""
    except InputError as error:
        return None, str(error)
