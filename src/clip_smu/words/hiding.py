"""What the user hides: attributes and groups by name, one rule for every table, sentence, caption and question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from clip_smu.errors import InputError
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.attributes import NAMES, by_name, resolve
from clip_smu.words.english import words

Hide = str | Iterable[str]
"""Names or labels of attributes, groups or categories, as :func:`clip_smu.words.attributes.resolve` takes them."""


def hidden_names(hide: Hide) -> frozenset[str]:
    """The names of the attributes to leave out.

    Example:
        >>> sorted(hidden_names("race, Male"))
        ['Asian', 'Black', 'Male', 'White']

    Raises:
        InputError: an entry names no attribute, group or category.
    """
    return frozenset(NAMES[k] for k in resolve(hide))


def shown_columns(attributes: Sequence[str], hide: Hide) -> list[int]:
    """Columns of these K attributes, whichever they are and in whatever order, that are not hidden.

    Example:
        >>> shown_columns(["Bald", "Asian", "Male"], "race")
        [0, 2]

    Raises:
        InputError: an entry names no attribute, group or category, or nothing is left.
    """
    hidden = hidden_names(hide)
    keep = [k for k, name in enumerate(attributes) if name not in hidden]
    if not keep and attributes:
        raise InputError(f"no attribute is left to show: all {len(attributes)} are hidden; hide fewer")
    return keep


def refuse_question(question: str, hide: Hide) -> None:
    """Refuses a question about something hidden: one that uses a word of its prompts and paraphrases.

    A word that a shown attribute uses as well is allowed as part of that attribute's phrase: with race hidden, "black
    hair" may be asked, "black" and "black person" not.

    Raises:
        InputError: it is about a hidden attribute; or an entry of ``hide`` names nothing.
    """
    hidden = hidden_names(hide)
    if not hidden:
        return
    asked = _content(question)
    single, phrases = _telling(hidden)
    open_ = [True] * len(asked)
    for span in _allowed(hidden):
        for at in range(len(asked) - len(span) + 1):
            if tuple(asked[at : at + len(span)]) == span:
                open_[at : at + len(span)] = [False] * len(span)
    said = [word for word in words(question) if word not in _PLAIN]
    found = [(said[k], single[word]) for k, word in enumerate(asked) if open_[k] and word in single]
    text = f" {' '.join(asked)} "
    found += [(" ".join(one), about) for one, about in phrases.items() if f" {' '.join(one)} " in text]
    if found:
        word, about = found[0]
        raise _hidden(about, word)


def refuse_meaning(said: Iterable[tuple[str, Sequence[tuple[str, bool]]]], hide: Hide) -> None:
    """Refuses phrases that mean something hidden, whatever their words: with gender hidden, "a widow".

    Args:
        said: phrases, each with the attributes that it means.

    Raises:
        InputError: one is about a hidden attribute; or an entry of ``hide`` names nothing.
    """
    hidden = hidden_names(hide)
    for phrase, means in said:
        for name, _ in means:
            if name in hidden:
                raise _hidden(_about(by_name(name)), phrase)


@cache
def _telling(hidden: frozenset[str]) -> tuple[dict[str, str], dict[tuple[str, ...], str]]:
    """Words, and phrases of several words, that tell what is hidden; each with what it is about."""
    shared = {
        word
        for row in ATTRIBUTES
        if row.name not in hidden
        for text in (row.label, *row.positives, *row.negatives)
        for word in _content(text)
    }
    single: dict[str, str] = {}
    phrases: dict[tuple[str, ...], str] = {}
    for row in (by_name(name) for name in NAMES if name in hidden):
        about = _about(row)
        for text in (row.label, *row.positives, *row.negatives):
            content = _content(text)
            if len(content) > 1:
                phrases.setdefault(tuple(content), about)
            for word in content:
                if len(content) == 1 or word not in shared:
                    single.setdefault(word, about)
        for word in _ALSO.get(row.sensitive or "", "").split():
            single.setdefault(_singular(word), about)
    return single, phrases


@cache
def _allowed(hidden: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """Phrases of several words that shown attributes are told by."""
    spans = (tuple(_content(text)) for row in ATTRIBUTES if row.name not in hidden for text in row.positives)
    return tuple(dict.fromkeys(span for span in spans if len(span) > 1))


def _hidden(about: str, word: str) -> InputError:
    return InputError(
        f"the question is about {about}, which is hidden ({word!r}): ask about something else, or hide less"
    )


def _about(row: Attribute) -> str:
    return row.sensitive or row.group or row.label


def _content(text: str) -> list[str]:
    """The words of a text that say what it is about, in the singular."""
    return [_singular(word) for word in words(text) if word not in _PLAIN]


def _singular(word: str) -> str:
    if word.endswith("men"):
        return f"{word[:-2]}an"
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


_PLAIN = frozenset(
    words(
        "a an the and or nor neither no not non with without wearing wears worn who whose that this in on of at to is "
        "are was be does do has have their very look looks looking like photo portrait picture image person people "
        "individual someone face faces features feature appearance"
    )
)
"""Words that any question may hold."""

_ALSO = {
    "gender": "he she him her his hers himself herself sex gender boy girl mother father son daughter brother sister "
    "husband wife uncle aunt sir madam mr mrs ms mom dad actor actress king queen",
    "age": "age aged ages old older oldest young younger youngest teen teenager teenage child children kid baby "
    "toddler infant year years elder grandmother grandfather twenties thirties forties fifties sixties seventies "
    "adult",
    "race": "race racial ethnic ethnicity descent african caucasian european chinese japanese korean indian hispanic "
    "latino latina arab arabic oriental nonwhite coloured colored",
    "attractiveness": "pretty handsome beautiful ugly cute sexy gorgeous hot attractiveness beauty",
}
"""Other words of common speech for what is sensitive."""
