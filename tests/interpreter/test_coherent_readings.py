"""Coherent probabilities against linear programs, settled verdicts against every choice there is."""

from __future__ import annotations

import doctest
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from clip_smu import load_interpreter
from clip_smu.interpreter import coherence
from clip_smu.interpreter.coherence import cohere, contradictions, groups, settle
from clip_smu.templates import iter_templates
from clip_smu.words.attributes import GROUPS, INDEX, NAMES
from clip_smu.words.coherence import AT_MOST_ONE, CLASHES, EXCLUDES
from places import LFW_READER

BEARD = ("Male", "Sideburns", "No_Beard", "Mustache", "5_o_Clock_Shadow", "Goatee")
HEAD = ("Bald", "Wavy_Hair", "Bangs", *GROUPS["hair color"], *GROUPS["forehead"])
RULED = tuple(dict.fromkeys(name for rule in CLASHES for name, _ in rule))


@st.composite
def chances(draw: st.DrawFn, names: tuple[str, ...] = NAMES, rows: int = 4) -> np.ndarray:
    """(N, K) float32, most of them sure, some 0 or 1."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    odds = draw(st.sampled_from([0.3, 2, 6, 60])) * rng.standard_normal((rows, len(names)))
    return (1 / (1 + np.exp(-odds + draw(st.sampled_from([0, 3]))))).astype(np.float32)


def states(names: tuple[str, ...]) -> np.ndarray:
    """(S, K) every face that AT_MOST_ONE and EXCLUDES leave possible, 1 or 0."""
    every = np.array(list(product((0, 1), repeat=len(names))))
    column = {name: every[:, k] for k, name in enumerate(names)}
    possible = np.ones(len(every), dtype=bool)
    for rule in AT_MOST_ONE:
        possible &= sum((column[name] for name in rule if name in column), np.zeros(len(every))) <= 1
    for (first, one), (second, other) in EXCLUDES:
        if first in column and second in column:
            possible &= ~((column[first] == (one > 0)) & (column[second] == (other > 0)))
    return every[possible]


def off(marginals: np.ndarray, faces: np.ndarray) -> float:
    """How far (K,) marginals are from those of the nearest distribution over (S, K) faces: the least largest gap."""
    s, k = faces.shape
    gap = np.ones((k, 1))
    bound = np.concatenate([marginals, -marginals])
    upper = np.vstack([np.hstack([faces.T, -gap]), np.hstack([-faces.T, -gap])])
    found = linprog(
        np.r_[np.zeros(s), 1],
        A_ub=upper,
        b_ub=bound,
        A_eq=np.r_[np.ones(s), 0][None],
        b_eq=[1],
        method="highs",
    )
    return float(found.fun)


@pytest.mark.parametrize("names", [BEARD, HEAD, GROUPS["age"], BEARD[1:], HEAD[:5], HEAD[2:], BEARD[:4]])
def test_some_world_without_contradictions_has_these_probabilities(names: tuple[str, ...]) -> None:
    faces = states(names)

    @settings(max_examples=15, deadline=None)
    @given(chances(names))
    def check(before: np.ndarray) -> None:
        after = cohere(before, names)
        assert max(off(row.astype(float), faces) for row in after) < 1e-6
        for rule in AT_MOST_ONE:
            there = [names.index(name) for name in rule if name in names]
            assert (after[:, there].astype(float).sum(axis=1) <= 1 + 1e-6).all()
        assert cohere(after, names).tobytes() == after.tobytes()

    check()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([BEARD, HEAD]), st.integers(0, 2**32), st.floats(0.05, 2))
def test_probabilities_that_agree_do_not_move(names: tuple[str, ...], seed: int, evenness: float) -> None:
    rng, faces = np.random.default_rng(seed), states(names)
    agreed = (rng.dirichlet(np.full(len(faces), evenness), 5) @ faces).astype(np.float32)
    np.testing.assert_allclose(cohere(agreed, names), agreed, rtol=0, atol=2e-7)


def test_what_moves_and_where_to() -> None:
    def moved(**given: float) -> list[float]:
        names = [name.lstrip("_") for name in given]
        return cohere(np.array([list(given.values())], np.float32), names)[0].astype(float).round(4).tolist()

    assert moved(Young=0.1, Senior=0.04) == [0.1, 0.04]  # what is left is left
    assert moved(Young=0.9, Smiling=0.9, Middle_Aged=0.6) == [0.6, 0.9, 0.4]
    assert moved(Bald=0.5, Black_Hair=0.5, Gray_Hair=0.25, Wavy_Hair=0.8) == [0.3333, 0.4, 0.2, 0.6667]
    assert moved(Male=0.02, Mustache=0.5, No_Beard=0.4) == [0.02, 0.02, 0.98]
    assert moved(Male=0.98, Mustache=0.5, No_Beard=0.4) == [0.98, 0.5, 0.4]
    assert moved(Bangs=0.9, Fully_Visible_Forehead=0.6, Obstructed_Forehead=0.2) == [0.6, 0.4, 0.6]
    assert moved(Asian=1, White=1, Black=0) == [0.5, 0.5, 0]


@settings(max_examples=30, deadline=None)
@given(chances(), st.integers(0, 2**32), st.sampled_from([0.05, 0.5, 1]))
def test_an_attribute_without_a_probability_is_not_there(before: np.ndarray, seed: int, share: float) -> None:
    before[np.random.default_rng(seed).random(before.shape) < share] = np.nan
    after = cohere(before, NAMES)
    for row, result in zip(before, after, strict=True):
        there = np.flatnonzero(~np.isnan(row))
        alone = cohere(row[None, there], [NAMES[k] for k in there])
        np.testing.assert_array_equal(result[there], alone[0])
        assert np.isnan(np.delete(result, there)).all()


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(np.nan_to_num(probabilities.astype(float), nan=0.5), 2.0**-24, 1 - 2.0**-24)
    return np.log(p) - np.log(1 - p)


def best_by_trying(
    verdicts: np.ndarray, chance: np.ndarray, names: tuple[str, ...]
) -> tuple[float, set[int]]:
    """The largest sum of log odds that can be kept of one row's verdicts, and the columns that clash at all."""
    held = {(name, int(v)) for name, v in zip(names, verdicts, strict=True)}
    clashing = sorted({names.index(name) for rule in CLASHES if held.issuperset(rule) for name, _ in rule})
    ways = np.repeat(verdicts[None], 2 ** len(clashing), axis=0)
    ways[:, clashing] *= np.array(list(product((0, 1), repeat=len(clashing))), dtype=np.int8)
    worth = (ways * log_odds(chance)).sum(axis=1)
    return float(worth[contradictions(ways, names) == 0].max()), set(clashing)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(RULED), min_size=1, max_size=12, unique=True),
    chances(),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_settled_verdicts_are_the_best_of_all_choices(
    chosen: list[str], chance: np.ndarray, seed: int, agree: bool
) -> None:
    """Of some attributes; also where a verdict is less likely than not, or has no probability."""
    names, rng = tuple(chosen), np.random.default_rng(seed)
    chance = chance[:, : len(names)]
    verdicts = rng.choice([-1, 0, 1], chance.shape, p=[0.3, 0.2, 0.5]).astype(np.int8)
    if agree:
        verdicts = np.where(chance > 0.5, 1, -1).astype(np.int8)
    else:
        chance[rng.random(chance.shape) < 0.1] = np.nan
    kept = settle(verdicts, chance, names)
    assert not contradictions(kept, names).any()
    assert ((kept == verdicts) | (kept == 0)).all()
    assert settle(kept, chance, names).tobytes() == kept.tobytes()
    for before, after, sure in zip(verdicts, kept, chance, strict=True):
        best, clashing = best_by_trying(before, sure, names)
        assert set(np.flatnonzero(before != after)) <= clashing
        assert (after * log_odds(sure)).sum() == pytest.approx(best, abs=1e-9)


def test_the_least_sure_gives_way() -> None:
    names = ("Male", "No_Beard", "Mustache", "Goatee", "Young", "Middle_Aged", "Senior", "Smiling")
    chance = np.array([[0.99, 0.9, 0.8, 0.6, 0.1, 0.2, 0.05, 0.2]] * 3, np.float32)
    chance[1, 1] = 0.8  # log odds: no beard 1.39, mustache and goatee together 1.79
    verdicts = np.array([[1, 1, 1, 1, -1, -1, -1, -1]] * 3, np.int8)
    verdicts[2, 1:4] = -1
    assert settle(verdicts, chance, names).tolist() == [
        [1, 1, 0, 0, -1, 0, -1, -1],
        [1, 0, 1, 1, -1, 0, -1, -1],
        [1, -1, -1, -1, -1, 0, -1, -1],  # a full beard
    ]
    woman = settle(np.array([[-1, -1, 1]], np.int8), np.array([[0.1, 0.3, 0.7]], np.float32), names[:3])
    assert woman.tolist() == [[-1, 0, 0]]
    even = settle(
        np.array([[1, 1, 1]], np.int8), np.full((1, 3), np.nan, np.float32), ["Bald", "Bangs", "Wavy_Hair"]
    )
    assert even.tolist() == [[0, 1, 1]]  # as many as can stay


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.4]))
def test_contradictions_are_counted_rule_by_rule(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    verdicts = rng.choice([-1, 0, 1], (20, 47), p=[share, 1 - 2 * share, share]).astype(np.int8)
    count = contradictions(verdicts, NAMES)
    for row, found in zip(verdicts, count, strict=True):
        broken = [all(row[INDEX[name]] == v for name, v in rule) for rule in CLASHES]
        assert (found > 0) == any(broken)
        assert found <= sum(broken)
    assert contradictions(np.ones((1, 47), np.int8), NAMES).tolist() == [12]
    assert contradictions(-np.ones((1, 47), np.int8), NAMES).tolist() == [3]


@settings(max_examples=30, deadline=None)
@given(chances(), st.lists(st.sampled_from(NAMES), unique=True))
def test_groups_share_out_1(before: np.ndarray, chosen: list[str]) -> None:
    chance = before[:, [INDEX[name] for name in chosen]]
    shared = groups(cohere(chance, chosen), chosen)
    assert set(shared) == {
        group for group, names in GROUPS.items() if len(names) > 1 and not set(names).isdisjoint(chosen)
    }
    for group, table in shared.items():
        members = [chosen.index(name) for name in GROUPS[group] if name in chosen]
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(table[:, :-1], cohere(chance, chosen)[:, members], atol=1e-6)
        assert (table >= 0).all()
    assume(chosen)
    for table in groups(chance, chosen).values():  # not coherent
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)


def test_no_rows_and_no_rules() -> None:
    none, verdicts = np.zeros((0, 47), np.float32), np.zeros((0, 47), np.int8)
    assert cohere(none, NAMES).shape == settle(verdicts, none, NAMES).shape == (0, 47)
    assert contradictions(verdicts, NAMES).shape == (0,)
    chance, verdict = np.array([[0.3]], np.float32), np.array([[1]], np.int8)
    assert cohere(chance, ["Smiling"]).tolist() == chance.tolist()
    assert settle(verdict, chance, ["Smiling"]).tolist() == [[1]]
    assert contradictions(verdict, ["Smiling"]).tolist() == [0]
    assert groups(chance, ["Smiling"]) == {}


def test_what_is_given_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    chance, verdicts = rng.random((9, 47), np.float32), np.ones((9, 47), np.int8)
    given_chance, given_verdicts = chance.copy(), verdicts.copy()
    cohere(chance, NAMES), settle(verdicts, chance, NAMES), groups(chance, NAMES)
    np.testing.assert_array_equal(chance, given_chance)
    np.testing.assert_array_equal(verdicts, given_verdicts)


def test_a_row_reads_the_same_alone() -> None:
    rng = np.random.default_rng(0)
    chance = rng.random((20_000, 47), np.float32)
    verdicts = rng.integers(-1, 2, chance.shape, dtype=np.int8)
    together, kept = cohere(chance, NAMES), settle(verdicts, chance, NAMES)
    assert not contradictions(kept, NAMES).any()
    for row in rng.integers(0, len(chance), 50):
        one = slice(row, row + 1)
        np.testing.assert_array_equal(cohere(chance[one], NAMES)[0], together[row])
        np.testing.assert_array_equal(settle(verdicts[one], chance[one], NAMES)[0], kept[row])


def test_no_face_of_celeba_keeps_a_contradiction(shared: Path) -> None:
    folder = shared / "data/celeba/templates-dlib"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    reader = load_interpreter(LFW_READER)
    vectors = np.concatenate([batch.vectors for batch in iter_templates(folder)])
    _, chance, verdicts = reader.read(vectors)
    found = contradictions(verdicts, reader.attributes)
    assert (found > 0).mean() > 0.1
    coherent = cohere(chance, reader.attributes)
    kept = settle(verdicts, coherent, reader.attributes)
    assert not contradictions(kept, reader.attributes).any()
    assert (kept != verdicts).sum() < 0.02 * (verdicts != 0).sum()


def test_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(coherence)
    assert (result.attempted, result.failed) == (3, 0)
