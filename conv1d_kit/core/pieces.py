"""A convolution with its rules, computed in pieces: rows, and stretches of the last axis.

Whatever an option asks for (padding modes, lengths, wider dtypes, NaN left out, a bound on the error, the bias)
happens inside a piece, so that a bound on memory holds for all of it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InputError
from .array import enter, narrow, widen
from .compute import add_bias, compute
from .geometry import Geometry
from .kernels import product_numbers
from .lengths import Rows
from .library import WINDOWS, window_bytes
from .nonfinite import has_nan, omit_nan, refuse_nan
from .onednn import has_wide_registers
from .padding import PADDINGS, Pads, as_stored, pad, source_index
from .plan import Plan
from .precision import refuse_overflow, with_precision
from .spectral import round_elements
from .spectrum import cut, fft_points

__all__ = ["Rules", "Signal", "conv_in_pieces"]

SHORT = 1024  # samples read at a time to look for NaN in an array that torch cannot look at
SLACK = 1 << 16  # bytes for small things
SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}  # of the same bits


class Rules(NamedTuple):
    """What is asked beyond the bare sum."""

    nan: str
    precision: str
    rows: Rows | None  # lengths
    max_bytes: int | None


class Signal:
    """x (B, C, *spatial) read piece by piece: a tensor's pieces are views where they can be.

    A NumPy array that torch cannot look at is converted piece by piece.
    """

    def __init__(self, x: torch.Tensor | np.ndarray, like: torch.Tensor):
        self.x, self.shape, self.dtype, self.device = x, tuple(like.shape), like.dtype, like.device
        self.is_foreign = isinstance(x, np.ndarray)

    def take(self, rows: slice, stretch: slice) -> torch.Tensor:
        """x[rows, ..., stretch]."""
        return self._tensor(self.x[rows, ..., stretch])

    def gather(self, rows: slice, index: torch.Tensor) -> torch.Tensor:
        """The rows at the positions `index` [shape=(rows or 1, L)] of the last axis."""
        x: Any = self.x[rows]
        if self.is_foreign:
            lead = (len(index), *(1,) * (x.ndim - 2), index.shape[1])
            return self._tensor(np.take_along_axis(x, index.numpy().reshape(lead), -1))
        if x.dtype in SIGNED:  # whose elements torch does not pick
            signed = Signal(x.view(SIGNED[x.dtype]), x)
            return signed.gather(slice(None), index).view(x.dtype)
        if len(index) == 1:
            return x.index_select(-1, index[0])
        return torch.take_along_dim(x, index.reshape(len(index), *(1,) * (x.ndim - 2), index.shape[1]), -1)

    def refuse_nan(self, lengths: list[int] | None, batched: bool) -> None:
        """InputError with the index of the first NaN within `lengths`."""
        if isinstance(self.x, torch.Tensor):
            return refuse_nan("x", self.x, lengths, batched=batched)
        for row in range(self.shape[0]):
            n = self.shape[-1] if lengths is None else lengths[row]
            for start in range(0, n, SHORT):
                if has_nan(self.take(slice(row, row + 1), slice(start, min(n, start + SHORT)))):
                    return refuse_nan("x", self.take(slice(None), slice(None)), lengths, batched=batched)

    def _tensor(self, piece: Any) -> torch.Tensor:
        return enter(x=piece)[0][0]


def conv_in_pieces(
    signal: Signal,
    w: torch.Tensor,
    bias: torch.Tensor | None,
    plan: Plan,
    rules: Rules,
    dtype: torch.dtype,
) -> torch.Tensor:
    """y [shape=(B, C_out, *out)] of `dtype`, each piece small enough for `max_bytes` beside x and y.

    Parameters
    ----------
    signal : Signal
    w, bias : Tensor
        As `widen` gives them for `dtype`.
    plan, rules
    dtype : torch.dtype
        The caller's promoted one.

    Raises
    ------
    InputError
        If one output position of one row needs more than max_bytes; says how much.
    """
    job = _Job(signal, w, bias, plan, rules, dtype)
    *lead, size = job.out_sizes
    batch, limit = signal.shape[0], rules.max_bytes
    if limit is None:
        return job.piece(slice(0, batch), 0, size, True)
    if job.extra_bytes(batch, size) <= limit or 0 in (batch, size):
        return job.piece(slice(0, batch), 0, size, True)
    rows, count = _piece_size(job, batch, size, limit)
    y = torch.empty((batch, w.shape[0], *lead, size), dtype=dtype, device=signal.device)
    for row in range(0, batch, rows):
        for first in range(0, size, count):
            here, stop = slice(row, min(batch, row + rows)), min(size, first + count)
            y[here, ..., first:stop] = job.piece(here, first, stop, False)
    return y


def _piece_size(job: _Job, batch: int, size: int, limit: int) -> tuple[int, int]:
    """Rows and outputs of a piece: rows are halved first, then the stretch of one row."""
    written = job.w.dtype.itemsize * job.w.shape[0] * math.prod(job.out_sizes[:-1])

    def needed(rows: int, count: int) -> int:
        """By a whole piece or the last, which may need more; each is held before it is put into y."""
        parts = {(r, c) for r in {rows, batch % rows or rows} for c in {count, size % count or count}}
        return max(job.extra_bytes(r, c) + written * r * c for r, c in parts)

    rows, count, least = batch, size, math.inf
    while (need := needed(rows, count)) > limit:
        least = min(least, need)
        if rows > 1:
            rows = -(-rows // 2)
        elif count > 1:
            count = -(-count // 2)
        else:
            raise InputError(f"max_bytes must be at least {least} for this convolution, got {limit}")
    return rows, count


class _Job(NamedTuple):
    """One call's arguments, and what a piece of it is and needs."""

    signal: Signal
    w: torch.Tensor
    bias: torch.Tensor | None
    plan: Plan
    rules: Rules
    dtype: torch.dtype

    @property
    def pads(self) -> Pads:
        return self.plan.mode_pads or self.plan.geometry.pads

    @property
    def out_sizes(self) -> tuple[int, ...]:
        return self.plan.geometry._replace(pads=self.pads).out_sizes(self.signal.shape[2:], self.w.shape[2:])

    def piece(self, rows: slice, first: int, stop: int, whole: bool) -> torch.Tensor:
        """y[rows, ..., first:stop], narrowed."""
        own = self.rules.rows
        if own is not None:
            x, g = self._by_lengths(rows, first, stop, own)
        elif whole:
            x, g = widen(self.signal.take(rows, slice(None)), self.dtype), self.plan.geometry
            x = x if self.plan.mode_pads is None else pad(x, self.plan.mode_pads, self.plan.mode)
        else:
            x, g = self._stretch(rows, first, stop)
        y = self._ruled(x, g)
        if own is None:
            return narrow(y, self.dtype)
        sizes = torch.tensor(own.sizes[rows], dtype=torch.int64, device=y.device)[:, None]
        inside = torch.arange(first, stop, device=y.device) < sizes
        y = y.masked_fill(~inside.reshape(len(y), *(1,) * (y.ndim - 2), stop - first), 0)
        return narrow(y, self.dtype)

    def _stretch(self, rows: slice, first: int, stop: int) -> tuple[torch.Tensor, Geometry]:
        """What outputs first to stop see, its last axis padded by the mode; zeros are left to the geometry."""
        g, mode = self.plan.geometry._replace(pads=self.pads), self.plan.mode
        size, span = self.signal.shape[-1], g.spans(self.w.shape[2:])[-1]
        inside, (low, high) = g.stretch(first, stop - 1, span, size)
        if self.plan.mode_pads is None:
            x = widen(self.signal.take(rows, inside), self.dtype)
            return x, g._replace(pads=(*g.pads[:-1], (low, high)))
        if mode in PADDINGS and (low or high):
            start = first * g.stride[-1] - g.pads[-1][0]
            index = torch.arange(
                start, (stop - 1 - first) * g.stride[-1] + start + span, device=self.signal.device
            )
            x = widen(self.signal.gather(rows, source_index(index, size, mode)[None]), self.dtype)
        else:
            x = pad(widen(self.signal.take(rows, inside), self.dtype), ((low, high),), mode)
        return pad(x, (*g.pads[:-1], (0, 0)), mode), self.plan.geometry

    def _by_lengths(self, rows: slice, first: int, stop: int, own: Rows) -> tuple[torch.Tensor, Geometry]:
        """The same with each row padded behind its own end; zeros behind that."""
        g, mode, device = self.plan.geometry, self.plan.mode, self.signal.device
        n = torch.tensor(own.lengths[rows], dtype=torch.int64, device=device)[:, None]
        low, high = torch.tensor(own.pads[rows], dtype=torch.int64, device=device).reshape(-1, 2).T[..., None]
        span, size = g.spans(self.w.shape[2:])[-1], self.signal.shape[-1]
        start, reach = first * g.stride[-1], (stop - 1 - first) * g.stride[-1] + span
        position = torch.arange(start, start + max(0, reach), device=device) - low  # (rows, L)
        index, inside = position, (position >= 0) & (position < n)
        if mode in PADDINGS:
            index, inside = source_index(position, n.clamp(min=1), mode), (position < n + high) & (n > 0)
        if size:
            x = widen(self.signal.gather(rows, index.clamp(0, size - 1)), self.dtype)
        else:
            x = widen(self.signal.take(rows, slice(0, 0)), self.dtype)
            x = pad(x, ((0, position.shape[-1]),))
        shape = (len(n), *(1,) * (x.ndim - 2), position.shape[1])
        beyond = torch.zeros(position.shape, dtype=x.dtype, device=device)
        if mode not in PADDINGS and mode != "zeros":
            beyond.masked_fill_(position < n + high, as_stored(mode, x.dtype))
        x = torch.where(inside.reshape(shape), x, beyond.reshape(shape))
        flat = ((0, 0),) * len(g.pads)
        if self.plan.mode_pads is None:
            return x, g._replace(pads=(*g.pads[:-1], (0, 0)))
        return pad(x, (*self.plan.mode_pads[:-1], (0, 0)), mode), g._replace(pads=flat)

    def _ruled(self, x: torch.Tensor, g: Geometry) -> torch.Tensor:
        """The sum under the rules, bias added last."""
        plan, (nan, precision, _, _) = self.plan, self.rules
        if nan != "omit" and precision == "normwise":
            return compute(x, self.w, self.bias, plan._replace(mode_pads=None, geometry=g))

        def run(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
            return with_precision(x, w, g, plan.method, precision)

        y = add_bias(omit_nan(x, self.w, g, run) if nan == "omit" else run(x, self.w, g), self.bias)
        if precision == "exact":
            refuse_overflow(y, x, self.w, self.bias, g, self.dtype)
        return y

    def extra_bytes(self, rows: int, count: int) -> int:
        """What `rows` rows of `count` outputs need beside input and output: an upper estimate."""
        g, kernel, width = self.plan.geometry, self.w.shape[2:], self.w.dtype.itemsize
        *lead, _ = self.out_sizes
        reach = (count - 1) * g.stride[-1] + g.spans(kernel)[-1]
        pads = (*self.pads[:-1], (0, 0))
        x_shape = (rows, *self.signal.shape[1:-1], reach)
        inputs = math.prod(x_shape[:2]) * math.prod(
            n + low + high for n, (low, high) in zip(x_shape[2:], pads, strict=True)
        )
        outputs = rows * self.w.shape[0] * math.prod(lead) * count
        need = SLACK + width * 2 * self.w.numel()  # turned round, widened
        if self.signal.is_foreign:
            need += 2 * self.signal.dtype.itemsize * inputs
        if self.signal.dtype != self.w.dtype:
            need += width * inputs
        if self.plan.mode_pads is not None:
            need += 2 * width * inputs
        if self.rules.rows is not None:
            need += (2 * width + self.signal.dtype.itemsize) * inputs + 40 * rows * reach + outputs * width
        if self.dtype != self.w.dtype:
            need += self.dtype.itemsize * outputs
        if self.bias is not None:
            need += width * outputs
        flat = g._replace(pads=pads)
        need += method_bytes(self.plan.method, width, self.dtype, x_shape, self.w.shape, flat)
        if self.rules.nan == "omit":
            precise = 16 if self.dtype.is_complex else 8
            need += (2 * precise + width) * (inputs + 3 * outputs + self.w.numel())
            need += method_bytes(self.plan.method, precise, torch.float64, x_shape, self.w.shape, flat)
        if self.rules.precision != "normwise":
            need += 8 * (4 * inputs + 12 * outputs + 4 * self.w.numel())
            need += method_bytes(self.plan.method, 8, torch.float64, x_shape, self.w.shape, flat)
            need += method_bytes("direct", max(8, width), torch.float64, x_shape, self.w.shape, flat)
        return need


def _blocked(outputs: int, channels: int) -> int:
    """Numbers of an output in oneDNN's own layout; with 512-bit registers its channels go by sixteens."""
    if not channels or not has_wide_registers():
        return outputs
    return outputs // channels * (-(-channels // 16) * 16)


def method_bytes(
    method: str,
    width: int,
    dtype: torch.dtype,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    g: Geometry,
) -> int:
    """What the bare sum needs, of numbers `width` bytes wide that stand for `dtype`."""
    padded = math.prod(x_shape[:2]) * math.prod(
        size + low + high for size, (low, high) in zip(x_shape[2:], g.pads, strict=True)
    )
    outputs = x_shape[0] * w_shape[0] * math.prod(g.out_sizes(x_shape[2:], w_shape[2:]))
    weights = math.prod(w_shape)
    if method == "direct":
        if not (dtype.is_floating_point or dtype.is_complex):  # shifted copies
            return width * (3 * padded + 5 * outputs + 2 * weights)
        windows = min(window_bytes(x_shape, w_shape, g, dtype) * width // dtype.itemsize, WINDOWS)
        beside = 2 * width * product_numbers(x_shape, w_shape, g, dtype)
        if windows:
            return width * (padded + 3 * outputs + 2 * weights) + 2 * windows + beside
        copies = 2 * padded  # with pads as numbers, and in oneDNN's order
        return width * (copies + outputs + _blocked(outputs, w_shape[0]) + 2 * weights) + beside
    real = max(width, 4) if dtype.is_floating_point or dtype.is_complex else 8
    n_fft = fft_points(method, g, x_shape, w_shape, real)
    converted = 2 * (padded + outputs) if real != width else padded
    n_parts, _ = cut(g, w_shape[2:], x_shape[-1], n_fft)
    kernels = math.prod(w_shape[:-1]) * 3 * n_fft * n_parts
    return real * (converted + kernels + 6 * round_elements(x_shape, w_shape, g, n_fft))
