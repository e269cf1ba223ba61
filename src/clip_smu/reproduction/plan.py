"""What a run does, read from TOML: data, encoders, methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import msgspec

from clip_smu.encoders.locate import ONNX
from clip_smu.errors import InputError
from clip_smu.storage.documents import Name, checked, read_toml

PLANS = ("lfw", "paper-vggface2", "celeba")
CHECK_PAIRS = 600
_KINDS = ("objective", "probe", "zero_shot")  # what a method may be; one of them
_ENCODER_KEYS = {"name", "encoder", "card", "options", "templates"}
_PLAN_KEYS = {
    "name",
    "labels_are",
    "seed",
    "erase",
    "within",
    "check_pairs",
    "data",
    "encoders",
    "methods",
    "smoke",
}


@dataclass(frozen=True, slots=True)
class Method:
    """One way to read templates.

    Attributes:
        name: in tables, and its folder.
        kind: ``objective`` (a fit), ``probe``, or ``zero_shot``.
        what: the objective, the kind of probe, or the text encoder.
        settings: of :class:`FitConfig` or :class:`ProbeConfig`.
        encoders: names of the encoders that it is for; empty: all.
    """

    name: str
    kind: str
    what: str
    settings: dict[str, Any]
    encoders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedEncoder:
    """One encoder of a plan.

    Attributes:
        name: in tables, and its folder.
        encoder: a name of :data:`clip_smu.encoders.known.CARDS`, or ``onnx:FILE`` below the weights folder.
        card: of an ``onnx:`` encoder, as in a card file; empty: the file's own.
        options: of :class:`clip_smu.EncoderOptions`, how faces are found.
        templates: stored ones, below the data folder, in place of an encoder and photos.
        settings: method name → settings for this encoder alone.
    """

    name: str
    encoder: str
    card: dict[str, Any]
    options: dict[str, Any]
    templates: Path | None
    settings: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does; read from TOML by :func:`read_plan`.

    Attributes:
        name: of the experiment.
        labels_are: where the labels come from, in words that stand beside every figure.
        seed: of everything random.
        erase: attributes that are erased from the templates; empty: none.
        within: strata of the conditional AUCs.
        check_pairs: pairs of photos for each encoder's preprocessing check; 0: none.
        photos: files, folders or tars. labels: csv or Parquet in the MAAD form. train, test: lists. pairs: or ``None``.
        form: of the labels, ``maad`` or ``celeba``.
        encoders, methods: in the order of the tables.
        smoke: ``photos`` and ``check_pairs`` to take, and settings by method; for a quick run of everything.
    """

    name: str
    labels_are: str
    seed: int
    erase: tuple[str, ...]
    within: tuple[str, ...]
    check_pairs: int
    photos: tuple[Path, ...]
    labels: Path
    train: Path | None
    test: Path | None
    pairs: Path | None
    form: str
    encoders: tuple[PlannedEncoder, ...]
    methods: tuple[Method, ...]
    smoke: dict[str, Any] = field(default_factory=dict)


def read_plan(
    name: str | Path,
    *,
    data: Path,
    weights: Path | None = None,
    encoders: Sequence[str] = (),
    methods: Sequence[str] = (),
    text_encoder: str | None = None,
) -> Plan:
    """Reads a plan: one that ships (``lfw``, ``paper-vggface2``, ``celeba``) or a TOML file.

    Args:
        data: folder that the plan's file names start in.
        weights: folder of the ``onnx:`` files; default ``data``.
        encoders, methods: names to keep; default, all.
        text_encoder: takes the place of the plan's, where it names one (hub name, or a local folder).

    Raises:
        InputError: no such plan, a key that is missing or unknown, a file that is not there.
    """
    file = Path(name)
    if str(name) in PLANS:
        file = Path(str(files("clip_smu"))) / "data" / "configs" / f"{name}.toml"
    elif not file.exists():
        raise InputError(f"no plan called {name}: give {', '.join(PLANS)}, or a TOML file")
    values = read_toml(file, "a plan")
    unknown, missing = (
        sorted(values.keys() - _PLAN_KEYS),
        sorted({"name", "data", "encoders", "methods"} - values.keys()),
    )
    if unknown or missing:
        found = f"unknown {', '.join(unknown)}" if unknown else f"no {', '.join(missing)}"
        raise InputError(f"{file}: expected the keys {', '.join(sorted(_PLAN_KEYS))}; found {found}")
    checked(values, _Form, f"{file}")
    try:
        places = _places(values["data"], data)
        kept = _kept(values["encoders"], encoders, "encoder")  # the files of the others need not be there
        chosen = tuple(_encoder(row, data, weights or data) for row in kept)
        ways = tuple(_method(row, text_encoder) for row in _kept(values["methods"], methods, "method"))
        _refuse_strangers(file, values)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: an entry is missing or has the wrong form ({error})") from None
    plan = Plan(
        values["name"], values.get("labels_are", "labels as given"), values.get("seed", 0),
        tuple(values.get("erase", ())), tuple(values.get("within", ())), values.get("check_pairs", CHECK_PAIRS),
        **places, encoders=chosen, methods=ways,
        smoke=values.get("smoke", {}),
    )  # fmt: skip
    names = [row.name for row in plan.encoders] + [row.name for row in plan.methods]
    if len(set(names)) != len(names):
        raise InputError(f"{file}: encoders and methods need names of their own, found {', '.join(names)}")
    return plan


Text = str | list[str]


class _DataForm(msgspec.Struct, forbid_unknown_fields=True):
    photos: Text = ""
    labels: str = ""
    train: str = ""
    test: str = ""
    pairs: str = ""
    form: str = "maad"


class _EncoderForm(msgspec.Struct):
    """Other keys are methods' names, with settings for this encoder alone."""

    name: Name
    encoder: str = ""
    templates: str = ""
    card: dict[str, Any] = {}
    options: dict[str, str | int | bool] = {}


class _MethodForm(msgspec.Struct):
    """Other keys are settings."""

    name: Name
    objective: str = ""
    probe: str = ""
    zero_shot: str = ""
    encoders: list[str] = []


class _Form(msgspec.Struct):
    """A plan's TOML, as far as it does not hang on the methods; its keys are checked by name before."""

    name: Name
    data: _DataForm
    encoders: Annotated[list[_EncoderForm], msgspec.Meta(min_length=1)]
    methods: Annotated[list[_MethodForm], msgspec.Meta(min_length=1)]
    labels_are: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    erase: list[str] = []
    within: list[str] = []
    check_pairs: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    smoke: dict[str, int | dict[str, Any]] = {}


def reference_of(plan: Plan, names: Iterable[str]) -> str:
    """The method that encoders are compared by: language where it is there, else the last of the plan."""
    known = [method.name for method in plan.methods if method.name in set(names)]
    return next(
        (method.name for method in plan.methods if method.what == "attribute" and method.name in known),
        known[-1],
    )


def _places(values: dict[str, Any], data: Path) -> dict[str, Any]:
    """The files of a plan's ``[data]``, below the data folder.

    Raises:
        InputError: one is not there.
    """
    form = values.get("form", "maad")
    if form not in ("maad", "celeba"):
        raise InputError(f"expected form maad or celeba, found {form!r}")
    photos = values.get("photos", [])
    photos = photos if isinstance(photos, list) else [photos]
    places: dict[str, Any] = {"form": form, "photos": tuple(data / one for one in photos)}
    for key in ("labels", "train", "test", "pairs"):
        places[key] = data / values[key] if key in values else None
    if form == "celeba":
        places["labels"] = data
    wanted = [
        *places["photos"],
        *(places[key] for key in ("labels", "train", "test", "pairs") if places[key]),
    ]
    for file in wanted:
        if not file.exists():
            raise InputError(
                f"the plan needs {file}, which is not there: give the folder that holds it as --data"
            )
    if form == "maad" and not all(places[key] for key in ("labels", "train", "test")):
        raise InputError("the plan's data need labels, train and test: name the three files")
    return places


def _encoder(values: dict[str, Any], data: Path, weights: Path) -> PlannedEncoder:
    settings = {k: v for k, v in values.items() if k not in _ENCODER_KEYS}
    for name, given in settings.items():
        if not isinstance(given, dict):
            raise InputError(
                f"the encoder {values['name']} has the key {name}, which is no table of a method's settings: expected "
                f"{', '.join(sorted(_ENCODER_KEYS))}, or a method's name with its settings"
            )
    if "templates" in values:
        stored = data / values["templates"]
        if not stored.exists():
            raise InputError(
                f"the plan needs the templates {stored}, which are not there: extract them first"
            )
        return PlannedEncoder(values["name"], "", {}, {}, stored, settings)
    encoder = values["encoder"]
    if encoder.startswith(ONNX):
        file = weights / encoder.removeprefix(ONNX)
        if not file.is_file():
            raise InputError(
                f"the encoder {values['name']} needs {file}, which is not there: give its folder as --weights, "
                "or choose others with --encoders"
            )
        encoder = f"{ONNX}{file}"
    return PlannedEncoder(
        values["name"], encoder, values.get("card", {}), values.get("options", {}), None, settings
    )


def _method(values: dict[str, Any], text_encoder: str | None) -> Method:
    kinds = [kind for kind in _KINDS if kind in values]
    if len(kinds) != 1:
        raise InputError(
            f"the method {values['name']} must have one of {', '.join(_KINDS)}, found {kinds or 'none'}"
        )
    settings = {key: value for key, value in values.items() if key not in ("name", "encoders", *kinds)}
    what = values[kinds[0]]
    if text_encoder and "text_encoder" in settings:
        settings["text_encoder"] = text_encoder
    if text_encoder and kinds[0] == "zero_shot":
        what = text_encoder
    return Method(values["name"], kinds[0], what, settings, tuple(values.get("encoders", ())))


def _refuse_strangers(file: Path, values: dict[str, Any]) -> None:
    """Refuses entries for encoders or methods that the plan has not."""
    encoders, methods = ([row["name"] for row in values[key]] for key in ("encoders", "methods"))
    for row in values["methods"]:
        if unknown := set(row.get("encoders", ())) - set(encoders):
            raise InputError(
                f"{file}: the method {row['name']} is for {', '.join(sorted(unknown))}, expected some of the encoders "
                f"{', '.join(encoders)}"
            )
    named = [(f"the encoder {row['name']}", row.keys() - _ENCODER_KEYS) for row in values["encoders"]]
    named.append(("[smoke]", values.get("smoke", {}).keys() - {"photos", "check_pairs"}))
    for where, keys in named:
        if unknown := keys - set(methods):
            raise InputError(
                f"{file}: {where} has settings of {', '.join(sorted(unknown))}, expected methods of the plan: "
                f"{', '.join(methods)}"
            )


def _kept(rows: Sequence[dict[str, Any]], names: Sequence[str], what: str) -> tuple[dict[str, Any], ...]:
    known = [row["name"] for row in rows]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"the plan has no {what} {', '.join(unknown)}: choose from {', '.join(known)}")
    return tuple(row for row in rows if not names or row["name"] in names)
