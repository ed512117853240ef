"""Spectral convolution as its users need it: not finite values where the direct sum has them, and derivatives.

The three products of `spectral.py` are bilinear and each other's derivatives, so that first, second and further
orders, backwards and forwards, need nothing else. Under torch.compile they are operators of their own, so that
what depends on values (is all finite?) stays possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from .geometry import Geometry
from .library import library
from .spectral import forward_product, input_product, weight_product
from .spectrum import fft_points
from .terms import sum_with_non_finite

__all__ = [
    "all_finite",
    "input_gradient",
    "inside_transform",
    "is_plain",
    "is_seen",
    "scaled",
    "spectral_conv",
    "weight_gradient",
]

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def spectral_conv(
    x: torch.Tensor,
    w: torch.Tensor,
    g: Geometry,
    method: str,
    spectra_w: list[torch.Tensor] | None = None,
    n_fft: int | None = None,
) -> torch.Tensor:
    """Convolution of real or complex x (B, C, *spatial), w by the blocks of `method`, differentiable.

    A NaN or Inf reaches exactly the outputs, or gradients, that it is a term of; finite sums of finite terms
    are finite, however large the terms of the transform would be. `n_fft`: blocks of so many points, whatever
    the method would take.
    """
    if torch.compiler.is_compiling():
        pads = [side for both in g.pads for side in both]
        return torch.ops.conv1d_kit.spectral_conv(x, w, g.stride, pads, g.dilation, g.groups, method)
    n_fft = n_fft or fft_points(method, g, x.shape, w.shape, x.dtype.itemsize)
    tensors = (x, w)
    if inside_transform(*tensors) or (torch.is_grad_enabled() and any(t.requires_grad for t in tensors)):
        return _Conv.apply(x, w, g, n_fft)
    return _conv(x, w, g, n_fft, spectra_w)


def input_gradient(gy: torch.Tensor, w: torch.Tensor, g: Geometry, sizes: tuple[int, ...]) -> torch.Tensor:
    """x's gradient [spatial shape `sizes`] through FFT, differentiable."""
    return _Input.apply(gy, w, g, sizes)


def weight_gradient(gy: torch.Tensor, x: torch.Tensor, g: Geometry, kernel: tuple[int, ...]) -> torch.Tensor:
    """w's gradient [kernel shape `kernel`] through FFT, differentiable."""
    return _Weight.apply(gy, x, g, kernel)


def inside_transform(*tensors: torch.Tensor) -> bool:
    """True in forward mode and for what torch.func hands a function: values that cannot be looked at."""
    if forward_ad._current_level >= 0:
        return True
    if torch._C._functorch.peek_interpreter_stack() is None:
        return False
    return any(torch._C._functorch.is_functorch_wrapped_tensor(t) for t in tensors)


def is_seen(*tensors: torch.Tensor) -> bool:
    """Nothing traces, or hides the values."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or inside_transform(*tensors):
        return False
    if torch._C._len_torch_dispatch_stack():  # fake tensors, torch.fx
        return False
    for t in tensors:  # noqa: SIM110
        if t.is_meta:
            return False
    return True


def is_plain(*tensors: torch.Tensor) -> bool:
    """Nothing asks for derivatives, traces, or hides the values."""
    if torch.is_grad_enabled():
        for t in tensors:
            if t.requires_grad:
                return False
    return is_seen(*tensors)


def all_finite(t: torch.Tensor) -> bool:
    """Whether the sum is finite, which is quicker to ask; True where there are no values to look at."""
    if t.is_meta:
        return True
    total = t.detach().sum().item()
    return math.isfinite(total.real) and math.isfinite(total.imag)


def _conv(x, w, g: Geometry, n_fft: int, spectra_w=None) -> torch.Tensor:
    y = forward_product(x, w, g, n_fft, spectra_w)
    if _stays_finite(x, w, y.numel(), n_fft) or all_finite(y):
        return y
    if not bool(torch.isfinite(w).all()):
        return library(x, w, g)
    return _mended(y, x, w, lambda a, b: forward_product(a, b, g, n_fft))


def _stays_finite(x: torch.Tensor, w: torch.Tensor, outputs: int, n_fft: int) -> bool:
    """Whether a sum of many outputs is finite by what x and w are, which are few: no need to look at all."""
    if 8 * (x.numel() + w.numel()) > outputs or x.is_meta:
        return False
    largest = math.prod(torch.linalg.vector_norm(t.detach(), math.inf).item() for t in (x, w))
    return largest * w.shape[1] * n_fft**2 < torch.finfo(x.dtype).max  # False where one is NaN


def _input(gy, w, g: Geometry, sizes: Sequence[int]) -> torch.Tensor:
    gx = input_product(gy, w, g, sizes)
    return gx if all_finite(gx) else _mended(gx, gy, w, lambda a, b: input_product(a, b, g, sizes))


def _weight(gy, x, g: Geometry, kernel: Sequence[int]) -> torch.Tensor:
    gw = weight_product(gy, x, g, kernel)
    return gw if all_finite(gw) else _mended(gw, gy, x, lambda a, b: weight_product(a, b, g, kernel))


def _mended(y: torch.Tensor, a: torch.Tensor, b: torch.Tensor, product: Product) -> torch.Tensor:
    """product(a, b) that came out as y, not finite: by its terms, or scaled so that no transform overflows."""
    if not bool(torch.isfinite(a).all()) or not bool(torch.isfinite(b).all()):
        return sum_with_non_finite(a, b, lambda p, q: scaled(p, q, product))
    return y if bool(torch.isfinite(y).all()) else scaled(a, b, product)


def scaled(a: torch.Tensor, b: torch.Tensor, product: Product) -> torch.Tensor:
    """product(a, b) with both brought below 1 by powers of two, which round nothing, and the result back."""
    powers = [-_exponent(t) for t in (a, b)]
    y = product(*(_times_power(t, power) for t, power in zip((a, b), powers, strict=True)))
    return _times_power(y, -sum(powers))


def _exponent(t: torch.Tensor) -> int:
    parts = torch.view_as_real(t.resolve_conj()) if t.is_complex() else t
    top = float(parts.abs().max()) if t.numel() else 0.0
    return math.frexp(top)[1]


def _times_power(t: torch.Tensor, power: int) -> torch.Tensor:
    """t·2^power in steps that stay inside the dtype's range."""
    step = 100 if t.dtype in (torch.float32, torch.complex64) else 1000
    while power:
        part = max(-step, min(step, power))
        t, power = t * 2.0**part, power - part
    return t


class _Bilinear(torch.autograd.Function):
    """What the three have in common: setup_context's (a, b, g, extra), forward mode and vmap."""

    @staticmethod
    def jvp(ctx, da, db, _g, _extra):
        a, b = ctx.saved_tensors
        parts = [] if da is None else [ctx.of.apply(da, b, ctx.g, ctx.extra)]
        parts += [] if db is None else [ctx.of.apply(a, db, ctx.g, ctx.extra)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _own(y: torch.Tensor) -> torch.Tensor:
    """y over memory of its own: forward mode takes no views for results."""
    return y.clone() if y._is_view() else y


def _remember(ctx, of, inputs) -> None:
    a, b, ctx.g, ctx.extra = inputs
    ctx.of = of
    ctx.save_for_backward(a, b)
    ctx.save_for_forward(a, b)


def _one_by_one(function, info, in_dims, a, b, g, extra):
    def row(i: int) -> torch.Tensor:
        given = zip((a, b), in_dims, strict=False)
        return function.apply(*(t if d is None else t.select(d, i) for t, d in given), g, extra)

    if info.batch_size == 0:  # one row of zeros tells the shape
        a, b = (
            t if d is None else t.new_zeros((1, *t.movedim(d, 0).shape[1:])).movedim(0, d)
            for t, d in zip((a, b), in_dims, strict=False)
        )
        return row(0)[None][:0], 0
    return torch.stack([row(i) for i in range(info.batch_size)]), 0


class _Conv(_Bilinear):
    @staticmethod
    def forward(x, w, g, n_fft):
        return _own(_conv(x, w, g, n_fft))

    @staticmethod
    def setup_context(ctx, inputs, output):
        _remember(ctx, _Conv, inputs)

    @staticmethod
    def backward(ctx, gy):
        (x, w), g = ctx.saved_tensors, ctx.g
        gx = _Input.apply(gy, w.conj(), g, tuple(x.shape[2:])) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(gy, x.conj(), g, tuple(w.shape[2:])) if ctx.needs_input_grad[1] else None
        return gx, gw, None, None

    @staticmethod
    def vmap(info, in_dims, x, w, g, n_fft):
        return _one_by_one(_Conv, info, in_dims, x, w, g, n_fft)


class _Input(_Bilinear):
    @staticmethod
    def forward(gy, w, g, sizes):
        return _own(_input(gy, w, g, sizes))

    @staticmethod
    def setup_context(ctx, inputs, output):
        _remember(ctx, _Input, inputs)

    @staticmethod
    def backward(ctx, v):
        (gy, w), g = ctx.saved_tensors, ctx.g
        n_fft = fft_points("overlap_add", g, v.shape, w.shape, v.dtype.itemsize)
        ggy = _Conv.apply(v, w.conj(), g, n_fft) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(gy.conj(), v, g, tuple(w.shape[2:])) if ctx.needs_input_grad[1] else None
        return ggy, gw, None, None

    @staticmethod
    def vmap(info, in_dims, gy, w, g, sizes):
        return _one_by_one(_Input, info, in_dims, gy, w, g, sizes)


class _Weight(_Bilinear):
    @staticmethod
    def forward(gy, x, g, kernel):
        return _own(_weight(gy, x, g, kernel))

    @staticmethod
    def setup_context(ctx, inputs, output):
        _remember(ctx, _Weight, inputs)

    @staticmethod
    def backward(ctx, v):
        (gy, x), g = ctx.saved_tensors, ctx.g
        n_fft = fft_points("overlap_add", g, x.shape, v.shape, v.dtype.itemsize)
        ggy = _Conv.apply(x.conj(), v, g, n_fft) if ctx.needs_input_grad[0] else None
        gx = _Input.apply(gy.conj(), v, g, tuple(x.shape[2:])) if ctx.needs_input_grad[1] else None
        return ggy, gx, None, None

    @staticmethod
    def vmap(info, in_dims, gy, x, g, kernel):
        return _one_by_one(_Weight, info, in_dims, gy, x, g, kernel)


# --- the same as operators, for torch.compile ---

_GEOMETRY = "SymInt[] stride, SymInt[] pads, SymInt[] dilation, SymInt groups"


def _geometry(stride, pads, dilation, groups) -> Geometry:
    pairs = tuple(zip(pads[::2], pads[1::2], strict=True))
    return Geometry(tuple(stride), pairs, tuple(dilation), groups)


def _operator(name: str, schema: str) -> Callable[[Any], Any]:
    return torch.library.custom_op(f"conv1d_kit::{name}", mutates_args=(), schema=schema)


@_operator("spectral_conv", f"(Tensor x, Tensor w, {_GEOMETRY}, str method) -> Tensor")
def _conv_op(x, w, stride, pads, dilation, groups, method):
    g = _geometry(stride, pads, dilation, groups)
    n_fft = fft_points(method, g, x.shape, w.shape, x.dtype.itemsize)
    return _conv(x, w, g, n_fft).contiguous()


@_operator("spectral_input", f"(Tensor gy, Tensor w, {_GEOMETRY}, SymInt[] sizes) -> Tensor")
def _input_op(gy, w, stride, pads, dilation, groups, sizes):
    return _input(gy, w, _geometry(stride, pads, dilation, groups), tuple(sizes)).contiguous()


@_operator("spectral_weight", f"(Tensor gy, Tensor x, {_GEOMETRY}, SymInt[] kernel) -> Tensor")
def _weight_op(gy, x, stride, pads, dilation, groups, kernel):
    return _weight(gy, x, _geometry(stride, pads, dilation, groups), tuple(kernel)).contiguous()


@_conv_op.register_fake
def _conv_shape(x, w, stride, pads, dilation, groups, method):
    sizes = _geometry(stride, pads, dilation, groups).out_sizes(x.shape[2:], w.shape[2:])
    return x.new_empty((x.shape[0], w.shape[0], *sizes))


@_input_op.register_fake
def _input_shape(gy, w, stride, pads, dilation, groups, sizes):
    return gy.new_empty((gy.shape[0], w.shape[1] * groups, *sizes))


@_weight_op.register_fake
def _weight_shape(gy, x, stride, pads, dilation, groups, kernel):
    return gy.new_empty((gy.shape[1], x.shape[1] // groups, *kernel))


def _keep(ctx, inputs, output) -> None:
    a, b, *ctx.geometry, _ = inputs
    ctx.save_for_backward(a, b)


def _conv_backward(ctx, gy):
    (x, w), geometry = ctx.saved_tensors, ctx.geometry
    gx = _input_op(gy, w.conj_physical(), *geometry, x.shape[2:]) if ctx.needs_input_grad[0] else None
    gw = _weight_op(gy, x.conj_physical(), *geometry, w.shape[2:]) if ctx.needs_input_grad[1] else None
    return gx, gw, *[None] * 5


def _input_backward(ctx, v):
    (gy, w), geometry = ctx.saved_tensors, ctx.geometry
    ggy = _conv_op(v, w.conj_physical(), *geometry, "overlap_add") if ctx.needs_input_grad[0] else None
    gw = _weight_op(gy.conj_physical(), v, *geometry, w.shape[2:]) if ctx.needs_input_grad[1] else None
    return ggy, gw, *[None] * 5


def _weight_backward(ctx, v):
    (gy, x), geometry = ctx.saved_tensors, ctx.geometry
    ggy = _conv_op(x.conj_physical(), v, *geometry, "overlap_add") if ctx.needs_input_grad[0] else None
    gx = _input_op(gy.conj_physical(), v, *geometry, x.shape[2:]) if ctx.needs_input_grad[1] else None
    return ggy, gx, *[None] * 5


_conv_op.register_autograd(_conv_backward, setup_context=_keep)
_input_op.register_autograd(_input_backward, setup_context=_keep)
_weight_op.register_autograd(_weight_backward, setup_context=_keep)
