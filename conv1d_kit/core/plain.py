"""What scipy's face needs before torch: its inputs as arrays, its modes as windows, and a sum by NumPy alone.

The sum serves what no tensor can hold: long doubles, and objects that multiply and add (Fraction, Decimal).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError

__all__ = ["array_likes", "output_window", "plain_convolve"]


def array_likes(kinds: str = "biufc", **given: Any) -> list[Any]:
    """What np.asarray takes as NumPy arrays; all as they came where one is of another library.

    Parameters
    ----------
    kinds : str
        NumPy's letters of the dtypes allowed.
    **given : name = array_like
        Names serve the messages.

    Raises
    ------
    InputError
        For nested lists of unlike lengths.
    InputTypeError
        For masked arrays, and elements that are no numbers.

    Examples
    --------
    >>> array_likes(in1=[1, 2])
    [array([1, 2])]
    """
    ours = (np.ndarray, np.generic)
    if any([hasattr(a, "__dlpack__") and not isinstance(a, ours) for a in given.values()]):  # noqa: C419
        return list(given.values())
    return [_as_numpy(name, a, kinds) for name, a in given.items()]


def _as_numpy(name: str, a: Any, kinds: str) -> np.ndarray:
    if isinstance(a, np.ma.MaskedArray):
        raise InputTypeError(f"{name} must be a plain array, got a masked one; try {name}.filled(0)")
    try:
        array = np.asarray(a)
    except ValueError as error:
        raise InputError(f"{name} must be an array, got {type(a).__name__}: {error}") from error
    if array.dtype.kind not in kinds:
        raise InputTypeError(f"{name} must hold numbers, got dtype {array.dtype}")
    return array


def output_window(mode: str, n: int, k: int) -> tuple[int, int]:
    """(start, size) of the outputs that `mode` keeps of the full convolution of lengths n and k.

    Examples
    --------
    >>> [output_window(mode, 5, 4) for mode in ("full", "same", "valid")]
    [(0, 8), (1, 5), (3, 2)]
    """
    if mode == "full":
        return 0, n + k - 1
    if mode == "same":
        return (k - 1) // 2, n
    return min(n, k) - 1, abs(n - k) + 1


def plain_convolve(a: np.ndarray, b: np.ndarray, axes: Sequence[int], mode: str) -> np.ndarray:
    """Convolution along `axes`, broadcasting along the others: one product a tap of the smaller array.

    Raises
    ------
    InputTypeError
        If an object among the elements does not multiply and add.

    Examples
    --------
    >>> from fractions import Fraction
    >>> plain_convolve(np.array([Fraction(1, 2), Fraction(1, 3)]), np.array([2, 3], object), (0,), "full")
    array([Fraction(1, 1), Fraction(13, 6), Fraction(1, 1)], dtype=object)
    """
    windows = {axis: output_window(mode, a.shape[axis], b.shape[axis]) for axis in axes}
    signal, kernel = (a, b) if _taps(a, axes) >= _taps(b, axes) else (b, a)
    shape = [
        n + k - 1 if axis in windows else max(n, k)
        for axis, (n, k) in enumerate(zip(signal.shape, kernel.shape, strict=True))
    ]
    y = np.zeros(shape, np.result_type(a, b))
    for tap in itertools.product(*(range(kernel.shape[axis]) for axis in axes)):
        at = [slice(None)] * a.ndim
        weight = [slice(None)] * a.ndim
        for axis, t in zip(axes, tap, strict=True):
            at[axis] = slice(t, t + signal.shape[axis])
            weight[axis] = slice(t, t + 1)
        try:
            y[tuple(at)] += signal * kernel[tuple(weight)]
        except (TypeError, ValueError) as error:
            raise InputTypeError(f"in1 and in2 must hold numbers: {error}") from error
    cut = [slice(None)] * a.ndim
    for axis, (start, size) in windows.items():
        cut[axis] = slice(start, start + size)
    return y[tuple(cut)]


def _taps(a: np.ndarray, axes: Sequence[int]) -> int:
    return math.prod(a.shape[axis] for axis in axes)
