"""Peak resident memory of one call beside its input and output, each in a fresh process.

python -m benchmarks.memory NUMBER    one case, as JSON
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import conv1d_kit

from .process import in_fresh_process

__all__ = ["memory_rows", "resident", "start_watching"]

LIMIT_S = 20.0
START_S = 15.0  # for the fresh process to import and make its arrays
MB = 1e6


class Case(NamedTuple):
    """A call to watch; signals go to `convolve`, layers to `conv`."""

    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    dtype: str
    method: str

    def __str__(self) -> str:
        return f"{self.x_shape} ∗ {self.w_shape} {self.dtype}, {self.method}".replace(",)", ")")


CASES = [
    Case((1_000_000,), (1_023,), "float32", "overlap_add"),
    Case((10_000_000,), (1_023,), "float32", "overlap_add"),
    Case((16, 1, 48_000), (1, 1, 12_000), "float64", "auto"),
    Case((16, 1, 48_000), (1, 1, 12_000), "float64", "direct"),
    Case((8, 1, 16_000), (80, 1, 4_000), "float64", "auto"),
    Case((8, 1, 16_000), (80, 1, 4_000), "float64", "direct"),
]
QUICK = (0, 2)


def memory_rows(quick: bool) -> list[dict]:
    """Bytes beside input and output, and what is allowed: 3·(input + output) + 64 MB."""
    found = []
    for number in QUICK if quick else range(len(CASES)):
        limit_s = LIMIT_S + START_S
        found.append(
            {"case": str(CASES[number]), **in_fresh_process("benchmarks.memory", str(number), limit_s=limit_s)}
        )
    return found


def watch(case: Case) -> dict:
    """Make the arrays, clear the process's high-water mark, call, read the mark."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(case.dtype) for shape in (case.x_shape, case.w_shape))
    call = conv1d_kit.convolve if x.ndim == 1 else conv1d_kit.conv
    call(x[..., :9_000], w[..., :3_000], method=case.method)  # starts threads and loads libraries
    before, start = start_watching(), time.perf_counter()
    y = call(x, w, method=case.method)
    took, peak = time.perf_counter() - start, resident("VmHWM")
    arrays = x.nbytes + w.nbytes + y.nbytes
    return {
        "seconds": took, "arrays": arrays, "extra": max(0, peak - before - y.nbytes),
        "allowed": 3 * arrays + 64 * MB,
    }  # fmt: skip


def start_watching() -> int:
    """Forget the highest mark; resident bytes now."""
    ctypes.CDLL(None).malloc_trim(0)  # else what was given back would be used again, unseen
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def resident(field: str) -> int:
    """Bytes of this process in memory: "VmRSS" now, "VmHWM" at most."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"/proc/self/status has no {field}")
    return int(found[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(watch(CASES[int(sys.argv[1])])))
