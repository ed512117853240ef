"""Batches of texts of like length, so that little is computed on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from .vocabulary import PAD

__all__ = ["inference_batches", "pad", "training_batches"]

POSITIONS = 1 << 16  # most cells of a batch in inference: bounds memory whatever the texts' lengths
BUCKET = 50  # batches that are sorted by length among themselves


def pad(ids: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of several lengths as one array: ids [shape=(B, L), int64], padded with <pad>, and lengths (B,).

    Examples
    --------
    >>> pad([np.array([5, 6]), np.array([7])])
    (tensor([[5, 6], [7, 0]]), tensor([2, 1]))
    """
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    cells = np.full((len(ids), max(1, int(lengths.max(initial=0)))), PAD, dtype=np.int64)
    for i, row in enumerate(ids):
        cells[i, : len(row)] = row
    return torch.from_numpy(cells), torch.from_numpy(lengths)


def training_batches(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows in random batches of like length: shuffled, sorted within buckets, batches shuffled again."""
    order = rng.permutation(len(lengths))
    size = batch_size * BUCKET
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    sorted_rows = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    batches = [sorted_rows[i : i + batch_size] for i in range(0, len(sorted_rows), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def inference_batches(lengths: np.ndarray, *, extra: int = 0) -> Iterator[np.ndarray]:
    """Rows sorted by length, each batch of at most POSITIONS cells of (length + extra), or of one row."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        full = stop < len(order) and (stop + 1 - start) * (int(lengths[order[stop]]) + extra) > POSITIONS
        if full or stop == len(order):
            yield order[start:stop]
            start = stop
