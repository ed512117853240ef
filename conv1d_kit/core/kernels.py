"""The ways to compute one convolution, a function each; METHODS at the bottom is what `method=` offers.

Each takes x (B, C, *spatial), w (O, C/groups, *kernel) of one dtype, and a Geometry, and returns
y (B, O, *out): cross-correlation. Every one obeys the same rules: dtype kept, integers exact, a NaN or Inf
reaches exactly the outputs whose window holds it.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch

from .array import new_result
from .blocked import blocked
from .cost import Work, direct_way, pads_reach_far
from .diagonals import ROUND, diagonals
from .differentiable import all_finite, inside_transform, is_plain, spectral_conv
from .few_taps import by_few_taps
from .geometry import Geometry
from .library import REALS, library, rows_here, with_zeros
from .padding import pad
from .spectral import forward_product
from .spectrum import fft_points
from .windows import ROUND as WINDOWS_ROUND
from .windows import by_windows

__all__ = ["METHODS", "direct", "fft", "overlap_add", "product_numbers", "shifted", "through_spectrum"]


def direct(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None) -> torch.Tensor:
    """The sum itself: torch's kernel, matrix products for one or few channels, shifted copies for integers."""
    if not (x.dtype.is_floating_point or x.dtype.is_complex) or x.ndim > 5:
        y = shifted(x, w, g)
        return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))
    lone = x.shape[1] == 1 == w.shape[0]
    if (lone or (x.is_cpu and x.dtype in REALS)) and is_plain(*((x, w) if bias is None else (x, w, bias))):
        work = Work(tuple(x.shape), tuple(w.shape), g, x.dtype.itemsize, True)
        way = direct_way(work)
        if way == "windows":
            return by_windows(x, w, g, bias)
        if way in ("toeplitz", "diagonals"):
            y = (blocked if way == "toeplitz" else diagonals)(x, w, g)
            if all_finite(y):
                return y if bias is None else y.add_(bias.reshape(-1, *(1,) * (y.ndim - 2)))
        rows, run = rows_here(work, x), library
        # what is not finite of w is not to meet the zeros of pads, which few taps take as numbers
        if x.is_cpu and (way == "few_taps" or pads_reach_far(work)) and all_finite(w):
            run = by_few_taps if way == "few_taps" else with_zeros
        if rows < len(x) and x.is_cpu:
            y = new_result(x, (len(x), len(w), *g.out_sizes(x.shape[2:], w.shape[2:])))
            for first in range(0, len(x), rows):
                y[first : first + rows] = run(x[first : first + rows], w, g, bias)
            return y
        return run(x, w, g, bias)
    return library(x, w, g, bias)


def product_numbers(x_shape: tuple[int, ...], w_shape: tuple[int, ...], g: Geometry, dtype: torch.dtype) -> int:
    """Numbers that the way of `direct` holds at a time beside x and y; 0 where it does without."""
    work = Work(x_shape, w_shape, g, dtype.itemsize, True)
    way = direct_way(work) if dtype in REALS else "torch"
    if way == "windows":
        positions = x_shape[0] * g.out_sizes(x_shape[2:], w_shape[2:])[0]
        return min(WINDOWS_ROUND, w_shape[2] * positions)
    if way == "few_taps":  # what a part sees of x, and its outputs
        return math.prod(x_shape) + x_shape[0] * w_shape[0] * g.out_sizes(x_shape[2:], w_shape[2:])[0]
    if way != "diagonals":
        return 0
    return min(ROUND, math.prod(w_shape) // w_shape[1] * x_shape[0] * x_shape[-1])


def shifted(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """One product a kernel tap, each on a strided view of x: exact for integers, wrapping as they do."""
    x = pad(x, g.pads)
    sizes = g._replace(pads=((0, 0),) * len(g.stride)).out_sizes(x.shape[2:], w.shape[2:])
    batch, channels, n_axes = x.shape[0], x.shape[1] // g.groups, len(sizes)
    xg = x.reshape(batch, g.groups, channels, *x.shape[2:])
    wg = w.reshape(g.groups, w.shape[0] // g.groups, channels, *w.shape[2:])
    y = x.new_zeros((batch, g.groups, wg.shape[1], *sizes))
    for tap in itertools.product(*(range(k) for k in w.shape[2:])):
        views = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation, sizes, g.stride, strict=True)
        )
        at: Any = (..., *views)
        here: Any = (..., *tap)
        window, weight = xg[at], wg[here]
        if channels == 1:
            y = y + window * weight.reshape(1, g.groups, -1, *(1,) * n_axes)
        else:
            y = y + torch.einsum("bgc...,goc->bgo...", window, weight)
    return y.reshape(batch, w.shape[0], *sizes)


def overlap_add(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """Blocks of the last axis through short FFTs; other axes tap by tap in the spectrum.

    The blocks overlap by what the kernel spans, and outputs that wrap round are left out (overlap-save): the
    same short FFTs as overlap-add, without its sums. Errors stay local: an output is disturbed only by what is
    loud within its block. Source: Stockham (1966), High-speed convolution and correlation, AFIPS.
    """
    return through_spectrum(x, w, g, "overlap_add")


def fft(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """One FFT over the whole last axis, at a fast length."""
    return through_spectrum(x, w, g, "fft")


def through_spectrum(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, method: str, spectra_w: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """By FFT blocks, exact where the direct sum is; `spectra_w` if w's are at hand."""
    dtype = x.dtype
    if dtype in (torch.float16, torch.bfloat16):
        return through_spectrum(x.float(), w.float(), g, method).to(dtype)
    if x.numel() == 0 or w.numel() == 0:
        return direct(x, w, g)
    if dtype.is_floating_point or dtype.is_complex:
        return spectral_conv(x, w, g, method, spectra_w)
    n_fft = fft_points(method, g, x.shape, w.shape, 8)
    if not exact_in_double(x, w, n_fft):
        return direct(x, w, g)
    return forward_product(x.double(), w.double(), g, n_fft).round().to(torch.int64).to(dtype)


def exact_in_double(x: torch.Tensor, w: torch.Tensor, n_fft: int) -> bool:
    """True if rounding a float64 FFT of these integers is sure to give the exact sums; False where unseen.

    |error| <= c·eps·log2(n_fft)·|x|₂·|w|₂ with c < 4 (Higham, Accuracy and Stability, thm 24.2); the norms here
    are of the whole input, a bound for each block's.
    """
    if torch.compiler.is_compiling() or x.is_meta or inside_transform(x, w):
        return False
    norms = float(x.double().norm()) * float(w.double().norm())
    return 4 * torch.finfo(torch.float64).eps * math.log2(2 * n_fft) * norms < 0.25


METHODS = {"direct": direct, "overlap_add": overlap_add, "fft": fft}
