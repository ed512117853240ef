"""The results as pictures, in the reports' colours: one hue a family of peers, one dash a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
from matplotlib.figure import Figure

from conv1d_kit.report.plots import COLOURS, GREY, INK, PALE

from .layers import BACKWARD, FORWARD
from .signals import GRID as SIGNALS

__all__ = ["draw"]

WIDTH, DPI = 8.2, 110  # inches and dots an inch: 900 pixels
KERNELS = (63, 1_023, 16_383)
LENGTHS = (10_000, 1_000_000, 10_000_000)
BLUE, ORANGE, GREEN, VIOLET = COLOURS
LINES = {  # peer: colour, dash
    "np.convolve": (ORANGE, "-"),
    "scipy convolve": (ORANGE, ":"),
    "scipy fftconvolve": (ORANGE, "--"),
    "scipy oaconvolve": (ORANGE, "-."),
    "torch conv1d": (GREEN, "-"),
    "torch whole FFT": (GREEN, "--"),
    "julius": (VIOLET, "-"),
    "fft-conv-pytorch": (GREY, "-"),
}
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9.5,
    "axes.titlesize": 10.5, "legend.fontsize": 9.5, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": GREY, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.8, "grid.color": PALE, "grid.linewidth": 0.7,
    "axes.axisbelow": True, "legend.frameon": False, "figure.facecolor": "white",
}  # fmt: skip


def draw(rows: list[dict], folder: Path, suffix: str) -> list[str]:
    """Write the charts that the rows have data for; their file names."""
    names = []
    for name, picture in (("time-length", time_length), ("time-kernel", time_kernel), ("ratios", ratios)):
        with mpl.rc_context(STYLE):
            figure = picture(rows)
            if figure is not None:
                names.append(f"{name}{suffix}.png")
                figure.savefig(folder / names[-1], dpi=DPI, metadata={"Software": None})
    return names


def time_length(rows: list[dict]) -> Figure | None:
    """Time against the length of the signal, a panel a kernel, float32."""
    return _panels(rows, "k", KERNELS, "n", "Kernel of {:,} taps", "Signal (samples)")


def time_kernel(rows: list[dict]) -> Figure | None:
    """Time against the length of the kernel, a panel a signal, float32."""
    return _panels(rows, "n", LENGTHS, "k", "Signal of {:,}", "Kernel (taps)")


def ratios(rows: list[dict]) -> Figure | None:
    """Best peer ÷ ours of every layer, forward and forward + backward."""
    layers = [row for row in rows if row["grid"] in (FORWARD, BACKWARD)]
    if not layers:
        return None
    names = list(dict.fromkeys(row["cell"] for row in layers))
    figure = Figure(figsize=(WIDTH, 1.5 + 0.27 * len(names)), layout="constrained")
    axes = figure.subplots()
    for grid, colour, shift in ((FORWARD, BLUE, -0.14), (BACKWARD, ORANGE, 0.14)):
        points = [
            (row["plain_ratio"], names.index(row["cell"]) + shift) for row in layers if row["grid"] == grid
        ]
        for ratio, y in points:
            axes.plot((1, ratio), (y, y), color=colour, lw=1.6, alpha=0.45)
        axes.plot(*zip(*points, strict=True), "o", ms=6, color=colour, label=grid.removeprefix("layers, "))
    axes.axvline(1.0, color=INK, lw=1.0)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.set_xlabel("Best peer's time ÷ ours", loc="right")
    figure.legend(loc="outside upper right", ncols=2)
    return figure


def _panels(rows: list[dict], key: str, values, along: str, title: str, label: str) -> Figure | None:
    chosen = [
        row for row in rows
        if row["grid"] == f"{SIGNALS}, NumPy" and row["dtype"] == "float32" and row[key] in values
    ]  # fmt: skip
    values = [value for value in values if sum(row[key] == value for row in chosen) > 1]
    if not values:
        return None
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    panels = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
    for axes, value in zip(panels, values, strict=True):
        line = sorted((row for row in chosen if row[key] == value), key=lambda row: row[along])
        for name, (colour, dash) in LINES.items():
            points = [(row[along], row["peers"].get(name)) for row in line]
            points = [(x, seconds) for x, seconds in points if isinstance(seconds, float)]
            if points:
                axes.plot(*zip(*points, strict=True), dash, lw=1.5, color=colour, label=name)
        ours = [(row[along], row["ours"]) for row in line]
        axes.plot(*zip(*ours, strict=True), "-o", lw=3.4, ms=5, color=BLUE, label="conv1d_kit")
        axes.set(title=title.format(value), xlabel=label, xscale="log", yscale="log")
        axes.grid()
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    panels[0].set_ylabel("Time of a call")
    panels[0].yaxis.set_major_locator(mpl.ticker.LogLocator(base=10))
    panels[0].yaxis.set_major_formatter(mpl.ticker.EngFormatter("s"))
    panels[0].yaxis.set_minor_locator(mpl.ticker.NullLocator())
    found = {text: h for axes in panels for h, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [name for name in ("conv1d_kit", *LINES) if name in found]
    figure.legend([found[name] for name in order], order, loc="outside lower center", ncols=3, handlelength=3.0)
    return figure


def _short(name: str) -> str:
    """The shape without its stride and so on, and what it is: `(16, 1, 16000) → 32, K 80 (waveform front)`."""
    shape, _, what = name.rpartition(" (")
    kept = [part for part in shape.split(", ") if not part.startswith(("stride", "dilation", "groups"))]
    return f"{what.rstrip(')')}  {', '.join(kept)}"
