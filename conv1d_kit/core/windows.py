"""The direct sum of one channel as a matrix product of its windows, laid out side by side a few at a time.

    y[o, l] = sum_k w[o, k] · u[l, k]                u[l, k] = x[l·stride + k·dilation − low]
    gw[o, k] = sum_l gy[o, l] · u[l, k]

Kernels made for many channels fill their lanes with nothing where there is one. What laying windows out costs
is shared by all output channels, and a stride makes it less.
"""

from __future__ import annotations

import torch

from .array import new_result
from .geometry import Geometry
from .padding import pad
from .rounds import rounds

__all__ = ["ROUND", "by_windows", "weight_by_windows"]

ROUND = 1 << 19  # numbers laid out at a time


def by_windows(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None) -> torch.Tensor:
    """y (B, O, L) from x (B, 1, T), w (O, 1, K), floating; no derivatives.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.tensor([[[1.0, 10.0]], [[1.0, -1.0]]])
    >>> by_windows(x, w, Geometry((2,), ((0, 0),), (1,), 1))
    tensor([[[21., 43.],
             [-1., -1.]]])
    """
    matrix, u = w[:, 0], _windows(x, w.shape[2], g)
    y = new_result(x, (len(x), len(w), u.shape[1]))
    for rows, at in rounds(len(u), u.shape[1], u.shape[2], ROUND):
        part, out = u[rows, at].contiguous(), y[rows, :, at]
        if len(part) > 1:
            torch.bmm(matrix.expand(len(part), -1, -1), part.transpose(1, 2), out=out)
        else:
            torch.mm(matrix, part[0].T, out=out[0])
    return y if bias is None else y.add_(bias[:, None])


def weight_by_windows(gy: torch.Tensor, x: torch.Tensor, g: Geometry, n_taps: int) -> torch.Tensor:
    """gw (O, 1, K) from gy (B, O, L); no derivatives."""
    u, gw = _windows(x, n_taps, g), gy.new_zeros(gy.shape[1], n_taps)
    for rows, at in rounds(len(u), u.shape[1], u.shape[2], ROUND):
        for one, of in zip(gy[rows, :, at], u[rows, at].contiguous(), strict=True):
            gw.addmm_(one, of)
    return gw[:, None]


def _windows(x: torch.Tensor, n_taps: int, g: Geometry) -> torch.Tensor:
    """u (B, L, K), nothing laid out."""
    line = pad(x, g.pads)[:, 0]
    (stride,), (step,), (size,) = g.stride, g.dilation, g.out_sizes(x.shape[2:], (n_taps,))
    return line.as_strided(
        (len(line), size, n_taps), (line.stride(0), stride * line.stride(1), step * line.stride(1))
    )
