"""Augmentations of where things happen: turned round in time, moved, cut out, hidden in parts."""

from __future__ import annotations

from typing import Any

import torch

from ..errors import InputError, one_line
from .batch import Batch, check_between, check_range, silence, uniform, valid_mask

__all__ = ["crop", "masks", "roll", "shift"]


def roll(batch: Batch, frontend: Any, generator: torch.Generator) -> Batch:
    """Turn each row in time by a random number of frames; what leaves at its end comes in at its start."""
    lengths = batch.lengths.tolist()
    u = torch.rand(len(lengths), 1, generator=generator)
    turns = (u * torch.tensor(lengths).clamp(min=1)[:, None]).long()[:, 0].tolist()
    y = batch.x.clone()
    for row, old, n, turn in zip(y, batch.x, lengths, turns, strict=True):
        if turn:
            row[:, turn:n] = old[:, : n - turn]
            row[:, :turn] = old[:, n - turn : n]
    return batch._replace(x=y)


def shift(batch: Batch, frontend: Any, generator: torch.Generator, *, most: float = 0.2) -> Batch:
    """Move each row by up to ±most of its length; silence comes in, what leaves is lost, lengths stay.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import Raw
    >>> batch = Batch(torch.arange(1.0, 9)[None, None], torch.tensor([8]), torch.eye(1))
    >>> shift(batch, Raw(8000), torch.Generator().manual_seed(1), most=0.5).x
    tensor([[[0., 0., 1., 2., 3., 4., 5., 6.]]])
    """
    most = check_between("most", most, 0, 1)
    lengths = batch.lengths.tolist()
    u = 2 * torch.rand(len(lengths), generator=generator) - 1
    moves = (u * most * torch.tensor(lengths)).round().long().tolist()
    y, quiet = batch.x.clone(), silence(frontend)
    for row, old, n, move in zip(y, batch.x, lengths, moves, strict=True):
        if move > 0:
            row[:, move:n] = old[:, : n - move]
            row[:, :move] = quiet
        elif move < 0:
            row[:, : n + move] = old[:, -move:n]
            row[:, n + move : n] = quiet
    return batch._replace(x=y)


def crop(
    batch: Batch,
    frontend: Any,
    generator: torch.Generator,
    *,
    share: tuple[float, float] = (0.75, 1.0),
    duration_s: float | None = None,
) -> Batch:
    """Keep a stretch of each row, from a place of its own: a `share` drawn once a batch, or `duration_s`.

    One share a batch keeps rows of one length at one length. Rows no longer than `duration_s` stay whole.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import Raw
    >>> batch = Batch(torch.arange(8.0)[None, None], torch.tensor([8]), torch.eye(1))
    >>> crop(batch, Raw(8000), torch.Generator().manual_seed(0), share=(0.5, 0.5)).x
    tensor([[[3., 4., 5., 6.]]])
    """
    low, high = check_range("share", share, 0, 1)
    if low == 0:
        raise InputError(f"share must be (lowest, highest) above 0, got {one_line(share)}")
    if duration_s is not None:
        duration_s = check_between("duration_s", duration_s, 0)
    lengths = batch.lengths.tolist()
    u = torch.rand(1 + len(lengths), generator=generator, dtype=torch.float64)
    if duration_s is None:
        kept = [max(min(n, 1), round(n * (low + (high - low) * float(u[0])))) for n in lengths]
    else:
        most = max(1, round(duration_s * frontend.sample_rate / frontend.hop_length))
        kept = [min(n, most) for n in lengths]
    starts = [int(v * (n - k + 1)) for v, n, k in zip(u[1:].tolist(), lengths, kept, strict=True)]
    y = torch.zeros_like(batch.x[:, :, : max(kept, default=0)])
    for row, old, start, k in zip(y, batch.x, starts, kept, strict=True):
        row[:, :k] = old[:, start : start + k]
    return Batch(y, torch.tensor(kept, dtype=batch.lengths.dtype).to(batch.lengths.device), batch.targets)


def masks(
    batch: Batch, frontend: Any, generator: torch.Generator, *, n: int = 2, widest: float = 0.125
) -> Batch:
    """Blank `n` random bands of frames and (for n_features > 1) of features with the row's mean.

    A band is up to `widest` of the row's length, or of the number of features. Waveforms have bands of time
    only.

    Source: Park et al., SpecAugment (2019), without warping.
    """
    widest = check_between("widest", widest, 0, 1)
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise InputError(f"n must be an int >= 0, got {one_line(n)}")
    x, lengths, _ = batch
    lengths = lengths.to(x)
    valid = valid_mask(batch)
    mean = torch.where(valid, x, 0.0).sum((1, 2)) / (lengths.clamp(min=1) * x.shape[1])
    hidden = torch.zeros(len(x), 1, x.shape[2], dtype=torch.bool, device=x.device)
    for _ in range(n):
        hidden = hidden | _band(x.shape[2], lengths, widest, generator)[:, None]
    if x.shape[1] > 1:
        size = torch.full_like(lengths, float(x.shape[1]))
        for _ in range(n):
            hidden = hidden | _band(x.shape[1], size, widest, generator)[:, :, None]
    return batch._replace(x=torch.where(hidden & valid, mean[:, None, None], x))


def _band(size: int, length: torch.Tensor, widest: float, generator: torch.Generator) -> torch.Tensor:
    """True on a random stretch of each row's first `length` places [shape=(B, size)]."""
    u = uniform(generator, 2, len(length), 1, like=length)
    width = u[0] * widest * length[:, None]
    start = u[1] * (length[:, None] - width)
    place = torch.arange(size, device=length.device)
    return (place >= start.round()) & (place < (start + width).round())
