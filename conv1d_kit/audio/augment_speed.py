"""Augmentation by playing faster or slower: duration and pitch change together, as on a tape."""

from __future__ import annotations

import math
from typing import Any

import torch

from .batch import Batch, check_between, kind_of
from .frontends import hz_to_mel, mel_to_hz
from .resample import resample

__all__ = [
    "STEPS", "drawn_factors", "drawn_ratios", "moved_cells", "resampled_rows", "shifted_rows", "speed",
    "stacked",
]  # fmt: skip

STEPS = 50  # waveforms: factors are multiples of 1 / STEPS, a third of a semitone


def speed(
    batch: Batch, frontend: Any, generator: torch.Generator, *, most: float = 1.25, each: bool = True
) -> Batch:
    """Play the batch most^U(−1, 1) times as fast; on a log-mel each row gets its own such factor for pitch.

    Log-mels: one factor of time for the batch keeps rows of one length at one length, so that nothing is
    padded; it is rounded to a few sizes, because each new size makes the CPU library compile its convolutions
    again.

    Waveforms: resampled, each row by a factor of its own in steps of 2 %, or all rows by one (each=False),
    which pads nothing. Tones below 0.84 of the lower Nyquist frequency are right to −80 dB.
    """
    most = check_between("most", most, 1, 4)
    if kind_of(frontend) == "waveform":
        ratios = drawn_ratios(generator, len(batch.x), most, each=each)
        return stacked(resampled_rows(batch, ratios), batch)
    return _stretched(batch, frontend, generator, most)


def drawn_factors(
    generator: torch.Generator, n: int, most: float, *, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """n factors most^U(−1, 1) on the CPU."""
    return most ** (2 * torch.rand(n, generator=generator, dtype=dtype) - 1)


def drawn_ratios(generator: torch.Generator, n: int, most: float, *, each: bool = True) -> list[int]:
    """n factors most^U(−1, 1), or one n times, in units of 1 / STEPS."""
    factor = drawn_factors(generator, n if each else 1, most, dtype=torch.float64)
    ratios = (STEPS * factor).round().clamp(math.ceil(STEPS / most), math.floor(STEPS * most)).long()
    return ratios.expand(n).tolist()


def shifted_rows(frontend: Any, n_features: int, factor: torch.Tensor) -> torch.Tensor:
    """The mel row from which each row comes when frequencies are multiplied by factor [shape=(B, F)]."""
    low, high = (float(hz_to_mel(f)) for f in (frontend.f_min, frontend.f_max))
    step = (high - low) / (n_features + 1)
    centres = torch.from_numpy(mel_to_hz(low + step * (1 + torch.arange(n_features).numpy())))
    mel = torch.from_numpy(hz_to_mel((centres / factor[:, None].double()).numpy()))
    return ((mel - low) / step - 1).clamp(0, n_features - 1).float()


def resampled_rows(batch: Batch, ratios: list[int]) -> list[torch.Tensor]:
    """Each row's own samples played ratio / STEPS times as fast [each shape=(1, T')]."""
    return [
        resample(row[:, :n], STEPS, ratio)
        for row, n, ratio in zip(batch.x, batch.lengths.tolist(), ratios, strict=True)
    ]


def stacked(rows: list[torch.Tensor], batch: Batch) -> Batch:
    """Rows of samples (1, T') each as a batch with zeros behind them; the targets of the old one."""
    fresh = [row.shape[1] for row in rows]
    y = batch.x.new_zeros(len(rows), batch.x.shape[1], max(fresh, default=0))
    for out, row in zip(y, rows, strict=True):
        out[:, : row.shape[1]] = row
    return Batch(y, torch.tensor(fresh, dtype=batch.lengths.dtype).to(batch.lengths.device), batch.targets)


def _stretched(batch: Batch, frontend: Any, generator: torch.Generator, most: float) -> Batch:
    x, lengths, targets = batch
    n_rows, n_features, _ = x.shape
    factor = drawn_factors(generator, 1 + n_rows, most)
    if n_rows == 0 or not int(lengths.max()):
        return batch._replace(x=x.clone())
    longest = int(lengths.max())
    step = max(1, min(16, longest // 8))
    size = max(1, round(longest / float(factor[0]) / step) * step)
    rate = (longest - 1) / max(1, size - 1)
    time = (torch.arange(size) * rate).expand(n_rows, -1)  # (B, L'), in old frames
    fresh = ((lengths - 1).clamp(min=0) / max(rate, 1e-9) + 1e-4).floor().long().clamp(max=size - 1) + 1
    rows = shifted_rows(frontend, n_features, factor[1:]) if n_features > 1 else torch.zeros(n_rows, 1)
    y = moved_cells(x, time, rows)
    return Batch(y, torch.where(lengths > 0, fresh, lengths), targets)


def moved_cells(x: torch.Tensor, time: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """x at places (rows (B, F'), time (B, L')) of its features and frames, between cells by straight lines."""
    at_time = _unit(time, x.shape[2])[:, None].expand(-1, rows.shape[1], -1)
    at_row = _unit(rows, x.shape[1])[:, :, None].expand(-1, -1, time.shape[1])
    grid = torch.stack([at_time, at_row], -1).to(x)  # (B, F', L', 2)
    return torch.nn.functional.grid_sample(x[:, None], grid, padding_mode="border", align_corners=True)[:, 0]


def _unit(place: torch.Tensor, size: int) -> torch.Tensor:
    """Places 0…size − 1 as grid_sample's −1…1."""
    return place * (2 / max(size - 1, 1)) - 1
