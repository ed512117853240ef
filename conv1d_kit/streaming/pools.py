"""Pools in a stream: windows of frames as they fill, and running maxima and means of all that was heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..core.pooling import POOLINGS, max_pool, mean_max_pool, mean_pool, pool
from .call import Call
from .frames import Form, Frames, State, Summary
from .window import Window, slide

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "Running"]

functional = torch.nn.functional


def max_pool_module(call: Call) -> Form:
    """torch.nn.MaxPool1d and MaxPool2d."""
    m: Any = call.target
    return _max_pool(call, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)


def max_pool_function(call: Call) -> Form:
    """torch.nn.functional.max_pool1d and max_pool2d."""
    a = call.bind("input", "kernel_size", ("stride", None), ("padding", 0), ("dilation", 1),
                  ("ceil_mode", False), ("return_indices", False))  # fmt: skip
    del a["input"]
    return _max_pool(call, *a.values())


def avg_pool_module(call: Call) -> Form:
    """torch.nn.AvgPool1d and AvgPool2d."""
    m: Any = call.target
    divisor = getattr(m, "divisor_override", None)
    return _avg_pool(call, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, divisor)


def avg_pool_function(call: Call) -> Form:
    """torch.nn.functional.avg_pool1d and avg_pool2d."""
    a = call.bind("input", "kernel_size", ("stride", None), ("padding", 0), ("ceil_mode", False),
                  ("count_include_pad", True), ("divisor_override", None))  # fmt: skip
    del a["input"]
    return _avg_pool(call, *a.values())


def adaptive_module(call: Call) -> Form:
    """AdaptiveAvgPool and AdaptiveMaxPool to one value."""
    return _adaptive(call, call.target.output_size, type(call.target).__name__)


def adaptive_function(call: Call) -> Form:
    """The same as functions."""
    a = call.bind("input", "output_size", ("return_indices", False))
    return _adaptive(call, a["output_size"], call.target.__name__)


def kit_pool(call: Call) -> Form:
    """`core.pooling.pool` and its three kinds, without lengths."""
    x = call.frames(ndim=3)
    a = call.bind_to(call.target)
    if a["lengths"] is not None:
        raise call.refuse("takes lengths", "every row of a stream is as long as what was pushed")
    names = {max_pool: "max", mean_pool: "mean", mean_max_pool: "mean_max"}
    kind = a["kind"] if call.target is pool else names[call.target]
    parts = kind.split("_")
    if kind not in POOLINGS or any(part not in REDUCTIONS for part in parts):
        raise call.refuse(f"has kind {kind!r}", "use max, mean or mean_max")
    return Running(lambda xs: xs[0], _summary(x), parts=tuple(parts), axis=x.axis, keepdim=False, nothing=0.0)


def reduction(call: Call) -> Form:
    """x.mean, x.amax, x.amin and x.sum: over time a running value, over other axes frame by frame."""
    name = call.target if isinstance(call.target, str) else call.target.__name__
    a = call.bind("input", ("dim", ()), ("keepdim", False), ("dtype", None))
    x = a["input"]
    if not isinstance(x, Frames) or a["dtype"] is not None:
        raise call.refuse("must be one tensor in its own dtype", "convert before the stream")
    dims = (a["dim"],) if isinstance(a["dim"], int) else tuple(a["dim"] or range(x.ndim))
    dims = tuple(sorted(d % x.ndim for d in dims))
    return _reduced(call, x, name.removeprefix("a"), dims, a["keepdim"])


@dataclass
class Running(Form):
    """Values over all frames heard: `run(xs)` gives the frames, `parts` name the rows of REDUCTIONS."""

    parts: tuple[str, ...] = ()
    axis: int = -1
    keepdim: bool = False
    nothing: float = torch.nan  # the value of no frames

    def start(self, xs: list[Any]) -> State:
        x = self.run(xs)
        shape = [size for d, size in enumerate(x.shape) if d != self.axis]
        state: State = {"frames": torch.zeros(1, dtype=torch.int64, device=x.device)}
        for part in self.parts:
            first, _, _ = REDUCTIONS[part]
            # a sum over an hour of frames keeps its digits in float64
            dtype = torch.float64 if first == 0 and x.dtype.is_floating_point else x.dtype
            state[part] = torch.full(shape, first, dtype=dtype, device=x.device)
        return state

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        x = self.run(xs)
        new: State = {"frames": state["frames"] + x.shape[self.axis]}
        out = []
        for part in self.parts:
            _, join, leave = REDUCTIONS[part]
            new[part] = join(state[part], x, self.axis) if x.shape[self.axis] else state[part]
            value = leave(new[part], new["frames"]).to(x.dtype)
            # a copy each: what the caller gets is not what is remembered
            out.append(value.clone() if part == "sum" else torch.where(new["frames"] > 0, value, self.nothing))
        y = torch.cat(out, 1) if len(out) > 1 else out[0]
        return y.unsqueeze(self.axis) if self.keepdim else y, new


def _summary(x: Frames) -> Summary:
    return Summary(x.rate, x.ahead)


def _reduced(call: Call, x: Frames, name: str, dims: tuple[int, ...], keepdim: bool) -> Form:
    others = tuple(d for d in dims if d != x.axis)
    kept = x.axis if keepdim else x.axis - sum(d < x.axis for d in others)

    def frame_by_frame(t: torch.Tensor) -> torch.Tensor:
        if not others:
            return t
        rule: Any = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax, "min": torch.amin}[name]
        return rule(t, dim=others, keepdim=keepdim)

    if x.axis not in dims:
        out = replace(x, ndim=x.ndim if keepdim else x.ndim - len(others), axis=kept)
        return Form(lambda xs: frame_by_frame(xs[0]), out)
    if 0 in others:
        raise call.refuse("mixes the rows of a batch", "name the axes to reduce, as dim=-1")
    return Running(
        lambda xs: frame_by_frame(xs[0]), _summary(x), parts=(name,), axis=kept, keepdim=keepdim
    )  # fmt: skip


def _adaptive(call: Call, size: Any, name: str) -> Form:
    n = 2 if name.lower().endswith("2d") else 1
    x = call.frames(ndim=n + 2)
    sizes = (size,) * n if isinstance(size, int) else tuple(size)
    if any(s != 1 for s in sizes) or call.kwargs.get("return_indices"):
        raise call.refuse(f"cuts the whole into {size} parts", "pool to 1, or use max_pool1d or avg_pool1d")
    return _reduced(call, x, "max" if "max" in name.lower() else "mean", tuple(range(2, n + 2)), True)


def _geometry(call: Call, *options: Any) -> tuple[Frames, list[tuple[int, ...]]]:
    """The input, and kernel, stride, padding, … with an entry an axis; a missing stride is the kernel."""
    name = call.target.__name__ if hasattr(call.target, "__name__") else type(call.target).__name__
    n = 2 if name.lower().endswith("2d") else 1
    x = call.frames(ndim=n + 2)
    kernel, stride, *rest = options
    stride = kernel if stride is None or stride == () or stride == [] else stride
    spread = []
    for option in (kernel, stride, *rest):
        entries = (option,) if isinstance(option, int) else tuple(option)
        spread.append(entries * n if len(entries) == 1 else entries)
    return x, spread


def _right(size: int, span: int, stride: int, padding: int) -> int:
    """What ceil_mode pads on the right: the last window starts in the signal or on its left pad."""
    count = -(-(size + 2 * padding - span) // stride) + 1
    if (count - 1) * stride >= size + padding:
        count -= 1
    return max(0, (count - 1) * stride + span - size - padding)


def _sides(span: int, stride: int, padding: int, ceil_mode: bool) -> dict[str, Any]:
    """The options of `slide` for a pool."""
    geometry = {"span": span, "stride": stride, "low": padding}
    if not ceil_mode:
        return geometry | {"high": padding}
    return geometry | {
        "high": lambda size: _right(size, span, stride, padding),
        "most": span + padding,
        "least": 0,
    }


def _max_pool(call: Call, kernel, stride, padding, dilation, ceil_mode: bool, return_indices: bool) -> Window:
    if return_indices:
        raise call.refuse("returns indices", "leave return_indices away")
    x, (kernel, stride, padding, dilation) = _geometry(call, kernel, stride, padding, dilation)
    pool_nd = functional.max_pool1d if x.ndim == 3 else functional.max_pool2d

    def run(used: torch.Tensor, first: int, size: int | None) -> torch.Tensor:
        return pool_nd(used, kernel, stride, (*padding[:-1], 0), dilation, ceil_mode)

    sides = _sides((kernel[-1] - 1) * dilation[-1] + 1, stride[-1], padding[-1], ceil_mode)
    return slide(x, run, mode=-torch.inf, **sides)


def _avg_pool(
    call: Call, kernel, stride, padding, ceil_mode: bool, include: bool, divisor: int | None
) -> Window:
    x, (kernel, stride, padding) = _geometry(call, kernel, stride, padding)
    k, s, p = kernel[-1], stride[-1], padding[-1]

    def run(used: torch.Tensor, first: int, size: int | None) -> torch.Tensor:
        lead = (*padding[:-1], 0)
        if x.ndim == 3:
            y = functional.avg_pool1d(used, kernel, stride, 0, ceil_mode)
        else:
            y = functional.avg_pool2d(used, kernel, stride, lead, ceil_mode, include, divisor)
        if divisor is not None or (include and size is None) or not (p or size is not None):
            return y
        # torch divides by what of the window lies in the signal, or in the signal and its pads
        start = (first + torch.arange(y.shape[-1], device=y.device)) * s - p
        stop = start + k
        if size is not None:
            stop = stop.clamp(max=size + p if include else size)
        count = stop - (start if include else start.clamp(min=0))
        return y * (k / count.double()).to(y.dtype)

    return slide(x, run, counts=ceil_mode or bool(p and not include), **_sides(k, s, p, ceil_mode))


Join = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
Leave = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# name → value of nothing, how frames join it, and what to show
REDUCTIONS: dict[str, tuple[float, Join, Leave]] = {
    "max": (-torch.inf, lambda old, x, axis: torch.maximum(old, x.amax(axis)), lambda value, n: value),
    "min": (torch.inf, lambda old, x, axis: torch.minimum(old, x.amin(axis)), lambda value, n: value),
    "sum": (0.0, lambda old, x, axis: old + x.to(old.dtype).sum(axis), lambda value, n: value),
    "mean": (0.0, lambda old, x, axis: old + x.to(old.dtype).sum(axis), lambda value, n: value / n),
}
MODULES = {
    torch.nn.MaxPool1d: max_pool_module,
    torch.nn.MaxPool2d: max_pool_module,
    torch.nn.AvgPool1d: avg_pool_module,
    torch.nn.AvgPool2d: avg_pool_module,
    torch.nn.AdaptiveAvgPool1d: adaptive_module,
    torch.nn.AdaptiveAvgPool2d: adaptive_module,
    torch.nn.AdaptiveMaxPool1d: adaptive_module,
    torch.nn.AdaptiveMaxPool2d: adaptive_module,
}
FUNCTIONS = {
    pool: kit_pool,
    max_pool: kit_pool,
    mean_pool: kit_pool,
    mean_max_pool: kit_pool,
    functional.max_pool1d: max_pool_function,
    functional.max_pool2d: max_pool_function,
    functional.avg_pool1d: avg_pool_function,
    functional.avg_pool2d: avg_pool_function,
    functional.adaptive_avg_pool1d: adaptive_function,
    functional.adaptive_avg_pool2d: adaptive_function,
    functional.adaptive_max_pool1d: adaptive_function,
    functional.adaptive_max_pool2d: adaptive_function,
    torch.mean: reduction,
    torch.amax: reduction,
    torch.amin: reduction,
    torch.sum: reduction,
}
METHODS = {"mean": reduction, "amax": reduction, "amin": reduction, "sum": reduction}
