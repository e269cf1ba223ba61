"""Erasure against its definition and slow ways to the same; what a job writes; what fresh probes still find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from sklearn.covariance import oas as sklearn_oas
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.errors import ClipSmuError, EncoderError, InputError, LabelError, TemplateError
from clip_smu.evaluation.erasure import ErasureConfig, erase, fit_eraser, load_eraser
from clip_smu.evaluation.erasure.leace import leace, oas
from clip_smu.evaluation.erasure.rereading import PROBES
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.probe import Probe
from clip_smu.labels.join import join
from clip_smu.labels.reading import read_labels
from clip_smu.templates import read_templates
from clip_smu.templates.parquet import card_of
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from faces import toy_card

DIM, PERSONS, EACH = 24, 240, 5
MALE, HAT, GLASSES = (NAMES.index(name) for name in ("Male", "Wearing_Hat", "Eyeglasses"))


def unit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float64)


def made_up(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int8], list[str]]:
    """Faces of persons, with three attributes: Male by person, a hat and glasses by photo; a fifth unknown."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(PERSONS), EACH)
    traits = rng.normal(size=(PERSONS, DIM))[person]
    male = (rng.random(PERSONS) < 0.6)[person]
    hat, glasses = rng.random((2, len(person))) < np.where(male, 0.5, 0.2)
    ways = np.linalg.qr(rng.normal(size=(DIM, 3)))[0].T * 3
    x = traits + 0.4 * rng.normal(size=traits.shape) + np.stack([male, hat, glasses], 1) @ ways + 0.5
    labels = np.where(np.stack([male, hat, glasses], 1), 1, -1).astype(np.int8)
    labels[rng.random(labels.shape) < 0.2] = 0
    return x * rng.uniform(0.5, 2, (len(x), 1)), labels, [f"p{p:03d}" for p in person]


def covariance(x: NDArray[np.floating], column: NDArray[np.int8]) -> NDArray[np.float64]:
    """The definition, over known labels, one row at a time."""
    rows = [(row, float(y > 0)) for row, y in zip(x, column, strict=True) if y]
    mean_x, mean_y = sum(row for row, _ in rows) / len(rows), sum(y for _, y in rows) / len(rows)
    return np.asarray(sum((row - mean_x) * (y - mean_y) for row, y in rows) / len(rows))


def test_leace_is_the_formula() -> None:
    x, labels, _ = made_up()
    mean, left, right = leace(x, labels)
    whiten = np.linalg.inv(sqrtm(np.cov(x.T, bias=True)).real)
    cross = np.stack([covariance(x, column) for column in labels.T], axis=1)
    columns = whiten @ cross
    onto = columns @ np.linalg.pinv(columns)
    np.testing.assert_allclose(left @ right.T, np.linalg.inv(whiten) @ onto @ whiten, atol=1e-9)
    np.testing.assert_allclose(mean, x.mean(axis=0))
    erased = x - (x - mean) @ right @ left.T
    for column in labels.T:
        assert np.abs(covariance(erased, column)).max() < 1e-12
        assert np.abs(covariance(x, column)).max() > 0.1


def test_leace_moves_least() -> None:
    """Of all affine maps without covariance; checked against the best of a constrained least squares, and others."""
    x, labels, _ = made_up()
    mean, left, right = leace(x, labels)
    cross = np.stack([covariance(x, column) for column in labels.T], axis=1)
    centred = x - mean
    least = float(((centred @ right @ left.T) ** 2).sum())
    # min |M y - y|² over M with M cross = 0: M = A (I - cross cross⁺), A free: ordinary least squares
    null = np.eye(DIM) - cross @ np.linalg.pinv(cross)
    reduced = centred @ null
    slow = centred - reduced @ np.linalg.lstsq(reduced, centred, rcond=None)[0]
    assert least == pytest.approx(float((slow**2).sum()), rel=1e-9)
    assert (
        least < float(((centred - reduced) ** 2).sum()) * 0.999
    )  # the plain orthogonal projection moves more


def test_dependent_attributes_are_one_direction() -> None:
    x, labels, _ = made_up()
    labels[labels == 0] = 1
    twice = np.column_stack([labels[:, 0], -labels[:, 0]])
    assert leace(x, twice).left.shape == (DIM, 1)
    assert leace(np.column_stack([x, x[:, 0]]), labels).left.shape == (DIM + 1, 3)  # a singular covariance


def test_scaled_templates_have_no_covariance_left() -> None:
    x, labels, _ = made_up()
    eraser = fit_eraser(x, labels, ["Male", "Wearing_Hat", "Eyeglasses"])
    erased = eraser.apply(x)
    assert erased.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(erased, axis=1), 1, atol=1e-6)
    _, left, right = leace(unit(x), labels)
    plain = unit(unit(x) - unit(x) @ right @ left.T)
    for column in labels.T:
        assert np.abs(covariance(erased.astype(np.float64), column)).max() < 1e-7
        assert (
            np.abs(covariance(plain, column)).max() > 1e-5
        )  # what scaling brings back without the correction
        assert np.abs(covariance(unit(x), column)).max() > 1e-2
    assert eraser.provenance["largest_correlation_left"] < 1e-9
    np.testing.assert_allclose(
        eraser.apply(7 * x), erased, atol=1e-6
    )  # the norm of a template does not matter


def test_templates_that_lie_close_together() -> None:
    """As dlib's: all at small angles, so that most of a change is along the templates and scaled away."""
    x, labels, _ = made_up()
    near = unit(unit(x) + 2 * np.eye(DIM)[0])
    assert np.median(near @ near.T) > 0.8
    eraser = fit_eraser(near, labels, ["Male", "Wearing_Hat", "Eyeglasses"])
    assert eraser.provenance["largest_correlation_left"] < 1e-9
    assert max(np.abs(covariance(eraser.apply(near).astype(float), c)).max() for c in labels.T) < 1e-7


def test_no_linear_probe_beats_a_constant() -> None:
    """scikit-learn, on the very rows of the fit, whatever the penalty and the weights of the classes."""
    x, labels, _ = made_up()
    erased = fit_eraser(x, labels, ["Male", "Wearing_Hat", "Eyeglasses"]).apply(x).astype(np.float64)
    for column in labels.T:
        known = column != 0
        for settings in ({"C": 1e4}, {"C": 1.0, "class_weight": "balanced"}):
            probe = LogisticRegression(max_iter=5000, tol=1e-9, **settings)
            z = probe.fit(erased[known], column[known]).decision_function(erased[known])
            assert z.std() < 1e-3
            before = probe.fit(unit(x)[known], column[known]).decision_function(unit(x)[known])
            assert before.std() > 0.5
            assert roc_auc_score(column[known], before) > 0.8


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_constant_number_is_no_obstacle(value: float, tmp_path: Path) -> None:
    """Dead outputs of a network: as good an eraser as without them, and valid JSON."""
    x, labels, _ = made_up()
    names = ["Male", "Wearing_Hat", "Eyeglasses"]
    dead = np.insert(unit(x), [0, 5], value, axis=1)
    eraser = fit_eraser(dead, labels, names)
    assert eraser.provenance["largest_correlation_left"] < 1e-9
    erased = eraser.apply(dead).astype(np.float64)
    assert max(np.abs(covariance(erased, column)).max() for column in labels.T) < 1e-7
    if value == 0:
        np.testing.assert_array_equal(erased[:, [0, 6]], 0)
        np.testing.assert_allclose(
            np.delete(erased, [0, 6], axis=1), fit_eraser(x, labels, names).apply(x), atol=1e-5
        )
    eraser.save(tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    json.loads((tmp_path / "eraser.json").read_text(), parse_constant=refuse)


def test_an_attribute_that_is_one_number() -> None:
    """All covariance lies on one axis: it becomes constant, and a constant has no correlation."""
    x, labels, _ = made_up()
    labels[labels == 0] = 1
    table = np.column_stack([3.0 * labels[:, 0], x[:, 1:] - x[:, 1:].mean(axis=0)])
    eraser = fit_eraser(table, labels[:, :1], ["Male"])
    assert eraser.provenance["largest_correlation_left"] < 1e-9


def test_shrinkage_is_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    for n, d in ((20, 40), (200, 8), (3, 5)):
        x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
        assert oas(x) == pytest.approx(sklearn_oas(x)[1], rel=1e-9)
    assert oas(np.ones((4, 3))) == 1.0


def test_few_faces_are_moved_less() -> None:
    """As many faces as numbers: the covariance is noise, and its inverse moves templates of others far for nothing."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        d, n = 60, 66
        x = rng.normal(size=(n + 400, d)) * np.linspace(3, 0.5, d)
        labels = np.where(x[:, :1] + rng.normal(size=(len(x), 1)) > 0, 1, -1).astype(np.int8)
        units = unit(x)
        eraser = fit_eraser(x[:n], labels[:n], ["Male"])
        assert 0 < eraser.provenance["shrinkage"] < 1
        _, left, right = leace(units[:n], labels[:n])
        plain = unit(units[n:] - units[n:] @ right @ left.T)
        moved, moved_plain = (
            np.linalg.norm(one - units[n:], axis=1).mean() for one in (eraser.apply(x[n:]), plain)
        )
        assert moved < 0.8 * moved_plain
        assert eraser.provenance["largest_correlation_left"] < 1e-9  # the theorem holds for any covariance
    many = np.random.default_rng(0).normal(size=(5 * d, d))
    assert (
        fit_eraser(many, np.where(many[:, :1] > 0, 1, -1).astype(np.int8), ["Male"]).provenance["shrinkage"]
        == 0
    )


def test_refuses_what_cannot_be_erased() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 3))
    labels = rng.choice(np.int8([-1, 1]), (60, 3))
    names = ["Male", "Young", "Bald"]
    with pytest.raises(
        InputError, match="3 attributes cannot be erased from 3 numbers that vary in 3 directions"
    ):
        fit_eraser(x, labels, names)
    with pytest.raises(
        InputError, match=r"1 attributes cannot be erased from 8 numbers that vary in 1 directions"
    ):
        fit_eraser(np.eye(8)[np.where(labels[:, 0] > 0, 0, 1)] + 1, labels[:, :1], names[:1])
    with pytest.raises(InputError, match="all 60 templates of the training persons are the same"):
        fit_eraser(np.ones((60, 3)), labels[:, :1], names[:1])
    labels[:, 0] = 1
    with pytest.raises(InputError, match=r"Male cannot be erased: .* found 60 yes and 0 no"):
        fit_eraser(x, labels[:, :1], names[:1])


def test_eraser_on_disk(tmp_path: Path) -> None:
    x, labels, _ = made_up()
    eraser = fit_eraser(x, labels[:, :1], ["Male"], encoder="toy")
    eraser.save(tmp_path)
    again = load_eraser(tmp_path)
    assert (again.attributes, again.encoder, again.dim) == (("Male",), "toy", DIM)
    assert again.provenance == eraser.provenance
    np.testing.assert_array_equal(again.apply(x), eraser.apply(x))
    bad = x[:4].astype(np.float32)
    bad[0], bad[1, 3] = 0, np.nan
    kept = again.apply(bad)
    np.testing.assert_array_equal(kept[:2], bad[:2])
    np.testing.assert_array_equal(kept[2:], eraser.apply(bad[2:]))
    with pytest.raises(TemplateError, match=r"expected \(N, 24\) templates of toy, found \(2, 5\)"):
        again.apply(np.ones((2, 5)))
    (tmp_path / "eraser.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="is damaged"):
        load_eraser(tmp_path)
    with pytest.raises(InputError, match=r"eraser.json is missing"):
        load_eraser(tmp_path / "none")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Fewer landmarks for the non-linear probe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clip_smu.evaluation.erasure.rereading.LANDMARKS", 150)
        yield


# --- whole jobs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store of two shards with an unusable row, labels, lists and pairs."""
    folder = tmp_path_factory.mktemp("data")
    x, few, persons = made_up()
    images = [f"{person}/{row}.jpg" for row, person in enumerate(persons)]
    vectors = x.astype(np.float32)
    vectors[7] = 0
    half = len(images) // 2
    for number, rows in enumerate((slice(0, half), slice(half, None))):
        save_templates(
            folder / "store" / f"part-{number}.parquet", vectors[rows], images[rows], toy_card(DIM)
        )
    values = np.zeros((len(images), 47), np.int8)
    values[:, [MALE, HAT, GLASSES]] = few
    lines = [",".join(["Filename", "Identity", *NAMES])]
    lines += [
        ",".join([image, who, *map(str, row)])
        for image, who, row in zip(images, persons, values, strict=True)
    ]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    train = [image for image, who in zip(images, persons, strict=True) if int(who[1:]) < 160]
    (folder / "train.txt").write_text("\n".join(train))
    (folder / "test.txt").write_text("\n".join(image for image in images if image not in set(train)))
    rng, pairs = np.random.default_rng(1), ["a,b,same"]
    for first in range(0, len(images), 2):
        second = first + 1 if first % EACH < EACH - 1 else first - 1
        pairs += [
            f"{images[first]},{images[second]},1",
            f"{images[first]},{images[(first + rng.integers(50, 900)) % 1200]},0",
        ]
    (folder / "pairs.csv").write_text("\n".join(pairs))
    return {name: folder / name for name in ("store", "labels.csv", "train.txt", "test.txt", "pairs.csv")}


def job(data: dict[str, Path], output: Path, attributes: list[str], **more: object):
    config = ErasureConfig(**{name: more.pop(name) for name in ("pairs", "hide", "seed") if name in more})
    return erase(
        attributes,
        data["store"],
        data["labels.csv"],
        output,
        train=data["train.txt"],
        test=data["test.txt"],
        config=config,
        **more,
    )


@pytest.fixture(scope="module")
def male(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):
    """Male erased, read by a probe that knows its direction."""
    output = tmp_path_factory.mktemp("erased") / "male"
    x, labels, _ = made_up()
    known = (labels[:, 0] != 0) & (np.arange(len(x)) < 160 * EACH)  # the training persons
    sight = LogisticRegression().fit(unit(x)[known], labels[known, 0])
    weight = np.zeros((DIM, 47), np.float32)
    weight[:, MALE] = sight.coef_[0]
    flat = np.ones(47)
    layer, calibration = (weight, np.zeros(47, np.float32)), Calibration(flat, 0 * flat, flat, 0 * flat)
    nothing, one = np.zeros(DIM, np.float32), np.ones(DIM, np.float32)
    probe = Probe(
        name="insight",
        encoder="toy",
        kind="binary",
        attributes=NAMES,
        centre=nothing,
        scale=one,
        layers=(layer,),
        calibration=calibration,
        evidence=(),
        error_rate=0.1,
        provenance={},
    )
    return output, job(data, output, ["Male"], methods=[probe], pairs=data["pairs.csv"])


def test_what_is_left(male) -> None:
    _, found = male
    readers = {(one.reader, one.fitted_on): one for one in found.readings}
    before, after = readers["linear probe", "training persons"].of("Male")
    assert before > 0.9
    assert 0.4 <= after <= 0.55
    before, after = readers["insight", ""].of("Male")
    assert before > 0.9
    assert after < before - 0.2
    before, after = readers["linear probe", "other test persons"].of("Male")
    assert before > 0.9
    assert after < before - 0.2
    kept_before, kept_after = readers["linear probe", "training persons"].of("Wearing_Hat")
    assert kept_after > kept_before - 0.1 > 0.75  # other attributes stay
    assert found.sentence.startswith("Male erased: a fresh linear probe reads it with AUC .")
    assert "Verification: TAR at FAR 1e-3" in found.sentence


def test_what_is_written(male, data: dict[str, Path]) -> None:
    output, found = male
    old, new = read_templates(data["store"]), read_templates(output)
    assert (new.images, new.identities, new.faces.tolist()) == (
        old.images,
        old.identities,
        old.faces.tolist(),
    )
    assert new.card == old.card
    assert np.isnan(new.norms).all()  # the norm tells attributes too
    np.testing.assert_array_equal(new.vectors, load_eraser(output).apply(old.vectors))
    assert not new.vectors[7].any()
    assert (found.templates, found.unusable) == (len(old), 1)
    assert sorted(path.name for path in output.glob("*.parquet")) == ["part-0.parquet", "part-1.parquet"]
    schema = pq.read_schema(output / "part-0.parquet")
    assert card_of(schema) == toy_card(DIM)
    assert json.loads(schema.metadata[b"clip_smu.erased"]) == ["Male"]
    values = json.loads((output / "erasure.json").read_text())
    assert values["sentence"] == found.sentence
    assert values["fit"]["persons"] == 160
    assert [len(one["attributes"]) for one in values["readings"]] == [47, 47, 47, 1]
    assert values["verification"]["before"]["n_same"] + values["verification"]["left_out"] >= 600


def test_figures_are_of_the_written_templates(male, data: dict[str, Path]) -> None:
    """The AUC of the linear probe and the mean cosine again, from the files, with scikit-learn and a loop."""
    output, found = male
    for side, folder in ((0, data["store"]), (1, output)):
        stored, labels = read_templates(folder), read_labels(data["labels.csv"])
        good = np.flatnonzero(np.abs(stored.vectors).sum(axis=1) > 0)
        rows = [
            join(stored.take(good), labels, data[name].read_text().split())
            for name in ("train.txt", "test.txt")
        ]
        a, b = (unit(part.templates.vectors) for part in rows)
        mean, sd = a.mean(axis=0), a.std(axis=0)
        for k in (MALE, HAT):
            fit_on, seen = (part.labels[:, k] for part in rows)
            probe = LogisticRegression(C=PROBES["linear probe"][1], max_iter=2000, tol=1e-9)
            probe.fit(((a - mean) / sd)[fit_on != 0], fit_on[fit_on != 0])
            z = np.round(((b - mean) / sd)[seen != 0] @ probe.coef_[0], 3)
            linear = next(
                one for one in found.readings if one.reader == "linear probe" and one.fitted_on[0] == "t"
            )
            assert linear.of(NAMES[k])[side] == pytest.approx(roc_auc_score(seen[seen != 0], z), abs=2e-3)
        index = {image: row for row, image in enumerate(stored.images) if row in set(good.tolist())}
        cosines = []
        for line in data["pairs.csv"].read_text().splitlines()[1:]:
            first, second, same = line.split(",")
            if same == "1" and first in index and second in index:
                p, q = (stored.vectors[index[name]].astype(float) for name in (first, second))
                cosines.append(p @ q / np.sqrt(p @ p) / np.sqrt(q @ q))
        figures = (found.recognition.before, found.recognition.after)[side]
        assert figures.mean_same == pytest.approx(np.mean(cosines), abs=1e-6)
        assert figures.n_same == len(cosines)


def test_a_killed_job_goes_on(data: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = job(data, output, ["Male"])
    assert first.recognition is not None
    assert first.recognition.pairs_from == "identities of the test list"
    times = (output / "part-0.parquet").stat().st_mtime_ns
    (output / "part-1.parquet").unlink()
    again = job(data, output, ["Male"])
    assert (output / "part-0.parquet").stat().st_mtime_ns == times
    assert (again.templates, again.unusable) == (first.templates, first.unusable) == (PERSONS * EACH, 1)
    with pytest.raises(InputError, match="holds another job"):
        job(data, output, ["Eyeglasses"])
    assert job(data, output, ["Eyeglasses"], overwrite=True).eraser.attributes == ("Eyeglasses",)
    with pytest.raises(InputError, match="holds the templates themselves"):
        job(data, data["store"], ["Male"])


def test_curved_templates_are_read_by_the_curved_probe_alone(tmp_path: Path, data: dict[str, Path]) -> None:
    """A real effect: after erasing, the attribute is left in the size of a number, where no straight line finds it."""
    rng = np.random.default_rng(5)
    n = PERSONS * EACH
    truth = rng.random(n) < 0.5
    x = rng.normal(size=(n, 4)) * np.where(truth[:, None], [1, 1, 1, 3], [1, 1, 1, 0.2])
    x[:, 0] += truth
    old = read_templates(data["store"])
    save_templates(tmp_path / "s" / "part-0.parquet", x.astype(np.float32), old.images, toy_card(4))
    lines = data["labels.csv"].read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    for row, yes in zip(rows, truth, strict=True):
        row[2 + MALE] = "1" if yes else "-1"
    (tmp_path / "l.csv").write_text("\n".join([lines[0], *(",".join(row) for row in rows)]))
    curved = data | {"store": tmp_path / "s", "labels.csv": tmp_path / "l.csv"}
    found = job(curved, tmp_path / "o", ["Male"])
    by = {one.reader: one for one in reversed(found.readings)}
    assert by["linear probe"].of("Male")[1] <= 0.55
    assert by["non-linear probe"].of("Male")[1] > 0.85
    assert "the templates hold it non-linearly" in found.sentence


def test_bare_arrays_and_groups(data: dict[str, Path], tmp_path: Path) -> None:
    stored = read_templates(data["store"])
    np.save(tmp_path / "bare.npy", stored.vectors)
    text = data["labels.csv"].read_text()
    for row, image in enumerate(stored.images):
        text = text.replace(f"\n{image},", f"\nbare.npy:{row},")
    (tmp_path / "l.csv").write_text(text)
    for name in ("train.txt", "test.txt"):
        wanted = set(data[name].read_text().split())
        rows = [f"bare.npy:{row}" for row, image in enumerate(stored.images) if image in wanted]
        (tmp_path / name).write_text("\n".join(rows))
    found = erase(
        ["Male, Eyeglasses"], tmp_path / "bare.npy", tmp_path / "l.csv", tmp_path / "o",
        train=tmp_path / "train.txt", test=tmp_path / "test.txt",
    )  # fmt: skip
    assert found.eraser.attributes == ("Male", "Eyeglasses")
    assert found.eraser.encoder == ""
    assert read_templates(tmp_path / "o").card is None
    assert all(np.isnan(area) for area in found.norm_auc.values())
    np.testing.assert_allclose(
        read_templates(tmp_path / "o").vectors, found.eraser.apply(stored.vectors), atol=1e-7
    )


def test_refusals(data: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="found 'Mail'; did you mean Male"):
        job(data, out, ["Mail"])
    with pytest.raises(InputError, match="nothing to erase"):
        job(data, out, [""])
    with pytest.raises(InputError, match=r"Bald cannot be erased: .* found 0 yes and 0 no"):
        job(data, out, ["Bald"])
    with pytest.raises(LabelError, match="160 persons are in both"):
        job(data | {"test.txt": data["train.txt"]}, out, ["Male"])
    (tmp_path / "elsewhere.txt").write_text("someone/1.jpg")
    with pytest.raises(LabelError, match=r"no photo of .* is on the training or test list"):
        job(data | dict.fromkeys(("train.txt", "test.txt"), tmp_path / "elsewhere.txt"), out, ["Male"])
    from clip_smu.interpreter.interpreter import load_interpreter

    with pytest.raises(EncoderError, match="reads templates of dlib, these are of toy"):
        job(data, out, ["Male"], methods=[load_interpreter()])
    assert not out.exists()


def test_command(data: dict[str, Path], tmp_path: Path) -> None:
    files = ["--labels", data["labels.csv"], "--train", data["train.txt"], "--test", data["test.txt"]]
    run = CliRunner().invoke
    done = run(
        app, list(map(str, ["erase", "Male", "Eyeglasses", data["store"], *files, "-o", tmp_path / "o"]))
    )
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "Male erased: a fresh linear probe" in text
    assert "Eyeglasses erased:" in text
    assert "1200 templates (1 of them zero or not finite, kept as they are)" in text
    assert "TAR at FAR 1e-03" in text
    assert load_eraser(tmp_path / "o").attributes == ("Male", "Eyeglasses")
    for words, message in (
        (["Mail", data["store"], *files], "did you mean"),
        (["Bald", data["store"], *files], "Bald cannot be erased"),
        (["Male", tmp_path / "none.parquet", *files], "no such templates"),
        (
            ["Male", data["store"], "--labels", tmp_path / "none.csv", *files[2:]],
            "expected labels in the MAAD form at",
        ),
    ):
        refused = run(app, list(map(str, ["erase", *words, "-o", tmp_path / "no"])))
        assert isinstance(refused.exception, ClipSmuError), refused.output
        assert message in str(refused.exception)
        assert "\n" not in str(refused.exception)
