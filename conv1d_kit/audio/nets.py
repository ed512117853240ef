"""Audio nets: features (B, F, L) and lengths (B,) → logits (B, n_classes); padding never reaches a logit."""

from __future__ import annotations

import torch
from torch import nn

from ..core.pooling import length_mask, pool
from ..layers import Conv1d, Conv2d
from .filterbank import FilterBankCNN
from .norms import MaskedBatchNorm, Standardize

__all__ = ["AUDIO_NETS", "SpectrogramCNN", "WaveCNN"]


class _Block(nn.Module):
    """Convolution, batch norm, ReLU, and a halving of both axes: (B, C, F, L) → (B, C', ⌈F/2⌉, ⌈L/2⌉)."""

    def __init__(self, n_in: int, n_out: int, *, halve: bool = True):
        super().__init__()
        self.conv = Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.norm = MaskedBatchNorm(n_out)
        self.halve = halve

    def forward(self, x, lengths):
        mask = _mask(lengths, x.shape[-1])
        x = self.norm(self.conv(x), mask)
        x = x if mask is None else x * mask
        if not self.halve:
            return x.relu(), lengths
        # zeros of padding never win after the ReLU, which commutes with the maximum: a clip ends where it ends
        return nn.functional.max_pool2d(x, 2, ceil_mode=True).relu(), _halved(lengths)


class SpectrogramCNN(nn.Module):
    """A small 2-D CNN over (feature, frame), mean-and-max pooling over the valid frames.

    Parameters
    ----------
    n_features, n_classes : int
    width : int
        Channels: width / 2 in the first layer, whose picture is the largest, then 2×, 4× and 4× width.
    dropout : float in [0, 1)

    Shape
    -----
    x (B, n_features, L), lengths (B,) or None → (B, n_classes)

    Examples
    --------
    >>> net = SpectrogramCNN(64, 10).eval()
    >>> net(torch.zeros(2, 64, 100), torch.tensor([100, 7])).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3):
        super().__init__()
        self.input = Standardize(n_features)
        first = max(1, width // 2)
        self.stem = Conv2d(1, first, 5, stride=2, padding=2, bias=False)
        self.stem_norm = MaskedBatchNorm(first)
        self.body = nn.ModuleList(
            [_Block(first, 2 * width), _Block(2 * width, 4 * width), _Block(4 * width, 4 * width, halve=False)]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on CPU

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        lengths = _needed(lengths, x.shape[-1])
        mask = None if lengths is None else length_mask(lengths, x.shape[-1])[:, None]
        x = self.input(x)
        x = x if mask is None else torch.where(mask, x, 0.0)
        x = x[:, None].contiguous(memory_format=torch.channels_last)  # (B, 1, F, L)
        x, lengths = self.stem(x), _halved(lengths)
        mask = _mask(lengths, x.shape[-1])
        x = self.stem_norm(x, mask)
        x = x if mask is None else x * mask
        x, lengths = nn.functional.max_pool2d(x, 2, ceil_mode=True).relu(), _halved(lengths)
        for block in self.body:
            x, lengths = block(x, lengths)
        x = pool(x.mean(2), lengths, kind="mean_max")
        return self.head(self.dropout(x))


class WaveCNN(nn.Module):
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

    def __init__(
        self, n_features: int, n_classes: int, *, width: int = 32, dropout: float = 0.3, n_filters: int = 64
    ):
        super().__init__()
        self.input = Standardize(n_features)
        self.first = Conv1d(n_features, n_filters // 2, 33, stride=4, padding=16, bias=False)
        self.first_norm = MaskedBatchNorm(n_filters // 2)
        self.second = Conv1d(n_filters // 2, n_filters, 9, stride=4, padding=4, bias=False)
        self.second_norm = MaskedBatchNorm(n_filters)
        self.net = SpectrogramCNN(n_filters, n_classes, width=width, dropout=dropout)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        lengths = _needed(lengths, x.shape[-1])
        mask = None if lengths is None else length_mask(lengths, x.shape[-1])[:, None]
        x = self.input(x)
        x = x if mask is None else torch.where(mask, x, 0.0)
        for layer, norm in ((self.first, self.first_norm), (self.second, self.second_norm)):
            x = layer(x)  # (B, C, L)
            lengths = None if lengths is None else (lengths + 3) // 4
            mask = _mask(lengths, x.shape[-1])
            x = norm(x[:, :, None], mask).relu()
            x = (x if mask is None else x * mask)[:, :, 0]
        x = nn.functional.max_pool1d(x, 16, ceil_mode=True)  # (B, n_filters, L): the picture
        lengths = None if lengths is None else (lengths + 15) // 16
        return self.net(x, lengths)


def _needed(lengths: torch.Tensor | None, size: int) -> torch.Tensor | None:
    """None where every row fills its whole width: then no mask is needed; an exported graph keeps it."""
    if lengths is None or torch.compiler.is_exporting():
        return lengths
    return None if bool((lengths == size).all()) else lengths


def _halved(lengths: torch.Tensor | None) -> torch.Tensor | None:
    return None if lengths is None else (lengths + 1) // 2


def _mask(lengths: torch.Tensor | None, size: int) -> torch.Tensor | None:
    """1.0 where a frame is valid [shape=(B, 1, 1, L)]."""
    return None if lengths is None else length_mask(lengths, size)[:, None, None].float()


AUDIO_NETS = {"spectrogram": SpectrogramCNN, "wave": WaveCNN, "filterbank": FilterBankCNN}
