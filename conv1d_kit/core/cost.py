"""What each method would cost: predicted seconds, from shapes and the constants of `machine.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from .diagonals import ROUND
from .geometry import Geometry
from .machine import MACHINE
from .onednn import (
    MOST_DEPTHWISE_TAPS,
    MOST_TAPS,
    SMALL,
    depthwise_reaches_far,
    has_wide_registers,
    reaches_far,
)
from .short import numpys_seconds, shift_seconds
from .spectrum import fewer_threads, fft_points, line_points, remembered, spectral_seconds, threads_in_use

__all__ = [
    "CLEARLY",
    "DIRECT_WAYS",
    "FRESH",
    "LANES",
    "PARTED",
    "SHORTEST_SPECTRAL",
    "WINDOWED",
    "Work",
    "cheapest_method",
    "diagonal_seconds",
    "direct_seconds",
    "direct_way",
    "has_bounds",
    "is_depthwise",
    "is_laned",
    "is_lone",
    "laned_seconds",
    "library_seconds",
    "line_ways",
    "lone_seconds",
    "multiply_adds",
    "outputs_a_row",
    "pads_reach_far",
    "predicted_seconds",
    "products_are_quicker",
    "rows_at_once",
    "unshared",
    "window_seconds",
]

SHIFTED = 1e-9  # seconds an integer multiply-add over shifted copies
SHIFTED_CALL = 8e-6  # seconds a tap of such a kernel
SHORTEST_BLOCKED = 1024  # numbers of x below which a blocked product is not worth asking about
SHORTEST_SPECTRAL = 12  # taps below which FFT never wins
CLEARLY = 1.3  # how much quicker what errs more must be: a gradient through FFT, a sum along diagonals
GROUPED = 2.0  # how much longer the sum along diagonals takes for groups, whose products are small
MOST_DIAGONAL = 16  # output channels a group, beyond which torch's kernel has its lanes full
LANES = 16  # channels that oneDNN works on at a time
QUARTER = 4  # a group's channels have no lanes unless they are a multiple of it
WINDOWED = 1.05  # how much quicker windows must be
PARTED = 1.35  # how much longer all taps take some at a time: x is read, and y added up, for each part
DIRECT_WAYS = {
    "torch": "torch's kernel",
    "few_taps": "torch's kernel, some taps at a time",
    "toeplitz": "products with a small Toeplitz matrix",
    "windows": "a product with windows laid out",
    "diagonals": "a product summed along its diagonals",
}
FRESH = 30 << 20  # bytes from which memory for a result comes from the system, whose pages are cleared first
A_TIME = 4 << 20  # bytes of larger ones that torch's kernels make at a time


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
def direct_way(work: Work) -> str:
    """How the direct sum of floats on the CPU comes soonest: by a key of DIRECT_WAYS."""
    if math.prod(work.x_shape) < SHORTEST_BLOCKED:
        return "torch"
    seconds = direct_seconds(work)
    return min(seconds, key=seconds.__getitem__)


@remembered
def rows_at_once(work: Work) -> int:
    """Rows of the batch to hand to torch's kernel at a time, so that its copies stay in memory at hand.

    oneDNN brings what goes in and out into an order of its own, save where channels stand last. A large copy
    gets fresh memory in every call, and clearing its pages takes as long as the sum.
    """
    batch, outputs = work.x_shape[0], 4 * _outputs(work)
    if outputs <= FRESH or work.itemsize != 4 or not work.inexact:
        return batch
    return max(1, A_TIME * batch // max(outputs, 4 * math.prod(work.x_shape)))


@remembered
def predicted_seconds(work: Work) -> Mapping[str, float]:
    """Predicted time by each method, to be read only: it is remembered."""
    g, itemsize = work.geometry, work.itemsize if work.inexact else 8
    if work.inexact:
        direct = min(direct_seconds(work).values())
    else:
        direct = SHIFTED_CALL * math.prod(work.w_shape[2:]) + SHIFTED * multiply_adds(work)
    seconds = {"direct": direct}
    for method in ("overlap_add", "fft"):
        n_fft = fft_points(method, g, work.x_shape, work.w_shape, itemsize)
        seconds[method] = spectral_seconds(g, work.x_shape, work.w_shape, itemsize, n_fft)
    seconds["fft"] *= 1.02  # of two alike the one whose errors stay local
    return seconds


def line_ways(n: int, k: int, start: int, size: int, itemsize: int, is_complex: bool) -> dict[str, float]:
    """Predicted seconds of one row by each way of `line.py`."""
    return {
        "numpy": numpys_seconds(n, k, itemsize, is_complex),
        "shifts": math.inf if is_complex else shift_seconds(size, k, itemsize) * fewer_threads(),
        "toeplitz": _toeplitz_seconds(size * (4 if is_complex else 1), k, 1, itemsize),
        "overlap_add": line_points(k, start, size, n, itemsize)[2] * (1.6 if is_complex else 1),
    }


def outputs_a_row(span: int, stride: int) -> int:
    """L of `blocked.py`: long enough to fill a matrix product, short enough to multiply few zeros."""
    return max(16, min(128, 1 << max(1, int(span) // int(stride)).bit_length() - 1))


def direct_seconds(work: Work) -> dict[str, float]:
    """By each of DIRECT_WAYS: predicted seconds, more where it has to be clearly the quicker."""
    return {
        "torch": library_seconds(work),
        "few_taps": _few_taps_seconds(work),
        "toeplitz": _blocked_seconds(work),
        "windows": WINDOWED * window_seconds(work),
        "diagonals": CLEARLY * diagonal_seconds(work),
    }


def _outputs(work: Work) -> int:
    sizes = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    return work.x_shape[0] * work.w_shape[0] * math.prod(sizes)


def multiply_adds(work: Work) -> int:
    """Of the sum itself."""
    return _outputs(work) * math.prod(work.w_shape[1:])


def library_seconds(work: Work) -> float:
    """By torch's kernel."""
    wide, per_group = work.itemsize > 4, work.w_shape[0] // max(1, work.geometry.groups)
    more, numbers = fewer_threads(), multiply_adds(work)
    if is_depthwise(work):
        copied = math.prod(work.x_shape) if pads_reach_far(work) else 0
        seconds = MACHINE.depthwise_output * (_outputs(work) + copied) + MACHINE.depthwise[wide] * numbers
        return MACHINE.direct_call + seconds * more
    if is_lone(work):
        outputs = _outputs(work)
        fresh = MACHINE.lone_fresh * outputs * more if 4 * outputs > FRESH else 0.0
        return lone_seconds(work, MACHINE.lone, lanes=LANES) + fresh
    if is_laned(work):
        slower = MACHINE.many_taps * unshared(work.x_shape[0]) if _has_many_taps(work) else 1.0
        return laned_seconds(work, slower)
    if _is_uneven(work):
        return MACHINE.direct_call + MACHINE.grouped * numbers / min(per_group, work.w_shape[1]) * more
    lanes = max(1, min(per_group, MACHINE.lanes[wide]))
    seconds = MACHINE.multiply_add[wide] / lanes * numbers
    if work.x_shape[1] == 1 == work.w_shape[0]:
        seconds += MACHINE.single_output * _outputs(work)
    return MACHINE.direct_call + seconds * more


def is_depthwise(work: Work) -> bool:
    """Whether each channel has a kernel of its own."""
    return work.geometry.groups > 1 and work.w_shape[:2] == (work.geometry.groups, 1)


def is_laned(work: Work) -> bool:
    """Whether the kernels are asked whose bounds `onednn.py` tells."""
    return len(work.w_shape) == 3 and has_bounds(work)


def has_bounds(work: Work) -> bool:
    """Whether those kernels are asked whose bounds on the last of one or two axes `onednn.py` tells."""
    return _is_blocked(work) and not _is_uneven(work)


def _is_blocked(work: Work) -> bool:
    if len(work.w_shape) > 4 or work.itemsize != 4 or not work.inexact or work.w_shape[1] == 1:
        return False
    return has_wide_registers() and math.prod(work.x_shape) > SMALL


def _is_uneven(work: Work) -> bool:
    """Whether groups have too few channels for lanes of their own: oneDNN's plain kernels serve them."""
    groups, (n_out, inputs, *_) = work.geometry.groups, work.w_shape
    return groups > 1 and _is_blocked(work) and (inputs % QUARTER > 0 or n_out // groups % QUARTER > 0)


@remembered
def pads_reach_far(work: Work) -> bool:
    """Whether oneDNN's quick kernel refuses these pads, and takes them as numbers."""
    if is_depthwise(work) and work.itemsize == 4 and work.inexact:
        *_, span = work.geometry.spans(work.w_shape[2:])
        if (
            work.w_shape[-1] <= MOST_DEPTHWISE_TAPS and work.geometry.groups % LANES
        ):  # no more than the copy takes
            return False
        return depthwise_reaches_far(span, max(work.geometry.pads[-1]))
    n_out = work.w_shape[0] // work.geometry.groups
    return has_bounds(work) and reaches_far(n_out, work.w_shape[-1], max(work.geometry.pads[-1]))


def laned_seconds(work: Work, slower: float = 1.0) -> float:
    """By oneDNN's quick kernels, or so much slower: channels fill lanes, what goes in and out is laid anew."""
    inputs, outputs = work.w_shape[1], max(1, work.w_shape[0] // work.geometry.groups)
    filled = -(-outputs // LANES) * LANES / outputs
    if inputs >= LANES:
        filled *= -(-inputs // LANES) * LANES / inputs
    sums = MACHINE.laned * multiply_adds(work) * filled * slower
    laid = MACHINE.laid * (math.prod(work.x_shape) + _outputs(work))
    return MACHINE.direct_call + (sums + laid) * fewer_threads()


@remembered
def products_are_quicker(work: Work) -> bool:
    """Whether a kernel of one tap and stride comes sooner as matrix products than by torch's kernel."""
    return not is_laned(work) or MACHINE.one_tap * multiply_adds(work) * fewer_threads() < (
        laned_seconds(work) - MACHINE.direct_call
    )


def unshared(parts: int) -> float:
    """How much longer work takes of which only so many parts can be shared by the threads."""
    threads = min(MACHINE.threads, threads_in_use())
    return threads / max(1, min(threads, parts))


def _has_many_taps(work: Work) -> bool:
    """Whether they are more than the quick kernel takes; few channels have another."""
    return is_laned(work) and work.w_shape[2] > MOST_TAPS and work.w_shape[1] >= LANES


def _few_taps_seconds(work: Work) -> float:
    """As many taps at a time as the quick kernel takes."""
    if not _has_many_taps(work):
        return math.inf
    return PARTED * laned_seconds(work) + -(-work.w_shape[2] // MOST_TAPS) * MACHINE.direct_call


def is_lone(work: Work) -> bool:
    """One channel to several, along one axis, in float32."""
    return len(work.x_shape) == 3 and work.x_shape[1] == 1 < work.w_shape[0] and work.itemsize == 4


def lone_seconds(work: Work, constants: tuple[float, float, float], *, lanes: int = 1) -> float:
    """One channel to several: a multiply-add, a number of the windows and an output take so much each."""
    channels, n_taps = -(-work.w_shape[0] // lanes) * lanes, work.w_shape[2]
    (size,) = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    multiply_add, number, output = constants
    a_position = n_taps * (multiply_add * channels + number) + output * work.w_shape[0]
    return MACHINE.direct_call + work.x_shape[0] * size * a_position * fewer_threads()


def window_seconds(work: Work) -> float:
    """By `windows.py`; inf where it does not serve."""
    if not is_lone(work):
        return math.inf
    return MACHINE.windows_call + lone_seconds(work, MACHINE.windows)


def _blocked_seconds(work: Work) -> float:
    (*_, span), (*_, stride) = work.geometry.spans(work.w_shape[2:]), work.geometry.stride
    if work.x_shape[1] != 1 or work.w_shape[0] != 1 or len(work.x_shape) != 3:
        return math.inf
    (size,) = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    return _toeplitz_seconds(work.x_shape[0] * size, span, stride, work.itemsize)


def diagonal_seconds(work: Work) -> float:
    """By `diagonals.py`; inf where it does not serve."""
    (batch, channels, *sizes), (n_out, per, *kernel), g, itemsize, _ = work
    if len(sizes) != 1 or per == 1 or kernel == [1] or n_out > MOST_DIAGONAL * g.groups:
        return math.inf
    if 0 in work.x_shape + work.w_shape:
        return math.inf
    (size,), ((low, high),), (span,), wide = sizes, g.pads, g.spans(kernel), itemsize > 4
    numbers, reach = float(batch * size * n_out * kernel[0]), ROUND // (n_out * kernel[0])
    if size + low + high > reach:  # each round begins with what the one before ended with
        numbers *= reach / (reach - span) if span < reach else math.inf
    each = MACHINE.diagonal_add[wide] * per + MACHINE.diagonal_number[wide]
    seconds = each * numbers + MACHINE.diagonal_input[wide] * batch * channels * size
    return MACHINE.diagonal_call + seconds * fewer_threads() * (GROUPED if g.groups > 1 else 1)


def _toeplitz_seconds(outputs: int, span: int, stride: int, itemsize: int) -> float:
    reach, wide = (outputs_a_row(span, stride) - 1) * stride + span, itemsize > 4
    each = MACHINE.toeplitz_output[wide] + MACHINE.toeplitz_add[wide] * reach
    return MACHINE.toeplitz_call + outputs * each * fewer_threads()
