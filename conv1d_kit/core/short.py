"""Short 1-D calls, answered by NumPy alone: torch takes longer to start than they do."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from .machine import MACHINE
from .plain import output_window

__all__ = [
    "all_finite",
    "numpys_convolve",
    "numpys_seconds",
    "rows_seconds",
    "shift_seconds",
    "short_convolve",
    "short_way",
    "toeplitz_rows",
]

STRETCH = 1 << 18  # outputs that `shifts.py` takes at a time
HANDED_ON = 2e-5  # seconds until the engine has taken over
MOST = 1 << 15  # outputs up to which NumPy's matrix product is tried
# Up to these sizes NumPy's BLAS stays on one thread: others would wait for torch's, which keep the cores awhile
LARGEST_PRODUCT, LONGEST_DOT = 1 << 18, 10_000


def short_convolve(a: np.ndarray, b: np.ndarray, mode: str) -> np.ndarray | None:
    """a (N,) ∗ b (K,) of one floating or complex dtype; None where the engine is quicker.

    Examples
    --------
    >>> short_convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), "same")
    array([0., 1., 2.])
    """
    n, k = len(a), len(b)
    way = short_way(n, k, a.itemsize, a.dtype.kind == "c")
    if way is None:
        return None
    if way == "toeplitz":
        start, size = output_window(mode, n, k)
        y = toeplitz_rows(a, b, start, size) if n >= k else toeplitz_rows(b, a, start, size)
        if all_finite(y):
            return y
    return numpys_convolve(a, b, mode)


def numpys_convolve(a: np.ndarray, b: np.ndarray, mode: str) -> np.ndarray:
    """np.convolve with scipy's "same": the size of a, also where b is longer."""
    if mode != "same" or len(a) >= len(b):
        return np.convolve(a, b, mode)  # type: ignore[call-overload]
    start, size = output_window(mode, len(a), len(b))
    return np.convolve(a, b)[start : start + size]


def all_finite(y: np.ndarray) -> bool:
    """Whether y·y is finite, which is quicker to ask; False now and then for huge numbers too."""
    for first in range(0, len(y), LONGEST_DOT):
        part = y[first : first + LONGEST_DOT]
        if not math.isfinite(np.vdot(part, part).real):
            return False
    return True


@lru_cache(maxsize=4096)
def short_way(n: int, k: int, itemsize: int, is_complex: bool) -> str | None:
    """ "numpy" (np.convolve), "toeplitz" or None."""
    k, n = sorted((k, n))
    if not k:
        return None
    seconds = {"numpy": numpys_seconds(n, k, itemsize, is_complex)}
    if n <= MOST:
        seconds["toeplitz"] = 1.25 * rows_seconds(n, k, itemsize, is_complex)  # for a clear gain alone
    best = min(seconds, key=seconds.__getitem__)
    engines = (
        MACHINE.short if is_complex else min(MACHINE.short, HANDED_ON + 1.25 * shift_seconds(n, k, itemsize))
    )
    return best if seconds[best] <= engines else None


def numpys_seconds(n: int, k: int, itemsize: int, is_complex: bool) -> float:
    """Predicted seconds of np.convolve: short kernels have a loop of their own, others a call an output.

    Examples
    --------
    >>> numpys_seconds(1000, 11, 8, False) < numpys_seconds(1000, 12, 8, False)
    True
    """
    wide = itemsize > 4
    if is_complex:
        each = 8e-9 + 5e-10 * k if k > 1 else 4e-9
    elif k <= 11:
        each = 4e-10 + (3e-10 if k > 8 else MACHINE.numpy_tap[wide]) * k
    else:
        least, growth, most = MACHINE.numpy_output
        each = min(least + growth * k, most) + MACHINE.numpy_add[wide] * k
    return MACHINE.numpy_call + each * n


def shift_seconds(outputs: int, k: int, itemsize: int) -> float:
    """Predicted seconds of `shifts.py`, whose outputs come from memory that is new to the cores."""
    calls = k * -(-outputs // STRETCH)
    return MACHINE.shift_call * calls + MACHINE.shifted[itemsize > 4] * (k + 1.5) * outputs


def rows_seconds(n: int, k: int, itemsize: int, is_complex: bool) -> float:
    """Predicted seconds of `toeplitz_rows`."""
    per_row = _per_row(k)
    reach, wide = per_row - 1 + k, itemsize > 4
    each = MACHINE.rows_output[wide] + MACHINE.rows_add[wide] * reach
    return MACHINE.rows_call + 2e-10 * reach * per_row + n * each * (4 if is_complex else 1)


def _per_row(k: int) -> int:
    return 16 if k <= 24 else 32 if k <= 48 else 64


def toeplitz_rows(x: np.ndarray, w: np.ndarray, start: int, size: int) -> np.ndarray:
    """The blocked product of `blocked.py`, both matrices views of padded lines."""
    taps, width, per_row = len(w), x.itemsize, _per_row(len(w))
    ends = np.zeros(2 * per_row - 2 + taps, x.dtype)
    ends[per_row - 1 : per_row - 1 + taps] = w[::-1]
    shape, first = (per_row, per_row - 1 + taps), (per_row - 1) * width
    matrix: np.ndarray = np.ndarray(shape, x.dtype, ends, first, (-width, width)).copy().T
    n_rows, low = -(-size // per_row), taps - 1 - start
    line = np.zeros(n_rows * per_row + taps - 1, x.dtype)
    seen = x[max(0, -low) : max(0, len(line) - low)]
    line[max(0, low) : max(0, low) + len(seen)] = seen
    rows: np.ndarray = np.ndarray((n_rows, per_row - 1 + taps), x.dtype, line, 0, (per_row * width, width))
    y = np.empty((n_rows, per_row), x.dtype)
    count = max(1, LARGEST_PRODUCT // matrix.size)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is summed anew
        for first in range(0, n_rows, count):
            np.dot(rows[first : first + count], matrix, out=y[first : first + count])
    return y.reshape(-1)[:size]
