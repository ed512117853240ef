"""Deep nets that were made for words: DPCNN, a dilated residual stack, and gated convolutions."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from ..core.pooling import masked
from .deep_net import DeepNet, Residual, same
from .masked import window_max
from .net_options import NetOptions

__all__ = ["DPCNN", "DilatedCNN", "GatedCNN"]


class DPCNN(DeepNet):
    """Deep pyramid: residual pairs of convolutions, each at half the length of the one before.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; `depth` counts convolutions, 1 + 2 a pair.

    Source: Johnson & Zhang (2017), Deep Pyramid Convolutional Neural Networks for Text Categorization,
    figure 1a.

    Examples
    --------
    >>> net = DPCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Johnson & Zhang (2017)"
    depths: ClassVar[tuple[int, ...]] = (15, 3, 5, 7, 9, 11, 13, 17, 19, 21)
    published: ClassVar[NetOptions | None] = NetOptions(dim=250, filters=250)

    def build(self, n_classes: int) -> None:
        o = self.options
        n_blocks = (self.depth - 1) // 2
        self.region = same(o.dim, o.filters)
        # each block adds 1/n of its variance: the sum of many does not grow with their number
        self.blocks = nn.ModuleList(
            Residual(o.filters, self.activation, scale=n_blocks**-0.5) for _ in range(n_blocks)
        )
        self._finish(o.filters, n_classes)

    def maps(self, x, lengths=None):
        x = masked(self.region(x), lengths)
        for i, block in enumerate(self.blocks):
            if i:
                x, lengths = window_max(x, lengths)
            x = block(x, lengths)
        return x, lengths


class DilatedCNN(DeepNet):
    """A residual stack whose dilation doubles: `depth` layers hear 2^(depth + 1) − 1 tokens.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; `depth` counts dilated convolutions of width 3.

    Source: Yu & Koltun (2016), Multi-Scale Context Aggregation by Dilated Convolutions, section 3; for text
    Strubell et al. (2017), Fast and Accurate Entity Recognition with Iterated Dilated Convolutions.

    Examples
    --------
    >>> net = DilatedCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Strubell et al. (2017)"
    depths: ClassVar[tuple[int, ...]] = (5, 1, 2, 3, 4, 6, 7, 8, 9, 10)

    def build(self, n_classes: int) -> None:
        o = self.options
        self.stem = same(o.dim, o.filters, 1)
        self.stack = nn.ModuleList(same(o.filters, o.filters, dilation=2**i) for i in range(self.depth))
        self._finish(o.filters, n_classes)

    def maps(self, x, lengths=None):
        x = masked(self.stem(x), lengths)
        for layer in self.stack:
            x = x + masked(self.activation(layer(x)), lengths)
        return x, lengths


class GatedCNN(DeepNet):
    """Gated linear units, (W ∗ x + b) · σ(V ∗ x + c), each beside a shortcut.

    Published as a language model, whose filters see the past only; for a class of the whole text they see both
    sides.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; `depth` counts gated convolutions of width 5.

    Source: Dauphin et al. (2017), Language Modeling with Gated Convolutional Networks, eq. 1 and figure 1.

    Examples
    --------
    >>> net = GatedCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Dauphin et al. (2017)"
    reads: ClassVar[frozenset[str]] = DeepNet.reads - {"activation"}
    depths: ClassVar[tuple[int, ...]] = (4, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12)

    def build(self, n_classes: int) -> None:
        o = self.options
        self.stem = same(o.dim, o.filters, 1)
        self.gates = nn.ModuleList(same(o.filters, 2 * o.filters, 5) for _ in range(self.depth))
        self._finish(o.filters, n_classes)

    def maps(self, x, lengths=None):
        x = masked(self.stem(x), lengths)
        for layer in self.gates:
            a, b = layer(x).chunk(2, 1)
            x = x + masked(a * torch.sigmoid(b), lengths)
        return x, lengths
