"""A number beyond the ends of a signal: refused where the signal's dtype cannot hold it, exact where it can."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .padding import Pads, pad

__all__ = ["fill_number", "filled"]


def filled(x: torch.Tensor, pads: Pads, number: complex) -> torch.Tensor:
    """x with `number` around its last len(pads) axes, in every digit (torch's own pad passes through float64).

    Examples
    --------
    >>> filled(torch.tensor([1]), ((1, 2),), 2**60 + 1).tolist()
    [1152921504606846977, 1, 1152921504606846977, 1152921504606846977]
    """
    y = pad(x, pads)
    if number == 0:
        return y
    if y.dtype == torch.int64 and number.real >= 2**63:
        number -= 2**64  # of uint64, which is summed in int64
    inside = pad(torch.ones(x.shape[-len(pads) :], dtype=torch.bool, device=x.device), pads)
    return torch.where(inside, y, torch.tensor(number, dtype=y.dtype, device=y.device))


def fill_number(name: str, value: Any, dtype: torch.dtype) -> complex:
    """`value`, a number or an array of one, as Python's number that a tensor of `dtype` can hold.

    Raises
    ------
    InputError
        If it is no number, or none that `dtype` holds: a fraction or NaN for integers, −1 or 300 for uint8,
        1e300 for float32, 1j for what is real.

    Examples
    --------
    >>> fill_number("cval", np.array([3.0]), torch.uint8)
    3
    """
    number = value if isinstance(value, int | float | complex) else _lone(name, value)
    if not isinstance(number, int | float | complex) or not _holds(dtype, number):
        raise InputError(
            f"{name} must be a number that {dtype} can hold, got {value!r}: could not cast `{name}` directly "
            "to the output type"
        )
    return number if dtype.is_floating_point or dtype.is_complex else int(number.real)


def _lone(name: str, value: Any) -> Any:
    """The one element of an array."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged lists; tensors that need gradients
        return None
    if array.size != 1:
        raise InputError(f"`{name}` must be scalar or an array with one element, got shape {array.shape}")
    return array.reshape(()).item()


def _holds(dtype: torch.dtype, number: complex) -> bool:
    if isinstance(number, complex):
        return dtype.is_complex and _holds(dtype, number.real) and _holds(dtype, number.imag)
    if number != number or number in (math.inf, -math.inf):
        return dtype.is_floating_point or dtype.is_complex
    if dtype.is_floating_point or dtype.is_complex:
        return abs(number) <= torch.finfo(dtype).max
    low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    return number == int(number) and low <= number <= high
