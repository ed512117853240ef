"""Whether a probability means what it says: proper scores, reliability bins, the temperature that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_whole

__all__ = [
    "MAX_TEMPERATURE",
    "MIN_TEMPERATURE",
    "Reliability",
    "brier_score",
    "calibration_error",
    "check_scores",
    "cross_tempered",
    "fit_temperature",
    "negative_log_likelihood",
    "other_folds",
    "reliability",
    "tempered",
]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0  # beyond them the held-out rows do not say anything
_SMALLEST = float(np.finfo(np.float32).tiny)  # stands for a probability of 0, whose logarithm is not finite


@dataclass(frozen=True)
class Reliability:
    """Answers sorted into bins by their confidence: what a reliability diagram shows.

    Attributes
    ----------
    edges : array [shape=(n_bins + 1,)]
        Bin i holds confidences in (edges[i], edges[i + 1]], the first one edges[0] too.
    count : array of int [shape=(n_bins,)]
    confidence, accuracy : array [shape=(n_bins,)]
        Mean confidence of the bin and the share that was right; NaN where the bin is empty.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error, 0–1: the mean gap of confidence and accuracy, bins weighted by count."""
        held = self.count > 0
        gap = np.abs(self.confidence[held] - self.accuracy[held])
        return float((self.count[held] * gap).sum() / self.count.sum())

    @property
    def largest_error(self) -> float:
        """Maximum calibration error, 0–1: the largest gap of any bin that holds an answer."""
        held = self.count > 0
        return float(np.abs(self.confidence[held] - self.accuracy[held]).max())


def reliability(probabilities: Any, targets: Any, *, n_bins: int = 15, adaptive: bool = False) -> Reliability:
    """Confidence against accuracy of the most probable class, in bins.

    Parameters
    ----------
    probabilities : array [shape=(N, n_classes)], rows sum to 1
    targets : ints 0 to n_classes − 1 [shape=(N,)]
    n_bins : int >= 1
    adaptive : bool
        False: bins of equal width over 0–1. True: bins of equal count (quantiles), fewer where values repeat.

    Raises
    ------
    InputError
        If the shapes do not fit, or a row is no distribution.

    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017), eq. 3; adaptive: Nguyen & O'Connor
    (EMNLP 2015).

    Examples
    --------
    >>> r = reliability([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], n_bins=2)
    >>> r.count.tolist(), r.accuracy.round(3).tolist(), round(r.expected_error, 3)
    ([0, 3], [nan, 0.667], 0.133)
    """
    p, t = check_scores(probabilities, targets)
    _check_bins(n_bins)
    confidence, right = p.max(1), p.argmax(1) == t
    if adaptive:
        edges = np.unique(np.quantile(confidence, np.linspace(0, 1, n_bins + 1)))
        edges = edges if len(edges) > 1 else np.array([edges[0], edges[0]])
    else:
        edges = np.linspace(0, 1, n_bins + 1)
    n = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n - 1)
    count = np.bincount(bins, minlength=n)
    held = np.where(count > 0, count, np.nan)
    return Reliability(
        edges, count, np.bincount(bins, confidence, n) / held, np.bincount(bins, right, n) / held
    )


def calibration_error(probabilities: Any, targets: Any, *, n_bins: int = 15, adaptive: bool = False) -> float:
    """Expected calibration error, 0–1 (0: confidence is accuracy in every bin); arguments as `reliability`.

    Examples
    --------
    >>> calibration_error([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    0.0
    """
    return reliability(probabilities, targets, n_bins=n_bins, adaptive=adaptive).expected_error


def negative_log_likelihood(probabilities: Any, targets: Any) -> float:
    """Mean −ln p(true class), nats; ln(n_classes) for who knows nothing. A probability of 0 counts as 1.2e-38.

    Examples
    --------
    >>> round(negative_log_likelihood([[0.5, 0.5], [0.25, 0.75]], [0, 1]), 4)
    0.4904
    """
    p, t = check_scores(probabilities, targets)
    return float(-np.log(np.maximum(p[np.arange(len(t)), t], _SMALLEST)).mean())


def brier_score(probabilities: Any, targets: Any) -> float:
    """Mean squared distance of the probabilities from the truth summed over classes, 0 (best) to 2.

    Source: Brier, Monthly Weather Review 78 (1950), eq. 2.

    Examples
    --------
    >>> brier_score([[0.5, 0.5], [0.0, 1.0]], [0, 1])
    0.25
    """
    p, t = check_scores(probabilities, targets)
    truth = np.zeros_like(p)
    truth[np.arange(len(t)), t] = 1
    return float(((p - truth) ** 2).sum(1).mean())


def fit_temperature(probabilities: Any, targets: Any) -> float:
    """The temperature T that makes held-out answers most likely; apply it with `tempered`.

    The mean loss ln Σ_k exp(z_k / T) − z_y / T is convex in 1 / T, so Newton's steps inside a shrinking bracket
    find its one minimum.

    Parameters
    ----------
    probabilities : array [shape=(N, n_classes)]
        Of rows that did not train the model. Their logarithms are logits but for a constant a row.
    targets : ints [shape=(N,)]

    Returns
    -------
    float
        T > 1: the model was too sure of itself; T < 1: not sure enough. Kept within MIN_TEMPERATURE and
        MAX_TEMPERATURE: the first where every row is right, the second where scores are no better than chance.

    Raises
    ------
    InputError
        As `reliability`.

    Source: Guo et al. (ICML 2017), section 4.2.

    Examples
    --------
    >>> p = np.array([[0.99, 0.01], [0.99, 0.01], [0.99, 0.01], [0.99, 0.01]])
    >>> T = fit_temperature(p, [0, 0, 0, 1])  # says 99 %, is right in 75 %
    >>> tempered(p, T)[0].round(3).tolist()
    [0.75, 0.25]
    """
    p, t = check_scores(probabilities, targets)
    z = _log(p)
    true = z[np.arange(len(t)), t]

    def slopes(b: float) -> tuple[float, float]:
        """First and second derivative of the mean loss in b = 1 / T."""
        q = _softmax(b * z)
        mean = (q * z).sum(1)
        return float((mean - true).mean()), float((q * (z - mean[:, None]) ** 2).sum(1).mean())

    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    if slopes(low)[0] >= 0:
        return MAX_TEMPERATURE
    if slopes(high)[0] <= 0:
        return MIN_TEMPERATURE
    b = 1.0
    for _ in range(200):
        slope, curvature = slopes(b)
        low, high = (b, high) if slope < 0 else (low, b)
        newton = b - slope / curvature if curvature > 0 else low
        step = newton if low < newton < high else (low + high) / 2
        if abs(step - b) <= 1e-12 * b:
            break
        b = step
    return 1 / b


def tempered(probabilities: Any, temperature: float) -> np.ndarray:
    """Probabilities p^(1/T), scaled to sum to 1 [shape=(N, n_classes), float64]; the most probable class stays.

    Raises
    ------
    InputError
        If the temperature is not finite and > 0.

    Examples
    --------
    >>> tempered([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    p = _distributions(probabilities)
    if not 0 < temperature < np.inf:
        raise InputError(f"temperature must be finite and > 0, got {temperature}")
    return _softmax(_log(p) / temperature)


def cross_tempered(probabilities: Any, targets: Any, folds: Any) -> tuple[np.ndarray, dict[int, float]]:
    """Each fold's probabilities at the temperature fitted on all other folds, so that no row mends itself.

    Returns
    -------
    array [shape=(N, n_classes), float64], dict from fold to temperature

    Raises
    ------
    InputError
        If there is only one fold, or as `reliability`.

    Examples
    --------
    >>> p, t = np.array([[0.9, 0.1], [0.9, 0.1]] * 8), [0, 0, 0, 1] * 4
    >>> mended, temperatures = cross_tempered(p, t, [0] * 8 + [1] * 8)
    >>> mended[0].round(2).tolist(), sorted(temperatures)
    ([0.75, 0.25], [0, 1])
    """
    p, t = check_scores(probabilities, targets)
    mended, temperatures = np.empty_like(p), {}
    for fold, inside in other_folds(folds, len(t)):
        temperatures[fold] = fit_temperature(p[~inside], t[~inside])
        mended[inside] = tempered(p[inside], temperatures[fold])
    return mended, temperatures


def other_folds(folds: Any, n_rows: int) -> list[tuple[int, np.ndarray]]:
    """Each fold with the mask of its rows [shape=(N,)]; what is chosen for it may use the others only.

    Raises
    ------
    InputError
        If the folds are not one a row, or all the same.
    """
    f = np.asarray(folds)
    if f.shape != (n_rows,):
        raise InputError(f"folds must be one a row ({n_rows}), got shape {f.shape}")
    names = np.unique(f)
    if len(names) < 2:
        raise InputError(f"folds must hold at least two values to choose on the others, got {names.tolist()}")
    return [(name.item(), f == name) for name in names]


def check_scores(probabilities: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities as float64 (N, n_classes) and targets as ints (N,), or an InputError that says the cure."""
    p = _distributions(probabilities)
    t = np.asarray(targets)
    if t.shape != (len(p),) or (t.dtype.kind not in "iu" and len(t)):
        raise InputError(
            f"targets must be one class index a row ({len(p)}), got {t.dtype} of shape {t.shape}; "
            "try [classes.index(label) for label in labels]"
        )
    if len(p) == 0:
        raise InputError("probabilities must hold at least one row, got none")
    if t.min() < 0 or t.max() >= p.shape[1]:
        raise InputError(f"targets must be 0 to {p.shape[1] - 1}, got {t.min()} to {t.max()}")
    return p, t.astype(np.int64)


def _distributions(probabilities: Any) -> np.ndarray:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2:
        raise InputError(f"probabilities must be (N, n_classes) with n_classes >= 2, got shape {p.shape}")
    ok = np.isfinite(p).all(1) & (p >= 0).all(1) & (np.abs(p.sum(1) - 1) < 1e-3)
    if not ok.all():
        i = int(np.argmin(ok))
        raise InputError(
            f"probabilities must be >= 0 and sum to 1 in every row, got row {i} with sum {p[i].sum():.6g} "
            f"and minimum {p[i].min():.6g}; of logits take softmax first"
        )
    return p


def _check_bins(n_bins: int) -> None:
    check_whole("n_bins", n_bins)


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, _SMALLEST))


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
