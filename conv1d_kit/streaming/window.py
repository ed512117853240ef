"""The stream of all that slides: convolutions, pools, pads and front-ends keep the tail they still need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..core.padding import pad
from ..errors import InputError
from .frames import Form, Frames, State

__all__ = ["COPIES", "Window", "slide"]

Computed = Callable[[torch.Tensor, int, "int | None"], torch.Tensor]


def slide(
    x: Frames,
    run: Computed,
    *,
    span: int,
    stride: int = 1,
    low: int = 0,
    high: int | Callable[[int], int] = 0,
    most: int | None = None,
    least: int | None = None,
    mode: Any = "zeros",
    counts: bool = False,
    ndim: int | None = None,
) -> Window:
    """The Window over the frames x, with what it makes of their rate and of how far they look ahead.

    Parameters
    ----------
    run : function (frames, first, size) → frames
        Computes the windows of frames along their last axis, without pads.
    span, stride, low : int (frames)
    high : int, or function of the signal's length (frames)
        Pad on the right; between `least` and `most`.
    mode : what stands in the pads
    counts : bool
        Whether `run` asks which window is the first.
    ndim : int, optional
        Axes of the output, where they differ from the input's.
    """
    fixed = high if isinstance(high, int) else None
    most = fixed if most is None else most
    least = fixed if least is None else least
    assert most is not None
    assert least is not None
    need = span - 1 - low  # frames beyond t · stride that window t reads
    if low and mode in COPIES:
        need = max(need, COPIES[mode](low) - 1)
    ndim = x.ndim if ndim is None else ndim
    out = replace(
        x,
        ndim=ndim,
        axis=ndim - 1,
        rate=x.rate * stride,
        ahead=x.ahead + need * x.rate,
        surplus=max(0, x.surplus + least) // stride,
    )
    return Window(
        run,
        out,
        max(0, need - stride + 1),
        span=span,
        stride=stride,
        low=low,
        high=(lambda size: fixed) if fixed is not None else high,  # type: ignore[arg-type]
        most=most,
        mode=mode if low or most else "zeros",
        counts=counts,
    )


@dataclass
class Window(Form):
    """Windows of `span` frames, `stride` apart, over the last axis between invented pads.

    `run(x, first, size)` computes the windows that fit x without any pad along time; the first of them is the
    stream's window number `first`, and `size` is the signal's length (frames) once it is known.
    """

    span: int = 1
    stride: int = 1
    low: int = 0
    high: Callable[[int], int] = lambda size: 0  # pads on the right, from the signal's length
    most: int = 0  # the largest that `high` may give
    mode: Any = "zeros"  # zeros, a number, or one of the modes below
    counts: bool = False  # whether `run` asks for `first`
    may_be_empty: bool = False  # whether a signal too short for one window gives none, instead of an error
    nothing: tuple[Any, torch.Tensor] | None = None  # the last kind of input → an output of no frames
    before: Callable[[list[Any]], torch.Tensor] = lambda xs: xs[0]  # frame by frame, ahead of the windows

    def start(self, xs: list[Any]) -> State:
        x = self.before(xs)
        state: State = {"heard": 0, "skip": 0}
        if self.counts:
            state["first"] = 0
        if self.mode in COPIES:
            state |= {"begun": int(self.low == 0), "edge": x.clone()}
            return state | {"tail": x.clone()}
        fill = 0.0 if self.mode == "zeros" else self.mode
        return state | {"tail": x.new_full((*x.shape[:-1], self.low), fill)}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        x = self.before(xs)
        new = dict(state)
        new["heard"] = heard = state["heard"] + x.shape[-1]
        line = torch.cat([state["tail"], x], -1) if state["tail"].shape[-1] else x
        if "edge" in state:
            edge = torch.cat([state["edge"], x], -1)
            keep = self.most + 1
            new["edge"] = edge[..., max(0, edge.shape[-1] - keep) :].clone()
            if not state["begun"]:
                if heard < COPIES[self.mode](self.low) and not last:
                    return self._nothing(line), new | {"tail": line.clone()}
                line = torch.cat([pad(line, ((self.low, 0),), self.mode)[..., : self.low], line], -1)
                new["begun"] = 1
        if last:
            high = self.high(heard)
            if heard + self.low + high < self.span and not self.may_be_empty:
                raise InputError(
                    f"{self.label} must hear at least {self.span - self.low - high} frames, got {heard}; "
                    "push more before flush"
                )
            if high and "edge" in state:
                edge = new["edge"]
                line = torch.cat([line, pad(edge, ((0, high),), self.mode)[..., edge.shape[-1] :]], -1)
            elif high:
                fill = 0.0 if self.mode == "zeros" else self.mode
                line = torch.cat([line, line.new_full((*line.shape[:-1], high), fill)], -1)
        skip = state["skip"]
        n = (line.shape[-1] - skip - self.span) // self.stride + 1
        if n <= 0:
            return self._nothing(line), new | {"tail": line.clone()}
        used = line[..., skip : skip + (n - 1) * self.stride + self.span]
        first = state.get("first", 0)
        if self.counts:
            new["first"] = first + n
        y = self.run(used, first, heard if last else None)
        # a stride beyond what has come is owed by the frames to come
        rest = skip + n * self.stride
        new["skip"] = max(0, rest - line.shape[-1])
        return y, new | {"tail": line[..., min(rest, line.shape[-1]) :].clone()}

    def _nothing(self, line: torch.Tensor) -> torch.Tensor:
        """No frames, of the shape and dtype of many; remembered, since it costs a window to find out."""
        key = (line.shape[:-1], line.dtype, line.device)
        if self.nothing is None or self.nothing[0] != key:
            empty = self.run(line.new_zeros((*line.shape[:-1], self.span)), 0, None)[..., :0]
            self.nothing = key, empty
        return self.nothing[1]


# the modes that copy the signal → how many frames must have come before `low` of them can be invented
COPIES: dict[Any, Callable[[int], int]] = {
    "replicate": lambda low: 1,
    "symmetric": lambda low: low,
    "reflect": lambda low: low + 1,
}
