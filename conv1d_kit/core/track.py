"""One kernel on a stream: the outputs that are due, by the way that is cheapest for so many at a time.

windows      `conv` over the samples that these outputs see; every option, nothing kept
partitioned  the spectra of what has come are kept (`partitioned.py`): short chunks, long kernels
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch

from .array import common_dtype, to_numpy
from .conv import conv
from .cost import predicted_seconds
from .differentiable import spectral_conv
from .geometry import Geometry
from .history import History
from .partitioned import Layout, Partitioned, partition_layout, partition_seconds
from .plan import Plan, make_plan
from .planned import ConvPlan
from .spectral import kernel_spectra
from .spectrum import cut, fft_points

__all__ = ["PARTITIONS", "Setting", "Track"]

LONG = 1 << 20  # outputs of a signal that is as good as endless
GRID = 1 << 16  # outputs that are worth a call
WORTH = 12  # blocks for each that is transformed only for those after it
PLANS = 4  # lengths whose plans are kept
SHORTEST, LONGEST = 16, 1 << 14  # samples of a block of a partitioned kernel
NOWHERE = -(1 << 62)
WINDOW_S = 2e-5  # seconds a window takes beside its sum
PARTITIONS = ("auto", "none", "uniform", "nonuniform")
SPECTRAL = (torch.float32, torch.float64, torch.complex64, torch.complex128)
PLAIN = {"nan": "propagate", "precision": "normwise", "max_bytes": None}


class Setting(NamedTuple):
    """What a stream asks of each of its tracks."""

    geometry: Geometry  # no pads on the last axis
    padding_mode: Any  # of the other axes
    options: dict[str, Any]  # nan, precision, max_bytes and method of `conv`
    partition: str
    grid: int | None  # outputs, where asked for


class Track:
    """y[l] = (w ∗ x)[l] for outputs that follow each other, from a `History` of x.

    Parameters
    ----------
    w : Tensor [shape=(C_out, C_in / groups, *kernel)]
        For cross-correlation.
    bias : Tensor [shape=(C_out,)] or None
    setting : Setting
    x : Tensor [shape=(B, C_in, *spatial)]
        The stream's kind: what counts are the shape, but for the last axis, dtype and device.
    """

    def __init__(self, w: torch.Tensor, bias: torch.Tensor | None, setting: Setting, x: torch.Tensor):
        self.w, self.bias, self.setting = w, bias, setting
        g = setting.geometry
        self._dtype = common_dtype(x, w)
        self._span, self._stride = g.spans(w.shape[2:])[-1], g.stride[-1]
        self._lead, self._x_dtype = tuple(x.shape[:-1]), x.dtype
        self._plans: dict[int, ConvPlan] = {}
        self._layouts: dict[int, Layout | None] = {}
        self._engine: Partitioned | None = None
        self._fed = NOWHERE  # samples that the engine has seen
        self._block = -1  # samples of the chunks that came last, if they are its blocks
        self._exact_from = 0  # the first output that sees nothing but finite numbers
        plain = all(setting.options[name] == value for name, value in PLAIN.items())
        spectral = plain and self._dtype in SPECTRAL and bool(w.isfinite().all())
        one_axis = x.ndim == 3 and 0 not in self._lead
        self._may_part = spectral and x.is_cpu and one_axis and setting.options["method"] != "direct"
        self._is_plain, self._n_fft = plain, 0
        self._spectra: list[torch.Tensor] | None = None
        self.grid = setting.grid or GRID
        long = self._plan(LONG)
        if setting.grid is None and spectral and long.method == "overlap_add" and long.mode_pads is None:
            self._take_grid(long)

    @property
    def reach(self) -> int:
        """How many samples before those that the next output sees may yet be read."""
        return self._engine.reach + self._stride if self._engine is not None else 0

    @property
    def state(self) -> list[int]:
        """The first output that sees only finite numbers; an engine's samples fed, phase and layout."""
        engine = self._engine
        return [self._exact_from, *((self._fed, engine.phase, *engine.layout) if engine is not None else ())]

    def restore(self, state: list[int], history: History) -> None:
        """Stand as `state` says."""
        self._engine, (self._exact_from, *engine) = None, state
        if engine:
            fed, phase, *layout = engine
            if fed < history.first:  # one that waits for the chunks it suits
                self._engine = self._new_engine(Layout(*layout))
            else:
                self._start(Layout(*layout), history, fed, phase)

    def rest(self) -> None:
        """Ready for another signal of the same kind."""
        self._fed, self._exact_from = NOWHERE, 0

    def prepare(self, n: int, history: History | None) -> None:
        """Do what the first n outputs would have to wait for: the kernel's spectra, tables, memory."""
        layout = self._layout(self.setting.grid or n)
        if layout is None:
            self._prepared_plan(n)
            return
        engine = self._engine = self._new_engine(layout)
        nothing = np.zeros((*self._lead, n * self._stride), engine.dtype)
        engine.load(nothing[..., :0])
        for _ in range(max(2, layout.ratio) * -(-layout.block // nothing.shape[-1])):
            engine.push(nothing)
        engine.load(nothing[..., :0])
        self._fed = NOWHERE
        if history is not None and history.last == self._span - 1 and not history.read(0, history.last).any():
            self._fed = history.last  # zeros are all that was there before the first sample
            self._note_block(n)

    def follow(self, other: Track) -> None:
        """Stand where the track of another kernel stands."""
        self._layouts, self._exact_from = other._layouts, other._exact_from
        engine = self.cut_like(other)
        if engine is not None and other._engine is not None and other._fed != NOWHERE:
            engine.follow(other._engine)
            self._fed = other._fed

    def cut_like(self, other: Track) -> Partitioned | None:
        """The spectra of this kernel, cut as the other track's, if that one is cut."""
        theirs = other._engine
        if theirs is not None and (self._engine is None or self._engine.layout != theirs.layout):
            self._engine = self._new_engine(theirs.layout)
            self._engine.allocate(self._lead[0])
            self._fed = NOWHERE
        return self._engine

    def outputs(self, history: History, first: int, last: int, *, is_end: bool = False) -> torch.Tensor:
        """Outputs first to last, in steps of the grid where they reach from line to line of it.

        Each step asks the same of the same numbers however many were asked for: not a bit differs.
        """
        grid, parts, at = self.grid, [], first
        fixed = self.setting.grid is not None and not is_end
        layout = None if is_end else self._layout(grid if fixed else last - first)
        in_steps = fixed or layout is None
        while at < last:
            line, stop = (at // grid + 1) * grid, last
            if in_steps and (fixed or at % grid == 0 or last - line >= grid):
                stop = min(line, last)
            parts.append(self._some(history, at, stop, layout))
            at = stop
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def at_once(self, history: History, chunk: np.ndarray, first: int) -> np.ndarray | None:
        """Outputs of a chunk (B, C, n) that is a block of an engine which stands ready; None: ask `outputs`.

        With a stride of 1, no bias and no grid asked for. The chunk is kept as `History.append` does.
        """
        engine, n = self._engine, chunk.shape[-1]
        if n != self._block or self._fed != history.last or first + self._span - 1 != self._fed:
            return None
        if engine is None or not engine.is_between_blocks:
            return None
        history.append(chunk)
        self._fed = NOWHERE  # where an engine stands that was interrupted
        y = engine.push(chunk)
        self._fed = history.last
        if math.isfinite(abs(y[..., -1].sum())):  # what is not finite spoils all of a block
            return y
        self._refuse_engine()
        return to_numpy(self._by_window(history, first, first + n))

    def _some(self, history: History, first: int, last: int, layout: Layout | None) -> torch.Tensor:
        if layout is not None and first >= self._exact_from:
            y = self._by_parts(history, first, last, layout)
            if y is not None:
                return y
        return self._by_window(history, first, last)

    def _by_window(self, history: History, first: int, last: int) -> torch.Tensor:
        n, g = last - first, self.setting.geometry
        x = history.read(first * self._stride, (last - 1) * self._stride + self._span)
        if self._n_fft and n == self.grid and first % n == 0:
            y = spectral_conv(x.to(self._dtype), self.w, g, "overlap_add", self._spectra, self._n_fft)
            return self._biased(y)
        if not self._is_plain:
            return conv(
                x, self.w, self.bias, stride=g.stride, padding=g.pads, padding_mode=self.setting.padding_mode,
                dilation=g.dilation, groups=g.groups, **self.setting.options,
            )  # fmt: skip
        return self._prepared_plan(n)(x)

    def _prepared_plan(self, n: int) -> ConvPlan:
        """`conv` of a window with n outputs, the spectrum of the kernel kept."""
        if n not in self._plans:
            if len(self._plans) >= PLANS:
                self._plans.clear()
            g, size = self.setting.geometry, (n - 1) * self._stride + self._span
            self._plans[n] = ConvPlan(
                (*self._lead, size), self.w, self._x_dtype, self.bias, g.stride, g.pads,
                self.setting.padding_mode, g.dilation, g.groups, False, self.setting.options["method"],
            )  # fmt: skip
        return self._plans[n]

    def _by_parts(self, history: History, first: int, last: int, layout: Layout) -> torch.Tensor | None:
        """None where something is not finite, which only windows keep to the outputs that see it."""
        due, stop = first * self._stride + self._span - 1, (last - 1) * self._stride + self._span
        engine = self._engine
        if engine is None or engine.layout != layout or not 0 <= due - self._fed < self._stride:
            engine = self._start(layout, history, due, 0)
            if engine is None:
                return None
        fed, self._fed = self._fed, NOWHERE  # where an engine stands that is interrupted
        y = engine.push(self._numbers(history, fed, stop))
        self._fed = stop
        if not _is_finite(y):
            self._refuse_engine()
            return None
        self._note_block(stop - due)
        y = np.ascontiguousarray(y if self._stride == 1 else y[..., due - fed :: self._stride])
        return self._biased(torch.from_numpy(y))

    def _note_block(self, n: int) -> None:
        """Remember whether chunks like the last one, of n samples, may take the short way."""
        whole = self._engine is not None and n == self._engine.layout.block
        self._block = n if whole and self.bias is None and self._stride == 1 else -1

    def _refuse_engine(self) -> None:
        """Something that is not finite has gone in: no engine before the last output that sees it."""
        self._engine, self._block, self._exact_from = None, -1, -(-self._fed // self._stride)

    def _start(self, layout: Layout, history: History, fed: int, phase: int) -> Partitioned | None:
        """An engine that has seen the samples before `fed`; None if some of those that count are not finite."""
        if not _is_finite(self._numbers(history, max(history.first, fed - self._span + 1), fed)):
            self._engine, self._exact_from = None, -(-fed // self._stride)
            return None
        if self._engine is None or self._engine.layout != layout:
            self._engine = self._new_engine(layout)
        past = self._numbers(history, max(history.first, fed - self._engine.reach), fed)
        if not _is_finite(past):
            past = np.where(np.isfinite(past), past, 0)  # older than anything that an output to come sees
        self._engine.load(past, phase)
        self._fed = fed
        return self._engine

    def _numbers(self, history: History, start: int, stop: int) -> np.ndarray:
        if self._x_dtype == self._dtype:
            return history.read_array(start, stop)
        return to_numpy(history.read(start, stop).to(self._dtype))

    def _new_engine(self, layout: Layout) -> Partitioned:
        """The kernel, with its dilation and in the order of mathematics, cut by `layout`."""
        w, g = self.w.to(self._dtype), self.setting.geometry
        stuffed = w.new_zeros((*w.shape[:-1], self._span))
        stuffed[..., :: g.dilation[-1]] = w
        return Partitioned(to_numpy(stuffed.flip(-1)), g.groups, layout)

    def _layout(self, n: int) -> Layout | None:
        """How to cut the kernel for n outputs at a time; None: by windows."""
        if not self._may_part or self.setting.partition == "none":
            return None
        if n not in self._layouts:
            if len(self._layouts) > 256:
                self._layouts.clear()
            self._layouts[n] = self._choose(n)
        best, engine = self._layouts[n], self._engine
        if best is None or engine is None or engine.layout == best:
            return best
        stays = self._seconds(engine.layout, n) <= 2 * self._seconds(best, n)  # to change costs a start
        return engine.layout if stays else best

    def _choose(self, n: int) -> Layout | None:
        kind, samples = self.setting.partition, n * self._stride
        if self.setting.grid is not None:
            block = samples
        else:
            most = min(LONGEST, 1 << (self._span - 1).bit_length())
            block = max(
                SHORTEST, min(most, samples if _is_smooth(samples) else 1 << (samples.bit_length() - 1))
            )
        layout = partition_layout(self._span, block, kind)
        if kind != "auto":
            return layout
        seconds = predicted_seconds(self._plan(n).work)
        return layout if self._seconds(layout, n) < min(seconds.values()) + WINDOW_S else None

    def _seconds(self, layout: Layout, n: int) -> float:
        batch, channels = self._lead[:2]
        products = batch * self.w.shape[0] * self.w.shape[1]
        return partition_seconds(layout, n * self._stride, batch * (channels + self.w.shape[0]), products)

    def _plan(self, n: int) -> Plan:
        """Of n outputs by a window."""
        g, size = self.setting.geometry, (n - 1) * self._stride + self._span
        return make_plan(
            (*self._lead, size), self.w.shape, self._dtype, g.stride, g.pads, self.setting.padding_mode,
            g.dilation, g.groups, self.setting.options["method"],
        )  # fmt: skip

    def _take_grid(self, long: Plan) -> None:
        """The blocks of an endless signal as the grid, their transforms, and the kernel's spectra."""
        x_shape, w_shape, g = long.work.x_shape, self.w.shape, long.geometry
        self._n_fft = fft_points("overlap_add", g, x_shape, w_shape, self._dtype.itemsize)
        parts, per = cut(g, w_shape[2:], x_shape[-1], self._n_fft)
        self.grid = per * max(2, -(-GRID // per), (parts - 1) * WORTH)
        if x_shape[0] * x_shape[1] * w_shape[0] > 1:  # a lone row takes its kernel through the same transforms
            self._spectra = kernel_spectra(self.w.to(self._dtype), g, x_shape[-1], self._n_fft)

    def _biased(self, y: torch.Tensor) -> torch.Tensor:
        return y if self.bias is None else y.add_(self.bias.reshape(-1, *(1,) * (y.ndim - 2)))


def _is_finite(a: np.ndarray) -> bool:
    """Whether the sum is, which is quicker to ask; False also for finite numbers too large to sum."""
    with np.errstate(all="ignore"):
        return math.isfinite(abs(a.sum()))


def _is_smooth(n: int) -> bool:
    """No prime factor above 7: as quick to transform as a power of two."""
    for factor in (2, 3, 5, 7):
        while n % factor == 0:
            n //= factor
    return n == 1
