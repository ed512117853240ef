"""Nets that never look ahead: a small depthwise-separable one, and a dilated, gated one after WaveNet."""

from __future__ import annotations

import torch
from torch import nn

from ..batch_norm import MaskedBatchNorm1d
from ..core.pooling import masked
from ..layers import Conv1d
from .net import AudioNet, needed_lengths
from .norms import Standardize

__all__ = ["DepthwiseNet", "DilatedNet"]


class _Causal(AudioNet):
    """Standardised features as channels (B, F, L); what pads a row lies in its future and never reaches it."""

    frontend = "log_mel"
    causal = True
    input: Standardize

    def _frames(self, x: torch.Tensor, lengths: torch.Tensor | None):
        lengths = needed_lengths(lengths, x.shape[-1])
        return masked(self.input(x), lengths), lengths


class _Separable(nn.Module):
    """A filter a channel over time, then a mix of channels, beside a shortcut."""

    def __init__(self, width: int, n_taps: int, dilation: int):
        super().__init__()
        self.depth = Conv1d(width, width, n_taps, padding="causal", dilation=dilation, groups=width, bias=False)
        self.depth_norm = MaskedBatchNorm1d(width)
        self.point = Conv1d(width, width, 1, bias=False)
        self.point_norm = MaskedBatchNorm1d(width)

    def forward(self, x, lengths):
        y = self.depth_norm(self.depth(x), lengths).relu()
        return (x + self.point_norm(self.point(y), lengths)).relu()


class DepthwiseNet(_Causal):
    """Depthwise-separable causal convolutions over frames: below 100,000 weights at width 32 and 40 features.

    Source of the separable form: Howard et al., MobileNets (2017); over time only, as Choi et al., Temporal
    Convolution for Real-time Keyword Spotting (2019).

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        3 · width channels.
    dropout : float in [0, 1)

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = DepthwiseNet(40, 10).eval()
    >>> net(torch.zeros(2, 40, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    >>> sum(p.numel() for p in net.parameters())
    75274
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__()
        self.input = Standardize(n_features)
        channels = 3 * width
        self.stem = Conv1d(n_features, channels, 3, padding="causal", bias=False)
        self.stem_norm = MaskedBatchNorm1d(channels)
        self.body = nn.ModuleList([_Separable(channels, 7, dilation) for dilation in (1, 1, 2, 2, 4, 4)])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * channels, n_classes)

    def maps(self, x, lengths=None):
        x, lengths = self._frames(x, lengths)
        x = self.stem_norm(self.stem(x), lengths).relu()
        for block in self.body:
            x = block(x, lengths)
        return x[:, :, None], lengths


class _Gated(nn.Module):
    """tanh(W ∗ x) · σ(V ∗ x) with a dilation, mixed into the shortcut and into what is handed on."""

    def __init__(self, width: int, dilation: int, *, last: bool):
        super().__init__()
        self.conv = Conv1d(width, 2 * width, 3, padding="causal", dilation=dilation, bias=False)
        self.norm = MaskedBatchNorm1d(2 * width)
        self.mix = None if last else Conv1d(width, width, 1)  # nothing listens to the last one's shortcut
        self.skip = Conv1d(width, width, 1)

    def forward(self, x, lengths):
        a, b = self.norm(self.conv(x), lengths).chunk(2, 1)
        y = a.tanh() * b.sigmoid()
        return (x if self.mix is None else x + self.mix(y)), self.skip(y)


class DilatedNet(_Causal):
    """Gated convolutions whose dilation doubles, so that few layers hear a second; the sum of skips decides.

    Source: van den Oord et al., WaveNet (2016), eq. 2 and fig. 4; over frames of a front-end instead of over
    samples, with batch norm and kernels of 3.

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        2 · width channels.
    dropout : float in [0, 1)

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = DilatedNet(40, 10).eval()
    >>> net(torch.zeros(2, 40, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__()
        self.input = Standardize(n_features)
        channels = 2 * width
        self.stem = Conv1d(n_features, channels, 3, padding="causal")
        self.body = nn.ModuleList([_Gated(channels, 2**i, last=i == 5) for i in range(6)])
        self.last = Conv1d(channels, 2 * channels, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * channels, n_classes)

    def maps(self, x, lengths=None):
        x, lengths = self._frames(x, lengths)
        x = self.stem(x)
        skips = []
        for block in self.body:
            x, skip = block(x, lengths)
            skips.append(skip)
        return self.last(sum(skips[1:], skips[0]).relu()).relu()[:, :, None], lengths
