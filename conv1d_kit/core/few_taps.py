"""The direct sum and the weight's gradient some taps at a time, as many as torch's quick kernels take.

    y = sum over parts p of  conv(x moved by p's first tap, p's taps)          gw = its parts side by side

Sums of more than `onednn.MOST_TAPS` taps, and gradients of more than `onednn.MOST_WEIGHT_TAPS`, are left to
slower kernels by oneDNN. Each part sees x from its own first tap on, so that nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .geometry import Geometry
from .library import library, library_gradients
from .onednn import MOST_TAPS, MOST_WEIGHT_TAPS
from .padding import pad
from .rounds import rounds

__all__ = ["by_few_taps", "weight_by_few_taps"]


def by_few_taps(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None, most: int = MOST_TAPS
) -> torch.Tensor:
    """y (B, O, L) from x (B, C, T), w (O, C/groups, K), floating; no derivatives.

    Examples
    --------
    >>> x, w = torch.arange(6.0)[None, None], torch.tensor([[[1.0, 10.0, 100.0]]])
    >>> by_few_taps(x, w, Geometry((2,), ((1, 1),), (1,), 1), most=2)
    tensor([[[100., 321., 543.]]])
    """
    line, flat = pad(x, g.pads), g._replace(pads=((0, 0),))
    (size,), y = g.out_sizes(x.shape[2:], w.shape[2:]), None
    for taps, part in _parts(line, w.shape[2], size, g, most):
        z = library(part, w[..., taps], flat, bias if y is None else None)
        y = z if y is None else y.add_(z)
    assert y is not None  # a kernel has a tap
    return y


def weight_by_few_taps(
    gy: torch.Tensor, x: torch.Tensor, w: torch.Tensor, g: Geometry, most: int = MOST_WEIGHT_TAPS
) -> torch.Tensor:
    """gw (O, C/groups, K) from gy (B, O, L); of w only the shape is asked. No derivatives.

    Examples
    --------
    >>> x, gy = torch.arange(6.0)[None, None], torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]])
    >>> weight_by_few_taps(gy, x, torch.zeros(1, 1, 3), Geometry((1,), ((0, 0),), (1,), 1), most=2)
    tensor([[[3210., 4321., 5432.]]])
    """
    (span,), gw = g.spans(w.shape[2:]), torch.zeros_like(w)
    stride, flat = g.stride[0], g._replace(pads=((0, 0),))
    a_position = gy.shape[1] + stride * x.shape[1]
    for rows, at in rounds(len(gy), gy.shape[2], a_position, least=2 * span // stride):
        inside, sides = g.stretch(at.start, at.stop - 1, span, x.shape[2])
        line, here = pad(x[rows, :, inside], (sides,)), gy[rows, :, at]
        for taps, part in _parts(line, w.shape[2], here.shape[2], flat, most):
            gw[..., taps] += library_gradients(here, part, w[..., taps], flat, (False, True))[1]
    return gw


def _parts(
    line: torch.Tensor, n_taps: int, size: int, g: Geometry, most: int
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Taps, about equally many a part, and what the outputs see of the line through them."""
    n_parts = -(-n_taps // most)
    for i in range(n_parts):
        taps = slice(i * n_taps // n_parts, (i + 1) * n_taps // n_parts)
        first, last = taps.start * g.dilation[0], (taps.stop - 1) * g.dilation[0]
        yield taps, line[..., first : last + (size - 1) * g.stride[0] + 1]
