"""How long an FFT block should be, how many go at a time, and what that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import NamedTuple, ParamSpec, TypeVar

import torch

from .geometry import Geometry
from .machine import MACHINE, SMALLEST

__all__ = [
    "block_lengths",
    "blocks_a_round",
    "cut",
    "cut_line",
    "fast_length",
    "fewer_threads",
    "fft_points",
    "gradient_points",
    "gradient_seconds",
    "groups_a_round",
    "line_counts",
    "line_points",
    "line_seconds",
    "of_groups",
    "remembered",
    "rows_a_round",
    "shared_zeros",
    "spectral_seconds",
    "threads_in_use",
    "transform_seconds",
    "whole_length",
]

P = ParamSpec("P")
R = TypeVar("R")
LARGEST_FOLD = 64  # strides up to which an FFT length is made a multiple of it
FEWEST = 32  # transforms a call that make its own cost small
ROUND = 1 << 20  # numbers that one round of blocks may hold: its memory is used again, and stays near the cores
SHORTEST_PARTITIONED = 1 << 10  # points of the shortest block that takes a kernel in parts
MOST_PARTS = 16
LARGEST_BLOCK = 1 << 17  # points
PRECISE = 1 << 10  # points up to which a power of two is as quick as a shorter length, and errs a fifth less
UNEVEN = 1.35  # how much longer a point takes at a length that is no power of two
LONE_BYTES = 1 << 16  # of one row, from which transforming it alone takes longer
SHIFTED_ROWS = 2.0  # how much longer products take whose rows are those of a kernel of several axes, one by one


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


def fft_points(
    method: str, g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int], itemsize: int = 4
) -> int:
    """Points of one FFT block by "overlap_add" or "fft" over the last axis.

    Parameters
    ----------
    x_shape, w_shape : (B, C, *spatial), (O, C/groups, *kernel)
    itemsize : int
        Bytes a number.

    Examples
    --------
    >>> flat = Geometry((1,), ((0, 0),), (1,), 1)
    >>> fft_points("fft", flat, (1, 1, 1000), (1, 1, 9))
    1000
    """
    return _fft_points(method, g, tuple(x_shape), tuple(w_shape), itemsize)


@remembered
def _fft_points(method: str, g: Geometry, x_shape: tuple, w_shape: tuple, itemsize: int) -> int:
    span, stride, size = g.spans(w_shape[2:])[-1], g.stride[-1], x_shape[-1]
    (low, high), multiple = g.pads[-1], _foldable(stride)
    extent = max(0, size + low + high - span) // stride * stride + span
    whole = fast_length(-(-(extent - shared_zeros(size, extent, low, span)) // multiple)) * multiple
    if method == "fft":
        return whole
    choices = [whole, *block_lengths(span, extent, stride)]
    return min(choices, key=lambda n: spectral_seconds(g, x_shape, w_shape, itemsize, n))


def block_lengths(span: int, extent: int, stride: int, *, may_part: bool = True) -> list[int]:
    """Block lengths worth a thought: powers of two, times what the stride needs to divide them."""
    odd = _foldable(stride)
    while odd % 2 == 0:
        odd //= 2
    lengths = []
    for bits in range(3, (4 * extent).bit_length()):
        n = odd << bits
        parts = may_part and n >= SHORTEST_PARTITIONED and n // 2 % stride == 0 and 2 * span <= MOST_PARTS * n
        if (n >= max(2 * span - 1, stride) or parts) and n <= max(LARGEST_BLOCK, 4 * span):
            lengths.append(n)
    return lengths or [odd << (2 * max(span, stride) - 1).bit_length()]


def spectral_seconds(
    g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int], itemsize: int, n_fft: int
) -> float:
    """Predicted seconds of a convolution by blocks of n_fft points."""
    n_groups = groups_a_round(w_shape, g, x_shape[-1], n_fft)
    if n_groups < g.groups:
        return (
            g.groups / n_groups * spectral_seconds(*of_groups(n_groups, g, x_shape, w_shape), itemsize, n_fft)
        )
    kernel = w_shape[2:]
    *lead_sizes, n_out = g.out_sizes(x_shape[2:], kernel)
    parts, per = cut(g, kernel, x_shape[-1], n_fft)
    lead_in = math.prod([s + low + high for s, (low, high) in zip(x_shape[2:-1], g.pads, strict=False)])
    rows_in, rows_out = math.prod(x_shape[:2]) * lead_in, x_shape[0] * w_shape[0] * math.prod(lead_sizes)
    n_blocks = max(1, -(-n_out // per))
    a_row = (rows_in + rows_out) // max(1, x_shape[0])
    rows = rows_a_round(x_shape[0], a_row, n_fft)
    n_rounds = -(-x_shape[0] // rows) * -(-n_blocks // blocks_a_round(rows * a_row, n_blocks, n_fft, parts))
    folds = g.stride[-1] if n_fft % g.stride[-1] == 0 else 1
    forward = rows_in * (n_blocks + n_rounds * (parts - 1))
    seconds = transform_seconds(n_fft, forward, n_rounds, itemsize)
    seconds += transform_seconds(n_fft, -(-rows_out * n_blocks // folds), n_rounds, itemsize)
    mixed = w_shape[1] > 1 and w_shape[0] > g.groups
    seconds += _kernel_seconds(n_fft, math.prod(w_shape[:-1]) * parts, mixed, itemsize)
    n_products = w_shape[1] * math.prod(kernel[:-1]) * parts
    seconds += n_rounds * n_products // (w_shape[1] if mixed else 1) * MACHINE.part_call[itemsize > 4]
    more = SHIFTED_ROWS if len(kernel) > 1 and kernel[-2] > 1 else 1
    return seconds + more * _products_seconds(n_fft, n_blocks, rows_in, rows_out, n_products, mixed, itemsize)


def _kernel_seconds(n: int, transforms: int, mixed: bool, itemsize: int) -> float:
    """To transform the kernels, and to bring their spectra into the order of channels that mix."""
    seconds, numbers = transform_seconds(n, transforms, 1, itemsize), transforms * n / 2
    if not mixed:
        return seconds
    passes = MACHINE.near_passes if 2 * numbers <= ROUND else MACHINE.far_passes
    return seconds + passes * MACHINE.reorder[itemsize > 4] * fewer_threads() * numbers


def _products_seconds(
    n: int, n_blocks: int, rows_in: int, rows_out: int, n_products: int, mixed: bool, itemsize: int
) -> float:
    wide, points = itemsize > 4, n_blocks * n * fewer_threads()
    if mixed:
        each = MACHINE.mix[wide] * n_products * rows_out + MACHINE.reorder[wide] * (rows_in + rows_out)
        return points / 2 * each
    return points * (MACHINE.product[wide] * n_products * rows_out + MACHINE.moved[wide] * (rows_in + rows_out))


@remembered
def line_points(k: int, start: int, size: int, n: int, itemsize: int) -> tuple[int, int, float]:
    """For one row: points of a block, points of one over everything, predicted seconds of the first."""
    least = max(start + size, n + k - 1 - start)
    whole = fast_length(least) if least > PRECISE else 1 << (least - 1).bit_length()
    lengths = [whole, *block_lengths(k, size + k - 1, 1)]
    seconds = {length: line_seconds(length, k, size, itemsize, whole) for length in lengths}
    best = min(seconds, key=seconds.__getitem__)
    return best, whole, seconds[best]


def line_seconds(n_fft: int, k: int, size: int, itemsize: int, whole: int) -> float:
    """Predicted seconds of one row and one kernel by blocks of n_fft points."""
    if n_fft >= whole:
        paired = 2 if n_fft * itemsize >= LONE_BYTES else 1
        seconds = transform_seconds(n_fft, 2, 1, itemsize) + transform_seconds(n_fft, paired, 1, itemsize)
        return seconds + MACHINE.product[itemsize > 4] * n_fft + MACHINE.moved[itemsize > 4] * size
    counts, wide = line_counts(n_fft, k, size), itemsize > 4
    seconds = transform_seconds(n_fft, counts.transforms, counts.calls, itemsize)
    seconds += counts.part_calls * MACHINE.part_call[wide] + MACHINE.moved[wide] * size * fewer_threads()
    return seconds + MACHINE.product[wide] * counts.products * fewer_threads()


class LineCounts(NamedTuple):
    """What one row and one kernel take by blocks: the terms that `tune.py` fits and `line_seconds` adds up."""

    transforms: int
    calls: int  # of the transforms
    part_calls: int
    products: int  # points whose spectra are multiplied, once a part of the kernel


def line_counts(n_fft: int, k: int, size: int) -> LineCounts:
    """For `size` outputs of k taps by blocks of n_fft points."""
    parts, hop, _ = cut_line(n_fft, k)
    n_blocks = -(-size // hop)
    n_rounds = -(-n_blocks // blocks_a_round(2, n_blocks, n_fft, parts))
    at_once = n_rounds == 1 == parts  # then the kernel goes with the first call
    transforms = 2 * n_blocks + n_rounds * (parts - 1) + parts * (1 + at_once)
    return LineCounts(transforms, 2 * n_rounds + 1 - at_once, n_rounds * (parts - 1), parts * n_blocks * n_fft)


@remembered
def gradient_points(g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int], itemsize: int) -> int:
    """Points of a block of `spectral.weight_product`."""
    (span, extent) = _gradient_extent(g, x_shape, w_shape)
    choices = [fast_length(extent), *block_lengths(span, extent, 1, may_part=False)]
    return min(choices, key=lambda n: gradient_seconds(g, x_shape, w_shape, itemsize, n))


def gradient_seconds(
    g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int], itemsize: int, n_fft: int
) -> float:
    """Predicted seconds of `spectral.weight_product` by blocks of n_fft points."""
    n_groups = groups_a_round(w_shape, g, x_shape[-1], n_fft)
    if n_groups < g.groups:
        few = of_groups(n_groups, g, x_shape, w_shape)
        return g.groups / n_groups * gradient_seconds(*few, itemsize, n_fft)
    kernel = w_shape[2:]
    span, extent = _gradient_extent(g, x_shape, w_shape)
    lead_out = math.prod(g.out_sizes(x_shape[2:], kernel)[:-1])
    lead_in = math.prod([s + low + high for s, (low, high) in zip(x_shape[2:-1], g.pads, strict=False)])
    rows_in, rows_out = x_shape[0] * x_shape[1] * lead_in, x_shape[0] * w_shape[0] * lead_out
    n_blocks = -(-(extent - span + 1) // (n_fft - span + 1))
    a_row = (rows_in + rows_out) // x_shape[0]
    rows = rows_a_round(x_shape[0], a_row, n_fft)
    n_rounds = -(-x_shape[0] // rows) * -(-n_blocks // blocks_a_round(rows * a_row, n_blocks, n_fft))
    seconds = transform_seconds(n_fft, (rows_in + rows_out) * n_blocks, 2 * n_rounds, itemsize)
    n_products, mixed = w_shape[1] * math.prod(kernel[:-1]), w_shape[1] > 1
    seconds += _kernel_seconds(n_fft, math.prod(w_shape[:-1]), mixed, itemsize)
    n_products *= 1 if mixed else 2  # what is summed up is read and written, too
    return seconds + _products_seconds(n_fft, n_blocks, rows_in, rows_out, n_products, mixed, itemsize)


def _gradient_extent(g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int]) -> tuple[int, int]:
    """(span of the kernel, how much of the last axis the outputs see)"""
    span = g.spans(w_shape[2:])[-1]
    return span, (g.out_sizes(x_shape[2:], w_shape[2:])[-1] - 1) * g.stride[-1] + span


def groups_a_round(w_shape: Sequence[int], g: Geometry, size: int, n_fft: int) -> int:
    """Groups at a time, so that the spectra of their kernels stay near the cores; `size` is x's last."""
    parts, _ = cut(g, w_shape[2:], size, n_fft)
    a_group = math.prod(w_shape[:-1]) // g.groups * parts * n_fft
    return max(1, min(g.groups, ROUND // max(1, a_group)))


def of_groups(
    n_groups: int, g: Geometry, x_shape: Sequence[int], w_shape: Sequence[int]
) -> tuple[Geometry, tuple[int, ...], tuple[int, ...]]:
    """The convolution of so many of the groups."""
    channels, n_out = (n_groups * n // g.groups for n in (x_shape[1], w_shape[0]))
    return g._replace(groups=n_groups), (x_shape[0], channels, *x_shape[2:]), (n_out, *w_shape[1:])


def rows_a_round(batch: int, a_row: int, n_fft: int) -> int:
    """Rows of the batch at a time, each of which takes `a_row` transforms a block."""
    return max(1, min(batch, ROUND // max(1, a_row * n_fft)))


def blocks_a_round(rows: int, n_blocks: int, n_fft: int, parts: int = 1) -> int:
    """Blocks that `rows` rows transform at a time: as a round holds, or so many that a call costs little.

    All, where they are little more than that.
    """
    least = -(-FEWEST // max(1, rows))
    most = max(least if parts == 1 else max(least, 4 * parts), ROUND // max(1, rows * n_fft))
    return max(1, n_blocks if n_blocks <= most + most // 2 else most)


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
    parts, hop, _ = cut_line(n_fft, span)
    return parts, hop // stride if parts > 1 else (n_fft - span) // stride + 1


def cut_line(n_fft: int, span: int) -> tuple[int, int, int]:
    """(parts of the kernel, inputs from block to block, outputs at a block's head that wrap round)."""
    if n_fft >= 2 * span - 1:
        return 1, n_fft - span + 1, span - 1
    return -(-span // (n_fft // 2)), n_fft // 2, n_fft // 2


def whole_length(g: Geometry, span: int, size: int) -> int:
    """The least FFT points that one block over everything needs."""
    (low, high), stride = g.pads[-1], g.stride[-1]
    extent = max(0, size + low + high - span) // stride * stride + span
    return extent - shared_zeros(size, extent, low, span)


def transform_seconds(n: int, transforms: int, calls: int, itemsize: int = 4) -> float:
    """Seconds of so many FFTs of n real points in so many calls.

    Each call sets itself up anew, which takes as long as several transforms; few rows keep few threads busy.

    Examples
    --------
    >>> transform_seconds(1024, 16, calls=1) < transform_seconds(1024, 16, calls=16)
    True
    """
    wide = itemsize > 4
    points = MACHINE.points[wide]
    at = min(max(math.log2(n) - SMALLEST, 0), len(points) - 1.001)
    low = int(at)
    point = points[low] + (at - low) * (points[low + 1] - points[low])
    if n & (n - 1):
        point *= UNEVEN
    point *= fewer_threads() * (1 + calls / max(1, transforms))
    alone = MACHINE.alone * n if transforms <= calls and n * itemsize >= LONE_BYTES else 0.0
    return transforms * (n * point + alone) + calls * (MACHINE.fft_call[wide] + MACHINE.fft_table[wide] * n)


def threads_in_use() -> int:
    """torch's threads; as many as were measured where torch.compile may not ask."""
    return MACHINE.threads if torch.compiler.is_compiling() else torch.get_num_threads()


def fewer_threads() -> float:
    """How much longer work takes than with as many threads as the constants were measured with."""
    return MACHINE.threads / min(MACHINE.threads, threads_in_use())


def shared_zeros(size: int, extent: int, low: int, span: int) -> int:
    """How many pads of one FFT over everything may wrap round: zeros before the signal also stand after it."""
    return max(0, min(low, extent - low - size, span - 1, extent - span))


def _foldable(stride: int) -> int:
    return stride if stride <= LARGEST_FOLD else 1
