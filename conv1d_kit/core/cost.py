"""What each method would cost: predicted seconds, from shapes and the constants of `machine.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from .diagonals import ROUND
from .geometry import Geometry
from .machine import MACHINE
from .short import numpys_seconds
from .spectrum import (
    fewer_threads,
    fft_points,
    gradient_points,
    gradient_seconds,
    line_points,
    remembered,
    spectral_seconds,
    threads_in_use,
)

__all__ = [
    "DIRECT_WAYS",
    "LONE_LANES",
    "Work",
    "cheapest_method",
    "direct_way",
    "gradient_ways",
    "line_ways",
    "outputs_a_row",
    "phases_are_quicker",
    "predicted_seconds",
    "rows_at_once",
]

SHIFTED = 1e-9  # seconds an integer multiply-add over shifted copies
SHIFTED_CALL = 8e-6  # seconds a tap of such a kernel
SHORTEST_BLOCKED = 1024  # numbers of x below which a blocked product is not worth asking about
SHORTEST_SPECTRAL = 12  # taps below which FFT never wins
CLEARLY = 1.3  # how much quicker what errs more must be: a gradient through FFT, a sum along diagonals
MOVED = 1.6  # how much longer than the sum along diagonals its gradients take, whose products are narrower
MOST_DIAGONAL = 16  # output channels a group, beyond which torch's kernel has its lanes full
PLAINLY = 1.6  # how much quicker phases must be
LONE_LANES = 16  # output channels that oneDNN works on at a time where there is one input channel
WINDOWED = 1.05  # how much quicker windows must be
DIRECT_WAYS = {
    "torch": "torch's kernel",
    "toeplitz": "products with a small Toeplitz matrix",
    "windows": "a product with windows laid out",
    "diagonals": "a product summed along its diagonals",
}
FRESH = 30 << 20  # bytes from which memory for a result comes from the system, whose pages are cleared first
A_TIME = 8 << 20  # bytes of such a result that torch's kernels make at a time
SMALL = 20_480  # numbers of x up to which torch does not call oneDNN
FEW_TAPS = 8  # a phase, up to which torch's transposed kernel takes its time by the column


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
    seconds = _direct_seconds(work)
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
        direct = min(_direct_seconds(work).values())
    else:
        direct = SHIFTED_CALL * math.prod(work.w_shape[2:]) + SHIFTED * _multiply_adds(work)
    seconds = {"direct": direct}
    for method in ("overlap_add", "fft"):
        n_fft = fft_points(method, g, work.x_shape, work.w_shape, itemsize)
        seconds[method] = spectral_seconds(g, work.x_shape, work.w_shape, itemsize, n_fft)
    seconds["fft"] *= 1.02  # of two alike the one whose errors stay local
    return seconds


def gradient_ways(work: Work) -> tuple[str, str] | None:
    """How the gradients of x and w come soonest; None: by torch's graph, which serves the sum, too.

    Ways are "torch" (its kernels), "fft" and "diagonals", x's also "phases", w's "windows".
    """
    (batch, _, *sizes), (n_out, per, *kernel), g, itemsize, _ = work
    wide, forward, taps = itemsize > 4, _library_seconds(work), math.prod(kernel)
    depthwise = g.groups > 1 and (n_out, per) == (g.groups, 1)
    lone = per == 1 and not depthwise  # lanes that torch fills with nothing
    columns = _multiply_adds(work) / n_out if lone else 0.0
    of_depthwise = MACHINE.depthwise_weight[wide] * _multiply_adds(work) if depthwise else 0.0
    of_x = {"torch": max(forward * MACHINE.backward[0], MACHINE.lone_column[wide] * columns) / CLEARLY}
    of_w = {"torch": max(forward * MACHINE.backward[1], of_depthwise) / CLEARLY}
    if _is_lone(work):
        of_w["torch"] = _lone_seconds(work, MACHINE.lone_weight, lanes=LONE_LANES) / CLEARLY
        of_w["windows"] = WINDOWED * _window_seconds(work) / CLEARLY
    copies = n_out * taps  # of gy, which are to be few beside x and beside a round
    if g.stride == (1,) and 2 * copies <= sizes[0] * g.groups and 16 * batch * copies <= ROUND:
        of_x["diagonals"] = of_w["diagonals"] = MOVED * _diagonal_seconds(work)
    if depthwise or taps >= SHORTEST_SPECTRAL:
        of_x["fft"], of_w["fft"] = _input_gradient_seconds(work), _weight_gradient_seconds(work)
        if len(g.stride) == 1 == g.dilation[0]:
            gy_shape = (batch, n_out, *g.out_sizes(sizes, kernel))
            of_x["phases"] = _phases_seconds(gy_shape, work.w_shape, g.stride[0], g.groups, itemsize)
    ways = min(of_x, key=of_x.__getitem__), min(of_w, key=of_w.__getitem__)
    is_other = direct_way(work) in ("windows", "diagonals") or rows_at_once(work) < batch
    return ways if is_other or ways != ("torch", "torch") else None


@remembered
def phases_are_quicker(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: int, groups: int, itemsize: int
) -> bool:
    """Whether a transposed convolution of one axis is quicker by `phases.py` than by torch's kernel.

    x (B, C, L) and w (C, O / groups, K). Both predictions err more than others do: a clear gain is asked for.
    """
    (batch, channels, size), (_, per_group, n_taps), wide = x_shape, w_shape, itemsize > 4
    columns = batch * size * per_group * groups * n_taps
    multiply_adds = columns * channels / groups
    if n_taps <= FEW_TAPS * stride:
        # oneDNN fills its lanes with channels that are not there, a row at a time
        is_laned = batch * channels * size > SMALL and channels % (16 * groups) == 0
        empty = max(1.0, 32 / per_group) / batch if is_laned else 0.0
        share = 1 / min(batch, threads_in_use())
        by_torch = MACHINE.column[wide] * columns * max(share, empty)
        by_torch += MACHINE.column_add[wide] * multiply_adds * share
    else:
        by_torch = MACHINE.transposed_add[wide] * multiply_adds / min(16, per_group) * fewer_threads()
    return (
        PLAINLY * _phases_seconds(x_shape, w_shape, stride, groups, itemsize) < MACHINE.direct_call + by_torch
    )


def _phases_seconds(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: int, groups: int, itemsize: int
) -> float:
    (batch, channels, size), (_, per_group, n_taps), wide = x_shape, w_shape, itemsize > 4
    a_phase, n_out, inputs = -(-n_taps // stride), per_group * groups * stride, channels // groups
    g = Geometry((1,), ((a_phase - 1, a_phase - 1),), (1,), groups)
    seconds = predicted_seconds(Work((batch, channels, size), (n_out, inputs, a_phase), g, itemsize, True))
    laid = MACHINE.phase_output[wide] * batch * n_out * size * fewer_threads()
    return (
        MACHINE.phase_call
        + min(seconds.values())
        + laid
        + MACHINE.phase_weight[wide] * n_out * a_phase * inputs
    )


def line_ways(n: int, k: int, start: int, size: int, itemsize: int, is_complex: bool) -> dict[str, float]:
    """Predicted seconds of one row by each way of `line.py`."""
    return {
        "numpy": numpys_seconds(n, k, itemsize, is_complex),
        "toeplitz": _toeplitz_seconds(size * (4 if is_complex else 1), k, 1, itemsize),
        "overlap_add": line_points(k, start, size, n, itemsize)[2] * (1.6 if is_complex else 1),
    }


def outputs_a_row(span: int, stride: int) -> int:
    """L of `blocked.py`: long enough to fill a matrix product, short enough to multiply few zeros."""
    return max(16, min(128, 1 << max(1, int(span) // int(stride)).bit_length() - 1))


def _direct_seconds(work: Work) -> dict[str, float]:
    """By each of DIRECT_WAYS: predicted seconds, more where it has to be clearly the quicker."""
    return {
        "torch": _library_seconds(work),
        "toeplitz": _blocked_seconds(work),
        "windows": WINDOWED * _window_seconds(work),
        "diagonals": CLEARLY * _diagonal_seconds(work),
    }


def _outputs(work: Work) -> int:
    sizes = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    return work.x_shape[0] * work.w_shape[0] * math.prod(sizes)


def _multiply_adds(work: Work) -> int:
    return _outputs(work) * math.prod(work.w_shape[1:])


def _library_seconds(work: Work) -> float:
    wide, per_group = work.itemsize > 4, work.w_shape[0] // max(1, work.geometry.groups)
    more, multiply_adds = fewer_threads(), _multiply_adds(work)
    if work.geometry.groups > 1 and per_group == 1:
        seconds = MACHINE.depthwise_output * _outputs(work) + MACHINE.depthwise[wide] * multiply_adds
        return MACHINE.direct_call + seconds * more
    if _is_lone(work):
        outputs = _outputs(work)
        fresh = MACHINE.lone_fresh * outputs * more if 4 * outputs > FRESH else 0.0
        return _lone_seconds(work, MACHINE.lone, lanes=LONE_LANES) + fresh
    lanes = max(1, min(per_group, MACHINE.lanes[wide]))
    return MACHINE.direct_call + multiply_adds * MACHINE.multiply_add[wide] / lanes * more


def _is_lone(work: Work) -> bool:
    """One channel to several, along one axis, in float32."""
    return len(work.x_shape) == 3 and work.x_shape[1] == 1 < work.w_shape[0] and work.itemsize == 4


def _lone_seconds(work: Work, constants: tuple[float, float, float], *, lanes: int = 1) -> float:
    channels, n_taps = -(-work.w_shape[0] // lanes) * lanes, work.w_shape[2]
    (size,) = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    multiply_add, number, output = constants
    a_position = n_taps * (multiply_add * channels + number) + output * work.w_shape[0]
    return MACHINE.direct_call + work.x_shape[0] * size * a_position * fewer_threads()


def _window_seconds(work: Work) -> float:
    if not _is_lone(work):
        return math.inf
    return MACHINE.windows_call + _lone_seconds(work, MACHINE.windows)


def _input_gradient_seconds(work: Work) -> float:
    """Through FFT: the adjoint as the convolution that `spectral.as_convolution` makes of it."""
    (batch, _, *sizes), (n_out, per_group, *kernel), g, *_ = work
    stuffed = [(n - 1) * s + 1 for n, s in zip(g.out_sizes(sizes, kernel), g.stride, strict=True)]
    needed = g.adjoint_pads(sizes, kernel, stuffed)
    seen = [n + min(0, low) + min(0, high) for n, (low, high) in zip(stuffed, needed, strict=True)]
    adjoint = Geometry(
        (1,) * len(sizes), tuple((max(0, low), max(0, high)) for low, high in needed), g.dilation, g.groups
    )
    gy_shape, turned = (batch, n_out, *seen), (per_group * g.groups, n_out // g.groups, *kernel)
    n_fft = fft_points("overlap_add", adjoint, gy_shape, turned, work.itemsize)
    return spectral_seconds(adjoint, gy_shape, turned, work.itemsize, n_fft)


def _weight_gradient_seconds(work: Work) -> float:
    """Through FFT."""
    x_shape, w_shape, g, itemsize, _ = work
    return gradient_seconds(g, x_shape, w_shape, itemsize, gradient_points(g, x_shape, w_shape, itemsize))


def _blocked_seconds(work: Work) -> float:
    (*_, span), (*_, stride) = work.geometry.spans(work.w_shape[2:]), work.geometry.stride
    if work.x_shape[1] != 1 or work.w_shape[0] != 1 or len(work.x_shape) != 3:
        return math.inf
    (size,) = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    return _toeplitz_seconds(work.x_shape[0] * size, span, stride, work.itemsize)


def _diagonal_seconds(work: Work) -> float:
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
    return MACHINE.diagonal_call + seconds * fewer_threads()


def _toeplitz_seconds(outputs: int, span: int, stride: int, itemsize: int) -> float:
    reach, wide = (outputs_a_row(span, stride) - 1) * stride + span, itemsize > 4
    each = MACHINE.toeplitz_output[wide] + MACHINE.toeplitz_add[wide] * reach
    return MACHINE.toeplitz_call + outputs * each * fewer_threads()
