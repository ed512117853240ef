"""torch's own convolution kernels (oneDNN, cuDNN) behind this kit's geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch._C._functorch import is_functorch_wrapped_tensor

from .array import new_result
from .cost import Work, direct_way, pads_reach_far, products_are_quicker, rows_at_once
from .geometry import Geometry
from .heap import is_heap_kept, settle
from .onednn import SMALL
from .padding import pad

__all__ = [
    "REALS",
    "WINDOWS",
    "library",
    "library_gradients",
    "pads_well",
    "pointwise",
    "rows_here",
    "straight_call",
    "window_bytes",
    "with_zeros",
]

NN = torch.nn.functional
REALS = (torch.float32, torch.float64)  # what the ways beside torch's kernels are for
WINDOWS = 1 << 25  # bytes of windows that may be laid out at a time
RUNS = (NN.conv1d, NN.conv2d, NN.conv3d)
SHORTEST_PRODUCT = 16  # positions below which a matrix product a row of the batch costs more than it saves
FLAT = tuple(((0, 0),) * n for n in (1, 2, 3))

settle()


def library(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None) -> torch.Tensor:
    """y (B, O, *out) from x (B, C, *spatial), w (O, C/groups, *kernel); floating and complex dtypes.

    Complex sums are four real ones: torch's three add real and imaginary parts, which loses the digits of the
    smaller and overflows early.
    """
    if not x.shape[1] or not w.shape[0]:
        sizes = g.out_sizes(x.shape[2:], w.shape[2:])
        y = x.new_zeros((x.shape[0], w.shape[0], *sizes)) + 0 * x.sum() * w.sum()  # part of the graph
        return y if bias is None else y + bias.reshape(-1, *(1,) * len(sizes))
    if x.is_complex():
        parts = torch.cat([x.real, x.imag])
        (rr, ir), (ri, ii) = (library(parts, part, g).chunk(2) for part in (w.real, w.imag))
        y = torch.complex(rr - ii, ri + ir)
        return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))
    exporting = torch.compiler.is_exporting()
    is_seen = (
        x.is_cpu and not exporting and not torch.compiler.is_compiling()
    )  # compiled code has its own kernels
    if is_seen and window_bytes(x.shape, w.shape, g, x.dtype) > WINDOWS:
        return _in_stretches(x, w, g, bias)
    run = (
        pointwise
        if is_seen and not torch.jit.is_tracing() and _is_pointwise(x.shape, w.shape, g, x.dtype)
        else RUNS[x.ndim - 3]
    )
    if g.pads == FLAT[x.ndim - 3]:
        return run(x, w, bias, g.stride, 0, g.dilation, g.groups)
    if x.numel() and pads_well(x.shape, w.shape, g) and not exporting:
        return run(x, w, bias, g.stride, tuple(low for low, _ in g.pads), g.dilation, g.groups)
    return run(pad(x, g.pads), w, bias, g.stride, 0, g.dilation, g.groups)


def with_zeros(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`library` with the pads of the last axis as numbers beside x."""
    return library(pad(x, g.pads[-1:]), w, g._replace(pads=(*g.pads[:-1], (0, 0))), bias)


def library_gradients(
    gy: torch.Tensor, x: torch.Tensor, w: torch.Tensor, g: Geometry, wanted: Sequence[bool]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of x and w by torch's kernels, None for what is not wanted; pads alike at both sides."""
    lows, nothing = [low for low, _ in g.pads], [0] * len(g.pads)
    return torch.ops.aten.convolution_backward(
        gy, x, w, None, g.stride, lows, g.dilation, False, nothing, g.groups, [*wanted, False]
    )[:2]


def pointwise(x, w, bias, stride, pads, dilation, groups) -> torch.Tensor:
    """conv1d, conv2d or conv3d (its arguments) with one tap: matrix products.

    On the CPU torch's kernels lay x out anew, save in float64 on pictures.

    Examples
    --------
    >>> pointwise(torch.ones(1, 2, 3), torch.tensor([[[1.0], [2.0]]]), None, (2,), (0,), (1,), 1)
    tensor([[[3., 3.]]])
    """
    run = RUNS[x.ndim - 3]
    if not x.is_cpu or torch.jit.is_tracing() or _trains_heavily(x, w):
        return run(x, w, bias, stride, pads, dilation, groups)
    if x.ndim > 3 and not x.is_contiguous():  # torch keeps the layout of pictures whose channels stand last
        return run(x, w, bias, stride, pads, dilation, groups)
    if any(step > 1 for step in stride):  # a product would lay it out more slowly
        x = x[(..., *(slice(None, None, step) for step in stride))].contiguous()
    sizes = x.shape[2:]
    n = math.prod(sizes)
    if n < SHORTEST_PRODUCT:
        if len(sizes) == 1 == n < len(x):
            return _shaped(NN.linear(x[:, :, 0], w[:, :, 0], bias), sizes)
        return run(x, w, bias, 1, pads, dilation, groups)
    x = x if len(sizes) == 1 else x.flatten(2)
    each = w.flatten(1).expand(len(x), -1, -1)
    y = torch.bmm(each, x) if bias is None else torch.baddbmm(bias[:, None], each, x)
    return y if len(sizes) == 1 else _shaped(y, sizes)


def _shaped(y: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """y (B, O, …) as (B, O, *sizes), which may be written to in place as no view may."""
    return torch.ops.aten._unsafe_view(y, (*y.shape[:2], *sizes))


def _trains_heavily(x: torch.Tensor, w: torch.Tensor) -> bool:
    """Whether a gradient of w for each row of the batch would be larger than x and y together."""
    (n_out, channels), n = w.shape[:2], math.prod(x.shape[2:])
    asked = torch.is_grad_enabled() and w.requires_grad and n > 1
    return asked and n_out * channels > n * (n_out + channels)


def _is_pointwise(x_shape: Sequence[int], w_shape: Sequence[int], g: Geometry, dtype: torch.dtype) -> bool:
    n = len(w_shape) - 2
    if dtype not in REALS or any(taps != 1 for taps in w_shape[2:]) or g.groups != 1 or g.pads != FLAT[n - 1]:
        return False
    if n > 1 and dtype == torch.float64:  # nothing is laid anew
        return False
    if n > 1:  # as one line
        (batch, channels, *sizes), line = x_shape, Geometry((1,), FLAT[0], (1,), 1)
        x_shape, w_shape, g = (batch, channels, math.prod(g.out_sizes(sizes, w_shape[2:]))), w_shape[:3], line
    return products_are_quicker(Work(tuple(x_shape), tuple(w_shape), g, dtype.itemsize, True))


def window_bytes(x_shape: Sequence[int], w_shape: Sequence[int], g: Geometry, dtype: torch.dtype) -> int:
    """Bytes of the windows that torch's kernel lays out side by side; 0 where oneDNN serves it."""
    padded = math.prod(x_shape[:2]) * math.prod(
        size + low + high for size, (low, high) in zip(x_shape[2:], g.pads, strict=True)
    )
    if dtype == torch.float32 and padded > SMALL:
        return 0
    positions = x_shape[0] * math.prod(g.out_sizes(x_shape[2:], w_shape[2:]))
    return dtype.itemsize * positions * math.prod(w_shape[1:])


def _in_stretches(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None) -> torch.Tensor:
    """The same a few rows or outputs at a time, so that their windows fit into WINDOWS bytes."""
    size = g.out_sizes(x.shape[2:], w.shape[2:])[-1]
    a_row = window_bytes((1, *x.shape[1:]), w.shape, g, torch.float64) * x.dtype.itemsize // 8
    rows = max(1, WINDOWS // max(1, a_row))
    count = size if a_row <= WINDOWS else max(1, size * WINDOWS // a_row)
    span, run = g.spans(w.shape[2:])[-1], RUNS[x.ndim - 3]
    y, found = None, []
    for row in range(0, len(x), rows):
        here, parts = slice(row, row + rows), []
        for first in range(0, size, count):
            inside, sides = g.stretch(first, min(size, first + count) - 1, span, x.shape[-1])
            part = pad(x[here, ..., inside], (*g.pads[:-1], sides))
            z = run(part, w, bias, g.stride, 0, g.dilation, g.groups)
            if z.requires_grad or not z.is_cpu or is_functorch_wrapped_tensor(z):
                parts.append(z)
                continue
            if y is None:
                y = new_result(z, (len(x), *z.shape[1:-1], size))
            y[here, ..., first : first + count] = z
        found += [torch.cat(parts, -1)] if parts else []
    return torch.cat(found) if y is None else y


def rows_here(work: Work, *tensors: torch.Tensor) -> int:
    """`cost.rows_at_once`; all rows where memory stays at hand, or oneDNN takes a layout as it is."""
    as_usual = is_heap_kept() or not all(t.is_contiguous() for t in tensors)
    return work.x_shape[0] if as_usual else rows_at_once(work)


def pads_well(x_shape: Sequence[int], w_shape: Sequence[int], g: Geometry) -> bool:
    """Whether torch's kernel takes these pads without loss: one channel costs it ten times a copy."""
    if any(low != high or low < 0 for low, high in g.pads):
        return False
    return x_shape[1] > 1 or (len(x_shape) > 3 and w_shape[0] > 1)


def straight_call(work: Work, dtype: torch.dtype) -> tuple[Callable[..., torch.Tensor], tuple[int, ...]] | None:
    """torch's kernel and the pads to hand it, for shapes on which `library` does just that; else None."""
    x_shape, w_shape, g = work.x_shape, work.w_shape, work.geometry
    n = len(x_shape) - 2
    if n > 3 or (g.pads != FLAT[n - 1] and not pads_well(x_shape, w_shape, g)):
        return None
    lone = x_shape[1] * w_shape[0] == 1
    is_product = (lone or dtype in REALS) and direct_way(work) != "torch"
    is_large = dtype == torch.float32 and rows_at_once(work) < x_shape[0]
    if is_product or is_large or pads_reach_far(work) or window_bytes(x_shape, w_shape, g, dtype) > WINDOWS:
        return None
    run = pointwise if _is_pointwise(x_shape, w_shape, g, dtype) else RUNS[n - 1]
    return run, tuple(low for low, _ in g.pads)
