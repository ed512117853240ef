"""What works on each frame alone runs in a stream as it is; branches of different delay wait for each other."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import InputError
from .call import Call
from .frames import Form, Frames, State, frames_of

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "Join", "pointwise"]

nn, functional = torch.nn, torch.nn.functional


@dataclass
class Join(Form):
    """Branches that meet: `run(xs)` gets as many frames of each as all have, and what is ahead waits."""

    axes: tuple[int | None, ...] = ()  # time's axis an input; None: not frames

    def start(self, xs: list[Any]) -> State:
        return {f"queue{i}": xs[i].clone() for i, axis in enumerate(self.axes) if axis is not None}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        lines, ready, rest = {}, list(xs), {}
        for i, axis in enumerate(self.axes):
            if axis is not None:
                waiting = state[f"queue{i}"]
                lines[i] = axis, torch.cat([waiting, xs[i]], axis) if waiting.shape[axis] else xs[i]
        counts = [line.shape[axis] for axis, line in lines.values()]
        n = min(counts)
        if last and max(counts) != n:
            raise InputError(
                f"{self.label} must get branches of one length, got a difference of {max(counts) - n}"
            )
        for i, (axis, line) in lines.items():
            ready[i] = frames_of(line, axis, 0, n)
            rest[f"queue{i}"] = frames_of(line, axis, n).clone()
        return self.run(ready), rest


def pointwise(call: Call) -> Form:
    """Any function of the numbers at one place; its constants are as long as 1 along time."""
    dims = _together(call)
    out = replace(_latest(call), ndim=dims, axis=dims + _from_end(call))
    return _form(call, out)


def dropout(call: Call) -> Form:
    """Nothing, in eval mode; as a function it must be told."""
    bound = call.bind("input", ("p", 0.5), ("training", True), ("inplace", False))
    if bound["training"]:
        raise call.refuse("drops at random", "call it with training=self.training")
    return pointwise(call)


def batch_norm(call: Call) -> Form:
    """Batch norm by the statistics it has learned."""
    if call.target.running_mean is None:
        raise call.refuse("takes its mean from the whole signal", "use track_running_stats=True")
    _first_input(call, 1)
    return pointwise(call)


def layer_norm(call: Call) -> Form:
    """Layer norm over axes other than time."""
    x = _first_input(call)
    if x.axis >= x.ndim - len(call.target.normalized_shape):
        raise call.refuse("takes its mean over time", "transpose so that it sees channels only")
    return pointwise(call)


def linear(call: Call) -> Form:
    """A dense layer on the last axis, which must be channels."""
    x = _first_input(call)
    if x.last():
        raise call.refuse(
            "mixes what stands on the last axis, which is time", "transpose, or use a Conv1d of 1 tap"
        )
    return pointwise(call)


def layer_norm_function(call: Call) -> Form:
    """torch.nn.functional.layer_norm over axes other than time."""
    x = _first_input(call)
    shape = call.bind("input", "normalized_shape", ("weight", None), ("bias", None), ("eps", 1e-5))[
        "normalized_shape"
    ]
    if x.axis >= x.ndim - len(shape):
        raise call.refuse("takes its mean over time", "transpose so that it sees channels only")
    return Form(call.run, x)


def linear_function(call: Call) -> Form:
    """torch.nn.functional.linear on channels."""
    x = _first_input(call)
    if x.last():
        raise call.refuse(
            "mixes what stands on the last axis, which is time", "transpose, or use a Conv1d of 1 tap"
        )
    return Form(call.run, x)


def channelwise(call: Call) -> Form:
    """PReLU: a weight a channel on axis 1."""
    _first_input(call, 1)
    return pointwise(call)


def embedding(call: Call) -> Form:
    """Ids to vectors, on a new last axis."""
    x = _first_input(call)
    return Form(call.run, replace(x, ndim=x.ndim + 1))


def along_module(call: Call) -> Form:
    """Softmax, LogSoftmax and GLU as modules: over an axis that is not time."""
    return _along(call, call.target.dim)


def along_function(call: Call) -> Form:
    """The same as functions and methods."""
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    return _along(call, -1 if dim is None and getattr(call.target, "__name__", call.target) == "glu" else dim)


def concatenate(call: Call) -> Form:
    """torch.cat over an axis that is not time."""
    bound = call.bind("tensors", ("dim", 0))
    return _stacked(call, bound["tensors"], bound["dim"], 0)


def stack(call: Call) -> Form:
    """torch.stack on a new axis."""
    bound = call.bind("tensors", ("dim", 0))
    return _stacked(call, bound["tensors"], bound["dim"], 1)


def matmul(call: Call) -> Form:
    """A constant matrix times the channels of each frame."""
    a, b = call.args[:2]
    if len(call.inputs) != 1:
        raise call.refuse("multiplies two streams", "use one constant matrix")
    if isinstance(b, Frames) and isinstance(a, torch.Tensor) and b.last() and b.ndim > 1:
        dims = max(a.ndim, b.ndim)
        return Form(call.run, replace(b, ndim=dims, axis=dims - 1))
    if isinstance(a, Frames) and isinstance(b, torch.Tensor) and not a.last():
        dims = max(a.ndim, b.ndim)
        return Form(call.run, replace(a, ndim=dims, axis=a.axis + dims - a.ndim))
    raise call.refuse("mixes frames", "put time on the axis that the matrix leaves alone")


def _form(call: Call, out: Frames) -> Form:
    """One stream in: no memory; several: they wait for each other."""
    if len(call.streams) == 1:
        return Form(call.run, out)
    return Join(call.run, out, axes=tuple(x.axis if isinstance(x, Frames) else None for x in call.inputs))


def _latest(call: Call) -> Frames:
    """What joined inputs are: as late as the latest."""
    frames = call.streams
    if len({x.rate for x in frames}) > 1:
        rates = " and ".join(str(x.rate) for x in frames)
        raise call.refuse(f"joins branches of {rates} samples a frame", "give both the same total stride")
    return replace(
        frames[0], ahead=max(x.ahead for x in frames), surplus=min(x.surplus for x in frames)
    )  # fmt: skip


def _from_end(call: Call) -> int:
    ends = {x.axis - x.ndim for x in call.streams}
    if len(ends) != 1:
        raise call.refuse("joins tensors with time on different axes", "transpose one of them")
    return ends.pop()


def _together(call: Call) -> int:
    """Axes after broadcasting; a constant must not have a length along time."""
    end = _from_end(call)
    dims = max(x.ndim for x in call.streams)
    for value in (*call.args, *call.kwargs.values()):
        if isinstance(value, torch.Tensor):
            dims = max(dims, value.ndim)
            if value.ndim >= -end and value.shape[end] != 1:
                raise call.refuse(
                    f"has a constant with {value.shape[end]} values along time", "use one of length 1 there"
                )
    return dims


def _first_input(call: Call, other_than: int | None = None) -> Frames:
    x = call.one()
    if x.axis == other_than:
        raise call.refuse(f"finds time on axis {x.axis}", "transpose before it")
    return x


def _along(call: Call, dim: int | None) -> Form:
    x = _first_input(call)
    if dim is None or dim % x.ndim == x.axis:
        raise call.refuse("takes all of time at once", "name another axis, as dim=1")
    return _form(call, x)


def _stacked(call: Call, tensors: Any, dim: int, new: int) -> Form:
    x = _latest(call)
    if not all(isinstance(t, Frames) for t in tensors):
        raise call.refuse("joins frames and constants", "cat what comes with the stream only")
    _from_end(call)
    dim %= x.ndim + new
    if not new and dim == x.axis:
        raise call.refuse("joins signals one behind the other in time", "cat along channels, dim=1")
    return _form(call, replace(x, ndim=x.ndim + new, axis=x.axis + (1 if new and dim <= x.axis else 0)))


NAMES = (  # noqa: SIM905
    "abs acos acosh add addcmul asin asinh atan atan2 atanh ceil celu clamp clip clone contiguous cos "
    "cosh detach div double elu eq erf exp exp2 expm1 float floor frac ge gelu gt half hardshrink "
    "hardsigmoid hardswish hardtanh heaviside hypot isfinite isinf isnan le leaky_relu lerp log log10 "
    "log1p log2 logaddexp logical_and logical_not logical_or logit logsigmoid lt masked_fill maximum "
    "minimum mish mul nan_to_num ne neg pow reciprocal relu relu6 remainder round rsqrt selu sgn sigmoid "
    "sign silu sin sinh softplus softshrink softsign sqrt square sub tan tanh tanhshrink threshold to "
    "true_divide trunc type_as where"
).split()
OPERATORS = (
    "abs", "add", "and_", "eq", "floordiv", "ge", "gt", "invert", "le", "lt", "mod", "mul", "ne", "neg", "or_",
    "pow", "sub", "truediv",
)  # fmt: skip
Row = Callable[[Call], Form]

MODULES: dict[type, Row] = {
    **dict.fromkeys(
        (
            nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
            nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid,
            nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.LogSigmoid, nn.Threshold, nn.Identity,
            nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout,
        ),
        pointwise,
    ),
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    nn.LayerNorm: layer_norm,
    nn.Linear: linear,
    nn.PReLU: channelwise,
    nn.Embedding: embedding,
    nn.Softmax: along_module,
    nn.LogSoftmax: along_module,
    nn.GLU: along_module,
}  # fmt: skip
FUNCTIONS: dict[Any, Row] = {
    **{getattr(home, name): pointwise for home in (torch, functional) for name in NAMES if hasattr(home, name)},
    **{getattr(operator, name): pointwise for name in OPERATORS},
    functional.dropout: dropout,
    functional.softmax: along_function,
    functional.log_softmax: along_function,
    functional.glu: along_function,
    functional.layer_norm: layer_norm_function,
    functional.linear: linear_function,
    torch.softmax: along_function,
    torch.log_softmax: along_function,
    torch.cat: concatenate,
    torch.concat: concatenate,
    torch.stack: stack,
    torch.matmul: matmul,
    operator.matmul: matmul,
}
METHODS: dict[str, Row] = {
    **{name: pointwise for name in NAMES if hasattr(torch.Tensor, name)},
    "softmax": along_function,
    "log_softmax": along_function,
    "matmul": matmul,
}
