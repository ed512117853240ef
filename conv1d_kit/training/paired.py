"""Is one model better than another on the same folds, or is it noise? Tests that know what folds share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, check_whole
from .metrics import check_confidence

__all__ = ["MCNEMAR_METHODS", "CorrectedT", "McNemar", "corrected_t", "discordant", "holm", "mcnemar"]

_MANY = 1000  # discordant rows from which "auto" takes the chi-squared form


@dataclass(frozen=True)
class McNemar:
    """Rows that only a and that only b has right, the two-sided p-value, how it was found and, for chi2, χ²."""

    only_a: int
    only_b: int
    p: float
    method: str
    statistic: float | None = None


@dataclass(frozen=True)
class CorrectedT:
    """Mean difference, its interval, and Student's t with its degrees of freedom and two-sided p-value.

    Undefined numbers (one fold only) are NaN.
    """

    mean: float
    low: float
    high: float
    t: float
    df: int
    p: float


def mcnemar(only_a: int, only_b: int, *, method: str = "auto") -> McNemar:
    """McNemar's test: do two classifiers err on the same rows equally often?

    Rows that both have right or both have wrong say nothing; of the others each would be right on half.

    Parameters
    ----------
    only_a, only_b : int >= 0
        Rows that only the first, only the second has right; each row counted once.
    method : "auto", "exact", "mid-p" or "chi2"
        The binomial test; the same with half of the observed outcome's probability (less cautious); χ² with
        Edwards' continuity correction. "auto": exact below 1,000 such rows, chi2 from there.

    Raises
    ------
    InputError
        If a count is negative or the method unknown.

    Source: McNemar (1947), Psychometrika 12; Fagerland, Lydersen & Laake (2013), BMC Med. Res. Methodol. 13:91.

    Examples
    --------
    >>> round(mcnemar(1, 7).p, 4), round(mcnemar(1, 7, method="mid-p").p, 4)
    (0.0703, 0.0391)
    """
    from scipy.special import bdtr, chdtrc

    for name, n in (("only_a", only_a), ("only_b", only_b)):
        check_whole(name, n, least=0)
    if method not in MCNEMAR_METHODS:
        raise InputError(f"method must be one of {', '.join(MCNEMAR_METHODS)}, got {method!r}")
    a, b = int(only_a), int(only_b)
    n, fewer = a + b, min(a, b)
    if method == "auto":
        method = "exact" if n < _MANY else "chi2"
    if n == 0:
        return McNemar(a, b, 1.0, method, 0.0 if method == "chi2" else None)
    if method == "chi2":
        statistic = max(abs(a - b) - 1, 0) ** 2 / n
        return McNemar(a, b, float(chdtrc(1, statistic)), method, statistic)
    at_most = float(bdtr(fewer, n, 0.5))
    if method == "exact":
        return McNemar(a, b, min(1.0, 2 * at_most), method)
    below = float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0
    return McNemar(a, b, min(1.0, at_most + below), method)


def discordant(right_a: Sequence[bool], right_b: Sequence[bool]) -> tuple[int, int]:
    """How many rows only the first, only the second has right, for `mcnemar`.

    Examples
    --------
    >>> discordant([True, True, False, False], [True, False, True, False])
    (1, 1)
    """
    a, b = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError(f"right_a and right_b must be of the same rows, got shapes {a.shape} and {b.shape}")
    return int((a & ~b).sum()), int((b & ~a).sum())


def corrected_t(differences: Sequence[float], test_share: float, *, confidence: float = 0.95) -> CorrectedT:
    """Corrected resampled t-test of score differences, one a fold (of every repeat, where there are several).

    Folds share most of their training rows, so the plain t-test finds differences that are none. The variance
    of the mean is taken as (1/J + n_test/n_train) s² over J folds instead of s²/J.

    Parameters
    ----------
    differences : sequence of float, length J
        Score of a minus score of b on the same fold.
    test_share : float >= 0
        n_test / n_train; for k folds 1 / (k − 1), however often they are repeated.
    confidence : float in (0, 1)

    Returns
    -------
    CorrectedT
        With one fold, all but the mean is NaN. Differences that are all the same number leave no variance:
        p is then 1 for zeros and 0 otherwise.

    Raises
    ------
    InputError

    Source: Nadeau & Bengio (2003), Machine Learning 52, eq. 9; for repeated k-fold Bouckaert & Frank (2004),
    PAKDD, LNCS 3056.

    Examples
    --------
    >>> found = corrected_t([0.01, 0.02, 0.03, 0.0], 1 / 3)
    >>> round(found.mean, 3), round(found.t, 3), found.df, round(found.p, 3)
    (0.015, 1.521, 3, 0.226)
    """
    from scipy.special import stdtr, stdtrit

    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or len(d) == 0 or not np.isfinite(d).all():
        raise InputError("differences must be one or more finite numbers, one a fold")
    if not (isinstance(test_share, int | float | np.number) and 0 <= test_share < math.inf):
        raise InputError(f"test_share must be n_test / n_train, a number >= 0, got {test_share!r}")
    check_confidence(confidence)
    n, mean = len(d), float(d.mean())
    if n == 1:
        return CorrectedT(mean, math.nan, math.nan, math.nan, 0, math.nan)
    same = bool((d == d[0]).all())  # what rounding leaves of a variance of 0 would make t a number
    error = 0.0 if same else math.sqrt((1 / n + float(test_share)) * float(d.var(ddof=1)))
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    if error == 0:
        t, p = (0.0, 1.0) if mean == 0 else (math.copysign(math.inf, mean), 0.0)
    else:
        t = mean / error
        p = 2 * float(stdtr(n - 1, -abs(t)))
    return CorrectedT(mean, mean - half, mean + half, t, n - 1, p)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values [shape=(m,)]: below 0.05 each, and at most 5 % of families err at all.

    Parameters
    ----------
    p_values : sequence of float in [0, 1], length m
        NaN: no test, which stays NaN and does not count.

    Raises
    ------
    InputError

    Source: Holm (1979), Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or bool(((p < 0) | (p > 1)).any()):
        raise InputError("p_values must be a flat sequence of numbers in [0, 1]")
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted


MCNEMAR_METHODS = ("auto", "exact", "mid-p", "chi2")
