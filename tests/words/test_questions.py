"""The development questions: enough of each kind, names that exist, and halves that share no word."""

from __future__ import annotations

import re
from collections import Counter

from clip_smu.words.attributes import NAMES
from questions import KINDS, REFUSED, Question, content, everything, stem

PART = re.compile(rf"({'|'.join(NAMES)})[+-](;({'|'.join(NAMES)})[+-])*")


def test_enough_of_each_kind_in_both_halves() -> None:
    questions = everything()
    assert len(questions) >= 400
    assert len({one.question.lower() for one in questions}) == len(questions)
    for half in ("tune", "report"):
        kinds = Counter(one.kind for one in questions if one.half == half)
        assert set(kinds) == set(KINDS)
        assert min(kinds.values()) >= 10
        assert sum(kinds.values()) >= 200
    assert sum(one.unseen for one in questions) > 0.8 * len(questions)


def test_meanings_name_attributes() -> None:
    for one in everything():
        assert (one.means == "") == (one.kind in REFUSED), one
        assert not ("&" in one.means and "|" in one.means), one
        assert ("&" in one.means) == (one.kind == "conjunction"), one
        assert ("|" in one.means) == (one.kind == "disjunction"), one
        for part in re.split(r" [&|] ", one.means) if one.means else ():
            assert PART.fullmatch(part), (one, part)


def test_the_halves_share_no_content_word() -> None:
    words: dict[str, dict[str, Question]] = {"tune": {}, "report": {}}
    for one in everything():
        words[one.half] |= dict.fromkeys(content(one.question), one)
    shared = words["tune"].keys() & words["report"].keys()
    assert not shared, [(word, words["tune"][word], words["report"][word]) for word in shared]
    assert len(words["report"]) > 200


def test_stems_bring_a_words_forms_together() -> None:
    for forms in (
        ("bowler", "bowlers"),
        ("shiny", "shinier"),
        ("beret", "berets"),
        ("hatless", "hat"),
        ("jowls", "jowly"),
    ):
        assert len({stem(form) for form in forms}) == 1, forms
