"""Augmentation of tempo with the pitch kept: each row slower or faster by a factor of its own."""

from __future__ import annotations

from typing import Any

import torch

from .augment_pitch import stretch
from .augment_speed import STEPS, drawn_factors, drawn_ratios, moved_cells, stacked
from .batch import Batch, check_between, kind_of

__all__ = ["tempo"]


def tempo(batch: Batch, frontend: Any, generator: torch.Generator, *, most: float = 1.25) -> Batch:
    """Play each row most^U(−1, 1) times as fast at the pitch it has, as another speaker might say it.

    Log-mels are read at another pace, between frames by straight lines. Waveforms go through the phase vocoder
    of `pitch`, in steps of 2 %. A seed draws the same factors for both, but for those steps.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import LogMel
    >>> batch = Batch(torch.zeros(2, 40, 100), torch.tensor([100, 50]), torch.eye(2))
    >>> tempo(batch, LogMel(8000, 40), torch.Generator().manual_seed(0), most=2.0).lengths
    tensor([52, 37])
    """
    most = check_between("most", most, 1, 4)
    x, lengths, targets = batch
    if kind_of(frontend) == "waveform":
        ratios = drawn_ratios(generator, len(x), most)
        played = [
            stretch(row[:n], STEPS / ratio, frontend.sample_rate)[None]
            if n and ratio != STEPS
            else row[None, :n]
            for row, n, ratio in zip(x[:, 0], lengths.tolist(), ratios, strict=True)
        ]
        return stacked(played, batch)
    factor = drawn_factors(generator, len(x), most, dtype=torch.float64)
    if x.numel() == 0:
        return batch
    fresh = (lengths.cpu() / factor).round().long().clamp(min=1)
    last = (lengths.cpu() - 1).clamp(min=0)
    pace = last / (fresh - 1).clamp(min=1)
    time = torch.minimum(torch.arange(int(fresh.max())) * pace[:, None], last[:, None])
    rows = torch.arange(x.shape[1]).expand(len(x), -1)
    fresh = torch.where(lengths > 0, fresh.to(lengths), lengths)
    return Batch(moved_cells(x, time.float(), rows.float()), fresh, targets)
