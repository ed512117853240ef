"""The ways to compute one convolution, a function each; METHODS at the bottom is what `method=` offers.

Each takes x (B, C, *spatial), w (O, C/groups, *kernel) of one dtype, and a Geometry whose pads are zeros, and
returns y (B, O, *out), out = (spatial + low + high − (K−1)·dilation − 1) // stride + 1: cross-correlation.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch

from .padding import Pads, pad
from .spectrum import fast_length, overlap_add_length

__all__ = ["METHODS", "Geometry", "direct", "fft", "library", "overlap_add", "shifted"]

NN = torch.nn.functional


class Geometry(NamedTuple):
    """One entry a spatial axis, and the number of channel groups."""

    stride: tuple[int, ...]
    pads: Pads
    dilation: tuple[int, ...]
    groups: int

    def spans(self, w: torch.Tensor) -> tuple[int, ...]:
        """Length of the kernel with its dilation, a spatial axis each."""
        return tuple((k - 1) * d + 1 for k, d in zip(w.shape[2:], self.dilation, strict=True))

    def out_sizes(self, x: torch.Tensor, w: torch.Tensor) -> tuple[int, ...]:
        """Length of the output, a spatial axis each; at most 0 where the kernel does not fit."""
        axes = zip(x.shape[2:], self.pads, self.spans(w), self.stride, strict=True)
        return tuple((size + low + high - span) // stride + 1 for size, (low, high), span, stride in axes)


def direct(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """The sum itself: torch's kernel where there is one, shifted copies for integers and bool."""
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
    sizes = Geometry(g.stride, ((0, 0),) * len(g.stride), g.dilation, g.groups).out_sizes(x, w)
    batch, channels, n_axes = x.shape[0], x.shape[1] // g.groups, len(sizes)
    xg = x.reshape(batch, g.groups, channels, *x.shape[2:])
    wg = w.reshape(g.groups, w.shape[0] // g.groups, channels, *w.shape[2:])  # (G, O/G, C/G, *K)
    y = x.new_zeros((batch, g.groups, wg.shape[1], *sizes))
    for tap in itertools.product(*(range(k) for k in w.shape[2:])):
        views = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation, sizes, g.stride, strict=True)
        )
        window, weight = xg[(..., *views)], wg[(..., *tap)]
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
    span = g.spans(w)[-1]
    return _spectral(x, w, g, overlap_add_length(span, x.shape[-1]))


def fft(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> torch.Tensor:
    """One FFT over the whole last axis, at a fast length."""
    return _spectral(x, w, g, fast_length(x.shape[-1] + g.spans(w)[-1] - 1))


def _spectral(x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int) -> torch.Tensor:
    """Overlap-add with n_fft-point blocks; one block that holds everything is the plain FFT method."""
    dtype = x.dtype
    if dtype in (torch.float16, torch.bfloat16):
        return _spectral(x.float(), w.float(), g, n_fft).to(dtype)
    if x.numel() == 0 or w.numel() == 0:
        return direct(x, w, g)
    if not (dtype.is_floating_point or dtype.is_complex):
        if not _exact_in_double(x, w, n_fft):
            return direct(x, w, g)
        return _overlap_add_blocks(x.double(), w.double(), g, n_fft).round().to(torch.int64).to(dtype)
    if torch.compiler.is_compiling():
        return _overlap_add_blocks(x, w, g, n_fft)
    if not bool(torch.isfinite(w).all()):
        return direct(x, w, g)
    y = _overlap_add_blocks(x, w, g, n_fft)
    if bool(torch.isfinite(y.detach().sum())):
        return y
    bad = ~torch.isfinite(x)
    if not bool(bad.any()):
        return y  # only the sum of finite outputs overflowed
    if dtype.is_complex:
        return direct(x, w, g)
    return _mark_non_finite(
        _overlap_add_blocks(x.masked_fill(bad, 0), w, g, n_fft), x.detach(), w.detach(), g, n_fft
    )


def _exact_in_double(x: torch.Tensor, w: torch.Tensor, n_fft: int) -> bool:
    """True if rounding a float64 FFT of these integers is sure to give the exact sums.

    |error| <= c·eps·log2(n_fft)·|x|₂·|w|₂ with c < 4 (Higham, Accuracy and Stability, thm 24.2); the norms here
    are of the whole input, a bound for each block's.
    """
    norms = float(x.double().norm()) * float(w.double().norm())
    return 4 * torch.finfo(torch.float64).eps * math.log2(2 * n_fft) * norms < 0.25


def _overlap_add_blocks(x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int) -> torch.Tensor:
    *lead_sizes, size = g.out_sizes(x, w)
    x = pad(x, (*g.pads[:-1], (0, 0)))
    low, dilation, span = g.pads[-1][0], g.dilation[-1], g.spans(w)[-1]
    kernel = w.flip(-1)  # correlation with w = convolution with its flip
    if dilation > 1:
        kernel = torch.cat([kernel[..., None], kernel.new_zeros(*w.shape, dilation - 1)], -1).flatten(-2)[
            ..., :span
        ]
    hop = n_fft - span + 1
    n_blocks = -(-x.shape[-1] // hop)
    blocks = pad(x, ((0, n_blocks * hop - x.shape[-1]),)).unflatten(-1, (n_blocks, hop))
    forward, inverse = (torch.fft.fft, torch.fft.ifft) if x.is_complex() else (torch.fft.rfft, torch.fft.irfft)
    spectra, kernel_spectra = forward(blocks, n_fft), forward(kernel, n_fft)
    total: torch.Tensor | None = None
    for tap in itertools.product(*(range(k) for k in w.shape[2:-1])):
        views = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, g.dilation[:-1], lead_sizes, g.stride[:-1], strict=True)
        )
        part = _mix_channels(
            spectra[(slice(None), slice(None), *views)], kernel_spectra[(..., *tap, slice(None))], g.groups
        )
        total = part if total is None else total + part
    assert total is not None  # a kernel has at least one tap
    y = inverse(total, n_fft)  # (B, O, *lead, n_blocks, n_fft)
    if n_blocks > 1:
        head, tail = y[..., :hop], y[..., hop:]  # a tail, span − 1 <= hop long, falls into the next block
        overlapped = head[..., 1:, : span - 1] + tail[..., :-1, :]
        later = torch.cat([overlapped, head[..., 1:, span - 1 :]], -1)
        y = torch.cat([head[..., 0, :], later.flatten(-2), tail[..., -1, :]], -1)
    else:
        y = y[..., 0, :]
    # y[n] is the full convolution; output j of the padded signal is y[span − 1 − low + j·stride]
    start, stride = span - 1 - low, g.stride[-1]
    last = start + (size - 1) * stride
    if start < 0 or last >= y.shape[-1]:
        y = pad(y, ((max(0, -start), max(0, last + 1 - y.shape[-1])),))
        start = max(0, start)
    return y[..., start : start + (size - 1) * stride + 1 : stride]


def _mix_channels(x: torch.Tensor, w: torch.Tensor, groups: int) -> torch.Tensor:
    """Products in the spectrum: x (B, C, *lead, N, F), w (O, C/groups, F) → (B, O, *lead, N, F)."""
    batch, channels, *middle, n_freq = x.shape
    per_group = channels // groups
    if per_group == 1:
        n_out = w.shape[0] // groups
        weights = w.reshape(1, groups, n_out, *(1,) * len(middle), n_freq)
        return (x.unsqueeze(2) * weights).flatten(1, 2)
    xf = x.reshape(batch, groups, per_group, -1, n_freq).permute(4, 1, 2, 0, 3).flatten(3)  # (F, G, C/G, B·N)
    wf = w.reshape(groups, -1, per_group, n_freq).permute(3, 0, 1, 2)  # (F, G, O/G, C/G)
    y = torch.matmul(wf, xf).unflatten(-1, (batch, -1))  # (F, G, O/G, B, N)
    return y.permute(3, 1, 2, 4, 0).reshape(batch, w.shape[0], *middle, n_freq)


def _mark_non_finite(
    clean: torch.Tensor, x: torch.Tensor, w: torch.Tensor, g: Geometry, n_fft: int
) -> torch.Tensor:
    """Give every output whose window holds NaN or Inf what the direct sum gives there, and no other.

    Finite terms cannot change such a sum, so it is enough to know which signs of Inf, and which NaN, meet in
    the window: counts, convolved like any signal.
    """

    def meets(marks: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
        return _overlap_add_blocks(marks.double(), taps.double(), g, n_fft) > 0.5

    nan = meets(x.isnan(), torch.ones_like(w))
    if not bool(x.isinf().any()):
        return clean.masked_fill(nan, torch.nan)
    plus, minus = x.isposinf(), x.isneginf()
    up = meets(plus, w > 0) | meets(minus, w < 0)
    down = meets(plus, w < 0) | meets(minus, w > 0)
    nan = nan | (up & down) | meets(plus | minus, w == 0)
    return clean.masked_fill(up, torch.inf).masked_fill(down, -torch.inf).masked_fill(nan, torch.nan)


METHODS = {"direct": direct, "overlap_add": overlap_add, "fft": fft}
