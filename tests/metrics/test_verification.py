"""Verification figures and paired tests against slow or independent ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from clip_smu.errors import InputError
from clip_smu.metrics.pairs import pairs_of_identities, read_pairs
from clip_smu.metrics.verification import compare, cosine, verification


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
