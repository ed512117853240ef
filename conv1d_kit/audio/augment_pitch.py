"""Augmentation of pitch with the duration kept: a phase vocoder stretches, resampling takes it back."""

from __future__ import annotations

import math
from typing import Any

import torch

from .augment_speed import STEPS, drawn_factors, drawn_ratios, moved_cells, shifted_rows
from .batch import Batch, check_between, kind_of, restoring, uniform, valid_mask
from .resample import resample

__all__ = ["pitch", "stretch"]

ATTACK = 4.0  # a frame of so many times the power of the one a quarter of a window before begins anew


def pitch(
    batch: Batch, frontend: Any, generator: torch.Generator, *, most: float = 1.12, share: float = 0.5
) -> Batch:
    """Multiply the frequencies of a `share` of the rows by most^U(−1, 1), a factor a row; lengths stay.

    Log-mels move their rows. Waveforms are stretched by a phase vocoder, then resampled to their old length, in
    steps of 2 %, and keep their level. There is no phase locking: chords and speech sound a little distant.

    Source: Flanagan & Golden, Phase vocoder (1966); Laroche & Dolson, New phase-vocoder techniques (1999).
    """
    most, share = check_between("most", most, 1, 2), check_between("share", share, 0, 1)
    x = batch.x
    heard = uniform(generator, len(x), 1, 1, like=x) < share
    if kind_of(frontend) == "waveform":
        return batch._replace(
            x=_pitched(batch, frontend.sample_rate, generator, most, heard.flatten().tolist())
        )
    factor = drawn_factors(generator, len(x), most)
    if x.numel() == 0:
        return batch
    time = torch.arange(x.shape[2]).expand(len(x), -1)
    y = moved_cells(x, time, shifted_rows(frontend, x.shape[1], factor))
    return batch._replace(x=torch.where(heard & valid_mask(batch), y, x))


def stretch(x: torch.Tensor, factor: float, sample_rate: int) -> torch.Tensor:
    """Samples (T,) made `factor` times as long at the same pitch (ceil(T · factor),).

    A frame every quarter of a window is read at 1 / factor of the pace, and each bin turns on by the phase that
    it turns in a quarter of a window there, so that no phase needs unwrapping. At an attack (6 dB more within a
    quarter of a window) the phases are taken as they are, which keeps it sharp.

    Examples
    --------
    >>> t = torch.arange(8000) / 8000
    >>> y = stretch(torch.sin(2 * torch.pi * 440 * t), 1.25, 8000)
    >>> len(y), int(torch.fft.rfft(y).abs().argmax()) / len(y) * 8000
    (10000, 440.0)
    """
    n_fft = 2 ** max(5, round(math.log2(0.06 * sample_rate)))
    hop, n_out = n_fft // 4, math.ceil(len(x) * factor - 1e-9)
    window = torch.hann_window(n_fft, dtype=x.dtype, device=x.device)
    frame = torch.arange(-2, -(-n_out // hop) + 3, dtype=torch.float64, device=x.device)
    front = 2 * n_fft  # room for the frames before sample 0
    start = (frame * hop / factor).round().long() + front - n_fft // 2
    padded = torch.nn.functional.pad(x, (front, max(0, int(start[-1]) + n_fft - front - len(x))))
    frames = padded.unfold(0, n_fft, 1)
    here = torch.fft.rfft(frames[start] * window)  # (K, bins)
    before = torch.fft.rfft(frames[start - hop] * window)
    turned = _unit(here * before.conj()).cumprod(0)
    size = _power(here)
    begins = size.sum(1) > ATTACK * _power(before).sum(1)
    begins[0] = True
    own = turned[begins].conj() * _unit(here[begins])  # what turns a stretch to the phases of its attack
    phase = turned * own[begins.cumsum(0) - 1]
    pieces = torch.fft.irfft(size.sqrt() * phase, n_fft) * window
    total = hop * (len(frame) - 1) + n_fft
    y = torch.nn.functional.fold(pieces.T[None], (1, total), (1, n_fft), stride=(1, hop)).flatten() / 1.5
    first = n_fft // 2 + 2 * hop  # where sample 0 lies: frame −2 begins half a window before −2 hops
    return y[first : first + n_out]


def _unit(z: torch.Tensor) -> torch.Tensor:
    """z / |z|, and 1 where z is 0."""
    power = _power(z)
    return torch.where(power > 0, z * power.clamp(min=torch.finfo(power.dtype).tiny).rsqrt(), 1.0)


def _power(z: torch.Tensor) -> torch.Tensor:
    """|z|², many times faster than by abs."""
    return z.real.square() + z.imag.square()


def _pitched(
    batch: Batch, sample_rate: int, generator: torch.Generator, most: float, heard: list[bool]
) -> torch.Tensor:
    ratios = drawn_ratios(generator, len(heard), most)
    y = batch.x.clone()
    for row, n, ratio, is_heard in zip(y[:, 0], batch.lengths.tolist(), ratios, heard, strict=True):
        if is_heard and n and ratio != STEPS:
            new = resample(stretch(row[:n], ratio / STEPS, sample_rate), STEPS, ratio)[:n]
            energy = new.square().sum()
            row[:n] = new * restoring(row[:n].square().sum(), energy).sqrt()
    return y
