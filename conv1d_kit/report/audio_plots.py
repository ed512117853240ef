"""Pictures of what an audio model hears: where it looked, what speaks for a class, its first filters."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..audio.explain import Attribution
from ..audio.responses import FilterSet
from .plots import COLOURS, GREY, INK, RESPONSE_FLOOR_DB, WIDTH, response_map, styled

__all__ = ["attribution_map", "attribution_timeline", "filter_responses", "probabilities"]

_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_BINS = 160  # of a timeline
_MOST = 8  # classes of a bar picture
_BLOCKS = (32, 40)  # rows and columns of a map of shares, at most
_APART = 0.09  # of an axis, between two of its numbers


@styled
def probabilities(classes: Sequence[str], values: np.ndarray) -> Figure:
    """The most probable classes as bars, the best on top.

    Parameters
    ----------
    classes : sequence of str
    values : ndarray [shape=(n_classes,)], 0–1
    """
    order = np.argsort(-values, kind="stable")[:_MOST]
    figure = Figure(figsize=(WIDTH, 0.75 + 0.27 * len(order)), layout="constrained")
    axes = figure.subplots()
    colours = [COLOURS[0] if i == 0 else GREY for i in range(len(order))]
    axes.barh(range(len(order)), 100 * values[order], color=colours, height=0.7)
    for row, i in enumerate(order):
        axes.text(100 * values[i] + 1.5, row, f"{100 * values[i]:.1f}", va="center")
    names = [str(classes[i]) for i in order]
    axes.set_yticks(range(len(order)), [n if len(n) <= 22 else f"{n[:21]}…" for n in names])
    axes.set(xlabel="Probability (%)", xlim=(0, 115), ylim=(len(order) - 0.4, -0.6))
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.tick_params(axis="y", length=0)
    return figure


@styled
def attribution_map(features: np.ndarray, found: Attribution, *, signed: bool, label: str) -> Figure:
    """A map over (band, time) laid in colour over the features, which stand in grey.

    Parameters
    ----------
    features : ndarray [shape=(F, L)]
        What the net saw.
    found : Attribution, values (F, L) or, for all bands alike, (1, L)
    signed : bool
        True: shares on both sides of 0 (for and against), drawn as their sums over blocks of cells, since
        neighbours of opposite sign cancel to the eye. False: 0 and more.
    label : str
        Of the colour bar.
    """
    order = np.arange(len(features)) if found.hz is None else np.argsort(found.hz, kind="stable")
    picture = features[order]
    values = np.broadcast_to(found.values, features.shape)[order]
    if signed:
        values = _block_sums(values)
    end = features.shape[1] * found.column_s
    extent = (0.0, end, -0.5, len(features) - 0.5)
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    axes = figure.subplots()
    low, high = np.percentile(picture, [5, 99.5])
    axes.imshow(
        picture,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="gray_r",
        vmin=low,
        vmax=high + (high == low),
    )
    top = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
    image = axes.imshow(
        values, origin="lower", aspect="auto", extent=extent, cmap="coolwarm" if signed else "YlOrRd",
        vmin=-top if signed else 0.0, vmax=top, alpha=0.85 * np.clip(np.abs(values) / top, 0, 1) ** 0.5,
    )  # fmt: skip
    axes.set(xlabel="Time (s)", xlim=(0, end))
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    _frequency_axis(axes, None if found.hz is None else found.hz[order])
    bar = figure.colorbar(mpl.cm.ScalarMappable(image.norm, image.cmap), ax=axes, pad=0.02, aspect=16)
    bar.set_label(label)
    bar.formatter.set_powerlimits((-2, 3))  # type: ignore[attr-defined]
    bar.outline.set_visible(False)
    return figure


@styled
def attribution_timeline(
    samples: np.ndarray, sample_rate: int, found: Attribution, *, signed: bool, label: str
) -> Figure:
    """The waveform above what each stretch of time has to do with the class.

    Parameters
    ----------
    samples : ndarray [shape=(T,)]
    sample_rate : int, Hz
    found : Attribution
        Values are summed over bands; a bar is their sum (signed) or mean over a stretch of time.
    signed : bool
    label : str
        Of the lower axis.
    """
    line = found.values.sum(0)
    end = len(samples) / sample_rate
    edges = np.unique(np.linspace(0, len(line), _BINS + 1).astype(int))
    totals = np.add.reduceat(line, edges[:-1])
    heights = totals if signed else totals / np.diff(edges)
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.3])
    cuts = np.linspace(0, len(samples), min(600, len(samples)) + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(samples, cuts), np.maximum.reduceat(samples, cuts)
    top.fill_between(cuts / sample_rate, low, high, color=GREY, lw=0.4)
    limit = 1.08 * max(float(np.abs(samples).max()), 1e-6)
    top.set(ylim=(-limit, limit), ylabel="Amplitude\n(1 = full scale)")
    top.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3, symmetric=True))
    bottom.bar(
        edges[:-1] * found.column_s, heights, np.diff(edges) * found.column_s, align="edge",
        color=np.where(heights >= 0, COLOURS[1], COLOURS[0]),
    )  # fmt: skip
    bottom.axhline(0, color=INK, lw=0.6)
    bottom.set(xlim=(0, end), xlabel="Time (s)", ylabel=label)
    bottom.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    bottom.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    bottom.ticklabel_format(axis="y", scilimits=(-2, 3))
    figure.align_ylabels()
    return figure


@styled
def filter_responses(filters: FilterSet) -> Figure:
    """Learned filters as a map of their responses; a mel bank as its triangles."""
    if filters.kind == "learned":
        level = 10 * np.log10(np.maximum(filters.power, 10 ** (RESPONSE_FLOOR_DB / 10)))
        return response_map(level, filters.hz)
    figure = Figure(figsize=(4.0, 2.9), layout="constrained")
    axes = figure.subplots()
    for i, row in enumerate(filters.power):
        axes.plot(filters.hz / 1000, row, lw=0.9, color=COLOURS[i % 2])
    axes.set(
        xlabel="Frequency (kHz)", ylabel="Weight of the power\n(1 = the triangle's top)",
        xlim=(0, filters.hz[-1] / 1000), ylim=(0, 1.05),
    )  # fmt: skip
    return figure


def _block_sums(values: np.ndarray) -> np.ndarray:
    """Sums over blocks of cells, at most _BLOCKS of them."""
    for axis, most in enumerate(_BLOCKS):
        edges = np.unique(np.linspace(0, values.shape[axis], most + 1).astype(int))
        values = np.add.reduceat(values, edges[:-1], axis)
    return values


def _frequency_axis(axes: Axes, hz: np.ndarray | None) -> None:
    """Rows of equal height, named by their frequency where they have one."""
    if hz is None:
        axes.set_ylabel("Feature number")
        return
    marks: list[float] = []
    for f in _HZ:
        rows = np.interp([*marks[-1:], f], hz, np.arange(len(hz)))
        if hz[0] <= f <= hz[-1] and (not marks or rows[1] - rows[0] >= _APART * len(hz)):
            marks.append(f)
    if len(marks) < 2:
        marks = sorted({float(hz[0]), float(hz[-1])})
    axes.set_yticks(np.interp(marks, hz, np.arange(len(hz))), [f"{f / 1000:.3g}" for f in marks])
    axes.set_ylabel("Frequency (kHz),\nspaced as the net's bands")
