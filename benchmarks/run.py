"""`make bench`: every cell of the grids, ours beside each peer, into benchmarks/RESULTS.md.

python -m benchmarks.run            the whole grid
python -m benchmarks.run --quick    a sample, under two minutes
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
import torch

import conv1d_kit

from .cells import Cell, layer_cells, picture_cells, signal_cells
from .clock import in_turn

HERE = Path(__file__).parent
SHORT_S = 50e-6  # below it a call's overhead rules, and the bound is an overhead, not a ratio
OVERHEAD_S = {"numpy": 2e-6, "torch": 10e-6}


def measure(cell: Cell, budget_s: float) -> dict:
    """Times of all, the best peer, the ratio, and our error against float64."""
    times = in_turn({"ours": cell.ours, **cell.peers}, budget_s=budget_s)
    ours = times.pop("ours")
    best = min(times, key=times.__getitem__)
    result, truth = np.asarray(_plain(cell.ours())), cell.truth()
    error = float(np.abs(result.reshape(truth.shape) - truth).max() / max(np.abs(truth).max(), 1e-300))
    kind = "numpy" if cell.grid.endswith("numpy") else "torch"
    within = times[best] < SHORT_S and ours - times[best] <= OVERHEAD_S[kind]
    return {
        "grid": cell.grid, "cell": cell.name, "method": cell.method, "ours": ours, "best": best,
        "peer": times[best], "ratio": 1.0 if within and ours > times[best] else times[best] / ours,
        "error": error,
    }  # fmt: skip


def write(rows: list[dict], took: float, path: Path) -> None:
    """RESULTS.md: a summary a grid, then every cell."""
    command = "make bench-quick" if "--quick" in sys.argv else "make bench"
    versions = {"NumPy": np, "SciPy": scipy, "torch": torch, "conv1d_kit": conv1d_kit}
    lines = [
        "# Results",
        "",
        f"Written by `{command}` in {took / 60:.1f} min. Times are the least of many rounds, ours",
        "and the peers in turn within one process; ratio = best peer ÷ ours. Where the best peer needs less",
        "than 50 µs, a cell within 2 µs (NumPy) or 10 µs (torch) of it counts as 1.0.",
        "",
        f"{_processor()}, {torch.get_num_threads()} threads. Python {platform.python_version()}, "
        + ", ".join(f"{name} {module.__version__}" for name, module in versions.items())
        + ".",
        "",
        "| grid | cells | geometric mean | worst cell |",
        "|---|--:|--:|--:|",
    ]
    grids = list(dict.fromkeys(row["grid"] for row in rows))
    for grid in grids:
        ratios = [row["ratio"] for row in rows if row["grid"] == grid]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        lines.append(f"| {grid} | {len(ratios)} | {mean:.2f} | {min(ratios):.2f} |")
    for grid in grids:
        head = "| cell | ours | best peer | ratio | method | relative error |"
        lines += ["", f"## {grid}", "", head, "|---|--:|--:|--:|---|--:|"]
        for row in (r for r in rows if r["grid"] == grid):
            lines.append(
                f"| {row['cell']} | {_time(row['ours'])} | {_time(row['peer'])} {row['best']} | "
                f"{row['ratio']:.2f} | {row['method']} | {row['error']:.1e} |"
            )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _plain(y: object) -> object:
    return y.detach().numpy() if isinstance(y, torch.Tensor) else y


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def _processor() -> str:
    try:
        text = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout
        name = next(
            line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("Model name")
        )
    except (OSError, subprocess.CalledProcessError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def main() -> None:
    """Run the grid and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or HERE / ("RESULTS-quick.md" if arguments.quick else "RESULTS.md")
    warnings.filterwarnings("ignore", module="fft_conv_pytorch")
    start, rows = time.perf_counter(), []
    quick = arguments.quick
    cells = signal_cells(quick) + layer_cells(quick) + picture_cells(quick)
    for i, cell in enumerate(cells, start=1):
        row = measure(cell, 0.3 if arguments.quick else 0.8)
        rows.append(row)
        times = f"{_time(row['ours'])}, {row['best']} {_time(row['peer'])}, ratio {row['ratio']:.2f}"
        print(f"{i}/{len(cells)} {row['grid']}: {row['cell']}: {times}", file=sys.stderr)
    write(rows, time.perf_counter() - start, out)
    print(out)


if __name__ == "__main__":
    main()
