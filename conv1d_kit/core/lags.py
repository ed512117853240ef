"""The weight's gradient of layers whose kernels see one channel each, as matrix products.

    gw[c, k] = sum_l gy[c, l] · x[c, l·stride + k·dilation − low]

Outputs l = i·P + j stand in rows i of P; beside a row its W = (P − 1)·stride + (K − 1)·dilation + 1 inputs. One
product a channel multiplies each place of a row with each of these inputs, summed over all rows:

    m[c, j, v] = sum_i gy[c, i·P + j] · x[c, i·P·stride + v − low]
    gw[c, k] = sum_j m[c, j, j·stride + k·dilation]

Of m the diagonals are wanted: W multiply-adds an output instead of K, but at the speed of matrix products;
torch's kernel takes more than three taps, or dilated ones, one by one. Each tap of a first axis has its own m.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .geometry import Geometry
from .padding import pad
from .rounds import rounds

__all__ = ["outputs_a_product", "weight_by_lags"]

ROUND = 1 << 20  # numbers of x laid out at a time


def outputs_a_product(span: int) -> int:
    """P: few, so that little beside the diagonals is computed; more where neighbours see much of the same.

    Examples
    --------
    >>> outputs_a_product(9), outputs_a_product(31), outputs_a_product(127)
    (8, 16, 32)
    """
    return 8 if span < 24 else 16 if span < 64 else 32


def weight_by_lags(gy: torch.Tensor, x: torch.Tensor, g: Geometry, kernel: tuple[int, ...]) -> torch.Tensor:
    """gw (O, 1, *kernel) from gy (B, O, *out) and x (B, groups, *spatial), one or two axes; no derivatives.

    What is not finite in gy meets the zeros beside x, too.

    Examples
    --------
    >>> x, gy = torch.arange(6.0)[None, None], torch.tensor([[[1.0, 10.0, 100.0, 1000.0]]])
    >>> weight_by_lags(gy, x, Geometry((1,), ((0, 0),), (1,), 1), (3,))
    tensor([[[3210., 4321., 5432.]]])
    """
    channels, n_out = x.shape[1], gy.shape[1]
    if len(kernel) == 1:  # the batch is a first axis that one tap walks over
        gy, x = gy.transpose(0, 1)[None], x.transpose(0, 1)[None]
        g = Geometry((1, *g.stride), ((0, 0), *g.pads), (1, *g.dilation), g.groups)
    height, n_taps = (1, *kernel)[-2:]
    (stride_h, stride), (step_h, step) = g.stride, g.dilation
    reach, span = g.spans((height, n_taps))
    per = outputs_a_product(span)
    width = (per - 1) * stride + span
    products = gy.new_zeros((height, channels, n_out // channels * per, width))
    for of_y, of_x in zip(gy, pad(x, (g.pads[0], (0, 0))), strict=True):
        for rows, at in _stretches(of_y.shape[1], of_y.shape[2], per, channels * (width + per)):
            n_rows, count = rows.stop - rows.start, -(-(at.stop - at.start) // per)
            inside, sides = g.stretch(at.start, at.start + count * per - 1, span, x.shape[-1])
            first = rows.start * stride_h
            seen = pad(of_x[:, first : first + (n_rows - 1) * stride_h + reach, inside], (sides,))
            sizes, jumps = (*seen.shape[:2], count, width), seen.stride()
            windows = seen.as_strided(sizes, (*jumps[:2], per * stride * jumps[2], jumps[2])).contiguous()
            part = pad(of_y[:, rows, at], ((0, count * per - (at.stop - at.start)),))
            part = part.reshape(channels, n_out // channels, -1, per).transpose(2, 3).flatten(1, 2)
            for tap, product in enumerate(products):
                lines = windows[:, tap * step_h : tap * step_h + (n_rows - 1) * stride_h + 1 : stride_h]
                product.baddbmm_(part, lines.flatten(1, 2))
    shape, jumps = (height, channels, n_out // channels, per, n_taps), products.stride()
    diagonals = products.as_strided(shape, (*jumps[:2], per * width, width + stride, step))
    return diagonals.sum(3).permute(1, 2, 0, 3).reshape(n_out, 1, *kernel)


def _stretches(n_rows: int, size: int, per: int, a_product: int) -> Iterator[tuple[slice, slice]]:
    """Rows and positions, P by P as far as they go; then what is left of all rows."""
    whole = size // per * per
    for rows, at in rounds(n_rows, size // per, a_product, ROUND):
        yield rows, slice(at.start * per, at.stop * per)
    if whole < size:
        for rows, _ in rounds(n_rows, 1, a_product, ROUND):
            yield rows, slice(whole, size)
