"""Which clips hold the same recording: a spectral fingerprint that gain, shift, encoding and equalising leave alone.

A clip becomes the levels of a few bands over time, each band and each frame freed of its mean: what a louder
copy, an equaliser or a codec adds is gone. Two clips are compared at every shift by one convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..core.conv import conv
from ..errors import InputError
from .clip import Clip

__all__ = ["FRAME_S", "Match", "best_match", "fingerprint", "near_duplicates"]

RATE = 8000  # Hz; what lies above 4 kHz is the first that a codec or another rate takes away
_N_FFT, _HOP = 512, 128  # samples: windows of 64 ms, a frame every 16 ms
FRAME_S = _HOP / RATE
_N_BANDS = 24
_LOW_HZ, _HIGH_HZ = 100.0, 3600.0
_RANGE_DB = 60.0  # what lies further below the loudest cell is not told apart
_MIN_OVERLAP = 0.5  # of the shorter clip's frames and of its energy
_MAX_S = 60.0
_NEIGHBOURS = 24


class Match(NamedTuple):
    """Two clips that agree: their rows, −1 to 1 how well, and where the second starts in the first (s)."""

    first: int
    second: int
    score: float
    offset_s: float


def fingerprint(clip: Clip) -> np.ndarray:
    """Band levels freed of gain and colour [shape=(bands, L), float32], of the first minute; zeros for silence.

    Raises
    ------
    InputError
        Nothing of its own: what Clip.resample raises.

    Examples
    --------
    >>> r = np.random.default_rng(0)
    >>> x = 0.1 * r.normal(size=16000)
    >>> a, b = fingerprint(Clip(x, 16000)), fingerprint(Clip(0.2 * x, 16000))
    >>> a.shape, bool(np.abs(a - b).max() < 0.01)
    ((24, 63), True)
    """
    x = clip.mono().resample(RATE).samples[0][: int(_MAX_S * RATE)]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, _N_FFT // 2), _N_FFT)[::_HOP]  # (L, n_fft)
    power = np.abs(np.fft.rfft(frames * np.hanning(_N_FFT).astype(np.float32))) ** 2
    bands = power @ _bands().T  # (L, bands)
    top = bands.max(initial=0.0)
    if top <= 0:
        return np.zeros((_N_BANDS, len(bands)), np.float32)
    level = np.maximum(10 * np.log10(np.maximum(bands / top, 1e-30)), -_RANGE_DB)
    heard = level.max(1) > -_RANGE_DB  # frames of silence say nothing
    level[heard] -= level[heard].mean(1, keepdims=True)
    level[heard] -= level[heard].mean(0)
    level[~heard] = 0
    return np.ascontiguousarray(level.T, np.float32)


def best_match(a: np.ndarray, others: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """How well each of `others` agrees with `a` at its best shift: (score −1…1, seconds that it starts later).

    The score is the correlation coefficient over the frames they share, at least half of the shorter clip.

    Examples
    --------
    >>> r = np.random.default_rng(0)
    >>> x = 0.1 * r.normal(size=24000)
    >>> a, b = fingerprint(Clip(x, 8000)), fingerprint(Clip(x[6400:], 8000))
    >>> score, offset = best_match(a, [b])[0]
    >>> score > 0.95, round(offset, 3)
    (True, 0.8)
    """
    if not others:
        return []
    n, longest = a.shape[1], max(b.shape[1] for b in others)
    batch = np.zeros((len(others), len(a), longest), np.float32)
    for row, b in zip(batch, others, strict=True):
        row[:, : b.shape[1]] = b
    products = conv(batch, a[None], padding=((n - 1, n - 1),))[:, 0]  # (K, lags): a's start at lag − (n − 1) in b
    start = np.arange(products.shape[1]) - (n - 1)
    energy_a = _running(a)
    found = []
    for b, product in zip(others, products, strict=True):
        m = b.shape[1]
        low, high = np.clip(start, 0, m), np.clip(start + n, 0, m)  # of b
        energy_b = _running(b)
        of_b = energy_b[high] - energy_b[low]
        of_a = energy_a[np.clip(high - start, 0, n)] - energy_a[np.clip(low - start, 0, n)]
        least = _MIN_OVERLAP * min(energy_a[-1], energy_b[-1])
        fair = (high - low >= _MIN_OVERLAP * min(n, m)) & (of_a >= least) & (of_b >= least) & (least > 0)
        score = np.where(fair, product / np.sqrt(np.maximum(of_a * of_b, 1e-12)), -1.0)
        i = int(score.argmax())
        found.append((float(score[i]), float(-start[i] * FRAME_S)))
    return found


def near_duplicates(
    prints: Sequence[np.ndarray], *, min_score: float = 0.8, on_clip: Callable[[], None] | None = None
) -> list[Match]:
    """The pairs of fingerprints that agree, best first.

    Each clip is compared at every shift with the few whose bands vary together in the same way (a summary that
    no shift changes), so that time grows little faster than the number of clips.

    Parameters
    ----------
    prints : sequence of arrays that `fingerprint` gave
    min_score : float in (0, 1]
    on_clip : function, optional
        Called after each, for progress.

    Raises
    ------
    InputError
        If min_score is not in (0, 1].

    Examples
    --------
    >>> r = np.random.default_rng(0)
    >>> x = 0.1 * r.normal(size=(3, 16000))
    >>> prints = [fingerprint(Clip(y, 8000)) for y in (x[0], x[1], x[2], 0.3 * x[1])]
    >>> [(m.first, m.second, round(m.score, 2)) for m in near_duplicates(prints)]
    [(1, 3, 1.0)]
    """
    if not 0 < min_score <= 1:
        raise InputError(f"min_score must be in (0, 1], got {min_score}")
    summaries = np.stack([_summary(p) for p in prints]) if len(prints) else np.zeros((0, 1), np.float32)
    found: dict[tuple[int, int], Match] = {}
    for i, a in enumerate(prints):
        near = _nearest(summaries, i)
        later = [j for j in near if (min(i, j), max(i, j)) not in found]
        for j, (score, offset) in zip(later, best_match(a, [prints[j] for j in later]), strict=True):
            if score >= min_score:
                first, second, offset = (i, j, offset) if i < j else (j, i, -offset)
                found[first, second] = Match(first, second, score, offset)
        if on_clip is not None:
            on_clip()
    return sorted(found.values(), key=lambda m: (-m.score, m.first, m.second))


def _summary(p: np.ndarray) -> np.ndarray:
    """How the bands vary together, of length 1 [shape=(bands · (bands + 1) / 2,)]: no shift or gain changes it."""
    spread = (p @ p.T)[np.triu_indices(len(p))]
    length = float(np.sqrt((spread**2).sum()))
    return (spread / length if length > 0 else spread).astype(np.float32)


def _nearest(summaries: np.ndarray, i: int) -> list[int]:
    if not summaries[i].any():  # silence
        return []
    alike = summaries @ summaries[i]
    alike[i] = -2
    k = min(_NEIGHBOURS, len(alike) - 1)
    near = np.argpartition(-alike, k - 1)[:k] if k else []
    return sorted(int(j) for j in near)


def _running(p: np.ndarray) -> np.ndarray:
    """Energy up to each frame [shape=(L + 1,)]."""
    return np.concatenate([[0.0], np.cumsum((p.astype(np.float64) ** 2).sum(0))])


def _bands() -> np.ndarray:
    """Overlapping triangles, evenly spaced in the logarithm of frequency [shape=(bands, bins)]."""
    hz = np.arange(_N_FFT // 2 + 1) * RATE / _N_FFT
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _N_BANDS + 2)
    edges += np.arange(len(edges)) * 8.0 * 0
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall))
