"""Pictures of how far an answer can be trusted: reliability, coverage, scores by class, a property by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from ..training.calibration import Reliability
from ..training.rejection import Coverage
from .plots import COLOURS, GREY, INK, PALE, WIDTH, styled

__all__ = ["class_scores", "coverage", "property_by_class", "reliability_diagram"]

_MOST_CLASSES = 60  # in one picture


@styled
def reliability_diagram(found: Reliability, *, title: str = "") -> Figure:
    """Accuracy of the answers of each confidence above how many there are; on the diagonal they are calibrated.

    Parameters
    ----------
    found : training.calibration.Reliability
    title : str
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.set_title(title, loc="left", fontweight="bold")
    top.plot([0, 100], [0, 100], color=GREY, lw=1, ls="--", label="calibrated")
    held = found.count > 0
    x, y = 100 * found.confidence[held], 100 * found.accuracy[held]
    top.vlines(x, np.minimum(x, y), np.maximum(x, y), color=COLOURS[1], lw=2, alpha=0.6, label="gap")
    top.plot(x, y, "o", ms=5, color=COLOURS[0], label="answers", clip_on=False, zorder=3)
    top.set(ylabel="Accuracy (%)", ylim=(0, 102))
    top.legend(loc="upper left")
    bottom.bar(
        100 * found.edges[:-1],
        found.count,
        100 * np.diff(found.edges),
        align="edge",
        color=COLOURS[0],
        alpha=0.7,
    )
    bottom.set(xlabel="Confidence (%)", ylabel="Answers", xlim=(0, 100))
    bottom.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3, integer=True))
    figure.align_ylabels()
    return figure


@styled
def coverage(curve: Coverage, points: Sequence[tuple[str, float, float]] = ()) -> Figure:
    """Accuracy of what is answered over how much is, the most confident first.

    Parameters
    ----------
    curve : training.rejection.Coverage
    points : sequence of (name, coverage, accuracy), both 0–1
        Where thresholds chosen elsewhere come out.
    """
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(100 * curve.coverage, 100 * curve.accuracy, lw=1.6, color=COLOURS[0], label="by confidence")
    for (name, x, y), colour in zip(points, COLOURS[1:] * len(points), strict=False):
        axes.plot(100 * x, 100 * y, "o", ms=7, color=colour, label=name, clip_on=False, zorder=3)
    low = min([100 * float(curve.accuracy[-1]), *(100 * y for _, _, y in points)])
    axes.set(
        xlabel="Answered (% of clips)", ylabel="Accuracy of those (%)", xlim=(0, 100),
        ylim=(max(0.0, low - max(1.0, 0.25 * (100 - low))), 100.2),
    )  # fmt: skip
    axes.grid(axis="y")
    figure.legend(loc="outside upper left")
    return figure


@styled
def class_scores(rows: Sequence[tuple[str, float, float, float]], *, label: str = "F1 (%)") -> Figure:
    """A score of each class with its interval, one line a class.

    Parameters
    ----------
    rows : sequence of (class, score, low, high), all 0–1; NaN is not drawn
    label : str
    """
    figure = Figure(figsize=(4.0, 0.8 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for i, (_, score, low, high) in enumerate(rows):
        axes.plot([100 * low, 100 * high], [i, i], lw=3, color=COLOURS[0], alpha=0.35, solid_capstyle="butt")
        axes.plot(100 * score, i, "o", ms=5, color=COLOURS[0], clip_on=False, zorder=3)
    axes.set_yticks(range(len(rows)), [_short(row[0]) for row in rows])
    known = [row[2] for row in rows if np.isfinite(row[2])]
    left = max(0.0, 10 * np.floor(10 * min(known) - 0.5)) if known else 0.0
    axes.set(xlabel=label, xlim=(left, 100.5), ylim=(len(rows) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure


@styled
def property_by_class(values: Sequence[Any], labels: Sequence[str], *, name: str) -> Figure:
    """Each clip's value in the row of its class: numbers as strokes with their median, words as shares.

    Of more than 60 classes the first 60 are drawn.

    Parameters
    ----------
    values : numbers or words [shape=(N,)]
    labels : sequence of str, length N
    name : str
        What the values are, with the unit.
    """
    classes = sorted(set(labels))[:_MOST_CLASSES]
    x, y = np.asarray(values), np.asarray(labels, dtype=str)
    words = x.dtype.kind not in "fiub"
    figure = Figure(figsize=(4.0, 0.8 + 0.27 * len(classes) + 0.3 * words), layout="constrained")
    axes = figure.subplots()
    if words:
        left = np.zeros(len(classes))
        for word, colour in zip(np.unique(x.astype(str)), COLOURS * len(x), strict=False):
            share = np.array([100 * (x[y == c].astype(str) == word).mean() for c in classes])
            axes.barh(range(len(classes)), share, left=left, height=0.7, color=colour, label=word)
            left += share
        axes.set(xlabel=f"Clips with each {name} (%)", xlim=(0, 100))
        figure.legend(loc="outside upper left", ncols=2)
    else:
        for i, c in enumerate(classes):
            row = x[y == c].astype(np.float64)
            row = row[np.isfinite(row)]
            axes.plot(row, np.full(len(row), i), "|", ms=9, color=COLOURS[0], alpha=0.5)
            if len(row):
                axes.plot(np.median(row), i, "D", ms=4, color=COLOURS[1], zorder=3)
        axes.set(xlabel=name)
        axes.grid(axis="x", color=PALE)
    axes.set_yticks(range(len(classes)), [_short(c) for c in classes], color=INK)
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
