"""CLIP's tokenizer against the token ids of the official code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_smu.errors import InputError
from clip_smu.text.clip_tokenizer import ClipTokenizer, clean


@pytest.fixture(scope="module")
def tokenizer(shared: Path) -> ClipTokenizer:
    return ClipTokenizer(shared / "weights" / "bpe_simple_vocab_16e6.txt.gz")


@pytest.fixture(scope="module")
def captions(golden: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((golden / "clip_tokens_golden.json").read_text())["captions"]
    return rows


def test_golden_ids(tokenizer: ClipTokenizer, captions: list[dict[str, Any]]) -> None:
    assert len(captions) == 36
    for row in captions:
        assert tokenizer.bpe(row["text"]) == row["bpe_ids"], row["text"]
        ids = tokenizer.encode([row["text"]], truncate=True)[0]
        assert ids.shape == (77,)
        known = row["row_nonzero_part"]
        assert ids[: len(known)].tolist() == known
        assert not ids[len(known) :].any()
        assert int(np.argmax(ids)) == row["argmax_position"]


def test_too_long_is_refused_unless_asked(tokenizer: ClipTokenizer, captions: list[dict[str, Any]]) -> None:
    too_long = [row["text"] for row in captions if not row["fits_77"]]
    assert len(too_long) == 2
    for text in too_long:
        with pytest.raises(InputError, match="CLIP reads 77: shorten it"):
            tokenizer.encode([text])
    assert tokenizer.encode([row["text"] for row in captions if row["fits_77"]]).shape == (34, 77)


def test_saved_json_gives_the_same(
    tokenizer: ClipTokenizer, captions: list[dict[str, Any]], tmp_path: Path
) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    again = ClipTokenizer(tmp_path / "tokenizer.json")
    assert all(again.bpe(row["text"]) == row["bpe_ids"] for row in captions)


def test_clean_up() -> None:
    assert clean("Caf\u00e9 \u2018Na\u00efve\u2019\u0000") == "caf\u00e9 'na\u00efve'"
    assert clean("\u00e2\u0153\u201d ok") == "\u2714 ok"
    assert clean("&lt;b&amp;gt; \n\t x") == "<b> x"


@pytest.mark.parametrize("name", ["missing.txt.gz", "wrong.txt.gz", "wrong.json", "wrong.txt"])
def test_wrong_vocabulary(tmp_path: Path, name: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="expected"):
        ClipTokenizer(tmp_path / name)
