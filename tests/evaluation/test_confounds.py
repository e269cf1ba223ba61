"""Confounds against slow loops, scikit-learn, resampled persons, and cases whose answer is known beforehand."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from clip_smu import cli
from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation, Scored, table_of, write_evaluation
from clip_smu.evaluation.confounds import (
    Confounds,
    ConfoundsConfig,
    ControlData,
    Photos,
    by_norm,
    conditional_auc,
    confounds,
    control_task,
    read_confounds,
    read_from,
    residual,
)
from clip_smu.evaluation.confounds import control as control_room
from clip_smu.evaluation.confounds.folder import _TABLES
from clip_smu.labels.lists import write_list
from clip_smu.labels.writing import write_labels
from clip_smu.metrics import delong
from clip_smu.metrics.folds import identity_folds
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import INDEX, NAMES
from faces import DIM, toy_card, toy_data

MALE, MAKEUP, GLASSES, TIE = (
    INDEX[name] for name in ("Male", "Heavy_Makeup", "Eyeglasses", "Wearing_Necktie")
)
Faces = tuple[NDArray[np.float32], NDArray[np.int8], list[str]]


@pytest.fixture(scope="module")
def faces() -> Faces:
    """(scores, labels, identities) of 900 photos of 300 persons: ties, unknowns, attributes that come together."""
    rng = np.random.default_rng(7)
    male = rng.random(300) < 0.6
    persons = np.repeat(np.arange(300), 3)
    base = rng.normal(size=(300, 47))[persons]
    labels = np.where(base + 0.5 * rng.normal(size=base.shape) + 0.7 * male[persons][:, None] > 0.3, 1, -1)
    labels[:, MALE] = np.where(male[persons], 1, -1)
    scores = labels * 0.6 + 0.8 * male[persons][:, None] + rng.normal(size=base.shape)
    labels[rng.random(labels.shape) < 0.15] = 0
    return (
        np.round(scores, 1).astype(np.float32),
        labels.astype(np.int8),
        [f"person{number}" for number in persons],
    )


def pairs_auc(score: NDArray[np.float32], label: NDArray[np.int8], group: NDArray[np.int8]) -> float:
    """The definition: of all pairs of a positive and a negative of one group, the share in the right order."""
    won, pairs = 0.0, 0
    for s, g in zip(score[label > 0], group[label > 0], strict=True):
        rivals = score[(label < 0) & (group == g)]
        won += float((rivals < s).sum() + (rivals == s).sum() / 2)
        pairs += len(rivals)
    return won / pairs


# ---------------------------------------------------------------- within strata


def test_conditional_auc_against_pairs_and_scikit_learn(faces: Faces) -> None:
    scores, labels, identities = faces
    found = conditional_auc(scores, labels, identities, "male")
    group = labels[:, MALE]
    assert found.by == "Male"
    assert found.unknown == (group == 0).sum()
    for k in (1, 5, MAKEUP, GLASSES, 46):
        for area, inside in ((found.overall, group != 0), (found.yes, group > 0), (found.no, group < 0)):
            rows = inside & (labels[:, k] != 0)
            assert area.auc[k] == pytest.approx(roc_auc_score(labels[rows, k], scores[rows, k]), abs=1e-12)
            assert area.n_positive[k] == (labels[rows, k] > 0).sum()
        rows = (group != 0) & (labels[:, k] != 0)
        slow = pairs_auc(scores[rows, k], labels[rows, k], group[rows])
        assert found.stratified.auc[k] == pytest.approx(slow, abs=1e-12)
        assert found.drop[k] == pytest.approx(found.overall.auc[k] - slow, abs=1e-12)
        assert found.stratified.low[k] < slow < found.stratified.high[k]


def test_intervals_against_resampled_persons(faces: Faces) -> None:
    """Standard errors of the stratified AUC and of the drop are those of 300 resamples of whole persons."""
    scores, labels, identities = faces
    known = labels[:, MALE] != 0
    scores, labels = scores[known][:, [MALE, GLASSES, 5]], labels[known][:, [MALE, GLASSES, 5]]
    names = tuple(NAMES[k] for k in (MALE, GLASSES, 5))
    people = np.unique(np.array(identities)[known], return_inverse=True)[1]
    found = conditional_auc(scores, labels, [f"p{number}" for number in people], "Male", names)
    rng = np.random.default_rng(0)
    rows_of = [np.flatnonzero(people == one) for one in range(people.max() + 1)]
    drawn = []
    for _ in range(300):
        rows = np.concatenate([rows_of[one] for one in rng.integers(len(rows_of), size=len(rows_of))])
        again = conditional_auc(scores[rows], labels[rows], [f"p{n}" for n in people[rows]], "Male", names)
        drawn.append((again.stratified.auc, again.drop))
    se, drop_se = np.array(drawn).std(axis=0)
    np.testing.assert_allclose(found.stratified.se[1:], se[1:], rtol=0.15)
    np.testing.assert_allclose((found.drop_high - found.drop_low)[1:] / 3.92, drop_se[1:], rtol=0.15)


def test_one_stratum_is_the_plain_interval(faces: Faces) -> None:
    """Where all faces share the stratum, the stratified AUC and its interval are those of delong."""
    scores, labels, identities = faces
    labels = labels.copy()
    labels[:, MALE] = 1
    found, plain = (
        conditional_auc(scores, labels, identities, "Male"),
        delong(scores, labels, identity=identities),
    )
    for name in ("auc", "low", "high", "se"):
        both = getattr(found.stratified, name)[1:], getattr(plain, name)[1:]
        np.testing.assert_allclose(*both, rtol=1e-9)
    np.testing.assert_allclose(found.drop[1:], 0, atol=1e-12)
    assert found.no.reason[1] == "no labels"


def known_answer(seed: int = 0) -> Faces:
    """Makeup's reading is Male's turned round, Eyeglasses' is its own, and women wear both more often."""
    rng = np.random.default_rng(seed)
    n = 3000
    male = rng.random(n) < 0.6
    labels = rng.choice([-1, 1], size=(n, 47)).astype(np.int8)
    labels[:, MALE] = np.where(male, 1, -1)
    for column in (MAKEUP, GLASSES):
        labels[:, column] = np.where(rng.random(n) < np.where(male, 0.1, 0.6), 1, -1)
    scores = rng.normal(size=(n, 47))
    scores[:, MALE] += 3 * labels[:, MALE]
    scores[:, MAKEUP] = -scores[:, MALE]
    scores[:, GLASSES] += 1.5 * labels[:, GLASSES]
    return scores.astype(np.float32), labels, [f"p{row}" for row in range(n)]


def test_a_reading_that_is_male_and_one_that_is_genuine() -> None:
    scores, labels, identities = known_answer()
    found = conditional_auc(scores, labels, identities, "Male")
    assert found.overall.auc[MAKEUP] > 0.7
    assert found.stratified.low[MAKEUP] < 0.5 < found.stratified.high[MAKEUP]
    assert found.drop_low[MAKEUP] > 0.15
    assert found.sentence(MAKEUP).endswith("men: most of it is read from Male.")
    assert found.overall.auc[GLASSES] > 0.95
    assert abs(found.drop[GLASSES]) < 0.005
    assert "no sign that it is read from Male" in found.sentence(GLASSES)
    assert found.most_affected(1) == [MAKEUP]
    assert found.sentence(MALE) == "Male: cannot be compared within Male (it makes the strata)."
    assert np.isnan(found.stratified.auc[MALE])

    constant = scores.copy()
    constant[:, MAKEUP] = -labels[:, MALE]  # exactly the label: nothing but ties within a stratum
    again = conditional_auc(constant, labels, identities, "Male")
    assert again.stratified.auc[MAKEUP] == again.yes.auc[MAKEUP] == 0.5
    assert again.yes.reason[MAKEUP] == "constant score"


def test_too_few_are_said_not_shown() -> None:
    scores, labels, identities = known_answer()
    labels[labels[:, MALE] > 0, MAKEUP] = -1
    men = np.flatnonzero(labels[:, MALE] > 0)
    labels[men, TIE] = 0
    labels[men[:9], TIE], labels[men[9:60], TIE] = 1, -1
    labels[labels[:, MALE] < 0, TIE] = -1
    found = conditional_auc(scores, labels, identities, "Male")
    assert found.yes.reason[MAKEUP] == "no positives"
    assert "no figure (no positives) among men" in found.sentence(MAKEUP)
    assert found.yes.reason[TIE] == "too few positives"
    assert np.isnan([found.yes.auc[TIE], found.yes.low[TIE], found.drop[TIE]]).all()
    assert found.sentence(TIE) == "Wearing_Necktie: cannot be compared within Male (too few positives)."
    labels[:, TIE] = labels[:, MALE]
    found = conditional_auc(scores, labels, identities, "Male")
    assert found.stratified.reason[TIE] == "no stratum has both positives and negatives"


# ---------------------------------------------------------------- readings


def test_read_from_against_scikit_learn(faces: Faces) -> None:
    scores, labels, _ = faces
    labels = labels.copy()
    labels[:, 3] = np.where(np.arange(len(labels)) < 9, 1, -1)
    labels[:, 4] = 0
    found = read_from(scores, labels)
    for y in (0, 7, 46):
        rows = labels[:, y] != 0
        for x in range(47):
            assert found.auc[x, y] == pytest.approx(
                roc_auc_score(labels[rows, y], scores[rows, x]), abs=1e-12
            )
    assert found.reason[3:5] == ("too few positives", "no labels")
    assert np.isnan(found.auc[:, 3:5]).all()
    assert not np.isnan(np.delete(found.auc, [3, 4], axis=1)).any()
    assert (found.n_positive[3], found.n_negative[3]) == (9, 891)


def test_residual_against_scikit_learn(faces: Faces) -> None:
    """The same folds, the same regression, by another library."""
    scores, labels, identities = faces
    found = residual(scores, labels, identities, ["Male", "race"], seed=3)
    assert found.controls == ("Male", "Asian", "White", "Black")
    columns = [INDEX[name] for name in found.controls]
    fold_of = identity_folds(identities, 5, 3)
    for k in (MAKEUP, 20):
        left = np.empty(len(scores))
        for fold in range(5):
            rest, held = fold_of != fold, fold_of == fold
            model = LinearRegression().fit(
                scores[rest][:, columns].astype(float), scores[rest, k].astype(float)
            )
            left[held] = scores[held, k] - model.predict(scores[held][:, columns].astype(float))
        rows = labels[:, k] != 0
        assert found.after.auc[k] == pytest.approx(roc_auc_score(labels[rows, k], left[rows]), abs=1e-9)
        spread = ((scores[:, k] - scores[:, k].mean(dtype=float)) ** 2).sum()
        assert found.explained[k] == pytest.approx(1 - (left**2).sum() / spread, abs=1e-6)
    for k in columns:
        assert found.after.reason[k] == "it is a control"
        assert np.isnan(found.after.auc[k])
        assert not np.isnan(found.before.auc[k])


def test_residual_of_a_copy_and_of_a_stranger() -> None:
    scores, labels, identities = known_answer()
    found = residual(scores, labels, identities, ["Male"])
    assert found.after.auc[MAKEUP] == 0.5  # Male's reading turned round: nothing is left
    assert found.after.reason[MAKEUP] == "nothing of the reading is left"
    assert found.explained[MAKEUP] == pytest.approx(1)
    assert found.after.auc[20] == pytest.approx(
        found.before.auc[20], abs=0.005
    )  # has nothing to do with Male
    assert abs(found.explained[20]) < 0.01


def test_by_norm_against_a_loop(faces: Faces) -> None:
    scores, labels, identities = faces
    norms = np.random.default_rng(1).uniform(5, 10, len(scores)) + labels[:, MALE]
    norms[::50] = np.nan
    found = by_norm(scores, labels, identities, norms, bins=3)
    assert found.without_norm == 18
    assert found.reason == ""
    known = np.isfinite(norms)
    np.testing.assert_allclose(found.edges, np.quantile(norms[known], [0, 1 / 3, 2 / 3, 1]))
    for number, area in enumerate(found.bins):
        inside = known & (norms >= found.edges[number])
        inside &= (norms < found.edges[number + 1]) if number < 2 else True
        rows = inside & (labels[:, GLASSES] != 0)
        assert area.auc[GLASSES] == pytest.approx(roc_auc_score(labels[rows, GLASSES], scores[rows, GLASSES]))
    rows = known & (labels[:, MALE] != 0)
    assert found.alone is not None
    assert found.alone.auc[MALE] == pytest.approx(roc_auc_score(labels[rows, MALE], norms[rows]))
    assert found.alone.auc[MALE] > 0.7


@pytest.mark.parametrize(
    ("norm", "reason"),
    [(np.nan, "the encoder gives no norms"), (1.0, "all norms are 1: the templates are scaled")],
)
def test_no_norms(faces: Faces, norm: float, reason: str) -> None:
    scores, labels, identities = faces
    norms = np.full(len(scores), norm) * (1 + 1e-7 * np.arange(len(scores)) / len(scores))
    found = by_norm(scores, labels, identities, norms)
    assert (found.reason, found.bins, found.alone, len(found.edges)) == (reason, (), None, 0)


# ---------------------------------------------------------------- the control task


def crowd(persons: int, each: int, first: int = 0, dim: int = 60) -> Photos:
    """Photos that lie near their person's own point; labels linear in that point."""
    rng = np.random.default_rng(first)
    points = rng.normal(size=(persons, dim))
    of = np.repeat(np.arange(persons), each)
    vectors = points[of] + 0.3 * rng.normal(size=(len(of), dim))
    directions = np.random.default_rng(99).normal(size=(dim, 47)) / np.sqrt(dim)
    labels = np.where(vectors @ directions + 0.3 * rng.normal(size=(len(of), 47)) > 0.3, 1, -1)
    labels[rng.random(labels.shape) < 0.2] = 0
    labels[:, 5] = 0
    return Photos(vectors.astype(np.float32), labels.astype(np.int8), [f"q{first + one}" for one in of])


def test_control_task_is_chance_for_strangers_and_memory_for_friends() -> None:
    steps: list[tuple[str, int, int]] = []
    found = control_task(
        crowd(80, 8), crowd(120, 3, 1000), rounds=3, strength=1.0, progress=lambda *step: steps.append(step)
    )
    rest = np.arange(47) != 5
    assert np.nanmean(found.unseen.control) == pytest.approx(0.5, abs=0.02)
    assert np.nanmean(found.unseen.real.auc) > 0.85
    assert found.shared is not None
    assert np.nanmean(found.shared.control) > 0.8
    assert (found.unseen.selectivity[rest] > found.shared.selectivity[rest]).mean() > 0.9
    np.testing.assert_allclose(
        found.shared.selectivity[rest], (found.shared.real.auc - found.shared.control)[rest]
    )
    assert (found.unseen.train_photos, found.unseen.test_photos, found.unseen.test_persons) == (640, 360, 120)
    assert (found.shared.train_photos, found.shared.test_photos, found.shared.test_persons) == (480, 160, 80)
    assert np.isnan(found.unseen.control[5])
    assert found.unseen.reason[5] == "no labels"
    assert steps == [("control task", done, 8) for done in range(1, 9)]


def test_control_task_repeats_and_chooses_a_strength() -> None:
    train, test = crowd(30, 1), crowd(30, 2, 1000)
    first, second = (control_task(train, test, rounds=1, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.unseen.control, second.unseen.control)
    assert first.shared is None  # nobody has two photos
    assert len(np.unique(first.strength)) > 1
    assert np.isnan(first.unseen.spread).all()


def test_coins_are_constant_within_a_person_and_as_frequent() -> None:
    train, test = crowd(400, 3), crowd(100, 2, 1000)
    labels = np.concatenate([train.labels, test.labels])
    persons = np.unique([*train.identities, *test.identities], return_inverse=True)[1]
    in_train = np.arange(len(labels)) < len(train.labels)
    coins = control_room._coins(labels, in_train, persons, np.random.default_rng(0))
    np.testing.assert_array_equal(coins == 0, labels == 0)
    for one in range(persons.max() + 1):
        mine = coins[persons == one]
        assert not ((mine > 0).any(axis=0) & (mine < 0).any(axis=0)).any()
    rest = np.arange(47) != 5
    often, truth = (
        (part > 0).sum(axis=0) / np.maximum((part != 0).sum(axis=0), 1) for part in (coins, train.labels)
    )
    np.testing.assert_allclose(often[rest], truth[rest], atol=0.09)


def test_held_out_photos_are_a_quarter_and_leave_one() -> None:
    persons = np.repeat(np.arange(5), [1, 2, 4, 9, 1])
    held = control_room._held_out(persons, np.random.default_rng(0))
    assert np.bincount(persons[held], minlength=5).tolist() == [0, 1, 1, 2, 0]


def test_control_task_refuses_a_person_on_both_sides() -> None:
    with pytest.raises(InputError, match="found 2 on both sides, for instance q0"):
        control_task(crowd(5, 2), crowd(2, 2))
    with pytest.raises(InputError, match="at least 1 round"):
        control_task(crowd(5, 2), crowd(2, 2, 50), rounds=0)


# ---------------------------------------------------------------- folder and command


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evaluation of made-up faces, their templates and labels, and a list of other persons."""
    root = tmp_path_factory.mktemp("world")
    templates, labels = toy_data(600)
    save_templates(root / "templates.parquet", templates.vectors, templates.images, toy_card())
    write_labels(labels, root / "labels.csv")
    write_list(labels.images[:400], root / "train.txt")
    rows = np.arange(400, 600)
    rng = np.random.default_rng(0)
    scores = (labels.values[rows] + rng.normal(size=(200, 47))).astype(np.float32)
    scored = Scored(scores, 1 / (1 + np.exp(-scores)), np.zeros((200, 47), np.int8))
    made = Evaluation(
        "toy", NAMES, labels.images[400:], labels.identities[400:], templates.norms[rows], labels.values[rows],
        {"language": scored, "probe": scored}, {"encoder": "toy", "methods": [{"name": "language"}, {"name": "probe"}]},
        table_of([]),
    )  # fmt: skip
    write_evaluation(made, root / "evaluation")
    return root


@pytest.fixture(scope="module")
def made(world: Path) -> Confounds:
    return confounds(
        world / "evaluation",
        "probe",
        world / "all",
        config=ConfoundsConfig(
            control=ControlData(world / "templates.parquet", world / "labels.csv", world / "train.txt"),
            strata=["Male", "age"],
            rounds=2,
            C=0.1,
        ),
    )


def assert_same(a: object, b: object) -> None:
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif hasattr(a, "__dataclass_fields__"):
        assert type(a) is type(b)
        for name in a.__dataclass_fields__:
            assert_same(getattr(a, name), getattr(b, name))
    elif isinstance(a, tuple):
        assert isinstance(b, tuple)
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


def test_what_is_written_is_read_back(world: Path, made: Confounds) -> None:
    again = read_confounds(world / "all")
    assert_same(made, again)
    assert [one.by for one in again.conditional] == ["Male", "Young", "Middle_Aged", "Senior"]
    assert again.control is not None
    assert again.manifest["photos"] == 200
    assert again.manifest["persons"] == 50
    json.loads((world / "all" / "confounds.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_finished_answer_is_read_and_another_question_refused(world: Path, made: Confounds) -> None:
    before = (world / "all" / "confounds.json").stat().st_mtime_ns
    control = ControlData(world / "templates.parquet", world / "labels.csv", world / "train.txt")
    same = ConfoundsConfig(strata=["Male", "age"], control=control, rounds=2, C=0.1)
    confounds(world / "evaluation", "probe", world / "all", same)
    assert (world / "all" / "confounds.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"differs in: .*strata"):
        confounds(world / "evaluation", "probe", world / "all")


def test_tables_say_the_same(world: Path, made: Confounds) -> None:
    tables = {}
    for name in _TABLES:
        lines = (world / "all" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        tables[name] = list(csv.DictReader(lines))
    assert len(tables["read_from"]) == 47 * 47
    assert len(tables["conditional"]) == 4 * 47 * 5
    assert len(tables["norm"]) == 47 * 5
    assert len(tables["control"]) == len(tables["residual"]) == 47 * 2
    row = next(
        one for one in tables["conditional"]
        if (one["within"], one["attribute"], one["stratum"]) == ("Male", "Bald", "within")
    )  # fmt: skip
    assert float(row["auc"]) == made.conditional[0].stratified.auc[INDEX["Bald"]]
    for rows in tables.values():
        for row in rows:
            assert row["auc"] or row["reason"], row  # a gap is never without its reason


def test_hidden_attributes_stay_hidden(world: Path, tmp_path: Path) -> None:
    from clip_smu.evaluation import read_evaluation

    found = read_evaluation(world / "evaluation")
    keep = [k for k, name in enumerate(NAMES) if name not in ("Male", "Young")]
    scored = found.methods["probe"]
    less = replace(
        found,
        attributes=tuple(NAMES[k] for k in keep),
        labels=found.labels[:, keep],
        methods={
            "probe": Scored(
                *(part[:, keep] for part in (scored.scores, scored.probabilities, scored.verdicts))
            )
        },
    )
    made = confounds(less, None, tmp_path / "out", config=ConfoundsConfig(strata=["Smiling"]))
    assert made.residual is not None
    assert made.residual.controls == ("Middle_Aged", "Senior", "Asian", "White", "Black")
    assert made.conditional[0].by == "Smiling"
    with pytest.raises(InputError, match="found Male, which was left out"):
        confounds(less, None, tmp_path / "more")
    bare = confounds(
        less, None, tmp_path / "bare", config=ConfoundsConfig(strata=["Smiling"], controls=["Male"])
    )
    assert bare.residual is None
    assert read_confounds(tmp_path / "bare").residual is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": None}, "expected one of the methods language, probe, found no name"),
        ({"method": "other"}, "found 'other'"),
        ({"strata": []}, "at least one attribute for the strata"),
        ({"strata": ["Beards"]}, "did you mean"),
    ],
)
def test_wrong_questions(world: Path, tmp_path: Path, options: dict[str, object], message: str) -> None:
    method = options.pop("method", "probe")
    with pytest.raises(InputError, match=message):
        confounds(world / "evaluation", method, tmp_path / "out", ConfoundsConfig(**options))
    assert not (tmp_path / "out" / "confounds.json").exists()


def test_wrong_folders_and_templates(world: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"confounds.json is missing"):
        read_confounds(tmp_path)
    (tmp_path / "confounds.json").write_text('{"format": 1}')
    with pytest.raises(InputError, match="damaged"):
        read_confounds(tmp_path)
    save_templates(
        tmp_path / "t.parquet", np.ones((1, DIM), np.float32), ["p0/0.jpg"], replace(toy_card(), name="else")
    )
    control = ControlData(tmp_path / "t.parquet", world / "labels.csv", world / "train.txt")
    with pytest.raises(InputError, match="expected templates of toy, as evaluated, found templates of else"):
        confounds(world / "evaluation", "probe", tmp_path / "out", ConfoundsConfig(control=control))


def test_the_control_task_takes_all_three_files_or_none() -> None:
    assert ControlData.of(None, None, None) is None
    assert ControlData.of("t", "l", "list.txt") == ControlData("t", "l", "list.txt")
    with pytest.raises(InputError, match="found 1 of the three"):
        ControlData.of(None, None, "list.txt")


def test_shapes_are_checked(faces: Faces) -> None:
    scores, labels, identities = faces
    with pytest.raises(InputError, match="900 photos and 47 attributes, found"):
        conditional_auc(scores[:, :5], labels[:, :5], identities, "Male")
    with pytest.raises(InputError, match="found none"):
        residual(scores, labels, identities, [])
    with pytest.raises(InputError, match="two persons, found 1"):
        residual(scores, labels, ["one"] * len(scores), ["Male"])
    with pytest.raises(InputError, match="one norm for each"):
        by_norm(scores, labels, identities, [1.0])
    with pytest.raises(InputError, match="at least 1 bin"):
        by_norm(scores, labels, identities, np.ones(len(scores)), bins=0)


def test_the_command(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "clip-smu", "confounds", str(world / "evaluation"), "--method", "language", "--within", "Male,Smiling",
            "--templates", str(world / "templates.parquet"), "--labels", str(world / "labels.csv"),
            "--train", str(world / "train.txt"), "--tosses", "1", "--inverse-regularisation", "0.1", "--top", "3",
            "-o", str(tmp_path / "out"),
        ],
    )  # fmt: skip
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    said = capsys.readouterr().out
    made = read_confounds(tmp_path / "out")
    male, smiling = made.conditional
    for one in (male, smiling):
        for k in one.most_affected(3):
            assert one.sentence(k) in said
    assert "faces labelled smiling" in said
    assert "The norm of a template alone tells (AUC):" in said
    assert "other photos of persons seen" in said
    assert "200 photos of 50 persons, read by language" in said
