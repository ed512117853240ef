"""Nets over a time-frequency picture: a plain CNN, a residual one, and BC-ResNet for small devices."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn

from ..batch_norm import MaskedBatchNorm2d
from ..core.pooling import masked
from ..layers import Conv2d
from .net import AudioNet, needed_lengths, shortened
from .norms import Standardize

__all__ = ["BCResNet", "ResidualCNN", "SpectrogramCNN", "SpeechCNN"]


class _Stage(NamedTuple):
    """One stage of BC-ResNet."""

    n_blocks: int
    stride: int  # over features, of the first block
    dilation: int  # over time


_STAGES = (_Stage(2, 1, 1), _Stage(2, 2, 2), _Stage(4, 2, 4), _Stage(4, 1, 8))  # Kim et al. (2021), table 1


class _Picture(AudioNet):
    """What the nets of this file begin with: standardised features as one channel (B, 1, F, L), padding 0."""

    input: Standardize

    def _picture(self, x: torch.Tensor, lengths: torch.Tensor | None):
        lengths = needed_lengths(lengths, x.shape[-1])
        x = masked(self.input(x), lengths)
        return x[:, None].contiguous(memory_format=torch.channels_last), lengths


class _Block(nn.Module):
    """Convolution, batch norm, ReLU, and a halving of both axes: (B, C, F, L) → (B, C', ⌈F/2⌉, ⌈L/2⌉)."""

    def __init__(self, n_in: int, n_out: int, *, halve: bool = True):
        super().__init__()
        self.conv = Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.norm = MaskedBatchNorm2d(n_out)
        self.halve = halve

    def forward(self, x, lengths):
        x = self.norm(self.conv(x), lengths)
        return _halved(x, lengths) if self.halve else (x.relu(), lengths)


class SpectrogramCNN(_Picture):
    """A small 2-D CNN over (feature, frame), mean-and-max pooling over the valid frames.

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        Channels: width / 2 in the first layer, whose picture is the largest, then 2×, 4× and 4× width.
    dropout : float in [0, 1)
    time_stride : int
        Of the first layer, in frames.

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = SpectrogramCNN(64, 10).eval()
    >>> net(torch.zeros(2, 64, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3, time_stride: int = 2
    ):
        super().__init__()
        self.input = Standardize(n_features)
        first = max(1, width // 2)
        self.time_stride = time_stride
        self.stem = Conv2d(1, first, 5, stride=(2, time_stride), padding=2, bias=False)
        self.stem_norm = MaskedBatchNorm2d(first)
        self.body = nn.ModuleList(
            [_Block(first, 2 * width), _Block(2 * width, 4 * width), _Block(4 * width, 4 * width, halve=False)]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on CPU

    def maps(self, x, lengths=None):
        x, lengths = self._picture(x, lengths)
        x, lengths = self.stem(x), shortened(lengths, self.time_stride)
        x, lengths = _halved(self.stem_norm(x, lengths), lengths)
        for block in self.body:
            x, lengths = block(x, lengths)
        return x, lengths


class SpeechCNN(SpectrogramCNN):
    """SpectrogramCNN on twice as many frames, for words: it learns to hear past who says them.

    Each feature is heard relative to its mean over the clip, and it learns from clips as others might have said
    and recorded them: higher or lower (in the sense of Jaitly & Hinton, Vocal Tract Length Perturbation, 2013),
    slower or faster, through another microphone, in noise, in a room.

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = SpeechCNN(40, 10).eval()
    >>> net(torch.zeros(2, 40, 50), torch.tensor([50, 7])).shape
    torch.Size([2, 10])
    """

    centred = True
    least_epochs = 30  # each voice is heard in other ways
    augments = (
        ("pitch", {"most": 1.2, "share": 1.0}),
        "tempo",
        ("filtering", {"kinds": ("equalize",), "share": 1.0}),
        ("noise", {"snr_db": (5.0, 45.0), "share": 0.7}),
        "room",
        ("masks", {"n": 1}),
    )

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__(n_features, n_classes, width=width, dropout=dropout, time_stride=1)


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, after both axes are halved: (B, C, F, L) → (B, C', ⌈F/2⌉, ⌈L/2⌉).

    Source: He et al., Deep Residual Learning (2016), fig. 2; halved by a maximum, which zeros of padding never
    win after a ReLU, instead of by strides.
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.first = Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.first_norm = MaskedBatchNorm2d(n_out)
        self.second = Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.second_norm = MaskedBatchNorm2d(n_out)
        self.shortcut = nn.Identity() if n_in == n_out else Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x, lengths):
        x, lengths = nn.functional.max_pool2d(x, 2, ceil_mode=True), shortened(lengths)
        y = self.first_norm(self.first(x), lengths).relu()
        y = self.second_norm(self.second(y), lengths)
        return (y + self.shortcut(x)).relu(), lengths


class ResidualCNN(_Picture):
    """A residual 2-D CNN over (feature, frame): the deeper twin of SpectrogramCNN.

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        Channels: width / 2 in the first layer, then 3/2×, 3× and 4× width.
    dropout : float in [0, 1)
    time_stride : int
        Of the first layer, in frames: 2 for frames of 20 ms, 4 for frames of 10 ms.

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = ResidualCNN(64, 10).eval()
    >>> net(torch.zeros(2, 64, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3, time_stride: int = 2
    ):
        super().__init__()
        self.input = Standardize(n_features)
        sizes = [max(1, width // 2), max(1, 3 * width // 2), 3 * width, 4 * width]
        self.time_stride = time_stride
        self.stem = Conv2d(1, sizes[0], 5, stride=(2, time_stride), padding=2, bias=False)
        self.stem_norm = MaskedBatchNorm2d(sizes[0])
        self.body = nn.ModuleList([_ResidualBlock(a, b) for a, b in pairwise(sizes)])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * sizes[-1], n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, x, lengths=None):
        x, lengths = self._picture(x, lengths)
        x, lengths = self.stem(x), shortened(lengths, self.time_stride)
        x = self.stem_norm(x, lengths).relu()
        for block in self.body:
            x, lengths = block(x, lengths)
        return x, lengths


class _SubSpectralNorm(MaskedBatchNorm2d):
    """Batch norm with statistics of their own for each of `n_bands` bands of features.

    Source: Chang et al., SubSpectral Normalization (2021). A picture whose height the bands do not divide is
    normalised as a whole.
    """

    streams_like = None

    def __init__(self, n_channels: int, n_bands: int):
        super().__init__(n_channels * n_bands)
        self.n_bands = n_bands

    def forward(self, x, lengths=None):
        b, c, f, n = x.shape
        y = x.reshape(b, c * self.n_bands, f // self.n_bands, n)
        return super().forward(y, lengths).reshape(b, c, f, n)


class _BroadcastBlock(nn.Module):
    """A 2-D part over frequency and a 1-D part over time, whose result is broadcast over frequency.

    Source: Kim et al., Broadcasted Residual Learning (2021), eq. 2–4 and fig. 2.
    """

    def __init__(self, n_in: int, n_out: int, *, n_bands: int, stride: int, dilation: int, dropout: float):
        super().__init__()
        self.changes = n_in != n_out or stride > 1
        self.enter: nn.ModuleList = nn.ModuleList(
            [Conv2d(n_in, n_out, 1, bias=False), MaskedBatchNorm2d(n_out)] if self.changes else []
        )
        self.frequency = Conv2d(
            n_out, n_out, (3, 1), stride=(stride, 1), padding=((1, 1), (0, 0)), groups=n_out, bias=False
        )
        self.bands = _SubSpectralNorm(n_out, n_bands)
        self.time = Conv2d(
            n_out, n_out, (1, 3), padding=((0, 0), (dilation, dilation)), dilation=(1, dilation), groups=n_out,
            bias=False,
        )  # fmt: skip
        self.time_norm = MaskedBatchNorm2d(n_out)
        self.point = Conv2d(n_out, n_out, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x, lengths):
        y = x
        if self.changes:
            conv, norm = self.enter
            y = norm(conv(y), lengths).relu()
        y = self.bands(self.frequency(y), lengths)
        z = y.mean(2, keepdim=True)  # (B, C, 1, L)
        z = nn.functional.silu(self.time_norm(self.time(z), lengths))
        z = self.dropout(self.point(z))  # both leave the zeros of padding zeros
        y = y + z if self.changes else x + y + z
        return y.relu()


class BCResNet(_Picture):
    """BC-ResNet: depthwise parts over frequency and over time, 10,000 weights at width 8.

    Source: Kim et al., Broadcasted Residual Learning for Efficient Keyword Spotting (2021), table 1.

    Parameters
    ----------
    n_features, n_classes : int
        The paper has 40 features.
    width : int
        Channels of the first stage: 8 · τ for BC-ResNet-τ; the others have 3/2×, 2× and 5/2× as many.
    dropout : float in [0, 1)
        Inside the blocks (the paper's 0.1 is meant there) and before the head.

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = BCResNet(40, 12, width=8).eval()
    >>> net(torch.zeros(2, 40, 101), torch.tensor([101, 7])).shape
    torch.Size([2, 12])
    >>> sum(p.numel() for p in net.parameters()) < 12_000
    True
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.1):
        super().__init__()
        self.input = Standardize(n_features)
        sizes = [width, 3 * width // 2, 2 * width, 5 * width // 2]
        self.stem = Conv2d(1, 2 * width, 5, stride=(2, 1), padding=2, bias=False)
        self.stem_norm = MaskedBatchNorm2d(2 * width)
        height, n_in, blocks = -(-n_features // 2), 2 * width, []
        for n_out, stage in zip(sizes, _STAGES, strict=True):
            for i in range(stage.n_blocks):
                stride = stage.stride if i == 0 else 1
                height = -(-height // stride)
                bands = 5 if height % 5 == 0 else 4 if height % 4 == 0 else 1
                blocks.append(
                    _BroadcastBlock(
                        n_in, n_out, n_bands=bands, stride=stride, dilation=stage.dilation, dropout=dropout
                    )
                )
                n_in = n_out
        self.body = nn.ModuleList(blocks)
        self.deep = Conv2d(
            n_in, n_in, 5, padding=((0, 0) if height >= 5 else (2, 2), (2, 2)), groups=n_in, bias=False
        )
        self.wide = Conv2d(n_in, 4 * width, 1, bias=False)
        self.wide_norm = MaskedBatchNorm2d(4 * width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def maps(self, x, lengths=None):
        x, lengths = self._picture(x, lengths)
        x = self.stem_norm(self.stem(x), lengths).relu()
        for block in self.body:
            x = block(x, lengths)
        return self.wide_norm(self.wide(self.deep(x)), lengths).relu(), lengths


def _halved(x: torch.Tensor, lengths: torch.Tensor | None):
    """Both axes halved by a maximum; zeros of padding never win after the ReLU, which commutes with it."""
    return nn.functional.max_pool2d(x, 2, ceil_mode=True).relu(), shortened(lengths)
