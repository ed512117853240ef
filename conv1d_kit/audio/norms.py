"""Normalisations that padding does not touch: batch norm over valid frames, and standardised input."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["MaskedBatchNorm", "Standardize"]


class MaskedBatchNorm(nn.BatchNorm2d):
    """Batch norm of (B, C, F, L) whose training statistics count valid frames only.

    The state_dict is that of torch.nn.BatchNorm2d, and without a mask so is the result.
    """

    streams_like: type | None = nn.BatchNorm2d  # in a stream there is no mask

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if not self.training or mask is None:
            return super().forward(x)
        n = mask.sum() * x.shape[2]  # mask (B, 1, 1, L)
        valid = x * mask
        mean = valid.sum((0, 2, 3)) / n
        variance = (valid.square().sum((0, 2, 3)) / n - mean**2).clamp(min=0)
        with torch.no_grad():
            rate = self.momentum if self.momentum is not None else 0.1
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * (n / (n - 1).clamp(min=1)), rate)
            self.num_batches_tracked.add_(1)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return valid * scale[:, None, None] + shift[:, None, None]


class Standardize(nn.Module):
    """(x − mean of the feature) / one scale, learned from the training part once, by `fit`."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, n_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(()))

    def fit(self, features: list[torch.Tensor]) -> None:
        """Set mean and scale from a list of (F, L) tensors."""
        n = sum(f.shape[-1] for f in features)
        self.mean = (torch.stack([f.double().sum(-1) for f in features]).sum(0) / n).float()
        square = sum(((f.float() - self.mean[:, None]) ** 2).double().sum() for f in features)
        scale = float(square / (n * len(self.mean))) ** 0.5
        self.scale = torch.tensor(scale if scale > 1e-6 else 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean[:, None]) / self.scale
