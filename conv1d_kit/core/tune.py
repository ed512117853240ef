"""Measure `machine.py`'s constants on this machine, with the threads that torch uses now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from .blocked import toeplitz_line
from .cost import LANES, outputs_a_row
from .geometry import Geometry
from .library import library, library_gradients
from .machine import MACHINE, SMALLEST, Machine, shipped
from .onednn import MOST_TAPS, MOST_WEIGHT_TAPS, has_wide_registers
from .short import numpys_seconds, rows_seconds, toeplitz_rows
from .spectral_line import spectral_line
from .spectrum import block_lengths, fast_length, line_counts
from .windows import by_windows, weight_by_windows

__all__ = ["least_seconds", "measure"]

FLAT = Geometry((1,), ((0, 0),), (1,), 1)
LINES = ((3_000, 100), (10_000, 255), (10_000, 4_095), (100_000, 63), (100_000, 1_023), (100_000, 16_383),
         (1_000_000, 255), (1_000_000, 4_095), (1_000_000, 65_536))  # fmt: skip
# one channel to many: rows, samples, output channels, taps, stride
LONE = ((1, 16_000, 64, 16, 4), (4, 16_000, 128, 80, 4), (4, 16_000, 32, 251, 1), (1, 64_000, 257, 32, 10),
        (4, 16_000, 402, 400, 160), (4, 32_000, 64, 400, 16), (4, 16_000, 16, 64, 2))  # fmt: skip
# not measured, but shared by all threads
SHARED = (
    "phase_output",
    "phase_weight",
    "transposed_add",
    "diagonal_add",
    "diagonal_number",
    "diagonal_input",
    "lone_column",
    "grouped",
    "lag_add",
    "lag_number",
    "shifted",
)
LEAST = 1e-13  # seconds: a constant that the fit finds to be nothing


def measure(
    on_step: Callable[[int, int], None] = lambda done, total: None, *, budget_s: float = 0.08
) -> Machine:
    """The constants, least seconds of many rounds each; about a minute.

    Those of phases, columns, diagonals, lags, moved copies, small groups, torch's other gradients and fresh
    memory are the usual ones, what is work shared by the threads.

    Parameters
    ----------
    on_step : function(steps done, steps in all)
    budget_s : float
        Seconds for each of some hundred measurements.

    Examples
    --------
    >>> measure(budget_s=0.001).threads == torch.get_num_threads()
    True
    """
    start = shipped()
    found: list[dict[str, Any]] = []
    with torch.inference_mode():
        for wide, dtype in enumerate((torch.float32, torch.float64)):
            on_step(3 * wide, 6)
            values = _fit_lines(dtype, start, budget_s)
            on_step(3 * wide + 1, 6)
            values |= _mixing(dtype, budget_s)
            on_step(3 * wide + 2, 6)
            values |= _direct(dtype, start, budget_s)
            found.append(values)
        on_step(6, 6)
        lone, laned = _lone(budget_s), _laned(budget_s)
    by_numpy = _numpys(budget_s)
    pairs: dict[str, Any] = {name: tuple(values[name] for values in found) for name in found[0]}
    scalars: dict[str, Any] = {
        name: min(pairs.pop(name)) for name in ("direct_call", "toeplitz_call", "depthwise_output")
    }
    threads = torch.get_num_threads()
    usual = {name: _times(getattr(start, name), start.threads / threads) for name in SHARED}
    return start._replace(threads=threads, **pairs, **scalars, **usual, **lone, **laned, **by_numpy)


def _times(value: float | tuple[float, ...], factor: float) -> Any:
    return tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value


def _fit_lines(dtype: torch.dtype, start: Machine, budget_s: float) -> dict:
    """What one row takes by blocks of many lengths, split among its parts: least squares of relative errors."""
    rows, bits = [], sorted({n.bit_length() - 1 for *_, n in _line_cases()})
    for size, k, n in _line_cases():
        x, w = torch.randn(size, dtype=dtype), torch.randn(k, dtype=dtype)
        size += k - 1
        seconds = least_seconds(partial(spectral_line, x, w, 0, size, n), budget_s)
        transforms, calls, part_calls, products = line_counts(n, k, size)
        points = [(transforms + calls) * n if n.bit_length() - 1 == b else 0 for b in bits]
        fixed = [calls, calls * n, part_calls, products, size]
        rows.append(np.array(fixed + points) / seconds)
    shares, _ = nnls(np.array(rows), np.ones(len(rows)))
    shares = np.maximum(shares, LEAST)
    wide = dtype == torch.float64
    known = dict(zip(bits, shares[5:], strict=True))
    lowest, highest = min(known), max(known)
    extended: list[float] = []
    for i, usual in enumerate(start.points[wide]):
        bit = i + SMALLEST
        near = min(max(bit, lowest), highest)  # beyond what was measured: as the usual grows
        extended.append(float(known[near] * usual / start.points[wide][near - SMALLEST]))
    names = ("fft_call", "fft_table", "part_call", "product", "moved")
    return {"points": tuple(extended), **dict(zip(names, map(float, shares[:5]), strict=True))}


def _line_cases() -> Iterator[tuple[int, int, int]]:
    """(signal, kernel, points of a block)"""
    for size, k in LINES:
        whole = fast_length(size + k - 1)
        for n in block_lengths(k, size + k - 1, 1):
            if n < whole and (n <= 32 * k or n <= 4096):
                yield size, k, n


def _lone(budget_s: float) -> dict[str, Any]:
    """One channel to many, by torch's kernels and by windows: multiply-adds, numbers of windows, outputs."""
    columns, seconds = [], []
    for batch, size, n_out, k, stride in LONE:
        g = FLAT._replace(stride=(stride,))
        x, w = torch.randn(batch, 1, size), torch.randn(n_out, 1, k)
        gy = library(x, w, g)
        positions = batch * gy.shape[2]
        columns.append(
            [
                positions * k * -(-n_out // LANES) * LANES,
                positions * k,
                positions * n_out,
                positions * k * n_out,
            ]
        )
        runs = (
            partial(library, x, w, g),
            partial(library_gradients, gy, x, w, g, (False, True)),
            partial(by_windows, x, w, g),
            partial(weight_by_windows, gy, x, g, k),
        )
        seconds.append([least_seconds(run, budget_s) for run in runs])
    a, b = np.array(columns), np.array(seconds)
    lanes, plain = a[:, :3], a[:, [3, 1, 2]]
    both = np.concatenate([plain, plain]), np.concatenate([b[:, 2], b[:, 3]])
    fits = {"lone": (lanes, b[:, 0]), "lone_weight": (lanes, b[:, 1]), "windows": both}
    return {
        name: tuple(np.maximum(nnls(rows / times[:, None], np.ones(len(times)))[0], LEAST).tolist())
        for name, (rows, times) in fits.items()
    }


def _numpys(budget_s: float) -> dict[str, Any]:
    """Lines by NumPy alone: the usual ones, all as much slower or quicker as one of each kind is."""
    n, k = 10_000, 63
    a, b = np.ones(n, np.float32), np.ones(k, np.float32)
    by_call = least_seconds(partial(np.convolve, a, b), budget_s) / numpys_seconds(n, k, 4, False)
    by_rows = least_seconds(partial(toeplitz_rows, a, b, 0, n), budget_s) / rows_seconds(n, k, 4, False)
    factors = dict.fromkeys(("numpy_tap", "numpy_output", "numpy_add"), by_call)
    factors |= dict.fromkeys(("rows_output", "rows_add"), by_rows)
    return {name: _times(getattr(MACHINE, name), factor) for name, factor in factors.items()}


def _laned(budget_s: float) -> dict[str, Any]:
    """oneDNN's quick kernels and what is beyond them, where they are."""
    if not has_wide_registers():
        return {}
    batch, channels, size = 8, 64, 1000
    x = torch.randn(batch, channels, size)

    def by_add(taps: int, wanted: tuple[bool, bool] | None = None) -> float:
        w = torch.randn(channels, channels, taps)
        run: Callable[[], object] = partial(library, x, w, FLAT)
        if wanted is not None:
            run = partial(library_gradients, library(x, w, FLAT), x, w, FLAT, wanted)
        return least_seconds(run, budget_s) / (batch * channels * channels * taps * (size - taps + 1))

    one = least_seconds(partial(torch.matmul, torch.randn(channels, channels), x), budget_s)
    few, some, many = by_add(3), by_add(9), by_add(MOST_TAPS + 12)
    each = max((9 * some - 3 * few) / 6, LEAST)  # a number of x and y is moved once for all taps
    of_x, of_w = by_add(9, (True, False)), by_add(9, (False, True))
    far = by_add(MOST_WEIGHT_TAPS + 10, (False, True))
    return {
        "laned": each,
        "one_tap": one / x.numel() / channels,
        "laid": max((few - each) * 3 * channels / 2, LEAST),
        "many_taps": max(1.0, many / each),
        "far_column": max((far / each - 1) * channels, 1.0),
        "laned_backward": (of_x / some, of_w / some),
    }


def _mixing(dtype: torch.dtype, budget_s: float) -> dict[str, float]:
    """A complex multiply-add of a batched product, and a number brought into its order and back."""
    kind = torch.complex64 if dtype == torch.float32 else torch.complex128
    w, x = torch.randn(513, 32, 32, dtype=kind), torch.randn(513, 32, 40, dtype=kind)
    each = least_seconds(lambda: torch.bmm(w, x), budget_s) / (513 * 32 * 32 * 40)
    spectra = torch.randn(8, 32, 5, 513, dtype=kind)
    ordered = spectra.permute(3, 1, 0, 2).contiguous()
    there = least_seconds(lambda: spectra.permute(3, 1, 0, 2).contiguous(), budget_s)
    back = least_seconds(lambda: ordered.permute(2, 1, 3, 0).contiguous(), budget_s)
    return {"mix": each, "reorder": (there + back) / spectra.numel()}


def _direct(dtype: torch.dtype, start: Machine, budget_s: float) -> dict[str, float]:
    """torch's kernel, alone and depthwise, and rows times Toeplitz matrices."""
    wide = dtype == torch.float64
    x, w = torch.randn(4, 16, 8000, dtype=dtype), torch.randn(16, 16, 31, dtype=dtype)
    lanes = min(16, start.lanes[wide])
    each = least_seconds(lambda: library(x, w, FLAT), budget_s) / (4 * 16 * 16 * 31 * 7970) * lanes
    depthwise, x = FLAT._replace(groups=32), torch.randn(4, 32, 8000, dtype=dtype)
    times = {}
    for taps in (3, 31):
        w = torch.randn(32, 1, taps, dtype=dtype)
        times[taps] = least_seconds(partial(library, x, w, depthwise), budget_s) / (4 * 32 * 8000)
    slope, output = _line(times)
    gy = torch.randn(4, 32, 7970, dtype=dtype)
    run = partial(library_gradients, gy, x, w, depthwise, (False, True))
    of_w = least_seconds(run, budget_s) / (4 * 32 * 31 * 7970)
    line, reaches = torch.randn(200_000, dtype=dtype), {}
    for taps in (16, 63):
        w = torch.randn(taps, dtype=dtype)
        reach = outputs_a_row(taps, 1) - 1 + taps
        reaches[reach] = least_seconds(partial(toeplitz_line, line, w, 0, 200_000), budget_s) / 200_000
    product, store = _line(reaches)
    x, w, row, kernel = torch.randn(1, 2, 64), torch.randn(1, 2, 16), torch.randn(64), torch.randn(16)
    return {
        "multiply_add": each, "depthwise": slope, "depthwise_output": output, "depthwise_weight": of_w,
        "toeplitz_add": product, "toeplitz_output": store,
        "direct_call": least_seconds(lambda: library(x, w, FLAT), budget_s),
        "toeplitz_call": least_seconds(lambda: toeplitz_line(row, kernel, 0, 64), budget_s),
    }  # fmt: skip


def _line(times: dict[int, float]) -> tuple[float, float]:
    slope, intercept = np.polyfit(list(times), list(times.values()), 1)
    return max(float(slope), LEAST), max(float(intercept), LEAST)


def least_seconds(run: Callable[[], object], budget_s: float) -> float:
    """Least seconds of a call."""
    run()
    least, spent = float("inf"), 0.0
    while spent < budget_s:
        start = time.perf_counter()
        run()
        took = time.perf_counter() - start
        least, spent = min(least, took), spent + took
    return least
