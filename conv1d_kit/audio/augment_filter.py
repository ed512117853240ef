"""Augmentation by filters, as other microphones are: FIR on samples, the same gain in dB on log-mels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..core.conv import conv
from ..errors import InputError, one_line
from .batch import Batch, check_between, kind_of, log_mels, mel_powers, uniform, valid_mask

__all__ = ["FILTERS", "filter_taps", "filtering"]

DEEPEST_DB = -60.0
N_DRAWS = 9


def filtering(
    batch: Batch,
    frontend: Any,
    generator: torch.Generator,
    *,
    kinds: Sequence[str] = ("equalize", "low_pass", "high_pass", "band_stop"),
    most_db: float = 9.0,
    share: float = 0.5,
) -> Batch:
    """Send a `share` of the rows each through a filter drawn for it; no delay, lengths stay.

    A seed draws the same filter for samples and for log-mels of one sample rate; there each mel band gets the
    filter's mean power gain over the band.

    Parameters
    ----------
    kinds : sequence of keys of FILTERS
        equalize   three bumps of up to ±most_db, about an octave wide
        low_pass   12 to 48 dB an octave above 0.05 to 0.7 of the Nyquist frequency
        high_pass  the same below 0.005 to 0.15 of it
        band_stop  a notch of −20 to −60 dB, a third of an octave to an octave wide
    most_db : float, dB
    share : float in [0, 1]
    """
    most_db, share = check_between("most_db", most_db, 0, 60), check_between("share", share, 0, 1)
    if isinstance(kinds, str) or not kinds or any(k not in FILTERS for k in kinds):
        raise InputError(f"kinds must be a sequence of {', '.join(FILTERS)}, got {one_line(kinds)}")
    x, valid = batch.x, valid_mask(batch)
    if x.numel() == 0:
        return batch
    heard = uniform(generator, len(x), like=x) < share
    taps = filter_taps(len(x), frontend.sample_rate, generator, kinds=kinds, most_db=most_db)
    rows = heard.nonzero()[:, 0]
    if len(rows) == 0:
        return batch._replace(x=x.clone())
    old, chosen = x[rows], taps[rows.cpu()]
    if kind_of(frontend) == "waveform":
        dry = torch.where(valid[rows], old, 0.0).transpose(0, 1)
        y = conv(dry, chosen.to(x)[:, None], groups=len(rows), padding="same").transpose(0, 1)
    else:
        y = log_mels(mel_powers(old, frontend) * _mel_gain(chosen, frontend).to(x)[:, :, None], frontend)
    return batch._replace(x=x.index_copy(0, rows, torch.where(valid[rows], y, old)))


def filter_taps(
    n: int, sample_rate: int, generator: torch.Generator, *, kinds: Sequence[str], most_db: float
) -> torch.Tensor:
    """n symmetric FIR filters of about 32 ms on the CPU (n, K), K odd.

    The response in dB is sampled in frequency, transformed, and windowed (Hann).

    Source: Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5, windowing.
    """
    size = 2 ** max(4, round(math.log2(0.032 * sample_rate)))
    part = torch.arange(size // 2 + 1, dtype=torch.float64) / (size // 2)  # of the Nyquist frequency
    octave = part.clamp(min=1 / size).log2()  # 0 at the Nyquist frequency
    chosen = torch.randint(len(kinds), (n, 1), generator=generator)
    u = torch.rand(n, N_DRAWS, 1, generator=generator, dtype=torch.float64)
    db = torch.zeros(n, len(octave), dtype=torch.float64)
    for i, kind in enumerate(kinds):
        db = torch.where(chosen == i, FILTERS[kind](octave, u, most_db), db)
    h = torch.fft.irfft(10 ** (db.clamp(min=DEEPEST_DB) / 20), size).roll(size // 2, 1)
    h = torch.cat([h, h[:, :1]], 1)  # symmetric about its middle
    return h * torch.hann_window(size + 1, periodic=False, dtype=torch.float64)


def _mel_gain(taps: torch.Tensor, frontend: Any) -> torch.Tensor:
    """Mean power gain of each filter over each mel band [shape=(B, F)]."""
    times = -(-taps.shape[1] // frontend.n_fft)
    response = torch.fft.rfft(taps, times * frontend.n_fft)[:, ::times].abs().square()  # (B, bins)
    mel = frontend.mel.cpu().double()
    return response @ (mel / mel.sum(1, keepdim=True)).T


def _low_pass(octave: torch.Tensor, u: torch.Tensor, most_db: float) -> torch.Tensor:
    return _slope(octave - _corner(u[:, 0], 0.05, 0.7), u[:, 1])


def _high_pass(octave: torch.Tensor, u: torch.Tensor, most_db: float) -> torch.Tensor:
    return _slope(_corner(u[:, 0], 0.005, 0.15) - octave, u[:, 1])


def _band_stop(octave: torch.Tensor, u: torch.Tensor, most_db: float) -> torch.Tensor:
    return -(20 + 40 * u[:, 1]) * _bump(octave, _corner(u[:, 0], 0.02, 0.8), 1 / 3 + u[:, 2] * 2 / 3)


def _equalize(octave: torch.Tensor, u: torch.Tensor, most_db: float) -> torch.Tensor:
    bumps = [
        most_db * (2 * u[:, i] - 1) * _bump(octave, _corner(u[:, i + 1], 0.01, 0.9), 0.7 + u[:, i + 2])
        for i in (0, 3, 6)
    ]
    return bumps[0] + bumps[1] + bumps[2]


def _corner(u: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """A frequency in octaves from the Nyquist frequency, even in them, between two parts of it."""
    return math.log2(low) + u * math.log2(high / low)


def _slope(octaves_beyond: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Butterworth's fall beyond a corner in dB, of order 2 to 8: 12 to 48 dB an octave."""
    order = 2 + 6 * u
    return -10 * torch.log10(1 + 2 ** (2 * order * octaves_beyond.clamp(max=20)))


def _bump(octave: torch.Tensor, centre: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """1 at `centre`, ½ at half of `width` octaves from it."""
    return 2 ** -((2 * (octave - centre) / width) ** 2)


FILTERS: dict[str, Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]] = {
    "equalize": _equalize,
    "low_pass": _low_pass,
    "high_pass": _high_pass,
    "band_stop": _band_stop,
}
