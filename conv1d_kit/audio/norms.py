"""Standardised input."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Standardize"]


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
