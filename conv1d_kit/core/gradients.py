"""The direct sum in training: each gradient through FFT where torch's own kernel would take longer.

A gradient is a convolution of other shapes than the sum it belongs to: the weight's sums over all of a signal
for each of a few taps, which torch's kernels for depthwise layers, few channels and dilation take slowly.
"""

from __future__ import annotations

import torch

from .differentiable import input_gradient, inside_transform, weight_gradient
from .geometry import Geometry
from .kernels import direct
from .library import pads_well
from .padding import pad

__all__ = ["direct_in_training", "trains"]


def trains(x: torch.Tensor, w: torch.Tensor) -> bool:
    """Whether gradients of CPU tensors are wanted; torch's transforms and autocast keep torch's kernels."""
    if not torch.is_grad_enabled() or not (x.requires_grad or w.requires_grad):
        return False
    return x.is_cpu and not inside_transform(x, w) and not torch.is_autocast_enabled("cpu")


def direct_in_training(
    x: torch.Tensor, w: torch.Tensor, bias: torch.Tensor | None, g: Geometry, by_fft: tuple[bool, bool]
) -> torch.Tensor:
    """`kernels.direct` whose gradients for x and w go through FFT or torch's kernel.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, -1.0]]], requires_grad=True)
    >>> y = direct_in_training(x, w, None, Geometry((1,), ((0, 0),), (1,), 1), (True, True))
    >>> torch.autograd.grad(y.sum(), w)[0].round(decimals=4)
    tensor([[[3., 5.]]])
    """
    if any(low or high for low, high in g.pads) and not pads_well(x.shape, w.shape, g):
        x, g = pad(x, g.pads), g._replace(pads=((0, 0),) * len(g.pads))
    return _Direct.apply(x, w, bias, g, by_fft)


class _Direct(torch.autograd.Function):
    @staticmethod
    def forward(x, w, bias, g, by_fft):
        return direct(x, w, g, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, _, ctx.g, ctx.by_fft = inputs
        ctx.save_for_backward(x, w)

    @staticmethod
    def backward(ctx, gy):
        (x, w), g, wanted = ctx.saved_tensors, ctx.g, ctx.needs_input_grad
        gx = gw = None
        by_fft = [need and fft and _has_values(gy) for need, fft in zip(wanted[:2], ctx.by_fft, strict=True)]
        by_torch = [need and not fft for need, fft in zip(wanted[:2], by_fft, strict=True)]
        if any(by_torch):
            lows, nothing = [low for low, _ in g.pads], [0] * len(g.pads)
            gx, gw, _ = torch.ops.aten.convolution_backward(
                gy, x, w, None, g.stride, lows, g.dilation, False, nothing, g.groups, [*by_torch, False]
            )
        if by_fft[0]:
            gx = input_gradient(gy, w, g, tuple(x.shape[2:]))
        if by_fft[1]:
            gw = weight_gradient(gy, x, g, tuple(w.shape[2:]))
        gb = gy.sum((0, *range(2, gy.ndim))) if wanted[2] else None
        return gx, gw, gb, None, None


def _has_values(gy: torch.Tensor) -> bool:
    """False for many gradients at once, by `is_grads_batched` or torch.func.vmap."""
    return torch._C._dispatch_keys(gy).has(torch._C.DispatchKey.CPU)
