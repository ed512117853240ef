"""Convolutions in a stream: a tail of inputs, or, transposed, an overlap of outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch

from ..core.conv import conv, depthwise_conv
from ..core.padding import NAMED_PADDINGS, resolve_padding
from ..core.plan import per_axis
from ..core.transpose import conv_transpose
from ..errors import InputError
from ..layers import Conv1d, Conv2d, ConvTranspose1d
from .call import Call
from .frames import Form, Frames, State
from .window import Window, slide

__all__ = ["FUNCTIONS", "MODULES", "OverlapAdd"]


def conv_module(call: Call) -> Form:
    """torch.nn.Conv1d and Conv2d, and the kit's."""
    layer: Any = call.target
    options = {
        name: getattr(layer, name) for name in ("stride", "padding", "padding_mode", "dilation", "groups")
    }
    return _convolution(call, lambda: (layer.weight, layer.bias), options)


def conv_function(call: Call) -> Form:
    """`core.conv.conv` with weights that do not come with the stream."""
    options = call.bind_to(conv)
    options.pop("x")
    w, bias = options.pop("w"), options.pop("bias")
    if options["lengths"] is not None or options["nan"] == "omit":
        raise call.refuse("takes lengths or leaves NaN out", "leave these options away")
    return _convolution(call, lambda: (w, bias), options)


def depthwise_function(call: Call) -> Form:
    """`core.conv.depthwise_conv`: as many groups as channels."""
    options = call.bind_to(depthwise_conv)
    options.pop("x")
    w, bias = options.pop("w"), options.pop("bias")
    if options["lengths"] is not None or options["nan"] == "omit":
        raise call.refuse("takes lengths or leaves NaN out", "leave these options away")
    return _convolution(call, lambda: (w[:, None], bias), options | {"groups": len(w)})


def torch_conv(call: Call) -> Form:
    """torch.nn.functional.conv1d and conv2d."""
    options = call.bind(
        "input", "weight", ("bias", None), ("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)
    )
    options.pop("input")
    w, bias = options.pop("weight"), options.pop("bias")
    return _convolution(call, lambda: (w, bias), {**options, "padding_mode": "zeros"})


def transposed_module(call: Call) -> Form:
    """torch.nn.ConvTranspose1d, and the kit's."""
    layer: Any = call.target
    if len(call.args) > 1 or call.kwargs.get("output_size") is not None:
        raise call.refuse("asks for an output_size", "give the layer output_padding instead")
    options = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    return _transposed(call, lambda: (layer.weight, layer.bias), options, layer.padding, layer.output_padding)


def torch_transposed(call: Call) -> Form:
    """torch.nn.functional.conv_transpose1d."""
    options = call.bind(
        "input", "weight", ("bias", None), ("stride", 1), ("padding", 0), ("output_padding", 0), ("groups", 1),
        ("dilation", 1),
    )  # fmt: skip
    options.pop("input")
    w, bias = options.pop("weight"), options.pop("bias")
    padding, extra = options.pop("padding"), options.pop("output_padding")
    return _transposed(call, lambda: (w, bias), options, padding, extra)


def transposed_function(call: Call) -> Form:
    """`core.transpose.conv_transpose` over one axis."""
    options = call.bind_to(conv_transpose)
    options.pop("x")
    w, bias = options.pop("w"), options.pop("bias")
    if options.pop("output_size") is not None:
        raise call.refuse("asks for an output_size", "give output_padding instead")
    padding, extra = options.pop("padding"), options.pop("output_padding")
    return _transposed(call, lambda: (w, bias), options, padding, extra)


@dataclass
class OverlapAdd(Form):
    """Each input frame spreads `span` outputs, `stride` apart; the last of them wait for the frames to come.

    `run(xs)` gives the uncut sum of a chunk, (B, C, (n − 1)·stride + span).
    """

    span: int = 1
    stride: int = 1
    low: int = 0  # outputs cut off on the left
    cut: int = 0  # outputs cut off on the right, less those put on; may be negative
    hold: int = 0  # finished outputs that stay back because the flush may cut them off
    bias: Any = None  # function → tensor (C_out,) or None

    def start(self, xs: list[Any]) -> State:
        y = self.run([xs[0].new_zeros((*xs[0].shape[:-1], 1))])
        tail = y.new_zeros((*y.shape[:-1], self.hold + max(0, self.span - self.stride)))
        return {"tail": tail, "skip": self.hold + self.low, "heard": 0}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        (x,) = xs
        n, line = x.shape[-1], state["tail"]
        heard = state["heard"] + n
        if n:
            y = self.run([x])
            total = line.shape[-1] + n * self.stride
            line = torch.nn.functional.pad(line, (0, n * self.stride)) + torch.nn.functional.pad(
                y, (self.hold, total - self.hold - y.shape[-1])
            )
        ready = n * self.stride
        if last:
            if not heard:
                raise InputError(f"{self.label} must hear at least 1 frame, got 0; push more before flush")
            ready += self.hold + self.span - self.stride - self.cut
            line = torch.nn.functional.pad(line, (0, max(0, ready - line.shape[-1])))
        drop = min(state["skip"], ready)
        out = line[..., drop:ready]
        bias = self.bias()
        out = out if bias is None else out + bias[:, None]
        return out, {"tail": line[..., ready:].clone(), "skip": state["skip"] - drop, "heard": heard}


def _convolution(call: Call, weights: Any, options: dict[str, Any]) -> Window:
    w = weights()[0]
    n = w.ndim - 2
    x = call.frames(ndim=n + 2)
    stride, dilation = per_axis("stride", options["stride"], n), per_axis("dilation", options["dilation"], n)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    padding, mode = options.pop("padding"), options["padding_mode"]

    def sides(size: int) -> tuple[int, int]:
        """Pads along time of a signal of `size` frames."""
        if isinstance(padding, str) and padding in NAMED_PADDINGS:
            return NAMED_PADDINGS[padding](size, spans[-1], stride[-1])
        return resolve_padding(padding, [size] * n, spans, stride)[-1]

    kinds = [sides(stride[-1] + j) for j in range(stride[-1])]  # one for each rest of the length by the stride
    low = kinds[0][0]
    if any(other != low for other, _ in kinds):
        raise call.refuse(
            f"has padding {padding!r} with stride {stride[-1]}, which pads the start by the whole's length",
            "give padding in numbers, or padding='causal'",
        )
    highs = [high for _, high in kinds]
    if mode == "circular" and (low or max(highs)):
        raise call.refuse("has padding_mode 'circular', which copies the end to the start", "use zeros")

    def run(used: torch.Tensor, first: int, size: int | None) -> torch.Tensor:
        lead = resolve_padding(padding, used.shape[2:], spans, stride)[:-1] if n > 1 else ()
        return conv(used, *weights(), padding=(*lead, (0, 0)), **options)

    return slide(
        x, run, span=spans[-1], stride=stride[-1], low=low, high=lambda size: sides(size)[1], most=max(highs),
        least=min(highs), mode=mode,
    )  # fmt: skip


def _transposed(call: Call, weights: Any, options: dict[str, Any], padding: Any, extra: Any) -> OverlapAdd:
    w = weights()[0]
    if w.ndim != 3:
        raise call.refuse("spreads over more axes than time", "use ConvTranspose1d")
    x = call.frames(ndim=3)
    (stride,), (dilation,) = (
        per_axis("stride", options["stride"], 1),
        per_axis("dilation", options["dilation"], 1),
    )
    (low,), (put,) = per_axis("padding", padding, 1, least=0), per_axis("output_padding", extra, 1, least=0)
    span = (w.shape[-1] - 1) * dilation + 1
    cut = low - put
    hold = max(0, cut - (span - stride))
    out: Frames = replace(
        x,
        rate=x.rate / stride,
        ahead=x.ahead + Fraction(low + hold, stride) * x.rate,
        surplus=x.surplus * stride + hold + span - stride - cut,
    )
    return OverlapAdd(
        lambda xs: conv_transpose(xs[0], weights()[0], **options), out, _beyond(low + hold, stride), span=span,
        stride=stride, low=low, cut=cut, hold=hold, bias=lambda: weights()[1],
    )  # fmt: skip


def _beyond(cut: int, stride: int) -> int:
    """Input frames that an output cut by `cut` from the left waits for beyond its own."""
    return max((i + cut) // stride - i // stride for i in range(stride))


MODULES = {
    Conv1d: conv_module,
    Conv2d: conv_module,
    ConvTranspose1d: transposed_module,
    torch.nn.Conv1d: conv_module,
    torch.nn.Conv2d: conv_module,
    torch.nn.ConvTranspose1d: transposed_module,
}
FUNCTIONS = {
    conv: conv_function,
    conv_transpose: transposed_function,
    depthwise_conv: depthwise_function,
    torch.conv_transpose1d: torch_transposed,
    torch.conv1d: torch_conv,
    torch.conv2d: torch_conv,
}
