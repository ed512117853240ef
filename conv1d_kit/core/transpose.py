"""The adjoint of the convolution: each input spreads a kernel over the output (upsampling, decoders)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from ..errors import InputError
from .adjoint_cost import phases_are_quicker
from .array import check_dtype, common_dtype, enter, narrow, widen
from .autocast import in_autocast_dtype, is_autocast_on
from .compute import add_bias
from .conv import conv
from .differentiable import is_seen
from .geometry import Geometry
from .kernels import direct
from .library import REALS
from .phases import spread_by_phases
from .plan import check_bias, check_groups, check_rank, per_axis
from .spectral import as_convolution
from .spectrum import remembered

__all__ = ["conv_transpose"]

LEAST = 2048  # numbers of x and of an output row, below which phases are not worth asking about


def conv_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    output_size: int | tuple[int, ...] | None = None,
) -> Any:
    """The adjoint of `conv` with the same stride, padding, dilation and groups: it spreads each input out.

    Parameters
    ----------
    x : array or Tensor [shape=(B, C_in, *spatial) or (C_in, *spatial)]
    w : array or Tensor [shape=(C_in, C_out / groups, *kernel)]
    bias : array or Tensor [shape=(C_out,)], optional
    stride, dilation : int >= 1, or one a spatial axis
    padding : int >= 0, or one a spatial axis
        How much `conv` had padded; so much is cut off here.
    output_padding : int >= 0 and < max(stride, dilation), or one a spatial axis
        Chooses among the lengths that `conv` maps to the length of x.
    output_size : int or one a spatial axis, optional
        The wanted spatial size instead of `output_padding`.

    Returns
    -------
    array of the kind that came in [shape=(B, C_out, *out) or (C_out, *out)]
        out = (size − 1)·stride − 2·padding + (K − 1)·dilation + 1 + output_padding.

    Raises
    ------
    InputError
        A shape or option that does not fit.
    InputTypeError
        As `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> conv_transpose(np.array([[1.0, 2.0]]), np.array([[[1.0, 1.0, 1.0]]]), stride=2)
    array([[1., 1., 3., 2., 2.]])
    """
    if is_autocast_on():
        return in_autocast_dtype(
            conv_transpose, x, w, bias, stride=stride, padding=padding, output_padding=output_padding,
            dilation=dilation, groups=groups, output_size=output_size,
        )  # fmt: skip
    (x, w, bias), leave = enter(x=x, w=w, bias=bias)
    dtype = x.dtype if x.dtype == w.dtype else common_dtype(x, w)
    arguments = (x.shape, w.shape, dtype, stride, padding, output_padding, dilation, groups, output_size)
    try:
        plan = _remembered(*arguments)
    except TypeError:  # a list among them cannot be hashed
        plan = _plan(*arguments)
    check_bias(bias, w.shape[1] * groups, dtype)
    x, w, bias = widen(x, dtype), widen(w, dtype), None if bias is None else widen(bias, dtype)
    x = x if plan.batched else x[None]
    if 0 in x.shape or 0 in w.shape:
        y = x.new_zeros((len(x), w.shape[1] * groups, *plan.sizes)) + x[:0].sum() + w[:0].sum()  # of the graph
        y = add_bias(y, bias)
    elif plan.by_phases and x.is_cpu and is_seen(x, w):
        y = _in_phases(x, w, bias, plan)
    elif dtype.is_floating_point:
        y = _torchs(x, w, bias, plan)
    else:  # what torch lacks (integers) or sums less precisely (complex)
        g = Geometry(plan.stride, tuple((p, p) for p in plan.padding), plan.dilation, groups)
        y = add_bias(direct(*as_convolution(x, w, g, plan.sizes)), bias)
    return leave(narrow(y if plan.batched else y[0], dtype))


class _Plan(NamedTuple):
    """Checked arguments, an entry an axis."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    extra: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    sizes: tuple[int, ...]
    batched: bool
    by_phases: bool  # `phases.py` takes over, where values can be looked at


def _plan(x_shape, w_shape, dtype, stride, padding, output_padding, dilation, groups, output_size) -> _Plan:
    x_shape, batched = check_rank(x_shape, w_shape, "(C_in, C_out/groups, *kernel)")
    n = len(w_shape) - 2
    stride, dilation = per_axis("stride", stride, n), per_axis("dilation", dilation, n)
    padding, extra = (
        per_axis("padding", padding, n, least=0),
        per_axis("output_padding", output_padding, n, least=0),
    )
    check_groups(groups)
    if x_shape[1] != w_shape[0] or x_shape[1] % groups:
        raise InputError(
            f"w must be (C_in, C_out/groups, *kernel) with C_in = {x_shape[1]} divisible by groups = {groups}, "
            f"got {tuple(w_shape)}"
        )
    if 0 in w_shape[2:]:
        raise InputError(f"the kernel must have at least one tap an axis, got {tuple(w_shape[2:])}")
    check_dtype(dtype)
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], dilation, strict=True)]
    axes = zip(x_shape[2:], stride, padding, spans, strict=True)
    least = [(size - 1) * s - 2 * p + span for size, s, p, span in axes]
    if output_size is not None:
        wanted = per_axis("output_size", output_size, n, least=0)
        extra = tuple(a - b for a, b in zip(wanted, least, strict=True))
    for e, s, d, size in zip(extra, stride, dilation, least, strict=True):
        if not 0 <= e < max(s, d):
            if output_size is not None:
                raise InputError(f"output_size must be {size} to {size + max(s, d) - 1}, got {size + e}")
            raise InputError(f"output_padding must be >= 0 and < max(stride, dilation) = {max(s, d)}, got {e}")
        if size + e < 1:
            raise InputError(f"the output must have at least one position, got {size + e}; use less padding")
    sizes = tuple(size + e for size, e in zip(least, extra, strict=True))
    by_phases = (
        n == 1 == dilation[0]
        and dtype in REALS
        and 0 not in (*x_shape, *w_shape)
        and not torch.jit.is_tracing()  # where sizes are tensors
        and math.prod(x_shape) + sizes[0] >= LEAST
        and phases_are_quicker(x_shape, tuple(w_shape), stride[0], groups, dtype.itemsize)
    )
    return _Plan(stride, padding, extra, dilation, groups, sizes, batched, by_phases)


_remembered = remembered(_plan)


def _in_phases(x, w, bias, plan: _Plan) -> torch.Tensor:
    (stride,), (padding,), (size,) = plan.stride, plan.padding, plan.sizes
    y = spread_by_phases(x, w, stride, padding, size, plan.groups, _convolved)
    return _torchs(x, w, bias, plan) if y is None else add_bias(y, bias)


def _convolved(x: torch.Tensor, w: torch.Tensor, pads: tuple[int, int], groups: int) -> torch.Tensor:
    return conv(x, w, padding=(pads,), groups=groups)


def _torchs(x, w, bias, plan: _Plan) -> torch.Tensor:
    run = (torch.nn.functional.conv_transpose1d, torch.nn.functional.conv_transpose2d,
           torch.nn.functional.conv_transpose3d)[x.ndim - 3]  # fmt: skip
    return run(x, w, bias, plan.stride, plan.padding, plan.extra, plan.groups, plan.dilation)
