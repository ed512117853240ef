""" "None of these": the score below which an answer is withheld, chosen on rows that are not the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .calibration import check_scores, other_folds

__all__ = ["Coverage", "Threshold", "choose_threshold", "coverage_curve", "cross_answered", "surest_threshold"]


@dataclass(frozen=True)
class Threshold:
    """Answer where the largest probability is >= `value`, else say "none of these".

    Attributes
    ----------
    value : float
    coverage : float
        Share of the given rows that are answered.
    accuracy : float
        Of those answered.
    false_accepts : float
        Share of the "none" rows that are answered all the same; NaN where none were given.
    """

    value: float
    coverage: float
    accuracy: float
    false_accepts: float = float("nan")

    def answered(self, probabilities: Any) -> np.ndarray:
        """True where a row is answered [shape=(N,)]."""
        return np.asarray(probabilities, dtype=np.float64).max(1) >= self.value


@dataclass(frozen=True)
class Coverage:
    """Accuracy of what is answered as the threshold falls: one point a distinct score, all [shape=(M,)].

    `area` is the mean error over coverage (0 best), the AURC of Geifman & El-Yaniv (2017).
    """

    threshold: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray

    @property
    def area(self) -> float:
        share = np.diff(self.coverage, prepend=0.0)
        return float((share * (1 - self.accuracy)).sum())


def coverage_curve(probabilities: Any, targets: Any) -> Coverage:
    """What answering only above each score would give; rows of one score are answered together.

    Raises
    ------
    InputError
        As `calibration.reliability`.

    Examples
    --------
    >>> c = coverage_curve([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1])
    >>> c.threshold.tolist(), c.coverage.round(2).tolist(), c.accuracy.round(2).tolist()
    ([0.9, 0.8, 0.6], [0.33, 0.67, 1.0], [1.0, 1.0, 0.67])
    """
    p, t = check_scores(probabilities, targets)
    score, right = p.max(1), p.argmax(1) == t
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-1.0))  # the last row of each distinct score
    answered = last + 1
    return Coverage(score[order][last], answered / len(t), np.cumsum(right[order])[last] / answered)


def choose_threshold(
    probabilities: Any,
    targets: Any,
    *,
    min_accuracy: float | None = None,
    none_probabilities: Any = None,
    max_false_accepts: float | None = None,
    min_coverage: float = 0.0,
) -> Threshold:
    """The lowest threshold that keeps what was asked for, so that as much as possible is answered.

    Parameters
    ----------
    probabilities : array [shape=(N, n_classes)], targets : ints [shape=(N,)]
        Of inner data: rows that neither trained the model nor will judge it.
    min_accuracy : float in (0, 1], optional
        Accuracy of what is answered.
    none_probabilities : array [shape=(M, n_classes)], optional
        What the model says of rows that are none of the classes.
    max_false_accepts : float in [0, 1), optional
        Share of those that may be answered.
    min_coverage : float in [0, 1]
        Share of the rows that must be answered: a threshold that a handful passes is luck.

    Returns
    -------
    Threshold

    Raises
    ------
    InputError
        If nothing is asked for, or no threshold gives it; the message says what is within reach.

    Source: Chow, IEEE Trans. Information Theory 16 (1970); Geifman & El-Yaniv (NeurIPS 2017).

    Examples
    --------
    >>> p = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.55, 0.45]]
    >>> choose_threshold(p, [0, 1, 1, 0], min_accuracy=0.9)
    Threshold(value=0.8, coverage=0.5, accuracy=1.0, false_accepts=nan)
    """
    curve = coverage_curve(probabilities, targets)
    _check_targets(min_accuracy, none_probabilities, max_false_accepts, min_coverage)
    none = np.zeros(0) if none_probabilities is None else _none_scores(probabilities, none_probabilities)
    fits = curve.coverage >= min_coverage
    accepted = np.array([(none >= v).mean() if len(none) else np.nan for v in curve.threshold])
    if max_false_accepts is not None:
        fits &= accepted <= max_false_accepts
        if not fits.any():
            strictest = accepted[curve.coverage >= min_coverage][0]
            raise InputError(
                f"max_false_accepts={max_false_accepts:g} cannot be reached{_at_least(min_coverage)}: even the "
                f"strictest threshold answers {strictest:.1%} of the none rows; "
                "allow more, or ask for less coverage"
            )
    if min_accuracy is not None and not (fits & (curve.accuracy >= min_accuracy)).any():
        best = int(np.flatnonzero(fits)[np.argmax(curve.accuracy[fits])])
        raise InputError(
            f"min_accuracy={min_accuracy:g} cannot be reached{_at_least(min_coverage)}: the best is "
            f"{curve.accuracy[best]:.4f}, answering {curve.coverage[best]:.1%}; ask for less"
        )
    if min_accuracy is not None:
        fits &= curve.accuracy >= min_accuracy
    i = int(np.flatnonzero(fits)[-1])  # scores fall along the curve: the last is the lowest threshold
    return Threshold(
        float(curve.threshold[i]), float(curve.coverage[i]), float(curve.accuracy[i]), float(accepted[i])
    )


def surest_threshold(
    probabilities: Any, targets: Any, *, min_accuracy: float, min_coverage: float = 0.0
) -> Threshold:
    """`choose_threshold`, or where no threshold gives that accuracy, the most accurate one.

    Its `accuracy` says how far it falls short.

    Examples
    --------
    >>> surest_threshold([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [1, 1, 1], min_accuracy=0.9)
    Threshold(value=0.8, coverage=0.6666666666666666, accuracy=0.5, false_accepts=nan)
    """
    curve = coverage_curve(probabilities, targets)
    _check_targets(min_accuracy, None, None, min_coverage)
    enough = curve.coverage >= min_coverage
    aim = min(min_accuracy, float(curve.accuracy[enough].max()))
    i = int(np.flatnonzero(enough & (curve.accuracy >= aim))[-1])
    return Threshold(float(curve.threshold[i]), float(curve.coverage[i]), float(curve.accuracy[i]))


def cross_answered(
    probabilities: Any,
    targets: Any,
    folds: Any,
    *,
    min_accuracy: float,
    min_coverage: float = 0.0,
) -> tuple[np.ndarray, dict[int, float]]:
    """Which rows are answered, each fold by the threshold chosen on all other folds.

    Returns
    -------
    array of bool [shape=(N,)], dict from fold to threshold
        What the accuracy of those rows turns out to be is the honest figure; `min_accuracy` was only the aim.

    Raises
    ------
    InputError
        If there is only one fold, or as `choose_threshold`.

    Examples
    --------
    >>> p, t = [[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.5, 0.5]], [0, 1, 0, 1]
    >>> answered, thresholds = cross_answered(p, t, [0, 0, 1, 1], min_accuracy=1.0)
    >>> answered.tolist(), thresholds
    ([True, False, False, False], {0: 0.8, 1: 0.9})
    """
    p, t = check_scores(probabilities, targets)
    answered, thresholds = np.zeros(len(t), bool), {}
    for fold, inside in other_folds(folds, len(t)):
        chosen = choose_threshold(p[~inside], t[~inside], min_accuracy=min_accuracy, min_coverage=min_coverage)
        answered[inside], thresholds[fold] = chosen.answered(p[inside]), chosen.value
    return answered, thresholds


def _check_targets(min_accuracy, none_probabilities, max_false_accepts, min_coverage) -> None:
    if min_accuracy is None and max_false_accepts is None:
        raise InputError("a target must be given: min_accuracy, or none_probabilities with max_false_accepts")
    if (none_probabilities is None) != (max_false_accepts is None):
        raise InputError("none_probabilities and max_false_accepts must be given together, got one of them")
    for name, value, fits, allowed in (
        ("min_accuracy", min_accuracy, lambda v: 0 < v <= 1, "in (0, 1]"),
        ("max_false_accepts", max_false_accepts, lambda v: 0 <= v < 1, "in [0, 1)"),
        ("min_coverage", min_coverage, lambda v: 0 <= v <= 1, "in [0, 1]"),
    ):
        if value is not None and not fits(value):
            raise InputError(f"{name} must be {allowed}, got {value!r}")


def _none_scores(probabilities: Any, none_probabilities: Any) -> np.ndarray:
    rows = np.asarray(none_probabilities, dtype=np.float64)
    n_classes = np.asarray(probabilities).shape[1]
    if rows.ndim != 2 or rows.shape[1] != n_classes or len(rows) == 0 or not np.isfinite(rows).all():
        raise InputError(
            f"none_probabilities must be finite, (M, {n_classes}) with M >= 1, got shape {rows.shape}"
        )
    return rows.max(1)


def _at_least(coverage: float) -> str:
    return f" with at least {coverage:.0%} answered" if coverage > 0 else ""
