"""Layers over texts (B, C, L) of several lengths that give each text what it would have alone."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..core.pooling import length_mask, masked

__all__ = ["halved", "window_max"]


def halved(lengths: torch.Tensor | None, stride: int = 2) -> torch.Tensor | None:
    """Positions that are left after a stride: ⌈lengths / stride⌉."""
    return None if lengths is None else (lengths + (stride - 1)) // stride


def window_max(
    x: torch.Tensor, lengths: torch.Tensor | None, *, size: int = 3, stride: int = 2
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Largest of `size` positions around every `stride`-th one, (B, C, L) → (B, C, ⌈L / stride⌉), and lengths.

    Windows begin (size − 1) // 2 positions before theirs; beyond the text nothing counts, and what pads the
    result is 0.
    """
    if lengths is not None:
        x = x.masked_fill(~length_mask(lengths, x.shape[-1])[:, None], -torch.inf)
    left = (size - 1) // 2
    x = functional.pad(x, (left, size - 1 - left), value=-torch.inf)
    if torch.compiler.is_exporting():  # of the one-dimensional form a trace keeps the length of its example
        y = functional.max_pool2d(x[..., None, :], (1, size), (1, stride))[..., 0, :]
    else:
        y = functional.max_pool1d(x, size, stride)
    lengths = halved(lengths, stride)
    return masked(y, lengths), lengths
