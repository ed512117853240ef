"""Decided from shapes alone, once, and remembered: does it fit, how is it padded, which method computes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import LARGEST, InputError, is_whole
from .adjoint_cost import gradient_ways
from .array import check_dtype, common_dtype, shown
from .cost import Work, cheapest_method
from .geometry import Geometry
from .library import REALS, straight_call
from .padding import Pads, check_mode, is_symbol, is_zero, resolve_padding
from .spectrum import remembered

__all__ = [
    "Plan",
    "check_bias",
    "check_flip",
    "check_groups",
    "check_numbers",
    "check_option",
    "check_rank",
    "make_plan",
    "per_axis",
]

METHOD_NAMES = ("auto", "direct", "overlap_add", "fft")


class Plan(NamedTuple):
    """How one convolution is computed."""

    mode: Any  # padding mode
    mode_pads: Pads | None  # pads to invent by `mode` first; None where zeros do
    geometry: Geometry  # the rest, pads of zeros
    method: str  # a key of kernels.METHODS
    batched: bool  # x came with a batch axis
    work: Work
    fused: bool  # torch's own kernel computes it, bias included
    straight: tuple[Any, tuple[int, ...]] | None  # that kernel and its pads; None where more is to be decided
    gradients: tuple[str, str] | None  # ways of x's and w's; None where those of the method serve both


def make_plan(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    dtype: torch.dtype,
    stride: Any,
    padding: Any,
    padding_mode: Any,
    dilation: Any,
    groups: Any,
    method: str,
) -> Plan:
    """The plan of a convolution, or InputError saying what does not fit."""
    arguments = (x_shape, w_shape, dtype, stride, padding, padding_mode, dilation, groups, method)
    if x_shape and isinstance(x_shape[0], torch.Tensor):  # as torch.jit.trace has it: alike in no other call
        return _plan(*arguments)
    try:
        return _remembered(*arguments)
    except TypeError:  # a list among them cannot be hashed
        return _plan(*arguments)


def per_axis(name: str, value: Any, n: int, *, least: int = 1) -> tuple[int, ...]:
    """`value` as n ints >= least, or InputError."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(values) == 1:
        values = values * n
    if len(values) != n or not all(is_whole(v) and least <= v <= LARGEST for v in values):
        many = f" or {n} of them" if n > 1 else ""
        limit = f" and <= {LARGEST}" if any(is_whole(v) and v > LARGEST for v in values) else ""
        raise InputError(f"{name} must be an int >= {least}{limit}{many}, got {shown(value)}")
    return tuple(int(v) for v in values)


def check_option(name: str, value: Any, allowed: Sequence[str]) -> None:
    """value is one of the names allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"{name} must be {', '.join(allowed)}, got {shown(value)}")


def check_flip(flip: Any) -> None:
    """flip is a bool."""
    if not isinstance(flip, bool | np.bool_):
        raise InputError(f"flip must be True or False, got {shown(flip)}")


def check_numbers(name: str, shape: Sequence[int]) -> None:
    """An array of this shape can be counted in bytes, so that it either fits or runs out of memory."""
    if all(isinstance(n, int) for n in shape) and math.prod(shape) > 2**58:
        raise InputError(f"{name} must have at most 2^58 numbers, got shape {tuple(shape)}")


def check_rank(x_shape: tuple[int, ...], w_shape: tuple[int, ...], layout: str) -> tuple[tuple[int, ...], bool]:
    """x's shape with its batch axis, and whether it came with one."""
    n = len(w_shape) - 2
    if n not in (1, 2, 3):
        raise InputError(f"w must be {layout} with 1 to 3 kernel axes, got {tuple(w_shape)}")
    if len(x_shape) == n + 2:
        return tuple(x_shape), True
    if len(x_shape) == n + 1:
        return (1, *x_shape), False
    axes = ("T", "H, W", "D, H, W")[n - 1]
    missing = n + 2 - len(x_shape)
    cure = f"try x[{'None, ' * missing}...]" if missing > 0 else f"w has {n} kernel axes"
    raise InputError(f"x must be (B, C, {axes}) or (C, {axes}), got shape {tuple(x_shape)}; {cure}")


def check_groups(groups: Any) -> int:
    """groups as an int >= 1, or InputError."""
    if not is_whole(groups) or groups < 1:
        raise InputError(f"groups must be an int >= 1, got {shown(groups)}")
    return int(groups)


def check_bias(bias: torch.Tensor | None, n_out: int, dtype: torch.dtype) -> None:
    """bias is (C_out,), and adding it leaves the result's dtype as it is."""
    if bias is None:
        return
    if bias.ndim != 1 or bias.shape[0] != n_out:
        raise InputError(f"bias must be (C_out,) = ({n_out},), got shape {tuple(bias.shape)}")
    if bias.dtype != dtype and common_dtype(bias, torch.empty(0, dtype=dtype)) != dtype:
        raise InputError(
            f"bias must not be wider than x and w, got {bias.dtype} beside {dtype}; convert one of them"
        )


def _plan(x_shape, w_shape, dtype, stride, padding, padding_mode, dilation, groups, method) -> Plan:
    x_shape, batched = check_rank(x_shape, w_shape, "(C_out, C_in/groups, *kernel)")
    w_shape, n = tuple(w_shape), len(w_shape) - 2
    stride, dilation = per_axis("stride", stride, n), per_axis("dilation", dilation, n)
    groups = check_groups(groups)
    check_dtype(dtype)
    if x_shape[1] != w_shape[1] * groups:
        raise InputError(
            f"w must be (C_out, C_in/groups, *kernel) with C_in = {x_shape[1]} and groups = {groups}, "
            f"got {w_shape}"
        )
    if w_shape[0] % groups:
        raise InputError(f"groups must divide the {w_shape[0]} output channels, got {groups}")
    if math.prod(w_shape[2:]) == 0:
        raise InputError(f"the kernel must have at least one tap an axis, got {w_shape[2:]}")
    check_option("method", method, METHOD_NAMES)
    mode = check_mode(padding_mode, dtype)
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], dilation, strict=True)]
    pads = resolve_padding(padding, x_shape[2:], spans, stride)
    for axis, (size, (low, high), span) in enumerate(zip(x_shape[2:], pads, spans, strict=True)):
        by_name = isinstance(padding, str) and padding != "valid" and not isinstance(size, int)
        if not by_name and size + low + high < span:  # a name always fits a symbolic size, which is >= 1
            raise InputError(
                f"the kernel must fit into the padded input, got {span} taps (dilation counted) on "
                f"{size} + {low} + {high} positions of spatial axis {axis}; try padding='full'"
            )
    padded = (*x_shape[:2], *(n + low + high for n, (low, high) in zip(x_shape[2:], pads, strict=True)))
    out_sizes = Geometry(stride, pads, dilation, groups).out_sizes(x_shape[2:], w_shape[2:])
    check_numbers("x with its padding", padded)
    check_numbers("the output", (x_shape[0], w_shape[0], *out_sizes))
    mode_pads = None
    flat = [side for low_high in pads for side in low_high]
    invented = mode != "zeros" and not all(is_zero(side) for side in flat)
    if invented or any(is_symbol(side) for side in flat):  # kernels may not ask symbols
        mode_pads, pads, x_shape = pads, ((0, 0),) * n, padded
    geometry = Geometry(stride, pads, dilation, groups)
    inexact = dtype.is_floating_point or dtype.is_complex
    work = Work(x_shape, w_shape, geometry, dtype.itemsize, inexact)
    tracing = torch.jit.is_tracing()
    exporting, free = torch.compiler.is_exporting() or tracing, False
    if tracing and method not in ("auto", "direct"):
        raise InputError(f"method must be 'auto' or 'direct' under torch.jit.trace, got {method!r}")
    if not exporting and 0 in x_shape + w_shape:
        method = "direct"  # nothing to transform
    elif method == "auto":
        method = "direct" if exporting else cheapest_method(work)
        free = not exporting and not torch.compiler.is_compiling() and method == "direct"
    fused = method == "direct" and dtype.is_floating_point and 0 not in w_shape
    straight = None
    seen = not exporting and not torch.compiler.is_compiling()  # symbols are not to be compared
    if fused and batched and mode_pads is None and seen and 0 not in x_shape:
        straight = straight_call(work, dtype)
    gradients = gradient_ways(work) if free and dtype in REALS else None
    return Plan(mode, mode_pads, geometry, method, batched, work, fused, straight, gradients)


_remembered = remembered(_plan)
