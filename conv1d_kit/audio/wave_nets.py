"""Nets that hear samples: a learned filter bank before a 2-D net, and M5, one-dimensional all the way."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from ..batch_norm import MaskedBatchNorm1d
from ..core.pooling import masked
from ..layers import Conv1d
from .net import AudioNet, WrappedNet, needed_lengths, shortened
from .norms import Standardize
from .spectrogram_nets import SpectrogramCNN

__all__ = ["M5", "WaveCNN"]


class WaveCNN(WrappedNet):
    """A learned filter bank on the waveform, then the 2-D net over (filter, frame).

    Two strided convolutions and a maximum over time make about 100 frames a second from samples, as in
    ACDNet and EnvNet (Tokozume & Harada 2017); the rest is SpectrogramCNN.

    Shape
    -----
    x (B, 1, T), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = WaveCNN(1, 10).eval()
    >>> net(torch.zeros(2, 1, 4000), torch.tensor([4000, 3])).shape
    torch.Size([2, 10])
    """

    frontend = "raw"

    def __init__(
        self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3, n_filters: int = 64
    ):
        super().__init__()
        self.input = Standardize(n_features)
        self.first = Conv1d(n_features, n_filters // 2, 33, stride=4, padding=16, bias=False)
        self.first_norm = MaskedBatchNorm1d(n_filters // 2)
        self.second = Conv1d(n_filters // 2, n_filters, 9, stride=4, padding=4, bias=False)
        self.second_norm = MaskedBatchNorm1d(n_filters)
        self.net = SpectrogramCNN(n_filters, n_classes, width=width, dropout=dropout)

    def maps(self, x, lengths=None):
        x, lengths = _samples(self.input, x, lengths)
        for layer, norm in ((self.first, self.first_norm), (self.second, self.second_norm)):
            x, lengths = layer(x), shortened(lengths, 4)  # (B, C, L)
            x = norm(x, lengths).relu()
        x = nn.functional.max_pool1d(x, 16, ceil_mode=True)  # (B, n_filters, L): the picture
        return self.net.maps(x, shortened(lengths, 16))


class M5(AudioNet):
    """M5: five convolutions over samples, each followed by a maximum over four.

    Source: Dai et al., Very Deep Convolutional Neural Networks for Raw Waveforms (2017), table 1.

    Shape
    -----
    x (B, 1, T), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = M5(1, 10).eval()
    >>> net(torch.zeros(2, 1, 8000), torch.tensor([8000, 3])).shape
    torch.Size([2, 10])
    """

    frontend = "raw"

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__()
        self.input = Standardize(n_features)
        sizes = [width, width, 2 * width, 4 * width]
        self.convs = nn.ModuleList(
            [Conv1d(n_features, sizes[0], 80, stride=4, padding=((38, 41),), bias=False)]
        )
        self.convs.extend(Conv1d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList([MaskedBatchNorm1d(n) for n in sizes])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * sizes[-1], n_classes)

    def maps(self, x, lengths=None):
        x, lengths = _samples(self.input, x, lengths)
        for i, (layer, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x, lengths = layer(x), lengths if i else shortened(lengths, 4)
            x = norm(x, lengths).relu()
            x, lengths = nn.functional.max_pool1d(x, 4, ceil_mode=True), shortened(lengths, 4)
        return x[:, :, None], lengths


def _samples(standardize: Standardize, x: torch.Tensor, lengths: torch.Tensor | None):
    """Standardised samples (B, 1, T), zeros beyond each row's end."""
    lengths = needed_lengths(lengths, x.shape[-1])
    return masked(standardize(x), lengths), lengths
