"""Layers of many shapes beside torch's own: where is torch the quicker one? A search for faults, no contest.

python -m benchmarks.scan [PATTERN]    what the pattern finds in a shape's name, into SCAN-only.md;
                                       without one all of them, into SCAN.md: two minutes
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch

import conv1d_kit

from .clock import in_turn
from .conditions import conditions

__all__ = ["shapes"]

F = torch.nn.functional
TORCHS = (F.conv1d, F.conv2d)
LINES = [  # (B, C, T), channels out
    ((8, 64, 2000), 64), ((8, 24, 2000), 24), ((8, 20, 2000), 40), ((16, 2, 8000), 32), ((8, 100, 500), 100),
    ((4, 128, 1000), 128), ((1, 64, 16000), 64), ((32, 32, 400), 32),
]  # fmt: skip
LINE_KERNELS = [  # taps, stride, dilation, groups (0: as many as channels)
    (3, 1, 1, 1), (5, 1, 1, 1), (9, 1, 1, 1), (15, 1, 1, 1), (3, 2, 1, 1), (8, 4, 1, 1), (3, 1, 4, 1),
    (1, 1, 1, 1), (1, 2, 1, 1), (3, 1, 1, 4), (5, 1, 1, 8), (9, 1, 1, 2), (3, 1, 8, 4), (15, 1, 1, 4),
    (25, 1, 1, 8), (3, 1, 1, 0), (9, 1, 1, 0), (31, 1, 1, 0), (3, 1, 8, 0), (9, 2, 1, 0),
]  # fmt: skip
PICTURES = [  # (B, C, H, W), channels out
    ((16, 1, 40, 100), 32), ((16, 32, 20, 50), 32), ((8, 16, 64, 200), 16), ((8, 64, 16, 100), 128),
    ((4, 20, 40, 100), 20),
]  # fmt: skip
PICTURE_KERNELS = [
    ((3, 3), 1, 1, 1), ((3, 3), 2, 1, 1), ((5, 5), 1, 1, 1), ((7, 7), 2, 1, 1), ((1, 9), 1, 1, 1),
    ((3, 3), 1, 16, 1), ((1, 1), 1, 1, 1), ((1, 1), 2, 1, 1), ((3, 3), 1, 1, 4), ((3, 3), 1, 1, 0),
    ((7, 7), 1, 1, 0), ((1, 3), 1, 8, 0),
]  # fmt: skip


def shapes() -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]]:
    """Name, x, w and options of each layer, padded so that its outputs are as many as its inputs.

    Examples
    --------
    >>> next(shapes())[0]
    '(8, 64, 2000) → 64, K 3, stride 1, dilation 1, groups 1'
    """
    lines = [(given, ((taps,), *rest)) for given, (taps, *rest) in product(LINES, LINE_KERNELS)]
    for (x_shape, n_out), (kernel, stride, dilation, groups) in [*lines, *product(PICTURES, PICTURE_KERNELS)]:
        groups = groups or x_shape[1]
        if x_shape[1] % groups or n_out % groups:
            continue
        steps = (*(1,) * (len(kernel) - 1), dilation)
        padding = tuple((taps - 1) * step // 2 for taps, step in zip(kernel, steps, strict=True))
        options = {"stride": stride, "padding": padding, "dilation": steps, "groups": groups}
        taps = "×".join(map(str, kernel))
        name = f"{x_shape} → {n_out}, K {taps}, stride {stride}, dilation {dilation}, groups {groups}"
        yield name, x_shape, (n_out, x_shape[1] // groups, *kernel), options


def _times(x_shape, w_shape, options) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds forward, and with both gradients, of "ours" and "torch"."""
    x, w = (torch.randn(shape).requires_grad_() for shape in (x_shape, w_shape))
    layers = {"ours": conv1d_kit.conv, "torch": TORCHS[len(x_shape) - 3]}
    gy = torch.randn_like(layers["torch"](x, w, **options))

    def forward(layer):
        with torch.no_grad():
            layer(x, w, **options)

    def both(layer):
        torch.autograd.grad(layer(x, w, **options), (x, w), gy)

    return tuple(  # type: ignore[return-value]
        in_turn({who: lambda run=run, layer=layer: run(layer) for who, layer in layers.items()}, budget_s=0.15)
        for run in (forward, both)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="")
    pattern = parser.parse_args().pattern
    wanted = re.compile(pattern).search
    told, rows = conditions("python -m benchmarks.scan"), []
    for name, *shape in shapes():
        if wanted(name):
            found = [(times["torch"] / times["ours"], times["ours"]) for times in _times(*shape)]
            rows.append((min(ratio for ratio, _ in found), name, found))
            print(name, *(f"{ratio:.2f}" for ratio, _ in found), flush=True)
    rows.sort()
    lines = [
        "# Layers beside torch's own",
        "",
        f"Torch's time ÷ ours, the least first; `{told['command']}` on {told['date']}, {told['processor']}, "
        f"{told['threads']} threads, torch {told['versions']['torch']}.",
        "",
        "| layer | forward | ours (ms) | with both gradients | ours (ms) |",
        "|---|--:|--:|--:|--:|",
    ]
    for _, name, found in rows:
        lines.append(f"| {name} | " + " | ".join(f"{ratio:.2f} | {s * 1e3:.2f}" for ratio, s in found) + " |")
    (Path(__file__).parent / ("SCAN-only.md" if pattern else "SCAN.md")).write_text(
        "\n".join(lines) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main()
