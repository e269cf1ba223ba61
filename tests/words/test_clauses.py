"""How the parts of a description become one sentence or several."""

from __future__ import annotations

import pytest

from clip_smu.words.clauses import Body, Style, sentences_of

STYLE = Style(most=4, first=3, more=("It has {}", "It also has {}"), along=", with {}", alone="It wears {}")


@pytest.mark.parametrize(
    ("having", "wearing", "expected"),
    [
        ("", "", ["A"]),
        ("", "k", ["A wearing k"]),
        ("abcd", "", ["A with a, b, c and d"]),
        ("abc", "k", ["A with a, b and c, wearing k"]),
        ("abcde", "", ["A with a, b and c", "It has d and e"]),
        ("abcd", "k", ["A with a and b", "It has c and d, with k"]),  # no second sentence of one noun
        ("abc", "kl", ["A with a, b and c", "It wears k and l"]),
        (
            "abcdefghijklmnopqrs",
            "",
            [
                "A with a, b and c", "It has d, e, f, g, h, i and j", "It also has k, l, m, n, o, p and q",
                "It also has r and s",
            ],
        ),
    ],
)  # fmt: skip
def test_nouns_and_things_worn_are_spread_over_sentences(
    having: str, wearing: str, expected: list[str]
) -> None:
    assert sentences_of("A", Body([], [], list(having), list(wearing)), STYLE) == expected
