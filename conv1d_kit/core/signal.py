"""scipy's face of the convolution: convolve, correlate, fftconvolve, oaconvolve, convolve2d and correlate2d.

scipy.signal's signatures, shapes, dtypes and refusals, for NumPy, torch, DLPack arrays and whatever np.asarray
takes. A short 1-D NumPy call never imports torch: NumPy answers it.
"""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError
from .plain import array_likes, plain_convolve
from .short import numpys_convolve, short_convolve, short_way

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

MODES = ("full", "same", "valid")
CONVOLVE_METHODS = ("auto", "direct", "overlap_add", "fft")
QUICK = frozenset(map(np.dtype, ("float32", "float64", "complex64", "complex128")))
INTEGER_PRODUCTS = 10_000_000  # of two lengths, up to which np.convolve sums integers


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
        dtype by NumPy's promotion (torch's for Tensors). Integers are exact by every method, wrapping as
        NumPy's do; one NaN or Inf reaches exactly the outputs whose window holds it, by every method.

    Raises
    ------
    InputError
        Unknown mode or method, unlike ranks, or "valid" with neither input the longer one on all axes.
    InputTypeError
        Masked arrays, elements that are no numbers, or a Tensor mixed with anything else.

    Warns
    -----
    RuntimeWarning
        Where method="fft" was asked for and NaN or Inf cost it further passes (NumPy only, as scipy warns).

    Examples
    --------
    >>> convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    >>> convolve([1, 2, 3], [0, 1, 0.5], mode="same")
    array([1. , 2.5, 4. ])
    """
    plain = isinstance(mode, str) and mode in ("full", "same") and isinstance(method, str) and method == "auto"
    if plain and type(in1) is type(in2):
        y = _short(in1, in2, mode)
        if y is not None:
            return y
    a, b, leave = _arrays(in1, in2)
    return leave(_convolve(a, b, mode, method))


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
    a, b, leave = _arrays(in1, in2)
    return leave(_convolve(a, _reverse_conj(b), mode, method))


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Any:
    """Convolve along some axes through the FFT, broadcasting along the others; scipy.signal.fftconvolve's face.

    Parameters
    ----------
    in1, in2 : array_like or Tensor of one rank
        On axes not convolved their sizes are equal, or one of them is 1.
    mode : "full", "same" or "valid"
        As in `convolve`, on the axes convolved; "same" gives the shape of in1 on the others too.
    axes : int or ints, optional
        All by default.

    Returns
    -------
    ndarray, or Tensor if Tensors came
        Floating or complex: integers become float64, float16 becomes float32. (Where no axis is longer than 1
        in both, nothing is summed: the product, in its own dtype.)

    Raises
    ------
    InputError
        Unknown mode, unlike ranks, shapes that do not broadcast, axes that are not axes.
    InputTypeError
        As in `convolve`; object arrays too.

    Examples
    --------
    >>> fftconvolve([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 1.0]], axes=1).round(12)
    array([[ 1.,  3.,  5.,  3.],
           [ 4.,  9., 11.,  6.]])
    """
    return _along_axes(in1, in2, mode, axes, "fft")


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Any:
    """Convolve along some axes by overlap-add; scipy.signal.oaconvolve's arguments and results.

    Fastest where one input is much longer than the other, and an error stays within a block of what caused
    it. Blocks are cut along every axis on which that pays.

    Parameters
    ----------
    in1, in2, mode, axes
        As in `fftconvolve`.

    Returns
    -------
    ndarray, or Tensor if Tensors came
        As in `fftconvolve`.

    Raises
    ------
    InputError, InputTypeError
        As in `fftconvolve`.

    Examples
    --------
    >>> oaconvolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5], mode="valid").round(12)
    array([2.5])
    """
    return _along_axes(in1, in2, mode, axes, "overlap_add")


def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Convolve two matrices with a choice of what stands beyond in1's border; scipy.signal.convolve2d's face.

    Parameters
    ----------
    in1, in2 : array_like or Tensor of rank 2
    mode : "full", "same" or "valid"
    boundary : "fill" (also "pad"), "wrap" (also "circular") or "symm" (also "symmetric")
        fill 0 0 0 | 1 2 3 4 | 0 0 0    wrap 2 3 4 | 1 2 3 4 | 1 2 3    symm 3 2 1 | 1 2 3 4 | 4 3 2
    fillvalue : scalar
        What "fill" fills with.

    Returns
    -------
    ndarray, or Tensor if Tensors came
        dtype and exactness as `convolve`.

    Raises
    ------
    InputError
        As `convolve`; also inputs that are not matrices, or a fillvalue that is no scalar of their kind.
    InputTypeError
        As `convolve`.

    Examples
    --------
    >>> convolve2d([[1, 2, 3]], [[1, 1, 1]], mode="same", boundary="wrap")
    array([[6, 6, 6]])
    """
    return _matrix_convolution(in1, in2, mode, boundary, fillvalue, correlation=False)


def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Cross-correlate two matrices, boundaries as in `convolve2d`; scipy.signal.correlate2d's face.

    Where "same" meets an even kernel it keeps one output later than `correlate` does, as scipy's does.

    Parameters
    ----------
    in1, in2, mode, boundary, fillvalue
        As in `convolve2d`.

    Returns
    -------
    ndarray, or Tensor if Tensors came

    Raises
    ------
    InputError, InputTypeError
        As `convolve2d`.

    Examples
    --------
    >>> correlate2d([[1, 2, 3]], [[0, 1, 10]], mode="same", boundary="symm")
    array([[21, 32, 33]])
    """
    return _matrix_convolution(in1, in2, mode, boundary, fillvalue, correlation=True)


def _convolve(a: Any, b: Any, mode: str, method: str) -> Any:
    """`convolve` of two NumPy arrays or two Tensors."""
    _check_mode(mode)
    if not isinstance(method, str) or method not in CONVOLVE_METHODS:
        raise InputError(f"acceptable method flags are {', '.join(CONVOLVE_METHODS)}, got {method!r}")
    if a.ndim == 0:
        return _product(a, b)
    if mode == "valid":
        _check_valid(a, b, range(a.ndim))
    if 0 in a.shape or 0 in b.shape:
        return _product(a.reshape(-1)[:0], b.reshape(-1)[:0])
    if isinstance(a, np.ndarray) and a.ndim == 1 and method in ("auto", "direct") and _is_short(a, b):
        return numpys_convolve(a, b, mode)
    y = _through_core(a, b, range(a.ndim), mode, method)
    if method == "fft" and isinstance(y, np.ndarray):
        _warn_of_non_finite(y)
    return y


def _along_axes(in1: Any, in2: Any, mode: str, axes: Any, method: str) -> Any:
    a, b, leave = _arrays(in1, in2)
    _check_mode(mode)
    if a.ndim == 0:
        return leave(_product(a, b))
    chosen = _check_axes(axes, a.ndim)
    if 0 in a.shape or 0 in b.shape:
        return np.array([]) if isinstance(a, np.ndarray) else leave(a.new_zeros(0, dtype=_floating(a.dtype)))
    moving = [axis for axis in chosen if a.shape[axis] != 1 and b.shape[axis] != 1]
    still = [axis for axis in range(a.ndim) if axis not in moving]
    if any(a.shape[axis] != b.shape[axis] and 1 not in (a.shape[axis], b.shape[axis]) for axis in still):
        raise InputError(
            f"incompatible shapes for in1 and in2: {tuple(a.shape)} and {tuple(b.shape)}; on axes not "
            "convolved they must be equal or 1"
        )
    if mode == "valid":
        _check_valid(a, b, moving)
    if moving:
        a, b = _as_floating(a, "in1"), _as_floating(b, "in2")
    return leave(_through_core(a, b, chosen, mode, method))


def _matrix_convolution(in1, in2, mode, boundary, fillvalue, correlation: bool) -> Any:
    a, b, leave = _arrays(in1, in2)
    if a.ndim != 2:
        raise InputError(
            f"in1 and in2 must both be 2-D arrays, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    _check_mode(mode)
    if not isinstance(boundary, str) or boundary not in BOUNDARIES:
        raise InputError(f"acceptable boundary flags are {', '.join(BOUNDARIES)}, got {boundary!r}")
    if 0 in a.shape or 0 in b.shape:
        raise InputError(f"in1 and in2 must not be empty, got shapes {tuple(a.shape)} and {tuple(b.shape)}")
    swap = mode == "valid" and _check_valid(a, b, (0, 1))
    if swap:
        a, b = b, a
    from .array import common_dtype, enter, narrow, widen
    from .padding import fill_number, pad

    if isinstance(a, np.ndarray):
        a, b = _promoted(a, b)
        if _is_beyond_tensors(a):
            raise InputTypeError(f"in1 and in2 must be of at most 64 bits a part, got dtype {a.dtype}")
        (a, b), leave = enter(in1=a, in2=b)
    dtype = common_dtype(a, b)
    x, w = widen(a, dtype), widen(b, dtype)
    number = fill_number("fillvalue", fillvalue, dtype)
    if mode != "valid":
        spans = w.shape
        lows = [k - 1 if mode == "full" else (k - 1) // 2 if correlation else k // 2 for k in spans]
        highs = [k - 1 if mode == "full" else k - 1 - low for k, low in zip(spans, lows, strict=True)]
        pads, rule = tuple(zip(lows, highs, strict=True)), BOUNDARIES[boundary]
        x = pad(x, pads, number if rule == "fill" else rule)
    y = _through_core(x, w.flip((0, 1)).conj() if correlation else w, (0, 1), "valid", "auto")
    return leave(narrow(y.flip((0, 1)) if swap and correlation else y, dtype))


def _arrays(in1: Any, in2: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Two arrays of numbers and of one rank, both NumPy's or both Tensors, and the way back."""
    a, b = array_likes("biufcO", in1=in1, in2=in2)
    leave: Callable[[Any], Any] = _same
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        from .array import enter

        (a, b), leave = enter(in1=a, in2=b)
    if a.ndim != b.ndim:
        raise InputError(
            f"in1 and in2 should have the same dimensionality, got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    return a, b, leave


def _same(array: Any) -> Any:
    return array


def _product(a: Any, b: Any) -> Any:
    """a·b where nothing is summed."""
    if not isinstance(a, np.ndarray):
        return _through_core(a, b, (), "full", "direct")
    if a.dtype.kind != "O" and b.dtype.kind != "O":
        return a * b
    return plain_convolve(a.reshape(-1), b.reshape(-1), (), "full").reshape(a.shape)[()]


def _as_floating(array: Any, name: str) -> Any:
    if not isinstance(array, np.ndarray):
        return array.to(_floating(array.dtype))
    if array.dtype.kind == "O":
        raise InputTypeError(
            f"{name} must hold numbers of one kind, got dtype object; try {name}.astype(float)"
        )
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _floating(dtype: Any) -> Any:
    """What a tensor of this dtype becomes before its FFT."""
    import torch

    if dtype in (torch.float16, torch.bfloat16):
        return torch.float32
    return dtype if dtype.is_floating_point or dtype.is_complex else torch.float64


def _check_mode(mode: Any) -> None:
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"acceptable mode flags are 'valid', 'same', or 'full', got {mode!r}")


def _check_axes(axes: Any, ndim: int) -> list[int]:
    """The axes as ascending non-negative ints."""
    if axes is None:
        return list(range(ndim))
    try:
        chosen = [operator.index(axis) for axis in (axes if np.ndim(axes) else [axes])]
    except (TypeError, ValueError) as error:
        raise InputError(f"axes must be a scalar or iterable of integers, got {axes!r}") from error
    if not chosen:
        raise InputError("when provided, axes cannot be empty; axes=None takes all")
    if any(not -ndim <= axis < ndim for axis in chosen):
        raise InputError(f"axes exceeds dimensionality of input, got {axes!r} for {ndim} axes")
    chosen = sorted(axis % ndim for axis in chosen)
    if len(set(chosen)) < len(chosen):
        raise InputError(f"all axes must be unique, got {axes!r}")
    return chosen


def _check_valid(a: Any, b: Any, axes: Sequence[int]) -> bool:
    """True where the second input is the longer one on every axis; InputError where neither is."""
    pairs = [(a.shape[axis], b.shape[axis]) for axis in axes]
    if all(n >= k for n, k in pairs):
        return False
    if all(n <= k for n, k in pairs):
        return True
    raise InputError(
        "For 'valid' mode, one must be at least as large as the other in every dimension, got shapes "
        f"{tuple(a.shape)} and {tuple(b.shape)}"
    )


def _short(a: Any, b: Any, mode: str) -> Any:
    """The shortest ways first: most of what a short call takes is the asking. None where they do not serve."""
    if type(a) is np.ndarray:
        if a.dtype is not b.dtype or a.dtype not in QUICK or a.ndim != 1 or b.ndim != 1:
            return None
        y = short_convolve(a, b, mode)
        if y is not None:
            return y
    else:
        torch = sys.modules.get("torch")
        if torch is None or type(a) is not torch.Tensor or a.ndim != 1 or b.ndim != 1:
            return None
        if torch.compiler.is_compiling():
            return None
    return _line()(a, b, mode, "auto")


@lru_cache(maxsize=1)
def _line() -> Callable[..., Any]:
    """`line.convolve_line`, imported where torch is needed."""
    from .line import convolve_line

    return convolve_line


def _is_short(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether np.convolve answers integers, or a float beside one, sooner than the engine could."""
    if a.dtype.kind == "O" or b.dtype.kind == "O":
        return False
    k, n = sorted((len(a), len(b)))
    if a.dtype.kind in "fc" or b.dtype.kind in "fc":
        is_complex = "c" in (a.dtype.kind, b.dtype.kind)
        return short_way(n, k, max(a.itemsize, b.itemsize), is_complex) is not None
    return n * k <= INTEGER_PRODUCTS or k <= 8


def _through_core(a: Any, b: Any, axes: Sequence[int], mode: str, method: str) -> Any:
    """Checked arrays through the engine; what no tensor holds, through NumPy."""
    if isinstance(a, np.ndarray):
        a, b = _promoted(a, b)
        if _is_beyond_tensors(a):
            return plain_convolve(a, b, list(axes), mode)
    if a.ndim == 1:
        from .line import convolve_line

        y = convolve_line(a, b, mode, method)
        if y is not None:
            return y
    from .array import common_dtype, enter, narrow, widen
    from .convolve_nd import convolve_nd

    (x, w), leave = enter(in1=a, in2=b)
    dtype = common_dtype(x, w)
    return leave(narrow(convolve_nd(widen(x, dtype), widen(w, dtype), axes, mode, method), dtype))


def _warn_of_non_finite(y: np.ndarray) -> None:
    if y.dtype.kind not in "fc":
        return
    with np.errstate(all="ignore"):
        if np.isfinite(y.sum()):
            return
    warnings.warn(
        "Use of fft convolution on NaN or Inf takes further passes, so that each reaches only the outputs "
        "whose window holds it; method='direct' takes one",
        RuntimeWarning,
        stacklevel=4,
    )


def _promoted(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dtype = np.result_type(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def _is_beyond_tensors(a: np.ndarray) -> bool:
    return a.dtype.kind == "O" or a.dtype.char in "gG"


def _reverse_conj(a: Any) -> Any:
    if isinstance(a, np.ndarray):
        reverse = np.flip(a) if a.ndim else a  # of a lone object NumPy's flip makes no array
        if a.dtype.kind not in "cO":
            return reverse
        try:
            return np.conjugate(reverse.reshape(-1)).reshape(a.shape)
        except TypeError as error:
            raise InputTypeError(f"in2 must hold numbers: {error}") from error
    from .array import flipped

    return flipped(a, tuple(range(a.ndim))).conj().resolve_conj()


# scipy's names of a border → "fill" or a key of core.padding.PADDINGS
BOUNDARIES = {
    "fill": "fill",
    "pad": "fill",
    "wrap": "circular",
    "circular": "circular",
    "symm": "symmetric",
    "symmetric": "symmetric",
}
