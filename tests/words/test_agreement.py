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


def test_an_unknown_name_is_refused() -> None:
    for ask in (agreement.agreement, agreement.asserted_by_default):
        with pytest.raises(InputError, match="found 'Gray_Hare'; did you mean Gray_Hair"):
            ask("Gray_Hare")


def test_the_example_in_the_docstring_runs() -> None:
    result = doctest.testmod(agreement)
    assert (result.attempted, result.failed) == (1, 0)
