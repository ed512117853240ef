"""Linear convolution of two tensors along any axes, broadcasting along the others: what scipy's face computes.

One axis goes to the core's methods; several axes have their own two here, with all axes in the spectrum.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import torch

from .cost import Work, predicted_seconds
from .differentiable import inside_transform
from .geometry import Geometry
from .kernels import METHODS, exact_in_double
from .padding import pad
from .plain import output_window
from .spectrum import fast_length
from .terms import sum_with_non_finite

__all__ = ["convolve_nd"]

Windows = tuple[tuple[int, int], ...]  # (start, size) in the full convolution, one a convolved axis

POINT = 4.0e-10  # seconds a point of an N-dimensional float32 FFT, times log2 of its points
OUT_OF_CACHE = 2.2  # how much slower a point is once a transform leaves the second-level cache
CACHE_POINTS = 1 << 18
BLOCK_OVERHEAD = 60e-6  # seconds a block
WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}
FEW = 4096  # elements up to which double precision costs an FFT nothing that can be felt


def convolve_nd(a: torch.Tensor, b: torch.Tensor, axes: Sequence[int], mode: str, method: str) -> torch.Tensor:
    """a ∗ b along `axes`; along the others sizes are equal or one of them is 1.

    Parameters
    ----------
    a, b : Tensor of one rank and dtype, nothing empty
        float, complex, or an integer kind that torch can sum.
    axes : ints, ascending, not negative
    mode : "full", "same" (as long as a along `axes`) or "valid"
    method : "auto", "direct", "overlap_add" or "fft"

    Returns
    -------
    Tensor of their dtype
        Integers exact (wrapping as theirs do); a NaN or Inf reaches exactly the outputs that multiply it.

    Examples
    --------
    >>> rows = torch.tensor([[1, 2, 3], [4, 5, 6]])
    >>> convolve_nd(rows, torch.tensor([[1, 1]]), [1], "full", "auto").tolist()
    [[1, 3, 5, 3], [4, 9, 11, 6]]
    """
    for axis in axes:
        if mode == "same" and a.shape[axis] == 1 and b.shape[axis] > 1:
            b = b.narrow(axis, (b.shape[axis] - 1) // 2, 1)  # the only element that 'same' keeps
    moving = [axis for axis in axes if a.shape[axis] != 1 and b.shape[axis] != 1]
    if not moving:
        return a * b
    windows = tuple(output_window(mode, a.shape[axis], b.shape[axis]) for axis in moving)
    taps_a, taps_b = (math.prod(t.shape[axis] for axis in moving) for t in (a, b))
    if taps_a < taps_b:  # convolution commutes: the smaller one is the kernel
        a, b = b, a
    still = [axis for axis in range(a.ndim) if axis not in moving]
    only_a = [axis for axis in still if b.shape[axis] == 1]
    only_b = [axis for axis in still if axis not in only_a and a.shape[axis] == 1]
    both = [axis for axis in still if axis not in only_a and axis not in only_b]

    def sizes(t: torch.Tensor, which: list[int]) -> list[int]:
        return [t.shape[axis] for axis in which]

    n_batch, n_groups, n_out = (
        math.prod(sizes(a, only_a)),
        math.prod(sizes(a, both)),
        math.prod(sizes(b, only_b)),
    )
    x = a.permute(*only_a, *both, *only_b, *moving).reshape(n_batch, n_groups, *sizes(a, moving))
    w = b.permute(*only_a, *both, *only_b, *moving).reshape(n_groups * n_out, 1, *sizes(b, moving))
    y = _compute(x, w, n_groups, windows, method)
    y = y.reshape(*sizes(a, only_a), *sizes(a, both), *sizes(b, only_b), *(size for _, size in windows))
    order = [*only_a, *both, *only_b, *moving]
    return y.permute(*(order.index(axis) for axis in range(a.ndim)))


def _compute(x: torch.Tensor, w: torch.Tensor, groups: int, windows: Windows, method: str) -> torch.Tensor:
    """x (B, G, *n) ∗ w (G·O, 1, *k) → (B, G·O, *sizes of the windows)."""
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    if method == "auto":
        method = _choose(tuple(x.shape), tuple(w.shape), groups, windows, x.element_size(), inexact)
    if inexact and not inside_transform(w) and not bool(torch.isfinite(w.detach().sum())):
        return _with_non_finite(x, w, groups, windows, method)
    if method != "direct" and x.dtype in WIDER and x.numel() * w.shape[0] <= FEW:
        return _compute(x.to(WIDER[x.dtype]), w.to(WIDER[x.dtype]), groups, windows, method).to(x.dtype)
    if method == "direct" or len(windows) == 1:
        return _through_core(x, w, groups, windows, method)
    if not inexact:
        return _integers(x, w, groups, windows, method)
    if x.dtype in (torch.float16, torch.bfloat16):
        return _spectral(x.float(), w.float(), groups, windows, method).to(x.dtype)
    y = _spectral(x, w, groups, windows, method)
    if torch.compiler.is_compiling() or inside_transform(y) or bool(torch.isfinite(y.detach().sum())):
        return y
    if bool(torch.isfinite(x.detach()).all()):
        return y  # only the sum of finite outputs overflowed
    return _with_non_finite(x, w, groups, windows, method)


def _through_core(x: torch.Tensor, w: torch.Tensor, groups: int, windows: Windows, method: str) -> torch.Tensor:
    pads = []
    for axis, (start, size) in enumerate(windows, start=2):
        low = w.shape[axis] - 1 - start
        high = size + w.shape[axis] - 1 - x.shape[axis] - low
        pads.append((low, high))
    x = pad(x, tuple((min(low, 0), min(high, 0)) for low, high in pads))
    pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    n = len(pads)
    g = Geometry((1,) * n, tuple(pads), (1,) * n, groups)
    return METHODS[method](x, w.flip(tuple(range(2, n + 2))), g)


def _spectral(x: torch.Tensor, w: torch.Tensor, groups: int, windows: Windows, method: str) -> torch.Tensor:
    sizes, taps = tuple(x.shape[2:]), tuple(w.shape[2:])
    x, w = x.unsqueeze(2), w.squeeze(1).unflatten(0, (1, groups, -1))  # (B, G, 1, *n), (1, G, O, *k)
    if method == "overlap_add":
        lengths = _block_lengths(sizes, taps, _whole_lengths(sizes, taps, windows))
        if any(length - k + 1 < n for length, n, k in zip(lengths, sizes, taps, strict=True)):
            return _overlap_add(x, w, windows, lengths).flatten(1, 2)
    lengths = _whole_lengths(sizes, taps, windows)
    y = _inverse(_forward(x, lengths) * _forward(w, lengths), lengths, windows, x.is_complex())
    return y.flatten(1, 2)


def _overlap_add(x: torch.Tensor, w: torch.Tensor, windows: Windows, lengths: Sequence[int]) -> torch.Tensor:
    """One block of x at a time, small enough for the cache, added where it belongs."""
    spectrum = _forward(w, lengths)
    first = x.ndim - len(lengths)
    taps = w.shape[first:]
    y = x.new_zeros((x.shape[0], x.shape[1], w.shape[2], *(size for _, size in windows)))
    hops = [min(size, length - k + 1) for size, length, k in zip(x.shape[first:], lengths, taps, strict=True)]
    starts = [range(0, size, hop) for size, hop in zip(x.shape[first:], hops, strict=True)]
    for corner in itertools.product(*starts):
        target: list[tuple[int, int]] = []  # (start, size) in y
        keep: list[tuple[int, int]] = []  # and in the block's own result
        for at, hop, size, k, (start, count) in zip(corner, hops, x.shape[first:], taps, windows, strict=True):
            low, high = max(at, start), min(at + min(hop, size - at) + k - 1, start + count)
            target.append((low - start, high - low))
            keep.append((low - at, high - low))
        if any(count <= 0 for _, count in keep):
            continue
        block = x
        for axis, (at, hop) in enumerate(zip(corner, hops, strict=True), start=first):
            block = block.narrow(axis, at, min(hop, x.shape[axis] - at))
        part = _inverse(_forward(block, lengths) * spectrum, lengths, tuple(keep), x.is_complex())
        where = y
        for axis, stretch in enumerate(target, start=first):
            where = where.narrow(axis, stretch[0], stretch[1])
        where += part
    return y


def _forward(x: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """FFT over the last axes, the last one first, so that rows of padding are not transformed."""
    z = torch.fft.fft(x, lengths[-1]) if x.is_complex() else torch.fft.rfft(x, lengths[-1])
    for back, length in enumerate(reversed(lengths[:-1]), start=2):
        z = torch.fft.fft(z, length, -back)
    return z


def _inverse(z: torch.Tensor, lengths: Sequence[int], windows: Windows, is_complex: bool) -> torch.Tensor:
    """The windows of the inverse FFT; what an axis does not keep is cut off before the next one."""
    for back, length, window in zip(range(len(lengths), 1, -1), lengths, windows, strict=False):
        z = torch.fft.ifft(z, length, -back).narrow(-back, *window)
    inverse = torch.fft.ifft if is_complex else torch.fft.irfft
    return inverse(z, lengths[-1]).narrow(-1, *windows[-1])


def _whole_lengths(sizes: Sequence[int], taps: Sequence[int], windows: Windows) -> tuple[int, ...]:
    """FFT lengths at which the ends that wrap round miss the windows: n for 'valid', n + k/2 for 'same'."""
    return tuple(
        fast_length(max(start + count, n + k - 1 - start))
        for n, k, (start, count) in zip(sizes, taps, windows, strict=True)
    )


@lru_cache(maxsize=1024)
def _block_lengths(sizes: tuple[int, ...], taps: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """FFT length of a block on each axis with the least predicted time."""
    choices = []
    for n, k, length in zip(sizes, taps, whole, strict=True):
        powers = (1 << bits for bits in range(max(4, (2 * k - 1).bit_length()), length.bit_length()))
        choices.append([length, *(power for power in powers if power < length and power - k + 1 < n)])
    return min(itertools.product(*choices), key=lambda lengths: _block_seconds(sizes, taps, whole, lengths))


def _block_seconds(sizes, taps, whole, lengths) -> float:
    blocks = math.prod(
        1 if length == all_of_it else -(-n // (length - k + 1))
        for n, k, all_of_it, length in zip(sizes, taps, whole, lengths, strict=True)
    )
    points = math.prod(lengths)
    slower = 1.0 if points <= CACHE_POINTS else OUT_OF_CACHE
    return blocks * (BLOCK_OVERHEAD + 2 * points * math.log2(points) * POINT * slower)


@lru_cache(maxsize=1024)
def _choose(x_shape, w_shape, groups: int, windows: Windows, itemsize: int, inexact: bool) -> str:
    """The method with the least predicted time."""
    n = len(windows)
    pads = tuple(
        (k - 1, size - x + start) for (start, size), k, x in zip(windows, w_shape[2:], x_shape[2:], strict=True)
    )
    work = Work(x_shape, w_shape, Geometry((1,) * n, pads, (1,) * n, groups), itemsize, inexact)
    seconds = predicted_seconds(work)
    if n > 1:
        whole = _whole_lengths(x_shape[2:], w_shape[2:], windows)
        blocks = _block_lengths(x_shape[2:], w_shape[2:], whole)
        rows = x_shape[0] * w_shape[0] * (itemsize / 4 if inexact else 2.0)
        for name, lengths in (("overlap_add", blocks), ("fft", whole)):
            seconds[name] = rows * _block_seconds(x_shape[2:], w_shape[2:], whole, lengths)
    return min(seconds, key=seconds.__getitem__)


def _integers(x: torch.Tensor, w: torch.Tensor, groups: int, windows: Windows, method: str) -> torch.Tensor:
    lengths = _whole_lengths(x.shape[2:], w.shape[2:], windows)
    if not exact_in_double(x, w, math.prod(lengths)):
        return _through_core(x, w, groups, windows, "direct")
    return _spectral(x.double(), w.double(), groups, windows, method).round().to(torch.int64).to(x.dtype)


def _with_non_finite(
    x: torch.Tensor, w: torch.Tensor, groups: int, windows: Windows, method: str
) -> torch.Tensor:
    return sum_with_non_finite(x, w, lambda p, q: _compute(p, q, groups, windows, method))
