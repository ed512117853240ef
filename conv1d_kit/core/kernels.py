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

from .geometry import Geometry
from .padding import pad
from .spectral import exact_in_double, forward_product, inside_transform, spectral_conv
from .spectrum import fft_points
from .terms import sum_with_non_finite

__all__ = ["METHODS", "direct", "fft", "library", "overlap_add", "shifted", "through_spectrum"]

NN = torch.nn.functional


def direct(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """The sum itself: torch's kernel where there is one, shifted copies for integers."""
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    return library(x, w, g) if inexact and x.shape[1] and x.ndim <= 5 else shifted(x, w, g)


def library(x: torch.Tensor, w: torch.Tensor, g: Geometry, bias: torch.Tensor | None = None) -> torch.Tensor:
    """torch's own kernel (oneDNN, cuDNN); floating and complex dtypes."""
    run = (NN.conv1d, NN.conv2d, NN.conv3d)[x.ndim - 3]
    if x.numel() and all(low == high for low, high in g.pads):
        return run(x, w, bias, g.stride, tuple(low for low, _ in g.pads), g.dilation, g.groups)
    return run(pad(x, g.pads), w, bias, g.stride, 0, g.dilation, g.groups)


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
    """Blocks of the last axis through short FFTs, their tails added; other axes tap by tap in the spectrum.

    Errors stay local: an output is disturbed only by what is loud within a block of it. Source: Stockham
    (1966), High-speed convolution and correlation, AFIPS.
    """
    return through_spectrum(x, w, g, fft_points("overlap_add", g, w.shape[2:], x.shape[-1]))


def fft(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """One FFT over the whole last axis, at a fast length."""
    return through_spectrum(x, w, g, fft_points("fft", g, w.shape[2:], x.shape[-1]))


def through_spectrum(
    x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int, spectra_w: torch.Tensor | None = None
) -> torch.Tensor:
    """Overlap-add by n_fft-point blocks, exact where the direct sum is; `spectra_w` if w's are at hand."""
    dtype = x.dtype
    if dtype in (torch.float16, torch.bfloat16):
        return through_spectrum(x.float(), w.float(), g, n_fft).to(dtype)
    if x.numel() == 0 or w.numel() == 0:
        return direct(x, w, g)
    if not (dtype.is_floating_point or dtype.is_complex):
        if not exact_in_double(x, w, n_fft):
            return direct(x, w, g)
        return forward_product(x.double(), w.double(), g, n_fft).round().to(torch.int64).to(dtype)
    y = spectral_conv(x, w, g, n_fft, spectra_w)
    if torch.compiler.is_compiling() or inside_transform(y) or _sum_is_finite(y):
        return y
    bad = ~torch.isfinite(x)
    if not bool(torch.isfinite(w).all()) or (dtype.is_complex and bool(bad.any())):
        return direct(x, w, g)
    if not bool(bad.any()):
        return y  # only the sum of finite outputs overflowed
    return sum_with_non_finite(x, w, lambda p, q: spectral_conv(p, q, g, n_fft))


def _sum_is_finite(y: torch.Tensor) -> bool:
    total = y.detach().sum().item()
    return math.isfinite(total.real) and math.isfinite(total.imag)


METHODS = {"direct": direct, "overlap_add": overlap_add, "fft": fft}
