"""One signal, one kernel, no derivatives: the shortest way from a call of `convolve` to its answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from .blocked import blocked
from .cost import Work, blocked_is_quicker, cheapest_method
from .differentiable import all_finite, is_plain
from .geometry import Geometry
from .library import library
from .plain import output_window
from .spectral import forward_product
from .spectrum import fft_points, remembered

__all__ = ["convolve_line"]

NUMPYS = {np.dtype(name) for name in ("float32", "float64", "complex64", "complex128")}
TORCHS = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def convolve_line(a: Any, b: Any, mode: str, method: str) -> Any:
    """a (N,) ∗ b (K,), both NumPy's or both torch's and of one dtype, or None where the general way is needed.

    That is where derivatives are asked for, values are hidden (transforms, compilation) or not finite, the
    dtype is no float or complex, or "same" keeps less than the longer one reaches.
    """
    is_numpy = type(a) is np.ndarray
    if a.dtype != b.dtype or a.dtype not in (NUMPYS if is_numpy else TORCHS):
        return None
    if torch.compiler.is_compiling() or not (is_numpy or is_plain(a, b)):
        return None
    way = _way(len(a), len(b), mode, method, a.dtype.itemsize)
    if way is None:
        return None
    x, w = (a, b) if len(a) >= len(b) else (b, a)
    if is_numpy:
        w = torch.from_numpy(w[::-1].astype(w.dtype.newbyteorder("="))[None, None])
        if not (x.strides[0] == x.itemsize and x.flags.writeable and x.dtype.isnative):
            x = np.array(x, x.dtype.newbyteorder("="))
        x = torch.from_numpy(x[None, None])
    else:
        x, w = x[None, None], w.flip(0)[None, None]
    if way.n_fft:
        y = forward_product(x, w, way.geometry, way.n_fft)
    else:
        y = blocked(x, w, way.geometry) if way.is_blocked else library(x, w, way.geometry)
    if not all_finite(y):
        return None
    return y.numpy()[0, 0] if is_numpy else y[0, 0]


class _Way(NamedTuple):
    geometry: Geometry
    n_fft: int  # 0: the direct sum
    is_blocked: bool


@remembered
def _way(n: int, k: int, mode: str, method: str, itemsize: int) -> _Way | None:
    start, size = output_window(mode, n, k)
    n, k = max(n, k), min(n, k)
    low, high = k - 1 - start, start + size - n
    if low < 0 or high < 0:
        return None
    g = Geometry((1,), ((low, high),), (1,), 1)
    work = Work((1, 1, n), (1, 1, k), g, itemsize, True)
    if method == "auto":
        method = cheapest_method(work)
    if method == "direct":
        return _Way(g, 0, blocked_is_quicker(work))
    return _Way(g, fft_points(method, g, (k,), n, rows=1), False)
