"""Linear convolution of two tensors along any axes, broadcasting along the others: what scipy's face computes.

One axis goes to the core's methods; several axes have their own two here, with all axes in the spectrum. Either
is one bilinear product whose gradients are such products again, so that the rules (a NaN or Inf reaches exactly
the outputs that multiply it, finite sums never overflow on the way) hold for them too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from .cost import Work, predicted_seconds
from .differentiable import all_finite, inside_transform, scaled
from .geometry import Geometry
from .kernels import METHODS, exact_in_double
from .padding import pad
from .plain import output_window
from .spectrum import fast_length, remembered
from .terms import sum_with_non_finite

__all__ = ["convolve_nd", "values_are_hidden"]

Windows = tuple[tuple[int, int], ...]  # (start, size) in the full convolution, one a convolved axis

POINT = 4.0e-10  # seconds a point of an N-dimensional float32 FFT, times log2 of its points
OUT_OF_CACHE = 2.2  # how much slower a point is once a transform leaves the second-level cache
CACHE_POINTS = 1 << 18
BLOCK_OVERHEAD = 60e-6  # seconds a block


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


def values_are_hidden(*tensors: torch.Tensor) -> bool:
    """True where no branch may depend on a value: torch.compile, torch.func, the meta device."""
    return torch.compiler.is_compiling() or any(t.is_meta or inside_transform(t) for t in tensors)


def _compute(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    """x (..., *n) ∗ w (..., *k) → (..., *sizes of the windows)."""
    if x.dtype in (torch.float16, torch.bfloat16) and method != "direct":
        return _compute(x.float(), w.float(), windows, method).to(x.dtype)
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    hidden = values_are_hidden(x, w)
    if method == "auto":
        method = _choose(tuple(x.shape), tuple(w.shape), windows, x.element_size(), inexact)
    if not inexact:  # whether an FFT would be exact depends on the values
        return _through_core(x, w, windows, "direct") if hidden else _integers(x, w, windows, method)
    if x.is_meta or ((method == "direct" or len(windows) == 1) and (hidden or _is_finite(w.detach()))):
        return _through_core(x, w, windows, method)  # only a kernel's NaN would meet the zeros of the pads
    if torch.compiler.is_compiling():
        starts, sizes = zip(*windows, strict=True)
        return _opaque_product(x, w, starts, sizes, method)
    if hidden or (torch.is_grad_enabled() and (x.requires_grad or w.requires_grad)):
        return _Product.apply(x, w, *zip(*windows, strict=True), method)
    return _product(x, w, windows, method)


def _integers(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    if method == "direct" or len(windows) == 1:
        return _through_core(x, w, windows, method)
    n = len(windows)
    if not exact_in_double(x, w, math.prod(_whole_lengths(x.shape[-n:], w.shape[-n:], windows))):
        return _through_core(x, w, windows, "direct")
    return _spectral(x.double(), w.double(), windows, method).round().to(torch.int64).to(x.dtype)


def _product(x: torch.Tensor, w: torch.Tensor, windows: Windows, method: str) -> torch.Tensor:
    """The product of values, zeros outside of the full convolution; each output is what its terms sum to."""
    n = len(windows)
    full = [size + k - 1 for size, k in zip(x.shape[-n:], w.shape[-n:], strict=True)]
    outside = tuple(
        (max(0, -start), max(0, start + size - end)) for (start, size), end in zip(windows, full, strict=True)
    )
    inside = tuple(
        (start + low, size - low - high) for (start, size), (low, high) in zip(windows, outside, strict=True)
    )

    def run(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return (_spectral if n > 1 and method != "direct" else _through_core)(p, q, inside, method)

    y = run(x, w)
    if not _is_finite(y):
        if not (_is_finite(x) and _is_finite(w)):
            y = sum_with_non_finite(x, w, lambda p, q: _product(p, q, inside, method))
        elif method != "direct":  # the sums of an FFT overflow long before its results
            y = scaled(x, w, run)
    return pad(y, outside)


def _is_finite(t: torch.Tensor) -> bool:
    return all_finite(t) or bool(torch.isfinite(t).all())


class _Product(torch.autograd.Function):
    """`_product` with its derivatives, which are products; under vmap the new axis is one more to broadcast."""

    @staticmethod
    def forward(x, w, starts, sizes, method):
        return _product(x, w, tuple(zip(starts, sizes, strict=True)), method)

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
        return sum(parts[1:], parts[0])

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
        return _all_lags(product, gy, other, starts, wanted.shape[-n:], method).sum_to_size(wanted.shape)

    gx = correlation(w, x) if ctx.needs_input_grad[0] else None
    gw = correlation(x, w) if ctx.needs_input_grad[1] else None
    return gx, gw, None, None, None


def _all_lags(
    product: Any, gy: torch.Tensor, x: torch.Tensor, starts: Sequence[int], lags: Sequence[int], method: str
) -> torch.Tensor:
    """gw[i] = sum_t gy[t]·conj(x[t + start − i]) for i below `lags`."""
    n = len(lags)
    lows = [size - 1 - start for size, start in zip(x.shape[-n:], starts, strict=True)]
    return product(gy, x.flip(tuple(range(-n, 0))).conj().resolve_conj(), lows, lags, method)


def _mapped(product: Any, in_dims: Any, x: torch.Tensor, w: torch.Tensor, *options: Any):
    x, w = (t if dim is None else t.movedim(dim, 0) for t, dim in zip((x, w), in_dims, strict=False))
    return product(x, w, *options), 0


@torch.library.custom_op(
    "conv1d_kit::product",
    mutates_args=(),
    schema="(Tensor x, Tensor w, SymInt[] starts, SymInt[] sizes, str method) -> Tensor",
)
def _opaque_product(x, w, starts, sizes, method):
    """`_product` as torch.compile sees it: one step, inside which values may be looked at."""
    return _product(x, w, tuple(zip(starts, sizes, strict=True)), method)


@_opaque_product.register_fake
def _(x, w, starts, sizes, method):
    n = len(sizes)
    return x.new_empty((*torch.broadcast_shapes(x.shape[:-n], w.shape[:-n]), *sizes))


_opaque_product.register_autograd(lambda ctx, gy: _gradients(_opaque_product, ctx, gy), setup_context=_remember)
_opaque_product.register_vmap(
    lambda info, in_dims, x, w, *options: _mapped(_opaque_product, in_dims, x, w, *options)
)


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
    signal = pad(signal, tuple((min(low, 0), min(high, 0)) for low, high in g.pads))
    g = g._replace(pads=tuple((max(low, 0), max(high, 0)) for low, high in g.pads))
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
    seconds = predicted_seconds(Work((n_batch, groups, *sizes), (n_out, 1, *taps), g, itemsize, inexact))
    if n > 1:
        rows = n_batch * n_out * (itemsize / 4 if inexact else 2.0)
        seconds["overlap_add"] = rows * _block_seconds(sizes, taps, _block_lengths(sizes, taps))
        seconds["fft"] = rows * _transform_seconds(_whole_lengths(sizes, taps, windows))
    return min(seconds, key=seconds.__getitem__)
