"""What is left to train on: captions of many rows, one photo a caption, balance, and the report of what went."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.encoders.locate import card
from clip_smu.errors import InputError, LabelError
from clip_smu.labels.balance import class_weights, oversampled
from clip_smu.labels.captions import caption_keys, paper_captions, unique_captions
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.preparation import prepare
from clip_smu.labels.shortening import shorten
from clip_smu.labels.summary import summarise
from clip_smu.labels.writing import write_labels
from clip_smu.templates.shards import REJECTED, REJECTED_SCHEMA, save_templates, write_shard
from clip_smu.text.encoder import TOKENIZER_FILE
from clip_smu.words.attributes import GROUPS, INDEX, NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.contradictions import OVERRULES, settled

PHRASE = {
    name: re.sub(r"^A photo of an? |\bface\b|\bwith\b|\.$", "", paper_caption({name: 1})).strip()
    for name in NAMES
}  # "oval", "gray hair"


def drawn(n: int, yes: float, seed: int = 0) -> NDArray[np.int8]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, 47)) < yes, 1, rng.integers(-1, 1, (n, 47))).astype(np.int8)


# ---------------------------------------------------------------- captions


@pytest.mark.parametrize("yes", [0.0, 0.02, 0.1, 0.3, 0.7, 1.0])
def test_captions_of_many_rows_are_those_of_single_ones(yes: float) -> None:
    labels = drawn(4000, yes)
    assert paper_captions(labels).to_pylist() == [paper_caption(row) for row in labels.tolist()]


def test_captions_of_lfw(shared: Path) -> None:
    with (shared / "data/lfw/lfw_maad47.csv").open(newline="") as file:
        rows = [[int(row[name]) for name in NAMES] for row in csv.DictReader(file)]
    labels = np.array(rows, dtype=np.int8)
    texts = [paper_caption(row) for row in rows]
    assert paper_captions(labels).to_pylist() == texts
    kept = unique_captions(labels, 0)
    assert len(kept) == len(set(texts)) == len({texts[row] for row in kept}) == 10_500


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 1), min_size=47, max_size=47), min_size=1, max_size=8))
def test_rows_have_one_key_if_and_only_if_they_have_one_caption(rows: list[list[int]]) -> None:
    """Among the rows given, and the same without one of the contradictory or negative labels."""
    rows = rows + [[max(value, 0) for value in row] for row in rows] + [settled(row) for row in rows]
    texts, keys = [paper_caption(row) for row in rows], caption_keys(np.array(rows, np.int8)).tolist()
    assert [texts.index(text) for text in texts] == [keys.index(key) for key in keys]


def test_two_captions_that_differ_never_share_a_key() -> None:
    """Every pair of attributes: contradictions settle to one, all others are worded both."""
    pairs = [(i, k) for i in range(47) for k in range(i, 47)]
    labels = np.zeros((len(pairs), 47), np.int8)
    for row, (i, k) in zip(labels, pairs, strict=True):
        row[[i, k]] = 1
    texts = [paper_caption(row) for row in labels.tolist()]
    assert len(set(texts)) == len(set(caption_keys(labels).tolist()))
    contradictory = sum(len(names) * (len(names) - 1) // 2 for names in GROUPS.values())
    contradictory += sum(len(losers) for losers in OVERRULES.values())
    assert len(set(texts)) == len(pairs) - contradictory


def test_one_photo_of_each_caption_is_drawn_at_random() -> None:
    labels = drawn(300, 0.02)
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(paper_captions(labels).to_pylist()):
        groups.setdefault(text, []).append(row)
    largest = max(groups.values(), key=len)
    assert len(largest) > 50
    hits = Counter()
    for seed in range(200):
        kept = unique_captions(labels, seed)
        assert (np.diff(kept) > 0).all()
        chosen = set(kept.tolist())
        assert all(len(chosen.intersection(rows)) == 1 for rows in groups.values())
        hits.update(chosen.intersection(largest))
    assert len(hits) > 0.7 * len(largest)  # 200 draws of about 100 photos
    assert max(hits.values()) < 12
    np.testing.assert_array_equal(unique_captions(labels, 7), unique_captions(labels, 7))


def test_captions_of_no_rows_and_of_other_shapes() -> None:
    empty = np.zeros((0, 47), np.int8)
    assert paper_captions(empty).to_pylist() == []
    assert unique_captions(empty, 0).tolist() == []
    for wrong in (np.zeros((3, 40), np.int8), np.zeros(47, np.int8)):
        with pytest.raises(LabelError, match=r"expected \(N, 47\) labels, found"):
            paper_captions(wrong)


def test_batches_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = drawn(100, 0.2)
    whole, keys = paper_captions(labels).to_pylist(), caption_keys(labels)
    monkeypatch.setattr("clip_smu.labels.captions._BATCH_ROWS", 7)
    assert paper_captions(labels).to_pylist() == whole
    np.testing.assert_array_equal(caption_keys(labels), keys)


# ---------------------------------------------------------------- long captions


def test_long_captions_lose_attributes_until_the_text_encoder_reads_them() -> None:
    """The shipped text encoder reads 32 tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TOKENIZER_FILE))

    def fits(text: str) -> bool:
        return len(tokenizer.encode(text).ids) <= 32

    rng = np.random.default_rng(0)
    cut = 0
    for row in drawn(200, 0.25).tolist():
        text, dropped = shorten(row, fits, rng)
        assert fits(text)
        kept = settled([max(value, 0) for value in row])
        assert (dropped == 0) == fits(paper_caption(row))
        worded = [name for name, value in zip(NAMES, kept, strict=True) if value]
        left = [name for name in worded if re.search(rf"\b{PHRASE[name]}\b", text)]
        assert len(left) == len(worded) - dropped
        assert text == paper_caption(dict.fromkeys(left, 1))
        cut += dropped > 0
    assert 50 < cut < 200


def test_what_is_dropped_is_random_and_counted() -> None:
    row = [int(name in ("Wearing_Hat", "Eyeglasses", "Mustache", "Goatee")) for name in NAMES]
    single = {paper_caption({name: 1}): name for name in ("Wearing_Hat", "Eyeglasses", "Mustache", "Goatee")}
    longest = max(map(len, single))
    rng = np.random.default_rng(0)
    found = Counter(shorten(row, lambda text: len(text) <= longest, rng) for _ in range(400))
    assert {text for text, _ in found} == set(single)
    assert {dropped for _, dropped in found} == {3}
    assert min(found.values()) > 60
    assert shorten(row, lambda text: True, rng) == (paper_caption(row), 0)


def test_a_dropped_winner_does_not_bring_back_what_it_overruled() -> None:
    row = [int(name in ("Bald", "Bangs", "Gray_Hair")) for name in NAMES]
    assert shorten(row, lambda text: "bald" not in text, np.random.default_rng(0)) == (
        "A photo of a face.",
        1,
    )


def test_other_wordings_and_no_fit() -> None:
    row = [int(name in ("Bald", "Wearing_Hat")) for name in NAMES]
    text, dropped = shorten(row, lambda text: len(text) < 30, np.random.default_rng(1), word=caption)
    assert (text, dropped) in (("A photo of a bald person.", 1), ("A photo of a person.", 2))
    with pytest.raises(InputError, match=r"reads at least 'A photo of a face\.', this one does not"):
        shorten(row, lambda text: False, np.random.default_rng(0))


# ---------------------------------------------------------------- balance


@pytest.mark.parametrize("yes", [1, 3, 10, 49, 50, 90, 99])
def test_oversampling_makes_both_sides_equal(yes: int) -> None:
    column = np.array([1] * yes + [-1] * (100 - yes) + [0] * 20, np.int8)
    np.random.default_rng(0).shuffle(column)
    rows = oversampled(column, 3)
    labels = column[rows]
    assert (labels == 1).sum() == (labels == -1).sum() == max(yes, 100 - yes)
    times = np.bincount(rows, minlength=120)
    large = 1 if yes >= 50 else -1
    assert set(times[column == 0]) == {0}
    assert set(times[column == large]) == {1}
    small = times[column == -large] if yes != 50 else times[column != 0]
    assert small.max() - small.min() <= 1
    assert small.min() >= 1
    np.testing.assert_array_equal(rows, oversampled(column, 3))


def test_weights_are_scikit_learns_and_the_oversamplings() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    rng = np.random.default_rng(0)
    column = rng.choice([-1, 0, 1], 500, p=[0.7, 0.2, 0.1]).astype(np.int8)
    weights, known = class_weights(column), column[column != 0]
    balanced = compute_class_weight("balanced", classes=np.array([-1, 1]), y=known)
    assert weights.positive / weights.negative == pytest.approx(balanced[1] / balanced[0])
    assert class_weights(-column) == (weights.positive, weights.negative)
    loss = rng.random(500)
    weighted = (loss * weights.of(column)).sum()
    sums = [loss[oversampled(column, seed)].sum() for seed in range(400)]
    assert np.mean(sums) == pytest.approx(weighted, rel=1e-3)
    assert np.std(sums) > 0
    even = np.concatenate([np.full(30, -1), np.full(10, 1), np.zeros(5)]).astype(np.int8)
    assert loss[:45] @ class_weights(even).of(even) == pytest.approx(loss[oversampled(even, 0)].sum())


def test_the_weighted_classifier_is_the_oversampled_one() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    column = np.where(np.arange(200) < 40, 1, -1).astype(np.int8)
    x[:40] += 0.7
    rows = oversampled(column, 0)
    one = LogisticRegression(tol=1e-10, max_iter=1000).fit(x[rows], column[rows])
    other = LogisticRegression(tol=1e-10, max_iter=1000).fit(
        x, column, sample_weight=class_weights(column).of(column)
    )
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-4)


@pytest.mark.parametrize("column", [[1, 1, 0], [-1, 0], [0], []])
def test_one_sided_columns_cannot_be_balanced(column: list[int]) -> None:
    for balance in (lambda c: oversampled(c, 0), class_weights):
        with pytest.raises(LabelError, match=r"needs labels of both sides, found . yes and . no"):
            balance(np.array(column, np.int8))


# ---------------------------------------------------------------- the chain


@pytest.fixture
def store(tmp_path: Path) -> tuple[Path, Labels, list[str]]:
    """Templates of 20 photos, 5 rejected ones; labels of 14 and of 2 more; a list of 12."""
    names = [f"n{k // 4:06d}/{k:04d}_01.jpg" for k in range(30)]
    folder = tmp_path / "templates"
    (folder / REJECTED).mkdir(parents=True)
    save_templates(folder / "part-00000.parquet", np.ones((16, 128), np.float32), names[:16], card("dlib"))
    again = [*names[16:20], names[3]]  # one photo comes again
    save_templates(folder / "part-00001.parquet", np.ones((5, 128), np.float32), again, card("dlib"))
    reasons = ["no-face", "no-face", "no-face", "truncated", "strange"]
    rows = [
        {"image": names[20 + k], "identity": "", "reason": reason, "message": "m"}
        for k, reason in enumerate(reasons)
    ]
    write_shard(folder / REJECTED / "part-00000.parquet", rows, REJECTED_SCHEMA)
    labelled = names[6:20] + names[28:30]
    values = np.zeros((16, 47), np.int8)
    values[:5, INDEX["Wearing_Hat"]] = (
        1  # five with one caption, and ten, of the photos with templates, with another
    )
    return folder, Labels(labelled, [name[:7] for name in labelled], values), names[4:18] + names[28:29]


def test_prepare_reports_each_step(store: tuple[Path, Labels, list[str]]) -> None:
    folder, labels, only = store
    done = prepare(folder, labels, only, seed=5)
    assert [tuple(row.values()) for row in done.report.rows()] == [
        ("no face found", 26, 3, 23),
        ("strange", 23, 1, 22),
        ("photo cut off", 22, 1, 21),
        ("photo came before", 21, 1, 20),
        ("no label", 20, 6, 14),
        ("not on the list", 14, 2, 12),
        ("same caption as a photo that is kept", 12, 10, 2),
    ]
    assert (done.report.before, done.report.after) == (26, 2)
    assert len(done.templates) == len(done.labels) == 2
    assert set(done.labels[:, INDEX["Wearing_Hat"]].tolist()) == {0, 1}
    assert (done.joined.without_template, done.joined.without_label) == (1, 2)
    assert done.report.preprocessing.startswith("dlib: dlib-chip, 150x150, RGB, mean 0, std 1")
    chosen = {tuple(prepare(folder, labels, only, seed=seed).templates.images) for seed in range(10)}
    assert len(chosen) > 5


def test_prepare_may_keep_all_and_needs_no_list(store: tuple[Path, Labels, list[str]]) -> None:
    folder, labels, _ = store
    done = prepare(folder, labels, unique=False)
    assert [step.name for step in done.report.steps][-1] == "no label"
    assert done.report.after == len(done.templates) == 14
    np.testing.assert_array_equal(done.labels, labels.values[:14])


def test_the_command_prepares(store: tuple[Path, Labels, list[str]], tmp_path: Path) -> None:
    folder, labels, only = store
    write_labels(labels, tmp_path / "l.csv")
    (tmp_path / "only.txt").write_text("\n".join(only))
    arguments = [
        "labels",
        "prepare",
        str(folder),
        "-l",
        str(tmp_path / "l.csv"),
        "--only",
        str(tmp_path / "only.txt"),
    ]
    done = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "kept.txt"), "--seed", "5"])
    assert done.exit_code == 0, done.output
    assert "2 of 26 photos remain (7.7%)" in done.stdout
    assert read_list(tmp_path / "kept.txt") == prepare(folder, labels, only, seed=5).templates.images
    values = json.loads(CliRunner().invoke(app, [*arguments, "--json", "--all"]).stdout)
    assert values["steps"][-1] == {"step": "not on the list", "before": 14, "removed": 2, "after": 12}
    shown = CliRunner().invoke(
        app,
        [
            "labels",
            "show",
            str(tmp_path / "l.csv"),
            "--templates",
            str(folder),
            "--only",
            str(tmp_path / "only.txt"),
        ],
    )
    assert shown.exit_code == 0, shown.output
    assert "16 photos of 5 persons, 2 distinct captions" in shown.stdout
    assert "12 photos with template and label" in shown.stdout


def test_summary_counts() -> None:
    labels = Labels(["a/1.jpg", "a/2.jpg", "3.jpg"], ["a", "a", ""], drawn(3, 0.3))
    found = summarise(labels)
    assert (found.photos, found.persons, found.joined) == (3, 1, None)
    assert found.counts.sum(axis=1).tolist() == [3] * 47
    for name in NAMES:
        column = labels.values[:, INDEX[name]].tolist()
        assert found.counts[INDEX[name]].tolist() == [column.count(1), column.count(-1), column.count(0)]
    assert found.captions == len({paper_caption(row) for row in labels.values.tolist()})
