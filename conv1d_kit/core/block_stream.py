"""A response over a long sound in whole blocks, for files, where nobody waits: NumPy alone, no torch.

`ConvStream` without its options. A process that convolves files so stays small, starts at once, and leaves its
cores to the threads that read and write.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .partitioned import Partitioned, partition_layout

__all__ = ["BlockStream"]

SHORTEST, LONGEST = 1 << 11, 1 << 14  # samples of a block
PARTS = 6  # of a kernel, about


class BlockStream:
    """The full convolution y[o, t] = sum_c,k w[o, c, k] · x[c, t − k] of finite numbers, chunk by chunk.

    Parameters
    ----------
    w : array [shape=(C_out, C_in / groups, K), float32 or float64]
    groups : int
    threads : int, optional
        Each takes some of the channels; by default as many as there are cores, and at most two.

    Notes
    -----
    Outputs come in whole blocks, later by at most that. A NaN or Inf spoils its block and those that follow.

    Examples
    --------
    >>> stream = BlockStream(np.array([[[1.0, 10.0, 100.0]]]), 1)
    >>> y = [stream.push(np.array([[1.0, 2.0, 3.0]])), stream.flush()]
    >>> np.concatenate(y, -1).round(9)
    array([[  1.,  12., 123., 230., 300.]])
    """

    def __init__(self, w: np.ndarray, groups: int, *, threads: int | None = None):
        n_out, per_group, self._taps = w.shape
        block = min(LONGEST, max(SHORTEST, 1 << (self._taps // PARTS).bit_length()))
        layout = partition_layout(self._taps, block, "uniform")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = min(2, cores) if threads is None else threads
        whole = groups == 1  # every output sees every input: the outputs are shared out, else the groups
        cuts = [i * (n_out if whole else groups) // threads for i in range(threads + 1)]
        self._shares = []
        for low, high in itertools.pairwise(cuts):
            if low < high:
                outputs = slice(low, high) if whole else slice(low * n_out // groups, high * n_out // groups)
                inputs = slice(None) if whole else slice(low * per_group, high * per_group)
                self._shares.append((Partitioned(w[outputs], 1 if whole else high - low, layout), inputs))
        self._pool = ThreadPoolExecutor(len(self._shares)) if len(self._shares) > 1 else None
        self.block, self._reach = block, self._shares[0][0].reach
        self._past = self._pending = np.zeros((groups * per_group, 0), w.dtype)
        self._start(self._past, self._pending)

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs (C_out, m) that make whole blocks with the next samples x (C_in, n)."""
        line = np.concatenate([self._pending, x], -1) if self._pending.shape[-1] else x
        ready = line.shape[-1] // self.block * self.block
        self._pending = line[:, ready:].copy()
        return self._convolved(line[:, :ready])

    def flush(self) -> np.ndarray:
        """The outputs that are left, the tail of the response among them."""
        left = self._pending.shape[-1] + self._taps - 1
        if not self._heard and not self._pending.shape[-1]:
            left = 0
        size = -(-left // self.block) * self.block
        line = np.zeros((len(self._pending), size), self._pending.dtype)
        line[:, : self._pending.shape[-1]] = self._pending
        y = self._convolved(line)[:, :left]
        self.close()
        return y

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the rest of the signal needs; assign it to go on from there, bit for bit."""
        return {"past": self._past, "pending": self._pending}

    @state.setter
    def state(self, saved: dict[str, np.ndarray]) -> None:
        self._start(saved["past"], saved["pending"])

    def close(self) -> None:
        """End its threads."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _start(self, past: np.ndarray, pending: np.ndarray) -> None:
        self._past, self._pending, self._heard = past, pending, past.shape[-1] > 0
        for engine, inputs in self._shares:
            engine.load(past[None, inputs])

    def _convolved(self, x: np.ndarray) -> np.ndarray:
        if not x.shape[-1]:
            return np.zeros((sum(engine.n_out for engine, _ in self._shares), 0), x.dtype)
        self._heard = True
        kept = max(0, self._reach - x.shape[-1])
        self._past = np.concatenate(
            [self._past[:, max(0, self._past.shape[-1] - kept) :], x[:, -self._reach :]], -1
        )
        run = map if self._pool is None else self._pool.map
        return np.concatenate(list(run(lambda share: share[0].push(x[None, share[1]])[0], self._shares)))
