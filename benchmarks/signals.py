"""The grid of 1-D signals: full convolution of one signal with one kernel, as scipy's users write it."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.signal
import torch

import conv1d_kit

from .cell import Cell, Contest
from .peers import signal_peers

__all__ = ["GRID", "signal_cells"]

GRID = "1-D signals"
LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
KERNELS = (3, 15, 63, 255, 1_023, 4_095, 16_383, 65_536)
QUICK_LENGTHS, QUICK_KERNELS = (100, 10_000, 100_000, 1_000_000), (3, 63, 1_023)


def signal_cells(quick: bool) -> list[Cell]:
    """Every kernel that is no longer than the signal, shorter signals first."""
    lengths, kernels = (QUICK_LENGTHS, QUICK_KERNELS) if quick else (LENGTHS, KERNELS)
    return [
        Cell(GRID, f"{n:,} ∗ {k:,} {dtype}", partial(_contest, n, k, dtype), {"n": n, "k": k, "dtype": dtype})
        for n in lengths
        for k in kernels
        for dtype in ("float32", "float64")
        if k <= n
    ]


def _contest(n: int, k: int, dtype: str) -> Contest:
    rng = np.random.default_rng(n + k)
    a, b = rng.standard_normal(n).astype(dtype), rng.standard_normal(k).astype(dtype)
    x, w = torch.from_numpy(a), torch.from_numpy(b)
    return Contest(
        {
            f"{GRID}, NumPy": lambda: conv1d_kit.convolve(a, b),
            f"{GRID}, torch": lambda: conv1d_kit.convolve(x, w),
        },
        signal_peers(a, b),
        lambda: [scipy.signal.oaconvolve(a.astype(np.float64), b.astype(np.float64))],
        conv1d_kit.plan_conv((1, n), b[None, None], padding="full").method,
        lambda method: conv1d_kit.convolve(a, b, method=method),
        n * k,
        aside=("fft-conv-pytorch",) if dtype == "float64" else (),
    )
