"""What sentence embeddings mean: a linear layer, fitted to the lexicon, the refusals and anything else. (PyTorch)

Multinomial logistic regression, solved by L-BFGS. It reads the text encoder as it ships, with weights of eight bits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from clip_smu.arrays import Float32s, Int8s, Int64s
from clip_smu.interpreter.interpreter import MEANINGS
from clip_smu.storage.tensors import write_tensors
from clip_smu.text.encoder import TextEncoder
from clip_smu.text.meaning import embedded
from clip_smu.words.attributes import NAMES
from clip_smu.words.english import words
from clip_smu.words.lexicon import lexicon, refusals

_ANYTHING, _MADE_UP = 1500, 150  # phrases
_WORD = re.compile("[a-z]{3,}")
_INVERSE_REGULARISATION = 10.0  # C of scikit-learn's LogisticRegression
_STEPS = 200
_LEFT_OUT = ("inflection", "spelling")  # another entry says the same


def write_meanings(text_encoder: TextEncoder, tokenizer: Tokenizer, folder: Path) -> None:
    """Fits the layer and writes it beside a text encoder, whose tokenizer before pruning this is."""
    phrases, classes, signs = known_phrases()
    others = about_anything(tokenizer, phrases)
    classes = np.concatenate([classes, np.full(len(others), len(signs))])
    signs = np.concatenate([signs, np.zeros_like(signs[:1])])
    weight, bias = fit_layer(embedded(text_encoder.meanings, [*phrases, *others]), classes, len(signs))
    arrays: dict[str, NDArray[Any]] = {"weight": weight.astype(np.float16), "bias": bias, "signs": signs}
    write_tensors(folder / MEANINGS, arrays)


def known_phrases() -> tuple[list[str], Int64s, Int8s]:
    """Phrases of both tables, the class of each, and (M, 47) what each class means; zeros: a reason to refuse."""
    named = [
        (entry.phrase, signs_of(entry.means)) for entry in lexicon().values() if entry.kind not in _LEFT_OUT
    ]
    rows = {signs: number for number, signs in enumerate(dict.fromkeys(signs for _, signs in named))}
    reasons = {reason: len(rows) + number for number, reason in enumerate(sorted(set(refusals().values())))}
    classes = [rows[signs] for _, signs in named] + [reasons[reason] for reason in refusals().values()]
    means = np.zeros((len(rows) + len(reasons), len(NAMES)), dtype=np.int8)
    means[: len(rows)] = list(rows)
    return [*(phrase for phrase, _ in named), *refusals()], np.array(classes), means


def about_anything(tokenizer: Tokenizer, phrases: Sequence[str]) -> list[str]:
    """One to three words of a vocabulary that no phrase has, put together by chance; and words that are none."""
    taken = {word for phrase in phrases for word in words(phrase)}
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    free = [word for word, _ in vocabulary if _WORD.fullmatch(word) and word not in taken]
    rng = np.random.default_rng(0)
    pairs = [first + second for first in "bcdfghjklmnpqrstvwxz" for second in "aeiouy"]
    made_up = ["".join(rng.choice(pairs, rng.integers(2, 5))) for _ in range(_MADE_UP)]
    return made_up + [" ".join(rng.choice(free, rng.integers(1, 4))) for _ in range(_ANYTHING) if free]


def signs_of(means: tuple[tuple[str, bool], ...]) -> tuple[int, ...]:
    """1, -1 or 0 of each attribute."""
    held = dict(means)
    return tuple(0 if name not in held else 1 if held[name] else -1 for name in NAMES)


def fit_layer(
    features: Float32s, classes: Int64s, count: int, inverse_regularisation: float = _INVERSE_REGULARISATION
) -> tuple[Float32s, Float32s]:
    """(M, F) weights and (M,) biases that minimise  C sum_i -log p(class_i | x_i) + |W|^2 / 2.

    Args:
        features: (N, F) float32. classes: (N,) from 0. count: M. inverse_regularisation: C.
    """
    x, y = torch.from_numpy(features), torch.from_numpy(classes)
    weight = torch.zeros((count, x.shape[1]), requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        missed = torch.nn.functional.cross_entropy(x @ weight.T + bias, y, reduction="sum")
        total: torch.Tensor = missed / len(x) + weight.square().sum() / (2 * inverse_regularisation * len(x))
        total.backward()  # type: ignore[no-untyped-call]
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach().numpy(), bias.detach().numpy()
