"""Nets that were made for characters: six wide layers (Zhang et al.), and many narrow ones (VDCNN)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from ..batch_norm import MaskedBatchNorm1d
from ..core.pooling import masked
from .deep_net import DeepNet, same
from .masked import window_max
from .net_options import NetOptions

__all__ = ["VDCNN", "CharacterCNN"]


class CharacterCNN(DeepNet):
    """Six convolutions, maxima over three after the first, second and last, two hidden layers.

    As published it reads 1014 one-hot characters and flattens what is left of them; here tokens are embedded,
    borders are zeros and a pooling over the text takes the place of flattening, so that any length serves.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; the hidden layers have 4 · filters units.

    Source: Zhang, Zhao & LeCun (2015), Character-level Convolutional Networks for Text Classification,
    tables 1–2.

    Examples
    --------
    >>> net = CharacterCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Zhang, Zhao & LeCun (2015)"
    reads: ClassVar[frozenset[str]] = DeepNet.reads - {"depth"}
    depths: ClassVar[tuple[int, ...]] = (6,)
    published: ClassVar[NetOptions | None] = NetOptions(dim=70, filters=256)

    def build(self, n_classes: int) -> None:
        o = self.options
        channels = [o.dim, *[o.filters] * 6]
        self.convs = nn.ModuleList(same(channels[i], channels[i + 1], width) for i, width in enumerate(_WIDTHS))
        self._finish(o.filters, n_classes, units=4 * o.filters)

    def maps(self, x, lengths=None):
        for layer, pooled in zip(self.convs, _POOLED, strict=True):
            x = masked(self.activation(layer(x)), lengths)
            if pooled:
                x, lengths = window_max(x, lengths, size=3, stride=3)
        return x, lengths


class VDCNN(DeepNet):
    """Very deep: pairs of convolutions of width 3 with batch norm at four levels, each of half the length.

    As published it ends on the 8 largest of each channel (`pooling="8-max"`) and two hidden layers of 2048
    units, here 4 times the channels of the last level. Batch norm counts the texts' positions only.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; `filters`, 2·, 4· and 8·filters channels; `depth` 9, 17 or 29 convolutions.

    Source: Conneau et al. (2017), Very Deep Convolutional Networks for Text Classification, figure 1
    and table 2.

    Examples
    --------
    >>> net = VDCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Conneau et al. (2017)"
    depths: ClassVar[tuple[int, ...]] = (9, 17, 29)
    published: ClassVar[NetOptions | None] = NetOptions(dim=16, filters=64, pooling="8-max", depth=9)

    def build(self, n_classes: int) -> None:
        o = self.options
        self.stem = same(o.dim, o.filters)
        self.levels = nn.ModuleList()
        channels = o.filters
        for level, blocks in enumerate(_BLOCKS[self.depth]):
            wide = o.filters * 2**level
            self.levels.append(nn.ModuleList(_Block(channels if i == 0 else wide, wide, self.activation)
                                             for i in range(blocks)))  # fmt: skip
            channels = wide
        self._finish(channels, n_classes, units=4 * channels)

    def maps(self, x, lengths=None):
        x = masked(self.stem(x), lengths)
        for i, level in enumerate(self.levels):
            if i:
                x, lengths = window_max(x, lengths)
            for block in level:  # type: ignore[attr-defined]
                x = block(x, lengths)
        return x, lengths


class _Block(nn.Module):
    """Two times convolution, batch norm, activation."""

    def __init__(self, channels_in: int, channels: int, activation):
        super().__init__()
        self.first, self.second = same(channels_in, channels, bias=False), same(channels, channels, bias=False)
        self.first_norm, self.second_norm = MaskedBatchNorm1d(channels), MaskedBatchNorm1d(channels)
        self.activation = activation

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        x = masked(self.activation(self.first_norm(self.first(x), lengths)), lengths)
        return masked(self.activation(self.second_norm(self.second(x), lengths)), lengths)


_WIDTHS = (7, 7, 3, 3, 3, 3)
_POOLED = (True, True, False, False, False, True)
_BLOCKS = {9: (1, 1, 1, 1), 17: (2, 2, 2, 2), 29: (5, 5, 2, 2)}  # of two convolutions; one more stands before
