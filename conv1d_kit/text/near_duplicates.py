"""Texts that are nearly the same: pairs whose sets of word 3-grams overlap by a given share, found without
comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import InputError

__all__ = ["NearDuplicates", "NearPair", "near_duplicates"]

_CROWD = 64  # texts with one rare shingle in common, up to which all of them are compared with each other
_CHUNK = 1 << 18  # pairs in memory at once
_ROUNDING = 1e-9


class NearPair(NamedTuple):
    """Two texts by their places in the sequence, first < second, and their shingles' Jaccard similarity."""

    first: int
    second: int
    similarity: float


class NearDuplicates(NamedTuple):
    """The pairs, in order; and how many shingles were too common to compare all texts that hold them.

    With `n_crowded` 0 no pair is missing.
    """

    pairs: list[NearPair]
    n_crowded: int


def near_duplicates(
    texts: Sequence[Sequence[str]], *, threshold: float = 0.6, size: int = 3, crowd: int = _CROWD
) -> NearDuplicates:
    """Every pair of texts with |A ∩ B| / |A ∪ B| >= threshold, A and B being their sets of word n-grams.

    Two such sets share one of the rarest |A| − ⌈threshold · |A|⌉ + 1 shingles of A and of B: only texts that do
    are compared, exactly. A shingle among the rarest of more than `crowd` texts (a common template) has each of
    them compared with `crowd` / 2 others of like length only, so that the time stays near to linear.

    Parameters
    ----------
    texts : sequence of sequences of str
        Words; a text of fewer than `size` has no shingle and no partner.
    threshold : float in (0, 1]
    size : int >= 1
        Words of a shingle.
    crowd : int >= 2

    Raises
    ------
    InputError

    Source: Chaudhuri, Ganti & Kaushik (2006), A Primitive Operator for Similarity Joins (prefix filter);
    Broder (1997), On the Resemblance and Containment of Documents (shingles).

    Examples
    --------
    >>> a = "one two three four five six seven".split()
    >>> near_duplicates([a, ["other", "words", "here"], a + ["eight"]]).pairs
    [NearPair(first=0, second=2, similarity=0.8333333333333334)]
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 1:
        raise InputError(f"threshold must be a number in (0, 1], got {threshold!r}; try 0.6")
    for name, value, least in (("size", size, 1), ("crowd", crowd, 2)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be an int >= {least}, got {value!r}")
    rows, shingles = _shingles(texts, size)
    if not len(rows):
        return NearDuplicates([], 0)
    n_texts = len(texts)
    counts = np.bincount(rows, minlength=n_texts)  # distinct shingles a text
    frequency = np.bincount(shingles)
    order = np.lexsort((shingles, frequency[shingles], rows))  # the rarest of each text first
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    prefix = counts - np.ceil(threshold * counts - _ROUNDING).astype(np.int64) + 1
    kept = order[(np.arange(len(rows)) - starts[rows[order]]) < prefix[rows[order]]]
    kept = kept[frequency[shingles[kept]] > 1]
    members, bounds, n_crowded = _groups(rows[kept], shingles[kept], counts, crowd)
    codes: list[np.ndarray] = []
    for a, b in _candidates(members, bounds, crowd):
        low, high = np.minimum(a, b), np.maximum(a, b)
        few, many = np.minimum(counts[a], counts[b]), np.maximum(counts[a], counts[b])
        fits = few >= threshold * many - _ROUNDING
        codes.append(np.unique(low[fits] * np.int64(n_texts) + high[fits]))
    found = np.unique(np.concatenate(codes)) if codes else np.empty(0, np.int64)
    return NearDuplicates(_verified(found, rows, shingles, counts, threshold), n_crowded)


def _shingles(texts: Sequence[Sequence[str]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Text and number of each distinct shingle, ordered by text [shape=(M,), int64, both]."""
    ids: dict[str, int] = {}
    words = np.fromiter((ids.setdefault(w, len(ids)) for text in texts for w in text), np.int64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    rows = np.repeat(np.arange(len(texts)), lengths)
    if not len(words):
        return rows, words
    codes, n_words = words, len(ids)
    for k in range(1, size):  # numbered anew at each step: a code of two int64 factors never overflows
        if len(words) <= k:
            return rows[:0], words[:0]
        codes = np.unique(codes[: len(words) - k] * np.int64(n_words) + words[k:], return_inverse=True)[1]
    stop = len(words) - size + 1
    inside = rows[:stop] == rows[size - 1 :]
    rows, codes = rows[:stop][inside], codes[:stop][inside]
    if not len(codes):
        return rows, codes
    span = np.int64(codes.max()) + 1
    distinct = np.unique(rows * span + codes)
    return distinct // span, np.unique(distinct % span, return_inverse=True)[1]


def _groups(
    rows: np.ndarray, shingles: np.ndarray, counts: np.ndarray, crowd: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """The texts of each shingle that several hold, side by side, with the bounds between shingles."""
    order = np.lexsort((rows, counts[rows], shingles))
    rows, shingles = rows[order], shingles[order]
    cuts = np.flatnonzero(np.diff(shingles)) + 1
    bounds = np.concatenate(([0], cuts, [len(rows)]))
    return rows, bounds, int((np.diff(bounds) > crowd).sum())


def _candidates(members: np.ndarray, bounds: np.ndarray, crowd: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of texts that share a shingle, group by group of one size."""
    starts, sizes = bounds[:-1], np.diff(bounds)
    for size in np.unique(sizes[(sizes > 1) & (sizes <= crowd)]).tolist():
        i, j = np.triu_indices(size, 1)
        firsts = starts[sizes == size]
        step = max(1, _CHUNK // len(i))
        for at in range(0, len(firsts), step):
            part = firsts[at : at + step, None]
            yield members[part + i].ravel(), members[part + j].ravel()
    for start, size in zip(starts[sizes > crowd].tolist(), sizes[sizes > crowd].tolist(), strict=True):
        group = members[start : start + size]
        for shift in range(1, crowd // 2 + 1):  # sorted by length: neighbours are alike
            yield group[:-shift], group[shift:]


def _verified(
    codes: np.ndarray, rows: np.ndarray, shingles: np.ndarray, counts: np.ndarray, threshold: float
) -> list[NearPair]:
    from scipy.sparse import csr_array

    n_texts = len(counts)
    ones = np.ones(len(rows), np.int32)
    table = csr_array((ones, (rows, shingles)), shape=(n_texts, int(shingles.max()) + 1))
    pairs: list[NearPair] = []
    step = _CHUNK // 8
    for at in range(0, len(codes), step):
        first, second = np.divmod(codes[at : at + step], n_texts)
        common = np.asarray(table[first].multiply(table[second]).sum(axis=1)).ravel()
        share = common / (counts[first] + counts[second] - common)
        good = share >= threshold - _ROUNDING
        pairs += map(NearPair, first[good].tolist(), second[good].tolist(), share[good].tolist())
    return pairs
