"""Axes that move, come and go, and cuts along time: crops, pads, every n-th frame, the newest frame."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from .call import Call, RankError
from .frames import Detail, Form, Frames, Parts, Sizes, State, Summary, frames_of
from .window import slide

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "Crop", "Latest"]

nn, functional = torch.nn, torch.nn.functional


@dataclass
class Crop(Form):
    """x[..., left : −right]: frames dropped at the start, and held back for the end."""

    axis: int = -1
    left: int = 0
    right: int = 0
    hold: int = 0  # what must be held back, since fewer than `right` frames are sure to come with the flush

    def start(self, xs: list[Any]) -> State:
        return {"skip": self.left, "tail": self.run(xs).clone()}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        x = torch.cat([state["tail"], self.run(xs)], self.axis)
        ready = max(0, x.shape[self.axis] - (self.right if last else self.hold))
        drop = min(state["skip"], ready)
        new = {"skip": state["skip"] - drop, "tail": frames_of(x, self.axis, ready).clone()}
        return frames_of(x, self.axis, drop, ready), new


@dataclass
class Latest(Form):
    """x[..., −1]: the newest frame; NaN before there is one."""

    axis: int = -1

    def start(self, xs: list[Any]) -> State:
        x = self.run(xs)
        shape = [size for d, size in enumerate(x.shape) if d != self.axis]
        return {"latest": x.new_full(shape, torch.nan if x.dtype.is_floating_point else 0)}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        x = self.run(xs)
        latest = x.select(self.axis, -1).clone() if x.shape[self.axis] else state["latest"]
        return latest.clone(), {"latest": latest}  # what the caller gets is not what is remembered


def getitem(call: Call) -> Form:
    """Indexing of axes; of time by slices that a stream can follow, and by −1."""
    x, index = call.args
    if isinstance(x, Parts):
        return Form(call.run, x.frames)
    if isinstance(x, Sizes):
        if not isinstance(index, int) or index % x.frames.ndim == x.frames.axis:
            raise call.refuse("asks for the length of the whole", "write it with None, ... or flatten")
        return Form(call.run, Detail(x.frames.rate, x.frames.ahead))
    if not isinstance(x, Frames) or len(call.inputs) > 1:
        raise call.refuse("is indexed by what comes with the stream", "use constant indices")
    index = index if isinstance(index, tuple) else (index,)
    used = sum(entry is not None and entry is not Ellipsis for entry in index)
    if not all(entry is None or entry is Ellipsis or isinstance(entry, int | slice) for entry in index):
        raise call.refuse("is indexed by a list or tensor", "use ints and slices")
    rest = [slice(None)] * (x.ndim - used)
    place = next((i for i, entry in enumerate(index) if entry is Ellipsis), len(index))
    entries = [*index[:place], *rest, *index[place + 1 :]]
    old = new = 0
    time: Any = slice(None)
    for i, entry in enumerate(entries):
        if entry is None:
            new += 1
            continue
        if old == x.axis:
            axis, time, at = new, entry, i
        old, new = old + 1, new + (not isinstance(entry, int))
    entries[at] = slice(None)
    others = tuple(entries)

    def run(xs: list[Any]) -> torch.Tensor:
        return xs[0][others]

    out = replace(x, ndim=new + isinstance(time, int), axis=axis)
    if isinstance(time, int):
        if time != -1:
            raise call.refuse(f"takes frame {time}", "take the newest, -1, or pool")
        return Latest(run, Summary(x.rate, x.ahead), axis=axis)
    return _cut(call, run, out, time)


def moved(call: Call) -> Form:
    """transpose and swapaxes."""
    a = call.bind("input", "dim0", "dim1")
    x = call.one()
    order = list(range(x.ndim))
    i, j = a["dim0"] % x.ndim, a["dim1"] % x.ndim
    order[i], order[j] = order[j], order[i]
    return Form(call.run, replace(x, axis=order.index(x.axis)))


def permuted(call: Call) -> Form:
    """permute."""
    x = call.one()
    dims = call.kwargs.get("dims", call.args[1:])
    dims = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    if len(dims) != x.ndim:
        raise RankError(
            f"{call.label} must get {len(dims)} axes, got {x.ndim}; check the shape of the net's input"
        )
    return Form(call.run, replace(x, axis=[d % x.ndim for d in dims].index(x.axis)))


def unsqueezed(call: Call) -> Form:
    """unsqueeze."""
    x, dim = call.one(), call.bind("input", "dim")["dim"] % (call.one().ndim + 1)
    return Form(call.run, replace(x, ndim=x.ndim + 1, axis=x.axis + (dim <= x.axis)))


def squeezed(call: Call) -> Form:
    """squeeze of an axis by its number."""
    x, dim = call.one(), call.bind("input", ("dim", None))["dim"]
    if not isinstance(dim, int) or dim % x.ndim == x.axis:
        raise call.refuse("must name one axis that is not time", "as x.squeeze(1)")
    return Form(call.run, replace(x, ndim=x.ndim - 1, axis=x.axis - (dim % x.ndim < x.axis)))


def flattened(call: Call) -> Form:
    """flatten of axes that are not time."""
    a = call.bind("input", ("start_dim", 0), ("end_dim", -1))
    return _flat(call, a["start_dim"], a["end_dim"])


def flatten_module(call: Call) -> Form:
    """torch.nn.Flatten of axes that are not time."""
    return _flat(call, call.target.start_dim, call.target.end_dim)


def parts(call: Call) -> Form:
    """chunk, split and unbind along an axis that is not time."""
    name = call.target if isinstance(call.target, str) else call.target.__name__
    x = call.one()
    dim = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else 0)
    if name == "unbind":
        dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else 0)
    if dim % x.ndim == x.axis:
        raise call.refuse("cuts time into parts", "cut another axis, as dim=1")
    gone = name == "unbind"
    return Form(call.run, Parts(replace(x, ndim=x.ndim - gone, axis=x.axis - (gone and dim % x.ndim < x.axis))))


def attribute(call: Call) -> Form:
    """x.shape, x.dtype, x.device."""
    x, name = call.args
    if isinstance(x, Frames) and name == "shape":
        return Form(call.run, Sizes(x))
    if isinstance(x, Frames) and name in ("dtype", "device"):
        return Form(call.run, Detail(x.rate, x.ahead))
    if isinstance(x, Frames) and name == "mT":
        swapped = {x.ndim - 1: x.ndim - 2, x.ndim - 2: x.ndim - 1}
        return Form(call.run, replace(x, axis=swapped.get(x.axis, x.axis)))
    raise call.refuse(f"takes .{name} of frames", "use methods that name their axes")


def size(call: Call) -> Form:
    """x.size(0) and x.size()."""
    x = call.one()
    dim = call.bind("input", ("dim", None))["dim"]
    if dim is None:
        return Form(call.run, Sizes(x))
    if dim % x.ndim == x.axis:
        raise call.refuse("asks for the length of the whole", "write it with None, ... or flatten")
    return Form(call.run, Detail(x.rate, x.ahead))


def pad_function(call: Call) -> Form:
    """torch.nn.functional.pad."""
    a = call.bind("input", "pad", ("mode", "constant"), ("value", None))
    return _padded(call, tuple(a["pad"]), a["mode"], a["value"] or 0.0)


def repeated(call: Call) -> Form:
    """torch.nn.Upsample of time by a whole number, each frame as often."""
    m: Any = call.target
    x = call.frames(ndim=3)
    scale = m.scale_factor[0] if isinstance(m.scale_factor, tuple) else m.scale_factor
    if m.mode != "nearest" or scale is None or scale != int(scale) or scale < 1:
        raise call.refuse("mixes frames, or by no whole number", "use mode='nearest' and a whole scale_factor")
    n = int(scale)
    out = replace(x, rate=x.rate / n, surplus=x.surplus * n)
    return Form(lambda xs: xs[0].repeat_interleave(n, -1), out)


def pad_module(call: Call) -> Form:
    """torch.nn's pads of one axis."""
    m: Any = call.target
    mode = {"Const": "constant", "ZeroP": "constant", "Refle": "reflect", "Repli": "replicate"}[
        type(m).__name__[:5]
    ]
    return _padded(call, tuple(m.padding), mode, getattr(m, "value", 0.0))


def _flat(call: Call, start: int, end: int) -> Form:
    x = call.one()
    start, end = start % x.ndim, end % x.ndim
    if start <= x.axis <= end and start < end:
        raise call.refuse(
            "folds time into another axis", "flatten the other axes only, or pool over time first"
        )
    gone = end - start
    return Form(call.run, replace(x, ndim=x.ndim - gone, axis=x.axis - (gone if end < x.axis else 0)))


def _cut(call: Call, run: Callable[[list[Any]], Any], x: Frames, time: slice) -> Form:
    left, stop, step = time.start or 0, time.stop, time.step or 1
    if (left, stop, step) == (0, None, 1):
        return Form(run, x)
    whole = all(value is None or isinstance(value, int) for value in (time.start, stop, time.step))
    if not whole or left < 0 or step < 1 or (stop is not None and stop >= 0) or (step > 1 and stop is not None):
        raise call.refuse(
            f"cuts time by [{time.start}:{stop}:{time.step}], which counts from the other end",
            "cut [a:], [:-n] or [::k]",
        )
    if step > 1:
        if not x.last():
            raise call.refuse("strides over time on another axis than the last", "transpose before it")
        if left:
            raise call.refuse("cuts and strides at once", "cut in one step, [a:], and stride in another, [::k]")
        form = slide(x, lambda used, first, size: used[..., ::step], span=1, stride=step)
        form.before, form.may_be_empty = run, True
        return form
    right = -stop if stop is not None else 0
    hold = max(0, right - x.surplus)
    out = replace(x, ahead=x.ahead + (left + hold) * x.rate, surplus=max(0, x.surplus - right))
    return Crop(run, out, left + hold, axis=x.axis, left=left, right=right, hold=hold)


def _padded(call: Call, pads: tuple[int, ...], mode: str, value: float) -> Form:
    x = call.frames()
    if mode == "circular" or min(pads) < 0:
        raise call.refuse("pads by the other end, or by less than nothing", "pad zeros; crop by an index")
    lead = pads[2:]

    def run(used: torch.Tensor, first: int, size: int | None) -> torch.Tensor:
        return functional.pad(used, (0, 0, *lead), mode, value) if any(lead) else used.clone()

    form = slide(
        x, run, span=1, low=pads[0], high=pads[1], mode=value if mode == "constant" else mode
    )  # fmt: skip
    form.may_be_empty = True
    return form


Row = Callable[[Call], Form]
MODULES: dict[type, Row] = {
    nn.Flatten: flatten_module,
    nn.ConstantPad1d: pad_module,
    nn.ZeroPad1d: pad_module,
    nn.ReflectionPad1d: pad_module,
    nn.ReplicationPad1d: pad_module,
    nn.Upsample: repeated,
}
FUNCTIONS: dict[Any, Row] = {
    operator.getitem: getitem,
    getattr: attribute,
    functional.pad: pad_function,
    torch.transpose: moved,
    torch.swapaxes: moved,
    torch.permute: permuted,
    torch.unsqueeze: unsqueezed,
    torch.squeeze: squeezed,
    torch.flatten: flattened,
    torch.chunk: parts,
    torch.split: parts,
    torch.unbind: parts,
}
METHODS: dict[str, Row] = {
    "transpose": moved,
    "swapaxes": moved,
    "permute": permuted,
    "unsqueeze": unsqueezed,
    "squeeze": squeezed,
    "flatten": flattened,
    "chunk": parts,
    "split": parts,
    "unbind": parts,
    "size": size,
}
