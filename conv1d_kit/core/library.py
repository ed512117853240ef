"""torch's own convolution kernels (oneDNN, cuDNN) behind this kit's geometry."""

from __future__ import annotations

import torch

from .geometry import Geometry
from .padding import pad

__all__ = ["library"]

NN = torch.nn.functional
FLAT = tuple(((0, 0),) * n for n in (1, 2, 3))


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
    run = (NN.conv1d, NN.conv2d, NN.conv3d)[x.ndim - 3]
    if g.pads == FLAT[x.ndim - 3]:
        return run(x, w, bias, g.stride, 0, g.dilation, g.groups)
    # torch pads one channel by itself up to ten times slower than a copy is made
    pads_well = x.shape[1] > 1 or (x.ndim > 3 and w.shape[0] > 1)
    is_even = x.numel() and all(low == high >= 0 for low, high in g.pads)
    if pads_well and is_even and not torch.compiler.is_exporting():
        return run(x, w, bias, g.stride, tuple(low for low, _ in g.pads), g.dilation, g.groups)
    return run(pad(x, g.pads), w, bias, g.stride, 0, g.dilation, g.groups)
