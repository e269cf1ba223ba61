"""Cases add up to the expression: on every distribution over faces that the rules allow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_smu.errors import InputError
from clip_smu.words.cases import MOST_CASES, cases
from clip_smu.words.coherence import CLASHES
from clip_smu.words.expression import And, Expression, Not, Or, Part, Unknown, asked_for
from small_lexicon import holds

NAMES = ("Male", "Bald", "Gray_Hair", "Blond_Hair", "Mustache", "No_Beard", "Eyeglasses", "Asian", "White")
parts = st.builds(
    lambda names, sides: Part("it", tuple(zip(names, sides, strict=False))),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
    st.lists(st.booleans(), min_size=2, max_size=2),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda of: And(tuple(of)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda of: Or(tuple(of)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=4,
)


def faces() -> list[dict[str, bool]]:
    """All that the rules allow."""
    every = (
        dict(zip(NAMES, values, strict=True))
        for values in itertools.product((False, True), repeat=len(NAMES))
    )
    return [
        face
        for face in every
        if not any(all(face.get(name) == (side > 0) for name, side in clash) for clash in CLASHES)
    ]


FACES = faces()
WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(len(FACES)))


@settings(max_examples=200, deadline=None)
@given(expressions)
def test_cases_add_up_to_the_expression(expression: Expression) -> None:
    expected = sum(w for w, face in zip(WEIGHTS, FACES, strict=True) if holds(expression, face))
    total = 0.0
    for one in cases(expression):
        told = [
            w
            for w, face in zip(WEIGHTS, FACES, strict=True)
            if all(face[name] == side for name, side in one.sides)
        ]
        total += one.sign * sum(told)
        assert {name for name, _ in one.sides} <= set(asked_for(expression))
    assert total == pytest.approx(expected, abs=1e-12)


def test_what_the_rules_say_is_not_asked_for() -> None:
    man, mustache = Part("man", (("Male", True),)), Part("mustache", (("Mustache", True),))
    bald, blond = Part("bald", (("Bald", True),)), Part("blond", (("Blond_Hair", True),))
    assert [one.sides for one in cases(And((man, mustache)))] == [(("Mustache", True),)]
    assert cases(And((bald, blond))) == ()
    assert [dict(one.sides) for one in cases(Or((bald, blond)))] == [{"Bald": True}, {"Blond_Hair": True}]
    assert cases(Or((man, Not(man))))[0].sides == (("Male", True),)


def test_what_has_no_cases() -> None:
    with pytest.raises(InputError, match="found 'gizmo': ask in other words"):
        cases(Unknown("gizmo"))
    names = (
        "Eyeglasses",
        "Smiling",
        "Wearing_Hat",
        "Chubby",
        "Big_Nose",
        "Big_Lips",
        "Rosy_Cheeks",
        "Double_Chin",
    )
    names += ("Wearing_Necktie", "Wearing_Earrings", "Heavy_Makeup", "Shiny_Skin", "Brown_Eyes", "Sideburns")
    pairs = [
        Or((Part("a", ((a, True),)), Part("b", ((b, True),))))
        for a, b in zip(names[::2], names[1::2], strict=True)
    ]
    with pytest.raises(InputError, match=f"at most {MOST_CASES} cases, found 128"):
        cases(And(tuple(pairs)))
