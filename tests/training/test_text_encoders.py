"""The table of text encoders: a BERT against transformers' own, what is trained of it, what is exported, refusals."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import InputError, MissingExtraError
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.english import words
from clip_smu.words.lexicon import lexicon
from clip_smu.words.prompts import prompts
from faces import DIM, toy_data

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clip_smu.text.encoder import TextEncoder  # noqa: E402
from clip_smu.text.meaning import LEAST  # noqa: E402
from clip_smu.training import meanings, minilm  # noqa: E402
from clip_smu.training.clip_encoder import EncoderSize  # noqa: E402
from clip_smu.training.fit import fit  # noqa: E402
from clip_smu.training.fit_config import FitConfig  # noqa: E402
from clip_smu.training.language import learn_language  # noqa: E402
from clip_smu.training.lessons import lessons_of  # noqa: E402
from clip_smu.training.objectives import OBJECTIVES  # noqa: E402
from clip_smu.training.text_encoders import build_text_encoder, kind_of, text_tokenizer  # noqa: E402
from clip_smu.training.text_export import export_text_encoder, to_onnx  # noqa: E402
from clip_smu.training.text_shrink import prune_words  # noqa: E402
from clip_smu.training.tokens import padded_ids  # noqa: E402

SENTENCES = ("a fedora", "She has long, wavy hair and no glasses.", "grey-haired", "Zoë's moustache")


def installed() -> bool:
    try:
        return importlib.metadata.version(minilm.PACKAGE) == minilm.VERSION
    except importlib.metadata.PackageNotFoundError:
        return False


needs_minilm = pytest.mark.skipif(
    not installed(), reason=f"needs the extra [language]: {minilm.PACKAGE} {minilm.VERSION} is not installed"
)


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and a vocabulary of its kind, as sentence-transformers saves one."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = BertWordPieceTokenizer(lowercase=True)
    texts = [text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side)]
    tokenizer.train_from_iterator(
        [*texts, *"abcdefghijklmnopqrstuvwxyz"], vocab_size=900, show_progress=False
    )
    words = tokenizer.get_vocab_size()
    tokenizer = BertWordPieceTokenizer(tokenizer.get_vocab(), lowercase=True)  # now with [CLS] and [SEP]
    tokenizer.enable_truncation(8)  # as the hub's files may; it must not cut sentences unseen
    tokenizer.enable_padding(length=30)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=words, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def sentence_vectors(folder: Path) -> np.ndarray:
    """By transformers alone: one sentence after the other, mean of the last hidden states, norm 1."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    with torch.no_grad():
        for sentence in SENTENCES:
            mean = (
                model(**tokenizer(sentence, return_tensors="pt", truncation=False))
                .last_hidden_state[0]
                .mean(dim=0)
            )
            rows.append((mean / mean.norm()).numpy())
    return np.stack(rows)


def agrees(name: str, folder: Path, width: int) -> None:
    """Untrained and as wide as itself, text encoder and meaning are what transformers computes, padded or not."""
    made = build_text_encoder(name, width, EncoderSize(), 0).eval()
    ids = padded_ids(text_tokenizer(name), SENTENCES, made.context)
    assert (ids == 0).any()  # padding
    with torch.no_grad():
        text, meaning = made.outputs(ids).values()
        assert torch.equal(made(ids), text)
    expected = sentence_vectors(folder)
    np.testing.assert_allclose(text, expected, atol=1e-5)
    np.testing.assert_allclose(meaning, expected, atol=1e-5)


def test_a_bert_is_what_transformers_computes(bert_folder: Path) -> None:
    assert kind_of(str(bert_folder)) == "bert"
    agrees(str(bert_folder), bert_folder, 16)


@needs_minilm
def test_minilm_is_what_transformers_computes(tmp_path: Path) -> None:
    for file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes(minilm.minilm_file(file))
    agrees("minilm", tmp_path, 384)


def test_another_length_gets_a_projection_of_the_seed(bert_folder: Path) -> None:
    one, same, other = (build_text_encoder(str(bert_folder), 5, EncoderSize(), seed) for seed in (0, 0, 1))
    assert one.text_projection.weight.shape == (5, 16)
    assert torch.equal(one.text_projection.weight, same.text_projection.weight)
    assert not torch.equal(one.text_projection.weight, other.text_projection.weight)


@pytest.mark.parametrize("name", ["folder", pytest.param("minilm", marks=needs_minilm)])
def test_exported_it_is_the_same(name: str, bert_folder: Path, tmp_path: Path) -> None:
    name = str(bert_folder) if name == "folder" else name
    made, tokenizer = build_text_encoder(name, 7, EncoderSize(), 0), text_tokenizer(name)
    with torch.no_grad():
        for value in made.learnt.parameters():  # as if it had been trained
            value.mul_(1.1)
    ids = padded_ids(tokenizer, SENTENCES, made.context)
    with torch.no_grad():
        text, meaning = made.eval().outputs(ids).values()
    (tmp_path / "it.onnx").write_bytes(to_onnx(made, ids[:2]))
    tokenizer.save(str(tmp_path / "it.json"))
    plain = TextEncoder(tmp_path / "it.onnx", tmp_path / "it.json", made.context)
    np.testing.assert_allclose(plain.encode(SENTENCES), text, atol=1e-5)
    np.testing.assert_allclose(plain.meanings(SENTENCES), meaning, atol=1e-5)
    assert np.abs((text[0] - text[1]).numpy()).max() > 1e-3


@needs_minilm
def test_as_it_ships_it_is_small_and_nearly_the_same(tmp_path: Path) -> None:
    made, tokenizer = build_text_encoder("minilm", 384, EncoderSize(), 0).eval(), text_tokenizer("minilm")
    with torch.no_grad():
        text = made(padded_ids(tokenizer, SENTENCES, made.context)).numpy()
    shipped = export_text_encoder(made, tokenizer, tmp_path, SENTENCES)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 20e6
    for vectors in (shipped.encode(SENTENCES), shipped.meanings(SENTENCES)):
        assert (vectors * text).sum(axis=1).min() > 0.97


def test_pruning_leaves_known_sentences_as_they_were(bert_folder: Path) -> None:
    made, tokenizer = (
        build_text_encoder(str(bert_folder), 7, EncoderSize(), 0),
        text_tokenizer(str(bert_folder)),
    )
    known = SENTENCES[:3]
    ids = padded_ids(tokenizer, known)
    with torch.no_grad():
        before = made(ids)
    fewer = prune_words(made, tokenizer, known, most=5)
    assert fewer.get_vocab_size() < tokenizer.get_vocab_size() / 2
    assert [one.tokens for one in fewer.encode_batch(known)] == [
        one.tokens for one in tokenizer.encode_batch(known)
    ]
    renumbered = padded_ids(fewer, known)
    assert not torch.equal(renumbered, ids)
    with torch.no_grad():
        assert torch.equal(made(renumbered), before)
    assert "[UNK]" not in fewer.encode("a quokka").tokens  # any English word can be spelt


def test_a_fit_trains_its_last_layer_alone(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrases, classes, signs = meanings.known_phrases()
    some = np.arange(0, len(phrases), 100)
    monkeypatch.setattr(meanings, "known_phrases", lambda: ([phrases[k] for k in some], classes[some], signs))
    monkeypatch.setattr(meanings, "about_anything", lambda *_: ["paper crane"])
    faces, labels = toy_data(120)
    config = FitConfig(
        objective="attribute", text_encoder=str(bert_folder), steps=3, folds=2, batch_size=64, device="cpu"
    )
    made = fit(faces, labels, tmp_path / "it", config=config)
    assert made.dim == DIM
    before = build_text_encoder(str(bert_folder), DIM, EncoderSize(), 0)
    ids = padded_ids(text_tokenizer(str(bert_folder)), SENTENCES, before.context)
    with torch.no_grad():
        text, meaning = before.outputs(ids).values()
    assert (made.text_encoder.meanings(SENTENCES) * meaning.numpy()).sum(axis=1).min() > 0.99
    assert np.abs(made.text_encoder.encode(SENTENCES) - text.numpy()).max() > 1e-3
    found = made.read_phrase(phrases[some[0]])
    assert found is None or found[1] >= LEAST
    assert "meanings.safetensors" in made.files
    assert made.provenance["settings"]["learning_rate"] == 1e-3  # the objective's own, not a CLIP's
    first = prompts(ATTRIBUTES[0], True)
    mean = made.text_encoder.encode(first).mean(axis=0)
    assert mean @ made.positive[0] / np.linalg.norm(mean) > 0.99


# ---------------------------------------------------------------- what cannot be had


def test_without_its_package_minilm_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> None:
        raise importlib.metadata.PackageNotFoundError

    minilm.archive.cache_clear()
    monkeypatch.setattr(importlib.metadata, "files", none)
    for ask in (text_tokenizer, lambda name: build_text_encoder(name, 16, EncoderSize(), 0)):
        with pytest.raises(MissingExtraError, match=r"^the text encoder minilm needs the extra \[language\]"):
            ask("minilm")


def test_another_archive_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_bytes(b"not the one")

    class Listed:
        name = "model.zip"

        def locate(self) -> Path:
            return tmp_path / "model.zip"

    minilm.archive.cache_clear()
    for files in ([Listed()], []):
        monkeypatch.setattr(importlib.metadata, "files", lambda _, files=files: files)
        with pytest.raises(InputError, match=r"0\.1\.2 with sha256 0872f5d7d0e8.*--force-reinstall"):
            text_tokenizer("minilm")


def test_other_kinds_and_halves_are_refused(bert_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(bert_folder, tmp_path / "it")
    config = json.loads((tmp_path / "it/config.json").read_text())
    (tmp_path / "it/config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    with pytest.raises(InputError, match=r"expected a text encoder of kind clip or bert in .*, found gpt2"):
        kind_of(str(tmp_path / "it"))
    (tmp_path / "it/config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    with pytest.raises(InputError, match=r"weights of a BERT .* found none for 16 arrays.*encoder\.layer\.3"):
        build_text_encoder(str(tmp_path / "it"), 16, EncoderSize(), 0)


def test_taught_a_bert_learns_the_lexicon_too(bert_folder: Path) -> None:
    settings = FitConfig(objective="taught", text_encoder=str(bert_folder), device="cpu").training("toy")
    tokenizer = text_tokenizer(str(bert_folder))
    language = learn_language(str(bert_folder), 64, OBJECTIVES["taught"].reading)
    lessons = lessons_of(settings, language)
    entries = [one for one in lexicon().values() if one.kind not in ("prompt", "inflection", "spelling")]
    meanings_of_entries = {one.means for one in entries}
    assert len(lessons.counts) == 94 + len(meanings_of_entries)
    assert lessons.counts[94:].sum() == len(entries) and lessons.counts.sum() == len(lessons.ids)
    group = next(g for g in range(94, len(lessons.counts)) if lessons.means[g].abs().sum() == 2)
    holds = {NAMES[int(k)]: bool(lessons.means[group, k] > 0) for k in lessons.means[group].nonzero()}
    first = tokenizer.decode(lessons.ids[lessons.offsets[group]].tolist())
    assert any(words(one.phrase)[0] in first for one in entries if dict(one.means) == holds)
    directions = torch.eye(len(NAMES))
    aims = lessons.aims(directions)
    assert torch.allclose(aims[group], lessons.means[group] / 2**0.5)
    assert torch.equal(aims[:94], torch.cat([directions, -directions]))
    assert len(lessons_of(replace(settings, text_encoder="mini"), language).counts) == 94
