"""scikit-learn's interface: a probe to fit inside its pipelines, and saved readers as fitted classifiers.

    >>> import numpy as np
    >>> from clip_smu.sklearn import SavedReader
    >>> reader = SavedReader("dlib-faces").fit()
    >>> reader.predict_proba(np.eye(3, 128)).shape, str(reader.classes_[0])
    ((3, 47), 'Male')

Needs the extra ``[sklearn]``; neither PyTorch nor anything else of ``[train]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float32s, Float64s, Floats, Int8s
from clip_smu.errors import InputError, MissingExtraError
from clip_smu.interpreter.calibration import apply, calibrate
from clip_smu.interpreter.load import load_reader
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c, fit_logistic
from clip_smu.words.hiding import Hide, shown_columns

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        check_array,
        check_consistent_length,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise MissingExtraError("clip_smu.sklearn", "sklearn") from None


class TemplateProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """L2-regularised logistic regression of one attribute or many, with calibrated probabilities and verdicts.

    The optimum is that of scikit-learn's ``LogisticRegression`` at the same C, found for all attributes at once. The
    probabilities are calibrated (Platt) on scores of persons that were left out, so ``predict``, which goes by the sign
    of the score, may disagree with a probability near 0.5.

    Args:
        C: inverse regularisation, above 0; ``None``: for each attribute the one of 1e-4 to 100 with the best AUC on
            persons that were left out.
        error_rate: 0 to 0.5, the share of wrong verdicts that the thresholds are chosen for.
        folds: of persons, from which the calibration is learnt.
        tol: no partial derivative of the mean loss is over this at the end.
        random_state: seed of the folds.

    Attributes:
        classes_: (2,) of y; for an indicator the numbers of its columns, (K,).
        n_features_in_: d.
        coef_, intercept_: (K, d) and (K,) float64, K is 1 for y with one column.
        C_: (K,) the inverse regularisation of each attribute.
        calibration_: slope, intercept and thresholds of each attribute.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(200, 8))
        >>> y = np.where(x[:, 0] + 0.3 * rng.normal(size=200) > 0, "male", "female")
        >>> probe = TemplateProbe().fit(x, y, groups=[f"person {n // 2}" for n in range(200)])
        >>> probe.predict(x[:2]).shape, probe.predict_proba(x[:2]).shape, probe.score(x, y) > 0.9
        ((2,), (2, 2), True)
    """

    def __init__(
        self,
        C: float | None = 1.0,
        *,
        error_rate: float = 0.1,
        folds: int = 5,
        tol: float = 1e-5,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.error_rate = error_rate
        self.folds = folds
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: Sequence[Any] | None = None) -> TemplateProbe:
        """Fits and calibrates.

        Args:
            X: (N, d) finite floats; float32 is computed in float32.
            y: (N,) of two classes; or an (N, K) indicator, either as in MAAD-Face (1 yes, -1 no, 0 unknown, left out)
                or, where it has no -1, as in scikit-learn (1 yes, 0 no).
            groups: N persons, whose photos are never on both sides of a fold; "" is a person of its own, as is each row
                where ``None``.

        Raises:
            ValueError: shapes that do not fit, NaN, not two classes.
            InputError: C is not positive, or folds or error_rate out of range.
        """
        if self.folds < 2 or not 0 <= self.error_rate <= 0.5:
            raise InputError(
                f"expected folds from 2 on and error_rate from 0 to 0.5, found {self.folds} and {self.error_rate}"
            )
        rows: Floats
        rows, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], multi_output=True, ensure_min_samples=2
        )
        labels = self._labels(y)
        persons = [""] * len(rows) if groups is None else ["" if one is None else str(one) for one in groups]
        check_consistent_length(rows, persons)
        self.C_ = (
            choose_c(rows, labels, persons, seed=self.random_state)
            if self.C is None
            else np.full(labels.shape[1], self.C, dtype=np.float64)
        )
        self.coef_, self.intercept_ = fit_logistic(rows, labels, self.C_, tolerance=self.tol)
        held_out = self._held_out_scores(rows, labels, persons)
        self.calibration_ = calibrate(held_out, labels, self.error_rate, persons)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores ``X @ coef_.T + intercept_``: (N,), or (N, K) for an indicator."""
        scores = self._scores(X)
        return scores if self._indicator else scores[:, 0]

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Calibrated probabilities: (N, 2) of the classes, or (N, K) of yes for an indicator."""
        scores = self._scores(X)
        yes = apply(self.calibration_, scores)[0].astype(np.float64)
        return yes if self._indicator else np.hstack([1 - yes, yes])

    def predict(self, X: ArrayLike) -> Any:
        """(N,) classes, or an (N, K) indicator as y was: 1 for a score above 0, else -1 (MAAD-Face) or 0."""
        yes = self._scores(X) > 0
        if self._indicator:
            return np.where(yes, 1, self._no)
        return self.classes_[yes[:, 0].astype(np.intp)]

    def verdicts(self, X: ArrayLike) -> Int8s:
        """(N, K) int8: 1 encoded, -1 not encoded, 0 cannot tell, at ``error_rate``; K is 1 for y with one column."""
        scores = self._scores(X)
        return apply(self.calibration_, scores)[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags

    def _labels(self, y: Any) -> Int8s:
        """(N, K) int8, 1 yes, -1 no, 0 unknown; sets ``classes_`` and how ``predict`` says no."""
        y = np.asarray(y)
        self._indicator = y.ndim == 2 and y.shape[1] > 1
        if self._indicator:
            if not np.isin(y, (-1, 0, 1)).all():
                raise ValueError("expected an indicator of 1, 0 and -1, found other values: recode it")
            self.classes_ = np.arange(y.shape[1])
            self._no = -1 if (y < 0).any() else 0
            return np.where(y > 0, 1, y if self._no else -1).astype(np.int8)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if type_of_target(y) == "multiclass":
            raise ValueError("Only binary classification is supported. The type of the target is multiclass.")
        self.classes_ = np.unique(y)
        if len(self.classes_) != 2:
            raise ValueError(f"expected 2 classes in y, found one class: {self.classes_[0]!r}")
        return np.where(y == self.classes_[1], 1, -1).astype(np.int8)[:, None]

    def _held_out_scores(self, X: Floats, labels: Int8s, persons: Sequence[str]) -> Float64s:
        """(N, K) of each row by a regression that did not see its person; intercepts as the whole regression's.

        A fold whose persons have an attribute more often leaves the others with less, and its regression with a lower
        intercept: ranked as they are, such scores read chance as worse than chance.
        """
        fold_of = identity_folds(persons, self.folds, self.random_state)
        scores = np.empty(labels.shape)
        for fold in np.unique(fold_of):
            inside, outside = fold_of != fold, fold_of == fold
            if not inside.any():
                raise ValueError(f"expected photos of at least 2 persons, found one in all {len(X)}")
            weights, _ = fit_logistic(X[inside], labels[inside], self.C_, tolerance=self.tol)
            scores[outside] = (X[outside] - X[inside].mean(axis=0)) @ weights.T
        return np.asarray(scores + X.mean(axis=0) @ self.coef_.T + self.intercept_)

    def _scores(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        rows: Floats = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return np.asarray(rows @ self.coef_.T + self.intercept_)


class SavedReader(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A saved interpreter or probe as a classifier of its K attributes; ``fit`` loads it and learns nothing.

    Templates go in as the encoder gave them. A row that is zero, or does not look like a template of the encoder, gets
    NaN.

    Args:
        folder: made by ``clip-smu fit``, ``probe`` or ``zero-shot``; or the shipped ``dlib-faces``.
        hide: attributes, groups or categories to leave out, by name: "race,Male".

    Attributes:
        classes_: (K,) names of the attributes.
        n_features_in_: d, the length of the encoder's templates.
        reader_: what was loaded.

    Example:
        >>> reader = SavedReader("dlib-faces", hide="race").fit()
        >>> reader.n_features_in_, reader.decision_function(np.eye(2, 128)).shape
        (128, (2, 44))
    """

    def __init__(self, folder: str | Path = "dlib-faces", *, hide: Hide = "") -> None:
        self.folder = folder
        self.hide = hide

    def fit(self, X: Any = None, y: Any = None) -> SavedReader:  # noqa: ARG002
        """Loads the reader; ``X`` and ``y`` are ignored.

        Raises:
            InterpreterError: no such folder, or it is incomplete or damaged.
            InputError: ``hide`` names nothing, or everything.
        """
        self.reader_ = load_reader(self.folder)
        self._keep = shown_columns(self.reader_.attributes, self.hide)
        self.classes_ = np.array([self.reader_.attributes[k] for k in self._keep])
        self.n_features_in_ = self.reader_.dim
        return self

    def decision_function(self, X: ArrayLike) -> Float32s:
        """(N, K) float32 scores of (N, d) templates: the larger, the likelier; see the reader for their range.

        Raises:
            ValueError: not two-dimensional, or NaN or infinite.
            TemplateError: another length than d.
        """
        return self._read(X)[0]

    def predict_proba(self, X: ArrayLike) -> Float32s:
        """(N, K) float32 calibrated probabilities, each attribute's own; raises as :meth:`decision_function`."""
        return self._read(X)[1]

    def predict(self, X: ArrayLike) -> Int8s:
        """(N, K) int8 as in MAAD-Face: 1 where the probability is above 0.5, else -1; 0 where nothing was read."""
        said = self._read(X)[1]
        return np.where(np.isnan(said), 0, np.where(said > 0.5, 1, -1)).astype(np.int8)

    def verdicts(self, X: ArrayLike) -> Int8s:
        """(N, K) int8: 1 encoded, -1 not encoded, 0 cannot tell; raises as :meth:`decision_function`."""
        return self._read(X)[2]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.classifier_tags.multi_label = True
        return tags

    def _read(self, X: ArrayLike) -> tuple[Float32s, Float32s, Int8s]:
        check_is_fitted(self)
        vectors = check_array(X, dtype=np.float32, order="C")
        self.reader_.check_templates(None, vectors.shape[1])
        scores, probabilities, verdicts = self.reader_.read(vectors)
        return scores[:, self._keep], probabilities[:, self._keep], verdicts[:, self._keep]
