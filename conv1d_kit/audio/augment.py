"""Augmentations of a whole batch of features at once: speed, time roll, gain, mixing of two clips, masks.

Each row of AUGMENTS takes (batch, frontend, generator), returns a new batch, and is decided by the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from ..core.pooling import length_mask
from ..errors import InputError
from .frontends import hz_to_mel, mel_to_hz

__all__ = ["AUGMENTS", "Batch", "augment", "gain", "masks", "mix", "roll", "speed"]


class Batch(NamedTuple):
    """Features (B, F, L), valid frames (B,), class shares (B, n_classes)."""

    x: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor


def augment(batch: Batch, names: Sequence[str], frontend: Any, generator: torch.Generator) -> Batch:
    """Apply the named rows of AUGMENTS in order.

    Raises
    ------
    InputError
        If a name is not in AUGMENTS.
    """
    for name in names:
        if name not in AUGMENTS:
            raise InputError(f"augment must be names of {', '.join(AUGMENTS)}, got {name!r}")
        batch = AUGMENTS[name](batch, frontend, generator)
    return batch


def speed(batch: Batch, frontend: Any, generator: torch.Generator, *, most: float = 1.25) -> Batch:
    """Play the batch most^U(−1, 1) times as fast; on a log-mel each row gets its own such factor for pitch.

    One factor of time for the batch keeps rows of one length at one length, so that nothing is padded; it is
    rounded to a few sizes, because each new size makes the CPU library compile its convolutions again.
    """
    x, lengths, targets = batch
    n_rows, n_features, _ = x.shape
    factor = most ** (2 * torch.rand(1 + n_rows, generator=generator) - 1)
    longest = max(1, int(lengths.max()))
    step = max(1, min(16, longest // 8))
    size = max(1, round(longest / float(factor[0]) / step) * step)
    rate = (longest - 1) / max(1, size - 1)
    time = (torch.arange(size) * rate).expand(n_rows, -1)  # (B, L'), in old frames
    fresh = ((lengths - 1).clamp(min=0) / max(rate, 1e-9) + 1e-4).floor().long().clamp(max=size - 1) + 1
    rows = _shifted_rows(frontend, n_features, factor[1:]) if n_features > 1 else torch.zeros(n_rows, 1)
    grid = torch.stack(
        [
            _unit(time, x.shape[2])[:, None].expand(-1, n_features, -1),
            _unit(rows, n_features)[:, :, None].expand(-1, -1, size),
        ],
        -1,
    )  # (B, F, L', 2)
    y = torch.nn.functional.grid_sample(x[:, None], grid, padding_mode="border", align_corners=True)[:, 0]
    return Batch(y, torch.where(lengths > 0, fresh, lengths), targets)


def roll(batch: Batch, frontend: Any, generator: torch.Generator) -> Batch:
    """Turn each row in time by a random number of frames; what leaves at its end comes in at its start."""
    x, lengths, targets = batch
    length = lengths.clamp(min=1)[:, None]
    shift = (torch.rand(len(x), 1, generator=generator) * length).long()
    place = torch.arange(x.shape[2])
    source = torch.where(place < length, (place - shift) % length, place)  # (B, L)
    return Batch(x.gather(2, source[:, None].expand_as(x)), lengths, targets)


def gain(batch: Batch, frontend: Any, generator: torch.Generator, *, most_db: float = 6.0) -> Batch:
    """Make each row up to ±most_db louder."""
    db = (2 * torch.rand(len(batch.x), 1, 1, generator=generator) - 1) * most_db
    x = batch.x + db * (math.log(10) / 10) if frontend.log_scale else batch.x * 10 ** (db / 20)
    return batch._replace(x=x)


def mix(batch: Batch, frontend: Any, generator: torch.Generator, *, share: float = 0.5) -> Batch:
    """Mix a `share` of the rows with one of another class at a random ratio, levels matched; targets mix alike.

    Source: Tokozume, Ushiku & Harada, Between-class learning (ICLR 2018), eq. 2; powers instead of amplitudes
    where the features are logarithms of power.
    """
    x, lengths, targets = batch
    partner = _partners(targets, generator)
    mask = length_mask(lengths, x.shape[2])[:, None]
    power = torch.where(mask, x.exp(), 0.0) if frontend.log_scale else torch.where(mask, x, 0.0)
    loudest = (power if frontend.log_scale else power**2).mean(1)
    if not frontend.log_scale:
        loudest = loudest.mean(1, keepdim=True)
    level = loudest.amax(1).clamp(min=1e-10).log10() * 10  # dB
    r = torch.rand(len(x), generator=generator).clamp(1e-3, 1 - 1e-3)
    r = torch.where(torch.rand(len(x), generator=generator) < share, r, 1.0)
    p = 1 / (1 + 10 ** ((level - level[partner]) / 20) * (1 - r) / r)
    a, b = p[:, None, None], (1 - p)[:, None, None]
    norm = a**2 + b**2
    if frontend.log_scale:
        y = (a**2 / norm * power + b**2 / norm * power[partner]).clamp(min=frontend.floor).log()
    else:
        y = (a * power + b * power[partner]) / norm.sqrt()
    shares = r[:, None] * targets + (1 - r[:, None]) * targets[partner]
    return Batch(y, torch.maximum(lengths, lengths[partner]), shares)


def masks(
    batch: Batch, frontend: Any, generator: torch.Generator, *, n: int = 2, widest: float = 0.125
) -> Batch:
    """Blank `n` random bands of frames and (for n_features > 1) of features with the row's mean.

    Source: Park et al., SpecAugment (2019), without warping.
    """
    x, lengths, _ = batch
    valid = length_mask(lengths, x.shape[2])[:, None]
    mean = torch.where(valid, x, 0.0).sum((1, 2)) / (lengths.clamp(min=1) * x.shape[1])
    hidden = torch.zeros(len(x), 1, x.shape[2], dtype=torch.bool)
    for _ in range(n):
        hidden = hidden | _band(x.shape[2], lengths.float(), widest, generator)[:, None]
    if x.shape[1] > 1:
        size = torch.full((len(x),), float(x.shape[1]))
        for _ in range(n):
            hidden = hidden | _band(x.shape[1], size, widest, generator)[:, :, None]
    return batch._replace(x=torch.where(hidden, mean[:, None, None], x))


def _band(size: int, length: torch.Tensor, widest: float, generator: torch.Generator) -> torch.Tensor:
    """True on a random stretch of each row's first `length` places [shape=(B, size)]."""
    u = torch.rand(2, len(length), 1, generator=generator)
    width = u[0] * widest * length[:, None]
    start = u[1] * (length[:, None] - width)
    place = torch.arange(size)
    return (place >= start.round()) & (place < (start + width).round())


def _partners(targets: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A row of another class for each row, where the batch has one (a few random tries)."""
    classes = targets.argmax(1)
    partner = torch.randperm(len(classes), generator=generator)
    for _ in range(4):
        again = torch.randperm(len(classes), generator=generator)
        partner = torch.where(classes == classes[partner], again, partner)
    return partner


def _shifted_rows(frontend: Any, n_features: int, factor: torch.Tensor) -> torch.Tensor:
    """The mel row from which each row comes when frequencies are multiplied by factor [shape=(B, F)]."""
    low, high = (float(hz_to_mel(f)) for f in (frontend.f_min, frontend.f_max))
    step = (high - low) / (n_features + 1)
    centres = torch.from_numpy(mel_to_hz(low + step * (1 + torch.arange(n_features).numpy())))
    mel = torch.from_numpy(hz_to_mel((centres / factor[:, None].double()).numpy()))
    return ((mel - low) / step - 1).clamp(0, n_features - 1).float()


def _unit(place: torch.Tensor, size: int) -> torch.Tensor:
    """Places 0…size − 1 as grid_sample's −1…1."""
    return place * (2 / max(size - 1, 1)) - 1


AUGMENTS: dict[str, Callable[[Batch, Any, torch.Generator], Batch]] = {
    "speed": speed,
    "roll": roll,
    "gain": gain,
    "mix": mix,
    "masks": masks,
}
