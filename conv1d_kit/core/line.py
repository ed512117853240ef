"""One signal, one kernel, no derivatives: the shortest way from a call of `convolve` to its answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from . import short
from .array import to_numpy
from .autocast import full_precision
from .blocked import toeplitz_line
from .cost import line_ways
from .differentiable import all_finite, is_plain
from .plain import output_window
from .shifts import shifted_line
from .short import numpys_convolve, short_convolve, short_way
from .spectral_line import spectral_line
from .spectrum import line_points

__all__ = ["convolve_line"]

FEW = 1 << 15  # numbers that NumPy looks over sooner than torch

NUMPYS = {np.dtype(name): name.startswith("c") for name in ("float32", "float64", "complex64", "complex128")}
TORCHS = {torch.float32: False, torch.float64: False, torch.complex64: True, torch.complex128: True}


@full_precision
def convolve_line(a: Any, b: Any, mode: str, method: str) -> Any:
    """a (N,) ∗ b (K,), both NumPy's or both torch's and of one dtype, or None where the general way is needed.

    That is where derivatives are asked for, values are hidden (transforms, compilation) or not finite, the
    dtype is no float or complex, or "same" keeps less than the longer one reaches.
    """
    is_numpy, dtype = type(a) is np.ndarray, a.dtype
    is_complex = (NUMPYS if is_numpy else TORCHS).get(dtype)
    if is_complex is None or dtype != b.dtype:
        return None
    if torch.compiler.is_compiling() or not (is_numpy or is_plain(a, b)):
        return None
    on_cpu, n, k = is_numpy or (a.is_cpu and b.is_cpu), a.shape[0], b.shape[0]
    if not is_numpy:
        if not on_cpu and a.device != b.device:
            return None
        if on_cpu and method == "auto" and short_way(n, k, dtype.itemsize, is_complex):
            return _by_numpy(short_convolve, a, b, mode)
    way = _way(n, k, mode, method, dtype.itemsize, is_complex, on_cpu)
    if way is None:
        return None
    name, start, size, n_fft = way
    x, w = (a, b) if n >= k else (b, a)
    if name == "numpy":
        return numpys_convolve(a, b, mode) if is_numpy else _by_numpy(numpys_convolve, a, b, mode)
    if is_numpy:
        x, w = _tensor(x), _tensor(w)
    if name == "shifts":
        y = shifted_line(x, w, start, size)
        return y.numpy() if is_numpy else y
    y = toeplitz_line(x, w, start, size) if name == "toeplitz" else spectral_line(x, w, start, size, n_fft)
    if on_cpu and size <= FEW:
        seen = y.numpy()
        return (seen if is_numpy else y) if short.all_finite(seen) else None
    if not all_finite(y):
        return None
    return y.numpy() if is_numpy else y


def _by_numpy(run: Callable[..., Any], a: torch.Tensor, b: torch.Tensor, mode: str) -> torch.Tensor:
    return torch.from_numpy(run(to_numpy(a), to_numpy(b), mode))


def _tensor(a: np.ndarray) -> torch.Tensor:
    if a.strides[0] != a.itemsize or not a.flags.writeable or not a.dtype.isnative:
        a = np.array(a, a.dtype.newbyteorder("="))
    return torch.from_numpy(a)


@lru_cache(maxsize=4096)
def _way(
    n: int, k: int, mode: str, method: str, itemsize: int, is_complex: bool, on_cpu: bool
) -> tuple[str, int, int, int] | None:
    """(way, first output, outputs, points of a block); None where `mode` keeps more than the longer reaches."""
    start, size = output_window(mode, n, k)
    n, k = max(n, k), min(n, k)
    if start > k - 1 or start + size < n or not k:
        return None
    points, whole, _ = line_points(k, start, size, n, itemsize)
    if method in ("overlap_add", "fft"):
        return "overlap_add", start, size, points if method == "overlap_add" else whole
    ways = line_ways(n, k, start, size, itemsize, is_complex)
    if method == "direct":
        del ways["overlap_add"]
    if not on_cpu:
        del ways["numpy"], ways["shifts"]
    return min(ways, key=ways.__getitem__), start, size, points
