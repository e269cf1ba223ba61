"""The rule by which names of photos match, against a slow one that looks at every pair."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_smu.photos.names import ABSENT, AMBIGUOUS, NameIndex, match
from clip_smu.photos.spelling import clean, distinct, file_of, folded, folder_of

PART = st.sampled_from(["a", "A", "b", "ann", "é", "E\u0301", "straße", "1"])
SUFFIX = st.sampled_from([".jpg", ".JPG", ".png", "", ".txt"])
BEFORE = st.sampled_from(["", "", "", "./", "/", "x\\"])
NAME = st.builds(
    lambda before, parts, suffix: before + "/".join(parts) + suffix,
    BEFORE,
    st.lists(PART, min_size=1, max_size=4),
    SUFFIX,
)
NAMES = st.lists(NAME, max_size=7)


def in_common(one: str, other: str) -> int:
    """Parts that two names have in common from their end."""
    count = 0
    for a, b in zip(reversed(folded(one).split("/")), reversed(folded(other).split("/")), strict=False):
        if a != b:
            break
        count += 1
    return count


def slow(names: list[str], known: list[str], persons: list[str] | None = None) -> list[int]:
    """The rule, said once more with loops."""
    ours, theirs = (list(dict.fromkeys(map(clean, side))) for side in (names, known))
    return [slow_one(clean(name), ours, theirs, known, persons) for name in names]


def slow_one(
    name: str, ours: list[str], theirs: list[str], known: list[str], persons: list[str] | None
) -> int:
    def row(found: str) -> int:
        return [clean(one) for one in known].index(found)

    if name in theirs:
        return row(name)
    alike = [one for one in theirs if folded(one) == folded(name)]
    if len(alike) == 1 and [folded(one) for one in ours].count(folded(name)) == 1:
        return row(alike[0])
    length = max((in_common(name, one) for one in theirs), default=0)
    if length == 0:
        return ABSENT
    ends_there = [one for one in theirs if in_common(name, one) >= length]
    ends_here = [one for one in ours if in_common(name, one) >= length]
    parts = len(folded(name).split("/"))
    inside = parts == length or any(len(folded(one).split("/")) == length for one in ends_there)
    if length == 1 and not inside:  # another folder's photo of the same file name
        return ABSENT
    if len(ends_there) > 1 or len(ends_here) > 1:
        return AMBIGUOUS
    at = row(ends_there[0])
    if persons is not None and persons[at] and not inside:
        folders = folded(known[at]).split("/")[:-1]
        kept = folders[len(folders) - (length - 1) :]
        who = folded(persons[at] + "/x").split("/")[0]
        if who in folders and who not in kept:
            return ABSENT
    return at


@settings(max_examples=600, deadline=None)
@given(NAMES, NAMES)
def test_many_at_once_as_the_slow_rule_does(names: list[str], known: list[str]) -> None:
    assert match(names, known).at.tolist() == slow(names, known)


@settings(max_examples=300, deadline=None)
@given(NAMES, NAMES, st.data())
def test_with_persons_as_the_slow_rule_does(names: list[str], known: list[str], data: st.DataObject) -> None:
    persons = data.draw(
        st.lists(st.sampled_from(["", "a", "ann", "E\u0301"]), min_size=len(known), max_size=len(known))
    )
    assert match(names, known, persons).at.tolist() == slow(names, known, persons)


@settings(max_examples=300, deadline=None)
@given(NAME, NAMES)
def test_one_by_one_as_the_slow_rule_does(name: str, known: list[str]) -> None:
    once = distinct(known)[0].to_pylist()
    assert NameIndex(once).find(name) == slow([name], once)[0]


@settings(max_examples=300, deadline=None)
@given(NAMES, NAMES, st.lists(NAME, max_size=3))
def test_each_name_is_decided_by_itself(names: list[str], known: list[str], others: list[str]) -> None:
    """Names of other files, on either side, change nothing for these."""
    aside = [f"{name}/elsewhere-{row}.jpg" for row, name in enumerate(others)]
    alone = match(names, known).at.tolist()
    assert match(names + aside, known).at.tolist()[: len(names)] == alone
    assert match(names, known + aside).at.tolist() == alone
    assert (
        match(names, known + aside).at.tolist()
        == match(names + aside[:1], known + aside).at.tolist()[: len(names)]
    )


@settings(max_examples=300, deadline=None)
@given(NAMES, NAMES)
def test_no_two_names_take_one(names: list[str], known: list[str]) -> None:
    at = match(names, known).at
    taken = {clean(name): place for name, place in zip(names, at.tolist(), strict=True) if place >= 0}
    assert len(set(taken.values())) == len(taken)


@settings(max_examples=200, deadline=None)
@given(NAME)
def test_spellings_come_to_an_end(name: str) -> None:
    assert clean(clean(name)) == clean(name)
    assert folded(folded(name) + ".jpg") == folded(name)
    for form in ("NFC", "NFD"):
        assert clean(unicodedata.normalize(form, name)) == clean(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "known", "at"),
    [
        # the bug of before: the last two parts alone gave a stranger's photo ann's labels
        (["db/cat/front/1.jpg"], ["ann/front/1.jpg", "bob/front/1.jpg"], [AMBIGUOUS]),
        (["db/cat/front/1.jpg", "db/ann/front/1.jpg"], ["ann/front/1.jpg"], [AMBIGUOUS, 0]),
        # one whole match does not switch the tails off for the rest
        (["ann/1.jpg", "train/bob/1.jpg"], ["ann/1.jpg", "bob/1.jpg"], [0, 1]),
        # nor one bare name, or one that is there twice
        (["x/1.jpg", "p/2.jpg", "q/2.jpg"], ["1.jpg", "2.jpg", "cat/3.jpg"], [0, AMBIGUOUS, AMBIGUOUS]),
        # a tail is unique among all names, not among those that are left
        (["ann/1.jpg", "copy/ann/1.jpg"], ["ann/1.jpg"], [0, AMBIGUOUS]),
        (["train/ann/1.jpg"], ["ann/1.jpg", "old/ann/1.jpg"], [AMBIGUOUS]),
        # a folder is a person: the file's name alone is not enough where both have one
        (["cat/0001_01.jpg"], ["ann/0001_01.jpg"], [ABSENT]),
        (["0001_01.jpg"], ["ann/0001_01.jpg"], [0]),
        (["img_align_celeba/000001.jpg"], ["000001.jpg"], [0]),
        # another root on either side
        (["/data/lfw/ann/1.jpg"], ["D:\\faces\\ann\\1.jpg"], [0]),
        # as a person compares
        ([".\\Ann\\0001.JPG"], ["ann/0001.png"], [0]),
        (["Beyonce\u0301/1.jpg"], ["Beyonc\u00e9/1.jpg"], [0]),
        (["n000002/0001_01"], ["n000002/0001_01.jpg"], [0]),
        (["ann/1.jpg", "ann/1.png"], ["ann/1.png", "ann/1.jpg"], [1, 0]),
        (["ann/1.bmp"], ["ann/1.png", "ann/1.jpg"], [AMBIGUOUS]),
        (["ann/1.txt"], ["ann/1.jpg"], [ABSENT]),
        # a whole name comes before a longer one that ends like it
        (["ann/1.jpg"], ["old/ann/1.jpg", "ann/1.png"], [1]),
        # as in public reports: deepface 710, 1304 (an accent), face_recognition 1678 (`.jpg.bak`)
        (["V:\\Portraits\\7E\\Amelia Mumme\u0301.jpg"], ["7E/Amelia Mumm\u00e9.jpg"], [0]),
        (["Ricard_Sa\u0301nchez.JPG"], ["players/Ricard_S\u00e1nchez.jpg", "players/Ricard.jpg"], [0]),
        (["known/photo.jpg.bak", "known/notes.jpegdoc"], ["known/photo.jpg", "known/notes.jpeg"], [ABSENT, ABSENT]),
        ([], ["a"], []),
        (["a"], [], [ABSENT]),
    ],
)  # fmt: skip
def test_the_rule_by_example(names: list[str], known: list[str], at: list[int]) -> None:
    assert match(names, known).at.tolist() == at == slow(names, known)


def test_an_ambiguous_tail_is_named() -> None:
    found = match(["p/z.jpg", "db/cat/front/1.jpg"], ["ann/front/1.jpg", "bob/front/1.jpg"])
    assert found.ambiguous == 1
    assert found.first == ("db/cat/front/1.jpg: 2 known and 1 given names end in front/1.jpg")
    assert match(["a"], ["a"]).first == ""


def test_the_persons_folder_must_lie_in_the_tail() -> None:
    assert match(["db/cat/front/1.jpg"], ["ann/front/1.jpg"], ["ann"]).at.tolist() == [ABSENT]
    assert match(["db/cat/front/1.jpg"], ["x/ann/front/1.jpg"], ["Ann"]).at.tolist() == [ABSENT]
    assert match(["db/ann/front/1.jpg"], ["x/ann/front/1.jpg"], ["Ann"]).at.tolist() == [0]
    assert match(["front/1.jpg"], ["ann/front/1.jpg"], ["ann"]).at.tolist() == [0]
    assert match(["db/front/1.jpg"], ["old/front/1.jpg"], ["2880"]).at.tolist() == [0]


def test_folder_and_file() -> None:
    names = ["train/ann/1.jpg", "D:\\lfw\\bob\\2.jpg", "./E\u0301/3.jpg", "4.jpg", "/5.jpg"]
    assert [folder_of(name) for name in names] == ["ann", "bob", "\u00c9", "", ""]
    assert file_of("Train\\Ann/0001.JPG") == file_of("0001.png") == "0001"
    assert file_of("ann/1.tar.gz") == "1.tar.gz"


@pytest.mark.parametrize("name", ["/a//b/./c", "./a/b/c/", " a/b/c ", "././a\\b\\\\c", "a/b/c/."])
def test_what_says_nothing_is_not_read(name: str) -> None:
    assert clean(name) == "a/b/c"
    assert distinct([name])[0].to_pylist() == ["a/b/c"]
    assert clean("..") == ".." and clean(".") == "." and clean("../a") == "../a"


def test_names_that_come_twice() -> None:
    names, rows, places = distinct(["b", "./a", "b", "a", "c"])
    assert names.to_pylist() == ["b", "a", "c"]
    assert (rows.tolist(), places.tolist()) == ([0, 1, 4], [0, 1, 0, 1, 2])
    assert match(["a", "./a", "b"], ["b", "a", "./b", "a"]).at.tolist() == [1, 1, 0]


def test_an_index_of_an_arrow_column() -> None:
    index = NameIndex(pa.array(["ann/1", "bob/1"]))  # type: ignore[arg-type]
    assert (index.find("train/bob/1.jpg"), index.find("1.jpg"), index.find("cat/1")) == (1, AMBIGUOUS, ABSENT)


def test_many_names_under_another_folder() -> None:
    known = [f"n{row // 50:04d}/{row % 50:03d}.jpg" for row in range(20_000)]
    names = [f"train/{name}" for name in reversed(known)]
    np.testing.assert_array_equal(match(names, known).at, np.arange(20_000)[::-1])
