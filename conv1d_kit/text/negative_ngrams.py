"""Negative n-grams: what stays below a filter's threshold by one word, found among all n-grams of the texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .filter_facts import NegativeNgram

__all__ = ["Neighbours", "negative_ngrams"]

_ROUNDING = 1e-6  # of float32, in which thresholds are found


class Neighbours:
    """Windows that differ in one slot alone: those that agree in all others stand in one group.

    Parameters
    ----------
    windows : array of int [shape=(W, K)]
        Distinct.
    slot : int

    Attributes
    ----------
    rows : array of int
        The windows that have company, group by group.

    Examples
    --------
    >>> near = Neighbours(np.array([[5, 1], [7, 2], [6, 1]]), slot=0)
    >>> near.rows.tolist(), near.falls(np.array([0.5, 3.0, 2.0])).tolist()
    ([0, 2], [1.5, 0.0])
    """

    def __init__(self, windows: np.ndarray, slot: int):
        key = np.zeros(len(windows), np.int64)
        for column in np.delete(windows, slot, 1).T:
            key = np.unique(key * (int(windows.max(initial=0)) + 1) + column, return_inverse=True)[1]
        size = np.bincount(key)[key] if len(key) else key
        rows = np.flatnonzero(size > 1)
        self.slot = slot
        self.rows = rows[np.argsort(key[rows], kind="stable")]
        self._starts = np.flatnonzero(np.diff(key[self.rows], prepend=-1))
        sizes = np.diff(self._starts, append=len(self.rows))
        self._group = np.repeat(np.arange(len(self._starts)), sizes)

    def falls(self, responses: np.ndarray) -> np.ndarray:
        """How far each of `rows` is below the strongest of its group; responses of all windows (W,)."""
        r = responses[self.rows]
        return np.maximum.reduceat(r, self._starts)[self._group] - r if len(r) else r

    def strongest(self, at: int, responses: np.ndarray) -> int:
        """The window that is the strongest of the group of rows[at]."""
        members = self.rows[self._group == self._group[at]]
        return int(members[responses[members].argmax()])


def negative_ngrams(
    neighbours: Sequence[Neighbours],
    responses: np.ndarray,
    threshold: float,
    n: int,
    shown: Callable[[int], tuple[tuple[str, ...], str]],
) -> tuple[NegativeNgram, ...]:
    """The n-grams below the threshold that are one word off from one at or above it, largest falls first.

    Parameters
    ----------
    neighbours : one a slot
    responses : array [shape=(W,)]
    threshold : float
    n : int
        At most.
    shown : function(window) → words, source

    Source: Jacovi, Sar Shalom & Goldberg (2018), Understanding Convolutional Neural Networks for Text
    Classification (negative n-grams, here at a Hamming distance of 1 from any n-gram that informs).
    """
    found: dict[int, tuple[float, int, int]] = {}
    floor = threshold * (1 - _ROUNDING)
    for near in neighbours:
        falls, own = near.falls(responses), responses[near.rows]
        best = own + falls
        low = np.flatnonzero((own < floor) & (best >= floor) & (best > 0))
        for at in low[np.argsort(-falls[low], kind="stable")[:n]].tolist():
            row, fall = int(near.rows[at]), float(falls[at])
            if fall > found.get(row, (0.0,))[0]:
                found[row] = (fall, near.strongest(at, responses), near.slot)
    result = []
    for row in sorted(found, key=lambda row: -found[row][0])[:n]:
        fall, like, slot = found[row]
        words, source = shown(row)
        result.append(NegativeNgram(words, source, float(responses[row]), shown(like)[0], slot, fall))
    return tuple(result)
