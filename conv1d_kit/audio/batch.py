"""What augmentations share: the batch they take and give, random numbers, and what silence looks like.

Random numbers come from a generator of the CPU and are moved afterwards, so that a seed says the same on every
device.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from ..core.pooling import length_mask
from ..errors import InputError, one_line

__all__ = [
    "KINDS", "Batch", "check_between", "check_range", "kind_of", "log_mels", "mel_powers", "restoring",
    "silence", "uniform", "valid_mask",
]  # fmt: skip

KINDS = ("waveform", "log_mel", "log_power", "other")  # what an augmentation tells apart in features


class Batch(NamedTuple):
    """Features (B, F, L), valid frames (B,), class shares (B, n_classes)."""

    x: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor


def kind_of(frontend: Any) -> str:
    """Which of KINDS a front-end's features are: log_power is any logarithm of power but that in mel bands.

    Examples
    --------
    >>> from conv1d_kit.audio.frontends import LogMel, Raw
    >>> kind_of(Raw(8000)), kind_of(LogMel(8000))
    ('waveform', 'log_mel')
    """
    if frontend.n_features == 1 and frontend.hop_length == 1 and not frontend.log_scale:
        return "waveform"
    if not frontend.log_scale:
        return "other"
    return "log_mel" if hasattr(frontend, "mel") else "log_power"


def silence(frontend: Any) -> float:
    """The value that features of digital silence have."""
    return math.log(frontend.floor) if frontend.log_scale else 0.0


def mel_powers(x: torch.Tensor, frontend: Any) -> torch.Tensor:
    """What log-mels are the logarithm of, without the floor that was added."""
    return (x.exp() - frontend.floor).clamp(min=0)


def log_mels(power: torch.Tensor, frontend: Any) -> torch.Tensor:
    """The way back from `mel_powers`."""
    return (power + frontend.floor).log()


def restoring(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """What makes energies `after` those `before` again; 1 where nothing is left.

    Examples
    --------
    >>> restoring(torch.tensor([6.0, 0.0]), torch.tensor([2.0, 0.0]))
    tensor([3., 1.])
    """
    return torch.where(after > 0, before / after.clamp(min=1e-30), 1.0)


def valid_mask(batch: Batch) -> torch.Tensor:
    """True on each row's own frames [shape=(B, 1, L), on the device of x]."""
    return length_mask(batch.lengths.to(batch.x.device), batch.x.shape[2])[:, None]


def uniform(
    generator: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0, like: torch.Tensor
) -> torch.Tensor:
    """Even draws from [low, high), made on the CPU, then of the device and dtype of `like`."""
    return (low + (high - low) * torch.rand(*shape, generator=generator)).to(like)


def check_between(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """`value` as a float in [low, high], or InputError.

    Examples
    --------
    >>> check_between("share", 0.5, 0, 1)
    0.5
    """
    if not _is_number(value) or not low <= value <= high:
        bounds = f">= {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise InputError(f"{name} must be a number {bounds}, got {one_line(value)}")
    return float(value)


def check_range(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> tuple[float, float]:
    """`value` as (lowest, highest) within [low, high], or InputError.

    Examples
    --------
    >>> check_range("snr_db", [5, 30])
    (5.0, 30.0)
    """
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(_is_number, value)):
        raise InputError(f"{name} must be (lowest, highest), two numbers, got {one_line(value)}")
    if not low <= value[0] <= value[1] <= high:
        bounds = "" if math.isinf(low) and math.isinf(high) else f" within {low:g} to {high:g}"
        raise InputError(f"{name} must be (lowest, highest){bounds}, got {one_line(value)}")
    return float(value[0]), float(value[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
