"""How good an index is: whether the sounds nearest to each sound bear its label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import InputError, check_whole

__all__ = ["Retrieval", "retrieval_quality"]

_BLOCK = 2**22  # similarities at a time


class Retrieval(NamedTuple):
    """What retrieval_quality gives.

    precision_at_k : float
        Share of the k nearest sounds that bear the query's label, mean over queries.
    mean_average_precision : float
        Over all sounds by cosine, mean over queries.
    n_queries : int
        Sounds that have another of their label to be found.
    k : int
    """

    precision_at_k: float
    mean_average_precision: float
    n_queries: int
    k: int


def retrieval_quality(
    vectors: np.ndarray, labels: Sequence, *, k: int = 5, groups: Sequence | None = None
) -> Retrieval:
    """Each sound asks for those of its label among all the others.

    Parameters
    ----------
    vectors : array [shape=(N, D)]
    labels : sequence, length N
    k : int >= 1
    groups : sequence, length N, optional
        Sounds of the query's group (source, speaker) are not searched: being of one recording proves nothing.

    Raises
    ------
    InputError
        If lengths differ, k is not >= 1, or no sound has another of its label.

    Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval (2008), section 8.4.

    Examples
    --------
    >>> v = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> retrieval_quality(v, ["a", "a", "b", "b"], k=1)
    Retrieval(precision_at_k=1.0, mean_average_precision=1.0, n_queries=4, k=1)
    """
    n = len(vectors)
    sources: Sequence | np.ndarray = np.arange(n) if groups is None else groups
    for name, values in (("labels", labels), ("groups", sources)):
        if len(values) != n:
            raise InputError(f"{name} must be one a vector ({n}), got {len(values)}")
    check_whole("k", k)
    x = np.asarray(vectors, np.float64)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    label, group = (np.unique(np.asarray(v), return_inverse=True)[1] for v in (labels, sources))
    precisions: list[np.ndarray] = []
    averages: list[np.ndarray] = []
    step = max(1, _BLOCK // max(1, n))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        searched = group[rows, None] != group
        score = np.where(searched, x[rows] @ x.T, -np.inf)
        order = np.argsort(-score, axis=1, kind="stable")
        right = np.take_along_axis((label[rows, None] == label) & searched, order, 1)
        asked = right.any(1)
        found = np.cumsum(right[asked], 1)
        ranks = np.arange(1, n + 1)
        n_searched = searched.sum(1)[asked]
        precisions.append(right[asked, :k].sum(1) / np.minimum(k, n_searched))
        averages.append((found / ranks * right[asked]).sum(1) / found[:, -1])
    precision, average = np.concatenate([*precisions, []]), np.concatenate([*averages, []])
    if len(precision) == 0:
        raise InputError("labels must hold one that two sounds of different groups bear, got none")
    return Retrieval(float(precision.mean()), float(average.mean()), len(precision), int(k))
