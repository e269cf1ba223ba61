"""The layer that says what embeddings mean: against scikit-learn, and what it is fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from clip_smu.words.attributes import NAMES
from clip_smu.words.english import words
from clip_smu.words.lexicon import lexicon, refusals

pytest.importorskip("torch")

from clip_smu.training.meanings import about_anything, fit_layer, known_phrases


def test_it_is_multinomial_logistic_regression() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    classes = np.argmax(x @ rng.normal(size=(6, 4)) + rng.normal(size=(400, 4)), axis=1)
    weight, bias = fit_layer(x, classes, 4, inverse_regularisation=2.0)
    oracle = linear_model.LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(x, classes)
    np.testing.assert_allclose(weight, oracle.coef_, atol=2e-3)
    np.testing.assert_allclose(bias - bias.mean(), oracle.intercept_ - oracle.intercept_.mean(), atol=2e-3)


def test_every_phrase_has_its_meaning_or_none() -> None:
    phrases, classes, signs = known_phrases()
    assert len(phrases) == len(classes) and len(signs) == classes.max() + 1
    at = phrases.index("fedora")
    assert dict(lexicon()["fedora"].means) == {
        NAMES[k]: bool(signs[classes[at], k] > 0) for k in np.flatnonzero(signs[classes[at]])
    }
    refused = [not signs[number].any() for number in classes]
    assert sum(refused) >= len(refusals())
    assert refused[phrases.index("trustworthy")] and not refused[at]


def test_anything_has_no_word_of_the_tables() -> None:
    from clip_smu.training.clip_encoder import mini_tokenizer

    taken = known_phrases()[0]
    others = about_anything(mini_tokenizer(), taken)
    assert others == about_anything(mini_tokenizer(), taken) and len(others) >= 150
    assert not {word for phrase in others[150:] for word in words(phrase)} & {
        w for one in taken for w in words(one)
    }
