"""Comparing two methods: the join against a slow loop, figures against scikit-learn and SciPy, refusals, command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from clip_smu.errors import InputError, LabelError
from clip_smu.evaluation import Evaluation, Scored, table_of, write_evaluation
from clip_smu.evaluation.compare import compare
from clip_smu.evaluation.comparison import (
    A_MORE,
    B_MORE,
    COMPARISON_SCHEMA,
    NO_DIFFERENCE,
    NOT_TESTED,
    Comparison,
)
from clip_smu.words.attributes import NAMES

SIX = NAMES[:6]


def made_up(
    gain: list[float],
    *,
    n: int = 300,
    encoder: str = "near",
    start: int = 0,
    end: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Six attributes whose scores follow the labels by ``gain``; rows ``start`` to ``end`` of ``n`` photos.

    The labels are the same whatever the gain and seed; attribute 4 has nine positives.
    """
    rng = np.random.default_rng(99)
    labels = rng.choice(np.int8([-1, 0, 1]), p=[0.5, 0.1, 0.4], size=(n, 6))
    labels[:, 4] = np.where(np.arange(n) < 9, 1, -1)
    noise = np.random.default_rng(seed).normal(size=labels.shape)
    scores = (labels * np.array(gain) + noise).astype(np.float32)
    part = slice(start, end)
    scored = Scored(scores[part], np.full_like(scores[part], 0.5), np.zeros_like(labels[part]))
    images = [f"p{row // 2}/{row}.jpg" for row in range(n)][part]
    people = [f"p{row // 2}" for row in range(n)][part]
    manifest = {"encoder": encoder, "methods": [{"name": f"of-{encoder}"}]}
    return Evaluation(
        encoder, SIX, images, people, np.ones(len(images), np.float32), labels[part], {f"of-{encoder}": scored},
        manifest, table_of([]),
    )  # fmt: skip


def pair_auc(yes: np.ndarray, scores: np.ndarray) -> float:
    """Share of the pairs of a positive and a negative that are in order; quick where there are few photos."""
    above, below = scores[yes][:, None], scores[~yes]
    return float((above > below).mean() + (above == below).mean() / 2)


STRONG, WEAK = [2.0, 0.2, 0.5, 0.5, 1.0, 0.5], [0.2, 2.0, 0.5, 0.5, 1.0, 0.5]


def rows_of(made: Comparison) -> dict[str, dict[str, object]]:
    return {row["attribute"]: row for row in made.table.to_pylist()}


def test_planted_differences_are_found_and_worded() -> None:
    a, b = made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far")
    made = compare(a, b, rounds=100)
    assert made.table.schema == COMPARISON_SCHEMA
    verdicts = made.table["verdict"].to_pylist()
    assert verdicts == [A_MORE, B_MORE, NO_DIFFERENCE, NO_DIFFERENCE, NOT_TESTED, NO_DIFFERENCE]
    assert made.summary.startswith(
        "near's templates give away 1 of 6 attributes more than far's (adjusted p < .05), far's 1; "
        "3 show no difference; 1 could not be tested. Mean AUC "
    )
    assert (made.photos, made.persons, made.only_a, made.only_b) == (300, 150, 0, 0)
    few = rows_of(made)[SIX[4]]
    assert [few[key] for key in ("auc_a", "difference", "low", "p", "p_adjusted")] == [None] * 5
    assert (few["reason"], few["n_positive"], few["n_negative"]) == ("too few positives", 9, 291)
    assert {row["encoder_a"] for row in made.table.to_pylist()} == {"near"}
    assert {row["method_b"] for row in made.table.to_pylist()} == {"of-far"}
    same = compare(replace(a, methods={"x": a.methods["of-near"]}), replace(b, encoder="near"), rounds=100)
    assert same.summary.startswith(
        "x reads 1 of 6 attributes better than of-far (adjusted p < .05), of-far 1; 3 show no difference"
    )


def test_figures_against_scikit_learn_scipy_and_a_jackknife() -> None:
    a, b = made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far")
    made = compare(a, b, rounds=100)
    rows = rows_of(made)
    tested = [name for name in SIX if rows[name]["p"] is not None]
    adjusted = stats.false_discovery_control([rows[name]["p"] for name in tested])
    people = np.array(a.identities)
    for name, q in zip(tested, adjusted, strict=True):
        k, row = SIX.index(name), rows[name]
        labels = a.labels[:, k]

        def difference(kept: np.ndarray, k: int = k) -> float:
            yes = a.labels[kept, k] > 0
            one, two = (e.methods[m].scores[kept, k] for e, m in ((a, "of-near"), (b, "of-far")))
            return pair_auc(yes, one) - pair_auc(yes, two)

        known = labels != 0
        assert row["difference"] == pytest.approx(difference(known))
        assert row["auc_a"] == pytest.approx(
            roc_auc_score(labels[known] > 0, a.methods["of-near"].scores[known, k])
        )
        assert row["difference"] == pytest.approx(row["auc_a"] - row["auc_b"])
        assert row["p_adjusted"] == pytest.approx(q)
        se = (row["high"] - row["low"]) / 2 / stats.norm.ppf(0.975)
        assert row["p"] == pytest.approx(2 * stats.norm.sf(abs(row["difference"]) / se), rel=1e-6)
        names = np.unique(people[known])  # leave one person out: the variance without DeLong's formula
        left = np.array([difference(known & (people != person)) for person in names])
        jackknife = np.sqrt((len(names) - 1) / len(names) * ((left - left.mean()) ** 2).sum())
        assert se == pytest.approx(jackknife, rel=0.03)
    assert made.mean is not None
    assert made.mean.attributes == len(tested) == 5
    assert made.mean.a == pytest.approx(np.mean([rows[name]["auc_a"] for name in tested]))
    assert made.mean.difference == pytest.approx(np.mean([rows[name]["difference"] for name in tested]))
    assert made.mean.low < made.mean.difference < made.mean.high


def test_the_mean_interval_against_a_slow_bootstrap() -> None:
    a, b = made_up(STRONG, seed=1, n=120), made_up([1.0] * 6, seed=2, n=120, encoder="far")
    made = compare(a, b, rounds=400, seed=3)
    kept = [0, 1, 2, 3, 5]
    people = np.array(a.identities)
    names = np.unique(people)
    rng = np.random.default_rng(11)  # other resamples: the ends agree as far as 400 draws let them
    means = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(people == one) for one in rng.choice(names, len(names))])
        means.append(
            np.mean(
                [
                    pair_auc(a.labels[r, k] > 0, a.methods["of-near"].scores[r, k])
                    - pair_auc(a.labels[r, k] > 0, b.methods["of-far"].scores[r, k])
                    for k in kept
                    for r in [rows[a.labels[rows, k] != 0]]
                ]
            )
        )
    low, high = np.quantile(means, [0.025, 0.975])
    width = high - low
    assert made.mean is not None
    assert made.mean.low == pytest.approx(low, abs=width / 6)
    assert made.mean.high == pytest.approx(high, abs=width / 6)


def test_turned_round_everything_changes_sign() -> None:
    a, b = made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far")
    there, back = compare(a, b, rounds=100), compare(b, a, rounds=100)
    turned = {A_MORE: B_MORE, B_MORE: A_MORE, NO_DIFFERENCE: NO_DIFFERENCE, NOT_TESTED: NOT_TESTED}
    for one, other in zip(there.table.to_pylist(), back.table.to_pylist(), strict=True):
        assert turned[one["verdict"]] == other["verdict"]
        if one["difference"] is not None:
            assert one["difference"] == pytest.approx(-other["difference"])
            assert one["low"] == pytest.approx(-other["high"])
            assert one["p_adjusted"] == pytest.approx(other["p_adjusted"])
    assert there.mean is not None
    assert back.mean is not None
    assert (there.mean.low, there.mean.high) == pytest.approx((-back.mean.high, -back.mean.low))


def test_each_photo_finds_its_own_by_itself() -> None:
    """One name in another folder, one of another kind of picture; one that two of B's names end in is refused."""
    a, b = made_up(STRONG), made_up(WEAK, encoder="far")
    names = [f"x/{a.images[0]}", a.images[1].replace(".jpg", ".PNG"), *a.images[2:]]
    made = compare(replace(a, images=names), b, rounds=100)
    assert (made.photos, made.only_a, made.only_b, made.notes) == (300, 0, 0, ())
    twice = replace(b, images=[f"x/{b.images[0]}", *b.images[1:-1], f"y/{b.images[0]}"])
    made = compare(a, twice, rounds=100)
    assert (made.photos, made.only_a) == (298, 2)
    said = "1 photos of A may be several of B; p0/0.jpg: 2 known and 1 given names end in p0/0.jpg"
    assert made.notes == (said,) and made.to_dict()["notes"] == [said]


@pytest.mark.parametrize("folder", ["", "lfw/", "only-b/"])
def test_the_join_is_by_photo_not_by_row(folder: str) -> None:
    """B has other photos, in another order; names may begin in another folder."""
    a, whole = made_up(STRONG, seed=1, end=220), made_up(WEAK, seed=2, encoder="far")
    order = np.random.default_rng(5).permutation(np.arange(40, 300))
    scored = whole.methods["of-far"]
    b = replace(
        whole,
        images=[f"{folder}{whole.images[row]}" for row in order],
        identities=[whole.identities[row] for row in order],
        labels=whole.labels[order],
        methods={"of-far": Scored(scored.scores[order], scored.probabilities[order], scored.verdicts[order])},
    )
    made = compare(a, b, rounds=100)
    assert (made.photos, made.only_a, made.only_b) == (180, 40, 80)
    pairs = [
        (i, j)
        for i, one in enumerate(a.images)
        for j, other in enumerate(b.images)
        if one.split("/")[-2:] == other.split("/")[-2:]
    ]
    assert len(pairs) == 180
    for k, row in enumerate(made.table.to_pylist()):
        if row["difference"] is None:
            continue
        kept = [(i, j) for i, j in pairs if a.labels[i, k]]
        yes = [a.labels[i, k] > 0 for i, _ in kept]
        one = roc_auc_score(yes, [a.methods["of-near"].scores[i, k] for i, _ in kept])
        other = roc_auc_score(yes, [b.methods["of-far"].scores[j, k] for _, j in kept])
        assert (row["auc_a"], row["auc_b"]) == pytest.approx((one, other))


def test_only_shared_attributes_are_compared() -> None:
    a, b = made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far")
    keep = [5, 3, 0]  # another order as well
    scored = b.methods["of-far"]
    fewer = replace(
        b,
        attributes=tuple(SIX[k] for k in keep),
        labels=b.labels[:, keep],
        methods={
            "of-far": Scored(scored.scores[:, keep], scored.probabilities[:, keep], scored.verdicts[:, keep])
        },
    )
    made = compare(a, fewer, rounds=100)
    assert made.table["attribute"].to_pylist() == [SIX[0], SIX[3], SIX[5]]
    assert made.attributes_only_a == (SIX[1], SIX[2], SIX[4])
    assert made.attributes_only_b == ()
    assert rows_of(made)[SIX[3]]["auc_b"] == rows_of(compare(a, b, rounds=100))[SIX[3]]["auc_b"]


def test_equal_scores_show_no_difference() -> None:
    a = made_up(STRONG, seed=1)
    twin = replace(a, methods={"one": a.methods["of-near"], "two": a.methods["of-near"]})
    made = compare(twin, twin, method_a="one", method_b="two", rounds=100)
    assert made.count(NO_DIFFERENCE) == 5
    assert {row["p"] for row in made.table.to_pylist()} == {1.0, None}
    assert made.mean is not None
    assert (made.mean.difference, made.mean.low, made.mean.high) == (0.0, None, None)
    assert "nan" not in made.summary


def test_nothing_to_test() -> None:
    a, b = made_up(STRONG, n=12), made_up(WEAK, n=12, encoder="far")
    made = compare(a, b, rounds=100)
    assert made.count(NOT_TESTED) == 6
    assert made.mean is None
    assert made.summary == (
        "near's templates give away 0 of 6 attributes more than far's (adjusted p < .05), far's 0; "
        "0 show no difference; 6 could not be tested."
    )


def test_three_forms_are_equal(tmp_path: Path) -> None:
    made = compare(made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far"), rounds=100)
    for suffix in ("csv", "parquet", "json"):
        made.save(tmp_path / f"c.{suffix}")
    content = json.loads((tmp_path / "c.json").read_text())
    rows = content["rows"]
    assert content["summary"] == made.summary
    assert content["mean"]["attributes"] == 5
    assert pq.read_table(tmp_path / "c.parquet").to_pylist() == rows == made.table.to_pylist()
    with (tmp_path / "c.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    for cell, row in zip(cells, rows, strict=True):
        for key, value in row.items():
            assert (float(cell[key]) if isinstance(value, float) else cell[key]) == (
                "" if value is None else value if isinstance(value, float) else str(value)
            )
    with pytest.raises(InputError, match=r"expected a file named \.csv, \.parquet or \.json, found c\.xlsx"):
        made.save(tmp_path / "c.xlsx")


def test_refusals(tmp_path: Path) -> None:
    a, b = made_up(STRONG), made_up(WEAK, encoder="far")
    labels = b.labels.copy()
    labels[7, 2] = -labels[7, 2] or 1
    with pytest.raises(
        LabelError, match=rf"other labels \(1 differ\): p3/7.jpg has {SIX[2]} .* in A and .* in B"
    ):
        compare(a, replace(b, labels=labels))
    with pytest.raises(LabelError, match=r"other persons: p0/0.jpg shows p0 in A and x in B"):
        compare(a, replace(b, identities=["x", *b.identities[1:]]))
    with pytest.raises(LabelError, match=r"no photo in common: A says p0/0.jpg, B says q0.jpg"):
        compare(a, replace(b, images=[f"q{row}.jpg" for row in range(300)]))
    with pytest.raises(LabelError, match="B has 1 photos twice"):
        compare(a, replace(b, images=[b.images[1], *b.images[1:]]))
    with pytest.raises(InputError, match="A holds no method x: choose from of-near"):
        compare(a, b, method_a="x")
    two = replace(a, methods={"one": a.methods["of-near"], "two": a.methods["of-near"]})
    with pytest.raises(InputError, match=r"B holds 2 methods \(one, two\): say which"):
        compare(a, two)
    with pytest.raises(InputError, match="cannot be compared with itself"):
        compare(a, a)
    with pytest.raises(InputError, match="no attribute in common"):
        compare(a, replace(b, attributes=NAMES[10:16]))
    with pytest.raises(InputError, match=r"at least 200 rounds for a level of 0\.99, found 100"):
        compare(a, b, level=0.99, rounds=100)
    with pytest.raises(InputError, match="level of confidence"):
        compare(a, b, level=1.5)
    with pytest.raises(InputError, match=r"evaluation\.json is missing"):
        compare(tmp_path, b)


def test_the_command(tmp_path: Path, command) -> None:
    a, b = made_up(STRONG, seed=1), made_up(WEAK, seed=2, encoder="far", end=280)
    write_evaluation(a, tmp_path / "a")
    write_evaluation(b, tmp_path / "b")
    base = ("compare", tmp_path / "a", tmp_path / "b", "--rounds", 100)
    code, out, err = command(*base, "-o", tmp_path / "c.csv")
    assert code == 0, err
    made = compare(a, b, rounds=100)
    assert made.summary in out
    assert "A more" in out
    assert "not tested: too few positives" in " ".join(out.split())
    assert "left out: 20 photos only in A" in err
    assert (tmp_path / "c.csv").read_text().count("\n") == 7
    code, out, _ = command(*base, "--json")
    assert json.loads(out)["rows"] == made.table.to_pylist()
    code, out, _ = command(*base, "--csv")
    assert out.splitlines()[0].startswith("attribute,method_a")
    both = replace(
        a, methods={"x": a.methods["of-near"], "y": made_up(WEAK, seed=2).methods["of-near"]},
        manifest={"encoder": "near", "methods": [{"name": "x"}, {"name": "y"}]},
    )  # fmt: skip
    write_evaluation(both, tmp_path / "both")
    code, out, _ = command("compare", tmp_path / "both", "-m", "x", "-m", "y", "--rounds", 100)
    assert code == 0
    assert "x reads 1 of 6 attributes better than y" in out
    for arguments, said in (
        (("compare", tmp_path / "both"), "name two of its methods"),
        ((*base, "--json", "--csv"), "exclude each other"),
        (("compare", tmp_path / "both", "-m", "x"), "-m A -m B), found 1"),
        ((*base, tmp_path / "b"), "one or two evaluations, found 3"),
        ((*base, "-o", tmp_path / "c.doc"), "expected a file named"),
    ):
        code, _, err = command(*arguments)
        assert code == 1
        assert said in err.splitlines()[-1]
