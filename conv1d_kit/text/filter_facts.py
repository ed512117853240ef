"""What is said of a filter: its n-grams slot by slot, where it begins to inform, what stops it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FilterFacts", "FilterNgram", "FilterReport", "NegativeNgram", "purity_threshold"]


@dataclass(frozen=True)
class FilterNgram:
    """An n-gram: its words, the text it stands in first, its response, what each slot gives to it, its count.

    response = sum(slots) + the filter's bias.
    """

    words: tuple[str, ...]
    source: str
    response: float
    slots: tuple[float, ...]
    count: int


@dataclass(frozen=True)
class NegativeNgram:
    """An n-gram that differs at `slot` from one that informs (`like`), and how far the response falls by it."""

    words: tuple[str, ...]
    source: str
    response: float
    like: tuple[str, ...]
    slot: int
    fall: float


@dataclass(frozen=True)
class FilterFacts:
    """One filter.

    Attributes
    ----------
    index, width : int
        Column of the net's features (before pooling's own copies), width in tokens.
    label : a class
        The one whose output weight is largest.
    say : float
        That weight less the largest of the other classes'.
    ngrams : tuple of FilterNgram, strongest first
    best, worst : tuple of K tuples of (word, response)
        The words of the texts that each slot answers to most and least, <unk> among them.
    ceiling : float
        Response if every slot held its best word; seldom does an n-gram of real texts come near it.
    threshold : float or None
        The smallest activation from which on the filter informs; None where no threshold is pure enough.
    purity : float
        Share of right n-grams at the threshold; NaN where there is none.
    informs : float
        Share of the texts whose n-gram reaches the threshold.
    fires : float
        Share of the texts in which the filter answers at all.
    negatives : tuple of NegativeNgram, largest fall first
    """

    index: int
    width: int
    label: Any
    say: float
    ngrams: tuple[FilterNgram, ...]
    best: tuple[tuple[tuple[str, float], ...], ...]
    worst: tuple[tuple[tuple[str, float], ...], ...]
    ceiling: float
    threshold: float | None
    purity: float
    informs: float
    fires: float
    negatives: tuple[NegativeNgram, ...]


@dataclass(frozen=True)
class FilterReport:
    """All filters, which of them never answer, and which say the same.

    Attributes
    ----------
    filters : list of FilterFacts
    n_texts : int
    purity : float
        The purity that was asked for.
    dead : list of int
        Filters whose activation is 0 in every text.
    twins : list of (int, int, float)
        Pairs of living filters whose activations correlate over the texts at `twin` or more, closest first.
    """

    filters: list[FilterFacts]
    n_texts: int
    purity: float
    dead: list[int]
    twins: list[tuple[int, int, float]]


def purity_threshold(activations: Any, right: Any, purity: float) -> tuple[float | None, float]:
    """The smallest activation > 0 at and above which a share of at least `purity` is right, and that share.

    Parameters
    ----------
    activations : array [shape=(N,)]
        Of the n-gram that a filter passes on from each text.
    right : array of bool [shape=(N,)]
        Whether the text is of the filter's class.
    purity : float

    Returns
    -------
    threshold, share : (None, NaN) where there is no such threshold

    Source: Jacovi, Sar Shalom & Goldberg (2018), Understanding Convolutional Neural Networks for Text
    Classification (purity).

    Examples
    --------
    >>> purity_threshold([4, 3, 2, 1], [True, True, False, False], 0.6)
    (2.0, 0.6666666666666666)
    """
    x, y = np.asarray(activations, dtype=np.float64), np.asarray(right, dtype=bool)
    order = np.argsort(-x, kind="stable")
    x, y = x[order], y[order]
    share = np.cumsum(y) / np.arange(1, len(x) + 1)
    last = np.append(x[1:] != x[:-1], True)[: len(x)]  # equal activations pass together
    good = np.flatnonzero(last & (share >= purity) & (x > 0))
    if len(good) == 0:
        return None, float("nan")
    return float(x[good[-1]]), float(share[good[-1]])
