"""A probe's plumbing on 60 faces: what goes where, by loops; each job in a fraction of a second."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_smu.errors import InputError, LabelError
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.evidence import gather_evidence, verdict_errors
from clip_smu.interpreter.probe import Probe
from clip_smu.labels.labels import Labels
from clip_smu.metrics import auc, delong
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c, fit_logistic
from clip_smu.metrics.persons import persons_apart
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from faces import DIM, toy_data

torch = pytest.importorskip("torch")

from clip_smu.training import classifiers, probes  # noqa: E402
from clip_smu.training.classifiers import Rows, Trained, Training, forward, train_binary  # noqa: E402
from clip_smu.training.probe_config import ProbeConfig  # noqa: E402
from clip_smu.training.probes import fit_probe  # noqa: E402

SMALL = ProbeConfig(folds=3, strengths=(0.01, 1.0), seed=3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(folder: Path, config: ProbeConfig = SMALL, n: int = 60, **more: Any) -> Probe:
    return fit_probe(*toy_data(n), folder, config=config, **more)


def test_a_logistic_probe_by_hand(tmp_path: Path) -> None:
    """Units, standardised fold by fold, one C from all persons, scores of folds on one scale, calibration, evidence."""
    told: list[tuple[str, int, int]] = []
    probe = made(tmp_path / "it", progress=lambda *one: told.append(one))
    faces, labels = toy_data(60)
    units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    mean, spread = units.mean(axis=0), units.std(axis=0)
    np.testing.assert_allclose(probe.centre, mean, atol=1e-6)
    np.testing.assert_allclose(probe.scale, spread, atol=1e-6)
    whole = ((units - mean) / spread).astype(np.float32)
    strength = choose_c(whole, labels.values, faces.identities, SMALL.strengths, seed=3)
    assert probe.provenance["strength"] == strength.tolist()
    weights, bias = fit_logistic(whole, labels.values, strength)
    np.testing.assert_allclose(probe.layers[0][0], weights.T, atol=1e-3)
    np.testing.assert_allclose(probe.layers[0][1], bias, atol=1e-3)
    fold_of = identity_folds(faces.identities, 3, 3)
    scores = np.zeros((60, 47))
    for fold in range(3):
        rest = fold_of != fold
        middle, wide = units[rest].mean(axis=0), units[rest].std(axis=0)
        x = ((units - middle) / wide).astype(np.float32)
        w, b = fit_logistic(x[rest], labels.values[rest], strength)
        scores[~rest] = x[~rest] @ w.T + b - (x[rest] @ w.T + b).mean(axis=0)
    scores += (whole @ weights.T + bias).mean(axis=0)
    expected = calibrate(scores, labels.values, SMALL.error_rate, faces.identities)
    for name in ("slope", "intercept", "encoded_at", "not_encoded_at"):
        np.testing.assert_allclose(
            getattr(probe.calibration, name), getattr(expected, name), rtol=1e-2, atol=2e-3
        )
    areas = auc(scores, labels.values).value
    np.testing.assert_allclose([row.auc for row in probe.evidence], areas, atol=5e-3)
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["strength", "fold 1 of 3", "fold 2 of 3", "fold 3 of 3", "all identities"]
    assert [one for one in told if one[0] == "strength"] == [("strength", 0, 1), ("strength", 1, 1)]
    assert all(told[-1][1] == total and done <= total for _, done, total in told[-1:])


def test_provenance_says_what_was_done(tmp_path: Path) -> None:
    probe = made(tmp_path / "it")
    said = probe.provenance
    assert said["kind"] == "logistic-regression"
    assert said["config"] == json.loads(json.dumps(asdict(SMALL.resolved())))
    assert said["trained_on"] == {"faces": 60, "persons": 15, "without_label": 0, "without_template": 0}
    assert (
        said["evidence_from"] == "60 training faces, each scored by classifiers that did not see its person"
    )
    assert said["verdicts"]["chosen_error_rate"] == 0.1
    assert set(said["versions"]) == {"clip-smu", "torch", "numpy"}
    assert said["versions"]["numpy"] == np.__version__
    assert ", Python 3." in said["machine"]
    assert 0 <= said["seconds"] < 60
    parts = b"".join(part.tobytes() for layer in probe.layers for part in layer)
    assert said["weights_sha256"] == hashlib.sha256(parts).hexdigest()
    assert (probe.name, probe.encoder, probe.attributes, probe.error_rate) == ("it", "toy", NAMES, 0.1)
    assert sorted(file.name for file in (tmp_path / "it").iterdir()) == ["probe.json", "weights.safetensors"]


def test_a_name_and_no_card(tmp_path: Path) -> None:
    faces, labels = toy_data(60)
    probe = fit_probe(replace(faces, card=None), labels, tmp_path / "it", config=SMALL, name="mine")
    assert (probe.name, probe.encoder) == ("mine", "unknown")


def test_the_list_says_who_is_trained_on(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    some = [name for name in faces.images[:60] if name != faces.images[7]]
    probe = fit_probe(faces, labels, tmp_path / "it", train=some, config=SMALL)
    trained = probe.provenance["trained_on"]
    assert (trained["faces"], trained["persons"], trained["not_listed"]) == (59, 15, 21)
    alone = fit_probe(faces.take(np.delete(np.arange(60), 7)), labels, tmp_path / "alone", config=SMALL)
    np.testing.assert_array_equal(probe.layers[0][0], alone.layers[0][0])


@pytest.mark.parametrize(
    "change",
    ["vectors", "values", "identities", "images", "config"],
)
def test_another_job_is_another_digest(change: str, tmp_path: Path) -> None:
    """Whatever of the data or the settings differs, a finished probe is not taken for it."""
    faces, labels = toy_data(60)
    first = fit_probe(faces, labels, tmp_path / "it", config=SMALL)
    config = SMALL
    if change == "vectors":
        faces.vectors[5, 3] += 1e-3
    elif change == "values":
        labels.values[5, 3] = -1 if labels.values[5, 3] >= 0 else 1
    elif change == "identities":
        labels.identities[59] = "someone"
        faces.identities[59] = "someone"
    elif change == "images":
        faces.images[5] = labels.images[5] = "p1/other.jpg"
    else:
        config = replace(SMALL, error_rate=0.2)
    other = fit_probe(faces, labels, tmp_path / "other", config=config)
    assert other.provenance["job"] != first.provenance["job"]
    with pytest.raises(InputError, match="already holds a probe of another fit"):
        fit_probe(faces, labels, tmp_path / "it", config=config)


def test_a_test_list_is_part_of_the_job(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    jobs = {
        fit_probe(
            faces, labels, tmp_path / str(number), train=faces.images[:60], test=test, config=SMALL
        ).provenance["job"]
        for number, test in enumerate((None, faces.images[60:], faces.images[64:]))
    }
    assert len(jobs) == 3


def test_fewer_persons_than_folds_is_refused_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "_fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(LabelError, match="expected at least 16 persons, one a fold, found 15"):
        made(tmp_path / "it", replace(SMALL, folds=16))
    with pytest.raises(LabelError, match="found 1"):
        faces, labels = toy_data(4)
        fit_probe(faces, labels, tmp_path / "it", config=SMALL)


def test_unknown_as_no_is_for_training_alone(tmp_path: Path) -> None:
    """The mask is the default; ``negative`` trains on no, calibrates and measures on what is known."""
    faces, labels = toy_data(60)
    filled = Labels(
        labels.images, labels.identities, np.where(labels.values == 0, -1, labels.values).astype(np.int8)
    )
    masked = made(tmp_path / "mask")
    as_no = fit_probe(faces, labels, tmp_path / "no", config=replace(SMALL, unknown="negative"))
    full = fit_probe(faces, filled, tmp_path / "full", config=SMALL)
    np.testing.assert_array_equal(as_no.layers[0][0], full.layers[0][0])
    assert not np.array_equal(as_no.layers[0][0], masked.layers[0][0])
    for k in range(47):
        assert as_no.evidence[k].n_negative == (labels.values[:, k] < 0).sum()
        assert as_no.evidence[k].n_positive == (labels.values[:, k] > 0).sum()


def test_steps_are_the_median_of_the_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Training] = []
    layer = (np.zeros((DIM, 47), np.float32), np.zeros(47, np.float32))

    def train(task: Training) -> Trained:
        given.append(task)
        return Trained((layer,), [2, 9, 4, 99][len(given) - 1])

    monkeypatch.setitem(classifiers.TRAIN, "mlp", train)
    probe = made(tmp_path / "it", ProbeConfig("mlp", folds=3, epochs=17))
    assert [task.epochs for task in given] == [17, 17, 17, 4]
    assert [task.held_out is None for task in given] == [False, False, False, True]
    assert probe.provenance["epochs"] == 4
    assert all(task.c is None for task in given)
    assert given[3].rows.x.shape == (60, DIM)
    assert given[0].held_out is not None
    assert len(given[0].rows.x) + len(given[0].held_out.x) == 60
    assert given[0].config == ProbeConfig("mlp", folds=3, epochs=17).resolved()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("multi-label", (1e-5, 15, 64, 0.0, False)),
        ("binary", (1e-5, 10, 64, 0.0, False)),
        ("logistic-regression", (1e-3, 1, 64, 0.0, True)),
        ("mlp", (1e-3, 60, 256, 0.1, True)),
    ],
)
def test_what_stands_where_nothing_is_given(kind: str, expected: tuple[object, ...]) -> None:
    names = ("learning_rate", "epochs", "batch_size", "weight_decay", "standardise")
    assert tuple(getattr(ProbeConfig(kind).resolved(), name) for name in names) == expected
    own = ProbeConfig(kind, 0.5, 3, 7, 0.25, standardise=not expected[4])
    assert tuple(getattr(own.resolved(), name) for name in names) == (0.5, 3, 7, 0.25, not expected[4])


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("learning_rate", 1e-9, 10),
        ("epochs", 1, 10**6),
        ("batch_size", 1, 10**7),
        ("weight_decay", 0, 10),
        ("hidden", 1, 10**5),
        ("dropout", 0, 0.95),
        ("networks", 1, 100),
        ("patience", 1, 10**6),
        ("folds", 2, 100),
        ("error_rate", 0.01, 0.5),
    ],
)
def test_settings_end_where_they_say(name: str, low: float, high: float) -> None:
    for value in (low, high):
        replace(ProbeConfig(), **{name: value}).check()
    for value in (low - 1e-10 if low else -1e-9, high * 1.01):
        with pytest.raises(InputError, match=f"{name} must be between {low} and {high}, not {value}"):
            replace(ProbeConfig(), **{name: value}).check()


def test_choices_and_strengths_are_checked() -> None:
    with pytest.raises(
        InputError, match="the kind must be one of multi-label, binary, logistic-regression, mlp"
    ):
        ProbeConfig("MLP").check()
    with pytest.raises(InputError, match="the unknown must be one of mask, negative, not 'MASK'"):
        ProbeConfig(unknown="MASK").check()
    for bad in ((), (0.0,), (float("inf"),), (1.0, float("nan"))):
        with pytest.raises(InputError, match="strengths must be positive values of C"):
            ProbeConfig(strengths=bad).check()
    ProbeConfig(unknown="negative", strengths=(1e-9, 1e9)).check()


def test_numbers_that_do_not_vary_are_left_alone(tmp_path: Path) -> None:
    faces = toy_data(60)[0]
    units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    units[:, 4] = 0.25
    centre, scale = probes._standard(units, ProbeConfig().resolved())
    assert scale[4] == 1
    assert centre[4] == pytest.approx(0.25)
    assert (centre.dtype, scale.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(scale[:4], units[:, :4].std(axis=0), atol=1e-6)
    bare = probes._standard(units, ProbeConfig("binary").resolved())
    assert not bare[0].any()
    assert (bare[1] == 1).all()
    assert bare[0].dtype == bare[1].dtype == np.float32


def test_layers_in_a_row() -> None:
    rng = np.random.default_rng(0)
    sizes = ((5, 4), (4, 3), (3, 2))
    layers = tuple(
        (rng.normal(size=size).astype("f4"), rng.normal(size=size[1]).astype("f4")) for size in sizes
    )
    x = rng.normal(size=(7, 5)).astype("f4")
    expected = x
    for number, (weight, bias) in enumerate(layers):
        expected = expected @ weight + bias
        if number < 2:
            expected = np.where(expected > 0, expected, 0)
    np.testing.assert_allclose(forward(layers, x), expected, atol=1e-5)
    np.testing.assert_allclose(
        forward(layers[:1], -np.abs(x)), -np.abs(x) @ layers[0][0] + layers[0][1], atol=1e-5
    )


def test_batches_are_all_rows_once_in_an_order_of_the_seed() -> None:
    config = replace(SMALL, batch_size=7, seed=5)
    batches = [one.tolist() for one in classifiers._batches(20, config, 2)]
    assert [len(one) for one in batches] == [7, 7, 6]
    assert sorted(chain(*batches)) == list(range(20))
    order = np.random.default_rng([5, 2]).permutation(20).tolist()
    assert list(chain(*batches)) == order
    assert [one.tolist() for one in classifiers._batches(20, config, 3)] != batches


def test_the_masked_loss_by_a_loop() -> None:
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(6, 3)))
    labels = torch.from_numpy(rng.choice([-1.0, 0.0, 1.0], size=(6, 3)))
    losses = [
        float(np.log1p(np.exp(-s if y > 0 else s)))
        for s, y in zip(scores.reshape(-1).tolist(), labels.reshape(-1).tolist(), strict=True)
        if y
    ]
    assert float(classifiers._masked_loss(scores, labels)) == pytest.approx(np.mean(losses))
    assert float(classifiers._masked_loss(scores, torch.zeros(6, 3))) == 0


def test_first_weights_are_pytorchs_range() -> None:
    weight, bias = classifiers._first_weights(16, 300, [1])
    assert weight.shape == (16, 300)
    assert bias.shape == (300,)
    for one in (weight, bias):
        assert one.requires_grad
        assert one.dtype == torch.float32
        drawn = one.detach().numpy()
        assert 0.24 < drawn.max() <= 0.25
        assert -0.25 <= drawn.min() < -0.24
    assert not torch.equal(weight, classifiers._first_weights(16, 300, [2])[0])


def test_what_an_mlp_is_told_to_forget_and_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without held-out rows it trains for all its epochs; with them the best epoch's weights are given."""
    faces, labels = toy_data(60)
    rows = Rows(faces.vectors, labels.values)
    config = ProbeConfig("mlp", hidden=4, batch_size=32, epochs=6, patience=2).resolved()
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    alone = classifiers.TRAIN["mlp"](Training(rows, None, config, 6, None, tell))
    assert alone.epoch == 6
    assert told == [(number, 6) for number in range(1, 7)]
    areas = iter([0.6, 0.7, 0.65, 0.7, 0.9])
    said: list[float] = []

    def auc_of(scores: Any, known: Any) -> Any:
        said.append(next(areas))
        return auc(scores, known).__class__(np.full(47, said[-1]), *[None] * 3)

    monkeypatch.setattr(classifiers, "auc", auc_of)
    told.clear()
    watched = classifiers.TRAIN["mlp"](Training(rows, rows, config, 6, None, tell))
    assert watched.epoch == 2  # the third and the fourth are no better, a tie is none
    assert said == [0.6, 0.7, 0.65, 0.7]
    assert told[-1] == (6, 6)
    two = classifiers.TRAIN["mlp"](Training(rows, None, config, 2, None, tell))
    np.testing.assert_array_equal(two.layers[0][0], watched.layers[0][0])


# ---------------------------------------------------------------- trainings, beside PyTorch's own


def faces_of(n: int, seed: int = 0) -> Rows:
    faces, labels = toy_data(n, seed)
    return Rows(faces.vectors, labels.values)


def silent(done: int, total: int) -> None:
    """No progress."""


def linear(inputs: int, outputs: int, seed: list[int]) -> Any:
    """PyTorch's layer with the weights that a training starts from."""
    layer = torch.nn.Linear(inputs, outputs)
    weight, bias = classifiers._first_weights(inputs, outputs, seed)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        layer.bias.copy_(bias)
    return layer


def masked(scores: Any, labels: Any) -> Any:
    """PyTorch's loss of the known labels."""
    known = labels != 0
    return torch.nn.functional.binary_cross_entropy_with_logits(scores[known], (labels[known] > 0).float())


@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_binary_at_once_is_one_by_one(decay: float) -> None:
    """Beside PyTorch's own Linear, AdamW and loss, fed with the same rows in the same order."""
    data = faces_of(120)
    data.labels[:, 33] = 0  # one class, or none: learns nothing
    data.labels[:, 5] = np.abs(data.labels[:, 5])
    config = ProbeConfig("binary", learning_rate=0.01, batch_size=32, weight_decay=decay, seed=4).resolved()
    told: list[tuple[int, int]] = []
    chosen = [46, 33, 7, 30, 5, 0]
    weights, bias = train_binary(data, config, chosen, 3, lambda *one: told.append(one))
    assert (weights.shape, bias.shape) == ((6, DIM), (6,))
    assert weights.dtype == bias.dtype == np.float32
    every = []
    for place, k in enumerate(chosen):
        yes, no = (data.labels[:, k] > 0).sum(), (data.labels[:, k] < 0).sum()
        if not yes or not no:
            assert not weights[place].any()
            assert bias[place] == pytest.approx(np.log((yes + 1) / (no + 1)), abs=1e-6)
            continue
        layer = linear(DIM, 1, [4, k])
        optimiser = torch.optim.AdamW(layer.parameters(), lr=0.01, weight_decay=decay)
        steps = 0
        for batch in classifiers._oversampled(data.labels[:, k], config, k, 3):
            y = torch.from_numpy((data.labels[batch, k] > 0).astype(np.float32))
            scores = layer(torch.from_numpy(data.x[batch]))[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
        every.append(steps)
        assert steps == 3 * -(-2 * max(yes, no) // 32)
        np.testing.assert_allclose(weights[place], layer.weight.detach().numpy()[0], atol=2e-5)
        assert bias[place] == pytest.approx(layer.bias.item(), abs=2e-5)
        alone, alone_bias = train_binary(data, config, [k], 3, silent)
        np.testing.assert_allclose(alone[0], weights[place], atol=2e-6)
        assert alone_bias[0] == pytest.approx(bias[place], abs=2e-6)
    assert len(set(every)) > 1  # one leaves before another
    assert told[0] == (1, max(every))
    assert told[-1] == (max(every), max(every))


def test_binary_tells_every_fifty_steps_and_at_the_end() -> None:
    told: list[tuple[int, int]] = []
    data = faces_of(40)
    config = ProbeConfig("binary", batch_size=1).resolved()
    train_binary(data, config, [0], 2, lambda *one: told.append(one))
    total = 4 * max((data.labels[:, 0] > 0).sum(), (data.labels[:, 0] < 0).sum())
    assert told == [*((done, total) for done in range(1, total, 50)), (total, total)]
    told.clear()
    data.labels[:, 0] = 1
    weights, bias = train_binary(data, config, [0], 2, lambda *one: told.append(one))
    assert not told
    assert not weights.any()
    assert bias.tolist() == pytest.approx([np.log(41)])


def test_oversampling_balances_and_leaves_nobody_out() -> None:
    for few, many in ((1, -1), (-1, 1)):
        labels = np.array([few] * 3 + [many] * 10 + [0] * 7, np.int8)
        config = ProbeConfig("binary", batch_size=8, seed=6).resolved()
        drawn = list(classifiers._oversampled(labels, config, 2, 5))
        assert [len(batch) for batch in drawn] == [8, 8, 4] * 5
        for epoch in range(5):
            order = np.concatenate(drawn[3 * epoch : 3 * epoch + 3])
            counts = np.bincount(order, minlength=20)
            assert (counts[:3] >= 1).all()
            assert counts[:3].sum() == 10
            assert (counts[3:13] == 1).all()
            assert not counts[13:].any()
        first = np.concatenate(drawn[:3]).tolist()
        assert first != np.concatenate(drawn[3:6]).tolist()
        for other, attribute in ((config, 3), (replace(config, seed=7), 2)):
            assert (
                np.concatenate(list(classifiers._oversampled(labels, other, attribute, 1))).tolist() != first
            )


def test_multi_label_is_a_linear_layer_with_adam() -> None:
    data = faces_of(60)
    config = ProbeConfig(
        "multi-label", learning_rate=0.02, batch_size=25, weight_decay=0.5, seed=8
    ).resolved()
    told: list[tuple[int, int]] = []
    trained = classifiers.TRAIN["multi-label"](
        Training(data, None, config, 3, None, lambda *one: told.append(one))
    )
    layer = linear(DIM, 47, [8])
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.02, weight_decay=0.5)
    for epoch in range(3):
        for batch in classifiers._batches(60, config, epoch):
            loss = masked(layer(torch.from_numpy(data.x)[batch]), torch.from_numpy(data.labels)[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    ((weight, bias),) = trained.layers
    np.testing.assert_allclose(weight, layer.weight.detach().numpy().T, atol=1e-5)
    np.testing.assert_allclose(bias, layer.bias.detach().numpy(), atol=1e-5)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert trained.epoch == 3


def test_a_binary_probe_is_all_attributes() -> None:
    data, told = faces_of(40), list[tuple[int, int]]()
    config = ProbeConfig("binary", learning_rate=0.02, seed=1).resolved()
    trained = classifiers.TRAIN["binary"](
        Training(data, None, config, 2, None, lambda *one: told.append(one))
    )
    weights, bias = train_binary(data, config, range(47), 2, silent)
    ((weight, shift),) = trained.layers
    np.testing.assert_array_equal(weight, weights.T)
    np.testing.assert_array_equal(shift, bias)
    assert weight.flags.c_contiguous
    assert trained.epoch == 2
    assert told[-1][0] == told[-1][1] > 1


def test_networks_are_averaged() -> None:
    data, rng = faces_of(30), np.random.default_rng(0)
    weights = [
        torch.from_numpy(rng.normal(size=size).astype(np.float32))
        for size in ((3, DIM, 24), (3, 1, 24), (3, 24, 47), (3, 1, 47))
    ]
    mean = (torch.relu(torch.from_numpy(data.x) @ weights[0] + weights[1]) @ weights[2] + weights[3]).mean(0)
    joined = classifiers._joined(weights)
    np.testing.assert_allclose(forward(joined, data.x), mean.numpy(), atol=1e-4)
    assert [part.dtype for layer in joined for part in layer] == [np.float32] * 4
    assert [part.shape for layer in joined for part in layer] == [(DIM, 72), (72,), (72, 47), (47,)]
    assert all(part.flags.c_contiguous for layer in joined for part in layer)


def test_networks_side_by_side_are_trained_one_by_one() -> None:
    """Two networks beside two of PyTorch's, each with its own AdamW, on the same batches and left-out units."""
    data = faces_of(50)
    config = ProbeConfig(
        "mlp", learning_rate=0.01, epochs=5, batch_size=20, hidden=6, dropout=0.25, networks=2, seed=9
    ).resolved()
    trained = classifiers.TRAIN["mlp"](Training(data, None, config, 3, None, silent))
    assert trained.epoch == 3
    nets = [(linear(DIM, 6, [9, number]), linear(6, 47, [9, number, 1])) for number in range(2)]
    optimisers = [
        torch.optim.AdamW([*one.parameters(), *two.parameters()], weight_decay=0.1) for one, two in nets
    ]
    generator = torch.Generator().manual_seed(9)
    step = 0
    for epoch in range(3):
        for batch in classifiers._batches(50, config, epoch):
            x, y = torch.from_numpy(data.x)[batch], torch.from_numpy(data.labels)[batch]
            kept = torch.rand((2, len(batch), 6), generator=generator) >= 0.25
            for number, ((one, two), optimiser) in enumerate(zip(nets, optimisers, strict=True)):
                optimiser.param_groups[0]["lr"] = 0.005 * (1 + np.cos(np.pi * step / 15))  # 5 epochs of 3
                loss = masked(two(torch.relu(one(x)) * kept[number] / 0.75), y)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            step += 1
    with torch.no_grad():
        x = torch.from_numpy(data.x)
        expected = torch.stack([two(torch.relu(one(x))) for one, two in nets]).mean(0).numpy()
    np.testing.assert_allclose(forward(trained.layers, data.x), expected, atol=1e-5)


def test_an_mlp_that_nothing_can_be_held_against_gives_its_first_epoch() -> None:
    """Held-out faces of one class have no AUC: a chance-less 0, which no later epoch betters."""
    data = faces_of(30)
    alike = Rows(data.x, np.ones_like(data.labels))
    config = ProbeConfig("mlp", hidden=3, epochs=5, patience=2).resolved()
    assert classifiers.TRAIN["mlp"](Training(data, alike, config, 5, None, silent)).epoch == 1


def test_means_of_many_faces_do_not_drift() -> None:
    """In float32 the sum of so many equal numbers is off by a part in four hundred."""
    same = np.full((300_000, 2), 0.1, np.float32)
    centre, scale = probes._standard(same, ProbeConfig().resolved())
    np.testing.assert_allclose(centre, np.float32(0.1), rtol=1e-7)
    assert scale.tolist() == [1, 1]
    layer = (np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    np.testing.assert_allclose(probes._mean_score((layer,), same), np.float32(0.1), rtol=1e-9)


# ---------------------------------------------------------------- what evidence says of any reader


def test_evidence_by_a_loop() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(np.int8([-1, 0, 1]), size=(200, 47))
    labels[:, 7] = 0
    scores = labels * 1.0 + rng.normal(size=labels.shape)
    people = [f"p{row // 4}" for row in range(199)] + [""]
    calibration = calibrate(scores, labels, 0.2, people)
    rows = gather_evidence(calibration, scores, labels, people)
    p = 1 / (1 + np.exp(-(calibration.slope * scores + calibration.intercept)))
    said = np.where(
        p >= calibration.encoded_at - 1e-6, 1, np.where(p <= calibration.not_encoded_at + 1e-6, -1, 0)
    )
    curve = delong(scores, labels, identity=persons_apart(people))
    for k, row in enumerate(rows):
        known = labels[:, k] != 0
        assert (row.n_positive, row.n_negative) == ((labels[:, k] > 0).sum(), (labels[:, k] < 0).sum())
        assert row.label_accuracy == ATTRIBUTES[k].label_accuracy
        assert row.reason == curve.reason[k]
        if not known.any():
            assert np.isnan([row.auc, row.coverage]).all()
            continue
        assert (row.auc, row.low, row.high) == (curve.auc[k], curve.low[k], curve.high[k])
        green, red = known & (said[:, k] > 0), known & (said[:, k] < 0)
        for found, chosen, bad in ((row.encoded_error, green, -1), (row.not_encoded_error, red, 1)):
            expected = (labels[chosen, k] == bad).mean() if chosen.any() else np.nan
            assert found == pytest.approx(expected, nan_ok=True)
        assert row.coverage == pytest.approx((green | red).sum() / known.sum())
    total = verdict_errors(calibration, scores, labels, 0.2)
    asserted = (said != 0) & (labels != 0)
    assert total["error"] == pytest.approx((said != labels)[asserted].mean())
    assert total["coverage"] == pytest.approx(asserted.sum() / (labels != 0).sum())
    assert total["green_error"] == pytest.approx((labels[asserted & (said > 0)] < 0).mean())
    assert total["red_error"] == pytest.approx((labels[asserted & (said < 0)] > 0).mean())
    assert total["chosen_error_rate"] == 0.2
    assert total["bound"] == pytest.approx(
        min(calibration.encoded_at.min(), 1 - calibration.not_encoded_at.max())
    )
