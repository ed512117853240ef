"""A small net whose first layer is a filter bank learned from the waveform, quick enough for the demo."""

from __future__ import annotations

import torch
from torch import nn

from ..batch_norm import MaskedBatchNorm1d
from ..core.conv import conv
from ..core.pooling import masked
from ..layers import Conv1d
from .net import AudioNet
from .norms import Standardize

__all__ = ["Convolution", "FilterBankCNN"]

HOP, FRAME = 16, 160  # samples between two outputs of a filter, and in a frame


class Convolution(nn.Module):
    """A strided convolution whose weight comes with the call: a layer that hooks see and that holds nothing.

    Examples
    --------
    >>> Convolution(2, (0, 1))(torch.zeros(1, 1, 8), torch.ones(3, 1, 2)).shape
    torch.Size([1, 3, 4])
    """

    def __init__(self, stride: int, padding: tuple[int, int]):
        super().__init__()
        self.stride, self.padding = stride, padding

    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return conv(x, weight, stride=self.stride, padding=(self.padding,))


class FilterBankCNN(AudioNet):
    """Learned filters on the waveform, their log energy in frames, and two 1-D convolutions over the frames.

    Source: the order filter, square, average, logarithm of Zeghidour et al. (2018), Learning Filterbanks from
    Raw Speech for Phone Recognition, section 2; here with real filters from random numbers.

    Parameters
    ----------
    n_features, n_classes : int
    n_filters, n_taps : int
        Filters of the first layer; at 16 kHz, 128 taps are 8 ms.
    width : int
        Channels of the later layers.
    dropout : float in [0, 1)

    Shape
    -----
    x (B, n_features, T), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = FilterBankCNN(1, 10).eval()
    >>> net(torch.zeros(2, 1, 4000), torch.tensor([4000, 3])).shape
    torch.Size([2, 10])
    """

    frontend = "raw"

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        n_filters: int = 40,
        n_taps: int = 128,
        width: int = 64,
        dropout: float = 0.2,
    ):
        super().__init__()
        self.input = Standardize(n_features)
        self.weight = nn.Parameter(
            0.002 * torch.randn(n_filters, n_features, n_taps)
        )  # small: what grows was learned
        self.window: torch.Tensor
        self.register_buffer("window", torch.hann_window(n_taps), persistent=False)
        # the last frame is filled up with zeros; what the convolution gives beyond it fills no frame
        self.first = Convolution(HOP, (n_taps // 2, n_taps - 1 - n_taps // 2 + FRAME - HOP))
        self.norms = nn.ModuleList([MaskedBatchNorm1d(n) for n in (n_filters, width, width)])
        self.convs = nn.ModuleList([Conv1d(n, width, 5, padding=2, bias=False) for n in (n_filters, width)])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, n_classes)

    def filters(self) -> torch.Tensor:
        """First layer's taps, faded to both ends by a Hann window [shape=(n_filters, n_features, n_taps)]."""
        return self.weight * self.window

    def maps(self, x, lengths=None):
        x = masked(self.input(x), lengths)
        x = self.first(x, self.filters())
        x = (
            nn.functional.avg_pool1d(x.square(), FRAME // HOP).add(1e-4).log()
        )  # (B, n_filters, T / FRAME): power
        lengths = None if lengths is None else -(-lengths // FRAME)
        x = self.norms[0](x, lengths)
        for layer, norm in zip(self.convs, self.norms[1:], strict=True):
            x = norm(layer(x), lengths).relu()
        return x[:, :, None], lengths
