"""What a search finds for its budget: the expected best of n configurations, not the luck of one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, check_whole
from .metrics import check_confidence

__all__ = ["ExpectedBest", "expected_best"]


@dataclass(frozen=True)
class ExpectedBest:
    """Of n = 1, 2, … draws: expected maximum, its standard deviation and interval, each [shape=(n_draws,)]."""

    n: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray


def expected_best(
    scores: Sequence[float], n_draws: int | None = None, *, confidence: float = 0.95
) -> ExpectedBest:
    """Distribution of the best of n configurations drawn at random (with replacement) from those tried.

    The maximum of n draws is at most v with probability F(v)^n, F the share of scores that are at most v.

    Parameters
    ----------
    scores : sequence of float, length N
        Validation score of every configuration that was tried, in any order; drawn independently, as a random
        search does.
    n_draws : int >= 1, optional
        By default N: what lies beyond would be invented.
    confidence : float in (0, 1)
        Share of searches whose best lies between `low` and `high`.

    Raises
    ------
    InputError

    Source: Dodge, Gururangan, Card, Schwartz & Smith (2019), Show Your Work, EMNLP, eq. 4-8.

    Examples
    --------
    >>> found = expected_best([0.7, 0.8], 2)
    >>> found.mean.round(3).tolist()  # the best of two is 0.7 only if both draws are: one time in four
    [0.75, 0.775]
    """
    v = np.asarray(scores, dtype=np.float64)
    if v.ndim != 1 or len(v) == 0 or not np.isfinite(v).all():
        raise InputError("scores must be one or more finite numbers, one a configuration")
    if n_draws is None:
        n_draws = len(v)
    check_whole("n_draws", n_draws)
    check_confidence(confidence)
    values, counts = np.unique(v, return_counts=True)
    n = np.arange(1, int(n_draws) + 1)
    at_most = (np.cumsum(counts) / len(v))[None, :] ** n[:, None]  # (n_draws, V): P(maximum <= value)
    share = np.diff(at_most, prepend=0.0, axis=1)
    mean = share @ values
    sd = np.sqrt(np.maximum(0.0, (share * (values - mean[:, None]) ** 2).sum(1)))
    tail = (1 - confidence) / 2
    rounding = 1e-12
    low, high = (values[(at_most < level - rounding).sum(1)] for level in (tail, 1 - tail))
    return ExpectedBest(n, mean, sd, low, high)
