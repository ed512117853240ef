"""What gradients and transposed convolutions would cost: predicted seconds, from shapes and `machine.py`."""

from __future__ import annotations

import math

from .cost import (
    CLEARLY,
    FRESH,
    LANES,
    PARTED,
    SHORTEST_SPECTRAL,
    WINDOWED,
    Work,
    diagonal_seconds,
    direct_seconds,
    direct_way,
    has_bounds,
    is_depthwise,
    is_laned,
    is_lone,
    laned_seconds,
    library_seconds,
    lone_seconds,
    multiply_adds,
    pads_reach_far,
    predicted_seconds,
    rows_at_once,
    unshared,
    window_seconds,
)
from .diagonals import ROUND
from .geometry import Geometry
from .lags import outputs_a_product
from .library import pads_well
from .machine import MACHINE
from .onednn import FAR, MOST_DEPTHWISE_TAPS, MOST_TAPS, MOST_WEIGHT_TAPS, SMALL, reaches_far
from .spectrum import (
    fewer_threads,
    fft_points,
    gradient_points,
    gradient_seconds,
    remembered,
    spectral_seconds,
    threads_in_use,
)

__all__ = ["gradient_ways", "input_gradient_seconds", "phases_are_quicker", "weight_gradient_seconds"]

MOVED = (1.6, 2.0)  # how much longer than the sum along diagonals its gradients take, and those of groups
PLAINLY = 1.6  # how much quicker phases must be
TURNED = 1.1  # how much longer the sum that is x's gradient takes beside one of its size: y is padded by a copy
SHORT = 64  # outputs, of which matrix products take twice as long for each
BEGUN = 2e-4  # seconds more that a gradient through FFT takes to begin
PICTURES = 3.0  # how much longer gradients through FFT take on pictures than is predicted
FAR_PICTURES = 2.0  # how much longer x's gradient takes there beyond the bounds of oneDNN
FAR_FRESH = 3.0  # how much longer windows take that get fresh memory
FIRST = 1.5  # taps that an output of a depthwise layer costs torch's slow gradients beside those it has
FEW_TAPS = 8  # a phase, up to which torch's transposed kernel takes its time by the column


def gradient_ways(work: Work) -> tuple[str, str] | None:
    """How the gradients of x and w come soonest; None: by torch's graph, which serves the sum, too.

    Keys of `input_gradient_seconds` and of `weight_gradient_seconds`.
    """
    work = _as_handed(work)
    of_x, of_w = input_gradient_seconds(work), weight_gradient_seconds(work)
    ways = min(of_x, key=of_x.__getitem__), min(of_w, key=of_w.__getitem__)
    is_other = direct_way(work) in ("windows", "diagonals", "few_taps") or pads_reach_far(work)
    return ways if is_other or rows_at_once(work) < work.x_shape[0] or ways != ("torch", "torch") else None


def _as_handed(work: Work) -> Work:
    """With its pads as numbers where torch's kernels get them so."""
    return work if pads_well(work.x_shape, work.w_shape, work.geometry) else _padded(work)


def _padded(work: Work) -> Work:
    """The same with its pads as numbers."""
    x_shape, g = work.x_shape, work.geometry
    sizes = (size + low + high for size, (low, high) in zip(x_shape[2:], g.pads, strict=True))
    return work._replace(x_shape=(*x_shape[:2], *sizes), geometry=g._replace(pads=((0, 0),) * len(g.pads)))


def input_gradient_seconds(work: Work) -> dict[str, float]:
    """By "torch" (its kernels), "turned", "diagonals", "fft" and "phases", where they are worth a thought.

    Torch's time, and that of sums as exact as its own, count for less: what errs more must be clearly quicker.
    """
    (batch, _, *sizes), (n_out, per, *kernel), g, itemsize, _ = work
    wide, depthwise = itemsize > 4, is_depthwise(work)
    # lanes that torch fills with nothing
    lone = MACHINE.lone_column[wide] * multiply_adds(work) / n_out if per == 1 and not depthwise else 0.0
    seconds = {"torch": max(_torch_seconds(work, of_weight=False), lone) / CLEARLY}
    if _has_diagonals(work):
        seconds["diagonals"] = _moved_seconds(work)
    if set(g.stride) == {1} and _is_far(work, of_weight=False):
        seconds["turned"] = TURNED * min(direct_seconds(_padded(_adjoint(work))).values()) / CLEARLY
    is_long = depthwise or math.prod(kernel) >= SHORTEST_SPECTRAL
    if is_long:
        adjoint = _adjoint(work)
        n_fft = fft_points("overlap_add", adjoint.geometry, adjoint.x_shape, adjoint.w_shape, itemsize)
        by_fft = spectral_seconds(adjoint.geometry, adjoint.x_shape, adjoint.w_shape, itemsize, n_fft)
        seconds["fft"] = _begun(by_fft, len(kernel))
    if len(sizes) == 1 == g.dilation[0] and (is_long or g.stride[0] > 1):
        gy_shape = (batch, n_out, *g.out_sizes(sizes, kernel))
        seconds["phases"] = _phases_seconds(gy_shape, work.w_shape, g.stride[0], g.groups, itemsize)
    return seconds


def weight_gradient_seconds(work: Work) -> dict[str, float]:
    """By "torch" (its kernels), "lags", "few_taps", "windows", "diagonals" and "fft", as above."""
    x_shape, w_shape, g, itemsize, _ = work
    seconds = {"torch": _torch_seconds(work, of_weight=True) / CLEARLY}
    if w_shape[1] == 1 < g.groups and len(w_shape) < 5 and w_shape[-1] > 1:
        seconds["lags"] = WINDOWED * _lag_seconds(work) / CLEARLY
    if is_lone(work):
        seconds["torch"] = lone_seconds(work, MACHINE.lone_weight, lanes=LANES) / CLEARLY
        seconds["windows"] = WINDOWED * window_seconds(work) / CLEARLY
    if _has_diagonals(work):
        seconds["diagonals"] = _moved_seconds(work)
    if is_laned(work) and g.stride == (1,) and w_shape[1] >= LANES and _is_far(work, of_weight=True):
        n_parts = -(-w_shape[2] // MOST_WEIGHT_TAPS)
        sums = PARTED * _quick_weight_seconds(work) + n_parts * MACHINE.direct_call
        seconds["few_taps"] = sums / CLEARLY
    if is_depthwise(work) or math.prod(w_shape[2:]) >= SHORTEST_SPECTRAL:
        n_fft = gradient_points(g, x_shape, w_shape, itemsize)
        by_fft = gradient_seconds(g, x_shape, w_shape, itemsize, n_fft)
        seconds["fft"] = _begun(by_fft, len(w_shape) - 2)
    return seconds


@remembered
def phases_are_quicker(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: int, groups: int, itemsize: int
) -> bool:
    """Whether a transposed convolution of one axis is quicker by `phases.py` than by torch's kernel.

    x (B, C, L) and w (C, O / groups, K). Both predictions err more than others do: a clear gain is asked for.
    """
    (batch, channels, size), (_, per_group, n_taps), wide = x_shape, w_shape, itemsize > 4
    columns = batch * size * per_group * groups * n_taps
    sums = columns * channels / groups
    if n_taps <= FEW_TAPS * stride:
        # oneDNN fills its lanes with channels that are not there, a row at a time
        is_filled = batch * channels * size > SMALL and channels % (LANES * groups) == 0
        empty = max(1.0, 32 / per_group) / batch if is_filled else 0.0
        share = 1 / min(batch, threads_in_use())
        by_torch = MACHINE.column[wide] * columns * max(share, empty)
        by_torch += MACHINE.column_add[wide] * sums * share
    else:
        by_torch = MACHINE.transposed_add[wide] * sums / min(LANES, per_group) * fewer_threads()
    by_phases = _phases_seconds(x_shape, w_shape, stride, groups, itemsize)
    return PLAINLY * by_phases < MACHINE.direct_call + by_torch


def _has_diagonals(work: Work) -> bool:
    """Whether the copies of gy are few beside x and beside a round."""
    copies, (batch, _, size, *_) = work.w_shape[0] * math.prod(work.w_shape[2:]), work.x_shape
    few = 2 * copies <= size * work.geometry.groups and 16 * batch * copies <= ROUND
    return few and work.geometry.stride == (1,)


def _begun(by_fft: float, n_axes: int) -> float:
    """What a gradient through FFT takes that is predicted to take `by_fft`."""
    return BEGUN + (by_fft if n_axes == 1 else PICTURES * by_fft)


def _moved_seconds(work: Work) -> float:
    """By the gradients of `diagonals.py`, whose products are narrower than the sum's."""
    return MOVED[work.geometry.groups > 1] * diagonal_seconds(work)


def _torch_seconds(work: Work, *, of_weight: bool) -> float:
    """By torch's kernels, where there are lanes to fill, and no column is laid out for one channel."""
    if not is_laned(work):
        seconds = library_seconds(work) * MACHINE.backward[of_weight]
        if not _is_far(work, of_weight=of_weight):
            return seconds
        if work.w_shape[1] != 1:
            return seconds if of_weight else FAR_PICTURES * seconds
        adds = multiply_adds(work) * (1 + FIRST / math.prod(work.w_shape[2:]))
        a_tap = MACHINE.depthwise_weight[work.itemsize > 4]
        return max(seconds, a_tap * adds * work.geometry.groups / work.w_shape[0])
    if not _is_far(work, of_weight=of_weight):
        return _quick_weight_seconds(work) if of_weight else MACHINE.laned_backward[0] * laned_seconds(work)
    # windows laid out, and matrix products, a row of the batch on a thread
    (n_out, per, n_taps), g = work.w_shape, work.geometry
    (size,) = g.out_sizes(work.x_shape[2:], (n_taps,))
    fresh = FAR_FRESH if 4 * per * n_taps * size > FRESH else 1.0
    a_sum = MACHINE.laned * (1 + MACHINE.far_column * g.groups / n_out) * (1 + SHORT / max(1, size)) * fresh
    return MACHINE.direct_call + a_sum * multiply_adds(work) * unshared(work.x_shape[0]) * fewer_threads()


def _quick_weight_seconds(work: Work) -> float:
    """By oneDNN's quick kernels, however many taps: rows and blocks of channels are shared by the threads."""
    blocks = -(-work.w_shape[1] // LANES) * -(-work.w_shape[0] // LANES)
    return MACHINE.laned_backward[1] * laned_seconds(work, unshared(blocks * work.x_shape[0]))


def _lag_seconds(work: Work) -> float:
    """By `lags.py`."""
    (batch, channels, *sizes), (n_out, _, *kernel), g, wide = *work[:3], work.itemsize > 4
    span, many = g.spans(kernel)[-1], n_out // channels
    per = outputs_a_product(span)
    width = (per - 1) * g.stride[-1] + span
    numbers = width / per + 1 + many  # laid out for an output
    adds = width * many * math.prod(kernel[:-1])
    positions = batch * channels * math.prod(g.out_sizes(sizes, kernel)) * fewer_threads()
    return MACHINE.lag_call + positions * (MACHINE.lag_number[wide] * numbers + MACHINE.lag_add[wide] * adds)


def _is_far(work: Work, *, of_weight: bool) -> bool:
    """Whether a gradient is beyond the bounds of `onednn.py`."""
    g = work.geometry
    if g.groups > 1 == work.w_shape[1]:
        if not of_weight:
            return is_depthwise(work) and work.itemsize == 4 and g.dilation[-1] > 1 and len(g.stride) < 3
        quick = work.itemsize == 4 and is_depthwise(work) and work.w_shape[-1] <= MOST_DEPTHWISE_TAPS
        return not quick or g.dilation[-1] > 1 or max(g.pads[-1]) > 1
    if not has_bounds(work):
        return False
    (_, per, *kernel), (*_, (low, high)) = work.w_shape, g.pads
    n_taps, span = kernel[-1], g.spans(kernel)[-1]
    few = g.groups == 1 and per < LANES
    if few and len(kernel) > 1:
        return False
    if of_weight:
        return few or n_taps > MOST_WEIGHT_TAPS or max(low, high) > FAR
    zeros = (span - 1 - min(low, high)) // g.stride[-1]
    return few or n_taps > MOST_TAPS or reaches_far(per, n_taps, zeros)


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


def _adjoint(work: Work) -> Work:
    """x's gradient as the convolution that `spectral.as_convolution` makes of it."""
    (batch, channels, *sizes), (n_out, _, *kernel), g, *_ = work
    stuffed = [(n - 1) * s + 1 for n, s in zip(g.out_sizes(sizes, kernel), g.stride, strict=True)]
    needed = g.adjoint_pads(sizes, kernel, stuffed)
    seen = [n + min(0, low) + min(0, high) for n, (low, high) in zip(stuffed, needed, strict=True)]
    pads = tuple((max(0, low), max(0, high)) for low, high in needed)
    return work._replace(
        x_shape=(batch, n_out, *seen),
        w_shape=(channels, n_out // g.groups, *kernel),
        geometry=Geometry((1,) * len(sizes), pads, g.dilation, g.groups),
    )
