"""Layers over texts (B, C, L) of several lengths that give each text what it would have alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ..core.pooling import length_mask

__all__ = ["MaskedBatchNorm1d", "halved", "masked", "window_max"]


def masked(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """`x` [shape=(B, C, L)] with zeros beyond each text, whatever stood there, NaN too."""
    return x if lengths is None else torch.where(length_mask(lengths, x.shape[-1])[:, None], x, 0.0)


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


class MaskedBatchNorm1d(nn.BatchNorm1d):
    """Batch norm of (B, C, L) whose training statistics count the texts' positions only.

    The state_dict is that of torch.nn.BatchNorm1d, and without lengths so is the result, save that a single
    position may be trained on too. What stands beyond a text becomes 0.

    Source: Ioffe & Szegedy (2015), Batch Normalization, algorithm 1.
    """

    streams_like: type | None = nn.BatchNorm1d  # in a stream there is no mask

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        if not self.training:
            return masked(super().forward(x), lengths)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        x = masked(x, lengths)
        n = torch.as_tensor(x.shape[0] * x.shape[2] if lengths is None else lengths.sum(), dtype=x.dtype)
        if n == 0:  # nothing but texts of no tokens: nothing to learn from
            return x
        mean = x.sum((0, 2)) / n
        centred = masked(x - mean[:, None], lengths)
        variance = centred.square().sum((0, 2)) / n
        with torch.no_grad():
            rate = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * (n / (n - 1).clamp(min=1)), rate)
            self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return masked(centred * scale[:, None] + self.bias[:, None], lengths)
