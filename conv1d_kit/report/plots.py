"""Pictures of signals, filters and results: one function a picture, each gives a matplotlib Figure.

Figures are made by the object interface, never by pyplot, so nothing global is opened, kept or switched.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

__all__ = [
    "accuracies",
    "confusion",
    "filter_bank",
    "filter_order",
    "filter_response",
    "learning_rates",
    "losses",
    "peak_hz",
    "response_map",
    "sound",
    "spectrogram_db",
    "styled",
    "to_svg",
]

INK, GREY, PALE = "#1f2933", "#8592a0", "#dfe5ea"
COLOURS = ("#2b6a99", "#d07a2d", "#4f8f5b", "#8b5a9f")
FLOOR_DB = -70.0  # what lies further below the loudest cell is drawn like it
RESPONSE_FLOOR_DB = -40.0
WIDTH = 3.5  # inches: a phone shows it at its own size, so that letters stay 12 px high
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9.0,
    "axes.labelsize": 9.0, "axes.titlesize": 10.0, "xtick.labelsize": 9.0, "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY,
    "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": False,
    "grid.color": PALE, "grid.linewidth": 0.7, "axes.axisbelow": True, "legend.frameon": False,
    "figure.facecolor": "white", "image.cmap": "magma",
    "svg.fonttype": "path", "svg.hashsalt": "conv1d_kit", "path.simplify": True,
    "image.interpolation": "nearest",
}  # fmt: skip


def styled(draw):
    """Run a drawing function under this file's style and leave matplotlib's settings as they were."""

    @wraps(draw)
    def run(*args, **kwargs):
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return run


@styled
def to_svg(figure: Figure) -> bytes:
    """The figure as an SVG file; the same figure gives the same bytes.

    Examples
    --------
    >>> to_svg(losses({"net": [1.0, 0.5]}))[:5]
    b'<?xml'
    """
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


@styled
def sound(samples: np.ndarray, sample_rate: int, *, title: str = "") -> Figure:
    """Waveform above its spectrogram, one time axis.

    Parameters
    ----------
    samples : ndarray [shape=(T,)]
    sample_rate : int, Hz
    title : str
    """
    x = np.asarray(samples, dtype=np.float64)
    end = len(x) / sample_rate
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.7])
    top.set_title(title, loc="left", fontweight="bold")
    edges = np.linspace(0, len(x), min(600, len(x)) + 1).astype(int)[:-1]
    t = edges / sample_rate
    top.fill_between(t, np.minimum.reduceat(x, edges), np.maximum.reduceat(x, edges), color=COLOURS[0], lw=0.4)
    limit = 1.08 * max(float(np.abs(x).max()), 1e-6)
    top.set(ylim=(-limit, limit), xlabel="Time (s)", ylabel="Amplitude\n(1 = full scale)")
    top.tick_params(labelbottom=True)
    top.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
    top.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4, symmetric=True))
    level = spectrogram_db(x, sample_rate)
    image = bottom.imshow(
        level, origin="lower", aspect="auto", extent=(0, end, 0, sample_rate / 2000), vmin=FLOOR_DB, vmax=0
    )
    bottom.set(xlim=(0, end), xlabel="Time (s)", ylabel="Frequency (kHz)")
    bar = figure.colorbar(image, ax=bottom, pad=0.02, aspect=14)
    bar.set_label("Level (dB re max)")
    bar.set_ticks([0, -20, -40, -60])
    bar.outline.set_visible(False)
    figure.align_ylabels()
    return figure


def spectrogram_db(samples: np.ndarray, sample_rate: int, *, window_s: float = 0.025, hop_s: float = 0.005):
    """Power in dB below the loudest cell, FLOOR_DB at least [shape=(F, L)]; Hann windows of 25 ms, 5 ms apart.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> level = spectrogram_db(tone, 16000)
    >>> int(level[:, 50].argmax()) * 40  # Hz: a row is 1 / window_s = 40 Hz
    1000
    """
    n, hop = round(window_s * sample_rate), max(1, round(hop_s * sample_rate))
    x = np.pad(np.asarray(samples, dtype=np.float64), (n // 2, n))
    frames = np.lib.stride_tricks.sliding_window_view(x, n)[: len(samples) : hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(n))).T ** 2
    return np.maximum(10 * np.log10(np.maximum(power, 1e-20) / max(power.max(), 1e-20)), FLOOR_DB)


@styled
def losses(curves: Mapping[str, Sequence[float]]) -> Figure:
    """Mean training loss (nats) over epochs, one line a net that ends in a labelled dot, logarithmic."""
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), COLOURS * len(curves), strict=False):
        label = f"{name}, {values[-1]:.2g} at the end"
        axes.plot(range(1, len(values) + 1), values, "-o", ms=3, lw=1.6, color=colour, label=label)
        axes.plot(len(values), values[-1], "o", ms=7, color=colour)
    axes.set(xlabel="Epoch", ylabel="Mean cross-entropy (nats, log scale)", yscale="log")
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(mpl.ticker.LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.grid(axis="y")
    figure.legend(loc="outside upper left")
    return figure


@styled
def learning_rates(found) -> Figure:
    """Smoothed loss (nats) over the learning rates of a RateSearch, its suggestion marked."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, lw=1.6, color=COLOURS[0])
    if found.suggestion is not None:
        loss = found.losses[found.rates.index(found.suggestion)]
        axes.plot(found.suggestion, loss, "o", ms=7, color=COLOURS[1])
        axes.annotate(
            f"{found.suggestion:.2g}:\nfalls fastest", (found.suggestion, loss), (-9, -4), ha="right", va="top",
            textcoords="offset points", color=COLOURS[1],
        )  # fmt: skip
    axes.set(xlabel="Learning rate (log scale)", ylabel="Smoothed loss (nats)", xscale="log")
    axes.grid(axis="y")
    return figure


@styled
def confusion(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts in a confusion matrix, shaded by the share of the true class.

    Parameters
    ----------
    matrix : ndarray [shape=(n, n), int], rows true, columns predicted
    classes : sequence of str, length n
    """
    counts = np.asarray(matrix)
    n = len(classes)
    size = 1.66 + max(0.23 * n, 1.5)
    figure = Figure(figsize=(size + 0.3, size), layout="constrained")
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i in range(n):
        for j in range(n):
            if counts[i, j]:
                colour = "white" if share[i, j] > 0.55 else INK
                axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=8.5)
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if n > 2 else {}
    axes.set_xticks(range(n), classes, **turned)
    axes.set_yticks(range(n), classes)
    axes.set(xlabel="Predicted class", ylabel="True class")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=18)
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)
    return figure


@styled
def filter_bank(filters: np.ndarray, sample_rate: int) -> Figure:
    """Frequency responses of all filters, one row a filter, numbered from 1 in the order of `filter_order`.

    Parameters
    ----------
    filters : ndarray [shape=(N, K)], taps at `sample_rate`
    sample_rate : int, Hz
    """
    hz, level = _responses(np.asarray(filters, dtype=np.float64), sample_rate)
    return response_map(level[filter_order(filters, sample_rate)], hz)


@styled
def response_map(level: np.ndarray, hz: np.ndarray) -> Figure:
    """Frequency responses as a map, one row a filter, numbered from 1 upwards.

    Parameters
    ----------
    level : ndarray [shape=(N, F)], dB below each filter's maximum
    hz : ndarray [shape=(F,)], equally spaced
    """
    figure = Figure(figsize=(4.0, 3.7), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        level, origin="lower", aspect="auto", extent=(0, hz[-1] / 1000, 0.5, len(level) + 0.5),
        vmin=RESPONSE_FLOOR_DB, vmax=0,
    )  # fmt: skip
    axes.set(xlabel="Frequency (kHz)", ylabel="Filter number (by peak frequency)")
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(6, integer=True))
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("Response (dB re the filter's max)")
    bar.outline.set_visible(False)
    return figure


def filter_order(filters: np.ndarray, sample_rate: int) -> np.ndarray:
    """Indices that sort filters [shape=(N, K)] by the frequency that each lets through most.

    Examples
    --------
    >>> t = np.arange(64) / 8000
    >>> filter_order(np.array([np.sin(2 * np.pi * f * t) for f in (3000, 500, 1500)]), 8000).tolist()
    [1, 2, 0]
    """
    return np.argsort(peak_hz(filters, sample_rate), kind="stable")


def peak_hz(filters: np.ndarray, sample_rate: int) -> np.ndarray:
    """The frequency (Hz) that each filter [shape=(N, K)] lets through most [shape=(N,)]."""
    hz, level = _responses(np.asarray(filters, dtype=np.float64), sample_rate)
    return hz[level.argmax(1)]


@styled
def filter_response(taps: np.ndarray, sample_rate: int, *, title: str = "") -> Figure:
    """One filter: its taps over time, and its frequency response.

    Parameters
    ----------
    taps : ndarray [shape=(K,)]
    sample_rate : int, Hz
    title : str
    """
    w = np.asarray(taps, dtype=np.float64)
    hz, level = _responses(w[None], sample_rate)
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    top.set_title(title, loc="left", fontweight="bold")
    top.axhline(0, color=PALE, lw=0.8)
    top.plot(1000 * np.arange(len(w)) / sample_rate, w, "-o", ms=2.5, lw=1.2, color=COLOURS[0])
    top.set(xlabel="Time (ms)", ylabel="Weight\n(dimensionless)")
    top.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    bottom.plot(hz / 1000, level[0], lw=1.5, color=COLOURS[1])
    bottom.set(
        xlabel="Frequency (kHz)",
        ylabel="Response\n(dB re its maximum)",
        xlim=(0, hz[-1] / 1000),
        ylim=(RESPONSE_FLOOR_DB, 3),
    )
    bottom.grid()
    figure.align_ylabels()
    return figure


@styled
def accuracies(rows: Sequence[tuple[str, float, float, float, float]]) -> Figure:
    """Held-out accuracy with its interval, one line a model, and a tick where chance lies.

    Parameters
    ----------
    rows : sequence of (name, accuracy, low, high, chance), all 0–1
    """
    figure = Figure(figsize=(4.0, 0.8 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for i, (_, accuracy, low, high, chance) in enumerate(rows):
        axes.plot([100 * low, 100 * high], [i, i], lw=3, color=COLOURS[0], alpha=0.35, solid_capstyle="butt")
        axes.plot(100 * accuracy, i, "o", ms=6, color=COLOURS[0], clip_on=False, zorder=3)
        axes.plot([100 * chance] * 2, [i - 0.3, i + 0.3], lw=1.5, color=COLOURS[1])
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set(
        xlabel="Held-out accuracy (%)",
        xlim=(0, 100.5),
        ylim=(len(rows) - 0.4, -0.6),
    )
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure


def _responses(filters: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and level in dB below each filter's maximum [shape=(N, F)]."""
    size = max(512, 1 << (2 * filters.shape[1] - 1).bit_length())
    power = np.abs(np.fft.rfft(filters, size, axis=1)) ** 2
    power = np.maximum(power / np.maximum(power.max(1, keepdims=True), 1e-30), 1e-12)
    return np.fft.rfftfreq(size, 1 / sample_rate), np.maximum(10 * np.log10(power), RESPONSE_FLOOR_DB)
