"""How long a block should be: fast FFT lengths, the block of overlap-add, the row of a blocked product."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

from .geometry import Geometry

__all__ = [
    "blocks_a_round",
    "cut",
    "fast_length",
    "fft_points",
    "outputs_a_row",
    "overlap_add_length",
    "remembered",
    "rows_a_round",
    "shared_zeros",
    "transform_seconds",
]

P = ParamSpec("P")
R = TypeVar("R")
LARGEST_FOLD = 64  # strides up to which an FFT length is made a multiple of it
SMALLEST_MEASURED = 6  # log2 of the points of the first entry below
POINT_NS = (
    1.2,
    1.15,
    1.1,
    1.05,
    1.0,
    1.05,
    1.1,
    1.3,
    1.5,
    1.7,
    2.2,
    3.0,
    3.7,
    4.5,
    5.0,
    5.5,
)  # a point of an FFT
CALL, SET_UP = 4e-6, 4.5e-9  # seconds a call of an FFT, and a point of its tables
LONG, ALONE = 1 << 14, 8e-9  # points from which one FFT alone takes longer, seconds a point
MANY = 8  # rows where the caller does not say
FEWEST = 32  # transforms a call that make its own cost small
CACHE_ELEMENTS = 1 << 18  # numbers that one round of blocks may hold, so that it stays in the cache
MIXED_ELEMENTS = 1 << 20  # the same where channels mix: their products want many blocks at a time
SHORTEST_PARTITIONED = 1 << 12  # points of the shortest block that takes a kernel in parts
PART = 3e-10  # seconds a point and part for the products of its spectrum
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
def overlap_add_length(
    span: int, extent: int, stride: int = 1, *, rows: int = MANY, may_part: bool = True
) -> int:
    """FFT points of a block: the power of two, times what the stride needs to divide it, that is quickest.

    Parameters
    ----------
    span : int
        Kernel length K, dilation included.
    extent : int
        Positions that all windows together see, pads included.
    stride : int
        Divides the result where it is small, so that the spectrum can be folded.
    rows : int
        Signals that are transformed together: the more, the less counts what a call costs.
    may_part : bool
        Whether a block may be shorter than the kernel: see `cut`.

    Examples
    --------
    >>> overlap_add_length(255, 100_000), overlap_add_length(65_536, 1_000_000)
    (2048, 32768)
    >>> overlap_add_length(255, 10_000, stride=6) % 6
    0
    """
    odd = _foldable(stride)
    while odd % 2 == 0:
        odd //= 2
    n_out = (extent - span) // stride + 1
    least = SHORTEST_PARTITIONED if may_part else 0
    choices = []
    for bits in range(3, (4 * extent).bit_length()):
        n = odd << bits
        fits = n >= max(2 * span - 1, stride) or (0 < least <= n and n // 2 % stride == 0)
        if fits and n <= max(LARGEST_BLOCK, 8 * span):
            choices.append(n)
    if not choices:
        return odd << (2 * max(span, stride) - 1).bit_length()
    return min(choices, key=lambda n: _blocks_seconds(n, span, n_out, stride, rows))


def _blocks_seconds(n: int, span: int, n_out: int, stride: int, rows: int) -> float:
    """Time a row of n_out outputs by blocks of n points."""
    n_parts, per = _cut(n, span, stride)
    n_blocks = -(-n_out // per)
    n_rounds = -(-n_blocks // blocks_a_round(2 * rows, n_blocks, n, n_parts))
    transforms = rows * (2 * n_blocks + n_rounds * (n_parts - 1)) + n_parts
    return (transform_seconds(n, transforms, 2 * n_rounds + 1) / rows) + n_parts * PART * n * n_blocks


def rows_a_round(batch: int, a_row: int, n_fft: int, *, mixed: bool) -> int:
    """Rows of the batch at a time, each of which takes `a_row` transforms a block; `mixed`: channels mix."""
    elements = MIXED_ELEMENTS if mixed else CACHE_ELEMENTS
    return max(1, min(batch, elements // max(1, a_row * n_fft)))


def blocks_a_round(rows: int, n_blocks: int, n_fft: int, n_parts: int = 1, *, mixed: bool = False) -> int:
    """Blocks that `rows` rows transform at a time: as the cache holds, or so many that a call costs little."""
    least = -(-FEWEST // max(1, rows)) if n_parts == 1 else max(-(-FEWEST // max(1, rows)), 4 * n_parts)
    elements = MIXED_ELEMENTS if mixed else CACHE_ELEMENTS
    return max(1, min(n_blocks, max(least, elements // max(1, rows * n_fft))))


def cut(g: Geometry, kernel: Sequence[int], size: int, n_fft: int) -> tuple[int, int]:
    """(parts of the kernel, outputs a block) of blocks of n_fft points over a last axis of `size`.

    One block over everything, and blocks of twice the kernel's length, take the kernel whole; shorter ones take
    parts of n_fft / 2 taps, whose products with the spectra of as many neighbouring blocks add up. Source:
    Wefers (2015), Partitioned convolution algorithms for real-time auralization, ch. 5.
    """
    span, stride = g.spans(kernel)[-1], g.stride[-1]
    (low, high) = g.pads[-1]
    if n_fft >= whole_length(g, span, size):
        return 1, max(1, (size + low + high - span) // stride + 1)
    return _cut(n_fft, span, stride)


def _cut(n_fft: int, span: int, stride: int) -> tuple[int, int]:
    if n_fft >= 2 * span - 1:
        return 1, (n_fft - span) // stride + 1
    return -(-span // (n_fft // 2)), n_fft // 2 // stride


def whole_length(g: Geometry, span: int, size: int) -> int:
    """The least FFT points that one block over everything needs."""
    (low, high), stride = g.pads[-1], g.stride[-1]
    extent = max(0, size + low + high - span) // stride * stride + span
    return extent - shared_zeros(size, extent, low, span)


def transform_seconds(n: int, transforms: int, calls: int) -> float:
    """Seconds on one core of so many float32 FFTs of n real points in so many calls.

    Each call sets itself up anew, which takes as long as several transforms.

    Examples
    --------
    >>> transform_seconds(1024, 16, calls=1) < transform_seconds(1024, 16, calls=16)
    True
    """
    at = min(max(math.log2(n) - SMALLEST_MEASURED, 0), len(POINT_NS) - 1.001)
    low = int(at)
    point = 1e-9 * (POINT_NS[low] + (at - low) * (POINT_NS[low + 1] - POINT_NS[low]))
    alone = ALONE * n if transforms <= calls and n >= LONG else 0.0
    return transforms * (n * point + alone) + calls * (CALL + SET_UP * n)


def outputs_a_row(span: int, stride: int) -> int:
    """L of `blocked.py`: long enough to fill a matrix product, short enough to multiply few zeros."""
    return max(16, min(128, 1 << max(1, span // stride).bit_length() - 1))


def shared_zeros(size: int, extent: int, low: int, span: int) -> int:
    """How many pads of one FFT over everything may wrap round: zeros before the signal also stand after it."""
    return max(0, min(low, extent - low - size, span - 1, extent - span))


def fft_points(method: str, g: Geometry, kernel: Sequence[int], size: int, rows: int = MANY) -> int:
    """Points of one FFT block by "overlap_add" or "fft" over `rows` rows of a last axis of `size`."""
    return _fft_points(method, g.spans(kernel)[-1], g.stride[-1], *g.pads[-1], size, rows)


@remembered
def _fft_points(method: str, span: int, stride: int, low: int, high: int, size: int, rows: int) -> int:
    extent = max(0, size + low + high - span) // stride * stride + span
    multiple = _foldable(stride)
    least = extent - shared_zeros(size, extent, low, span)
    whole = fast_length(-(-least // multiple)) * multiple
    if method == "fft":
        return whole
    blocks = overlap_add_length(span, extent, stride, rows=rows)
    n_out = (extent - span) // stride + 1
    at_once = transform_seconds(whole, 2 * rows + 1, 3) / rows + PART * whole
    return whole if blocks >= whole or at_once <= _blocks_seconds(blocks, span, n_out, stride, rows) else blocks


def _foldable(stride: int) -> int:
    return stride if stride <= LARGEST_FOLD else 1
