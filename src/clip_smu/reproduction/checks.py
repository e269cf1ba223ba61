"""What can be wrong with a plan is said before anything is run: a first training may end a day later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from clip_smu.encoders.card_files import own_card
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.load import load_encoder
from clip_smu.encoders.locate import ONNX
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.errors import InputError, LabelError
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.persons import in_both
from clip_smu.photos.names import match
from clip_smu.photos.spelling import distinct
from clip_smu.reproduction.plan import Method, Plan, PlannedEncoder
from clip_smu.training.clip_encoder import EncoderSize
from clip_smu.training.fit_config import FitConfig
from clip_smu.training.probe_config import ProbeConfig
from clip_smu.words.attributes import resolve

_OURS = frozenset(
    {"stages", "figures", "comparisons", "labels"}
)  # what a run's folder holds besides encoders
_NAME = re.compile(r"[^\W_][\w .+-]{0,99}")  # a folder's name on any system; it begins with no dot and no _


def check_plan(plan: Plan, *, smoke: bool) -> None:
    """Refuses a plan that would fail later: names, settings, attributes, encoders, files.

    Raises:
        ClipSmuError: what is wrong, of which entry.
    """
    if not plan.encoders or not plan.methods:
        raise InputError(f"the plan {plan.name} needs at least one encoder and one method")
    _check_names([row.name for row in plan.encoders], [method.name for method in plan.methods])
    for what, named in (("erase", plan.erase), ("within", plan.within)):
        try:
            resolve(named)
        except InputError as error:
            raise InputError(f"the plan's {what}: {error}") from None
    for row in plan.encoders:
        used = [method for method in plan.methods if is_for(method, row)]
        if not used:
            raise InputError(f"the plan has no method for the encoder {row.name}")
        for method in used:
            config_of(plan, method, row, smoke=smoke)
    lists = [read_list(file) for file in (plan.train, plan.test) if file is not None]
    if plan.form == "maad":
        labels = read_labels(plan.labels)
        if len(lists) == 2:
            refuse_shared(lists[0], lists[1], labels)
    for row in plan.encoders:
        _check_encoder(row, plan.photos)


def refuse_shared(train: Sequence[str], test: Sequence[str], labels: Labels) -> None:
    """Refuses lists with a person, or a photo of an unknown person, on both: the first training would end at it.

    Raises:
        LabelError: somebody is on both.
    """
    names = [distinct(one)[0].to_pylist() for one in (train, test)]
    found = [match(one, labels.images, labels.identities).at for one in names]
    sides = [at[at >= 0].tolist() for at in found]
    for what, called in (("persons", labels.identities), ("photos", labels.images)):
        some, others = ([called[row] for row in rows] for rows in sides)
        if both := in_both(some, others):
            raise LabelError(
                f"{len(both)} {what} are in both the plan's training and its test list, the first is {min(both)}: "
                "evidence needs lists of different persons"
            )


def is_for(method: Method, row: PlannedEncoder) -> bool:
    """Whether a method reads that encoder's templates."""
    return not method.encoders or row.name in method.encoders


def config_of(
    plan: Plan, method: Method, row: PlannedEncoder, *, smoke: bool
) -> tuple[dict[str, Any], FitConfig | ProbeConfig | None]:
    """The settings of a method for one encoder, as the plan gives them and as its job takes them.

    Raises:
        InputError: a setting that there is not, or a value that it cannot have.
    """
    settings = {**method.settings, **row.settings.get(method.name, {})}
    settings |= plan.smoke.get(method.name, {}) if smoke else {}
    try:
        if method.kind == "objective":
            _refuse_unknown(settings, FitConfig, {"objective", "seed"})
            inner = {**settings, "size": EncoderSize(**settings["size"])} if "size" in settings else settings
            fitted = FitConfig(objective=method.what, seed=plan.seed, **inner)
            fitted.check()
            return settings, fitted
        if method.kind == "probe":
            _refuse_unknown(settings, ProbeConfig, {"kind", "seed"})
            probe = ProbeConfig(kind=method.what, seed=plan.seed, **settings)
            probe.check()
            return settings, probe
        if settings:
            raise InputError(f"zero_shot takes none, found {', '.join(sorted(settings))}")
        if method.what.endswith(".onnx") and not Path(method.what).is_file():
            raise InputError(f"expected the text encoder {method.what}, found no such file")
        return settings, None
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"the plan's settings of {method.name} do not fit: {error}") from None


def options_of(row: PlannedEncoder) -> EncoderOptions:
    """How an encoder of the plan finds faces.

    Raises:
        InputError: an option that there is not.
    """
    unknown = row.options.keys() - asdict(EncoderOptions()).keys()
    if unknown:
        raise InputError(
            f"the plan's options of {row.name} do not fit: expected {', '.join(asdict(EncoderOptions()))}; "
            f"found {', '.join(sorted(unknown))}"
        )
    return EncoderOptions(**row.options)


def _check_names(encoders: Sequence[str], methods: Sequence[str]) -> None:
    """Each becomes a folder of the run, alike on systems that know no letter case."""
    for name in _repeated([*encoders, *methods]):
        raise InputError(f"encoders and methods need names of their own, found {name} twice")
    for name in (*encoders, *methods):
        if not _NAME.fullmatch(name) or name.endswith((".", " ")):
            raise InputError(
                f"expected a name that can be a folder's (letters, numbers, blanks and . + - _), found {name!r}"
            )
        if name in encoders and name.casefold() in _OURS:
            raise InputError(f"an encoder cannot be named {name}: the run keeps other files there")


def _repeated(names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            yield name
        seen.add(name.casefold())


def _refuse_unknown(settings: dict[str, Any], config: type, own: set[str]) -> None:
    known = {field.name for field in fields(config)} - own
    if unknown := settings.keys() - known:
        raise InputError(f"expected {', '.join(sorted(known))}; found {', '.join(sorted(unknown))}")


def _check_encoder(row: PlannedEncoder, photos: Sequence[Path]) -> None:
    """Loads it once, and lets it go."""
    if row.templates is not None:
        return
    if not photos:
        raise InputError(f"the encoder {row.name} needs photos, and the plan's [data] names none")
    try:
        if row.card:
            weights = Path(row.encoder.removeprefix(ONNX))
            OnnxEncoder(own_card({"name": row.name, **row.card}), weights, options_of(row))
        else:
            load_encoder(row.encoder, options_of(row))
    except TypeError as error:
        raise InputError(f"the plan's entry of {row.name} has a value of the wrong kind: {error}") from None
