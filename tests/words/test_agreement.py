"""What is known of how far people agree on the words, and which words are therefore not said unasked."""

from __future__ import annotations

import doctest

import pytest

from clip_smu.errors import InputError
from clip_smu.words import agreement
from clip_smu.words.attributes import NAMES


def test_what_is_not_said_unasked() -> None:
    unsaid = {name for name in NAMES if not agreement.asserted_by_default(name)}
    assert unsaid == {"Oval_Face", "Pointy_Nose", "High_Cheekbones", "Attractive"}
    assert not agreement.asserted_by_default("oval face")  # by its label too


def test_the_figures_are_those_of_the_abstract_and_no_others() -> None:
    known = {name: agreement.agreement(name) for name in NAMES}
    assert {name: share for name, share in known.items() if share is not None} == {
        "High_Cheekbones": 0.5,
        "Pointy_Nose": 0.5,
        "Oval_Face": 0.5,
        "No_Beard": 0.95,
    }
    # "as high as 40% for (no beard=false)"; mouth slightly open: "(MSO=true) at about 20% and (MSO=false) at about 2%"
    assert agreement.CELEBA_LABEL_ERROR == {"No_Beard": (None, 0.4), "Mouth_Closed": (0.02, 0.2)}


def test_a_group_asks_for_none_of_its_attributes_by_name() -> None:
    assert agreement.asked_by_name("sensitive,race") == frozenset()
    assert agreement.asked_by_name("oval face,Other,") == {
        "Oval_Face",
        "Attractive",
    }  # the one attribute of its category
    assert agreement.asked_by_name("") == frozenset()


def test_an_unknown_name_is_refused() -> None:
    for ask in (agreement.agreement, agreement.asserted_by_default, agreement.asked_by_name):
        with pytest.raises(InputError, match="found 'Gray_Hare'; did you mean"):
            ask("Gray_Hare")


def test_the_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(agreement)
    assert (result.attempted, result.failed) == (2, 0)
