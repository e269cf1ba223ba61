"""Sentences: labels → captions and prompts to train on, readings → prose to print.

Rules that every caption and description keeps (tests/test_captions.py checks them with code of its own):

1.  A sentence starts with a capital and ends with exactly one full stop. A text has one sentence, or a few.
2.  No double space; no space or comma before a comma or full stop; no brackets or quotation marks.
3.  "a" or "an" goes by sound: "an oval face", "an attractive man", "a 5 o'clock shadow".
4.  No word stands twice in a row; none that wants another after it ("with", "and", "a") ends a sentence.
5.  Lists take "and" (after "not": "or") before the last item and no Oxford comma: "bangs, a smile and a hat".
    A comma before "and" opens a new predicate: "He has a goatee and a big nose, and is wearing a hat."
6.  Adjectives stand in the order opinion, state, build, head, shape, age, race, gender. Commas part the first
    five, none the rest: "an attractive, chubby young Asian man".
7.  After the noun come hair, face, facial hair, mouth and what is absent ("no beard", "no eyewear"), then, of
    what is worn, make-up and accessories.
8.  Of an exclusive group at most one attribute is worded: the one whose labels are the most accurate.
9.  Other contradictions between labels are settled by `OVERRULES`, and a "no" that a "yes" makes idle ("gray
    hair ... not bald") is left out by `IDLE`.
10. A label of 0 is never worded; a label of -1 only on request, but a -1 of Male makes a woman.

Two attributes of one thing are worded as one (`MERGED`): "wavy brown hair", "a closed-mouth smile".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from clip_smu.errors import InputError, LabelError
from clip_smu.words.attributes import ATTRIBUTES, GROUPS, INDEX, NAMES, Attribute, by_name

Labels = Sequence[int] | Mapping[str, int]
"""47 labels (1, 0, -1) in the order of `NAMES`, or name → label, where a name left out is 0."""

# ---------------------------------------------------------------- prompts


def prompt(attribute: Attribute | str, positive: bool = True, phrase: str | None = None) -> str:
    """The caption of one attribute, "A photo of a face with gray hair.", or of its absence.

    Args:
        attribute: a row of the table, or its name.
        positive: False for the negative prompt, "A photo of a face without a mustache."
        phrase: another phrase in the form of the table ("with grey hair") to put into a sentence instead.

    Raises:
        InputError: there is no such attribute, or the phrase has no words.
    """
    row = by_name(attribute) if isinstance(attribute, str) else attribute
    if phrase is not None:
        return _sentences(phrase)[0]
    joint, rest = _split((row.before or row.after) if positive else row.negative)
    if joint == "without" and row.before:
        joint, rest = "not", row.before  # "a face that is not oval", for "a face without an oval face"
    return _CANONICAL[joint].format(x=rest, a=_a(rest))


@cache
def prompts(attribute: Attribute | str, positive: bool = True) -> tuple[str, ...]:
    """All wordings of one side of one attribute: 12 to 40 sentences and bare phrases, each once.

    The first is `prompt(attribute, positive)`. Then each phrase of the table comes bare ("wears spectacles",
    as people type a question) and in two sentences, for which the frames take turns. The order never changes.

    Raises:
        InputError: there is no such attribute.
    """
    row = by_name(attribute) if isinstance(attribute, str) else attribute
    texts = [prompt(row, positive)]
    for i, phrase in enumerate(row.positives if positive else row.negatives):
        joint, rest = _split(phrase)
        bare, framed = _JOINTS[joint].bare, _sentences(phrase)
        texts.append(bare[i % len(bare)].format(x=rest, a=_a(rest), b=_ARTICLE.sub("", rest)))
        texts += [framed[(2 * i + k) % len(framed)] for k in range(2)]
    return tuple(dict.fromkeys(texts))


class _Joint(NamedTuple):
    """How phrases of one first word enter a sentence; {x} is the phrase without it, {a} that with a or an."""

    noun: str  # "A photo of {noun}."
    clause: str  # "Someone {clause}."
    predicate: str  # "This person {predicate}."
    bare: tuple[str, ...]  # as people type a question; {b}: without any article


_JOINTS: dict[str, _Joint] = {
    "": _Joint("{a} person", "who is {x}", "is {x}", ("{x}", "is {x}")),
    "a": _Joint("{a}", "", "", ("{a}", "{x}")),
    "with": _Joint("", "with {x}", "has {x}", ("{b}", "has {x}", "with {x}")),
    "without": _Joint("", "without {x}", "", ("without {x}", "no {b}")),
    "wearing": _Joint("", "wearing {x}", "wears {x}", ("wears {x}", "wearing {x}", "{b}")),
    "not": _Joint("", "who is not {x}", "is not {x}", ("not {x}", "is not {x}")),
    "who": _Joint("", "who {x}", "{x}", ("{x}",)),
    "whose": _Joint("", "whose {x}", "", ("{x}",)),
    "of": _Joint("", "of {x}", "is of {x}", ("of {x}",)),
    "in": _Joint("", "in {x}", "", ("in {x}",)),
}
_NOUN_FRAMES = (
    "A photo of {}.",
    "A portrait of {}.",
    "This is {}.",
    "The photo shows {}.",
    "A close-up of {}.",
)
_FACE_FRAMES = ("A photo of a face {}.", "A face {}.")
_CLAUSE_FRAMES = (
    "A photo of a person {}.",
    "Someone {}.",
    "A portrait of someone {}.",
    "A person {}.",
    "The photo shows a person {}.",
)
_PREDICATE_FRAMES = ("This person {}.", "The person in the photo {}.")
_CANONICAL: dict[str, str] = {
    "": "A photo of {a} face.",
    "with": "A photo of a face with {x}.",
    "wearing": "A photo of a face with {x}.",
    "without": "A photo of a face without {x}.",
    "not": "A photo of a face that is not {x}.",
}


def _split(phrase: str) -> tuple[str, str]:
    """("with", "gray hair") of "with gray hair"; ("a", "woman") of a noun; ("", "bald") of an adjective."""
    words_ = phrase.split()
    if not words_:
        raise InputError(
            f"expected a phrase such as 'with gray hair', found {phrase!r}; write at least one word"
        )
    first = "a" if words_[0] == "an" else words_[0]
    if first in _JOINTS and len(words_) > 1:
        return first, " ".join(words_[1:])
    return "", " ".join(words_)


def _sentences(phrase: str) -> list[str]:
    """The phrase in every frame that it fits: no "a face with a round face"."""
    joint, rest = _split(phrase)
    noun, clause, predicate, _ = _JOINTS[joint]
    frames = [(frame, noun) for frame in _NOUN_FRAMES if noun]
    if joint in ("with", "without") and not _OF_A_PERSON.search(rest):
        frames += [(frame, clause) for frame in _FACE_FRAMES]
    frames += [(frame, clause) for frame in _CLAUSE_FRAMES if clause]
    frames += [(frame, predicate) for frame in _PREDICATE_FRAMES if predicate]
    return [frame.format(part.format(x=rest, a=_a(rest))) for frame, part in frames]


_OF_A_PERSON = re.compile(
    r"\b(face|head|scalp|features|looks?|expression|outline|neck|hat|cap|tie|necktie|their)\b"
)
"""Words of phrases that are told of a person, not of a face."""

_ARTICLE = re.compile(r"^(an?|the|their) ")


def _a(text: str) -> str:
    """The text with its indefinite article, by sound."""
    vowel = text[0] in "aeiouAEIOU" and not text.lower().startswith(_NOT_A_VOWEL)
    return f"an {text}" if vowel else f"a {text}"


_NOT_A_VOWEL = ("eu", "unic", "unif", "uniq", "unis", "unit", "univ", "use", "usu", "one", "once")
"""Beginnings that are written with a vowel and spoken with y or w: "a European"."""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


# ---------------------------------------------------------------- captions


def paper_caption(labels: Labels) -> str:
    """The caption of the paper: "A photo of a [A] face with [B]." from the positive labels alone.

    Example:
        >>> paper_caption({"Young": 1, "Male": 1, "Gray_Hair": 1, "Smiling": 1})
        'A photo of a smiling young male face with gray hair.'

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes = _settled(_sides(labels)[0])
    free = [ATTRIBUTES[i].before for i in _FREE if i in yes]
    bound = [ATTRIBUTES[i].before for i in _BOUND if i in yes]
    nouns = [noun for i, noun in PAPER_NOUNS if i in yes]
    return f"A photo of {_person(free, bound, 'face')}{' with ' if nouns else ''}{_list(nouns)}."


def caption(labels: Labels, *, rng: Random | None = None, negatives: bool = False) -> str:
    """A grammatical caption for any of the 3^47 combinations of labels (the rules: this module's docstring).

    Args:
        labels: 47 labels in {1, 0, -1}, or name → label.
        rng: draws the frame and the paraphrases; without it the wording is always the same.
        negatives: also words up to three of the labels of -1: the most telling, or with an rng a random few.

    Example:
        >>> caption({"Male": 1, "Young": 1, "Wavy_Hair": 1, "Brown_Hair": 1, "Wearing_Hat": 1})
        'A photo of a young man with wavy brown hair, wearing a hat.'

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes, no = _sides(labels)
    yes = _settled(yes)
    told = _chosen(_unsaid(yes, no), rng) if negatives else []
    body = _body(yes, told, rng)
    gender = 1 if _MALE in yes else -1 if _MALE in no else 0
    having, wearing, denial = body.having, body.wearing, _denial(told, rng)
    long = len(having) + len(wearing) > _LONG_CAPTION
    cut = 6 if len(having) != 7 else 5  # no second sentence of one noun

    person = _person(body.free, body.bound, _pick(_NOUNS[gender], rng))
    sentences = [_pick(_LEADS, rng).format(person)]
    subject = _PRONOUNS[gender]
    if having:
        sentences[0] += f" with {_list(having[:cut] if long else having)}"
    if long:
        rest = [having[k : k + 7] for k in range(cut, len(having), 7)]
        sentences += [f"{subject} {'also ' if k else ''}has {_list(part)}" for k, part in enumerate(rest)]
        if wearing and rest:
            sentences[-1] += f", and is wearing {_list(wearing)}"
        elif wearing:
            sentences.append(f"{subject} is wearing {_list(wearing)}")
    elif wearing:
        sentences[0] += f"{',' if having else ''} wearing {_list(wearing)}"
    if denial and (having or wearing):
        sentences.append(f"{subject} {denial}")
    elif denial:
        sentences[0] += f" who {denial}"
    return _capital(". ".join(sentences)) + "."


def settled(labels: Labels) -> list[int]:
    """The 47 labels without what no caption words: contradictions, and a "no" that goes without saying.

    Example:
        >>> kept = settled({"Bald": 1, "Gray_Hair": 1, "Bangs": -1, "Smiling": -1})
        >>> [name for name, value in zip(NAMES, kept) if value]
        ['Bald', 'Smiling']

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes, no = _sides(labels)
    yes = _settled(yes)
    no = _unsaid(yes, no)
    return [1 if i in yes else -1 if i in no else 0 for i in range(len(NAMES))]


def describe(positive: Sequence[str], negative: Sequence[str] = (), *, subject: str = "template") -> str:
    """The sentences printed for a reading: what a template gives away, not a fact about a person.

    Args:
        positive: names of the attributes that the template reads as having, in any order.
        negative: names of those that it reads as not having, the most telling first. All are worded, save
            those that `positive` makes idle; Male here makes a woman.
        subject: the noun after "This": "template", "photo's template", "average template".

    Example:
        >>> describe(["Young", "Brown_Hair", "Smiling", "No_Eyewear"], ["Male", "Bangs"])
        'This template reads as a young woman with brown hair, a smile and no eyewear. It shows no bangs.'

    Raises:
        InputError: a name is no attribute or is on both sides, or the subject is not a plain noun.
    """
    if not re.fullmatch(r"[^\W_](?:[^\W_]|[ '’-](?=[^\W_]))*", subject):
        raise InputError(
            f"expected a plain noun after 'This', such as 'template', found {subject!r}; use letters only"
        )
    asked = [INDEX[by_name(name).name] for name in positive]
    denied = list(dict.fromkeys(INDEX[by_name(name).name] for name in negative))
    both = [NAMES[i] for i in denied if i in asked]
    if both:
        raise InputError(f"expected positive or negative, found both for {', '.join(both)}; leave one out")

    yes = _settled(set(asked))
    no = _unsaid(yes, set(denied))
    told = [i for i in denied if i in no and i != _MALE]
    body = _body(yes, told, None)
    having, wearing = body.having, body.wearing
    denial = _denial(told, None, reading=True)
    gender = 1 if _MALE in yes else -1 if _MALE in no else 0
    if not (gender or any(body)):
        return f"This {subject} {denial or 'gives away none of the attributes that can be told'}."

    sentences = [f"This {subject} reads as {_person(body.free, body.bound, _NOUNS[gender][0])}"]
    long = len(having) + len(wearing) > _LONG_READING
    cut = 5 if len(having) != 6 else 4
    if having:
        sentences[0] += f" with {_list(having[:cut] if long else having)}"
    if long:
        rest = [having[k : k + 7] for k in range(cut, len(having), 7)]
        sentences += [
            f"It {'further' if k == 1 else 'also'} shows {_list(part)}" for k, part in enumerate(rest)
        ]
        if wearing and rest:
            sentences[-1] += f", along with {_list(wearing)}"
        elif wearing:
            sentences.append(f"It also shows {_list(wearing)}")
    elif wearing:
        sentences[0] += f"{',' if having else ''} wearing {_list(wearing)}"
    if denial:
        sentences.append(f"It {denial}")
    return ". ".join(sentences) + "."


class _Body(NamedTuple):
    """The parts of a description of a person, as text."""

    free: list[str]  # adjectives that commas part
    bound: list[str]  # age and race
    having: list[str]
    wearing: list[str]


def _sides(labels: Labels) -> tuple[set[int], set[int]]:
    """The columns labelled 1 and those labelled -1."""
    if isinstance(labels, Mapping):
        values = [0] * len(NAMES)
        for name, value in labels.items():
            values[INDEX[by_name(name).name]] = value
        labels = values
    if len(labels) != len(NAMES):
        raise LabelError(
            f"expected {len(NAMES)} labels, found {len(labels)}; give one for each name of NAMES"
        )
    if not _VALUES.issuperset(labels):
        i, value = next((i, v) for i, v in enumerate(labels) if v not in _VALUES)
        raise LabelError(f"expected labels of 1, 0 or -1, found {value!r} for {NAMES[i]}; correct the label")
    return {i for i, v in enumerate(labels) if v == 1}, {i for i, v in enumerate(labels) if v == -1}


def _settled(yes: set[int]) -> set[int]:
    """The positive columns without contradictions."""
    for members, by_accuracy in _EXCLUSIVE:
        if len(both := yes & members) > 1:
            yes = yes - both | {next(i for i in by_accuracy if i in both)}
    for winner, losers in _OVERRULES:
        if winner in yes:
            yes = yes - losers
    return yes


def _unsaid(yes: set[int], no: set[int]) -> set[int]:
    """The negative columns, without those that go without saying."""
    for i in yes & _IDLE.keys():
        no = no - _IDLE[i]
    return no - {_FULLY_VISIBLE} if _OBSTRUCTED in no else no  # a forehead half hidden: one "no" is enough


def _chosen(no: set[int], rng: Random | None) -> list[int]:
    """Up to three negative attributes to word."""
    told = [i for i in _TELLING if i in no and i != _MALE]
    if rng is None:
        return told[:_MOST_NEGATIVES]
    count = min(len(told), 1 + int(rng.random() * _MOST_NEGATIVES))
    return [told.pop(int(rng.random() * len(told))) for _ in range(count)]


def _body(yes: set[int], told: list[int], rng: Random | None) -> _Body:
    """The worded parts; of the negative attributes only those with an opposite to show ("an open mouth")."""
    joint: dict[int, str] = {}
    for first, second, options in _MERGED:
        if first in yes and second in yes:
            joint[first] = _pick(options, rng)
            yes = yes - {second}
    having: list[str] = []
    wearing: list[str] = []
    shown = yes.union(told)
    for i in _ORDER:
        if i not in shown:
            continue
        if i in yes:
            (wearing if i in _WORN else having).append(joint.get(i) or _pick(_POSITIVE[i], rng))
        elif i in _OPPOSITE:
            (wearing if i in _OPPOSITE_WORN else having).append(_pick(_OPPOSITE[i], rng))
    free = [_pick(_POSITIVE[i], rng) for i in _FREE if i in yes and i in _PLAIN]
    bound = [_pick(_POSITIVE[i], rng) for i in _BOUND if i in yes and i != _MALE]
    return _Body(free, bound, having, wearing)


def _denial(told: list[int], rng: Random | None, *, reading: bool = False) -> str:
    """The predicate of what is absent: "has no mustache and is not bald"; if reading, "shows no mustache"."""
    have, have_not, be_not = (
        ("shows", "does not show", "does not read as") if reading else ("has", "does not have", "is not")
    )
    lacking = [i for i in told if i in _LACKED and (reading or i not in _WORN)]
    nouns = [_pick(_LACKED[i], rng) for i in lacking]
    nots = [_pick(_NOT[i], rng) for i in told if i in _NOT and i not in lacking]
    worn = [text for text in nots if text.startswith("wearing ")]
    parts = []
    if nouns and _THINGS.issuperset(lacking):
        parts.append(f"{have} {_list(['no ' + _ARTICLE.sub('', noun) for noun in nouns])}")
    elif nouns:
        parts.append(f"{have_not} {_list(nouns, 'or')}")
    plain = [text for text in nots if text not in worn]
    groups = [plain + worn]
    if len(worn) > 1:  # "is not wearing a hat or a tie", rather than "wearing a hat or wearing a tie"
        groups = [plain, [worn[0], *(text.removeprefix("wearing ") for text in worn[1:])]]
    parts += [f"{be_not} {_list(group, 'or')}" for group in groups if group]
    return (", and " if len(nouns) > 1 else " and ").join(parts)


def _person(free: list[str], bound: list[str], noun: str) -> str:
    """Adjectives and noun with their article: "an attractive, chubby young Asian man"."""
    return _a(" ".join([", ".join(free), *bound, noun] if free else [*bound, noun]))


def _list(items: Sequence[str], last: str = "and") -> str:
    """One text of several: "a", "a and b", "a, b and c"."""
    return f" {last} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def _pick(options: Sequence[str], rng: Random | None) -> str:
    return options[0] if rng is None else options[int(rng.random() * len(options))]


# ---------------------------------------------------------------- words


def words(text: str) -> list[str]:
    """The lower-case words of a text: split at spaces, hyphens and punctuation, without a possessive 's.

    Example:
        >>> words("A clean-shaven man's 5 o'clock shadow.")
        ['a', 'clean', 'shaven', 'man', '5', "o'clock", 'shadow']
    """
    return [w.removesuffix("'s") for w in _WORD.findall(text.lower().replace("’", "'"))]


@cache
def vocabulary() -> frozenset[str]:
    """Every word of all prompts, paraphrases and captions; a question with other words is out of sample."""
    texts: list[str] = [
        *_LEADS,
        *_PRONOUNS.values(),
        "has also does not is wearing who or and with without have",
    ]
    for row in ATTRIBUTES:
        texts += [row.label, *row.positives, *row.negatives, *prompts(row), *prompts(row, False)]
    texts += [text for options in (*_NOUNS.values(), *MERGED.values()) for text in options]
    return frozenset(word for text in texts for word in words(text))


_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

# ---------------------------------------------------------------- tables

OVERRULES: dict[str, tuple[str, ...]] = {
    "Mustache": ("No_Beard",),
    "Goatee": ("No_Beard",),
    "5_o_Clock_Shadow": ("No_Beard",),
    "Bald": ("Wavy_Hair", "Bangs", *GROUPS["hair color"]),
    "Bangs": ("Fully_Visible_Forehead",),
}
"""Positive label → the positive labels that it contradicts and drops. Exclusive groups are settled before."""

IDLE: dict[str, tuple[str, ...]] = {
    "No_Beard": ("Goatee", "5_o_Clock_Shadow"),
    "Mustache": ("No_Beard",),
    "Goatee": ("No_Beard",),
    "5_o_Clock_Shadow": ("No_Beard",),
    "Bald": ("Wavy_Hair", "Bangs", "Receding_Hairline", *GROUPS["hair color"]),
    "Wavy_Hair": ("Bald",),
    "Bangs": ("Bald", "Fully_Visible_Forehead"),
    "Black_Hair": ("Bald",),
    "Blond_Hair": ("Bald",),
    "Brown_Hair": ("Bald",),
    "Gray_Hair": ("Bald",),
    "Fully_Visible_Forehead": ("Bangs",),
}
"""Positive label → the negative labels that it makes idle, besides those of its exclusive group."""

MERGED: dict[tuple[str, str], tuple[str, ...]] = {
    ("Black_Hair", "Wavy_Hair"): ("wavy black hair", "curly black hair", "wavy jet-black hair"),
    ("Blond_Hair", "Wavy_Hair"): ("wavy blond hair", "curly blond hair", "wavy golden hair"),
    ("Brown_Hair", "Wavy_Hair"): ("wavy brown hair", "curly brown hair", "wavy chestnut hair"),
    ("Gray_Hair", "Wavy_Hair"): ("wavy gray hair", "curly gray hair", "wavy grey hair", "wavy silver hair"),
    ("Brown_Eyes", "Bags_Under_Eyes"): (
        "brown eyes with bags under them",
        "puffy brown eyes",
        "baggy brown eyes",
        "brown eyes with puffiness under them",
    ),
    ("Bushy_Eyebrows", "Arched_Eyebrows"): (
        "bushy arched eyebrows",
        "thick arched eyebrows",
        "bushy arched brows",
    ),
    ("Big_Nose", "Pointy_Nose"): ("a big pointy nose", "a large pointed nose", "a big sharp nose"),
    ("Smiling", "Mouth_Closed"): (
        "a closed-mouth smile",
        "a smile with closed lips",
        "a closed-lipped smile",
    ),
}
"""Two positive labels of one thing → the wordings of both together."""

_LEADS = (
    "A photo of {}",
    "A portrait of {}",
    "A picture of {}",
    "A close-up of {}",
    "A headshot of {}",
    "An image of {}",
    "This is {}",
    "{}",
)
_NOUNS = {1: ("man", "gentleman"), -1: ("woman", "lady"), 0: ("person", "individual")}
_PRONOUNS = {1: "He", -1: "She", 0: "The person"}
_LONG_CAPTION = 8  # nouns in the first sentence; more go into sentences of their own
_LONG_READING = 7
_MOST_NEGATIVES = 3


def _indices(*names: str) -> tuple[int, ...]:
    return tuple(INDEX[name] for name in names)


_MALE = INDEX["Male"]
_FREE = _indices("Attractive", "Smiling", "Chubby", "Bald", "Oval_Face", "Square_Face", "Round_Face")
_BOUND = _indices("Young", "Middle_Aged", "Senior", "Asian", "White", "Black", "Male")
# fmt: off
_ORDER = _indices(
    "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline",
    "Fully_Visible_Forehead", "Obstructed_Forehead", "Oval_Face", "Square_Face", "Round_Face", "Shiny_Skin",
    "Rosy_Cheeks", "High_Cheekbones", "Double_Chin", "Brown_Eyes", "Bags_Under_Eyes", "Bushy_Eyebrows",
    "Arched_Eyebrows", "Big_Nose", "Pointy_Nose", "Sideburns", "Mustache", "Goatee", "5_o_Clock_Shadow",
    "Big_Lips", "Smiling", "Mouth_Closed", "No_Beard", "No_Eyewear", "Heavy_Makeup", "Wearing_Lipstick",
    "Eyeglasses", "Wearing_Earrings", "Wearing_Hat", "Wearing_Necktie",
)
_TELLING = tuple(dict.fromkeys(_indices(
    "No_Beard", "Mouth_Closed", "No_Eyewear", "Bald", "Smiling", "Eyeglasses", "Wearing_Hat", "Young",
    "Bangs", "Wearing_Necktie", "Wavy_Hair", "Mustache", "Receding_Hairline", "Gray_Hair", "Chubby", *NAMES,
)))
_THINGS = frozenset(_indices(
    "Bangs", "Receding_Hairline", "Sideburns", "Mustache", "5_o_Clock_Shadow", "Goatee",
    "Double_Chin", "Bags_Under_Eyes", "Heavy_Makeup", "Wearing_Hat", "Wearing_Earrings", "Wearing_Necktie",
    "Wearing_Lipstick", "Eyeglasses",
))  # what can be there or not: "has no mustache"; but of a shape or color: "does not have a big nose"
# fmt: on

_VALUES = frozenset((-1, 0, 1))
_OBSTRUCTED, _FULLY_VISIBLE = _indices("Obstructed_Forehead", "Fully_Visible_Forehead")
_PLAIN = frozenset(i for i, row in enumerate(ATTRIBUTES) if not row.after)
_WORN = frozenset(i for i, row in enumerate(ATTRIBUTES) if row.after.startswith("wearing "))
_EXCLUSIVE = tuple(
    (frozenset(_indices(*names)), _indices(*sorted(names, key=lambda n: -by_name(n).label_accuracy)))
    for names in GROUPS.values()
    if len(names) > 1
)
_OVERRULES = tuple((INDEX[winner], frozenset(_indices(*losers))) for winner, losers in OVERRULES.items())
_IDLE = {
    i: frozenset(
        _indices(*IDLE.get(row.name, ()), *(n for n in GROUPS.get(row.group or "", ()) if n != row.name))
    )
    for i, row in enumerate(ATTRIBUTES)
    if row.group or row.name in IDLE
}
_MERGED = tuple((INDEX[first], INDEX[second], options) for (first, second), options in MERGED.items())

_UNLISTED = re.compile(r"^(the|their|nothing|something|hair|lips)\b|\b(that|or|and|head)\b")
"""Noun phrases that do not sit well in a list; only a row's first phrase may be one."""


def _pool(phrases: Sequence[str], joint: str, first: str, *, faces: bool = False) -> tuple[str, ...]:
    """The first phrase, then all others of that joint that a list can hold, without the joint."""
    rest = [text for kind, text in map(_split, phrases) if kind == joint and not _UNLISTED.search(text)]
    return tuple(
        dict.fromkeys((first, *(text for text in rest if faces or not re.search(r"\bface\b", text))))
    )


_POSITIVE = tuple(
    _pool(row.positives, *_split(row.positives[0]), faces=row.group == "face shape") for row in ATTRIBUTES
)
PAPER_NOUNS: tuple[tuple[int, str], ...] = tuple(
    (i, _POSITIVE[i][0]) for i in _ORDER if not ATTRIBUTES[i].before
)
"""(column, noun) of all that `paper_caption` lists after "with", in its order."""
_OPPOSITE = {
    i: _pool(row.negatives, *_split(row.negative))
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith(("with ", "wearing "))
}
_OPPOSITE_WORN = frozenset(i for i in _OPPOSITE if ATTRIBUTES[i].negative.startswith("wearing "))
_LACKED = {
    i: _pool(row.negatives, *_split(row.negative), faces=row.group == "face shape")
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith("without ")
}
_NOT = {
    i: _pool(row.negatives, "not", row.after if i in _WORN else _split(row.negative)[1])
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith("not ") or (i in _WORN and i in _LACKED)
}
