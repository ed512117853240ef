"""Which method is quickest: a cost model with constants fitted on two cores of a common server."""

from __future__ import annotations

import math

import torch

from .geometry import Geometry
from .spectrum import overlap_add_length

__all__ = ["choose_method", "direct_seconds", "overlap_add_seconds"]

# seconds = overhead + work · rate, fitted by benchmarks/fit_plan.py
DIRECT_OVERHEAD = 8e-6
SHIFTED = 1e-9  # an integer multiply-add over shifted copies
SPECTRAL_OVERHEAD = 120e-6
POINT = 1.3e-9  # one FFT point times log2(N), float32
PRODUCT = 2.0e-10  # one complex multiply-add in the spectrum, float32


def choose_method(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> str:
    """The key of METHODS with the least predicted time; below 24 taps FFT never wins."""
    if x.is_meta or math.prod(w.shape[2:]) < 24:
        return "direct"
    return "direct" if direct_seconds(x, w, g) <= overlap_add_seconds(x, w, g) else "overlap_add"


def direct_seconds(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> float:
    """Predicted time of the direct sum."""
    work = x.shape[0] * math.prod(g.out_sizes(x.shape[2:], w.shape[2:])) * w.numel() * _width(x)
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        return DIRECT_OVERHEAD * math.prod(w.shape[2:]) + work * SHIFTED
    # one output channel or one input channel a group leaves the vector units half idle
    filled = min(w.shape[1], 16) / 16 * min(w.shape[0] / g.groups, 16) / 16
    return DIRECT_OVERHEAD + work * (1.2e-11 / max(filled, 1 / 64))


def overlap_add_seconds(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> float:
    """Predicted time of overlap-add at its best block."""
    span = g.spans(w.shape[2:])[-1]
    n_fft = overlap_add_length(span, x.shape[-1])
    n_blocks = -(-x.shape[-1] // (n_fft - span + 1))
    rows_in = x.shape[0] * x.shape[1] * math.prod(x.shape[2:-1])
    rows_out = x.shape[0] * w.shape[0] * math.prod(g.out_sizes(x.shape[2:], w.shape[2:])[:-1])
    points = (rows_in + rows_out) * n_blocks * n_fft + w.numel() // w.shape[-1] * n_fft
    products = rows_out * w.shape[1] * math.prod(w.shape[2:-1]) * n_blocks * n_fft / 2
    return SPECTRAL_OVERHEAD + _width(x) * (points * math.log2(n_fft) * POINT / 4 + products * PRODUCT * 4)


def _width(x: torch.Tensor) -> float:
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    return x.element_size() / 4 if inexact else 2.0  # integers go through float64
