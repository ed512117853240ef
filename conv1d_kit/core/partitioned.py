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
from typing import NamedTuple

import numpy as np

from .block_fft import block_transforms

__all__ = ["Layout", "Partitioned", "partition_layout", "partition_seconds"]

DOTS = 40  # terms of a sum from which a dot product is quicker than rows
TOGETHER = 4  # blocks whose transforms share a call, where as many have come
FEWEST_BLOCKS = 4  # of the head in one of the tail, below which nothing is left to spread
CALLS_S, PRODUCT_S, DOT_S = 2e-5, 0.65e-9, 0.4e-9  # a block, a complex product, one within a dot product
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
    terms = layout.head * (block + 1) * _product_s(layout.head) + layout.tail * block * _product_s(layout.tail)
    a_block = CALLS_S * (1.5 if size else 1) + POINT_S / 5 * rows * points + products * terms
    if samples < block:  # its first taps directly
        return CALLS_S + DIRECT_S * products * samples * block + a_block * samples / block
    return a_block * -(-samples // block)


def _product_s(terms: int) -> float:
    return DOT_S if terms >= DOTS else PRODUCT_S


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
        self.n_out, self.taps, self.dtype = w.shape[0], w.shape[-1], w.dtype
        block, cut = layout.block, layout.head * layout.block
        self._first = np.ascontiguousarray(_first_taps(w, block)[..., ::-1])
        self._head = _Parts(w[..., :cut], groups, block, layout.head)
        self._tail, self._batch, self.phase = None, 0, 0
        self._is_new = False  # nothing was ever heard
        self._rest: np.ndarray | None = None  # what earlier blocks give to the open one
        if layout.ratio:
            self._tail = _Parts(w[..., cut:], groups, layout.ratio * block, layout.tail)

    @property
    def reach(self) -> int:
        """Samples before the present that `load` reads."""
        big = (self.layout.ratio or 1) * self.layout.block
        return -(-self.taps // big) * big + 2 * big

    @property
    def is_between_blocks(self) -> bool:
        """Whether a block that comes now comes at once."""
        return self.phase % self.layout.block == 0

    def load(self, past: np.ndarray, phase: int = 0) -> None:
        """Stand where the engine would stand after `past`, of which `phase` samples lie in an open block.

        Parameters
        ----------
        past : array [shape=(B, C_in, n)]
            What has come, the newest last; zeros are thought before it.
        phase : int
            The value of `phase` at that moment.
        """
        if self._is_new and len(past) == self._batch and not phase and not past.any():
            return
        with np.errstate(all="ignore"):
            self._load(past, phase)
        self._is_new = not phase and not past.any()

    def _load(self, past: np.ndarray, phase: int) -> None:
        self.allocate(len(past))
        block, size = self.layout.block, (self.layout.ratio or 1) * self.layout.block
        done = phase // block * block  # samples of the open block of the tail that the head has seen
        ready = self.reach - self.reach % size
        line = np.zeros((*self._recent.shape[:2], ready + phase), self.dtype)
        n = min(past.shape[-1], line.shape[-1])
        line[..., line.shape[-1] - n :] = past[..., past.shape[-1] - n :]
        self.phase, self._rest = phase, None
        stop = ready + done
        self._recent[..., :block] = line[..., stop - block : stop]
        self._recent[..., block : block + phase - done] = line[..., stop:]
        self._head.load(line[..., :stop])
        if self._tail is not None:
            self._tail.load(line[..., : ready - size])
            self._now = self._tail.sums() if line.any() else self._tail.silence(len(past))
            self._big[...] = line[..., ready - 2 * size : ready]
            self._next[..., :phase] = line[..., ready:]
            for step in range(phase // block):
                self._work(step)

    def allocate(self, batch: int) -> None:
        """Memory for signals of so many rows, touched, so that real time does not have to wait for it."""
        if self._batch == batch:
            return
        channels, block = self._first.shape[1] * self.groups, self.layout.block
        self._batch, self._recent = batch, np.zeros((batch, channels, 2 * block), self.dtype)
        self._head.allocate(batch)
        if self._tail is not None:
            self._tail.allocate(batch)
            size, points, shares = self.layout.ratio * block, self._tail.n_freq, self.layout.ratio - 2
            self._big, self._next = (np.zeros((batch, channels, n), self.dtype) for n in (2 * size, size))
            self._sums = np.zeros_like(self._tail.products())
            self._now = self._found = self._tail.silence(batch)
            self._cuts = [points * i // shares for i in range(shares + 1)]  # a share of the products a block

    def follow(self, other: Partitioned) -> None:
        """Stand where another kernel's engine of the same layout stands, which has heard the same."""
        self.allocate(len(other._recent))
        self._is_new = False
        with np.errstate(all="ignore"):
            self.phase, self._rest = other.phase, None
            self._recent[...] = other._recent
            self._head.follow(other._head)
            if self._tail is not None and other._tail is not None:
                self._tail.follow(other._tail)
                self._big[...], self._next[...] = other._big, other._next
                done = self.phase // self.layout.block
                self._now = self._tail.sums(ahead=-1 if done else 0)
                if done > 1:  # all shares of the products at once
                    self._sums[..., : self._cuts[done - 1]] = self._tail.products(0, self._cuts[done - 1])

    def push(self, x: np.ndarray) -> np.ndarray:
        """y (B, C_out, n) for the next n samples x (B, C_in, n)."""
        block, n, self._is_new = self.layout.block, x.shape[-1], False
        with np.errstate(all="ignore"):  # what is not finite is for the caller to see to
            if n == block and self.phase % block == 0:
                return self._whole(x)
            out, at = [], 0
            while at < n:
                filled = self.phase % block
                if not filled and self._tail is None and n - at >= TOGETHER * block:
                    out.append(self._several(x[..., at : at + TOGETHER * block]))
                    at += TOGETHER * block
                    continue
                count = min(block - filled, n - at)
                part = x[..., at : at + count]
                out.append(self._whole(part) if count == block else self._piece(part, filled))
                at += count
        return np.concatenate(out, -1) if len(out) != 1 else out[0]

    def _whole(self, x: np.ndarray) -> np.ndarray:
        """A block that comes at once."""
        block, recent = self.layout.block, self._recent
        recent[..., block:] = x
        self._head.add(recent)
        y = self._head.sums()
        return self._block_done(y, 0, block)

    def _several(self, x: np.ndarray) -> np.ndarray:
        """Blocks that come together, without a tail: transformed in one call, which takes half the time."""
        block, batch, n = self.layout.block, len(x), x.shape[-1]
        line = np.concatenate([self._recent[..., :block], x], -1)
        frames = np.lib.stride_tricks.sliding_window_view(line, 2 * block, -1)[..., ::block, :]  # a view
        spectra, sums = self._head.transformed(frames), []
        for i in range(TOGETHER):
            self._head.put(spectra[:, :, i])
            sums.append(self._head.products())
        y = self._head.back(np.concatenate(sums)).reshape(TOGETHER, batch, self.n_out, block)
        self._recent[..., :block] = x[..., n - block :]
        return y.transpose(1, 2, 0, 3).reshape(batch, self.n_out, n)

    def _piece(self, x: np.ndarray, filled: int) -> np.ndarray:
        """A part of a block: its own samples meet the first taps directly, all before it in the spectrum."""
        from .conv import conv  # torch, which whole blocks do without

        block, n = self.layout.block, x.shape[-1]
        if self._rest is None:
            self._rest = self._head.sums(ahead=1)
        recent = self._recent
        recent[..., block + filled : block + filled + n] = x
        stop = block + filled + n
        seen = recent[..., stop - n - self._first.shape[-1] + 1 : stop]
        y = conv(seen, self._first, groups=self.groups)
        y = y + self._rest[..., filled : filled + n]
        if filled + n == block:
            self._head.add(recent)
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

    def _work(self, step: int) -> None:
        """The share of the tail's work that belongs to block `step` of m."""
        tail = self._tail
        assert tail is not None
        if step == 0:
            tail.add(self._big)
        elif step == self.layout.ratio - 1:
            self._found = tail.back(self._sums)
        else:
            low, high = self._cuts[step - 1], self._cuts[step]
            self._sums[..., low:high] = tail.products(low, high)


class _Parts:
    """Spectra of the parts of a kernel, and of as many blocks of the signal: the newest stands first."""

    def __init__(self, w: np.ndarray, groups: int, size: int, count: int):
        n_out, channels, taps = w.shape
        self.n_out, self.size, self.groups, self.dtype = n_out, size, groups, w.dtype
        self.transformed, self._back = block_transforms(2 * size, np.iscomplexobj(w))
        frames = np.zeros((n_out, channels, count, 2 * size), w.dtype)
        whole = taps // size
        frames[:, :, :whole, :size] = w[..., : whole * size].reshape(n_out, channels, whole, size)
        if whole < count:
            frames[:, :, whole, : taps - whole * size] = w[..., whole * size :]
        spectra = self.transformed(frames)
        self.n_freq = spectra.shape[-1]
        # (F, groups, O/groups, count · C/groups), or that axis first: what is summed over
        spectra = spectra.reshape(groups, n_out // groups, channels, count, -1).transpose(4, 0, 1, 3, 2)
        spectra = spectra.reshape(self.n_freq, groups, n_out // groups, -1)
        self._by_dots = spectra.shape[-1] >= DOTS
        if not self._by_dots:
            spectra = spectra.transpose(3, 1, 2, 0)[:, None]
        self.weights = np.ascontiguousarray(spectra)
        self._channels, self._terms_count, self._at = channels, count * channels, 0
        self._kept = count + 1  # blocks of the signal: one more than there are parts, for `sums` as they were

    def load(self, line: np.ndarray) -> None:
        """Spectra of the last blocks of line (B, C, n·size)."""
        self.spectra.fill(0)
        self._at, size = 0, self.size
        n = min(self._kept, line.shape[-1] // size - 1)
        for i in range(n):  # one by one, as they come from the stream
            stop = line.shape[-1] - i * size
            frame = line[..., stop - 2 * size : stop]
            if frame.any():
                self._put(i, self.transformed(frame))

    def allocate(self, batch: int) -> None:
        """Room for the spectra, each kept twice, so that all lie in a row wherever the newest is."""
        n = 2 * self._kept * self._channels
        dots = (self.n_freq, self.groups, batch, n)
        self.spectra = np.zeros(
            dots if self._by_dots else (n, batch, self.groups, 1, self.n_freq), self.weights.dtype
        )
        self.spectra.fill(0)  # touches what is as yet only promised
        if not self._by_dots:
            terms = np.broadcast_shapes((self._terms_count, *self.spectra.shape[1:]), self.weights.shape)
            self._terms = np.zeros(terms, self.weights.dtype)
            self._terms.fill(0)

    def follow(self, other: _Parts) -> None:
        """Take another kernel's spectra of the signal."""
        self.spectra[...], self._at = other.spectra, other._at

    def add(self, frame: np.ndarray) -> None:
        """A new block, the one before it in front: (B, C, 2·size)."""
        self.put(self.transformed(frame))

    def put(self, spectrum: np.ndarray) -> None:
        """The spectrum (B, C, F) of a new block."""
        self._at = (self._at or self._kept) - 1
        self._put(self._at, spectrum)

    def _put(self, at: int, spectrum: np.ndarray) -> None:
        batch, channels, n_freq = spectrum.shape
        parts = spectrum.reshape(batch, self.groups, channels // self.groups, n_freq)
        places = [slice(i * self._channels, (i + 1) * self._channels) for i in (at, at + self._kept)]
        if self._by_dots:
            parts = parts.transpose(3, 1, 0, 2)
            for place in places:
                self.spectra[..., place] = parts
        else:
            parts = parts.transpose(2, 0, 1, 3)[:, :, :, None]
            for place in places:
                self.spectra[place] = parts

    def products(self, low: int = 0, high: int | None = None, ahead: int = 0) -> np.ndarray:
        """Sums over parts and channels (B, groups, O/groups, F) of all frequencies, or low to high.

        `ahead` 1: as they will be but for the block that is to come; −1: as they were before the last one.
        Many terms are summed as dot products, or products of matrices; few, of many frequencies, row by row.
        """
        skipped, older = max(0, ahead) * self._channels, max(0, -ahead)
        first, count = (self._at + older) * self._channels, self._terms_count - skipped
        if self._by_dots:
            x = self.spectra[low:high, ..., first : first + count].swapaxes(2, 3)
            return np.matmul(self.weights[low:high, ..., skipped:], x).transpose(3, 1, 2, 0)
        x = self.spectra[first : first + count, ..., low:high]
        terms = self._terms[:count, ..., low:high]
        return np.multiply(x, self.weights[skipped:, ..., low:high], out=terms).sum(0)

    def sums(self, ahead: int = 0) -> np.ndarray:
        """(B, C_out, size): what the parts give to the open block."""
        return self.back(self.products(ahead=ahead))

    def back(self, sums: np.ndarray) -> np.ndarray:
        """From the spectrum (B, groups, O/groups, F) to the outputs that do not wrap round."""
        return self._back(sums.reshape(len(sums), -1, self.n_freq))[..., self.size :]

    def silence(self, batch: int) -> np.ndarray:
        """`sums` of nothing."""
        return np.zeros((batch, self.n_out, self.size), self.dtype)


def _first_taps(w: np.ndarray, block: int) -> np.ndarray:
    """Taps 0 to block, with zeros where the kernel is shorter."""
    if w.shape[-1] >= block:
        return w[..., :block]
    return np.concatenate([w, np.zeros((*w.shape[:2], block - w.shape[-1]), w.dtype)], -1)
