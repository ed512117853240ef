"""Augmentations that mix two clips and their targets: between-class learning, and mixup."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..errors import InputError, one_line
from .batch import Batch, check_between, kind_of, silence, uniform, valid_mask

__all__ = ["a_weighting", "mix", "mixup", "sound_level"]

QUIETEST_DB = -100.0  # below it a clip is silence, which nothing is matched with


def mix(
    batch: Batch, frontend: Any, generator: torch.Generator, *, share: float = 0.5, level: str = "a"
) -> Batch:
    """Mix a `share` of the rows with one of another class at a random ratio, levels matched; targets mix alike.

    With r even in (0, 1) and levels G in dB: p = 1 / (1 + 10^((G1 − G2) / 20) · (1 − r) / r), and
    y = (p·x1 + (1 − p)·x2) / sqrt(p² + (1 − p)²) has the targets r·t1 + (1 − r)·t2. A silent clip is not mixed.

    Parameters
    ----------
    share : float in [0, 1]
    level : "a" or "rms"
        Of a waveform: the loudest of its windows of about 0.1 s, A-weighted, or its root mean square.
        Log-mels mix powers with the squares of the weights; their level is the loudest frame's mean power.

    Source: Tokozume, Ushiku & Harada, Between-class learning (ICLR 2018), eq. 2 and section 3.2.
    """
    share = check_between("share", share, 0, 1)
    if level not in LEVELS:
        raise InputError(f"level must be one of {', '.join(map(repr, LEVELS))}, got {one_line(level)}")
    x, lengths, targets = batch
    if len(x) == 0:
        return batch
    partner = _partners(targets, generator).to(x.device)
    valid = valid_mask(batch)
    power = torch.where(valid, x.exp() if frontend.log_scale else x, 0.0)  # a waveform's "power" is its samples
    if kind_of(frontend) == "waveform":
        loudness = LEVELS[level](power[:, 0], lengths.to(x.device), frontend.sample_rate)
        is_silent = loudness <= QUIETEST_DB
    else:
        loudest = (
            (power if frontend.log_scale else power**2).mean(1).amax(1) if x.shape[2] else x.new_zeros(len(x))
        )
        loudness = loudest.clamp(min=1e-10).log10() * 10  # dB
        is_silent = loudest <= max(1.001 * frontend.floor, 1e-10)
    r = uniform(generator, len(x), like=x).clamp(1e-3, 1 - 1e-3)
    is_mixed = uniform(generator, len(x), like=x) < share
    is_mixed &= partner != torch.arange(len(x), device=x.device)
    is_mixed &= ~(is_silent | is_silent[partner])
    p = 1 / (1 + 10 ** ((loudness - loudness[partner]) / 20) * (1 - r) / r)
    a, b = p[:, None, None], (1 - p)[:, None, None]
    norm = a**2 + b**2
    if frontend.log_scale:
        y = (a**2 / norm * power + b**2 / norm * power[partner]).clamp(min=frontend.floor).log()
    else:
        y = (a * power + b * power[partner]) / norm.sqrt()
    return _mixed(batch, y, partner, r, is_mixed)


def mixup(
    batch: Batch, frontend: Any, generator: torch.Generator, *, alpha: float = 0.2, share: float = 1.0
) -> Batch:
    """Average a `share` of the rows and their targets with another row's, weights from Beta(alpha, alpha).

    y = λ·x1 + (1 − λ)·x2 with targets λ·t1 + (1 − λ)·t2; features as the net sees them (logarithms stay
    logarithms), and silence beyond the end of the shorter clip.

    Source: Zhang, Cissé, Dauphin & Lopez-Paz, mixup (ICLR 2018), eq. 1.
    """
    from scipy.special import betaincinv

    alpha, share = check_between("alpha", alpha, 1e-3), check_between("share", share, 0, 1)
    x = batch.x
    partner = torch.randperm(len(x), generator=generator).to(x.device)
    u = torch.rand(len(x), generator=generator, dtype=torch.float64)
    weight = torch.from_numpy(betaincinv(alpha, alpha, u.numpy())).to(x)
    is_mixed = uniform(generator, len(x), like=x) < share
    is_mixed &= partner != torch.arange(len(x), device=x.device)
    clean = torch.where(valid_mask(batch), x, silence(frontend))
    y = torch.lerp(clean[partner], clean, weight[:, None, None])
    return _mixed(batch, y, partner, weight, is_mixed)


def sound_level(x: torch.Tensor, lengths: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """A-weighted level of each row's loudest window, dB [shape=(B,)] of samples (B, T), zeros beyond lengths.

    Hann windows of a power of two of samples near 0.1 s, half overlapping and reaching over both ends, so that
    every sample counts alike; a sine of 1 kHz and amplitude 1 has −3 dB, and nothing is below QUIETEST_DB.
    """
    n_fft = 2 ** max(5, round(math.log2(0.1 * sample_rate)))
    half = n_fft // 2
    padded = torch.nn.functional.pad(x, (half, half + -x.shape[1] % half))
    window = torch.hann_window(n_fft, dtype=x.dtype, device=x.device)
    spectrum = torch.fft.rfft(padded.unfold(1, n_fft, half) * window)  # (B, L, bins)
    weight = 10 ** (a_weighting(torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float64)) / 10)
    scale = 2 / (n_fft * float(window.square().sum()))
    power = (spectrum.real**2 + spectrum.imag**2) @ (weight * scale).to(x)
    return power.amax(1).clamp(min=10 ** (QUIETEST_DB / 10)).log10() * 10


def a_weighting(hz: torch.Tensor) -> torch.Tensor:
    """The ear's sensitivity relative to 1 kHz, dB. Source: IEC 61672-1:2013, annex E.

    Examples
    --------
    >>> a_weighting(torch.tensor([100.0, 1000.0, 10000.0])).round(decimals=1)
    tensor([-19.1000,   0.0000,  -2.5000])
    """
    f2 = hz**2
    top = 12194.217**2 * f2**2
    bottom = (f2 + 20.598997**2) * (f2 + 12194.217**2)
    bottom = bottom * ((f2 + 107.65265**2) * (f2 + 737.86223**2)).sqrt()
    return 20 * (top / bottom).clamp(min=1e-15).log10() + 1.99994


def _rms_level(x: torch.Tensor, lengths: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Root mean square of each row's own samples, dB [shape=(B,)]."""
    power = x.square().sum(1) / lengths.clamp(min=1)
    return power.clamp(min=10 ** (QUIETEST_DB / 10)).log10() * 10


def _mixed(
    batch: Batch, y: torch.Tensor, partner: torch.Tensor, weight: torch.Tensor, is_mixed: torch.Tensor
) -> Batch:
    """y, the longer length and the weighted targets where a row is mixed; the row as it was elsewhere."""
    x, lengths, targets = batch
    mixed, mate = is_mixed.to(lengths.device), partner.to(lengths.device)
    longer = torch.where(mixed, torch.maximum(lengths, lengths[mate]), lengths)
    y = torch.where(is_mixed[:, None, None] & valid_mask(Batch(x, longer, targets)), y, x)
    r = torch.where(is_mixed, weight, 1.0).to(targets)[:, None]
    return Batch(y, longer, r * targets + (1 - r) * targets[partner.to(targets.device)])


def _partners(targets: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A row of another class for each row, where the batch has one (a few random tries)."""
    classes = targets.argmax(1)
    partner = torch.randperm(len(classes), generator=generator).to(targets.device)
    for _ in range(4):
        again = torch.randperm(len(classes), generator=generator).to(targets.device)
        partner = torch.where(classes == classes[partner], again, partner)
    return partner


LEVELS = {"a": sound_level, "rms": _rms_level}
