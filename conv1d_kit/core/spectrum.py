"""How long a block should be: fast FFT lengths, the block of overlap-add, the row of a blocked product."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

from .geometry import Geometry

__all__ = [
    "fast_length",
    "fft_points",
    "outputs_a_row",
    "overlap_add_length",
    "point_seconds",
    "remembered",
    "shared_zeros",
]

P = ParamSpec("P")
R = TypeVar("R")
LARGEST_FOLD = 64  # strides up to which an FFT length is made a multiple of it
SMALLEST_MEASURED = 6  # log2 of the points of the first entry below
POINT_NS = (2.3, 2.3, 2.4, 2.5, 2.9, 3.3, 3.6, 4.2, 5.4, 6.8, 10.8, 28.0, 30.0, 33.0, 36.0, 40.0)
LARGEST_BLOCK = 1 << 15  # points; beyond it a block leaves the second-level cache and the gain is lost


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """The function with a memory of its last 4,096 answers, which torch.compile looks past."""
    cached = lru_cache(maxsize=4096, typed=True)(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs) if torch.compiler.is_compiling() else cached(*args, **kwargs)  # type: ignore[arg-type]

    return call


@remembered
def fast_length(n: int) -> int:
    """The smallest 2^a·3^b·5^c >= n: an FFT at a prime length is up to 50 times slower.

    Examples
    --------
    >>> fast_length(1021), fast_length(1024)
    (1024, 1024)
    """
    best = 1 << max(0, n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            rest = -(-n // three)
            best = min(best, three << max(0, rest - 1).bit_length())
            three *= 3
        five *= 5
    return best


@remembered
def overlap_add_length(span: int, extent: int, stride: int = 1) -> int:
    """FFT points of a block: those with the least blocks·N·`point_seconds(N)`.

    Parameters
    ----------
    span : int
        Kernel length K, dilation included.
    extent : int
        Positions that all windows together see, pads included.
    stride : int
        Divides the result where it is small, so that the spectrum can be folded.

    Examples
    --------
    >>> overlap_add_length(255, 10_000), overlap_add_length(255, 10_000, stride=6) % 6
    (1024, 0)
    """
    odd = _foldable(stride) >> ((_foldable(stride) & -_foldable(stride)).bit_length() - 1)
    best, least = 0, math.inf
    for bits in range((2 * span - 1).bit_length() - odd.bit_length(), 40):
        n = odd << max(bits, 3)
        if n < 2 * span - 1 or n < stride:
            continue
        if best and n > max(LARGEST_BLOCK, 8 * span):
            break
        n_blocks = -(-(extent - span + 1) // (((n - span) // stride + 1) * stride))
        work = n_blocks * n * point_seconds(n)
        if work < least:
            best, least = n, work
    return best


def point_seconds(n: int) -> float:
    """Seconds a float32 point of an n-point real FFT, product and inverse takes on one core.

    Measured (benchmarks/fit_cost.py); it grows with log2 n, and by steps where the points leave a cache.

    Examples
    --------
    >>> point_seconds(1 << 10) < point_seconds(1 << 15) < point_seconds(1 << 18)
    True
    """
    at = min(max(math.log2(n) - SMALLEST_MEASURED, 0), len(POINT_NS) - 1.001)
    low = int(at)
    return 1e-9 * (POINT_NS[low] + (at - low) * (POINT_NS[low + 1] - POINT_NS[low]))


def outputs_a_row(span: int, stride: int) -> int:
    """L of `blocked.py`: long enough to fill a matrix product, short enough to multiply few zeros."""
    return max(16, min(128, 1 << max(1, span // stride).bit_length() - 1))


def shared_zeros(size: int, extent: int, low: int, span: int) -> int:
    """How many pads of one FFT over everything may wrap round: zeros before the signal also stand after it."""
    return max(0, min(low, extent - low - size, span - 1, extent - span))


def fft_points(method: str, g: Geometry, kernel: Sequence[int], size: int) -> int:
    """Points of one FFT block by "overlap_add" or "fft" over a last axis of `size`."""
    return _fft_points(method, g.spans(kernel)[-1], g.stride[-1], *g.pads[-1], size)


@remembered
def _fft_points(method: str, span: int, stride: int, low: int, high: int, size: int) -> int:
    extent = max(0, size + low + high - span) // stride * stride + span
    multiple = _foldable(stride)
    whole = fast_length(-(-(extent - shared_zeros(size, extent, low, span)) // multiple)) * multiple
    return whole if method == "fft" else min(whole, overlap_add_length(span, extent, stride))


def _foldable(stride: int) -> int:
    return stride if stride <= LARGEST_FOLD else 1
