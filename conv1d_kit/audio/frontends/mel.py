"""The one mel scale and its triangles; every front-end that says mel means these."""

from __future__ import annotations

import math

import numpy as np

from ...errors import InputError
from .base import band

__all__ = ["hz_to_mel", "mel_edges", "mel_filters", "mel_to_hz"]


def hz_to_mel(hz):
    """Slaney's mel scale: linear to 1 kHz (3 mel = 200 Hz), logarithmic above (27 mel = ×6.4).

    Source: Slaney, Auditory Toolbox (1998); librosa's default (htk=False).

    Examples
    --------
    >>> hz_to_mel(np.array([0.0, 1000.0, 6400.0]))
    array([ 0., 15., 42.])
    """
    f = np.asarray(hz, dtype=np.float64)
    return np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1000) / 1000) * 27 / math.log(6.4))


def mel_to_hz(mel):
    """The inverse of hz_to_mel.

    Examples
    --------
    >>> mel_to_hz(np.array([0.0, 15.0, 42.0])).round(6)
    array([   0., 1000., 6400.])
    """
    m = np.asarray(mel, dtype=np.float64)
    return np.where(m < 15, m * 200 / 3, 1000 * np.exp((np.maximum(m, 15) - 15) * math.log(6.4) / 27))


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None):
    """Triangles over the FFT bins, each of area 1 Hz·(2 / width): Slaney's scale and norm.

    Returns
    -------
    array [shape=(n_mels, n_fft // 2 + 1), float32]
        As librosa.filters.mel with its defaults (not torchaudio's: HTK, no norm).

    Raises
    ------
    InputError
        If a triangle holds no FFT bin.

    Examples
    --------
    >>> mel_filters(16000, 512, 40).shape
    (40, 257)
    """
    f_min, f_max = band(sample_rate, f_min, f_max)
    bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)  # an odd n_fft has none at half the rate
    edges = mel_edges(n_mels, f_min, f_max)
    widths = np.diff(edges)
    ramps = edges[:, None] - bins  # (n_mels + 2, bins)
    rise, fall = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    empty = np.flatnonzero(filters.max(1) == 0)
    if len(empty):
        raise InputError(
            f"n_mels must leave each filter an FFT bin, got n_mels={n_mels} with n_fft={n_fft} "
            f"at {sample_rate} Hz ({len(empty)} empty); ask for fewer mels or a larger n_fft"
        )
    return filters.astype(np.float32)


def mel_edges(n: int, f_min: float, f_max: float):
    """Edges and centres of n mel bands (Hz): band i rises from entry i, is centred on i + 1 and ends at i + 2.

    Examples
    --------
    >>> mel_edges(2, 0.0, 1000.0).round(1)
    array([   0. ,  333.3,  666.7, 1000. ])
    """
    return mel_to_hz(np.linspace(hz_to_mel(f_min), hz_to_mel(f_max), n + 2))
