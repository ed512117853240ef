"""Windows that slide over a recording of any length: where each stands, in whole samples, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..errors import InputError

__all__ = ["WindowBatch", "WindowGrid", "cut_windows", "exact_seconds"]


@dataclass(frozen=True)
class WindowGrid:
    """Window i begins at sample i · hop and is `window` samples long; the last one ends with the recording.

    Parameters
    ----------
    sample_rate : int, Hz
    window, hop : int, samples
        1 <= hop <= window, so that no sample is left out.

    Examples
    --------
    >>> grid = WindowGrid(16000, window=32000, hop=16000)
    >>> grid.count(1), grid.count(32000), grid.count(32001)
    (1, 1, 2)
    >>> grid.start(3)
    Fraction(3, 1)
    """

    sample_rate: int
    window: int
    hop: int

    def __post_init__(self):
        if self.window < 1:
            raise InputError(
                f"window must be at least one sample of {self.sample_rate} Hz, got {self.window}; "
                "ask for a longer window"
            )
        if not 1 <= self.hop <= self.window:
            raise InputError(
                f"hop must be from 1 sample to the window's {self.window}, got {self.hop} "
                f"(at {self.sample_rate} Hz); what lies between two windows would not be heard"
            )

    @classmethod
    def of_seconds(cls, window_s: float, hop_s: float, sample_rate: int) -> WindowGrid:
        """The grid whose window and hop are nearest to these seconds."""
        return cls(sample_rate, *(round(exact_seconds(s) * sample_rate) for s in (window_s, hop_s)))

    def count(self, n_samples: int) -> int:
        """Windows of a recording: every sample is heard, and each window holds one that none before it held."""
        return 0 if n_samples == 0 else 1 + max(0, -(-(n_samples - self.window) // self.hop))

    def start(self, i: int) -> Fraction:
        """Where window i begins, seconds."""
        return Fraction(i * self.hop, self.sample_rate)

    def end(self, i: int) -> Fraction:
        """Where window i ends if the recording goes on beyond it, seconds."""
        return Fraction(i * self.hop + self.window, self.sample_rate)


class WindowBatch(NamedTuple):
    """Windows `first`, `first` + 1, …

    samples : array [shape=(B, window), float32]
        The last window of a recording is padded with zeros, which `lengths` tells apart.
    lengths : array [shape=(B,), int64]
    """

    first: int
    samples: np.ndarray
    lengths: np.ndarray


def cut_windows(blocks: Iterable[np.ndarray], grid: WindowGrid, batch_size: int) -> Iterator[WindowBatch]:
    """The windows of samples that come in blocks of any size, `batch_size` at a time, the last batch smaller.

    What a batch holds does not depend on the blocks, and no more than one batch and one block are in memory.

    Parameters
    ----------
    blocks : iterable of array [shape=(n,)]
    grid : WindowGrid
    batch_size : int >= 1

    Examples
    --------
    >>> grid = WindowGrid(10, window=4, hop=2)
    >>> for batch in cut_windows([np.arange(5), np.arange(5, 7)], grid, 2):
    ...     print(batch.first, batch.samples.tolist(), batch.lengths.tolist())
    0 [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0]] [4, 4]
    2 [[4.0, 5.0, 6.0, 0.0]] [3]
    """
    first, held, n_held = 0, list[np.ndarray](), 0
    span, step = (batch_size - 1) * grid.hop + grid.window, batch_size * grid.hop
    for block in blocks:
        held.append(block)
        n_held += len(block)
        while n_held > span:  # one sample more: then none of these windows is the last
            x = held[0] if len(held) == 1 else np.concatenate(held)
            windows = np.lib.stride_tricks.sliding_window_view(x[:span], grid.window)[:: grid.hop]
            yield WindowBatch(first, windows.astype(np.float32), np.full(batch_size, grid.window))
            held, n_held, first = [x[step:]], n_held - step, first + batch_size
    if n_held:
        yield _last_batch(first, np.concatenate(held), grid)


def exact_seconds(seconds: float) -> Fraction:
    """The number as it is written: 0.1 is a tenth, not the double beside it.

    Examples
    --------
    >>> exact_seconds(0.1)
    Fraction(1, 10)
    """
    return Fraction(str(float(seconds)))


def _last_batch(first: int, x: np.ndarray, grid: WindowGrid) -> WindowBatch:
    n = grid.count(len(x))
    samples, lengths = np.zeros((n, grid.window), np.float32), np.full(n, grid.window)
    for i in range(n):
        part = x[i * grid.hop : i * grid.hop + grid.window]
        samples[i, : len(part)], lengths[i] = part, len(part)
    return WindowBatch(first, samples, lengths)
