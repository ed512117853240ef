"""FFT of blocks of one length, real or complex, in NumPy arrays, with as little around it as can be.

scipy's public functions take 5 µs to look at their arguments, as long as a block of 1,024 samples takes to be
transformed; so the C functions behind them are called where they are found as this file knows them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

try:
    from scipy.fft._pocketfft import pypocketfft
except ImportError:  # another scipy: its public functions give the same
    pypocketfft = None

__all__ = ["block_transforms"]

Transform = Callable[[np.ndarray], np.ndarray]
LAST, BY_LENGTH = (-1,), 2  # the axis; the scale of the inverse


def block_transforms(n: int, is_complex: bool) -> tuple[Transform, Transform]:
    """(forward, inverse) over the last axis of arrays with blocks of n samples: half spectra of real ones.

    Examples
    --------
    >>> forward, inverse = block_transforms(4, False)
    >>> inverse(forward(np.array([1.0, 2.0, 3.0, 4.0])))
    array([1., 2., 3., 4.])
    """
    given = _direct(n, is_complex) if pypocketfft is not None else None
    return given or _public(n, is_complex)


def _direct(n: int, is_complex: bool) -> tuple[Transform, Transform] | None:
    """None where the functions do not take what they took when this was written."""
    f: Any = pypocketfft

    def forward(x: np.ndarray) -> np.ndarray:
        return f.r2c(x, LAST, True, 0, None, 1)

    def inverse(x: np.ndarray) -> np.ndarray:
        return f.c2r(x, LAST, n, False, BY_LENGTH, None, 1)

    def forward_complex(x: np.ndarray) -> np.ndarray:
        return f.c2c(x, LAST, True, 0, None, 1)

    def inverse_complex(x: np.ndarray) -> np.ndarray:
        return f.c2c(x, LAST, False, BY_LENGTH, None, 1)

    pair = (forward_complex, inverse_complex) if is_complex else (forward, inverse)
    probe = np.arange(1.0, n + 1) * (1j if is_complex else 1)
    try:
        spectrum = pair[0](probe)
        agrees = np.allclose(spectrum, _public(n, is_complex)[0](probe)) and np.allclose(
            pair[1](spectrum), probe
        )
    except (AttributeError, TypeError, ValueError):
        return None
    return pair if agrees else None


def _public(n: int, is_complex: bool) -> tuple[Transform, Transform]:
    if is_complex:
        return scipy.fft.fft, scipy.fft.ifft
    return scipy.fft.rfft, lambda x: scipy.fft.irfft(x, n)
