"""scipy's face of the convolution: `convolve` and `correlate` with scipy.signal's signatures, NumPy or torch.

A short 1-D NumPy call never imports torch: np.convolve answers it.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError

__all__ = ["convolve", "correlate"]

MODES = ("full", "same", "valid")
SHORT = 200_000  # products of two lengths up to which np.convolve beats everything that starts torch


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Convolve two N-dimensional arrays; scipy.signal.convolve's arguments and results.

    Parameters
    ----------
    in1, in2 : array_like or Tensor of one rank
    mode : "full", "same" (size of in1, centred in "full") or "valid" (no zeros invented; one input must be
        at least as long as the other on every axis)
    method : "auto", "direct", "overlap_add" or "fft"

    Returns
    -------
    ndarray, or Tensor if Tensors came
        dtype by NumPy's promotion (torch's for Tensors); integers are exact by every method, wrapping as
        NumPy's do.

    Raises
    ------
    InputError
        Unknown mode or method, unlike ranks, or "valid" with neither input the longer one on all axes.
    InputTypeError
        Object arrays, or a Tensor mixed with anything else.

    Examples
    --------
    >>> convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    >>> convolve([1, 2, 3], [0, 1, 0.5], mode="same")
    array([1. , 2.5, 4. ])
    """
    a, b, empty = _prepare(in1, in2, mode, method)
    if empty is not None:
        return empty
    if isinstance(a, np.ndarray) and a.ndim == 1 and method in ("auto", "direct") and _is_short(a, b):
        return _numpy_convolve(a, b, mode)
    return _through_core(a, b, mode, method)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Cross-correlate two N-dimensional arrays; scipy.signal.correlate's arguments and results.

    z[k] = sum_l in1[l] · conj(in2[l − k + K − 1]): in2 slides, unflipped and conjugated. Unlike convolution
    it does not commute: correlate(a, b) is correlate(b, a) reversed and conjugated.

    Parameters
    ----------
    in1, in2, mode, method
        As in `convolve`.

    Returns
    -------
    ndarray, or Tensor if Tensors came

    Raises
    ------
    InputError, InputTypeError
        As in `convolve`.

    Examples
    --------
    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    a, b, empty = _prepare(in1, in2, mode, method)
    if empty is not None:
        return empty
    swap = mode == "valid" and any(n < k for n, k in zip(a.shape, b.shape, strict=True))
    if swap:
        a, b = b, a
    z = convolve(a, _reverse_conj(b), mode, method)
    return _reverse_conj(z) if swap else z


def _prepare(in1: Any, in2: Any, mode: str, method: str) -> tuple[Any, Any, Any]:
    """Checked arrays of one dtype, and the answer where it needs no convolution (else None)."""
    if mode not in MODES:
        raise InputError(f"mode must be {', '.join(MODES)}, got {mode!r}")
    if method not in ("auto", "direct", "overlap_add", "fft"):
        raise InputError(f"method must be auto, direct, overlap_add or fft, got {method!r}")
    torch = sys.modules.get("torch")
    if torch is not None and (isinstance(in1, torch.Tensor) or isinstance(in2, torch.Tensor)):
        from .array import common_dtype, enter

        (a, b), _ = enter(in1=in1, in2=in2)
        dtype = common_dtype(a, b)
        a, b = a.to(dtype), b.to(dtype)
    else:
        a, b = np.asarray(in1), np.asarray(in2)
        for name, array in (("in1", a), ("in2", b)):
            if array.dtype.kind not in "biufc":
                raise InputTypeError(f"{name} must hold numbers, got dtype {array.dtype}")
        dtype = np.result_type(a, b)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    if a.ndim != b.ndim:
        raise InputError(f"in1 and in2 must have one rank, got shapes {tuple(a.shape)} and {tuple(b.shape)}")
    if a.ndim == 0:
        return a, b, a * b
    if 0 in a.shape or 0 in b.shape:
        return a, b, np.array([], dtype) if isinstance(a, np.ndarray) else a.new_zeros(0)
    if mode == "valid":
        pairs = list(zip(a.shape, b.shape, strict=True))
        if not all(n >= k for n, k in pairs) and not all(n <= k for n, k in pairs):
            raise InputError(
                "for mode 'valid' one input must be at least as long as the other on every axis, got shapes "
                f"{tuple(a.shape)} and {tuple(b.shape)}"
            )
    return a, b, None


def _is_short(a: np.ndarray, b: np.ndarray) -> bool:
    short, long = sorted((len(a), len(b)))
    return short * long <= SHORT or short <= 8 or (a.dtype.kind not in "fc" and short * long <= 50 * SHORT)


def _numpy_convolve(a: np.ndarray, b: np.ndarray, mode: str) -> np.ndarray:
    if mode != "same" or len(a) >= len(b):
        return np.convolve(a, b, mode)  # type: ignore[call-overload]
    start = (len(b) - 1) // 2
    return np.convolve(a, b)[start : start + len(a)]


def _through_core(a: Any, b: Any, mode: str, method: str) -> Any:
    from .array import enter, narrow, widen
    from .geometry import Geometry
    from .kernels import METHODS
    from .plan import choose_method

    (x, w), leave = enter(in1=a, in2=b)
    shape, spans = tuple(x.shape), tuple(w.shape)
    if mode == "valid":
        pads = [(0, 0)] * x.ndim
        if any(n < k for n, k in zip(shape, spans, strict=True)):
            x, w = w, x
    elif mode == "same" and all(n >= k for n, k in zip(shape, spans, strict=True)):
        pads = [(k // 2, (k - 1) // 2) for k in spans]
    else:  # full, also where "same" is cut out of it: the shorter input is the kernel
        if math.prod(shape) < math.prod(spans):
            x, w = w, x
        pads = [(k - 1, k - 1) for k in w.shape]
    n = x.ndim
    g = Geometry((1,) * n, tuple(pads), (1,) * n, 1)
    dtype = x.dtype
    x, w = widen(x, dtype)[None, None], widen(w, dtype).flip(tuple(range(n)))[None, None]
    y = METHODS[choose_method(x, w, g) if method == "auto" else method](x, w, g)
    y = y[0, 0]
    if mode == "same" and tuple(y.shape) != shape:
        y = y[tuple(slice((k - 1) // 2, (k - 1) // 2 + m) for k, m in zip(spans, shape, strict=True))]
    return leave(narrow(y, dtype))


def _reverse_conj(a: Any) -> Any:
    if isinstance(a, np.ndarray):
        reverse = np.flip(a)
        return reverse.conj() if a.dtype.kind == "c" else reverse
    return a.flip(tuple(range(a.ndim))).conj().resolve_conj()
