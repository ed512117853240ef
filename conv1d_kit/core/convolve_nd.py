"""Linear convolution of two tensors along any axes, broadcasting along the others: what scipy's face computes.

One axis goes to the core's methods; several axes have their own two here, with all axes in the spectrum: a
bilinear product whose derivatives are such products again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from .autocast import full_precision
from .cost import Work, cheapest_method, predicted_seconds
from .differentiable import all_finite, inside_transform, is_plain, scaled
from .geometry import Geometry
from .kernels import METHODS, exact_in_double
from .padding import pad
from .plain import output_window
from .spectrum import fast_length, remembered
from .terms import sum_with_non_finite

__all__ = ["convolve_nd"]

Windows = tuple[tuple[int, int], ...]  # (start, size) in the full convolution, one a convolved axis

POINT = 4.0e-10  # seconds a point of an N-dimensional float32 FFT, times log2 of its points
OUT_OF_CACHE = 2.2  # how much slower a point is once a transform leaves the second-level cache
CACHE_POINTS = 1 << 18
BLOCK_OVERHEAD = 60e-6  # seconds a block
LARGE_BYTES = 1 << 22  # from here on memory comes from the system anew at each call …
LARGE_OUTPUT = 2e-8  # … which costs the direct sum so many seconds an output


@full_precision
def convolve_nd(a: torch.Tensor, b: torch.Tensor, axes: Sequence[int], mode: str, method: str) -> torch.Tensor:
    """a ∗ b along `axes`; along the others sizes are equal or one of them is 1.

    Parameters
    ----------
    a, b : Tensor of one rank and dtype, nothing empty
        float, complex, or an integer kind that torch can sum.
    axes : ints, ascending, not negative
    mode : "full", "same" (the shape of a) or "valid"
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
    for axis in range(a.ndim):
        if mode == "same" and a.shape[axis] == 1 and b.shape[axis] > 1:
            b = b.narrow(axis, (b.shape[axis] - 1) // 2, 1)  # the only element that 'same' keeps
    moving = [axis for axis in axes if a.shape[axis] != 1 and b.shape[axis] != 1]
    if not moving:
        return a * b
    windows = tuple(output_window(mode, a.shape[axis], b.shape[axis]) for axis in moving)
    last = tuple(range(-len(moving), 0))
    x, w = a.movedim(moving, last), b.movedim(moving, last)
    if math.prod(x.shape[last[0] :]) < math.prod(w.shape[last[0] :]):
        x, w = w, x  # convolution commutes: the smaller one is the kernel
    return _compute(x, w, windows, method).movedim(last, moving)


def _compute(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    """x (..., *n) ∗ w (..., *k) → (..., *sizes of the windows)."""
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    if method == "auto":
        method = _choose(tuple(x.shape), tuple(w.shape), windows, x.element_size(), inexact)
    if method == "direct" or len(windows) == 1:
        hidden = torch.compiler.is_compiling() or inside_transform(x, w)
        if hidden or not inexact or all_finite(w):
            return _through_core(x, w, windows, method)
        # zeros that pad x would meet a kernel's NaN
        return sum_with_non_finite(x, w, lambda p, q: _through_core(p, q, windows, method))
    if not inexact:
        n = len(windows)
        if exact_in_double(x, w, math.prod(_whole_lengths(x.shape[-n:], w.shape[-n:], windows))):
            return _spectral(x.double(), w.double(), windows, method).round().to(torch.int64).to(x.dtype)
        return _through_core(x, w, windows, "direct")
    if x.dtype in (torch.float16, torch.bfloat16):
        return _compute(x.float(), w.float(), windows, method).to(x.dtype)
    starts, sizes = zip(*windows, strict=True)
    if torch.compiler.is_compiling():
        return _product_op(x, w, starts, sizes, method)
    product = _product if x.is_meta or is_plain(x, w) else _Product.apply
    return product(x, w, starts, sizes, method)


def _product(
    x: torch.Tensor, w: torch.Tensor, starts: Sequence[int], sizes: Sequence[int], method: str
) -> torch.Tensor:
    """The windows of x ∗ w, zeros where they leave it; what is not finite only in sums that hold it."""
    n = len(sizes)
    ends = [size + k - 1 for size, k in zip(x.shape[-n:], w.shape[-n:], strict=True)]
    axes = list(zip(starts, sizes, ends, strict=True))
    outside = tuple((max(0, -start), max(0, start + size - end)) for start, size, end in axes)
    windows = tuple((max(0, start), min(start + size, end) - max(0, start)) for start, size, end in axes)

    def run(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return _spectral(p, q, windows, method)

    y = run(x, w)
    if not all_finite(y):
        if not (torch.isfinite(x).all() and torch.isfinite(w).all()):
            y = sum_with_non_finite(x, w, lambda p, q: scaled(p, q, run))
        elif not torch.isfinite(y).all():
            y = scaled(x, w, run)
    return pad(y, outside)


class _Product(torch.autograd.Function):
    """`_product` with its derivatives; under vmap the new axis is one more to broadcast."""

    @staticmethod
    def forward(x, w, starts, sizes, method):
        return _product(x, w, starts, sizes, method).detach()  # forward mode takes no view made in here

    @staticmethod
    def setup_context(ctx, inputs, output):
        _remember(ctx, inputs, output)
        ctx.save_for_forward(*inputs[:2])

    @staticmethod
    def backward(ctx, gy):
        return _gradients(_Product.apply, ctx, gy)

    @staticmethod
    def jvp(ctx, dx, dw, *_):
        x, w = ctx.saved_tensors
        parts = [] if dx is None else [_Product.apply(dx, w, *ctx.options)]
        parts += [] if dw is None else [_Product.apply(x, dw, *ctx.options)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    @staticmethod
    def vmap(info, in_dims, x, w, *options):
        return _mapped(_Product.apply, in_dims, x, w, *options)


def _remember(ctx: Any, inputs: Any, output: Any) -> None:
    x, w, *ctx.options = inputs
    ctx.save_for_backward(x, w)


def _gradients(product: Any, ctx: Any, gy: torch.Tensor):
    """gx and gw: correlations of gy, summed over the axes along which x or w was broadcast."""
    x, w = ctx.saved_tensors
    starts, _, method = ctx.options
    n = len(starts)

    def correlation(other: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        turned = other.flip(tuple(range(-n, 0))).conj().resolve_conj()
        lows = [size - 1 - start for size, start in zip(other.shape[-n:], starts, strict=True)]
        return product(gy, turned, lows, list(wanted.shape[-n:]), method).sum_to_size(wanted.shape)

    gx = correlation(w, x) if ctx.needs_input_grad[0] else None
    gw = correlation(x, w) if ctx.needs_input_grad[1] else None
    return gx, gw, None, None, None


def _mapped(product: Any, in_dims: Any, x: torch.Tensor, w: torch.Tensor, *options: Any):
    x, w = (t if dim is None else t.movedim(dim, 0) for t, dim in zip((x, w), in_dims, strict=False))
    return product(x, w, *options), 0


@torch.library.custom_op(
    "conv1d_kit::product",
    mutates_args=(),
    schema="(Tensor x, Tensor w, SymInt[] starts, SymInt[] sizes, str method) -> Tensor",
)
def _product_op(x, w, starts, sizes, method):
    """`_product` as torch.compile sees it: one step, inside which values may be looked at."""
    return _product(x, w, starts, sizes, method).contiguous()


@_product_op.register_fake
def _product_shape(x, w, starts, sizes, method):
    n = len(sizes)
    return x.new_empty((*torch.broadcast_shapes(x.shape[:-n], w.shape[:-n]), *sizes))


_product_op.register_autograd(lambda ctx, gy: _gradients(_product_op, ctx, gy), setup_context=_remember)
_product_op.register_vmap(lambda info, in_dims, x, w, *options: _mapped(_product_op, in_dims, x, w, *options))


def _through_core(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    """By one of METHODS: what only x has becomes the batch, what both have groups, what only w has channels."""
    n = len(windows)
    rank = max(x.ndim, w.ndim)
    x, w = (t[(None,) * (rank - t.ndim)] for t in (x, w))
    only_x, both, only_w = _kinds(x.shape[:-n], w.shape[:-n])
    last = range(rank - n, rank)
    order = [*only_x, *both, *only_w, *last]
    batch, shared = [x.shape[axis] for axis in only_x], [x.shape[axis] for axis in both]
    own = [w.shape[axis] for axis in only_w]
    groups = math.prod(shared)
    signal = x.permute(order).reshape(math.prod(batch), groups, *x.shape[-n:])
    kernel = w.permute(order).reshape(groups * math.prod(own), 1, *w.shape[-n:])
    g = _geometry(x.shape[-n:], w.shape[-n:], windows, groups)
    # zeros beside several axes as a copy: torch's kernel for one channel is ten times slower at its own pads
    now = g.pads if n > 1 else tuple((min(low, 0), min(high, 0)) for low, high in g.pads)
    left = tuple((p - a, q - b) for (p, q), (a, b) in zip(g.pads, now, strict=True))
    signal, g = pad(signal, now), g._replace(pads=left)
    y = METHODS[method](signal, kernel.flip(tuple(range(2, n + 2))), g)
    y = y.reshape(*batch, *shared, *own, *[size for _, size in windows])
    return y.permute([order.index(axis) for axis in range(rank)])


def _kinds(x_lead: Sequence[int], w_lead: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """The axes along which w is broadcast, neither is, and x is."""
    only_x = [axis for axis, size in enumerate(w_lead) if size == 1]
    only_w = [axis for axis, size in enumerate(x_lead) if size == 1 and axis not in only_x]
    return only_x, [axis for axis in range(len(x_lead)) if axis not in only_x + only_w], only_w


def _geometry(sizes: Sequence[int], taps: Sequence[int], windows: Windows, groups: int) -> Geometry:
    """Of the correlation that gives the windows of a convolution."""
    pads = tuple(
        (k - 1 - start, start + count - n) for n, k, (start, count) in zip(sizes, taps, windows, strict=True)
    )
    return Geometry((1,) * len(pads), pads, (1,) * len(pads), groups)


def _spectral(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    """All axes in one spectrum, or in one a block."""
    n = len(windows)
    sizes, taps = tuple(x.shape[-n:]), tuple(w.shape[-n:])
    if method == "overlap_add":
        lengths = _block_lengths(sizes, taps)
        if any(length - k + 1 < size for length, size, k in zip(lengths, sizes, taps, strict=True)):
            return _overlap_add(x, w, windows, lengths)
    lengths = _whole_lengths(sizes, taps, windows)
    return _inverse(_forward(x, lengths) * _forward(w, lengths), lengths, windows, x.is_complex())


def _overlap_add(x: torch.Tensor, w: torch.Tensor, windows: Windows, lengths: Sequence[int]) -> torch.Tensor:
    """One block of x at a time, small enough for the cache, added where it belongs."""
    n = len(lengths)
    spectrum = _forward(w, lengths)
    sizes, taps = x.shape[-n:], w.shape[-n:]
    y = x.new_zeros((*torch.broadcast_shapes(x.shape[:-n], w.shape[:-n]), *(count for _, count in windows)))
    hops = [min(size, length - k + 1) for size, length, k in zip(sizes, lengths, taps, strict=True)]
    for corner in itertools.product(*(range(0, size, hop) for size, hop in zip(sizes, hops, strict=True))):
        block, where, keep = x, y, []  # keep: (start, size) in the block's own result
        for axis, (at, hop, size, k, (start, count)) in enumerate(
            zip(corner, hops, sizes, taps, windows, strict=True), start=-n
        ):
            length = min(hop, size - at)
            low, high = max(at, start), min(at + length + k - 1, start + count)
            if high <= low:
                break
            block, where = block.narrow(axis, at, length), where.narrow(axis, low - start, high - low)
            keep.append((low - at, high - low))
        else:
            where += _inverse(_forward(block, lengths) * spectrum, lengths, tuple(keep), x.is_complex())
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
    """FFT lengths that hold both inputs, and whose ends that wrap round miss the windows."""
    return tuple(
        fast_length(max(n, k, start + count, n + k - 1 - start))
        for n, k, (start, count) in zip(sizes, taps, windows, strict=True)
    )


@remembered
def _block_lengths(sizes: tuple[int, ...], taps: tuple[int, ...]) -> tuple[int, ...]:
    """FFT length of a block on each axis with the least predicted time; nothing wraps round in any of them."""
    choices = []
    for n, k in zip(sizes, taps, strict=True):
        whole = fast_length(n + k - 1)
        powers = (1 << bits for bits in range(max(4, (2 * k - 1).bit_length()), whole.bit_length()))
        choices.append([whole, *(power for power in powers if power - k + 1 < n)])
    return min(itertools.product(*choices), key=lambda lengths: _block_seconds(sizes, taps, lengths))


def _block_seconds(sizes: Sequence[int], taps: Sequence[int], lengths: Sequence[int]) -> float:
    blocks = [-(-n // (length - k + 1)) for n, k, length in zip(sizes, taps, lengths, strict=True)]
    return math.prod(blocks) * _transform_seconds(lengths)


def _transform_seconds(lengths: Sequence[int]) -> float:
    points = math.prod(lengths)
    slower = 1.0 if points <= CACHE_POINTS else OUT_OF_CACHE
    return BLOCK_OVERHEAD + 2 * points * math.log2(points) * POINT * slower


@remembered
def _choose(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], windows: Windows, itemsize: int, inexact: bool
) -> str:
    """The method with the least predicted time."""
    n = len(windows)
    sizes, taps = x_shape[-n:], w_shape[-n:]
    only_x, both, only_w = _kinds(x_shape[:-n], w_shape[:-n])
    n_batch = math.prod([x_shape[axis] for axis in only_x])
    groups = math.prod([x_shape[axis] for axis in both])
    n_out = groups * math.prod([w_shape[axis] for axis in only_w])
    g = _geometry(sizes, taps, windows, groups)
    work = Work((n_batch, groups, *sizes), (n_out, 1, *taps), g, itemsize, inexact)
    if n == 1:
        return cheapest_method(work)
    seconds = dict(predicted_seconds(work))
    rows = n_batch * n_out * (itemsize / 4 if inexact else 2.0)
    outputs = n_batch * n_out * math.prod([count for _, count in windows])
    if outputs * itemsize >= LARGE_BYTES:
        seconds["direct"] += outputs * LARGE_OUTPUT
    seconds["overlap_add"] = rows * _block_seconds(sizes, taps, _block_lengths(sizes, taps))
    seconds["fft"] = rows * _transform_seconds(_whole_lengths(sizes, taps, windows))
    return min(seconds, key=seconds.__getitem__)
