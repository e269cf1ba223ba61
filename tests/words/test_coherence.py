"""The rules of what cannot be true of one face, against what the words say."""

from __future__ import annotations

from clip_smu.words.attributes import NAMES
from clip_smu.words.coherence import AT_LEAST_ONE, AT_MOST_ONE, CLASHES, EXCLUDES, RIVALS
from clip_smu.words.contradictions import IDLE, OVERRULES, settled

HAIR = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"}


def clash(**verdicts: int) -> bool:
    """Whether a rule says that these verdicts cannot all stand; a leading underscore stands for no letter."""
    held = {name.lstrip("_"): verdict for name, verdict in verdicts.items()}
    return any(all(held.get(name) == verdict for name, verdict in rule) for rule in CLASHES)


def test_what_cannot_be_true_together() -> None:
    assert clash(Young=1, Senior=1)
    assert clash(Young=-1, Middle_Aged=-1, Senior=-1)
    assert clash(Asian=1, White=1)
    assert (
        clash(No_Beard=1, Mustache=1)
        and clash(No_Beard=1, Goatee=1)
        and clash(No_Beard=1, _5_o_Clock_Shadow=1)
    )
    assert clash(Male=-1, No_Beard=-1) and clash(Male=-1, Mustache=1) and clash(Male=-1, Sideburns=1)
    assert clash(No_Eyewear=1, Eyeglasses=1)
    assert clash(Obstructed_Forehead=-1, Fully_Visible_Forehead=-1)
    assert clash(Bangs=1, Fully_Visible_Forehead=1) and clash(Bangs=1, Obstructed_Forehead=-1)
    assert all(clash(**{"Bald": 1, name: 1}) for name in (*HAIR, "Wavy_Hair", "Bangs"))
    assert all(clash(**{one: 1, other: 1}) for one in HAIR for other in HAIR - {one})


def test_what_can_be_true_together() -> None:
    """A full beard, stubble with a mustache, a woman who is bald, a man with lipstick, sunglasses, red hair ..."""
    assert not clash(No_Beard=-1, Mustache=-1, Goatee=-1, _5_o_Clock_Shadow=-1, Sideburns=-1, Male=1)
    assert not clash(Mustache=1, Goatee=1, _5_o_Clock_Shadow=1, Sideburns=1, Male=1)
    assert not clash(Male=-1, Bald=1, Receding_Hairline=1, Wearing_Necktie=1)
    assert not clash(Male=1, Wearing_Lipstick=1, Heavy_Makeup=1, Wearing_Earrings=1, Bangs=1)
    assert not clash(No_Eyewear=-1, Eyeglasses=-1)
    assert not clash(**dict.fromkeys((*HAIR, "Bald", "Asian", "White", "Black", "Oval_Face"), -1))
    assert not clash(Bald=1, Receding_Hairline=1, Sideburns=1, Obstructed_Forehead=1, Wearing_Hat=1)
    assert not clash(Young=1, Gray_Hair=1, Middle_Aged=-1, Senior=-1)


def test_every_name_is_an_attribute_and_no_rule_stands_twice() -> None:
    assert {name for rule in CLASHES for name, _ in rule} <= set(NAMES)
    rules = [frozenset(rule) for rule in CLASHES]
    assert len(set(rules)) == len(rules)
    assert set(AT_LEAST_ONE) <= set(AT_MOST_ONE)
    assert all(first != second for (first, _), (second, _) in EXCLUDES)


def test_captions_keep_the_same_rules() -> None:
    """A pair of labels that clashes settles to one; what a label makes idle clashes with it, but for two."""
    for name, rivals in RIVALS.items():
        for rival in rivals:
            assert sum(settled({name: 1, rival: 1})) == 1
    assert {loser for losers in OVERRULES.values() for loser in losers} == {
        "No_Beard", "Wavy_Hair", "Bangs", "Fully_Visible_Forehead", *HAIR,
    }  # fmt: skip
    odd = {(name, other) for name in NAMES for other in IDLE[name] ^ RIVALS[name]}
    assert odd == {("Bald", "Receding_Hairline"), ("No_Beard", "Mustache")}
