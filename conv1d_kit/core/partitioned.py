"""A long kernel in real time: cut into parts, whose spectra meet those of the blocks that have come.

    kernel    | head: parts of B taps, B taps, …          | tail: parts of N = m·B taps, N taps, …
    delay     0                                         2·N

A block of B samples takes one transform of 2·B points there and back, and one product a part of the head. The
tail begins 2·N samples late, so that the work on N samples may be spread over the m blocks that follow them:
none of these is late. A chunk that ends inside a block is answered at once: the first B taps by the direct sum.

Sources: Gardner (1995), Efficient convolution without input-output delay, JAES 43; García (2002), Optimal
filter partition for efficient convolution with short input/output delay, AES 113; Wefers (2015), ch. 5 and 6.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import torch

from .array import to_numpy
from .conv import conv

__all__ = ["Layout", "Partitioned", "partition_layout", "partition_seconds"]

FEWEST_BLOCKS = 4  # of the head in one of the tail, below which nothing is left to spread
CALLS_S, PRODUCT_S = 3.5e-5, 0.65e-9  # a block, a complex product
POINT_S, DIRECT_S = 7e-9, 1e-10  # ten stages of a transform for a point, a multiply-add of the direct sum


class Layout(NamedTuple):
    """How a kernel is cut."""

    block: int  # B
    head: int  # parts of B taps
    ratio: int  # m, blocks of the head in one of the tail; 0 without a tail
    tail: int  # parts of m·B taps


def partition_layout(taps: int, block: int, kind: str = "auto") -> Layout:
    """The cut of a kernel that takes the fewest products a block, "uniform" or "nonuniform" where asked.

    Examples
    --------
    >>> partition_layout(96_000, 64)
    Layout(block=64, head=64, ratio=32, tail=45)
    >>> partition_layout(1_000, 64)
    Layout(block=64, head=16, ratio=0, tail=0)
    """
    uniform = Layout(block, -(-taps // block), 0, 0)
    choices = [uniform]
    ratio = FEWEST_BLOCKS
    while 2 * ratio * block < taps and kind != "uniform":
        choices.append(Layout(block, 2 * ratio, ratio, -(-(taps - 2 * ratio * block) // (ratio * block))))
        ratio *= 2
    if kind == "nonuniform" and len(choices) > 1:
        choices = choices[1:]
    return min(choices, key=lambda layout: partition_seconds(layout, block))


def partition_seconds(layout: Layout, samples: int, rows: int = 2, products: int = 1) -> float:
    """Predicted seconds of so many samples in one chunk.

    `rows` are transformed, of input and of output; `products` are B · C_out · C_in / groups.
    """
    block, size = layout.block, layout.ratio * layout.block
    points = block * math.log2(2 * block) + (block * math.log2(2 * size) if size else 0)
    terms = layout.head * (block + 1) + layout.tail * block
    a_block = CALLS_S * (1.5 if size else 1) + POINT_S / 5 * rows * points + PRODUCT_S * products * terms
    if samples < block:  # its first taps directly
        return CALLS_S + DIRECT_S * products * samples * block + a_block * samples / block
    return a_block * -(-samples // block)


class Partitioned:
    """y[o, t] = sum_c,k  w[o, c, k] · x[c, t − k], sample by sample, for a kernel that is cut into parts.

    Parameters
    ----------
    w : array [shape=(C_out, C_in / groups, K), float32, float64, complex64 or complex128]
        In the order of mathematics: tap 0 meets the newest sample.
    groups : int
    layout : Layout
    """

    def __init__(self, w: np.ndarray, groups: int, layout: Layout):
        self.layout, self.groups = layout, groups
        self.taps, self.dtype = w.shape[-1], w.dtype
        block, is_complex = layout.block, np.iscomplexobj(w)
        self._there = scipy.fft.fft if is_complex else scipy.fft.rfft
        self._back = scipy.fft.ifft if is_complex else scipy.fft.irfft
        cut = layout.head * block
        self._first = torch.from_numpy(np.ascontiguousarray(_first_taps(w, block)[..., ::-1]))
        self._head = _Parts(w[..., :cut], groups, block, layout.head, self._there)
        self._tail = None
        if layout.ratio:
            self._tail = _Parts(w[..., cut:], groups, layout.ratio * block, layout.tail, self._there)

    @property
    def reach(self) -> int:
        """Samples before the present that `load` reads."""
        big = (self.layout.ratio or 1) * self.layout.block
        return -(-self.taps // big) * big + 2 * big

    def load(self, past: np.ndarray, phase: int = 0) -> None:
        """Stand where the engine would stand after `past`, of which `phase` samples lie in an open block.

        Parameters
        ----------
        past : array [shape=(B, C_in, n)]
            What has come, the newest last; zeros are thought before it.
        phase : int
            The value of `phase` at that moment.
        """
        block, size = self.layout.block, (self.layout.ratio or 1) * self.layout.block
        done = phase // block * block  # samples of the open block of the tail that the head has seen
        ready = self.reach - self.reach % size
        line = np.zeros((*past.shape[:2], ready + phase), self.dtype)
        n = min(past.shape[-1], line.shape[-1])
        line[..., line.shape[-1] - n :] = past[..., past.shape[-1] - n :]
        self.phase = phase
        self._rest: np.ndarray | None = None  # what earlier blocks give to the open one
        self._recent = np.zeros((*past.shape[:2], 2 * block), self.dtype)
        stop = ready + done
        self._recent[..., :block] = line[..., stop - block : stop]
        self._recent[..., block : block + phase - done] = line[..., stop:]
        self._head.load(line[..., :stop])
        if self._tail is not None:
            self._tail.load(line[..., : ready - size])
            self._now = self._tail.sums(self._back)
            self._big = np.zeros((*past.shape[:2], 2 * size), self.dtype)
            self._big[..., :] = line[..., ready - 2 * size : ready]
            self._next = np.zeros((*past.shape[:2], size), self.dtype)
            self._next[..., :phase] = line[..., ready:]
            self._plan_work()
            for step in range(phase // block):
                self._work(step)

    def push(self, x: np.ndarray) -> np.ndarray:
        """y (B, C_out, n) for the next n samples x (B, C_in, n)."""
        block, n = self.layout.block, x.shape[-1]
        if n == block and self.phase % block == 0:
            return self._whole(x)
        out, at = [], 0
        while at < n:
            filled = self.phase % block
            count = min(block - filled, n - at)
            part = x[..., at : at + count]
            out.append(self._whole(part) if count == block else self._piece(part, filled))
            at += count
        return np.concatenate(out, -1) if len(out) != 1 else out[0]

    def _whole(self, x: np.ndarray) -> np.ndarray:
        """A block that comes at once."""
        block, recent = self.layout.block, self._recent
        recent[..., block:] = x
        self._head.add(self._there(recent))
        y = self._head.sums(self._back)
        return self._block_done(y, 0, block)

    def _piece(self, x: np.ndarray, filled: int) -> np.ndarray:
        """A part of a block: its own samples meet the first taps directly, all before it in the spectrum."""
        block, n = self.layout.block, x.shape[-1]
        if self._rest is None:
            self._rest = self._head.sums(self._back, ahead=1)
        recent = self._recent
        recent[..., block + filled : block + filled + n] = x
        stop = block + filled + n
        seen = recent[..., stop - n - self._first.shape[-1] + 1 : stop]
        y = to_numpy(conv(torch.from_numpy(seen), self._first, groups=self.groups))
        y = y + self._rest[..., filled : filled + n]
        if filled + n == block:
            self._head.add(self._there(recent))
            self._rest = None
        return self._block_done(y, filled, n)

    def _block_done(self, y: np.ndarray, filled: int, n: int) -> np.ndarray:
        """The tail's share, the tail's work, and the next place."""
        block, tail = self.layout.block, self._tail
        if tail is not None:
            here = self.phase
            y += self._now[..., here : here + n]
            self._next[..., here : here + n] = self._recent[..., block + filled : block + filled + n]
        self.phase += n
        if filled + n == block:
            self._recent[..., :block] = self._recent[..., block:]
            if tail is not None:
                self._work(self.phase // block - 1)
                if self.phase == self.layout.ratio * block:
                    self._turn()
            else:
                self.phase = 0
        return y

    def _turn(self) -> None:
        """A block of the tail is full, and the work on the one before it is done."""
        size = self._next.shape[-1]
        self._now = self._found
        self._big[..., :size] = self._big[..., size:]
        self._big[..., size:] = self._next
        self.phase = 0
        self._plan_work()

    def _plan_work(self) -> None:
        """Products of one block of the tail in m − 2 shares, between the transform and its inverse."""
        assert self._tail is not None
        points, shares = self._tail.n_freq, self.layout.ratio - 2
        self._cuts = [points * i // shares for i in range(shares + 1)]
        self._sums = np.empty(self._tail.sum_shape(len(self._next)), self._tail.spectra.dtype)

    def _work(self, step: int) -> None:
        """The share of the tail's work that belongs to block `step` of m."""
        tail = self._tail
        assert tail is not None
        if step == 0:
            tail.add(self._there(self._big))
        elif step == self.layout.ratio - 1:
            self._found = tail.back(self._sums, self._back)
        else:
            low, high = self._cuts[step - 1], self._cuts[step]
            self._sums[..., low:high] = tail.products(low, high)


class _Parts:
    """Spectra of the parts of a kernel, and of as many blocks of the signal: the newest stands first."""

    def __init__(self, w: np.ndarray, groups: int, size: int, count: int, there: Any):
        n_out, channels, taps = w.shape
        self.size, self.count, self.groups = size, count, groups
        padded = np.zeros((n_out, channels, count * size), w.dtype)
        padded[..., :taps] = w
        spectra = there(padded.reshape(n_out, channels, count, size), 2 * size)
        self.n_freq = spectra.shape[-1]
        # (count · C/groups, 1, groups, O/groups, F): what is summed over comes first
        spectra = spectra.reshape(groups, n_out // groups, channels, count, -1).transpose(3, 2, 0, 1, 4)
        self.weights = np.ascontiguousarray(spectra).reshape(-1, 1, groups, n_out // groups, self.n_freq)
        self._channels, self._there, self._at = channels, there, 0

    def load(self, line: np.ndarray) -> None:
        """Spectra of the last blocks of line (B, C, n·size), each kept twice, so that all lie in a row."""
        self.spectra = np.zeros(
            (2 * len(self.weights), len(line), self.groups, 1, self.n_freq), self.weights.dtype
        )
        self._terms = np.empty(np.broadcast_shapes(self.spectra[: len(self.weights)].shape, self.weights.shape),
                               self.weights.dtype)  # fmt: skip
        self._at, size = 0, self.size
        n = min(self.count, line.shape[-1] // size - 1)
        for i in range(n):  # one by one, as they come from the stream
            stop = line.shape[-1] - i * size
            self._put(i, self._there(line[..., stop - 2 * size : stop]))

    def add(self, spectrum: np.ndarray) -> None:
        """The spectrum (B, C, F) of a new block."""
        self._at = (self._at or self.count) - 1
        self._put(self._at, spectrum)

    def _put(self, at: int, spectrum: np.ndarray) -> None:
        batch, channels, n_freq = spectrum.shape
        parts = spectrum.reshape(batch, self.groups, channels // self.groups, n_freq)
        parts = parts.transpose(2, 0, 1, 3)[:, :, :, None]
        for place in (at * self._channels, (at + self.count) * self._channels):
            self.spectra[place : place + self._channels] = parts

    def products(self, low: int = 0, high: int | None = None, ahead: int = 0) -> np.ndarray:
        """Sums over parts and channels (B, groups, O/groups, F) of all frequencies, or low to high.

        `ahead` 1: as they are before a block that is still to come.
        """
        first, count = self._at * self._channels, (self.count - ahead) * self._channels
        x = self.spectra[first : first + count, ..., low:high]
        terms = self._terms[:count, ..., low:high]
        return np.multiply(x, self.weights[ahead * self._channels :, ..., low:high], out=terms).sum(0)

    def sums(self, back: Any, ahead: int = 0) -> np.ndarray:
        """(B, C_out, size): what the block gives."""
        return self.back(self.products(ahead=ahead), back)

    def back(self, sums: np.ndarray, back: Any) -> np.ndarray:
        """From the spectrum (B, groups, O/groups, F) to the outputs that do not wrap round."""
        y = back(sums.reshape(sums.shape[0], -1, sums.shape[-1]), 2 * self.size)
        return y[..., self.size :]

    def sum_shape(self, batch: int) -> tuple[int, ...]:
        """Of `products`."""
        return (batch, self.groups, self.weights.shape[3], self.n_freq)


def _first_taps(w: np.ndarray, block: int) -> np.ndarray:
    """Taps 0 to block, with zeros where the kernel is shorter."""
    if w.shape[-1] >= block:
        return w[..., :block]
    return np.concatenate([w, np.zeros((*w.shape[:2], block - w.shape[-1]), w.dtype)], -1)
