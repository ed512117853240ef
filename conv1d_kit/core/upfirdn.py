"""upfirdn: zeros between samples, a FIR filter, every `down`-th output; only what counts is multiplied."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..errors import InputError, InputTypeError
from .array import enter
from .autocast import full_precision
from .conv import conv
from .differentiable import all_finite, inside_transform
from .padding import fill_number, pad
from .plain import array_likes
from .terms import sum_with_non_finite

__all__ = ["EXTENSIONS", "extend", "output_length", "upfirdn"]

WIDE_WINDOW = 32  # outputs whose windows start within so many samples may share one kernel padded by zeros
PIECE_BYTES = 1 << 26
# dtypes whose NumPy promotion with float32 is of 64 bits a part
WIDE = (torch.int32, torch.int64, torch.uint32, torch.uint64, torch.float64, torch.complex128)


@full_precision
def upfirdn(
    h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: Any = 0
) -> Any:
    """Upsample by zeros, filter, downsample; scipy.signal.upfirdn's arguments and results.

    y[n] = sum_k h[(n·down mod up) + k·up] · x[(n·down // up) − k]: the phases of h are the output channels of
    one convolution with stride.

    Parameters
    ----------
    h : array_like or Tensor [shape=(K,)]
    x : array_like or Tensor [shape=(..., N, ...)]
    up, down : int >= 1
    axis : int
        Of x, along which to filter.
    mode : str
        What stands beyond the ends of x, a key of EXTENSIONS, drawn in `extend`.
    cval : scalar
        What mode "constant" fills with.

    Returns
    -------
    ndarray, or Tensor if Tensors came
        `output_length` samples along `axis`; dtype result_type(h, x, float32), so integers become floating.
        A NaN or Inf reaches exactly the outputs that multiply it (under torch.compile and torch.func, where
        no branch can depend on a value, also some that share a piece of the convolution with them).

    Raises
    ------
    InputError
        h not 1-D or empty, x empty along axis, up or down below 1, unknown mode or axis, a cval that the
        dtype cannot hold.
    InputTypeError
        Objects, long doubles, masked arrays, or NumPy mixed with torch.

    Source: P. P. Vaidyanathan, Multirate Systems and Filter Banks (1993), figure 4.3-8d.

    Examples
    --------
    >>> upfirdn([1, 1, 1], [1, 2, 3], 3)  # sample and hold
    array([1., 1., 1., 2., 2., 2., 3., 3., 3.])
    >>> upfirdn([0.5, 1, 0.5], np.arange(10), 2, 3)  # linear interpolation at rate 2/3
    array([0. , 1. , 2.5, 4. , 5.5, 7. , 8.5])
    """
    up, down = _factor("up", up), _factor("down", down)
    if not isinstance(mode, str) or mode.lower() not in EXTENSIONS:
        raise InputError(f"mode must be {', '.join(EXTENSIONS)}, got {mode!r}")
    h, x, leave = _enter(h, x)
    if h.ndim != 1 or h.shape[0] == 0:
        raise InputError(f"h must be 1-D with non-zero length, got shape {tuple(h.shape)}")
    axis = _check_axis(axis, x)
    if x.shape[axis] == 0:
        raise InputError(f"x must have at least one sample along axis {axis}, got shape {tuple(x.shape)}")
    number = fill_number("cval", cval, x.dtype)
    rows = x.movedim(axis, -1)
    n_out = output_length(h.shape[0], rows.shape[-1], up, down)
    if rows.numel() == 0:
        return leave(rows.new_zeros((*rows.shape[:-1], n_out)).movedim(-1, axis))
    low = -(-h.shape[0] // up) - 1
    high = max(0, (n_out - 1) * down // up + 1 - rows.shape[-1])
    extended = extend(rows.reshape(-1, rows.shape[-1]), low, high, mode.lower(), number)
    y = _polyphase(extended, h, up, down, n_out)
    hidden = torch.compiler.is_compiling() or inside_transform(extended, h)
    if not hidden and not all_finite(y) and not (_is_finite(extended) and _is_finite(h)):
        y = sum_with_non_finite(extended, h, lambda p, q: _polyphase(p, q, up, down, n_out))
    return leave(y.reshape(*rows.shape[:-1], n_out).movedim(-1, axis))


def output_length(len_h: int, in_len: int, up: int, down: int) -> int:
    """Samples that `upfirdn` gives: ((in_len − 1)·up + len_h − 1) // down + 1.

    Examples
    --------
    >>> output_length(3, 10, 2, 3)
    7
    """
    return ((in_len - 1) * up + len_h - 1) // down + 1


def extend(x: torch.Tensor, low: int, high: int, mode: str, cval: Any = 0) -> torch.Tensor:
    """`low` and `high` samples more before and behind the last axis.

        constant       0 0 0 | 1 2 4 | 0 0 0         reflect         2 4 2 | 1 2 4 | 2 1 2
        edge           1 1 1 | 1 2 4 | 4 4 4         symmetric       4 2 1 | 1 2 4 | 4 2 1
        wrap           1 2 4 | 1 2 4 | 1 2 4         antisymmetric  -4-2-1 | 1 2 4 |-4-2-1
        smooth        -2-1 0 | 1 2 4 | 6 8 10        antireflect    -4-2 0 | 1 2 4 | 6 7 8
        line          continues at the slope from the first sample to the last

    Parameters
    ----------
    x : Tensor [shape=(..., N)]
    low, high : int >= 0
        May be longer than x: the rule goes on.
    mode : a key of EXTENSIONS
    cval : scalar
        Of mode "constant".

    Examples
    --------
    >>> extend(torch.tensor([1.0, 2.0, 4.0]), 3, 3, "antireflect").tolist()
    [-4.0, -2.0, 0.0, 1.0, 2.0, 4.0, 6.0, 7.0, 8.0]
    """
    rule = EXTENSIONS[mode]
    if isinstance(rule, str):
        if rule == "zeros":
            return pad(x, ((low, high),), cval)
        return pad(x, ((low, high),), rule)
    n = x.shape[-1]
    before, after = torch.arange(-low, 0, device=x.device), torch.arange(n, n + high, device=x.device)
    return torch.cat([rule(x, before), x, rule(x, after)], -1)


def _polyphase(x: torch.Tensor, h: torch.Tensor, up: int, down: int, n_out: int) -> torch.Tensor:
    """x (rows, low + N + high) extended as `upfirdn` does → (rows, n_out).

    Outputs n, n + U, n + 2U, … with U = up / gcd use one phase of h and read x at stride D = down / gcd.
    """
    common = math.gcd(up, down)
    n_phases, stride = up // common, down // common
    taps = -(-h.shape[0] // up)
    phases = pad(h, ((0, taps * up - h.shape[0]),)).reshape(taps, up).T.flip(1)  # (up, taps)
    n_phases = min(n_phases, n_out)
    steps = -(-n_out // n_phases)
    last = (n_phases - 1) * down // up + (steps - 1) * stride + taps
    x = pad(x, ((0, max(0, last - x.shape[-1])),))[:, None]
    parts, first = [], 0
    while first < n_phases:
        begin, stop = first * down // up, first + 1
        while stop < n_phases and stop * down // up - begin <= max(taps, WIDE_WINDOW):
            stop += 1
        w = _placed(phases, [(n * down % up, n * down // up - begin) for n in range(first, stop)])
        window = x[..., begin : begin + (steps - 1) * stride + w.shape[-1]]
        wanted = steps * w.shape[-1] * x.element_size()
        limit = None if wanted < PIECE_BYTES else max(PIECE_BYTES, 64 * w.numel() * x.element_size())
        parts.append(conv(window, w[:, None], stride=stride, max_bytes=limit))  # (rows, phases, steps)
        first = stop
    y = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
    return y.transpose(1, 2).flatten(1)[:, :n_out]


def _placed(phases: torch.Tensor, where: list[tuple[int, int]]) -> torch.Tensor:
    """One row a (phase, offset): the phase's taps behind `offset` zeros."""
    taps = phases.shape[1]
    chosen = torch.tensor([phase for phase, _ in where], device=phases.device)
    offsets = torch.tensor([offset for _, offset in where], device=phases.device)[:, None]
    at = torch.arange(taps + where[-1][1], device=phases.device) - offsets
    inside = (at >= 0) & (at < taps)
    return phases[chosen].gather(1, at.clamp(0, taps - 1)).masked_fill(~inside, 0)


def _enter(h: Any, x: Any) -> tuple[torch.Tensor, torch.Tensor, Callable[[torch.Tensor], Any]]:
    """h and x as tensors of result_type(h, x, float32)."""
    h, x = array_likes("biufcO", h=h, x=x)
    if isinstance(h, np.ndarray) and isinstance(x, np.ndarray):
        dtype = np.result_type(h.dtype, x.dtype, np.float32)
        if dtype.kind not in "fc" or dtype.char in "gG":
            raise InputTypeError(f"h and x must be of at most 64 bits a part, got {h.dtype} and {x.dtype}")
        h, x = h.astype(dtype, copy=False), x.astype(dtype, copy=False)
    (h, x), leave = enter(h=h, x=x)
    is_wide = h.dtype in WIDE or x.dtype in WIDE
    if h.is_complex() or x.is_complex():
        target = torch.complex128 if is_wide else torch.complex64
    else:
        target = torch.float64 if is_wide else torch.float32
    return h.to(target), x.to(target), leave


def _factor(name: str, value: Any) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.integer)
        or not 1 <= value < 1 << 31
        or value != int(value)
    ):
        raise InputError(f"{name} must be an int >= 1 (and below 2**31), got {value!r}")
    return int(value)


def _check_axis(axis: Any, x: torch.Tensor) -> int:
    try:
        index = None if isinstance(axis, bool) else operator.index(axis)
    except TypeError:
        index = None
    if index is None or not -x.ndim <= index < x.ndim:
        raise InputError(f"axis must be an axis of x with shape {tuple(x.shape)}, got {axis!r}")
    return index


def _is_finite(t: torch.Tensor) -> bool:
    return bool(torch.isfinite(t.detach()).all())


def _antisymmetric(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    n = x.shape[-1]
    inside = position % (2 * n)
    sign = torch.where(inside < n, 1, -1).to(x.dtype)
    return x.index_select(-1, torch.minimum(inside, 2 * n - 1 - inside)) * sign


def _antireflect(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    n = x.shape[-1]
    period = max(1, 2 * n - 2)
    inside = position % period
    turned = inside > n - 1
    found = x.index_select(-1, torch.where(turned, 2 * n - 2 - inside, inside))
    first, last = x[..., :1], x[..., -1:]
    drift = 2 * (last - first) * torch.div(position, period, rounding_mode="floor").to(x.dtype)
    return torch.where(turned, 2 * last - found, found) + drift


def _smooth(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    n, step = x.shape[-1], min(1, x.shape[-1] - 1)
    before = x[..., :1] + position.to(x.dtype) * (x[..., step : step + 1] - x[..., :1])
    last = x[..., -1:]
    after = last + (position - (n - 1)).to(x.dtype) * (last - x[..., n - 1 - step : n - step])
    return torch.where(position < 0, before, after)


def _line(x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    n, first, last = x.shape[-1], x[..., :1], x[..., -1:]
    slope = (last - first) / max(1, n - 1)
    distance = torch.where(position < 0, position, position - (n - 1)).to(x.dtype)
    return torch.where(position < 0, first, last) + distance * slope


Extension = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# scipy's name → core.padding's name, or a function of (x, positions outside of it)
EXTENSIONS: dict[str, str | Extension] = {
    "constant": "zeros",
    "wrap": "circular",
    "edge": "replicate",
    "smooth": _smooth,
    "symmetric": "symmetric",
    "reflect": "reflect",
    "antisymmetric": _antisymmetric,
    "antireflect": _antireflect,
    "line": _line,
}
