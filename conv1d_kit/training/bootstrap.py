"""How far a score would move with other speakers or sources: bootstrap intervals that resample whole groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_whole
from .metrics import check_confidence, class_indices

__all__ = [
    "Interval",
    "accuracy_of",
    "bootstrap_interval",
    "class_scores_of",
    "group_numbers",
    "grouped_tallies",
    "macro_f1_of",
    "paired_difference",
    "recall_of",
]

METHODS = ("bca", "percentile")
_BLOCK = 2**24  # resampled weights in memory at once

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it; each a float, or an array where the statistic is one."""

    estimate: Any
    low: Any
    high: Any


def bootstrap_interval(
    statistic: Statistic,
    counts: Any,
    *,
    confidence: float = 0.95,
    n_resamples: int = 4000,
    method: str = "bca",
    seed: int = 0,
) -> Interval:
    """Interval of any statistic of sums over groups, drawing whole groups with replacement.

    Accuracy is a statistic of (right, all), macro-F1 of tallies by class, a mean loss of (loss, rows): each
    adds up over groups, so a resample is a weighted sum of `counts` and costs one matrix product.

    Parameters
    ----------
    statistic : function, array [shape=(R, *S)] → array [shape=(R,) or (R, *out)]
        Of R summed counts at once. NaN: undefined in that resample, which is then left out.
    counts : array [shape=(G, *S)]
        What each group (speaker, source; or single row) adds. `grouped_tallies` makes them of answers.
    confidence : float in (0, 1)
    n_resamples : int >= 100
    method : "bca" or "percentile"
        Bias-corrected and accelerated (better for skewed statistics), or plain quantiles.
    seed : int

    Returns
    -------
    Interval
        A point where all groups are alike (nothing wrong at all, say): the data cannot tell; Wilson's
        interval can.

    Raises
    ------
    InputError
        Fewer than two groups, or an option that cannot be used.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), sections 13.3 and 14.3.

    Examples
    --------
    >>> right = np.array([[9, 10], [4, 10], [10, 10], [8, 10]])  # (right, all) of four speakers
    >>> i = bootstrap_interval(lambda c: c[:, 0] / c[:, 1], right)
    >>> round(float(i.estimate), 3), bool(i.low < 0.7 < i.high < 1)
    (0.775, True)
    """
    c = _checked(counts, confidence, n_resamples, method)
    n_groups, shape = len(c), c.shape[1:]
    flat = c.reshape(n_groups, -1)
    total = flat.sum(0)
    estimate = np.asarray(statistic(total.reshape(1, *shape)), dtype=np.float64)[0]
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // n_groups)
    share = np.full(n_groups, 1 / n_groups)
    drawn = []
    for start in range(0, n_resamples, block):
        weights = rng.multinomial(n_groups, share, size=min(block, n_resamples - start))  # (R, G)
        drawn.append(statistic((weights @ flat).reshape(-1, *shape)))
    samples = np.concatenate(drawn).astype(np.float64)  # (R, *out)
    tail = (1 - confidence) / 2
    if method == "percentile":
        low_p, high_p = np.full(estimate.shape, tail), np.full(estimate.shape, 1 - tail)
    else:
        left_out = np.asarray(statistic((total - flat).reshape(-1, *shape)), dtype=np.float64)
        low_p, high_p = _bca_levels(estimate, samples, left_out, tail)
    low, high = _quantiles(samples, low_p), _quantiles(samples, high_p)
    return Interval(*(v.item() if v.ndim == 0 else v for v in (estimate, low, high)))


def paired_difference(
    statistic: Statistic,
    counts_a: Any,
    counts_b: Any,
    *,
    confidence: float = 0.95,
    n_resamples: int = 4000,
    method: str = "bca",
    seed: int = 0,
) -> Interval:
    """Interval of statistic(a) − statistic(b) for two models judged on the same groups; options as above.

    Both are given the same drawn groups, so what is hard for both cancels: the interval is narrower than two
    single ones suggest. 0 outside it: the models differ.

    Raises
    ------
    InputError
        If the counts differ in shape, or as `bootstrap_interval`.

    Examples
    --------
    >>> a, b = np.array([[9, 10], [5, 10], [8, 10]]), np.array([[8, 10], [4, 10], [7, 10]])
    >>> i = paired_difference(lambda c: c[:, 0] / c[:, 1], a, b)
    >>> round(i.estimate, 3), round(i.low, 3), round(i.high, 3)
    (0.1, 0.1, 0.1)
    """
    a, b = np.asarray(counts_a), np.asarray(counts_b)
    if a.shape != b.shape:
        raise InputError(
            f"counts_a and counts_b must be of the same groups and shape, got {a.shape} and {b.shape}"
        )

    def difference(c: np.ndarray) -> np.ndarray:  # (R, 2, *S)
        return np.asarray(statistic(c[:, 0])) - np.asarray(statistic(c[:, 1]))

    return bootstrap_interval(
        difference,
        np.stack([a, b], 1),
        confidence=confidence,
        n_resamples=n_resamples,
        method=method,
        seed=seed,
    )


def group_numbers(groups: Any) -> np.ndarray:
    """Each row's group as an int from 0 [shape=(N,)], in the order of the sorted names.

    Examples
    --------
    >>> group_numbers(["ann", "bob", "ann"]).tolist()
    [0, 1, 0]
    """
    return np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]


def grouped_tallies(true: Any, predicted: Any, n_classes: int, groups: Any = None) -> np.ndarray:
    """What each group adds to the scores of the classes; default a row a group.

    Returns
    -------
    array of int64 [shape=(G, 3, n_classes)]
        Rows that were right, that were predicted so, and that are so: all that precision, recall, F1 and
        accuracy need, where a confusion matrix a group would not fit in memory with a thousand classes.

    Raises
    ------
    InputError
        If the lengths differ or an index is no class.

    Examples
    --------
    >>> grouped_tallies([0, 1, 1], [0, 1, 0], 2, ["ann", "ann", "bob"]).tolist()
    [[[1, 1], [1, 1], [1, 1]], [[0, 0], [1, 0], [0, 1]]]
    """
    t, p = class_indices(true, predicted, n_classes)
    g = np.arange(len(t)) if groups is None else group_numbers(groups)
    if g.shape != t.shape:
        raise InputError(f"groups must be one a row ({len(t)}), got shape {g.shape}")
    n_groups = int(g.max()) + 1 if len(g) else 0

    def count(rows: Any, classes: np.ndarray) -> np.ndarray:
        cells = g[rows] * n_classes + classes[rows]
        return np.bincount(cells, minlength=n_groups * n_classes).reshape(n_groups, n_classes)

    every = slice(None)
    return np.stack([count(t == p, t), count(every, p), count(every, t)], 1)


def accuracy_of(tallies: np.ndarray) -> np.ndarray:
    """Share that was right [shape=(R,)] of tallies [shape=(R, 3, n)].

    Examples
    --------
    >>> accuracy_of(grouped_tallies([0, 0, 1, 1], [0, 1, 1, 1], 2, ["g"] * 4)).tolist()
    [0.75]
    """
    right, _, true = np.moveaxis(tallies, -2, 0)
    return _ratio(right.sum(-1), true.sum(-1))


def recall_of(tallies: np.ndarray) -> np.ndarray:
    """Balanced accuracy: mean recall of the classes that occur [shape=(R,)].

    Examples
    --------
    >>> recall_of(grouped_tallies([0, 0, 1, 1], [0, 1, 1, 1], 2, ["g"] * 4)).tolist()
    [0.75]
    """
    return _mean(class_scores_of(tallies)[:, 1])


def macro_f1_of(tallies: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that occur as truth or as answer [shape=(R,)], as scikit-learn averages them.

    Examples
    --------
    >>> macro_f1_of(grouped_tallies([0, 0, 1, 1], [0, 1, 1, 1], 2, ["g"] * 4)).round(3).tolist()
    [0.733]
    """
    return _mean(class_scores_of(tallies)[:, 2])


def class_scores_of(tallies: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 of each class [shape=(R, 3, n)]; NaN where nothing was predicted or is true.

    Examples
    --------
    >>> class_scores_of(grouped_tallies([0, 0, 1, 1], [0, 1, 1, 1], 2, ["g"] * 4)).round(3).tolist()
    [[[1.0, 0.667], [0.5, 1.0], [0.667, 0.8]]]
    """
    right, predicted, true = np.moveaxis(tallies, -2, 0)
    return np.stack([_ratio(right, predicted), _ratio(right, true), _ratio(2 * right, predicted + true)], -2)


def _checked(counts: Any, confidence: float, n_resamples: int, method: str) -> np.ndarray:
    c = np.asarray(counts, dtype=np.float64)
    if c.ndim < 1 or len(c) < 2:
        raise InputError(f"counts must be (G, …) of at least two groups to draw from, got shape {c.shape}")
    if not np.isfinite(c).all():
        raise InputError("counts must be finite, got NaN or infinity")
    check_confidence(confidence)
    check_whole("n_resamples", n_resamples, least=100)
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    return c


def _bca_levels(
    estimate: np.ndarray, samples: np.ndarray, left_out: np.ndarray, tail: float
) -> tuple[np.ndarray, np.ndarray]:
    """The quantile levels that undo bias and skew (Efron & Tibshirani, eq. 14.10)."""
    from scipy.special import ndtr, ndtri

    known = ~np.isnan(samples)
    n = np.maximum(known.sum(0), 1)
    below = ((samples < estimate) & known).sum(0) + 0.5 * ((samples == estimate) & known).sum(0)
    bias = ndtri(np.clip(below / n, 0.5 / n, 1 - 0.5 / n))
    defined = ~np.isnan(left_out)
    gap = np.where(defined, _mean(left_out, 0) - left_out, 0.0)
    spread = (gap**2).sum(0) ** 1.5
    acceleration = np.divide((gap**3).sum(0), 6 * spread, out=np.zeros_like(spread), where=spread > 0)
    levels = []
    for z in (ndtri(tail), ndtri(1 - tail)):
        levels.append(ndtr(bias + (bias + z) / (1 - acceleration * (bias + z))))
    return levels[0], levels[1]


def _quantiles(samples: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The quantile of each column at its own level, NaN left out."""
    columns, level = samples.reshape(len(samples), -1), np.ravel(levels)
    found = np.full(columns.shape[1], np.nan)
    for j, column in enumerate(columns.T):
        known = column[~np.isnan(column)]
        if len(known):
            found[j] = np.quantile(known, level[j])
    return found.reshape(samples.shape[1:])


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0)


def _mean(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean of what is defined; NaN where nothing is."""
    known = ~np.isnan(x)
    return _ratio(np.where(known, x, 0.0).sum(axis), known.sum(axis))
