"""The direct sum in training: each gradient another way where torch's own kernel would take longer.

A gradient is a convolution of other shapes than the sum it belongs to: the weight's sums over all of a signal
for each of a few taps, which torch's kernels for depthwise layers, few channels and dilation take slowly; the
input's spreads each output over what it saw, which they take slowly for one channel and long strides.
"""

from __future__ import annotations

import math

import torch

from .array import new_result
from .cost import Work, cheapest_method
from .diagonals import input_from_diagonals, weight_from_diagonals
from .differentiable import all_finite, input_gradient, is_seen, weight_gradient
from .few_taps import weight_by_few_taps
from .geometry import Geometry
from .kernels import METHODS, direct
from .lags import weight_by_lags
from .library import library_gradients, pads_well, rows_here
from .padding import pad
from .phases import spread_by_phases
from .rounds import rounds
from .spectral import as_convolution
from .windows import weight_by_windows

__all__ = ["direct_in_training", "trains"]


def trains(x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Whether gradients of CPU tensors are wanted; what traces or transforms keeps torch's kernels."""
    if not torch.is_grad_enabled() or not (x.requires_grad or w.requires_grad):
        return False
    return x.is_cpu and is_seen(*((x, w) if bias is None else (x, w, bias)))


def direct_in_training(
    x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None, g: Geometry, ways: tuple[str, str]
) -> torch.Tensor:
    """`kernels.direct` whose gradients for x and w come in the ways that `adjoint_cost.gradient_ways` names.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, -1.0]]], requires_grad=True)
    >>> y = direct_in_training(x, w, None, Geometry((1,), ((0, 0),), (1,), 1), ("phases", "fft"))
    >>> torch.autograd.grad(y.sum(), w)[0].round(decimals=4)
    tensor([[[3., 5.]]])
    """
    if any(low or high for low, high in g.pads) and not pads_well(x.shape, w.shape, g):
        x, g = pad(x, g.pads), g._replace(pads=((0, 0),) * len(g.pads))
    return _Direct.apply(x, w, bias, g, ways)


class _Direct(torch.autograd.Function):
    @staticmethod
    def forward(x, w, bias, g, ways):
        return direct(x, w, g, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, _, ctx.g, ctx.ways = inputs
        ctx.save_for_backward(x, w)

    @staticmethod
    def backward(ctx, gy):
        (x, w), g, wanted = ctx.saved_tensors, ctx.g, ctx.needs_input_grad
        gx = gw = None
        way_x, way_w = ctx.ways if _has_values(gy) else ("torch", "torch")
        if wanted[0] and way_x == "phases":
            gx = spread_by_phases(gy, w, g.stride[0], g.pads[0][0], x.shape[2], g.groups, _convolved)
        elif wanted[0] and way_x == "fft":
            gx = input_gradient(gy, w, g, tuple(x.shape[2:]))
        elif wanted[0] and way_x == "turned" and all_finite(w):
            gx = _turned(gy, w, g, tuple(x.shape[2:]))
        elif wanted[0] and way_x == "diagonals" and all_finite(w):
            gx = input_from_diagonals(gy, w, g, x.shape[2])
        if wanted[1] and way_w == "fft":
            gw = weight_gradient(gy, x, g, tuple(w.shape[2:]))
        elif wanted[1] and way_w == "diagonals":
            gw = _finite(weight_from_diagonals(gy, x, g, w.shape[2]))
        elif wanted[1] and not torch.is_grad_enabled():
            if way_w == "windows":
                gw = weight_by_windows(gy, x, g, w.shape[2])
            elif way_w == "few_taps":
                gw = _finite(weight_by_few_taps(gy, x, w, g))
            elif way_w == "lags":
                gw = _finite(weight_by_lags(gy, x, g, tuple(w.shape[2:])))
        by_torch = [wanted[0] and gx is None, wanted[1] and gw is None]
        if any(by_torch):
            found = _by_torch(gy, x, w, g, by_torch)
            gx, gw = found[0] if by_torch[0] else gx, found[1] if by_torch[1] else gw
        gb = gy.sum((0, *range(2, gy.ndim))) if wanted[2] else None
        return gx, gw, gb, None, None


def _finite(gw: torch.Tensor) -> torch.Tensor | None:
    """None, which leaves it to torch, where what is not finite may have met the zeros beside x."""
    return gw if all_finite(gw) else None


def _turned(gy: torch.Tensor, w: torch.Tensor, g: Geometry, sizes: tuple[int, ...]) -> torch.Tensor:
    """x's gradient where the stride is 1: the sum itself, of gy with zeros beside it and w turned round."""
    gy, turned, adjoint = as_convolution(gy, w, g, sizes)
    flat, span = g._replace(pads=((0, 0),) * len(sizes)), g.spans(w.shape[2:])[0]
    first = Geometry((1,), adjoint.pads[:1], g.dilation[:1], 1)
    a_position = max(gy.shape[1], len(turned)) * math.prod(sizes[1:])
    parts = list(rounds(len(gy), sizes[0], a_position, least=2 * span))

    def part(rows: slice, at: slice) -> torch.Tensor:
        inside, sides = first.stretch(at.start, at.stop - 1, span, gy.shape[2])
        return direct(pad(gy[rows, :, inside], (sides, *adjoint.pads[1:])), turned, flat)

    if len(parts) == 1 or torch.is_grad_enabled():
        return part(slice(None), slice(0, sizes[0]))
    gx = new_result(gy, (len(gy), len(turned), *sizes))
    for rows, at in parts:
        gx[rows, :, at] = part(rows, at)
    return gx


def _by_torch(gy, x, w, g: Geometry, wanted: list[bool]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Gradients of x and w by torch's kernels, some rows at a time where all would ask for fresh memory."""
    if torch.is_grad_enabled() or not _has_values(gy):
        return library_gradients(gy, x, w, g, wanted)
    rows = rows_here(Work(tuple(x.shape), tuple(w.shape), g, x.dtype.itemsize, True), x, gy)
    if rows >= len(x):
        return library_gradients(gy, x, w, g, wanted)
    gx = new_result(x, tuple(x.shape)) if wanted[0] else None
    gw = torch.zeros_like(w) if wanted[1] else None
    for first in range(0, len(x), rows):
        here = slice(first, first + rows)
        of_x, of_w = library_gradients(gy[here], x[here], w, g, wanted)
        if gx is not None:
            gx[here] = of_x
        if gw is not None:
            gw += of_w
    return gx, gw


def _convolved(x: torch.Tensor, w: torch.Tensor, pads: tuple[int, int], groups: int) -> torch.Tensor:
    g = Geometry((1,), (pads,), (1,), groups)
    method = cheapest_method(Work(tuple(x.shape), tuple(w.shape), g, x.dtype.itemsize, True))
    return METHODS[method](x, w, g)


def _has_values(gy: torch.Tensor) -> bool:
    """False for many gradients at once, by `is_grads_batched` or torch.func.vmap."""
    return torch._C._dispatch_keys(gy).has(torch._C.DispatchKey.CPU)
