"""Batches of texts of like length, so that little is computed on padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from .vocabulary import PAD

__all__ = ["EncodedTexts", "inference_batches", "pad", "training_batches"]

POSITIONS = 1 << 16  # most cells of a batch in inference: bounds memory whatever the texts' lengths
BUCKET = 50  # batches that are sorted by length among themselves


class EncodedTexts:
    """Texts as ids, all in one array end to end: a batch of them is one look into it.

    Parameters
    ----------
    ids : int array [shape=(total,)]
    lengths : int array [shape=(N,)], their sum is `total`

    Examples
    --------
    >>> texts = EncodedTexts.of([[5, 6], [], [7]])
    >>> texts.batch([2, 0])
    (tensor([[7, 0], [5, 6]]), tensor([1, 2]))
    """

    def __init__(self, ids: np.ndarray, lengths: np.ndarray):
        self.ids, self.lengths = ids, lengths
        self.starts = np.cumsum(lengths) - lengths

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> EncodedTexts:
        """From each text's ids."""
        flat, lengths = list[int](), list[int]()
        for row in rows:
            flat += row
            lengths.append(len(row))
        return cls(np.array(flat, dtype=np.int64), np.array(lengths, dtype=np.int64))

    @classmethod
    def cut(cls, texts: Iterable[str], encode: Callable[[str], Sequence[int]]) -> EncodedTexts:
        """From texts, by a function text → ids."""
        return cls.of(map(encode, texts))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: np.ndarray | Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids of the rows [shape=(B, L), int64], padded with <pad>, L at least 1, and lengths (B,)."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[rows]
        steps = np.arange(max(1, int(lengths.max(initial=0))))
        inside = steps < lengths[:, None]
        cells = np.full(inside.shape, PAD, dtype=np.int64)
        cells[inside] = self.ids[(self.starts[rows][:, None] + steps)[inside]]
        return torch.from_numpy(cells), torch.from_numpy(lengths)


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


def inference_batches(
    lengths: np.ndarray, *, extra: int = 0, positions: int | None = None
) -> Iterator[np.ndarray]:
    """Rows sorted by length, each batch of at most `positions` cells of (length + extra), or of one row.

    Default: POSITIONS, which bounds the memory.
    """
    most = POSITIONS if positions is None else positions
    order = np.argsort(lengths, kind="stable")
    cells = np.maximum(1, lengths[order] + extra)
    start = 0
    while start < len(order):
        n = min(len(order) - start, max(1, most // int(cells[start])))
        while n > 1 and n * int(cells[start + n - 1]) > most:  # the last is the longest
            n = max(1, most // int(cells[start + n - 1]))
        yield order[start : start + n]
        start += n
