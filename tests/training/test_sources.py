"""Several data sets as one job's data: how they are named, that they fit together, whose rows are whose."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_smu.errors import EncoderError, InputError, LabelError, TemplateError
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import count_persons
from clip_smu.templates import Templates
from clip_smu.training.data import read_data
from clip_smu.training.sources import (
    SourceSpec,
    all_sources,
    named_sources,
    parse_source,
    read_sources_toml,
)
from faces import DIM, toy_data


def source(name: str, n: int = 40, seed: int = 0, *, held: int = 0, **more: Any) -> SourceSpec:
    """A made-up data set in memory; its last ``held`` photos are its test list."""
    faces, labels = toy_data(n, seed)
    split = n - held
    lists = {"train": faces.images[:split], "test": faces.images[split:]} if held else {}
    return SourceSpec(name, faces, labels, **{**lists, **more})


# ---------------------------------------------------------------- as typed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lfw=t/,l.csv", ("lfw", "t/", "l.csv", None, None)),
        ("lfw=t/,l.csv,train.txt", ("lfw", "t/", "l.csv", "train.txt", None)),
        ("lfw=t/,l.csv,train.txt,test.txt", ("lfw", "t/", "l.csv", "train.txt", "test.txt")),
        ("lfw=t/,l.csv,,test.txt", ("lfw", "t/", "l.csv", None, "test.txt")),
        ('c.1=t/,"a, b.csv","x=""y"".txt"', ("c.1", "t/", "a, b.csv", 'x="y".txt', None)),
    ],
)
def test_a_source_in_one_text(text: str, expected: tuple[str | None, ...]) -> None:
    found = parse_source(text)
    assert (found.name, found.templates, found.labels, found.train, found.test) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lfw", "NAME=TEMPLATES,LABELS"),
        ("", "NAME=TEMPLATES,LABELS"),
        ("lfw=", "NAME=TEMPLATES,LABELS"),
        ("lfw=t/", "NAME=TEMPLATES,LABELS"),
        ("lfw=,l.csv", "NAME=TEMPLATES,LABELS"),
        ("lfw=t/,l.csv,a,b,c", "NAME=TEMPLATES,LABELS"),
        ('lfw=t/,"l.csv', "NAME=TEMPLATES,LABELS"),
        ("lfw=t/,l.csv\nu/,m.csv", "NAME=TEMPLATES,LABELS"),
        ("=t/,l.csv", "a source's name"),
        ("a/b=t/,l.csv", "a source's name"),
        ("a b=t/,l.csv", "a source's name"),
    ],
)
def test_another_form_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        parse_source(text)
    assert "\n" not in str(refused.value)


def test_sources_in_a_file_start_in_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(
        '[lfw]\ntemplates = "lfw/t"\nlabels = "lfw/l.csv"\ntest = "/lists/test.txt"\n'
        '[celeba]\ntemplates = "c"\nlabels = "c.csv"\ntrain = "train.txt"\n'
    )
    lfw, celeba = read_sources_toml(file)
    assert (lfw.name, lfw.templates, lfw.labels) == ("lfw", tmp_path / "lfw/t", tmp_path / "lfw/l.csv")
    assert (lfw.train, lfw.test) == (None, Path("/lists/test.txt"))
    assert (celeba.name, celeba.train, celeba.test) == ("celeba", tmp_path / "train.txt", None)
    both = named_sources([str(file), "more=t/,l.csv"])
    assert [one.name for one in both] == ["lfw", "celeba", "more"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found none"),
        ("lfw = 3", "at lfw|\\[...\\]"),
        ('[lfw]\ntemplates = "t"', "labels"),
        ('[lfw]\ntemplates = "t"\nlabels = 3', "str"),
        ('[lfw]\ntemplates = "t"\nlabels = "l"\ntests = "x"', "tests"),
        ('["a/b"]\ntemplates = "t"\nlabels = "l"', "a source's name"),
        ("[lfw", "expected TOML"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "sources.toml").write_text(text)
    with pytest.raises(InputError, match=told):
        read_sources_toml(tmp_path / "sources.toml")
    with pytest.raises(InputError, match="no\\.toml"):
        named_sources([str(tmp_path / "no.toml")])


def test_sources_or_one_without_a_name() -> None:
    (only,) = all_sources("t", "l", "train", None, ())
    assert (only.name, only.templates, only.labels, only.train, only.test) == ("", "t", "l", "train", None)
    two = [parse_source("a=t,l"), parse_source("b=t,l")]
    assert all_sources(None, None, None, None, two) == tuple(two)
    for given in ((None, None, None, None), ("t", None, None, None), (None, "l", None, None)):
        with pytest.raises(InputError, match=r"found no (templates|labels)"):
            all_sources(*given, ())
    for given in (
        ("t", None, None, None),
        (None, "l", None, None),
        (None, None, "a", None),
        (None, None, None, "b"),
    ):
        with pytest.raises(InputError, match="found both"):
            all_sources(*given, two)
    with pytest.raises(InputError, match="found a twice"):
        all_sources(None, None, None, None, [*two, two[0]])
    with pytest.raises(InputError, match="a source's name"):
        all_sources(None, None, None, None, [source("")])


# ---------------------------------------------------------------- as read


def test_rows_are_in_the_order_of_the_sources() -> None:
    b, a = source("b", 40, 1, held=8), source("a", 24, 2, held=4)
    data = read_data([b, a])
    assert [one.name for one in data.sources] == ["b", "a"]
    assert data.source_of.tolist() == [0] * 32 + [1] * 20
    assert data.source_of.dtype == np.int64
    for what, rows in (("known", (slice(32), slice(20))), ("checked", (slice(32, None), slice(20, None)))):
        faces = getattr(data, what)
        np.testing.assert_array_equal(
            faces.templates.vectors,
            np.concatenate([spec.templates.vectors[part] for spec, part in zip((b, a), rows, strict=True)]),
        )
        np.testing.assert_array_equal(
            faces.labels,
            np.concatenate([spec.labels.values[part] for spec, part in zip((b, a), rows, strict=True)]),
        )
    assert data.card == b.templates.card
    assert data.encoder == "toy"


def test_one_name_in_two_sources_is_two_persons() -> None:
    data = read_data([source("a", 40), source("b", 40, 1)])
    assert count_persons(data.known.templates.identities) == 20
    assert data.known.templates.identities[0] == "a/p0"
    assert data.known.templates.identities[40] == "b/p0"
    assert data.known.templates.images[0] == data.known.templates.images[40] == "p0/0.jpg"


def test_strangers_stay_strangers() -> None:
    faces, labels = toy_data(8)
    unknown = Labels(labels.images, [""] * 8, labels.values)
    data = read_data([SourceSpec("a", faces, unknown), source("b", 8)])
    assert data.known.templates.identities[:8] == [""] * 8
    assert count_persons(data.known.templates.identities) == 10


def test_a_source_may_lack_an_attribute() -> None:
    faces, labels = toy_data(40, 1)
    values = labels.values.copy()
    values[:, 5] = 0
    data = read_data([source("a"), SourceSpec("b", faces, Labels(labels.images, labels.identities, values))])
    assert not data.known.labels[data.source_of == 1, 5].any()
    assert data.known.labels[data.source_of == 0, 5].any()
    told = data.for_provenance()["sources"]
    assert (
        told["a"]["trained_on"]["attributes_labelled"],
        told["b"]["trained_on"]["attributes_labelled"],
    ) == (47, 46)
    assert told["b"]["trained_on"]["labels_known"] == int((values != 0).sum())
    assert told["b"]["trained_on"] | {"faces": 40, "persons": 10} == told["b"]["trained_on"]
    assert told["b"]["measured_on"] is None


def test_one_test_list_is_enough() -> None:
    data = read_data([source("a", 40, held=8), source("b", 40, 1)])
    assert data.checked is not None
    assert data.checked.templates.identities == ["a/p8"] * 4 + ["a/p9"] * 4
    assert read_data([source("a"), source("b")]).checked is None


def test_a_test_list_is_held_against_its_own_source() -> None:
    """Persons of one name in two sources are no overlap; in one source they are, and it is named."""
    faces = toy_data(40)[0].images
    fine = read_data(
        [source("a", 40, train=faces[:20]), source("b", 40, 1, train=faces[20:], test=faces[:20])]
    )
    assert fine.checked is not None
    with pytest.raises(LabelError, match=r"^source b: 1 persons are in both"):
        read_data([source("a"), source("b", 40, 1, train=faces[:22], test=faces[20:])])


def test_what_cannot_be_read_is_said_of_its_source(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"^source b: no such templates"):
        read_data([source("a"), replace(source("b"), templates=tmp_path / "nowhere")])
    with pytest.raises(LabelError, match=r"^source b: "):
        read_data([source("a"), replace(source("b"), labels=tmp_path / "nowhere.csv")])
    with pytest.raises(TemplateError, match=r"^no such templates"):
        read_data([replace(source(""), templates=tmp_path / "nowhere")])


def test_what_is_left_out_adds_up() -> None:
    faces, labels = toy_data(40)
    vectors = faces.vectors.copy()
    vectors[3] = 0
    holed = replace(faces, vectors=vectors)
    data = read_data(
        [SourceSpec("a", holed, labels), SourceSpec("b", holed, labels, train=faces.images[:20])]
    )
    assert data.known.unusable == 2
    assert data.known.not_listed == 20
    assert [note.split(" ")[0] for note in data.known.notes] == ["a:", "b:"]
    assert len(data.known.labels) == 58


def carded(spec: SourceSpec, **changes: Any) -> SourceSpec:
    assert isinstance(spec.templates, Templates)
    assert spec.templates.card is not None
    return replace(spec, templates=replace(spec.templates, card=replace(spec.templates.card, **changes)))


def test_sources_are_of_one_encoder() -> None:
    with pytest.raises(
        EncoderError, match=r"source b .* than those of a \(toy, toy\): a has channels RGB, not BGR"
    ):
        read_data([source("a"), carded(source("b", seed=1), channels="BGR")])
    known = {"sha256": "a" * 64}
    with pytest.raises(
        EncoderError, match=r"source c .* than those of a .* sha256 aaaaaaaaaaaa\.\.\., not bbb"
    ):
        read_data(
            [carded(source("a"), **known), carded(source("b"), **known), carded(source("c"), sha256="b" * 64)]
        )
    same = read_data([carded(source("a"), **known), carded(source("b"), name="other", **known)])
    assert same.encoder == "toy"  # one file, whatever it is called


def test_a_source_without_a_card_needs_the_length() -> None:
    bare = source("a")
    assert isinstance(bare.templates, Templates)
    bare = replace(bare, templates=replace(bare.templates, card=None))
    assert read_data([bare, source("b")]).encoder == "toy"
    short = replace(bare, name="c", templates=replace(bare.templates, vectors=bare.templates.vectors[:, 1:]))
    with pytest.raises(TemplateError, match=f"source c have length {DIM - 1}, those of b {DIM}"):
        read_data([bare, source("b"), short])


def test_templates_without_a_card_must_look_like_the_others() -> None:
    """Of two encoders with templates of one length: quiet directions of the one are loud in the other."""
    first, second = source("a", 200), source("b", 200, 1)
    assert isinstance(first.templates, Templates)
    assert isinstance(second.templates, Templates)
    quiet = np.linspace(0.01, 1, DIM, dtype=np.float32)
    own = replace(first, templates=replace(first.templates, vectors=first.templates.vectors * quiet))
    alike = replace(second.templates, vectors=second.templates.vectors * quiet, card=None)
    other = replace(alike, vectors=alike.vectors[:, ::-1])
    assert read_data([replace(second, templates=alike), own]).encoder == "toy"
    with pytest.raises(
        TemplateError, match=r"of 200 templates of source b, which have no .* like those of a"
    ):
        read_data([replace(second, templates=other), own])


def test_a_face_of_a_test_list_is_learnt_from_nowhere() -> None:
    """One photo under two names in two sources, told by its template."""
    first, second = source("a", 40, held=8), source("b", 40, 1)
    assert isinstance(second.templates, Templates)
    assert isinstance(first.templates, Templates)
    vectors = second.templates.vectors.copy()
    vectors[5] = first.templates.vectors[3]  # learnt from twice: nothing is measured on it
    assert (
        len(read_data([first, replace(second, templates=replace(second.templates, vectors=vectors))]).sources)
        == 2
    )
    vectors[[7, 9]] = first.templates.vectors[[34, 33]]
    same = replace(second, templates=replace(second.templates, vectors=vectors))
    for specs in ([first, same], [same, first]):
        with pytest.raises(
            LabelError, match=r"^2 faces of the test list of source a are learnt from in b, .* p8/33\.jpg:"
        ):
            read_data(specs)


# ---------------------------------------------------------------- one source, and what a job is


def slow_fingerprint(faces: Templates, labels: Labels) -> str:
    """As jobs of before sources kept it."""
    content = [
        faces.vectors.tobytes(),
        labels.values.tobytes(),
        "\n".join([*faces.images, *faces.identities]).encode(),
    ]
    return hashlib.sha256(b"".join([*content, b"|", b"|"])).hexdigest()


def test_one_source_without_a_name_is_as_before() -> None:
    spec = source("")
    data = read_data([spec])
    assert data.fingerprint() == slow_fingerprint(*toy_data(40))
    assert data.known.templates.identities == toy_data(40)[0].identities
    assert data.for_provenance() == {}
    assert not data.source_of.any()


def test_one_named_source_reads_alike() -> None:
    """The same persons, so the same folds and weights; its name is a part of the job."""
    plain, named = read_data([source("")]), read_data([source("lfw")])
    assert named.known.templates.identities == plain.known.templates.identities
    assert named.fingerprint() != plain.fingerprint()


def test_a_job_knows_its_sources() -> None:
    a, b = source("a", held=8), source("b", 40, 1)
    whole = read_data([a, b]).fingerprint()
    assert read_data([a, b]).fingerprint() == whole
    for other in ([b, a], [replace(a, name="c"), b], [replace(a, test=None), b], [a, source("b", 36, 1)]):
        assert read_data(other).fingerprint() != whole


def test_probe_learns_from_two_sources(tmp_path: Path) -> None:
    """As of one data set whose persons somebody had renamed; and the evidence is of both test lists."""
    pytest.importorskip("torch")
    from clip_smu.training.probe_config import ProbeConfig
    from clip_smu.training.probes import fit_probe

    config = ProbeConfig(folds=3, strengths=(0.01, 1.0))
    specs = [source("a", 60, held=12), source("b", 60, 1, held=12)]
    made = fit_probe(None, None, tmp_path / "two", sources=specs, config=config)
    parts = [toy_data(60), toy_data(60, 1)]
    persons = [
        f"{name}/{one}" for name, (faces, _) in zip("ab", parts, strict=True) for one in faces.identities
    ]
    photos = [f"{name}/{one}" for name, (faces, _) in zip("ab", parts, strict=True) for one in faces.images]
    table = replace(
        parts[0][0],
        vectors=np.concatenate([faces.vectors for faces, _ in parts]),
        faces=np.zeros(120, np.int16),
        norms=np.concatenate([faces.norms for faces, _ in parts]),
        identities=persons,
        images=photos,
    )
    labels = Labels(photos, persons, np.concatenate([labels.values for _, labels in parts]))
    lists = {"train": photos[:48] + photos[60:108], "test": photos[48:60] + photos[108:]}
    renamed = fit_probe(table, labels, tmp_path / "one", config=config, **lists)
    assert made.provenance["weights_sha256"] == renamed.provenance["weights_sha256"]
    assert [row.auc for row in made.evidence] == pytest.approx(
        [row.auc for row in renamed.evidence], nan_ok=True
    )
    assert made.provenance["evidence_from"].startswith("24 faces of the test lists of a and b, whose")
    assert list(made.provenance["sources"]) == ["a", "b"]
    assert made.provenance["trained_on"]["faces"] == 96
    assert "sources" not in renamed.provenance


def test_fit_learns_from_two_sources(tmp_path: Path) -> None:
    """Both data sets' faces, the provenance kept on disk, and the same job again is found done."""
    pytest.importorskip("torch")
    from clip_smu.training.clip_encoder import EncoderSize
    from clip_smu.training.fit import fit
    from clip_smu.training.fit_config import FitConfig

    config = FitConfig(size=EncoderSize(8, 1, 1), steps=3, folds=2, device="cpu")
    specs = [source("a", 60, held=12), source("b", 60, 1)]
    made = fit(None, None, tmp_path / "it", sources=specs, config=config)
    told = made.provenance["sources"]
    assert (told["a"]["trained_on"]["faces"], told["a"]["measured_on"]["faces"]) == (48, 12)
    assert (told["b"]["trained_on"]["faces"], told["b"]["measured_on"]) == (60, None)
    assert made.provenance["trained_on"]["persons"] == 12 + 15
    assert made.provenance["evidence_from"].startswith("12 faces of the test list of a, whose")
    np.testing.assert_allclose(
        made.centre, unit_mean([spec.templates for spec in specs], (48, 60)), atol=1e-6
    )
    again = fit(None, None, tmp_path / "it", sources=specs, config=config)
    assert again.provenance == made.provenance
    with pytest.raises(InputError, match="another fit"):
        fit(None, None, tmp_path / "it", sources=specs[::-1], config=config)


def unit_mean(tables: Any, rows: tuple[int, ...]) -> Any:
    """(d,) mean of the first rows of each table, scaled to length 1."""
    taken = np.concatenate([table.vectors[:count] for table, count in zip(tables, rows, strict=True)])
    return (taken / np.linalg.norm(taken, axis=1, keepdims=True)).mean(axis=0)
