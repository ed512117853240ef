"""Decided from shapes alone, once, and remembered: does it fit, how is it padded, which method computes it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from ..errors import InputError
from .array import common_dtype
from .cost import Work, cheapest_method
from .geometry import Geometry
from .padding import Pads, check_mode, resolve_padding
from .spectrum import remembered

__all__ = ["Plan", "check_bias", "check_groups", "check_rank", "choose_method", "make_plan", "per_axis"]

METHOD_NAMES = ("auto", "direct", "overlap_add", "fft")


class Plan(NamedTuple):
    """How one convolution is computed."""

    mode: Any  # padding mode
    mode_pads: Pads | None  # pads to invent by `mode` first; None where zeros do
    geometry: Geometry  # the rest, pads of zeros
    method: str  # a key of kernels.METHODS
    batched: bool  # x came with a batch axis
    work: Work


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
    try:
        return _remembered(*arguments)
    except TypeError:  # a list among them cannot be hashed
        return _plan(*arguments)


def choose_method(x: torch.Tensor, w: torch.Tensor, g: Geometry) -> str:
    """The quickest key of kernels.METHODS for checked tensors."""
    inexact = x.dtype.is_floating_point or x.dtype.is_complex
    return cheapest_method(Work(tuple(x.shape), tuple(w.shape), g, x.dtype.itemsize, inexact))


def per_axis(name: str, value: Any, n: int, *, least: int = 1) -> tuple[int, ...]:
    """`value` as n ints >= least, or InputError."""
    values = (value,) * n if isinstance(value, int) else tuple(value) if isinstance(value, tuple | list) else ()
    if len(values) == 1:
        values = values * n
    if len(values) != n or any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in values):
        many = f" or {n} of them" if n > 1 else ""
        raise InputError(f"{name} must be an int >= {least}{many}, got {value!r}")
    return values


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


def check_groups(groups: Any) -> None:
    """groups is an int >= 1."""
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise InputError(f"groups must be an int >= 1, got {groups!r}")


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
    check_groups(groups)
    if x_shape[1] != w_shape[1] * groups:
        raise InputError(
            f"w must be (C_out, C_in/groups, *kernel) with C_in = {x_shape[1]} and groups = {groups}, "
            f"got {w_shape}"
        )
    if w_shape[0] % groups:
        raise InputError(f"groups must divide the {w_shape[0]} output channels, got {groups}")
    if math.prod(w_shape[2:]) == 0:
        raise InputError(f"the kernel must have at least one tap an axis, got {w_shape[2:]}")
    if method not in METHOD_NAMES:
        raise InputError(f"method must be {', '.join(METHOD_NAMES)}, got {method!r}")
    mode = check_mode(padding_mode)
    spans = [(k - 1) * d + 1 for k, d in zip(w_shape[2:], dilation, strict=True)]
    pads = resolve_padding(padding, x_shape[2:], spans, stride)
    for axis, (size, (low, high), span) in enumerate(zip(x_shape[2:], pads, spans, strict=True)):
        if size + low + high < span:
            raise InputError(
                f"the kernel must fit into the padded input, got {span} taps (dilation counted) on "
                f"{size} + {low} + {high} positions of spatial axis {axis}; try padding='full'"
            )
    mode_pads = None
    if mode != "zeros" and any(low or high for low, high in pads):
        mode_pads = pads
        x_shape = (
            *x_shape[:2],
            *(size + low + high for size, (low, high) in zip(x_shape[2:], pads, strict=True)),
        )
        pads = ((0, 0),) * n
    geometry = Geometry(stride, pads, dilation, groups)
    work = Work(x_shape, w_shape, geometry, dtype.itemsize, dtype.is_floating_point or dtype.is_complex)
    if method == "auto":
        method = "direct" if torch.compiler.is_exporting() else cheapest_method(work)
    return Plan(mode, mode_pads, geometry, method, batched, work)


_remembered = remembered(_plan)
