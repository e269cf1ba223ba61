"""The lexicon: known names, one meaning a phrase, all of our own prompts' phrases with the right side."""

from __future__ import annotations

from clip_smu.words.attributes import NAMES
from clip_smu.words.lexicon import KINDS, LONGEST, REASONS, key, lexicon, refusals


def test_names_kinds_and_weights_are_known() -> None:
    for entry in lexicon().values():
        assert entry.means, entry
        assert all(name in NAMES for name, _ in entry.means), entry
        assert len({name for name, _ in entry.means}) == len(entry.means), entry
        assert 0 < entry.weight <= 1, entry
        assert entry.kind in KINDS, entry
    assert set(refusals().values()) == set(REASONS)


def test_a_phrase_is_found_by_its_key() -> None:
    assert lexicon()[key("Grey-Haired")].means == (("Gray_Hair", True),)
    assert lexicon()[key("5 o’clock shadow")].means == (("5_o_Clock_Shadow", True),)
    assert refusals()[key("Trustworthy")] == "not-on-a-face"
    assert all(found == key(entry.phrase) for found, entry in lexicon().items())
    assert max(len(found.split()) for found in (*lexicon(), *refusals())) == LONGEST


def test_no_phrase_is_both_read_and_refused() -> None:
    assert not lexicon().keys() & refusals().keys()
