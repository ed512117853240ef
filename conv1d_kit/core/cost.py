"""What each method would cost: a model with constants fitted by benchmarks/fit_cost.py on two server cores."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from .geometry import Geometry
from .spectrum import fft_points, remembered

__all__ = ["Work", "blocked_is_quicker", "cheapest_method", "predicted_seconds"]

DIRECT_OVERHEAD = 8e-6  # seconds a call
SPECTRAL_OVERHEAD = 120e-6
MULTIPLY_ADD = 1.2e-11  # seconds each, float32, with all lanes of the vector units busy
SHIFTED = 1e-9  # an integer multiply-add over shifted copies
POINT = 3.2e-10  # one FFT point times log2(N), float32
PRODUCT = 8.0e-10  # one complex multiply-add in the spectrum, float32
SHORTEST_SPECTRAL = 24  # taps below which FFT never wins


class Work(NamedTuple):
    """What a convolution has to do, as shapes."""

    x_shape: tuple[int, ...]  # (B, C, *spatial)
    w_shape: tuple[int, ...]  # (O, C/groups, *kernel)
    geometry: Geometry
    itemsize: int
    inexact: bool  # floating or complex


def cheapest_method(work: Work) -> str:
    """The key of METHODS with the least predicted time."""
    if math.prod(work.w_shape[2:]) < SHORTEST_SPECTRAL:
        return "direct"
    if torch.compiler.is_compiling():  # lengths may be symbols, which cannot be compared
        return "direct" if math.prod(work.w_shape[2:]) < 2 * SHORTEST_SPECTRAL else "overlap_add"
    seconds = predicted_seconds(work)
    return min(seconds, key=seconds.__getitem__)


@remembered
def blocked_is_quicker(work: Work) -> bool:
    """Whether the direct sum of one channel is quicker as blocked matrix products than by torch's kernel."""
    span, stride = work.geometry.spans(work.w_shape[2:]), work.geometry.stride
    if len(span) > 1 or stride[0] > 8 or span[0] > 4096:
        return False
    return math.prod(work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])) >= 1500


def predicted_seconds(work: Work) -> dict[str, float]:
    """Predicted time by each method."""
    g, kernel, size = work.geometry, work.w_shape[2:], work.x_shape[-1]
    return {
        "direct": _direct_seconds(work),
        "overlap_add": _spectral_seconds(work, fft_points("overlap_add", g, kernel, size)),
        "fft": _spectral_seconds(work, fft_points("fft", g, kernel, size)) * 1.05,
    }


def _direct_seconds(work: Work) -> float:
    g, kernel = work.geometry, work.w_shape[2:]
    multiply_adds = work.x_shape[0] * math.prod(g.out_sizes(work.x_shape[2:], kernel)) * math.prod(work.w_shape)
    if not work.inexact:
        return DIRECT_OVERHEAD * math.prod(kernel) + multiply_adds * SHIFTED
    # few input or output channels a group leave the vector units half idle
    filled = min(work.w_shape[1], 16) / 16 * min(work.w_shape[0] / g.groups, 16) / 16
    return DIRECT_OVERHEAD + multiply_adds * work.itemsize / 4 * MULTIPLY_ADD / max(filled, 1 / 64)


def _spectral_seconds(work: Work, n_fft: int) -> float:
    g, kernel = work.geometry, work.w_shape[2:]
    width = work.itemsize / 4 if work.inexact else 2.0  # integers go through float64
    *lead_sizes, n_out = g.out_sizes(work.x_shape[2:], kernel)
    n_blocks = -(-n_out // max(1, (n_fft - g.spans(kernel)[-1]) // g.stride[-1] + 1))
    rows_in = math.prod(work.x_shape[:-1])
    rows_out = work.x_shape[0] * work.w_shape[0] * math.prod(lead_sizes)
    points = (rows_in + rows_out) * n_blocks * n_fft + math.prod(work.w_shape[:-1]) * n_fft
    products = rows_out * work.w_shape[1] * math.prod(kernel[:-1]) * n_blocks * n_fft / 2
    return SPECTRAL_OVERHEAD + width * (points * math.log2(n_fft) * POINT + products * PRODUCT)
