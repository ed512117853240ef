"""What each method would cost: a model whose constants were measured on a server core."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from .geometry import Geometry
from .spectrum import MANY, PART, blocks_a_round, cut, fft_points, outputs_a_row, remembered, transform_seconds

__all__ = ["Work", "blocked_is_quicker", "cheapest_method", "predicted_seconds"]

# Seconds on one core; with more cores all methods gain alike. `python -m benchmarks.fit_cost` measures them.
CALL = 8e-6  # of torch's own kernel
BLOCKED_CALL = 80e-6  # of a blocked matrix product, its small matrix made
SPECTRAL_CALL = 65e-6  # of a spectral method, the kernel's spectrum made
MULTIPLY_ADD = {False: 4.2e-10, True: 8.0e-9}  # by one output channel; torch works on several at a time …
LANES = {False: 20, True: 64}  # … up to so many; True: more than four bytes a number
DEPTHWISE = {False: 5e-11, True: 1e-9}  # a multiply-add where each group has one output channel
OUTPUT = 1e-9  # an output of such a group
BLOCKED = {False: 2.3e-11, True: 7e-11}  # a multiply-add of a matrix product
STORE = {False: 8e-10, True: 2.5e-9}  # an output of a matrix product
SHIFTED = 1e-9  # an integer multiply-add over shifted copies
SHIFTED_CALL = 8e-6  # a tap of such a kernel
PRODUCT = 1.4e-10  # a complex multiply-add in a matrix product of spectra
TRANSPOSE = 3e-9  # a complex number brought into its order and back
SHORTEST_SPECTRAL = 12  # taps below which FFT never wins


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
    return _blocked_seconds(work) < _library_seconds(work)


@remembered
def predicted_seconds(work: Work) -> Mapping[str, float]:
    """Predicted time by each method, to be read only: it is remembered."""
    g, kernel, size = work.geometry, work.w_shape[2:], work.x_shape[-1]
    rows = 1 if math.prod(work.x_shape[:-1]) * work.w_shape[0] == 1 else MANY
    if work.inexact:
        direct = min(_library_seconds(work), _blocked_seconds(work))
    else:
        direct = SHIFTED_CALL * math.prod(kernel) + SHIFTED * _multiply_adds(work)
    return {
        "direct": direct,
        "overlap_add": _spectral_seconds(work, fft_points("overlap_add", g, kernel, size, rows)),
        "fft": _spectral_seconds(work, fft_points("fft", g, kernel, size)) * 1.02,
    }


def _multiply_adds(work: Work) -> int:
    outputs = math.prod(work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:]))
    return work.x_shape[0] * outputs * math.prod(work.w_shape)


def _library_seconds(work: Work) -> float:
    wide, per_group = work.itemsize > 4, work.w_shape[0] // max(1, work.geometry.groups)
    multiply_adds = _multiply_adds(work)
    if work.geometry.groups > 1 and per_group == 1:
        outputs = multiply_adds / max(1, math.prod(work.w_shape[1:]))
        return CALL + OUTPUT * outputs + DEPTHWISE[wide] * multiply_adds
    return CALL + multiply_adds * MULTIPLY_ADD[wide] / max(1, min(per_group, LANES[wide]))


def _blocked_seconds(work: Work) -> float:
    (*_, span), (*_, stride) = work.geometry.spans(work.w_shape[2:]), work.geometry.stride
    if work.x_shape[1] != 1 or work.w_shape[0] != 1 or len(work.x_shape) != 3:
        return math.inf
    (size,) = work.geometry.out_sizes(work.x_shape[2:], work.w_shape[2:])
    reach, wide = (outputs_a_row(span, stride) - 1) * stride + span, work.itemsize > 4
    return BLOCKED_CALL + work.x_shape[0] * size * (STORE[wide] + BLOCKED[wide] * reach)


def _spectral_seconds(work: Work, n_fft: int) -> float:
    g, kernel = work.geometry, work.w_shape[2:]
    width = (work.itemsize / 4 if work.inexact else 2.0) ** 0.7  # twice the bytes are less than twice the time
    *lead_sizes, n_out = g.out_sizes(work.x_shape[2:], kernel)
    n_parts, per = cut(g, kernel, work.x_shape[-1], n_fft)
    n_blocks = max(1, -(-n_out // per))
    rows_in = math.prod(work.x_shape[:-1])
    rows_out = work.x_shape[0] * work.w_shape[0] * math.prod(lead_sizes)
    folds = g.stride[-1] if n_fft % g.stride[-1] == 0 else 1
    n_rounds = -(-n_blocks // blocks_a_round(rows_in + rows_out, n_blocks, n_fft, n_parts))
    kernels = math.prod(work.w_shape[:-1]) * n_parts
    transforms = rows_in * (n_blocks + n_rounds * (n_parts - 1)) + rows_out * n_blocks // folds + kernels
    seconds = transform_seconds(n_fft, transforms, 2 * n_rounds + 1)
    n_products = work.w_shape[1] * math.prod(kernel[:-1]) * n_parts
    if n_products == 1:
        seconds += PART * rows_out * n_blocks * n_fft
    else:
        mixing = PRODUCT * n_products * rows_out + TRANSPOSE * (rows_in + rows_out) * (work.w_shape[1] > 1)
        seconds += n_blocks * n_fft / 2 * mixing
    return SPECTRAL_CALL + width * seconds
