"""The template store: what is written is read, and what is broken is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_smu.errors import TemplateError
from clip_smu.templates import iter_templates, read_templates
from clip_smu.templates.shards import save_templates
from faces import toy_card, toy_data


def test_round_trip(tmp_path: Path) -> None:
    table, _ = toy_data(50)
    save_templates(tmp_path / "part-0.parquet", table.vectors[:30], table.images[:30], toy_card())
    save_templates(tmp_path / "part-1.parquet", table.vectors[30:], table.images[30:], toy_card())
    read = read_templates(tmp_path)
    np.testing.assert_array_equal(read.vectors, table.vectors)
    assert read.images == table.images
    assert read.identities == table.identities
    np.testing.assert_allclose(read.norms, table.norms)
    assert read.card == toy_card()
    assert [len(part) for part in iter_templates(tmp_path, 20)] == [20, 10, 20]


def test_other_writers_are_read(tmp_path: Path) -> None:
    vectors = np.arange(12, dtype=np.float64).reshape(3, 4)
    pq.write_table(pa.table({"template": vectors.tolist()}), tmp_path / "vendor.parquet")
    read = read_templates(tmp_path / "vendor.parquet")
    np.testing.assert_array_equal(read.vectors, vectors)
    assert read.images == ["vendor.parquet:0", "vendor.parquet:1", "vendor.parquet:2"]
    assert read.card is None
    parts = iter_templates(tmp_path / "vendor.parquet", 2)
    assert [name for part in parts for name in part.images] == read.images
    np.save(tmp_path / "vendor.npy", vectors.astype(np.float16))
    read = read_templates(tmp_path / "vendor.npy")
    np.testing.assert_array_equal(read.vectors, vectors)
    assert read.images[2] == "vendor.npy:2"


def test_refuses(tmp_path: Path) -> None:
    table, _ = toy_data(8)
    with pytest.raises(TemplateError, match="no such templates"):
        read_templates(tmp_path / "no.parquet")
    with pytest.raises(TemplateError, match=r"no \.parquet file"):
        read_templates(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(TemplateError, match=r"no column 'template', .* \(it has: x\)"):
        read_templates(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(TemplateError, match="not a whole Parquet file"):
        read_templates(tmp_path)
    pq.write_table(pa.table({"template": [[1.0], [1.0, 2.0]]}), tmp_path / "a.parquet")
    with pytest.raises(TemplateError, match="one length, found 1 of 1, 1 of 2"):
        read_templates(tmp_path)
    save_templates(tmp_path / "a.parquet", table.vectors, table.images, toy_card())
    save_templates(tmp_path / "b.parquet", table.vectors, table.images, replace(toy_card(), name="other"))
    with pytest.raises(TemplateError, match="different encoders"):
        read_templates(tmp_path)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    with pytest.raises(TemplateError, match="array of numbers"):
        read_templates(tmp_path / "words.npy")
    (tmp_path / "junk.npy").write_bytes(b"junk")
    with pytest.raises(TemplateError, match="not a NumPy array"):
        read_templates(tmp_path / "junk.npy")
    with pytest.raises(TemplateError, match=r"expected \(8, 16\) vectors for toy, found \(8, 3\)"):
        save_templates(tmp_path / "c.parquet", table.vectors[:, :3], table.images, toy_card())
