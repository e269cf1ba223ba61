"""Zero-shot: cosines to CLIP's own prompts, nothing asserted without labels, refusals that help."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clip_smu import cli
from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError, InputError, InterpreterError, LabelError, TemplateError
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.labels.labels import Labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.text.encoder import TextEncoder
from clip_smu.training.zero_shot import zero_shot
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import paper_caption
from clip_smu.words.prompts import prompt, prompts
from places import LFW_READER

DIM = 128


@pytest.fixture(scope="module")
def mini() -> Path:
    """A folder with a text encoder as ONNX and its tokenizer: that of the shipped interpreter."""
    folder = load_interpreter(LFW_READER).folder
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def faces(mini: Path) -> tuple[Templates, Labels]:
    """300 faces of 60 persons, who have what their templates are near to, with errors and gaps."""
    encoder = TextEncoder(mini / "text_encoder.onnx", mini / "tokenizer.json")
    directions = encoder.encode([prompt(row) for row in ATTRIBUTES])
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, DIM)).astype(np.float32)
    cosines = vectors @ directions.T / np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.where(cosines + rng.normal(size=(300, 47)) * 0.04 > 0.03, 1, -1).astype(np.int8)
    values[rng.random((300, 47)) < 0.1] = 0
    values[:, 3] = rng.choice(np.array([-1, 1], dtype=np.int8), 300)  # nothing to see
    persons = [f"p{row // 5}" for row in range(300)]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(persons)]
    norms = np.linalg.norm(vectors, axis=1).astype(np.float32)
    return Templates(vectors, images, np.zeros(300, np.int16), persons, norms, card("dlib")), Labels(
        images, persons, values
    )


def test_a_reading_is_the_cosine_to_the_prompt(mini: Path, tmp_path: Path) -> None:
    made = zero_shot(mini, tmp_path / "it", encoder="dlib")
    encoder = TextEncoder(mini / "text_encoder.onnx", mini / "tokenizer.json")
    vectors = np.random.default_rng(1).normal(size=(20, DIM)) * 7
    read = made.interpret(vectors)
    for k, row in enumerate(ATTRIBUTES):
        text = encoder.encode([prompt(row)])[0].astype(np.float64)
        for n in (0, 13):
            cosine = vectors[n] @ text / math.sqrt(vectors[n] @ vectors[n]) / math.sqrt(text @ text)
            assert read.scores[n, k] == pytest.approx(cosine, abs=2e-6)
    assert [prompt(row) for row in ATTRIBUTES] == [
        paper_caption({name: 1}) for name in NAMES
    ]  # as in the paper


def test_without_labels_nothing_is_asserted(mini: Path, tmp_path: Path) -> None:
    made = zero_shot(mini, tmp_path / "it", encoder="dlib", name="clip")
    read = made.interpret(np.random.default_rng(2).normal(size=(50, DIM)))
    assert not read.verdicts.any()
    assert (read.probabilities == 0.5).all()
    assert read[0].sentence == "This template gives away none of the attributes that can be told."
    assert {row.reason for row in made.evidence} == {"no labelled faces"}
    assert made.evidence[0].label_accuracy == ATTRIBUTES[0].label_accuracy
    assert (made.name, made.encoder, made.provenance["objective"]) == ("clip", "dlib", "zero-shot")
    assert made.provenance["verdicts"] is None
    text = (tmp_path / "it/README.md").read_text()
    assert "nothing was trained" in text and "Not calibrated" in text
    assert not re.search(r"[{}]", text)
    json.loads((tmp_path / "it/interpreter.json").read_text(), parse_constant=pytest.fail)  # no NaN
    answers = made.ask("wears spectacles", np.eye(3, DIM))
    assert answers.unseen == ()
    assert made.ask("plays the violoncello", np.eye(3, DIM)).unseen == ("plays", "violoncello")


def test_labelled_faces_calibrate_it(mini: Path, tmp_path: Path, faces: tuple[Templates, Labels]) -> None:
    table, labels = faces
    train, test = table.images[:200], table.images[200:]
    made = zero_shot(
        mini, tmp_path / "it", encoder="dlib", templates=table, labels=labels, train=train, test=test
    )
    scores = made.read(table.vectors)[0]
    for k in (0, 3, 20):
        known = np.flatnonzero(labels.values[200:, k]) + 200
        auc = roc_auc_score(labels.values[known, k], scores[known, k])
        assert made.evidence[k].auc == pytest.approx(auc, abs=1e-9)
        assert made.evidence[k].n_positive == (labels.values[known, k] > 0).sum()
    read = made.interpret(table.vectors[200:])
    assert not read.verdicts[:, 3].any()  # chance is never asserted
    asserted = (read.verdicts != 0) & (labels.values[200:] != 0)
    wrong = (read.verdicts != labels.values[200:])[asserted].mean()
    assert wrong == pytest.approx(made.provenance["verdicts"]["error"])
    assert wrong < 0.15 and asserted.mean() > 0.3  # chosen: 0.10, from 200 faces
    assert made.provenance["trained_on"]["faces"] == 0
    assert made.provenance["calibrated_on"] == {
        "faces": 200,
        "persons": 40,
        "without_label": 0,
        "not_listed": 100,
        "without_template": 0,
    }
    text = (tmp_path / "it/README.md").read_text()
    assert "Calibrated on 200 faces of 40 persons, measured on 100 faces of the test list" in text
    assert text.count("\n| ") == 48


def test_without_a_test_list_one_fold_of_persons_is_kept_back(
    mini: Path, tmp_path: Path, faces: tuple[Templates, Labels]
) -> None:
    table, labels = faces
    made = zero_shot(mini, tmp_path / "it", encoder="dlib", templates=table, labels=labels)
    fold_of = identity_folds(table.identities, 5, 0)
    held, rest = np.flatnonzero(fold_of == 0), np.flatnonzero(fold_of != 0)
    split = zero_shot(
        mini, tmp_path / "split", encoder="dlib", templates=table, labels=labels,
        train=[table.images[row] for row in rest], test=[table.images[row] for row in held],
    )  # fmt: skip
    assert repr(made.evidence) == repr(split.evidence)  # NaN is not equal to itself
    np.testing.assert_array_equal(made.calibration.slope, split.calibration.slope)
    assert "one of 5 identity folds" in made.provenance["evidence_from"]
    with pytest.raises(LabelError, match="at least 5 persons, found 4"):
        zero_shot(
            mini, tmp_path / "no", encoder="dlib", templates=table, labels=labels, train=table.images[:20]
        )


def test_the_same_job_is_not_repeated_and_another_is_refused(mini: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it"
    made = zero_shot(mini, folder, encoder="dlib")
    before = (folder / "interpreter.json").stat().st_mtime_ns
    assert zero_shot(mini, folder, encoder="dlib").provenance == made.provenance
    assert (folder / "interpreter.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="already holds another interpreter"):
        zero_shot(mini, folder, encoder="dlib", error_rate=0.05)
    assert zero_shot(mini, folder, encoder="dlib", error_rate=0.05, overwrite=True).error_rate == 0.05
    (folder / "interpreter.json").unlink()  # as if killed before the end: the same command goes on
    assert zero_shot(mini, folder, encoder="dlib").error_rate == 0.10
    (tmp_path / "full").mkdir()
    (tmp_path / "full/photo.jpg").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        zero_shot(mini, tmp_path / "full", encoder="dlib")


def test_refuses_data(mini: Path, tmp_path: Path, faces: tuple[Templates, Labels]) -> None:
    table, labels = faces
    given = {"templates": table, "labels": labels}
    for arguments, error, words in (
        ({"templates": table}, InputError, "give both, or neither"),
        ({"train": ["a.jpg"]}, InputError, "give templates and labels with it"),
        ({"error_rate": 0.9}, InputError, "error_rate must be between"),
        (
            {**given, "encoder": "clip-vit-b32"},
            EncoderError,
            "is to read templates of clip-vit-b32, these are of dlib",
        ),
        (
            {"encoder": "clip-vit-b32"},
            EncoderError,
            "vectors of length 128, templates of clip-vit-b32 have 512",
        ),
        (
            {**given, "train": table.images[:203], "test": table.images[203:]},
            LabelError,
            "1 persons are in both .* p40",
        ),
    ):
        with pytest.raises(error, match=words):
            zero_shot(mini, tmp_path / "it", **{"encoder": "dlib", **arguments})
    short = replace(table, vectors=table.vectors[:, :64].copy(), card=None)
    with pytest.raises(EncoderError, match="length 128, the templates have 64"):
        zero_shot(mini, tmp_path / "it", encoder="dlib", templates=short, labels=labels)
    broken = replace(table, vectors=table.vectors.copy())
    broken.vectors[:] = 0
    with pytest.raises(TemplateError, match=r"none of 300 labelled templates can be used \(300 zero\)"):
        zero_shot(mini, tmp_path / "it", encoder="dlib", templates=broken, labels=labels)
    assert not (tmp_path / "it/interpreter.json").exists()


def test_refuses_text_encoders(mini: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    folder = tmp_path / "text"
    folder.mkdir()
    shutil.copy(mini / "text_encoder.onnx", folder / "clip-text.onnx")

    def make(where: Path = folder) -> None:
        zero_shot(where, tmp_path / "it", encoder="dlib")

    with pytest.raises(InputError, match=r"no such text encoder: .*none\.onnx"):
        make(folder / "none.onnx")
    with pytest.raises(
        InputError, match=r"bpe_simple_vocab_16e6\.txt\.gz or a tokenizer\.json beside .*, found neither"
    ):
        make()
    tokenizer = json.loads((mini / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="cannot read it"):
        make()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"post_processor": None}))
    with pytest.raises(InputError, match=r"puts <\|startoftext\|> and <\|endoftext\|> around"):
        make()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "another-text.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"several text encoders \(another-text\.onnx, clip-text\.onnx\)"):
        make()
    make(folder / "clip-text.onnx")  # a file is enough
    assert load_interpreter(tmp_path / "it").provenance["text_encoder"] == "clip-text.onnx"
    (folder / "another-text.onnx").unlink()
    (folder / "clip-text.onnx").rename(folder / "clip-vit-b32.onnx")
    with pytest.raises(InputError, match=r"expected a text encoder .* found clip-vit-b32\.onnx"):
        make()
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "other", ends[:1], ends[1:])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "text.onnx",
    )
    with pytest.raises(InterpreterError, match="cannot be run: expected an input input_ids"):
        zero_shot(folder / "text.onnx", tmp_path / "other", encoder="dlib")
    assert not (tmp_path / "other/interpreter.json").exists()


def test_command(
    mini: Path,
    tmp_path: Path,
    faces: tuple[Templates, Labels],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, labels = faces
    save_templates(tmp_path / "t/part-00000.parquet", table.vectors, table.images, card("dlib"))
    rows = [",".join(["Filename", "Identity", *NAMES])]
    for image, person, values in zip(labels.images, labels.identities, labels.values.tolist(), strict=True):
        rows.append(",".join([image, person, *map(str, values)]))
    (tmp_path / "labels.csv").write_text("\n".join(rows))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clip-smu", "zero-shot", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    code, out, err = run("--text-encoder", mini, "-e", "dlib", "-o", tmp_path / "plain")
    assert (code, err) == (0, "")
    assert "47 prompts of length 128, not calibrated" in out
    code, out, err = run(
        "--text-encoder", mini, "-e", "dlib", "-o", tmp_path / "it",
        "--templates", tmp_path / "t", "--labels", tmp_path / "labels.csv",
    )  # fmt: skip
    assert (code, err) == (0, "")
    aucs = [row.auc for row in load_interpreter(tmp_path / "it").evidence]
    assert f"mean AUC {np.mean(aucs):.4f} over 47 attributes" in out
    assert "wrong verdicts" in out
    code, out, err = run("--text-encoder", mini, "-o", tmp_path / "no")
    assert code == 1 and "two halves of one CLIP" in err and len(err.splitlines()) == 1


# ---------------------------------------------------------------- CLIP itself


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP text encoder of transformers' form, small and random, with a byte-pair vocabulary of its own."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    start, end = "<|startoftext|>", "<|endoftext|>"
    tokenizer = Tokenizer(models.BPE(unk_token=end, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[start, end], end_of_word_suffix="</w>")
    tokenizer.train_from_iterator([text for row in ATTRIBUTES for text in prompts(row)], trainer)
    ids = [tokenizer.token_to_id(token) for token in (start, end)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=list(zip((start, end), ids, strict=True))
    )
    folder = tmp_path_factory.mktemp("tiny-clip")
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, intermediate_size=32, projection_dim=12,
        num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=77,
        bos_token_id=ids[0], eos_token_id=ids[1], pad_token_id=ids[1],
    )  # fmt: skip
    transformers.CLIPTextModelWithProjection(config).eval().save_pretrained(folder)
    return folder


def test_a_clip_of_transformers_form(tiny_clip: Path, tmp_path: Path) -> None:
    """Its vectors are those of transformers' own model, asked directly."""
    import torch
    from tokenizers import Tokenizer
    from transformers import CLIPTextModelWithProjection

    made = zero_shot(tiny_clip, tmp_path / "it", encoder="my-clip")
    model = CLIPTextModelWithProjection.from_pretrained(tiny_clip).eval()
    tokenizer = Tokenizer.from_file(str(tiny_clip / "tokenizer.json"))

    def text_of(sentence: str) -> np.ndarray:
        with torch.no_grad():
            vector = model(input_ids=torch.tensor([tokenizer.encode(sentence).ids])).text_embeds[0].numpy()
        return vector / np.linalg.norm(vector)

    assert (made.dim, made.encoder, made.provenance["context"]) == (12, "my-clip", 77)
    for k in (0, 13, 46):
        np.testing.assert_allclose(made.positive[k], text_of(prompt(ATTRIBUTES[k])), atol=1e-5)
    assert not made.negative.any() and not made.centre.any()
    vectors = np.random.default_rng(0).normal(size=(4, 12))
    long = "a photo of a face with " + "wavy hair and " * 10 + "a hat"  # more tokens than `mini` reads
    assert len(tokenizer.encode(long).ids) > 32
    expected = vectors @ text_of(long) / np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(made.ask(long, vectors).scores, expected, atol=1e-5)
    assert {"eyeglasses", "hair"} <= made.known_words


def test_what_is_no_clip(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"bpe_simple_vocab_16e6\.txt\.gz or a tokenizer\.json"):
        zero_shot(tmp_path / "empty", tmp_path / "it")


@pytest.mark.slow
def test_readings_of_clip_are_its_logits(golden: Path, shared: Path, tmp_path: Path) -> None:
    """ViT-B/32 under the rule's weights: cosines times CLIP's scale are the official code's logits_per_image."""
    pytest.importorskip("torch")
    from safetensors.torch import save_file

    import fill_rule
    from clip_smu.encoders.conversion import clip
    from clip_smu.encoders.conversion.convert import convert

    state = fill_rule.filled(clip.official_shapes(32), fill_rule.GAIN["clip"])
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "clip.safetensors")
    convert(tmp_path / "clip.safetensors", "clip-vit-b32-text", tmp_path / "text")
    (tmp_path / "clip.safetensors").unlink()
    shutil.copy(shared / "weights/bpe_simple_vocab_16e6.txt.gz", tmp_path / "text")
    made = zero_shot(tmp_path / "text", tmp_path / "it")
    assert (made.encoder, made.dim, made.provenance["context"]) == ("clip-vit-b32", 512, 77)
    assert {"spectacles", "beard"} <= made.known_words
    texts = {tuple(row["row_nonzero_part"]): row["text"] for row in json.loads(
        (golden / "clip_tokens_golden.json").read_text())["captions"]}  # fmt: skip
    compared = 0
    with np.load(golden / "clip_vitb32_golden.npz") as numbers:
        scale = math.exp(float(state["logit_scale"]))
        for column, tokens in enumerate(numbers["tokens"]):
            text = texts.get(tuple(tokens[tokens != 0].tolist()))
            if text and text.isascii() and text.strip() and "&" not in text and len(text) < 200:
                found = made.ask(text, numbers["f32_image"]).scores * scale
                np.testing.assert_allclose(found, numbers["f32_logits_per_image"][:, column], atol=1e-5)
                compared += 1
    assert compared >= 4
