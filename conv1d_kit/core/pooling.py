"""Masked pooling: what padding holds never reaches the result; a row gives alone what it gives in a batch."""

from __future__ import annotations

import torch

from ..errors import InputError

__all__ = ["POOLINGS", "length_mask", "max_pool", "mean_max_pool", "mean_pool", "pool"]


def length_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """True where position < length [shape=(B, L), bool] from lengths (B,)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def max_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Maximum over the last axis, (B, C, L) → (B, C); a row of length 0 gives 0."""
    if lengths is None:
        return x.amax(-1) if x.shape[-1] else x.new_zeros(x.shape[:-1])
    if x.shape[-1] == 0:
        return x.new_zeros(x.shape[:-1])
    mask = length_mask(lengths, x.shape[-1])[:, None]
    top = x.masked_fill(~mask, -torch.inf).amax(-1)
    return top.masked_fill((lengths <= 0)[:, None], 0.0)


def mean_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over the last axis, (B, C, L) → (B, C); a row of length 0 gives 0."""
    if lengths is None:
        return x.mean(-1) if x.shape[-1] else x.new_zeros(x.shape[:-1])
    mask = length_mask(lengths, x.shape[-1])[:, None]
    total = torch.where(mask, x, 0.0).sum(-1)
    return total / lengths.clamp(min=1)[:, None].to(x.dtype)


def mean_max_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean and maximum side by side, (B, C, L) → (B, 2C)."""
    return torch.cat([mean_pool(x, lengths), max_pool(x, lengths)], 1)


def pool(x: torch.Tensor, lengths: torch.Tensor | None = None, *, kind: str = "max") -> torch.Tensor:
    """Pool the last axis of (B, C, L) by the kind's row of POOLINGS.

    Parameters
    ----------
    x : Tensor [shape=(B, C, L)]
    lengths : int Tensor [shape=(B,)], optional
        Valid positions of each row; beyond them nothing is read, not even NaN.
    kind : a key of POOLINGS

    Examples
    --------
    >>> pool(torch.tensor([[[1.0, 5.0, 9.0]]]), torch.tensor([2]), kind="max")
    tensor([[5.]])
    """
    if kind not in POOLINGS:
        raise InputError(f"kind must be one of {', '.join(POOLINGS)}, got {kind!r}")
    if x.ndim != 3:
        raise InputError(f"x must be (B, C, L), got shape {tuple(x.shape)}")
    if lengths is not None and lengths.shape != x.shape[:1]:
        raise InputError(f"lengths must be (B,) = ({x.shape[0]},), got shape {tuple(lengths.shape)}")
    return POOLINGS[kind](x, lengths)


POOLINGS = {"max": max_pool, "mean": mean_pool, "mean_max": mean_max_pool}
