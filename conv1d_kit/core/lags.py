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
    channels, n_out, many = x.shape[1], gy.shape[1], gy.shape[1] // x.shape[1]
    if len(kernel) == 1:  # the batch is a first axis that one tap walks over
        gy, x = gy.transpose(0, 1)[None], x.transpose(0, 1)[None]
        g = Geometry((1, *g.stride), ((0, 0), *g.pads), (1, *g.dilation), g.groups)
    height, n_taps = (1, *kernel)[-2:]
    span = g.spans((height, n_taps))[1]
    per = outputs_a_product(span)
    width, most = (per - 1) * g.stride[1] + span, ROUND * 4 // max(4, x.itemsize)
    count = most // (height * many * per * width)
    if height > 1:  # few channels, and so the more lines that all taps of the first axis see
        count = min(count, most // ((width + per) * -(-gy.shape[3] // per) * x.shape[2]))
    count = max(2, count)  # as many products, that each thread has one
    gw = gy.new_empty((n_out, 1, height, n_taps))
    for first in range(0, channels, count):
        inputs = slice(first, first + count)
        outputs = slice(first * many, (first + count) * many)
        part = x[:, inputs]
        products = gy.new_zeros((height, part.shape[1], many * per, width))
        for of_y, of_x in zip(gy[:, outputs], part, strict=True):
            _add_products(products, of_y, of_x, g, per, most)
        shape, jumps = (height, part.shape[1], many, per, n_taps), products.stride()
        diagonals = products.as_strided(shape, (*jumps[:2], per * width, width + g.stride[1], g.dilation[1]))
        gw[outputs, 0] = diagonals.sum(3).permute(1, 2, 0, 3).flatten(0, 1)
    return gw.view(n_out, 1, *kernel)


def _add_products(
    products: torch.Tensor, gy: torch.Tensor, x: torch.Tensor, g: Geometry, per: int, most: int
) -> None:
    """m of every tap of the first axis [shape=(height, C, O/C · P, W)] grows by what one picture gives."""
    (height, channels, places, width), (stride_h, stride), (step_h, _) = products.shape, g.stride, g.dilation
    reach, span = (height - 1) * step_h + 1, width - (per - 1) * stride
    upright = Geometry((stride_h,), g.pads[:1], (step_h,), 1)
    for rows, at in _stretches(gy.shape[1], gy.shape[2], per, channels * (width + per), reach, stride_h, most):
        n_rows, count = rows.stop - rows.start, -(-(at.stop - at.start) // per)
        lines, above = upright.stretch(rows.start, rows.stop - 1, reach, x.shape[1])
        inside, sides = g.stretch(at.start, at.start + count * per - 1, span, x.shape[2])
        seen = pad(x[:, lines, inside], (above, sides))
        sizes, jumps = (*seen.shape[:2], count, width), seen.stride()
        windows = seen.as_strided(sizes, (*jumps[:2], per * stride * jumps[2], jumps[2])).contiguous()
        part = pad(gy[:, rows, at], ((0, count * per - (at.stop - at.start)),))
        part = part.reshape(channels, places // per, -1, per).transpose(2, 3).flatten(1, 2)
        for tap, product in enumerate(products):
            by = windows[:, tap * step_h : tap * step_h + (n_rows - 1) * stride_h + 1 : stride_h]
            product.baddbmm_(part, by.flatten(1, 2))


def _stretches(
    n_rows: int, size: int, per: int, a_block: int, reach: int, stride: int, most: int
) -> Iterator[tuple[slice, slice]]:
    """Rows and positions, P by P as far as they go, whose lines are `most` numbers; then what is left of rows.

    A row of outputs sees `reach` lines, its neighbour those `stride` further on: rows go together.
    """
    blocks, whole = size // per, size // per * per
    for length, last in ((blocks, False), (1, True)):
        if length == 0 or (last and whole == size):
            continue
        rows = (most // (a_block * length) - reach) // stride + 1
        some = length
        if rows < min(n_rows, reach):
            rows = min(n_rows, reach)
            some = max(1, most // (a_block * ((rows - 1) * stride + reach)))
        for row in range(0, n_rows, rows):
            here = slice(row, min(n_rows, row + rows))
            if last:
                yield here, slice(whole, size)
                continue
            for first in range(0, length, some):
                yield here, slice(first * per, min(length, first + some) * per)
