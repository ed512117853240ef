"""Augmentation by noise of a colour at a signal-to-noise ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ..core.spectrum import fast_length
from ..errors import InputError, one_line
from .batch import Batch, check_between, check_range, kind_of, log_mels, mel_powers, uniform, valid_mask

__all__ = ["COLORS", "colored_noise", "noise"]

LOWEST_HZ = 20.0  # below it pink and brown are flat


def noise(
    batch: Batch,
    frontend: Any,
    generator: torch.Generator,
    *,
    snr_db: tuple[float, float] = (5.0, 30.0),
    colors: Sequence[str] = ("white", "pink", "brown"),
    share: float = 0.5,
) -> Batch:
    """Add noise to a `share` of the rows; silent rows stay silent.

    Parameters
    ----------
    snr_db : (lowest, highest), dB
        Power of a row's own frames over that of the noise there, drawn evenly for each row: of samples,
        exactly; on log-mels of the mel powers, to which powers of noise seen through the front-end are added.
    colors : sequence of keys of COLORS
        Each row draws one; on log-mels the batch does, and each row hears that noise from another place.
    share : float in [0, 1]
    """
    low, high = check_range("snr_db", snr_db)
    share = check_between("share", share, 0, 1)
    if isinstance(colors, str) or not colors or any(c not in COLORS for c in colors):
        raise InputError(f"colors must be a sequence of {', '.join(COLORS)}, got {one_line(colors)}")
    x, valid = batch.x, valid_mask(batch)
    if x.numel() == 0:
        return batch
    heard = uniform(generator, len(x), 1, 1, like=x) < share
    ratio = 10 ** (-uniform(generator, len(x), 1, 1, low=low, high=high, like=x) / 10)
    if kind_of(frontend) == "waveform":
        added = _noise_of_rows(x, frontend.sample_rate, colors, generator)
        scale = (ratio * _energy(x.square(), valid) / _energy(added.square(), valid).clamp(min=1e-30)).sqrt()
        y = x + scale * added
    else:
        power = mel_powers(x, frontend)
        added = _noise_of_mels(x, frontend, colors, generator)
        scale = ratio * _energy(power, valid) / _energy(added, valid).clamp(min=1e-30)
        y = log_mels(power + scale * added, frontend)
    return batch._replace(x=torch.where(heard & valid, y, x))


def colored_noise(
    n_rows: int, n: int, sample_rate: int, slopes: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Gaussian noise on the CPU (n_rows, n), amplitude as frequency^−slope (B,) above LOWEST_HZ; not scaled."""
    white = torch.randn(n_rows, n, generator=generator)
    if not slopes.any():
        return white
    size = fast_length(n + n % 2)
    spectrum = torch.fft.rfft(white, size)
    hz = torch.fft.rfftfreq(size, 1 / sample_rate).clamp(min=min(LOWEST_HZ, sample_rate / 4))
    values, which = slopes.unique(return_inverse=True)
    return torch.fft.irfft(spectrum * ((hz / hz[0]) ** -values[:, None])[which], size)[:, :n]


def _noise_of_rows(
    x: torch.Tensor, sample_rate: int, colors: Sequence[str], generator: torch.Generator
) -> torch.Tensor:
    """A noise of its own for each row (B, 1, T)."""
    chosen = torch.randint(len(colors), (len(x),), generator=generator)
    slopes = torch.tensor([COLORS[c] for c in colors])[chosen]
    return colored_noise(len(x), x.shape[2], sample_rate, slopes, generator).to(x)[:, None]


def _noise_of_mels(
    x: torch.Tensor, frontend: Any, colors: Sequence[str], generator: torch.Generator
) -> torch.Tensor:
    """Mel powers (B, F, L) of one noise, which each row hears from another frame on."""
    n_frames = x.shape[2]
    lead = math.ceil(frontend.window_length / frontend.hop_length)  # frames that see beyond the noise's ends
    slope = COLORS[colors[int(torch.randint(len(colors), (1,), generator=generator))]]
    n = (n_frames + 2 * lead) * frontend.hop_length
    sound = 0.1 * colored_noise(1, n, frontend.sample_rate, torch.tensor([slope]), generator)
    power = mel_powers(frontend(sound.to(frontend.mel))[0, :, lead : lead + n_frames], frontend).to(x)
    start = torch.randint(n_frames, (len(x), 1), generator=generator).to(x.device)
    place = (start + torch.arange(n_frames, device=x.device)) % n_frames  # (B, L)
    return power[:, place].transpose(0, 1)


def _energy(power: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Sum of each row's own cells [shape=(B, 1, 1)]."""
    return torch.where(valid, power, 0.0).sum((1, 2), keepdim=True)


COLORS = {"white": 0.0, "pink": 0.5, "brown": 1.0}
