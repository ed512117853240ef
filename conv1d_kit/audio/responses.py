"""Which frequencies the first filters of a model let through: learned kernels, or a mel bank's triangles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .composite_nets import HeardNet
from .explain import View

__all__ = ["FilterResponse", "FilterSet", "first_filters"]

_SIZE = 4096  # bins from 0 to half the rate


class FilterResponse(NamedTuple):
    """One filter: the frequency it lets through most, and the width of the band within 3 dB of that (Hz)."""

    peak_hz: float
    bandwidth_hz: float


class FilterSet(NamedTuple):
    """The first filters of a net, from the lowest peak to the highest.

    kind : {"learned", "mel"}
    power : array [shape=(N, F)]
        Squared response of each filter, its maximum 1.
    hz : array [shape=(F,)]
    table : list of FilterResponse, length N
    n_taps : int
    sample_rate : int, Hz
    """

    kind: str
    power: np.ndarray
    hz: np.ndarray
    table: list[FilterResponse]
    n_taps: int
    sample_rate: int


def first_filters(view: View) -> FilterSet | None:
    """The first filters of a view, or None where it has none that a picture over frequency could show.

    A front-end's mel bank or kernels if it has some, or else the first layer of the net: `filters()`, or the
    weights of `first`. Filters in quadrature (real, then imaginary parts, twice as many as features) are taken
    in pairs.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import LogMel
    >>> found = first_filters(View("net", LogMel(8000, n_mels=3, n_fft=512), None))
    >>> found.kind, [round(r.peak_hz, -1) for r in found.table]
    ('mel', [590.0, 1200.0, 2190.0])
    """
    net = view.net
    frontend: Any = net.front if isinstance(net, HeardNet) else view.frontend
    rate = frontend.sample_rate
    if hasattr(frontend, "mel"):
        weights = frontend.mel.detach().numpy().astype(np.float64)
        return _sorted("mel", weights, np.linspace(0, rate / 2, weights.shape[1]), frontend.window_length, rate)
    if frontend.n_features > 1:  # not the samples themselves
        taps = frontend.kernels()
    elif hasattr(net, "filters"):
        taps = net.filters()
    elif hasattr(net, "first"):
        taps = net.first.weight
    else:
        return None
    w = taps.detach().double().numpy()[:, 0]  # (N, K): one channel of samples
    if np.iscomplexobj(w):
        w = np.concatenate([w.real, w.imag])
        n = len(w) // 2
    else:
        n = len(w) // 2 if len(w) == 2 * frontend.n_features and frontend.n_features > 1 else len(w)
    size = max(_SIZE, 1 << (2 * w.shape[1] - 1).bit_length())
    spectra = np.fft.rfft(w, size)
    if n < len(w):  # real + i · imaginary passes positive or negative frequencies: the stronger side
        sides = [np.abs(spectra[:n] + sign * 1j * spectra[n:]) ** 2 for sign in (1, -1)]
        power = np.where((sides[0].sum(1) >= sides[1].sum(1))[:, None], *sides)
    else:
        power = np.abs(spectra) ** 2
    return _sorted("learned", power, np.fft.rfftfreq(size, 1 / rate), w.shape[1], rate)


def _sorted(kind: str, power: np.ndarray, hz: np.ndarray, n_taps: int, rate: int) -> FilterSet:
    power = power / np.maximum(power.max(1, keepdims=True), 1e-30)
    table = [_measured(row, hz) for row in power]
    order = sorted(range(len(table)), key=lambda i: table[i].peak_hz)
    return FilterSet(kind, power[order], hz, [table[i] for i in order], n_taps, rate)


def _measured(power: np.ndarray, hz: np.ndarray) -> FilterResponse:
    """Peak, and the width of the stretch around it where the power is at least half."""
    peak = int(power.argmax())
    below = power < 0.5
    low, high = np.flatnonzero(below[:peak]), np.flatnonzero(below[peak:])
    return FilterResponse(
        float(hz[peak]),
        (_crossing(power, hz, peak + int(high[0]) - 1) if len(high) else float(hz[-1]))
        - (_crossing(power, hz, int(low[-1])) if len(low) else float(hz[0])),
    )


def _crossing(power: np.ndarray, hz: np.ndarray, i: int) -> float:
    """Where between bins i and i + 1 the power is one half, by a straight line."""
    share = (0.5 - power[i]) / (power[i + 1] - power[i])
    return float(hz[i] + share * (hz[i + 1] - hz[i]))
