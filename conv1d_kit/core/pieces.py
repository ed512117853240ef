"""A bound on memory: the output is computed in pieces, each small enough for what it needs beside it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..errors import InputError
from .geometry import Geometry
from .plan import Plan
from .spectral import round_elements
from .spectrum import fft_points

__all__ = ["conv_in_pieces", "extra_bytes"]

Run = Callable[[torch.Tensor, torch.Tensor, Geometry], torch.Tensor]


def conv_in_pieces(
    x: torch.Tensor, w: torch.Tensor, plan: Plan, max_bytes: int | None, run: Run
) -> torch.Tensor:
    """`run` over rows and stretches of the last axis so that each needs at most `max_bytes` beside x and y.

    Raises
    ------
    InputError
        If one output position of one row needs more; says how much.
    """
    g = plan.geometry
    if max_bytes is None:
        return run(x, w, g)
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise InputError(f"max_bytes must be an int >= 1, got {max_bytes!r}")
    if extra_bytes(plan.method, x, w, g, x.shape) <= max_bytes:
        return run(x, w, g)
    *lead, size = g.out_sizes(x.shape[2:], w.shape[2:])
    span, stride, (low, _) = g.spans(w.shape[2:])[-1], g.stride[-1], g.pads[-1]

    def needed(count: int) -> int:
        piece = (1, *x.shape[1:-1], (count - 1) * stride + span)
        return (
            extra_bytes(plan.method, x, w, g, piece) + x.element_size() * w.shape[0] * math.prod(lead) * count
        )

    if needed(1) > max_bytes:
        raise InputError(f"max_bytes must be at least {needed(1)} for this convolution, got {max_bytes}")
    count = 1
    while count < size and needed(min(size, count * 2)) <= max_bytes:
        count = min(size, count * 2)
    y = x.new_empty((x.shape[0], w.shape[0], *lead, size))
    for row in range(x.shape[0]):
        for first in range(0, size, count):
            last = min(size, first + count) - 1
            start, stop = first * stride - low, last * stride - low + span
            inside = x[row : row + 1, ..., max(0, start) : max(0, min(x.shape[-1], stop))]
            sides = (min(max(0, -start), stop - start), max(0, stop - max(start, x.shape[-1])))
            y[row : row + 1, ..., first : last + 1] = run(inside, w, g._replace(pads=(*g.pads[:-1], sides)))
    return y


def extra_bytes(method: str, x: torch.Tensor, w: torch.Tensor, g: Geometry, x_shape: tuple[int, ...]) -> int:
    """What a method needs beside its input and output, an upper estimate checked by a test."""
    padded = math.prod(x_shape[:2]) * math.prod(
        size + low + high for size, (low, high) in zip(x_shape[2:], g.pads, strict=True)
    )
    outputs = x_shape[0] * w.shape[0] * math.prod(g.out_sizes(x_shape[2:], w.shape[2:]))
    width = x.element_size()
    if method == "direct":
        if x.dtype in (torch.float32, torch.bfloat16, torch.float16):
            return width * (padded + 2 * outputs + 2 * w.numel()) + (
                1 << 16
            )  # copies in the library's own layout
        windows = (
            outputs // max(1, w.shape[0]) * math.prod(w.shape[1:]) * g.groups
        )  # float64, complex: every window
        return width * (padded + 3 * outputs + 2 * windows + 2 * w.numel()) + (1 << 16)
    width = max(width, 4) if x.dtype.is_floating_point or x.dtype.is_complex else 8
    n_fft = fft_points(method, g, w.shape[2:], x_shape[-1])
    kernels = math.prod(w.shape[:-1]) * 3 * n_fft
    converted = 2 * (padded + outputs) if width != x.element_size() else padded
    return width * (converted + kernels + 6 * round_elements(x_shape, w.shape, g, n_fft)) + (1 << 16)
