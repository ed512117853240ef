"""Full, same and valid as windows of the full convolution; and that convolution summed by NumPy alone.

The sum serves what no tensor can hold: long doubles, and objects that multiply and add (Fraction, Decimal).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ..errors import InputTypeError

__all__ = ["output_window", "plain_convolve"]


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
        except TypeError as error:
            raise InputTypeError(f"in1 and in2 must hold numbers: {error}") from error
    cut = [slice(None)] * a.ndim
    for axis, (start, size) in windows.items():
        cut[axis] = slice(start, start + size)
    return y[tuple(cut)]


def _taps(a: np.ndarray, axes: Sequence[int]) -> int:
    return math.prod(a.shape[axis] for axis in axes)
