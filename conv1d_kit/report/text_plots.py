"""Pictures of what a text classifier has learned: deletion curves, and filters by how often they inform."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from ..text.deletion import DeletionTest
from ..text.filter_facts import FilterReport
from .plots import COLOURS, WIDTH, styled

__all__ = ["deletion_curves", "filter_map"]

_MARKS = ("o", "s", "^", "D")


@styled
def deletion_curves(found: DeletionTest) -> Figure:
    """Mean probability of the first answer over the share of words that are gone, one line an order."""
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    axes = figure.subplots()
    for (name, curve), colour, mark in zip(found.curves.items(), COLOURS, _MARKS, strict=False):
        mean = curve.mean(0)
        half = 1.96 * curve.std(0, ddof=1) / np.sqrt(len(curve))
        label = f"{name}, area {found.areas[name].estimate:.2f}"
        axes.fill_between(100 * found.shares, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
        dashes = "--" if name.startswith("gradient") else "-"  # where it lies on another line, both are seen
        axes.plot(100 * found.shares, mean, dashes, marker=mark, ms=3.5, lw=1.5, color=colour, label=label)
    axes.set(
        xlabel="Words taken out (%)", ylabel="Probability of the first answer", xlim=(0, 100), ylim=(0, 1.02)
    )
    axes.grid(axis="y")
    figure.legend(loc="outside upper left")
    return figure


@styled
def filter_map(report: FilterReport) -> Figure:
    """Each filter by the share of texts in which it informs and by its say, one colour a class."""
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    axes = figure.subplots()
    classes = sorted({f.label for f in report.filters}, key=str)
    for label, colour, mark in zip(classes, COLOURS * len(classes), _MARKS * len(classes), strict=False):
        own = [f for f in report.filters if f.label == label]
        x, y = [100 * f.informs for f in own], [f.say for f in own]
        axes.plot(
            x, y, mark, ms=4, alpha=0.6, color=colour, label=f"{label} ({len(own)})", clip_on=False, zorder=3
        )
    axes.set(
        xlabel=f"Texts in which it informs (%, purity {report.purity:g})",
        ylabel="Weight of its class\nless the next one's",
        xlim=(0, 100),
    )
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    axes.grid(axis="y")
    figure.legend(loc="outside upper left", ncols=2)
    return figure
