"""Metrics with the interval that says how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import InputError, is_number, one_line

__all__ = [
    "check_confidence", "class_indices", "class_report", "confusion_matrix", "mean_interval", "wilson_interval",
]  # fmt: skip


def check_confidence(confidence: float) -> None:
    """InputError unless the share that an interval is to cover lies within (0, 1).

    Examples
    --------
    >>> check_confidence(95)
    Traceback (most recent call last):
    conv1d_kit.errors.InputError: confidence must be in (0, 1), got 95
    """
    if not is_number(confidence) or not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), got {one_line(confidence)}")


def wilson_interval(n_correct: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion: `n_correct` right out of `n` independent rows.

    Source: Wilson (1927), JASA 22; unlike ±z·sqrt(p(1−p)/n) it stays inside 0–1.

    Examples
    --------
    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    from scipy.special import ndtri

    if n < 1 or not 0 <= n_correct <= n:
        raise InputError(f"n_correct must be 0…n with n >= 1, got {n_correct} of {n}")
    check_confidence(confidence)
    z = float(ndtri(0.5 + confidence / 2))
    p = n_correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(scores: Sequence[float], *, test_share: float | None = None, confidence: float = 0.95):
    """Mean of fold scores and its half-width, Student's t.

    Parameters
    ----------
    scores : one score a fold
    test_share : float, optional
        n_test / n_train. Folds share training rows, so their scores are not independent; with it the
        variance is corrected. Source: Nadeau & Bengio (2003), Machine Learning 52, eq. 9.

    Returns
    -------
    mean, half_width : float
        `half_width` is NaN for a single score.

    Examples
    --------
    >>> mean, half = mean_interval([0.9, 0.92, 0.94])
    >>> round(mean, 3), round(half, 3)
    (0.92, 0.05)
    """
    from scipy.special import stdtrit

    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise InputError(f"scores must be a non-empty flat sequence, got shape {x.shape}")
    check_confidence(confidence)
    if len(x) == 1:
        return float(x[0]), math.nan
    factor = 1 / len(x) + (test_share or 0.0)
    half = float(stdtrit(len(x) - 1, 0.5 + confidence / 2)) * math.sqrt(factor * x.var(ddof=1))
    return float(x.mean()), half


def confusion_matrix(true: Sequence[int], predicted: Sequence[int], n_classes: int) -> np.ndarray:
    """Counts, rows = true class, columns = predicted class [shape=(n_classes, n_classes), int64].

    Raises
    ------
    InputError
        If the lengths differ or an index is no class.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    t, p = class_indices(true, predicted, n_classes)
    return np.bincount(t * n_classes + p, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def class_indices(
    true: Sequence[int], predicted: Sequence[int], n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both as int64 [shape=(N,)], or InputError where they are not N and N of the classes.

    Examples
    --------
    >>> class_indices([0, 1], [1, 1], 2)
    (array([0, 1]), array([1, 1]))
    """
    t, p = np.asarray(true, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if t.ndim != 1 or t.shape != p.shape:
        raise InputError(
            f"true and predicted must be flat and of one length, got shapes {t.shape} and {p.shape}"
        )
    both = np.concatenate([t, p])
    if len(both) and not 0 <= both.min() <= both.max() < n_classes:
        raise InputError(
            f"true and predicted must be class indices 0 to {n_classes - 1}, got {both.min()} to {both.max()}"
        )
    return t, p


def class_report(matrix: np.ndarray, classes: Sequence[str]) -> list[dict]:
    """Precision, recall, F1 and count of each class from a confusion matrix.

    Returns
    -------
    list of dict with keys class, precision, recall, f1, count; an undefined ratio is 0.0.

    Examples
    --------
    >>> class_report(np.array([[1, 1], [0, 1]]), ["a", "b"])[1]["recall"]
    1.0
    """
    right = np.diag(matrix).astype(float)
    predicted, count = matrix.sum(0), matrix.sum(1)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(count, 1)
    f1 = 2 * right / np.maximum(predicted + count, 1)
    return [
        {
            "class": str(name),
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "count": int(count[i]),
        }
        for i, name in enumerate(classes)
    ]
