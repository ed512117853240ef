"""The direct sum with few output channels: one matrix product, then sums along diagonals.

    z[o, k, t] = sum_c w[o, c, k] · x[c, t]                    a matrix of O·K rows times x
    y[o, l] = sum_k z[o, k, l·stride + k·dilation − low]

Kernels made for many output channels work on sixteen or more at a time, however few there are; here the rows of
the product are channels and taps together. So it is for the gradients, with stride 1:

    u[o, k, t] = gy[o, t + low − k·dilation]                   copies of gy, each moved by a tap
    gx[c, t] = sum_o,k w[o, c, k] · u[o, k, t]                 gw[o, c, k] = sum_t x[c, t] · u[o, k, t]
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .array import new_result
from .geometry import Geometry

__all__ = ["ROUND", "diagonals", "input_from_diagonals", "weight_from_diagonals"]

ROUND = 1 << 20  # numbers of z at a time: memory that is used again, and enough rows for every thread


def diagonals(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """y (B, O, L) from x (B, C, T), w (O, C/groups, K), floating.

    A NaN or Inf of x reaches the outputs whose window holds it; one of w may meet the zeros of the pads.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]]), torch.tensor([[[1.0, 10.0], [0.5, 0.25]]])
    >>> diagonals(x, w, Geometry((1,), ((1, 0),), (1,), 1))
    tensor([[[10.0000, 21.2500, 32.5000]]])
    """
    (n_out, per, n_taps), (size,) = w.shape, g.out_sizes(x.shape[2:], w.shape[2:])
    (stride,), (step,), (span,) = g.stride, g.dilation, g.spans(w.shape[2:])
    matrix = _matrix(w, g)
    channels, n_rows = x.unflatten(1, (g.groups, per)), n_out * n_taps
    count = max(1, min(size, (ROUND // n_rows - span) // stride + 1))
    rows = max(1, ROUND // (n_rows * ((count - 1) * stride + span)))
    y = new_result(x, (len(x), n_out, size))
    for first in range(0, size, count):
        last = min(size, first + count) - 1
        inside, sides = g.stretch(first, last, span, x.shape[-1])
        for row in range(0, len(x), rows):
            part = channels[row : row + rows, ..., inside]
            before = any(sides) and per * g.groups < n_rows  # zeros beside what has fewer rows
            part = torch.nn.functional.pad(part, sides) if before else part
            # (B, G, O/G · K, t); a product alone is shared by the threads, of several each has its own
            z = (matrix[0] @ part[0, 0])[None, None] if part.shape[:2] == (1, 1) else matrix @ part
            z = torch.nn.functional.pad(z, sides) if any(sides) and not before else z
            t = z.shape[-1]
            lines = z.as_strided(
                (len(z), n_out, n_taps, last - first + 1), (n_rows * t, n_taps * t, t + step, stride)
            )
            torch.sum(lines, 2, out=y[row : row + rows, :, first : last + 1])
    return y


def input_from_diagonals(gy: torch.Tensor, w: torch.Tensor, g: Geometry, size: int) -> torch.Tensor:
    """gx (B, C, size), differentiable; what is not finite in w reaches beyond its outputs at the ends."""
    matrix = _matrix(w, g).transpose(1, 2)  # (G, C/G, O/G · K)
    parts = [(matrix @ u).flatten(1, 2) for _, u in _moved(gy, g, w.shape[2], size)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def weight_from_diagonals(gy: torch.Tensor, x: torch.Tensor, g: Geometry, n_taps: int) -> torch.Tensor:
    """gw (O, C/groups, K), differentiable; what is not finite in x reaches beyond its taps at the ends."""
    channels = x.unflatten(1, (g.groups, -1))
    total = sum((channels[..., at] @ u.transpose(2, 3)).sum(0) for at, u in _moved(gy, g, n_taps, x.shape[-1]))
    return total.transpose(1, 2).unflatten(1, (-1, n_taps)).transpose(2, 3).flatten(0, 1)


def _matrix(w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """w (O, C/G, K) as (G, O/G · K, C/G)."""
    return w.unflatten(0, (g.groups, -1)).transpose(2, 3).flatten(1, 2)


def _moved(gy: torch.Tensor, g: Geometry, n_taps: int, size: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Stretches of t and u (B, G, O/G · K, t) there."""
    (step,), ((low, _),) = g.dilation, g.pads
    reach = (n_taps - 1) * step
    line = torch.nn.functional.pad(
        gy, (reach - low, size + low - gy.shape[-1])
    )  # line[i] = gy[i + low − reach]
    count = max(1, ROUND // max(1, len(gy) * gy.shape[1] * n_taps))
    for first in range(0, size, count):
        here = min(count, size - first)
        windows = line[..., first : first + here + reach].unfold(-1, here, step)  # (B, O, K, t), last tap first
        yield slice(first, first + here), windows.flip(2).unflatten(1, (g.groups, -1)).flatten(2, 3)
