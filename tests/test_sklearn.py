"""scikit-learn's own checks, its pipelines, and agreement with its logistic regression and with our saved readers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from clip_smu.errors import InputError, TemplateError
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.interpreter.load import load_reader
from clip_smu.sklearn import SavedReader, TemplateProbe
from faces import DIM, dlib_like
from toy_readers import toy_probe


def made_up(n: int = 400, attributes: int = 3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 12))
    y = np.where(x[:, :attributes] + rng.normal(size=(n, attributes)) > 0.2, 1, -1)
    y[rng.random(y.shape) < 0.2] = 0
    return x, y, [f"p{row // 2}" for row in range(n)]


@parametrize_with_checks([TemplateProbe(), TemplateProbe(C=None)])
def test_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


def test_scores_are_those_of_scikit_learn() -> None:
    x, y, persons = made_up()
    probe = TemplateProbe(C=0.3, tol=1e-8).fit(x, y, groups=persons)
    assert probe.classes_.tolist() == [0, 1, 2]
    assert set(probe.predict(x).ravel()) == {-1, 1}
    for k in range(3):
        known = y[:, k] != 0
        theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=1000).fit(x[known], y[known, k])
        np.testing.assert_allclose(probe.decision_function(x)[:, k], theirs.decision_function(x), atol=1e-4)
    alone = TemplateProbe(C=0.3, tol=1e-8).fit(x[known], np.array(["no", "yes"])[(y[known, 2] > 0) * 1])
    assert alone.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(alone.decision_function(x), theirs.decision_function(x), atol=1e-4)
    assert alone.predict_proba(x).shape == (400, 2)
    np.testing.assert_array_equal(alone.predict(x) == "yes", alone.decision_function(x) > 0)


def test_an_indicator_without_minus_one_is_scikit_learns() -> None:
    x, y, _ = made_up()
    probe = TemplateProbe().fit(x, np.where(y > 0, 1, 0))
    assert set(probe.predict(x).ravel()) == {0, 1}
    np.testing.assert_allclose(probe.coef_, TemplateProbe().fit(x, np.where(y > 0, 1, -1)).coef_)


def test_a_person_never_calibrates_what_was_trained_on_it() -> None:
    """Labels are a coin a person, whose photos are all but the same: known persons would be told with certainty."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(60), 5)
    x = rng.normal(size=(60, 80))[person] + 0.01 * rng.normal(size=(300, 80))
    y = rng.integers(0, 2, 60)[person]
    apart = TemplateProbe(C=10.0).fit(x, y, groups=person)
    mixed = TemplateProbe(C=10.0).fit(x, y)
    assert np.abs(apart.predict_proba(x)[:, 1] - 0.5).mean() < 0.2
    assert np.abs(mixed.predict_proba(x)[:, 1] - 0.5).mean() > 0.4
    assert not apart.verdicts(x).any()
    assert mixed.verdicts(x).any()


def test_in_pipelines_and_cross_validation() -> None:
    x, y, persons = made_up()
    truth = y[:, 0] > 0
    pipeline = make_pipeline(StandardScaler(), TemplateProbe(C=0.1))
    assert cross_val_score(pipeline, x, truth, cv=3, scoring="roc_auc").min() > 0.6
    fitted = clone(pipeline).fit(x, truth, templateprobe__groups=persons)
    assert fitted.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(len(x)))


@pytest.mark.parametrize(
    ("settings", "labels", "error", "message"),
    [
        ({"C": -1.0}, [0, 1] * 20, InputError, "must be positive and finite"),
        ({"folds": 1}, [0, 1] * 20, InputError, "folds from 2 on"),
        ({"error_rate": 0.7}, [0, 1] * 20, InputError, "error_rate from 0 to 0.5"),
        ({}, [1] * 40, ValueError, "expected 2 classes"),
        ({}, [0, 1, 2, 3] * 10, ValueError, "Only binary classification"),
        ({}, [[0, 2], [1, 0]] * 20, ValueError, "indicator of 1, 0 and -1"),
    ],
)
def test_refusals(settings: dict, labels: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TemplateProbe(**settings).fit(np.random.default_rng(0).normal(size=(40, 3)), labels)


def test_a_saved_reader_reads_as_it_does(tmp_path) -> None:
    shipped = load_interpreter()
    x = dlib_like(np.random.default_rng(0).normal(size=(5, 128)))
    x[4] = 1  # no template of dlib
    reader = clone(SavedReader()).fit()
    scores, probabilities, verdicts = shipped.read(x.astype(np.float32))
    np.testing.assert_array_equal(reader.decision_function(x), scores)
    np.testing.assert_array_equal(reader.predict_proba(x), probabilities)
    np.testing.assert_array_equal(reader.verdicts(x), verdicts)
    assert tuple(reader.classes_) == shipped.attributes
    assert reader.n_features_in_ == 128
    np.testing.assert_array_equal(reader.predict(x)[:4], np.where(probabilities[:4] > 0.5, 1, -1))
    assert np.isnan(reader.predict_proba(x)[4]).all()
    assert not reader.predict(x)[4].any()
    assert "Male" not in SavedReader(hide="gender").fit().classes_
    with pytest.raises(TemplateError, match="length 128"):
        reader.predict(np.ones((2, 7)))
    toy_probe().save(tmp_path)
    rows = np.random.default_rng(0).normal(size=(3, DIM)).astype(np.float32)
    np.testing.assert_array_equal(
        SavedReader(tmp_path).fit().predict_proba(rows), load_reader(tmp_path).read(rows)[1]
    )


def test_only_this_module_imports_scikit_learn() -> None:
    code = "import sys, clip_smu; clip_smu.load_interpreter(); assert 'sklearn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    missing = "import sys; sys.modules['sklearn'] = None\nimport clip_smu.sklearn"
    done = subprocess.run([sys.executable, "-c", missing], capture_output=True, text=True)
    assert "needs the extra [sklearn]" in done.stderr
