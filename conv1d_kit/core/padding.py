"""What stands beyond the border: named paddings (how much) and padding modes (what is invented there)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .array import shown

__all__ = [
    "NAMED_PADDINGS",
    "PADDINGS",
    "as_stored",
    "check_fill",
    "check_mode",
    "fill_number",
    "is_symbol",
    "is_zero",
    "pad",
    "resolve_padding",
    "source_index",
    "window",
]

Pads = tuple[tuple[int, int], ...]  # (low, high) a spatial axis


def resolve_padding(padding, sizes: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> Pads:
    """The (low, high) pad of each spatial axis.

    Parameters
    ----------
    padding : int, one int an axis, one (low, high) pair an axis, or a name of NAMED_PADDINGS
        valid       nothing
        same        L_out = ceil(L / stride); the odd element goes to the high side (torch, ONNX SAME_UPPER)
        same_lower  the same with the odd element on the low side (scipy, numpy, ONNX SAME_LOWER)
        full        every position where kernel and signal meet
        causal      all on the low side: output t sees inputs up to t·stride
        anticausal  all on the high side: output t sees inputs from t·stride on
    sizes, spans, strides : ints, one an axis
        Signal length, kernel length with its dilation ((K − 1)·dilation + 1), stride.

    Examples
    --------
    >>> resolve_padding("same", [10], [4], [1]), resolve_padding("same_lower", [10], [4], [1])
    (((1, 2),), ((2, 1),))
    """
    n = len(sizes)
    if isinstance(padding, np.ndarray):
        padding = padding.tolist()
    if isinstance(padding, str):
        if padding not in NAMED_PADDINGS:
            raise InputError(
                f"padding must be ints or one of {', '.join(NAMED_PADDINGS)}, got {shown(padding)}"
            )
        rule = NAMED_PADDINGS[padding]
        return tuple(rule(*axis) for axis in zip(sizes, spans, strides, strict=True))
    if _is_int(padding):
        padding = (padding,) * n
    entries = tuple(padding) if isinstance(padding, tuple | list) else ()
    if len(entries) == 1 and _is_int(entries[0]):
        entries = entries * n
    pads = tuple((e, e) if _is_int(e) else tuple(e) if isinstance(e, tuple | list) else () for e in entries)
    if len(pads) != n or any(len(p) != 2 or not all(_is_int(v) and v >= 0 for v in p) for p in pads):
        raise InputError(
            f"padding must be an int >= 0, {n} ints, {n} (low, high) pairs, or one of "
            f"{', '.join(NAMED_PADDINGS)}, got {shown(padding)}"
        )
    return tuple((_plain(low), _plain(high)) for low, high in pads)


def check_mode(mode, dtype: torch.dtype | None = None) -> str | complex | float:
    """A key of PADDINGS, "zeros", or the number to fill arrays of `dtype` with; else InputError."""
    if isinstance(mode, str) and mode in ("zeros", *PADDINGS):
        return mode
    if isinstance(mode, str):
        raise InputError(f"padding_mode must be zeros, {', '.join(PADDINGS)} or a number, got {shown(mode)}")
    return check_fill(mode, dtype)


def check_fill(value, dtype: torch.dtype | None = None, name: str = "padding_mode") -> complex | float:
    """`value` as a Python number that `dtype` holds without narrowing, or InputError.

    Parameters
    ----------
    value : int, float, complex or NumPy scalar
    dtype : torch.dtype, optional
        Integers hold whole numbers in their range, real floats no imaginary part and nothing beyond their
        largest number; NaN and Inf pass where there are any.
    name : str
        What the message calls the value.

    Examples
    --------
    >>> check_fill(2.0, torch.int16), check_fill(0.1, torch.float32)
    (2, 0.1)
    """
    number = value.item() if isinstance(value, np.number) else value
    if isinstance(number, bool) or not isinstance(number, int | float | complex | np.number):
        raise InputError(f"{name} must be zeros, {', '.join(PADDINGS)} or a number, got {shown(value)}")
    if isinstance(number, np.number):  # a long double
        number = complex(number) if np.iscomplexobj(number) else float(number)
    if dtype is None:
        return number
    if isinstance(number, complex) and not dtype.is_complex and number.imag == 0:
        number = number.real
    if not _holds(dtype, number):
        raise InputError(
            f"{name} must be a number that {dtype} holds, got {shown(value)}; convert x to a wider dtype"
        )
    if dtype.is_complex or dtype.is_floating_point:
        return number if isinstance(number, complex) else float(number)
    return int(number)


def fill_number(name: str, value: Any, dtype: torch.dtype) -> complex:
    """scipy's fillvalue or cval, a number or an array of one, as a number that `dtype` holds, or InputError.

    Examples
    --------
    >>> fill_number("cval", np.array([3.0]), torch.uint8)
    3
    """
    number = value if isinstance(value, int | float | complex) else _lone(name, value)
    if not isinstance(number, int | float | complex) or not _holds(dtype, number):
        raise InputError(
            f"{name} must be a number that {dtype} can hold, got {shown(value)}: could not cast `{name}` "
            "directly to the output type"
        )
    return number if dtype.is_floating_point or dtype.is_complex else int(number.real)


def pad(x: torch.Tensor, pads: Pads, mode: str | complex | float = "zeros") -> torch.Tensor:
    """Pad the last len(pads) axes; any pad length, more than one wrap included.

        zeros      0 0 0 | 1 2 3 4 | 0 0 0
        5.0        5 5 5 | 1 2 3 4 | 5 5 5
        reflect    4 3 2 | 1 2 3 4 | 3 2 1
        symmetric  3 2 1 | 1 2 3 4 | 4 3 2
        replicate  1 1 1 | 1 2 3 4 | 4 4 4
        circular   2 3 4 | 1 2 3 4 | 1 2 3

    Raises
    ------
    InputError
        If an axis of length 0 is to be extended by its own values.

    Examples
    --------
    >>> pad(torch.arange(1, 4), ((5, 4),), "reflect").tolist()
    [2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]
    """
    if all(is_zero(low) and is_zero(high) for low, high in pads):
        return x
    if mode not in PADDINGS:
        return _filled(x, pads, 0 if mode == "zeros" else mode)
    for axis, (low, high) in enumerate(pads, start=x.ndim - len(pads)):
        if is_zero(low) and is_zero(high):
            continue
        size = x.shape[axis]
        if is_symbol(low) or is_symbol(high):
            # a side alone may be 0 or 1 long, which torch.export would make a constant
            index = source_index(torch.arange(size + low + high, device=x.device) - low, size, mode)
            x = x.index_select(axis, index)
            continue
        before = source_index(torch.arange(-low, 0, device=x.device), size, mode)
        after = source_index(torch.arange(size, size + high, device=x.device), size, mode)
        x = torch.cat([x.index_select(axis, before), x, x.index_select(axis, after)], axis)
    return x


def source_index(position: torch.Tensor, size, mode) -> torch.Tensor:
    """Which element of a signal of `size` (an int, or a tensor beside `position`) stands at each position."""
    if isinstance(size, int) and size == 0 and position.numel():
        raise InputError(f"padding_mode {mode!r} has nothing to copy from an axis of length 0; use zeros")
    n = size if isinstance(size, torch.Tensor) else torch.tensor(size, device=position.device)
    return PADDINGS[str(mode)](position, n)


def window(x: torch.Tensor, start: int, length: int) -> torch.Tensor:
    """x[..., start : start + length] with zeros where that is outside; a view where nothing is."""
    low, high = max(0, -start), max(0, start + length - x.shape[-1])
    if not low and not high:
        return x[..., start : start + length]
    inside = x[..., max(0, start) : max(0, start + length)]
    low = min(low, length)
    return torch.constant_pad_nd(inside, (low, length - low - inside.shape[-1]))


def is_zero(value) -> bool:
    """False for a symbolic size, which must not be asked."""
    return isinstance(value, int) and value == 0


def is_symbol(value) -> bool:
    """True for a size that torch.export, torch.compile or torch.jit.trace follow."""
    return isinstance(value, torch.SymInt | torch.Tensor)


def as_stored(value, dtype: torch.dtype):
    """A fill as int64 shows it where that stands for uint64."""
    return value - 2**64 if dtype == torch.int64 and value >= 2**63 else value


def _filled(x: torch.Tensor, pads: Pads, value) -> torch.Tensor:
    if value == 0 or x.dtype.is_floating_point:
        flat = [side for low_high in reversed(pads) for side in low_high]
        return torch.nn.functional.pad(x, flat, value=value)
    lead = x.ndim - len(pads)
    sizes = [size + low + high for size, (low, high) in zip(x.shape[lead:], pads, strict=True)]
    inside: Any = (..., *(slice(low, low + size) for size, (low, _) in zip(x.shape[lead:], pads, strict=True)))
    # F.pad would round large integers and drop imaginary parts
    y = x.new_full((*x.shape[:lead], *sizes), as_stored(value, x.dtype))
    y[inside] = x
    return y


def _holds(dtype: torch.dtype, number) -> bool:
    try:
        if dtype.is_complex:
            parts: tuple[Any, ...] = (number.real, number.imag)
        elif isinstance(number, complex):
            return False
        elif dtype.is_floating_point:
            parts = (number,)
        else:
            low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
            return int(number) == number and low <= number <= high
        largest = torch.finfo(dtype).max
        return all(not math.isfinite(part) or abs(float(part)) <= largest for part in parts)
    except (OverflowError, ValueError):  # NaN, Inf or 10**400 as another kind
        return False


def _lone(name: str, value: Any) -> Any:
    """The one element of an array."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged lists; tensors that need gradients
        return None
    if array.size != 1:
        raise InputError(f"`{name}` must be scalar or an array with one element, got shape {array.shape}")
    return array.reshape(()).item()


def _plain(value):
    return value if isinstance(value, torch.SymInt) else int(value)


def _is_int(value) -> bool:
    return isinstance(value, Integral | torch.SymInt) and not isinstance(value, bool)


def _same(size: int, span: int, stride: int) -> tuple[int, int]:
    # max() would ask a symbolic size which remainder it leaves, and export that answer for all
    whole = ((size + stride - 1) // stride - 1) * stride  # ONNX rounds quotients towards zero: nothing negative
    total = span - 1 if stride == 1 else _not_negative(whole + span - size)
    return total // 2, total - total // 2


def _not_negative(size):
    return size.clamp(min=0) if isinstance(size, torch.Tensor) else torch.sym_max(0, size)


def _reflect(position: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    period = (2 * size - 2).clamp(min=1)
    inside = position % period
    return torch.minimum(inside, (2 * size - 2) - inside)


def _symmetric(position: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    inside = position % (2 * size)
    return torch.minimum(inside, 2 * size - 1 - inside)


Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# name → which element of the signal stands at a position outside of it
PADDINGS: dict[str, Rule] = {
    "reflect": _reflect,
    "symmetric": _symmetric,
    "replicate": lambda position, size: torch.minimum(position.clamp(min=0), size - 1),
    "circular": lambda position, size: position % size,
}

# name → (low, high) from size, span, stride
NAMED_PADDINGS: dict[str, Callable[[int, int, int], tuple[int, int]]] = {
    "valid": lambda size, span, stride: (0, 0),
    "same": _same,
    "same_lower": lambda size, span, stride: _same(size, span, stride)[::-1],
    "full": lambda size, span, stride: (span - 1, span - 1),
    "causal": lambda size, span, stride: (span - 1, 0),
    "anticausal": lambda size, span, stride: (0, span - 1),
}
