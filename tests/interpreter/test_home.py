"""Homes: their own persons raise no alarm, strangers do, and many photos of few people are few faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from clip_smu.errors import InputError, InterpreterError
from clip_smu.interpreter.drift import LEVEL, MOST_SHIFTED, find_home
from clip_smu.interpreter.home import MARGIN, MOST_FACES, Home, measure_home, unit_rows
from clip_smu.interpreter.saved_homes import HomeForm, home_arrays, home_numbers, saved_homes
from clip_smu.metrics.folds import identity_folds

DIM, NAMES = 48, ("a", "b", "c", "d", "e", "f")
READER = np.random.default_rng(9).normal(size=(DIM, 6)) / DIM**0.5
CENTRE = 4 * np.random.default_rng(8).normal(size=DIM)  # templates of faces point one way


def people(
    persons: int, photos: int, seed: int, shift: float = 0, own: float = 0.5
) -> tuple[NDArray, NDArray, list[str]]:
    """Templates, scores and names: persons differ by 1, photos of one by ``own``; ``shift`` moves attribute a."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(persons), photos)
    faces = rng.normal(size=(persons, DIM))[who] + own * rng.normal(size=(len(who), DIM))
    faces += CENTRE + shift * READER[:, 0] / np.linalg.norm(READER[:, 0])
    return faces, faces @ READER, [f"{seed}/{person}" for person in who]


@pytest.fixture(scope="module")
def home() -> Home:
    return measure_home("here", *people(1_000, 2, 0))


def found(home: Home, *batch: object) -> object:
    return find_home([home], *batch[:2], attributes=NAMES)


@pytest.mark.parametrize("persons", [50, 300, 2_000])
def test_other_persons_of_the_home_are_at_home(home: Home, persons: int) -> None:
    drifts = [found(home, *people(persons, 1, 100 + seed)) for seed in range(30)]
    assert {drift.home for drift in drifts} == {"here"} and not any(drift.away for drift in drifts)
    assert np.mean([drift.distances["here"] for drift in drifts]) <= 1.1
    assert all(drift.persons > 0.6 * min(persons, 500) for drift in drifts)


def test_chance_is_as_said() -> None:
    """Without the margin's help: the tails of a small home's own kind are spread evenly, far ones not too often."""
    tails = []
    for seed in range(200):
        home = measure_home("here", *people(150, 1, 1_000 + seed))
        tails.append(found(home, *people(60, 1, 2_000 + seed)).p["here"])
    assert 0.35 < np.mean(tails) < 0.8
    assert np.mean(np.array(tails) < 0.05) < 0.08


def test_many_photos_of_few_people_raise_no_alarm_and_are_too_few(home: Home) -> None:
    for seed in range(30):
        drift = found(home, *people(5, 40, 500 + seed))
        assert drift.home is None and not drift.away
        assert 4 < drift.persons < 9
    mixed = found(home, *people(100, 5, 7))
    assert mixed.home == "here" and 70 < mixed.persons < 140


def test_persons_are_counted_though_photos_of_one_are_not_always_alike() -> None:
    home = measure_home("here", *people(1_000, 2, 0, own=0.85))
    assert 0.3 < home.matched < 0.9
    counts = [
        1 / home.chance_of_one_person(unit_rows(people(20, 10, seed, own=0.85)[0])) for seed in range(30)
    ]
    assert np.mean(counts) == pytest.approx(20, rel=0.15)


def test_counting_each_photo_as_a_person_would_raise_the_alarm(home: Home) -> None:
    """What the count of persons is for: a home that takes no two templates for one person's."""
    blind = replace(home, alike=2.0)
    assert np.mean([found(blind, *people(5, 40, 500 + seed)).away for seed in range(30)]) > 0.9


def test_a_shift_is_found_and_named(home: Home) -> None:
    for seed in range(20):
        drift = found(home, *people(100, 1, 300 + seed, shift=1.5))
        assert drift.home is None and drift.away
        assert drift.p["here"] < LEVEL
        assert drift.shifted[0] == "a" and len(drift.shifted) <= MOST_SHIFTED
    assert found(home, *people(100, 1, 0)).shifted == ()


def test_a_wider_spread_alone_is_found(home: Home) -> None:
    faces, _, _ = people(300, 1, 4)
    wide = CENTRE + 1.4 * (faces - CENTRE)
    assert found(home, wide, wide @ READER).away


def test_a_huge_batch_may_differ_as_little_as_the_margin(home: Home) -> None:
    """A tenth of the spread in one direction of 48: as far as other thousand persons are."""
    faces, scores, _ = people(20_000, 1, 11, shift=0.05)
    assert found(home, faces, scores).home == "here"
    faces, scores, _ = people(20_000, 1, 11, shift=0.6)
    assert found(home, faces, scores).away
    assert found(home, faces, scores).faces == 20_000 > MOST_FACES > MARGIN


def test_the_nearest_home_is_found_and_a_mixture_is_away(home: Home) -> None:
    there = measure_home("there", *people(1_000, 2, 1, shift=3))
    for shift, name in ((0, "here"), (3, "there")):
        drift = find_home([home, there], *people(100, 1, 50, shift=shift)[:2], attributes=NAMES)
        assert drift.home == name and drift.distances[name] == min(drift.distances.values())
    halves = [people(100, 1, 60, shift=shift)[:2] for shift in (0, 3)]
    drift = find_home([there, home], *map(np.vstack, zip(*halves, strict=True)), attributes=NAMES)
    assert drift.home is None and drift.away


def test_too_few_faces_are_no_batch(home: Home) -> None:
    faces, scores, _ = people(50, 1, 5)
    faces[0, 0] = np.nan
    faces[1] = 0
    scores[2, 1] = np.inf
    drift = found(home, faces, scores)
    assert (drift.home, drift.away, drift.faces, drift.p) == (None, False, 47, {})
    again = find_home([home], faces, scores, least=47, attributes=NAMES)
    assert again.home == "here" and again.faces == 47


def test_a_scale_takes_no_part_and_the_same_batch_is_read_alike(home: Home) -> None:
    faces, scores, _ = people(3_000, 1, 6)
    assert found(home, faces, scores) == found(home, faces, scores)
    assert found(home, 7 * faces, scores).distances == pytest.approx(found(home, faces, scores).distances)


def test_distance_is_hotellings(home: Home) -> None:
    """By NumPy's own solver, of numbers made anew, each face known to be a person; the shrinkage undone."""
    faces, scores, _ = people(80, 1, 12)
    units = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    z, s = home.axes.of(units), home.score_axes.of(scores)
    numbers = np.column_stack([z, s, np.minimum(z**2, 9).mean(1), np.minimum(s**2, 9).mean(1)])
    off = numbers.mean(axis=0) - home.mean
    correlation = np.diag(np.diag(home.covariance)) * 0.02 + 0.98 * home.covariance
    square = off @ np.linalg.solve(correlation, off) * (1 - (len(off) + 1) / home.persons)
    variance = home.chance_of_one_person(units) + home.repeated + 1 / MARGIN
    assert found(home, faces, scores).distances["here"] == pytest.approx(square / len(off) / variance)
    assert home.repeated == pytest.approx(1 / home.persons) and home.persons == pytest.approx(667, abs=1)


def test_without_scores_templates_alone_are_compared() -> None:
    none = np.zeros((1_000, 0))
    faces, _, names = people(1_000, 1, 0)
    home = measure_home("here", faces, none, names)
    assert find_home([home], people(200, 1, 1)[0], none[:200]).home == "here"
    assert find_home([home], people(200, 1, 1, shift=2)[0], none[:200]).away


def test_a_score_that_never_varies_takes_no_part() -> None:
    faces, scores, names = people(300, 1, 0)
    scores[:, 1] = 0.25
    home = measure_home("here", faces, scores, names)
    batch, read, _ = people(100, 1, 1)
    read[:, 1] = 0.25
    assert found(home, batch, read).home == "here"


def test_what_cannot_be_measured_is_refused() -> None:
    faces, scores, names = people(63, 2, 0)
    with pytest.raises(InputError, match="at least 64 persons to measure the home 'here' on, found 63"):
        measure_home("here", faces, scores, names)
    with pytest.raises(InputError, match="faces that differ"):
        measure_home("here", np.ones((80, 4)), np.ones((80, 2)), [""] * 80)
    with pytest.raises(InputError, match="at least one home"):
        find_home([], faces, scores)


def test_what_is_saved_reads_the_same(home: Home) -> None:
    homes = [home, measure_home("there", *people(100, 2, 1, shift=3))]
    forms = msgspec.convert(home_numbers(homes), list[HomeForm])
    arrays = home_arrays(homes)
    again = saved_homes(arrays, forms, DIM, 6, "here")
    batch = people(100, 1, 2)[:2]
    one, other = (find_home(those, *batch, attributes=NAMES) for those in (homes, again))
    assert (other.home, other.persons, other.shifted) == (one.home, one.persons, one.shifted)
    assert other.distances == pytest.approx(one.distances, rel=1e-4)
    assert sum(array.nbytes for array in arrays.values()) < 40_000
    with pytest.raises(InterpreterError, match=r"home.1.mean is missing"):
        saved_homes({k: v for k, v in arrays.items() if k != "home.1.mean"}, forms, DIM, 6, "here")
    with pytest.raises(InterpreterError, match="the home 'here' to have a covariance"):
        saved_homes({**arrays, "home.0.covariance": 0 * arrays["home.0.covariance"]}, forms, DIM, 6, "here")


def test_real_faces_of_celeba(shared: Path) -> None:
    """Half of the persons is the home; the other half, drawn by photo and as whole persons, and parts of it."""
    from clip_smu import load_interpreter
    from clip_smu.labels.join import join
    from clip_smu.labels.lists import read_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.templates.store import read_templates
    from clip_smu.words.attributes import NAMES

    folder = shared / "data" / "celeba"
    labels, part = read_labels(folder / "celeba_maad47.csv"), read_list(folder / "train_list.txt")
    joined = join(read_templates(folder / "templates-dlib"), labels, part)
    faces, who = joined.templates.vectors, list(joined.templates.identities)
    scores = load_interpreter().score(faces)
    half = identity_folds(who, 2, 0)
    home = measure_home(
        "CelebA", faces[half == 0], scores[half == 0], [w for w, h in zip(who, half, strict=True) if h == 0]
    )
    rng, others = np.random.default_rng(0), np.flatnonzero(half == 1)
    drifts = [
        find_home([home], faces[rows], scores[rows])
        for n in (100, 300, 1_000)
        for rows in (rng.permutation(others)[:n] for _ in range(30))
    ]
    assert sum(drift.home != "CelebA" for drift in drifts) == 0
    women = others[joined.labels[others, NAMES.index("Male")] < 0]
    drift = find_home([home], faces[women], scores[women])
    assert drift.away and "Male" in drift.shifted
