"""Pictures of a sweep: scores with intervals, differences to the baseline, curves of options and the budget."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from ..text.comparison import Comparison, ComparisonRow
from ..text.curves import BudgetCurve, OptionCurve
from .comparison_tables import METRIC_NAMES
from .plots import COLOURS, GREY, INK, WIDTH, styled

__all__ = ["MOST_ROWS", "budget_curve", "differences", "option_curve", "scores"]

MOST_ROWS = 40  # in one picture
_LOG_FROM = 20  # highest over lowest value, from which an axis may be logarithmic


@styled
def scores(found: Comparison) -> Figure:
    """Each configuration's score with its interval, the best on top; of more than 40 the first 40."""
    rows = [row for row in found.rows if row.score is not None][:MOST_ROWS]
    figure, axes = _ladder(rows)
    for i, row in enumerate(rows):
        if row.low is not None and row.high is not None:
            axes.plot([100 * row.low, 100 * row.high], [i, i], lw=3, color=COLOURS[0], alpha=0.35,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot(100 * (row.score or 0), i, "o", ms=5, color=_colour(row), clip_on=False, zorder=3)
    axes.set_xlabel(f"{METRIC_NAMES[found.metric]} (%)")
    return figure


@styled
def differences(found: Comparison) -> Figure:
    """Each configuration's difference to the baseline with its interval; what is noise is grey."""
    rows = [row for row in found.rows if row.difference is not None][:MOST_ROWS]
    figure, axes = _ladder(rows)
    axes.axvline(0, color=INK, lw=0.8)
    for i, row in enumerate(rows):
        colour = _colour(row)
        if row.difference_low is not None and row.difference_high is not None:
            span = [100 * row.difference_low, 100 * row.difference_high]
            axes.plot(span, [i, i], lw=3, color=colour, alpha=0.4, solid_capstyle="butt")
        axes.plot(100 * (row.difference or 0), i, "o", ms=5, color=colour, clip_on=False, zorder=3)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.1), max(high, 0.1))
    axes.set_xlabel(f"{METRIC_NAMES[found.metric]} − the baseline's\n(percent points)")
    return figure


@styled
def option_curve(curve: OptionCurve, metric: str) -> Figure:
    """Score against an option: means with intervals and a line, or one point a configuration."""
    figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
    axes = figure.subplots()
    x = np.array([p.x for p in curve.points])
    y = np.array([100 * p.score for p in curve.points])
    if curve.averaged:
        held = [i for i, p in enumerate(curve.points) if p.low is not None]
        low, high = (np.array([100 * getattr(curve.points[i], k) for i in held]) for k in ("low", "high"))
        axes.vlines(x[held], low, high, lw=3, color=COLOURS[0], alpha=0.35)
        axes.plot(x, y, lw=1, color=GREY, zorder=1)
    axes.plot(x, y, "o", ms=5, color=COLOURS[0], zorder=3, alpha=1.0 if curve.averaged else 0.7)
    logarithmic = _logarithmic(x)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    values = np.unique(x)
    if len(values) <= (6 if logarithmic else 10) and curve.averaged:
        axes.set_xticks(values, [f"{v:g}" for v in values])
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.margins(x=0.06)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(6))
    axes.grid(axis="y")
    axes.set(xlabel=curve.option, ylabel=f"{METRIC_NAMES[metric]} (%)")
    return figure


@styled
def budget_curve(curves: Sequence[BudgetCurve], metric: str) -> Figure:
    """The expected best of n configurations, one line a group, with the interval of the first four."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    for i, curve in enumerate(curves[:4]):
        best, colour = curve.best, COLOURS[i]
        axes.fill_between(best.n, 100 * best.low, 100 * best.high, color=colour, alpha=0.15, lw=0)
        marker = "o" if len(best.n) <= 12 else ""
        axes.plot(best.n, 100 * best.mean, marker=marker, ms=4, lw=1.6, color=colour,
                  label=_short(curve.group) or "grid and draws")  # fmt: skip
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6, integer=True))
    axes.grid(axis="y")
    axes.set(xlabel="Configurations tried", ylabel=f"Expected best {METRIC_NAMES[metric].lower()} (%)")
    if len(curves) > 1:
        figure.legend(loc="outside upper left", ncols=2)
    return figure


def _ladder(rows: Sequence[ComparisonRow]):
    figure = Figure(figsize=(4.6, 0.85 + 0.27 * max(1, len(rows))), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(rows)), [_short(row.name) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    axes.grid(axis="x")
    return figure, axes


def _logarithmic(x: np.ndarray) -> bool:
    """Values over more than a decade that crowd at the lower end."""
    span = x.max() - x.min()
    return bool(x.min() > 0 and x.max() / x.min() >= _LOG_FROM and np.median(x) - x.min() < 0.2 * span)


def _colour(row: ComparisonRow) -> str:
    return _COLOURS.get(row.verdict, COLOURS[3])


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"


_COLOURS = {"baseline": INK, "better": COLOURS[2], "worse": COLOURS[1], "unclear": COLOURS[0], "noise": GREY}
