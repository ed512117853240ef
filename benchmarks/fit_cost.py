"""The constants of core/cost.py and core/spectrum.py, measured on one core of this machine beside those in use.

python -m benchmarks.fit_cost
"""

from __future__ import annotations

import numpy as np
import torch

from conv1d_kit.core import cost, spectrum
from conv1d_kit.core.blocked import blocked
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.library import library
from conv1d_kit.core.spectral import forward_product

from .clock import in_turn

FLAT = Geometry((1,), ((0, 0),), (1,), 1)


def seconds(run) -> float:
    """The least of many rounds."""
    return in_turn({"run": run}, budget_s=0.25)["run"]


def transforms() -> None:
    """A call, a point of its tables, a point of the FFT: from batches of 1, 4 and 64 or fewer."""
    points, fixed = [], []
    for bits in range(spectrum.SMALLEST_MEASURED, spectrum.SMALLEST_MEASURED + len(spectrum.POINT_NS)):
        n = 1 << bits
        times = {}
        for batch in (2, 4, 16):
            x = torch.randn(batch, n)
            times[batch] = seconds(lambda x=x: torch.fft.irfft(torch.fft.rfft(x), x.shape[1])) / 2
        slope, intercept = np.polyfit(list(times), list(times.values()), 1)
        points.append(float(max(slope / n, 0) * 1e9))
        fixed.append((n, max(intercept, 0)))
    set_up, call = np.polyfit([n for n, _ in fixed[:9]], [s for _, s in fixed[:9]], 1)
    show("spectrum.POINT_NS", [round(p, 2) for p in points], list(spectrum.POINT_NS))
    show("spectrum.CALL", f"{call:.1e}", spectrum.CALL)
    show("spectrum.SET_UP", f"{set_up:.1e}", spectrum.SET_UP)
    lone = torch.randn(1, spectrum.LONG)
    extra = seconds(lambda: torch.fft.rfft(lone)) / spectrum.LONG - set_up - points[8] * 1e-9
    show("spectrum.ALONE", f"{extra:.1e}", spectrum.ALONE)


def direct_sums(wide: bool) -> None:
    """torch's kernel and the blocked product."""
    dtype = torch.float64 if wide else torch.float32
    x, w = torch.randn(4, 16, 8000, dtype=dtype), torch.randn(16, 16, 31, dtype=dtype)
    each = seconds(lambda: library(x, w, FLAT)) / (4 * 16 * 16 * 31 * 7970)
    show(f"cost.MULTIPLY_ADD[{wide}]", f"{each * 16:.1e}", cost.MULTIPLY_ADD[wide])
    signal, times = torch.randn(1, 1, 200_000, dtype=dtype), {}
    for taps in (16, 63):
        kernel = torch.randn(1, 1, taps, dtype=dtype)
        reach = spectrum.outputs_a_row(taps, 1) - 1 + taps
        times[reach] = seconds(lambda kernel=kernel: blocked(signal, kernel, FLAT)) / 200_000
    product, store = np.polyfit(list(times), list(times.values()), 1)
    show(f"cost.BLOCKED[{wide}]", f"{product:.1e}", cost.BLOCKED[wide])
    show(f"cost.STORE[{wide}]", f"{store:.1e}", cost.STORE[wide])
    depthwise = Geometry((1,), ((0, 0),), (1,), 32)
    x, times = torch.randn(4, 32, 8000, dtype=dtype), {}
    for taps in (3, 31):
        w = torch.randn(32, 1, taps, dtype=dtype)
        times[taps] = seconds(lambda w=w: library(x, w, depthwise)) / (4 * 32 * 8000)
    multiply_add, output = np.polyfit(list(times), list(times.values()), 1)
    show(f"cost.DEPTHWISE[{wide}]", f"{multiply_add:.1e}", cost.DEPTHWISE[wide])
    if not wide:
        show("cost.OUTPUT", f"{output:.1e}", cost.OUTPUT)


def calls() -> None:
    """What the shortest calls take."""
    x, w = torch.randn(1, 1, 64), torch.randn(1, 1, 16)
    show("cost.CALL", f"{seconds(lambda: library(x, w, FLAT)):.1e}", cost.CALL)
    show("cost.BLOCKED_CALL", f"{seconds(lambda: blocked(x, w, FLAT)):.1e}", cost.BLOCKED_CALL)
    spent = seconds(lambda: forward_product(x, w, FLAT, 64)) - spectrum.transform_seconds(64, 3, 3)
    show("cost.SPECTRAL_CALL", f"{spent:.1e}", cost.SPECTRAL_CALL)


def show(name: str, measured: object, in_use: object) -> None:
    print(f"{name:24} measured {measured}, in use {in_use}")


def main() -> None:
    """Print every constant."""
    torch.set_num_threads(1)
    with torch.no_grad():
        transforms()
        for wide in (False, True):
            direct_sums(wide)
        calls()


if __name__ == "__main__":
    main()
