"""Persons: a stranger is a person of its own, everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from clip_smu.errors import LabelError
from clip_smu.metrics.persons import (
    composed,
    count_persons,
    in_both,
    known_persons,
    person_numbers,
    persons_apart,
    require_persons,
)


def test_strangers_are_persons_of_their_own() -> None:
    people = ["ann", "", "bob", "", "ann"]
    assert count_persons(people) == 4
    numbers = person_numbers(people)
    assert numbers[0] == numbers[4]
    assert len(set(numbers.tolist())) == 4 and sorted(set(numbers.tolist())) == [0, 1, 2, 3]
    assert len(set(persons_apart(people))) == 4 and persons_apart(people)[0] == "ann"


def test_numbers_agree_with_numpy_on_named_persons() -> None:
    people = np.random.default_rng(0).choice(["b", "a", "ab", "c"], 50).tolist()
    assert (person_numbers(people) == np.unique(people, return_inverse=True)[1]).all()


def test_two_strangers_are_never_taken_for_one_person() -> None:
    assert in_both(["", "ann"], ["", "bob"]) == set()
    assert in_both(["", "ann"], ["ann", ""]) == {"ann"}
    assert known_persons(["", "ann", "ann"]) == {"ann"}


def test_fewer_persons_than_folds_is_refused() -> None:
    require_persons(["", "", "ann"], 3)
    require_persons(["ann", "bob"], 1)
    with pytest.raises(LabelError, match="at least 3 persons, one a fold, found 2"):
        require_persons(["ann", "ann", "bob"], 3)


def test_numbers_are_numbers_of_rows() -> None:
    """Ready to index with, one a photo, in the order of the names; strangers come first, in the order of the rows."""
    people = ["bob", "", "ann", "bob", ""]
    numbers = person_numbers(people)
    assert numbers.dtype == np.intp
    assert numbers.shape == (5,)
    assert numbers.tolist() == [3, 0, 2, 3, 1]
    assert person_numbers([]).shape == (0,)
    assert person_numbers([]).dtype == np.intp


def test_a_stranger_is_nobody_who_has_a_name() -> None:
    assert count_persons(["1", "", "0", ""]) == 4
    assert known_persons([]) == set()
    assert in_both(["ann", "bob", "bob"], ["bob", "eve"]) == {"bob"}


def test_a_name_is_one_however_its_letters_are_written() -> None:
    whole, apart = "\u017di\u017eek", "Z\u030ciz\u030cek"
    assert composed(apart) == whole == composed(whole)
    assert composed("Zizek") == "Zizek" and composed("\u017d\u2460") == "\u017d\u2460"  # not NFKC
    assert count_persons([whole, apart]) == 1 and in_both([whole], [apart]) == {whole}
    assert person_numbers([apart, "ann", whole]).tolist() == [1, 0, 1]


def test_nobody_has_no_number() -> None:
    assert person_numbers([]).tolist() == [] and person_numbers([]).dtype == np.intp
    assert count_persons([]) == 0
