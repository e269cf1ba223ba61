"""Verification figures and paired tests against slow or independent ones; mis-fed networks are found."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from clip_smu.cli.encoders import app
from clip_smu.encoders.cards import EncoderCard, write_card
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.heads import HeadReading, named
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.encoders.preprocessing import check_preprocessing, find_photos
from clip_smu.encoders.swinface_heads import HEAD_COLUMNS, HEADS
from clip_smu.errors import InputError
from clip_smu.metrics.verification import (
    Pairs,
    compare,
    cosine,
    pairs_of_identities,
    read_pairs,
    verification,
)
from clip_smu.photos import iter_photos
from toy_network import RIGHT, SIDE, make_network, make_people


@pytest.fixture(scope="module")
def scores() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(0)
    same = np.repeat([True, False], 400)
    return np.where(same, rng.normal(0.6, 0.2, 800), rng.normal(0.0, 0.15, 800)), same


def test_lfw_pairs(shared: Path) -> None:
    pairs = read_pairs(shared / "data" / "lfw" / "pairs.txt")
    assert len(pairs) == 6000
    assert (pairs.first[0], pairs.second[0]) == (
        "Abel_Pacheco/Abel_Pacheco_0001.jpg",
        "Abel_Pacheco/Abel_Pacheco_0004.jpg",
    )
    for fold in range(10):
        assert pairs.same[pairs.folds == fold].sum() == 300
        assert (~pairs.same[pairs.folds == fold]).sum() == 300
    some = pairs.sample(100)
    assert some.same.sum() == 50
    assert np.unique(some.folds).tolist() == list(range(10))


def test_pairs_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("2 1\nAnn\t1\t2\nAnn\t1\tBob\t3\nBob 2 3\nAnn 3 Bob 1\n")
    pairs = read_pairs(tmp_path / "a.txt")
    assert pairs.first == ("Ann/Ann_0001.jpg", "Ann/Ann_0001.jpg", "Bob/Bob_0002.jpg", "Ann/Ann_0003.jpg")
    assert pairs.second == ("Ann/Ann_0002.jpg", "Bob/Bob_0003.jpg", "Bob/Bob_0003.jpg", "Bob/Bob_0001.jpg")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    (tmp_path / "a.csv").write_text('a,b,same\nx.jpg,"y,1.jpg",1\nx.jpg,z.jpg,0\n')
    pairs = read_pairs(tmp_path / "a.csv")
    assert pairs.second == ("y,1.jpg", "z.jpg")
    assert pairs.same.tolist() == [True, False]


LFW = ["Al_Gore 1 2", "Al_Sharpton 1 2", "Al_Gore 1 Al_Sharpton 1", "Al_Gore 2 Al_Sharpton 2"]
KAGGLE = "name,imagenum1,imagenum2,\nAl_Gore,1,2,\nAl_Sharpton,1,2,\nAl_Gore,1,Al_Sharpton,1\nAl_Gore,2,Al_Sharpton,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(["2", *LFW]),  # pairsDevTest.txt
        "\r\n".join(["2", *LFW]).replace(" ", "\t"),
        "\n".join(LFW),  # no header
        "\n".join(["1 2", *LFW]),  # one fold
        KAGGLE,
        KAGGLE.replace(",", ";"),
    ],
    ids=["view 1", "tabs", "no header", "one fold", "Kaggle", "semicolons"],
)
def test_lists_of_pairs_as_people_have_them(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "pairs").write_bytes(text.encode(encoding))
    pairs = read_pairs(tmp_path / "pairs")
    assert pairs.first == (
        *["Al_Gore/Al_Gore_0001.jpg", "Al_Sharpton/Al_Sharpton_0001.jpg"],
        *["Al_Gore/Al_Gore_0001.jpg", "Al_Gore/Al_Gore_0002.jpg"],
    )
    assert pairs.second[1:3] == ("Al_Sharpton/Al_Sharpton_0002.jpg", "Al_Sharpton/Al_Sharpton_0001.jpg")
    assert pairs.same.tolist() == [True, True, False, False]
    found = verification(np.array([0.9, 0.8, 0.1, 0.2]), pairs.same, pairs.folds)
    assert found.accuracy == 1.0  # dealt to folds: a threshold is chosen on others


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_named_pairs_by_any_separator(tmp_path: Path, separator: str) -> None:
    rows = [["A", " b", "same "], ["Žofie/1.jpg", "Žofie/2.jpg", "1"], ["x.jpg", "z.jpg", " 0"]]
    (tmp_path / "a.csv").write_text("\n".join(separator.join(row) for row in rows), "utf-16")
    pairs = read_pairs(tmp_path / "a.csv")
    assert (pairs.first, pairs.same.tolist()) == (("Žofie/1.jpg", "x.jpg"), [True, False])


def test_pairs_of_one_fold_are_dealt(scores: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    """Before: the mean of no fold, NaN, and a warning."""
    values, same = scores
    assert verification(values, same, np.zeros(len(same), np.intp)) == verification(values, same)


def test_the_teams_pairs(shared: Path) -> None:
    folder = shared / "cases/pairs_forms"
    assert [len(read_pairs(folder / name)) for name in ("pairsDevTest.txt", "pairsNoHeader.txt")] == [4, 4]
    assert read_pairs(folder / "pairs_kaggle.csv").second == ("Al_Gore/Al_Gore_0002.jpg",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found 'nothing'"),
        ("3\nAnn 1 2\n", "expected 6 pairs in .* by its header, found 1"),
        ("Ann 1 2\nAnn one 2\n", "in line 2"),
        ("Ann 1 2\nAnn 1 ²\n", "in line 2"),
        (f"Ann 1 2\nAnn 1 {'9' * 5000}\n", "in line 2"),
        ("name,imagenum1,imagenum2\nAnn,1\n", "in line 2"),
        ("hello\n", "expected LFW's pairs.txt"),
        ("1 1\nAnn 1 2\n", "expected 2 pairs in .* found 1"),
        ("1 1\nAnn 1 2\nAnn one Bob 2\n", "in line 3"),
        ("a,b,same\nx,y,yes\n", "same 0 or 1"),
    ],
)
def test_bad_pairs(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_pairs(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"expected a list of pairs at .*none\.txt"):
        read_pairs(tmp_path / "none.txt")


def test_pairs_of_identities() -> None:
    photos = [(f"{person}/{i}.jpg", person) for person in "abcdef" for i in range(5)] + [("x.jpg", "")]
    pairs = pairs_of_identities(photos, 60, seed=1)
    assert pairs.same.sum() == 30
    assert (~pairs.same).sum() == 30
    for a, b, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
        assert (a[0] == b[0]) == same
        assert a != b
    assert len(set(zip(pairs.first, pairs.second, strict=True))) == 60
    assert pairs_of_identities(photos, 60, seed=1).first == pairs.first
    assert pairs_of_identities(photos, 60, seed=2).first != pairs.first
    assert pairs_of_identities(photos, 10_000).same.sum() == 60  # all there are
    with pytest.raises(InputError, match="give such a folder, or --pairs"):
        pairs_of_identities([("a/1.jpg", "a"), ("b/1.jpg", "b")])


def test_figures(scores: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    values, same = scores
    folds = np.arange(800) % 10
    found = verification(values, same, folds)
    slow = []
    for fold in range(10):
        train, test = folds != fold, folds == fold
        cuts = np.sort(values[train])
        cuts = (cuts[1:] + cuts[:-1]) / 2
        rights = np.array([np.sum((values[train] >= cut) == same[train]) for cut in cuts])
        best = np.flatnonzero(rights == rights.max())
        slow.append(np.mean((values[test] >= cuts[best[len(best) // 2]]) == same[test]))
    assert found.accuracy == pytest.approx(np.mean(slow), abs=1e-12)
    assert found.accuracy_sd == pytest.approx(np.std(slow, ddof=1), abs=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(same, values))
    fifth = np.sort(values[~same])[-5]  # above it lie 4 of 400 different pairs: 1 %
    assert found.tar["1e-02"] == pytest.approx(np.mean(values[same] > fifth))
    assert found.tar["1e-03"] == pytest.approx(np.mean(values[same] > values[~same].max()))
    spread = np.sqrt((values[same].var(ddof=1) + values[~same].var(ddof=1)) / 2)
    assert found.d_prime == pytest.approx((values[same].mean() - values[~same].mean()) / spread)
    assert json.loads(json.dumps(found.to_dict()))["n_same"] == 400
    with pytest.raises(InputError, match="at least two pairs"):
        verification(values, np.ones(800, bool))
    with pytest.raises(InputError, match="finite score"):
        verification(np.full(800, np.nan), same)


def test_separable_scores_are_fully_accurate() -> None:
    same = np.repeat([True, False], 50)
    assert verification(np.where(same, 0.8, 0.1), same).accuracy == 1.0
    assert verification(np.zeros(100), same).accuracy == 0.5


def test_paired_tests(scores: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    a, same = scores
    rng = np.random.default_rng(1)
    b = a + rng.normal(0, 0.05, 800) - 0.003 * same
    found = compare(a, b, same)
    shift = stats.ttest_rel(b[same], a[same])
    assert found.mean_same == pytest.approx((b - a)[same].mean())
    assert found.mean_same_p == pytest.approx(shift.pvalue, rel=0.1)
    draws = []
    for _ in range(2000):  # bootstrap over pairs, the independent way to the same test
        rows = np.concatenate([rng.choice(np.flatnonzero(kind), kind.sum()) for kind in (same, ~same)])
        one, other = verification_d(a[rows], same[rows]), verification_d(b[rows], same[rows])
        draws.append(other - one)
    z = stats.norm.isf(found.d_prime_p / 2)
    assert abs(found.d_prime) / np.std(draws) == pytest.approx(z, rel=0.1)
    assert compare(a, a, same).d_prime_p == 1


def verification_d(values: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    spread = np.sqrt((values[same].var(ddof=1) + values[~same].var(ddof=1)) / 2)
    return float((values[same].mean() - values[~same].mean()) / spread)


def test_cosine() -> None:
    a = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    b = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    slow = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(cosine(a, b), slow, rtol=1e-5)


# --- the toy network, fed right or wrong -----------------------------------------------------------------


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    return make_network(tmp_path_factory.mktemp("net") / "toy.onnx")


def pairs_in(people: Path) -> Pairs:
    return pairs_of_identities([(photo.name, photo.identity) for photo in iter_photos([people])], 300)


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        (RIGHT, []),
        (replace(RIGHT, channels="BGR"), ["card says channels BGR, but with channels RGB"]),
        (replace(RIGHT, mean=(0.0,) * 3, std=(1.0,) * 3), ["set mean and std to 127.5 and 127.5"]),
    ],
    ids=["right", "swapped", "scale"],
)
def test_misfed_is_found(people: Path, network: Path, row: EncoderCard, advice: list[str]) -> None:
    encoder = OnnxEncoder(row, network, EncoderOptions(align="none"))
    seen: list[int] = []
    found = check_preprocessing(encoder, iter_photos([people]), pairs_in(people), progress=seen.append)
    assert sum(seen) == found.photos == 120
    assert found.rejected == {}
    assert found.figures.n_same == 150
    if not advice:
        assert found.misfed == ()
        assert found.figures.accuracy > 0.95
    for words in advice:
        assert any(words in line for line in found.misfed), found.misfed
    assert "alignment" not in {variant.field for variant in found.variants}  # nothing was aligned
    assert json.loads(json.dumps(found.to_dict()))["encoder"] == "toy"
    plain = check_preprocessing(encoder, iter_photos([people]), pairs_in(people), variant_pairs=0)
    assert plain.variants == ()
    assert plain.figures == found.figures


def test_photos_of_pairs_are_found_by_the_rule_of_names(people: Path) -> None:
    photos = list(iter_photos([people]))
    found, how = find_photos(photos, ["x/p00/0.jpg", ".\\p01\\2.PNG", "1.png", "p99/3.png"])
    assert {name: photo.name for name, photo in found.items()} == {
        "x/p00/0.jpg": "p00/0.png", ".\\p01\\2.PNG": "p01/2.png"
    }  # fmt: skip
    assert how.first == "1.png: 30 known and 1 given names end in 1.png"


def test_check_counts_what_gave_nothing(people: Path, network: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(people, tmp_path / "people")
    (tmp_path / "people" / "p00" / "0.png").write_bytes(b"")
    Image.new("RGB", (SIDE, SIDE + 1)).save(tmp_path / "people" / "p01" / "1.png")
    encoder = OnnxEncoder(RIGHT, network, EncoderOptions(align="none"))
    pairs = pairs_in(people)
    found = check_preprocessing(encoder, iter_photos([tmp_path / "people"]), pairs, variant_pairs=100)
    assert found.rejected == {"empty": 1, "not-a-crop": 1}
    lost = {"p00/0.png", "p01/1.png"}
    gone = sum(bool(lost & {a, b}) for a, b in zip(pairs.first, pairs.second, strict=True))
    assert found.pairs_left_out == gone
    (tmp_path / "people" / "p02" / "2.png").unlink()
    with pytest.raises(InputError, match=r"1 of 120 are not there, the first: p02/2\.png"):
        check_preprocessing(encoder, iter_photos([tmp_path / "people"]), pairs)


def test_commands(people: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    run = CliRunner().invoke
    listed = run(app, ["list"])
    assert listed.exit_code == 0
    assert "swinface" in listed.output
    assert json.loads(run(app, ["list", "--json"]).output)[1]["name"] == "adaface-ir18"
    assert 'channels = "BGR"' in run(app, ["show", "adaface-ir50"]).output
    write_card(tmp_path / "toy.toml", replace(RIGHT, channels="BGR"))
    check = ["check", f"onnx:{network}", str(people), "--card", str(tmp_path / "toy.toml")]
    check += ["--identities", "--count", "300", "--align", "none", "--threads", "1"]
    found = run(app, check)
    assert found.exit_code == 1, found.output
    assert "toy is mis-fed: its card says channels BGR" in found.output
    assert json.loads(run(app, [*check, "--json"]).stdout)["misfed"]
    both = run(app, [*check, "--pairs", "pairs.txt"])
    assert isinstance(both.exception, InputError)
    refused = run(app, ["pull", "arcface-r50"])
    assert "--accept-licence" in str(refused.exception)
    no_heads = run(
        app,
        ["heads", f"onnx:{network}", str(people), "--card", str(tmp_path / "toy.toml"), "--align", "none"],
    )
    assert "expected an output 'heads'" in str(no_heads.exception)


def test_commands_say_what_they_left_out(
    people: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film beside the photos, as ``extract`` and ``interpret`` tell it."""
    shutil.copytree(people, tmp_path / "people")
    (tmp_path / "people/film.mp4").write_bytes(bytes(100))
    monkeypatch.setattr(
        "clip_smu.encoders.heads.read_heads",
        lambda _, photos: (HeadReading(one.name, 0, {}) for one in photos),
    )
    write_card(tmp_path / "toy.toml", RIGHT)
    given = [
        f"onnx:{network}",
        str(tmp_path / "people"),
        "--card",
        str(tmp_path / "toy.toml"),
        "--align",
        "none",
    ]
    for command in (
        ["check", *given, "--identities", "--count", "100", "--variant-pairs", "0"],
        ["heads", *given],
    ):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert done.stderr == "clip-smu: 1 file that is no photo was left out (1 .mp4)\n"


def test_heads_by_name() -> None:
    logits = np.zeros(HEAD_COLUMNS, np.float32)
    for head in HEADS:
        if head.task in ("Gender", "Eyeglasses"):
            logits[head.columns] = (0, 3)
        if head.task == "Age":
            logits[head.columns] = 41.5
        if head.task == "Expression":
            logits[head.columns.start + 3] = 9
    found = named(logits)
    assert len(found) == 42
    assert found["Gender"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-4)
    assert found["Eyeglasses"] > 0.95
    assert found["Bald"] == 0.5
    assert found["Age"] == 41.5
    assert max(found["Expression"], key=found["Expression"].get) == "Happy"
