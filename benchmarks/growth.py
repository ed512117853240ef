"""How our time grows with the length of the signal, from rows already measured."""

from __future__ import annotations

import numpy as np

from .signals import GRID

__all__ = ["growth"]

KERNELS = (63, 1_023, 16_383)
SHORTEST = 100_000


def growth(rows: list[dict]) -> list[dict]:
    """For each kernel: seconds an output sample by length, last ÷ first, and the exponent of time in length."""
    lines = []
    for k in KERNELS:
        times = {
            row["n"]: row["ours"]
            for row in rows
            if row["grid"] == f"{GRID}, NumPy" and row["dtype"] == "float32" and row["k"] == k
            and row["n"] >= SHORTEST
        }  # fmt: skip
        if len(times) < 2:
            continue
        each = {n: seconds / (n + k - 1) for n, seconds in sorted(times.items())}
        slope, _ = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)
        values = list(each.values())
        lines.append({"k": k, "each": each, "ratio": values[-1] / values[0], "exponent": float(slope)})
    return lines
