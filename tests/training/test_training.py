"""One training: what is drawn, that parts and processes do not change it, and text encoders of transformers' form."""

from __future__ import annotations

import csv
import os
import socket
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import InputError, LabelError
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.contradictions import settled
from clip_smu.words.prompts import prompt, prompts
from faces import DIM, toy_data

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clip_smu.interpreter.interpreter import load_interpreter  # noqa: E402
from clip_smu.text.clip_tokenizer import END, START  # noqa: E402
from clip_smu.training import batches, checkpoints  # noqa: E402
from clip_smu.training import trainer as training  # noqa: E402
from clip_smu.training.clip_encoder import EncoderSize  # noqa: E402
from clip_smu.training.fit import fit  # noqa: E402
from clip_smu.training.fit_config import FitConfig  # noqa: E402
from clip_smu.training.objectives import OBJECTIVES  # noqa: E402
from clip_smu.training.text_encoders import build_text_encoder, text_tokenizer  # noqa: E402

ON_TEMPLATES = sorted(
    set(OBJECTIVES) - {"taught"}
)  # which learns from directions: tests/training/test_homes.py

SMALL = FitConfig(
    size=EncoderSize(16, 1, 2), steps=20, captions=24, batch_size=32, learning_rate=1e-2, device="cpu"
)


def trainer(tmp_path: Path, objective: str, **settings: object) -> training.Trainer:
    table, labels = toy_data(120)
    config = replace(SMALL, objective=objective, **settings).training("toy")
    return training.Trainer(config, table.vectors, labels.values, tmp_path)


def drawn(made: training.Trainer, step: int = 0) -> batches.Batch:
    rows = np.arange(len(made.labels))
    x = torch.from_numpy(made.centred(rows, rows))
    return made.objective.sampler(made.config, made.language, x, made.labels).draw(step)


def gradients(made: training.Trainer, step: int = 0) -> tuple[float, list[torch.Tensor]]:
    text_encoder, loss_parameters = made.new_text_encoder(), made.objective.loss_parameters(len(NAMES))
    loss = made.gradients(text_encoder, loss_parameters, drawn(made, step))
    return loss, [one.grad for one in [*text_encoder.parameters(), *loss_parameters.values()]]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP text encoder with random weights, as transformers saves one, and a vocabulary of CLIP's kind."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    folder = tmp_path_factory.mktemp("clip")
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", True)
    texts = [text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side)]
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=2000, end_of_word_suffix="</w>", show_progress=False)
    )
    tokenizer.add_special_tokens([START, END])
    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
    )
    tokenizer.enable_truncation(77)  # as the hub's files may; it must not cut captions unseen
    tokenizer.save(str(folder / "tokenizer.json"))
    config = CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, intermediate_size=32, projection_dim=24,
        num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=77, bos_token_id=start,
        eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPTextModelWithProjection(config).save_pretrained(folder)
    return folder


# ---------------------------------------------------------------- what is drawn


def test_every_step_of_clip_holds_unique_captions_that_fit(tmp_path: Path) -> None:
    table, labels = toy_data(120)
    values = labels.values.copy()
    values[60:] = np.where(
        values[:60] > 0, 1, -values[60:] * (values[60:] < 0) * -1
    )  # the same positives twice
    config = replace(SMALL, objective="clip", batch_size=16).training("toy")
    made = training.Trainer(config, table.vectors, values, tmp_path)
    x = torch.from_numpy(made.centred(np.arange(120), np.arange(120)))
    sampler = made.objective.sampler(config, made.language, x, values)
    unique = {paper_caption(np.where(row > 0, row, 0).tolist()) for row in values}
    assert len(unique) <= 60
    kept = sampler.report["photos_of_unique_caption"]
    assert kept + sampler.report["lost_by_shortening"] == len(unique)
    seen = []
    for step in range(kept // 16):  # one epoch
        batch = sampler.draw(step)
        texts = [made.language.tokenizer.decode(row.tolist()) for row in batch.ids]
        assert len(set(texts)) == 16
        assert batch.ids.shape[1] <= 32
        seen += [row.numpy().tobytes() for row in batch.templates]
    assert len(set(seen)) == len(seen)  # no photo twice in an epoch
    np.testing.assert_allclose(made.units, x.numpy(), rtol=1e-6)  # the paper does not centre
    assert not torch.equal(sampler.draw(0).templates, sampler.draw(kept // 16).templates)  # dealt anew


def test_shortened_captions_are_counted(tmp_path: Path) -> None:
    for objective in ("clip", "multipositive"):
        made = trainer(tmp_path, objective, captions=300)
        some = [drawn(made, step) for step in range(3)]
        assert all(batch.ids.shape[1] <= 32 for batch in some)
        trained = made.train(f"all {objective}", np.arange(120), None, 3)
        assert trained.report["captions"] == sum(len(batch.ids) for batch in some)
        assert trained.report["shortened"] == sum(batch.shortened for batch in some) > 0
    long = np.where(made.labels[0] > 0, 1, 0).astype(np.int8)
    k = int(np.flatnonzero(long)[0])
    ids, worded, cut = batches._worded(made.language, long, k, np.random.default_rng(0))
    assert (cut, worded[k], (worded != 0).sum()) == (True, 1, 1)
    assert made.language.tokenizer.decode(ids.tolist()).strip().lower() in {
        made.language.tokenizer.decode(made.language.tokens([text])[0].tolist()).strip().lower()
        for text in prompts(ATTRIBUTES[k])
    }


def test_captions_of_multipositive_word_what_they_are_matched_by(tmp_path: Path) -> None:
    made = trainer(tmp_path, "multipositive", captions=200)
    rng = np.random.default_rng(0)
    for _ in range(300):
        photo = made.labels[rng.integers(len(made.labels))]
        k = int(rng.choice(np.flatnonzero(photo)))
        subset = batches._subset(photo, k, rng)
        assert subset[k] == photo[k]
        assert ((subset == photo) | (subset == 0)).all()  # only what is known of the photo
        assert (np.delete(subset, NAMES.index("Male")) < 0).sum() <= 1 or (subset != 0).sum() == 1
        if (subset != 0).sum() > 1:
            whole = caption(subset.tolist(), negatives=True)
            for dropped in np.flatnonzero(
                subset
            ):  # each of its labels is worded: without it the text differs
                less = subset.copy()
                less[dropped] = 0
                assert caption(less.tolist(), negatives=True) != whole, (NAMES[dropped], whole)
    batch = drawn(made)
    assert batch.targets.shape == (32, 200)
    assert (batch.targets > 0).any(dim=0).all()  # each caption fits a photo of the batch
    assert (batch.targets == 0).any()


def test_settled_labels_are_those_that_are_worded() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        labels = rng.choice([-1, 0, 0, 1], len(NAMES)).tolist()
        kept = settled(labels)
        assert all(a in (b, 0) for a, b in zip(kept, labels, strict=True))
        assert settled(kept) == kept
        positives = [max(value, 0) for value in kept]
        assert caption(positives) == caption([max(value, 0) for value in labels])


def test_the_readings_prompts() -> None:
    paper = OBJECTIVES["clip"].reading
    for row in ATTRIBUTES:
        assert paper.sentences(row, True) == (prompt(row),)
    known = paper.words()
    assert {"photo", "gray", "male", "and"} <= known
    assert "spectacles" not in known  # a paraphrase that only the other objectives train


def test_refuses_what_cannot_be_learnt(tmp_path: Path) -> None:
    table, _ = toy_data(40)
    nothing = np.zeros((40, 47), dtype=np.int8)
    for objective, message in (
        ("clip", "different captions, found 1"),
        ("multipositive", "known labels, found none"),
    ):
        config = replace(SMALL, objective=objective).training("toy")
        made = training.Trainer(config, table.vectors, nothing, tmp_path)
        with pytest.raises(LabelError, match=message):
            made.train("all", np.arange(40), None, 2)
    with pytest.raises(InputError, match=r"the loss of step \d+ \(all\) is nan: lower the learning rate"):
        made = trainer(tmp_path, "clip", learning_rate=1e-2)
        made.units[3] = np.nan
        made.train("all", np.arange(120), None, 20)


# ---------------------------------------------------------------- parts and processes


@pytest.mark.parametrize("objective", ON_TEMPLATES)
def test_the_loss_of_parts_is_that_of_the_whole(objective: str, tmp_path: Path) -> None:
    whole, expected = gradients(trainer(tmp_path, objective))
    for parts in (2, 5, 1000):
        loss, got = gradients(trainer(tmp_path, objective, accumulate=parts))
        assert loss == pytest.approx(whole, rel=1e-6)
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_gradients_are_those_of_the_plain_loss(tmp_path: Path) -> None:
    """Without vectors in between: text encoder, loss, backward."""
    made = trainer(tmp_path, "multipositive")
    _, expected = gradients(made)
    text_encoder, loss_parameters, batch = (
        made.new_text_encoder(),
        made.objective.loss_parameters(47),
        drawn(made),
    )
    made.objective.loss(text_encoder(batch.ids), batch, loss_parameters).backward()
    for one, other in zip([*text_encoder.parameters(), *loss_parameters.values()], expected, strict=True):
        torch.testing.assert_close(one.grad, other, rtol=1e-6, atol=1e-8)


def _rank(index: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(index), LOCAL_RANK=str(index), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    os.environ.update(MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
    results = {}
    for objective in ON_TEMPLATES:
        made = trainer(Path(folder), objective, captions=25)
        assert made.ranks.count == 2
        loss, values = gradients(made)
        with made.running(Path(folder) / objective):
            trained = made.train("all", np.arange(120), np.arange(40), 26)
        results[objective] = (loss, values, made.prompt_vectors(trained.text_encoder)[0])
    made = fit(*toy_data(120), f"{folder}/it", config=replace(SMALL, objective="clip", steps=5, folds=2))
    results["fit"] = made.provenance["prompts_sha256"]
    torch.save(results, f"{folder}/{index}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of starting processes
def test_two_processes_are_one(tmp_path: Path) -> None:
    """Gathered features: loss, gradients and what is learnt are those of one process on the same batches."""
    pytest.importorskip("accelerate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_rank, (port, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{index}.pt", weights_only=False) for index in (0, 1))
    assert first["fit"] == second["fit"] == load_interpreter(tmp_path / "it").provenance["prompts_sha256"]
    for objective in ON_TEMPLATES:
        made = trainer(tmp_path, objective, captions=25)  # 25: the shares are not equal
        loss, values = gradients(made)
        for got in (first[objective], second[objective]):
            assert got[0] == pytest.approx(loss, rel=1e-6)
            for one, other in zip(got[1], values, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
        with made.running(tmp_path / f"{objective}-alone"):
            trained = made.train("all", np.arange(120), np.arange(40), 26)
        np.testing.assert_array_equal(first[objective][2], second[objective][2])
        np.testing.assert_allclose(
            first[objective][2], made.prompt_vectors(trained.text_encoder)[0], atol=0.02
        )


def test_several_processes_need_accelerate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_smu.errors import MissingExtraError

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(__import__("sys").modules, "accelerate", None)
    with pytest.raises(MissingExtraError, match="several processes needs the extra"):
        trainer(tmp_path, "clip")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_on_a_gpu(precision: str, tmp_path: Path) -> None:
    vectors = []
    for run in ("first", "second"):
        made = trainer(tmp_path, "multipositive", precision=precision, device="cuda")
        with made.running(tmp_path / run):
            trained = made.train("all", np.arange(120), None, 20)
        vectors.append(made.prompt_vectors(trained.text_encoder)[0])
    np.testing.assert_array_equal(*vectors)
    on_cpu = trainer(tmp_path, "multipositive")
    with on_cpu.running(tmp_path / "cpu"):
        expected = on_cpu.prompt_vectors(on_cpu.train("all", np.arange(120), None, 20).text_encoder)[0]
    assert (vectors[0] * expected).sum(axis=1).mean() > 0.9


# ---------------------------------------------------------------- progress that is kept


class KilledError(Exception):
    """A kill, as far as a test can play one in its own process."""


@pytest.mark.parametrize("objective", ON_TEMPLATES)
def test_a_training_goes_on_from_the_step_that_it_was_killed_at(
    objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any step, not one that divides by anything: the same weights, best step and curve, bit for bit."""
    seen: list[int] = []

    def trained(work: str, until: int = 1000) -> training.Trained:
        def progress(stage: str, done: int, total: int) -> None:
            seen.append(done)
            if done == until:
                raise KilledError

        made = trainer(tmp_path, objective)
        made.tell = progress
        with made.running(tmp_path / work):
            return made.train("fold 1 of 2", np.arange(80), np.arange(80, 120), 40)

    whole = trained("whole")
    monkeypatch.setattr(checkpoints, "SAVE_EVERY", 0.0)
    ticks = iter(range(10**6))
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(ticks) * 1e-3)
    for until in (3, 26, 39):
        seen.clear()
        with pytest.raises(KilledError):
            trained("killed", until)
        assert (seen[0] == 1) == (until == 3)  # what was done before the kill is not done again
    seen.clear()
    resumed = trained("killed")
    assert seen[0] > 26
    assert resumed.step == whole.step
    assert resumed.report == whole.report
    for one, other in zip(resumed.text_encoder.parameters(), whole.text_encoder.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (tmp_path / "killed/curves.csv").read_bytes() == (tmp_path / "whole/curves.csv").read_bytes()


def test_slow_steps_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step may take half a minute: what is lost by a kill is counted in seconds, not in steps."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(ticks) * 20.0)

    def killed(stage: str, done: int, total: int) -> None:
        if done == 3:
            raise KilledError

    made = trainer(tmp_path, "clip")
    made.tell = killed
    with pytest.raises(KilledError), made.running(tmp_path / "work"):
        made.train("fold 1 of 2", np.arange(80), np.arange(80, 120), 40)
    assert (tmp_path / "work/fold-1-of-2.pt").is_file()


def test_a_damaged_state_is_not_taken_up(tmp_path: Path) -> None:
    def trained() -> training.Trained:
        made = trainer(tmp_path, "clip")
        with made.running(tmp_path / "work"):
            return made.train("fold 1 of 2", np.arange(80), np.arange(80, 120), 30)

    whole, state = trained(), tmp_path / "work/fold-1-of-2.pt"
    content = state.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    for damaged in (bytes(flipped), content[: len(content) // 2], b""):
        state.write_bytes(damaged)
        again = trained()
        assert again.step == whole.step
        for one, other in zip(again.text_encoder.parameters(), whole.text_encoder.parameters(), strict=True):
            assert torch.equal(one, other)


# ---------------------------------------------------------------- settings and curves


def test_settings_that_this_machine_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="must be float32 on a CPU, not bf16"):
        replace(SMALL, precision="bf16").check()
    with pytest.raises(InputError, match="cuda must be there"):
        replace(SMALL, device="cuda").check()
    with pytest.raises(InputError, match="precision must be one of float32, bf16, fp16, not 'int8'"):
        replace(SMALL, precision="int8").check()
    monkeypatch.setattr("clip_smu.training.fit_config.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        replace(SMALL, tensorboard=True).check()


def test_defaults_come_from_the_table() -> None:
    clip = FitConfig(objective="clip", text_encoder="openai/clip-vit-base-patch32")
    assert clip.training("adaface").batch_size == 64
    assert clip.training("clip-vit-b32").batch_size == 256
    assert (clip.training("x").learning_rate, clip.training("x").weight_decay) == (1e-5, 0)
    assert FitConfig(objective="clip").training("x").learning_rate == 1e-3
    plain = FitConfig().training("x")
    assert (plain.steps, plain.batch_size, plain.weight_decay) == (500, 2048, 0.01)
    assert FitConfig(steps=7).training("x").steps == 7
    minilm = {
        name: FitConfig(objective=name, text_encoder="minilm").training("x") for name in ("taught", "clip")
    }
    assert (minilm["taught"].steps, minilm["clip"].steps) == (200, 600)
    assert (minilm["taught"].learning_rate, minilm["clip"].learning_rate) == (2e-3, 1e-3)


def test_curves(tmp_path: Path) -> None:
    made = trainer(tmp_path, "clip")
    with made.running(tmp_path / "work"):
        made.train("fold 1 of 2", np.arange(80), np.arange(80, 120), 60)
        made.train("all identities", np.arange(120), None, 30)
    rows = list(csv.DictReader((tmp_path / "work/curves.csv").read_text().splitlines()))
    assert [(row["stage"], int(row["step"])) for row in rows] == [
        ("fold 1 of 2", 25), ("fold 1 of 2", 50), ("fold 1 of 2", 60), ("all identities", 25), ("all identities", 30),
    ]  # fmt: skip
    assert all(0 < float(row["loss"]) < 10 for row in rows)
    assert all(0 <= float(row["validation_auc"]) <= 1 for row in rows[:3])
    assert rows[3]["validation_auc"] == ""
    assert float(rows[2]["loss"]) < float(rows[0]["loss"])


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
def test_tensorboard(tmp_path: Path) -> None:
    made = trainer(tmp_path, "clip")
    with made.running(tmp_path / "work", tensorboard=True):
        made.train("all", np.arange(120), None, 25)
    assert list((tmp_path / "tensorboard").iterdir())


def test_t_is_held_at_a_hundred(tmp_path: Path) -> None:
    made = trainer(tmp_path, "clip", learning_rate=10.0)
    with made.running(tmp_path / "work"):
        made.train("all", np.arange(120), None, 3)
    saved = checkpoints.load_snapshot(tmp_path / "work/all.pt", torch.device("cpu"))
    assert 0 < saved["loss_parameters"]["t"].exp().item() <= 100 * (1 + 1e-6)


# ---------------------------------------------------------------- text encoders of transformers' form


def test_a_clip_from_a_folder_is_fitted_exported_and_asked(clip_folder: Path, tmp_path: Path) -> None:
    config = replace(
        SMALL, objective="clip", text_encoder=str(clip_folder), steps=25, folds=2, learning_rate=None
    )
    made = fit(*toy_data(120), tmp_path / "it", config=config)
    assert made.dim == DIM
    assert (made.provenance["text_encoder"], made.provenance["context"]) == (str(clip_folder), 77)
    assert made.provenance["settings"]["learning_rate"] == 1e-5
    assert (tmp_path / "it/tokenizer.json").is_file()
    long = "a photo of a face with " + ", ".join(["a zork"] * 14)  # more than mini's 32 tokens
    answers = load_interpreter(tmp_path / "it").ask(long, toy_data(5)[0].vectors)
    assert np.isfinite(answers.scores).all()
    with pytest.raises(InputError, match="the text encoder reads 77: shorten it"):
        made.ask(long * 3, np.ones((1, DIM)))


def test_a_new_projection_only_where_lengths_differ(clip_folder: Path) -> None:
    own = build_text_encoder(str(clip_folder), 24, EncoderSize(), 0).state_dict()
    new, again, other = (
        build_text_encoder(str(clip_folder), 512, EncoderSize(), seed).state_dict() for seed in (0, 0, 1)
    )
    from safetensors.torch import load_file

    saved = load_file(clip_folder / "model.safetensors")
    for name, value in saved.items():
        torch.testing.assert_close(own[f"model.{name}"], value, rtol=0, atol=0)
        if "text_projection" not in name:
            torch.testing.assert_close(new[f"model.{name}"], value, rtol=0, atol=0)
    key = "model.text_projection.weight"
    assert new[key].shape == (512, 16)
    assert torch.equal(new[key], again[key])
    assert not torch.equal(new[key], other[key])
    assert new[key].std().item() == pytest.approx(16**-0.5, rel=0.05)


def test_a_whole_clip_gives_its_text_encoder_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    small["projection_dim"] = 24
    config = CLIPConfig(
        text_config={**small, "vocab_size": 50, "bos_token_id": 48, "eos_token_id": 49, "pad_token_id": 49},
        vision_config={**small, "image_size": 32, "patch_size": 16}, projection_dim=24,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(tmp_path)
    capfd.readouterr()
    text_encoder = build_text_encoder(str(tmp_path), 24, EncoderSize(), 0)
    assert capfd.readouterr() == ("", "")
    saved = load_file(tmp_path / "model.safetensors")
    key = next(name for name in saved if name.startswith("text_model") and name.endswith("fc1.weight"))
    (own,) = (value for name, value in text_encoder.state_dict().items() if name.endswith("fc1.weight"))
    assert torch.equal(own, saved[key])
    save_file({name: value for name, value in saved.items() if name != key}, tmp_path / "model.safetensors")
    with pytest.raises(
        InputError, match=r"found none for 1 arrays, the first: .*fc1\.weight; give a whole CLIP"
    ):
        build_text_encoder(str(tmp_path), 24, EncoderSize(), 0)


def test_clips_own_vocabulary_file_gives_its_token_ids(shared: Path, golden: Path, tmp_path: Path) -> None:
    import json
    import shutil

    file = shared / "weights/bpe_simple_vocab_16e6.txt.gz"
    if not file.is_file():
        pytest.skip("needs CLIP's vocabulary")
    shutil.copy(file, tmp_path)
    tokenizer = text_tokenizer(str(tmp_path))
    table = json.loads((golden / "clip_tokens_golden.json").read_text())
    rows = [row for row in table["captions"] if row["fits_77"] and row["text"].isascii()]
    rows = [
        row
        for row in rows
        if "&" not in row["text"] and "<|" not in row["text"] and row["text"].isprintable()
    ]
    assert len(rows) > 15
    for row in rows:
        assert tokenizer.encode(row["text"]).ids == row["row_nonzero_part"], row["text"]


def test_text_encoders_that_are_not_there(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    for load in (
        lambda name: build_text_encoder(name, 16, EncoderSize(), 0),
        text_tokenizer,
    ):
        with pytest.raises(
            InputError, match=r"nobody/nothing is not on this machine .*config\.json, model\.safetensors"
        ):
            load("nobody/nothing")
        with pytest.raises(
            InputError, match=r"must be mini, minilm, a name on the Hugging Face Hub or a folder"
        ):
            load("a b/../c")
    with pytest.raises(InputError, match="does not hold a CLIP or BERT text encoder"):
        build_text_encoder(str(tmp_path), 16, EncoderSize(), 0)
    with pytest.raises(InputError, match=r"expected CLIP's .*, found none"):
        text_tokenizer(str(tmp_path))
    with pytest.raises(InputError, match="one of taught, attribute, clip, multipositive, not 'magic'"):
        FitConfig(objective="magic").check()
