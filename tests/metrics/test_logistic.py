"""Logistic regressions all at once: against scikit-learn, against the definition, and where there is no answer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score

from clip_smu.errors import InputError
from clip_smu.metrics import auc, lbfgs, logistic, products
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c, fit_logistic

N, D, K = 400, 20, 6


def data(seed: int = 0, n: int = N, d: int = D) -> tuple[np.ndarray, np.ndarray]:
    """Correlated rows off the origin; labels linear in them, rare and common, a third unknown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d) + rng.normal(size=d)
    readings = (x - x.mean(axis=0)) @ rng.normal(size=(d, K)) / np.sqrt(d) + rng.normal(size=(n, K))
    y = np.where(readings > np.linspace(-1.2, 1.6, K), 1, -1).astype(np.int8)
    y[rng.random(y.shape) < 1 / 3] = 0
    return x, y


def peer(x: np.ndarray, y: np.ndarray, c: float) -> tuple[np.ndarray, float]:
    """scikit-learn's solution of one attribute, solved by Newton's method."""
    known = y != 0
    model = LogisticRegression(C=c, tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(
        x[known], y[known]
    )
    return model.coef_[0], float(model.intercept_[0])


@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_same_coefficients_as_scikit_learn(strength: float) -> None:
    x, y = data()
    weights, bias = fit_logistic(x, y, strength, tolerance=1e-9)
    single, single_bias = fit_logistic(x.astype(np.float32), y, strength)
    for k in range(K):
        expected, intercept = peer(x, y[:, k], strength)
        np.testing.assert_allclose(weights[k], expected, atol=1e-5 * max(1, strength))
        assert bias[k] == pytest.approx(intercept, abs=1e-5 * max(1, strength))
        areas = auc(np.column_stack([x @ expected, x @ single[k] + single_bias[k]]), y[:, [k, k]]).value
        assert areas[0] == pytest.approx(areas[1], abs=1e-3)


def test_more_columns_than_rows() -> None:
    x, y = data(1, n=60, d=90)
    weights, _ = fit_logistic(x, y, 0.1, tolerance=1e-9)
    np.testing.assert_allclose(weights, [peer(x, y[:, k], 0.1)[0] for k in range(K)], atol=1e-6)


def test_the_gradient_of_the_definition_is_zero() -> None:
    x, y = data(2)
    strength = np.logspace(-3, 1, K)  # each attribute at its own
    weights, bias = fit_logistic(x, y, strength, tolerance=1e-9)
    for k in range(K):
        of_weights, of_bias = weights[k].copy(), 0.0
        for row, label in zip(x, y[:, k].astype(float), strict=True):
            if label:
                residual = strength[k] * label / (1 + np.exp(label * (row @ weights[k] + bias[k])))
                of_weights -= residual * row
                of_bias -= residual
        largest = max(np.abs(of_weights).max(), abs(of_bias))
        assert largest <= 1.01e-9 * strength[k] * np.count_nonzero(y[:, k])


def test_start_and_company_do_not_matter() -> None:
    x, y = data(3)
    alone = [fit_logistic(x, y[:, [k]], 0.5, tolerance=1e-9) for k in range(K)]
    rng = np.random.default_rng(0)
    near = rng.normal(size=(K, D)), rng.normal(size=K)
    far = 50 * near[0], 50 * near[1]  # rows told with certainty, rightly or wrongly, have no curvature
    for start in (None, near, far):
        weights, bias = fit_logistic(x, y, 0.5, start=start, tolerance=1e-9)
        np.testing.assert_allclose(weights, [one[0][0] for one in alone], atol=1e-6)
        np.testing.assert_allclose(bias, [one[1][0] for one in alone], atol=1e-6)


def test_a_path_of_c_is_the_fits_one_by_one() -> None:
    x, y = data(4)
    path = np.repeat(np.array([[1e-3], [0.1], [1.0], [30.0]]), K, axis=1)
    weights, bias = logistic._solve(lbfgs.Design(x.astype(np.float32)), y, path, None, 1e-6)
    for s, c in enumerate(path[:, 0]):
        one, intercept = fit_logistic(x, y, c, tolerance=1e-8)
        np.testing.assert_allclose(weights[s], one, atol=2e-3 * max(1, np.abs(one).max()))
        np.testing.assert_allclose(bias[s], intercept, atol=4e-3 * max(1, np.abs(intercept).max()))


def wide(n: int = 1500, d: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Half of the rows are unknown, and spread much further along some axes than the others."""
    rng = np.random.default_rng(10)
    x = rng.normal(size=(n, d))
    readings = x @ rng.normal(size=(d, K)) / 3 + rng.normal(size=(n, K))
    y = np.where(readings > np.linspace(0.2, 1.5, K), 1, -1).astype(np.int8)
    y[::2] = 0
    x[::2, : lbfgs.LEADING_AXES] *= np.geomspace(3, 40, lbfgs.LEADING_AXES)
    return x, y


def test_the_hessian_along_the_leading_axes() -> None:
    x, y = wide()
    weights, bias = fit_logistic(x, y, 0.1, tolerance=1e-9)
    rows = lbfgs.Design(x)
    descent = lbfgs.Lbfgs(
        rows, x, y.T.astype(np.float64), np.full((1, K), 0.1), np.column_stack([weights, bias])
    )
    axes = rows.eigenvectors[:, -lbfgs.LEADING_AXES :]
    coordinates = np.column_stack([(x - x.mean(axis=0)) @ axes, np.ones(len(x))])
    for k in range(K):
        p = 1 / (1 + np.exp(-(x @ weights[k] + bias[k])))
        expected = (coordinates * (p * (1 - p) * np.abs(y[:, k]))[:, None]).T @ coordinates
        np.testing.assert_allclose(
            descent.hessian[k], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
        )


def test_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = wide()
    monkeypatch.setattr(logistic, "_MAX_STEPS_32", 12)  # over 40 by the second derivative that all share
    monkeypatch.setattr(logistic, "_MAX_STEPS_64", 1)
    weights, _ = fit_logistic(x.astype(np.float32), y, 0.1)
    for k in range(K):
        np.testing.assert_allclose(weights[k], peer(x, y[:, k], 0.1)[0], atol=2e-3)


@pytest.mark.parametrize("attributes", [1, 3, 4, 5, 7, 8])
def test_padded_products_are_products(attributes: int) -> None:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(attributes, 130)), rng.normal(size=(130, 5))
    np.testing.assert_allclose(products.product(a, b), a @ b)
    np.testing.assert_allclose(products.scores_of(a, b.T), a @ b)


def test_one_class_only() -> None:
    x, y = data(5)
    y[:, 0], y[:, 1] = np.abs(y[:, 0]), 0
    weights, bias = fit_logistic(x, y)
    assert not weights[:2].any()
    assert bias[0] == pytest.approx(np.log(np.count_nonzero(y[:, 0]) + 1))
    assert bias[1] == 0
    assert np.abs(weights[2:]).max() > 0.1


def test_sweep_is_a_grid_search_of_scikit_learn_on_the_same_folds() -> None:
    x, y = data(6)
    y[:, 5] = np.where(np.arange(N) == 0, 1, -1)  # one fold alone has a yes, and the others' regressions none
    people = [f"p{row // 3}" for row in range(N)]
    grid = [0.001, 0.03, 1.0]
    fold_of = identity_folds(people, 3, 7)
    expected = [0.001] * K
    for k in range(K - 1):
        known = y[:, k] != 0
        areas = [
            cross_val_score(
                LogisticRegression(C=c, tol=1e-12, max_iter=1000, solver="newton-cholesky"),
                x[known], y[known, k], scoring="roc_auc", cv=PredefinedSplit(fold_of[known]),
            ).mean()
            for c in grid
        ]  # fmt: skip
        expected[k] = grid[int(np.argmax(areas))]
    chosen = choose_c(x, y, people, grid, 3, 7, tolerance=1e-7)
    np.testing.assert_array_equal(chosen, expected)
    assert len(set(expected)) == 3


def test_a_fold_of_one_class_takes_no_part_in_the_sweep() -> None:
    """The mean of the folds that have a figure, by a loop; one column has labels of one class, one has none."""
    x, y = data(7, n=120, d=8)
    people = [f"p{row // 2}" for row in range(120)]
    fold_of, grid = identity_folds(people, 3, 0), [1e-3, 1e-1, 10.0]
    y[fold_of == 1, 0] = -1
    y[:, 1], y[:, 2] = 1, 0
    means = []
    for c in grid:
        areas = []
        for fold in (0, 2):
            rest = fold_of != fold
            weights, bias = peer(x[rest], y[rest, 0], c)
            areas.append(auc(x[~rest] @ weights + bias, y[~rest, 0]).value[0])
        means.append(np.mean(areas))
    chosen = choose_c(x, y, people, grid, 3, 0, tolerance=1e-7)
    assert chosen[0] == grid[int(np.argmax(means))]
    np.testing.assert_array_equal(chosen[1:3], 1e-3)


def test_scores_of_different_regressions_are_not_ranked_together() -> None:
    """Folds of very different rates move the intercepts, which pooled scores take for errors of the small C."""
    rng = np.random.default_rng(0)
    people = np.repeat([f"p{one}" for one in range(60)], 5)
    fold_of = identity_folds(people, 3, 0)
    x = rng.normal(size=(300, 100))
    logit = x @ rng.normal(size=100) / 10 + np.array([-1.5, 0.0, 1.5])[fold_of]
    y = np.where(rng.random(300) < 1 / (1 + np.exp(-logit)), 1, -1).astype(np.int8)[:, None]
    pooled = []
    for c in (1e-3, 1.0):
        scores = np.zeros(300)
        for fold in range(3):
            weights, bias = peer(x[fold_of != fold], y[fold_of != fold, 0], c)
            scores[fold_of == fold] = x[fold_of == fold] @ weights + bias
        pooled.append(auc(scores, y[:, 0]).value[0])
    assert pooled[1] > pooled[0]  # what a pooled AUC would choose: too large a C
    assert choose_c(x, y, list(people), [1e-3, 1.0])[0] == 1e-3


def test_labels_are_one_minus_one_or_unknown() -> None:
    x, y = data(8)
    for wrong in (-128, 2):
        y[3, 2] = wrong
        with pytest.raises(InputError, match="expected labels 1, -1 and 0"):
            fit_logistic(x, y)
        with pytest.raises(InputError, match="expected labels 1, -1 and 0"):
            choose_c(x, y, [""] * N)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data(8)
    with pytest.raises(InputError, match="same N above 0, found"):
        fit_logistic(x[1:], y)
    with pytest.raises(InputError, match="C, the inverse regularisation, must be positive"):
        fit_logistic(x, y, 0.0)
    broken = x.copy()
    broken[3, 1] = np.nan
    with pytest.raises(InputError, match="expected finite x"):
        fit_logistic(broken, y)
    monkeypatch.setattr(logistic, "_MAX_STEPS_32", 1)
    monkeypatch.setattr(logistic, "_MAX_STEPS_64", 2)
    with pytest.raises(InputError, match="found no optimum for 6 attributes with C up to 1"):
        fit_logistic(x, y)


def test_float64_finishes_what_float32_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data(9)
    expected = fit_logistic(x, y, tolerance=1e-9)[0]
    monkeypatch.setattr(logistic, "_MAX_STEPS_32", 2)
    np.testing.assert_allclose(fit_logistic(x.astype(np.float32), y, tolerance=1e-9)[0], expected, atol=1e-5)
