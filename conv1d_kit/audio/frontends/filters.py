"""Filter banks with weights: filters over the waveform, their energy in frames, then a logarithm or PCEN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ...core.conv import conv, depthwise_conv
from ...errors import InputError, check_whole
from ..clip import check_rate
from .base import Framed, Frontend, default_hop, positive_number
from .pcen import EnergyNormalization

__all__ = [
    "COMPRESSIONS",
    "FilterBank",
    "FilterEnergy",
    "Learned",
    "LearnedFilters",
    "Log",
    "Lowpass",
    "default_taps",
]

COMPRESSIONS = ("log", "pcen")


class FilterBank(Frontend):
    """compress(lowpass(|filters * x|²)): what Learned, Sinc and Gabor share; (B, T) → (B, n_filters, L).

    Parameters
    ----------
    filters : torch.nn.Module
        With `kernels()` [shape=(parts · n_filters, 1, n_taps)], `n_parts` (2: real, then imaginary ones) and
        `frequencies()` in cycles a sample.
    sample_rate : int, Hz
    stride : int, samples, optional
        Between two outputs of the filters, a divisor of hop_length; default the largest of at most 1 ms.
    hop_length : int, samples, optional
        Between two frames; default 20 ms.
    compression : "log" or "pcen"
        log(energy + floor), or PCEN with weights of its own (gain 0.96, as LEAF).
    floor : float
    causal : bool
        As drawn in Framed.

    Notes
    -----
    A stride of 1 is the papers'. At 1 ms the square's mean is taken from fewer samples; it is the same mean,
    with 1/16 of the work at 16 kHz.
    """

    def __init__(
        self,
        filters: Any,
        sample_rate: int,
        *,
        stride: int | None,
        hop_length: int | None,
        compression: str,
        floor: float,
        causal: bool,
    ):
        super().__init__()
        if compression not in COMPRESSIONS:
            raise InputError(f"compression must be {' or '.join(map(repr, COMPRESSIONS))}, got {compression!r}")
        self.energy = FilterEnergy(filters, sample_rate, stride=stride, hop_length=hop_length, causal=causal)
        e = self.energy
        self.sample_rate, self.n_features, self.hop_length = e.sample_rate, e.n_features, e.hop_length
        self.window_length, self.causal = e.window_length, e.causal
        self.floor, self.compression = positive_number("floor", floor), compression
        self.log_scale = compression == "log"
        self.compress: torch.nn.Module = (
            Log(self.floor)
            if compression == "log"
            else EnergyNormalization(self.n_features, gain=0.96, floor=self.floor)
        )

    def options(self) -> dict:
        return {
            "sample_rate": self.sample_rate, "n_filters": self.n_features, "n_taps": self.energy.n_taps,
            "stride": self.energy.stride, "hop_length": self.hop_length, "compression": self.compression,
            "floor": self.floor, "causal": self.causal,
        }  # fmt: skip

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        return self.energy.lengths(n_samples)

    def kernels(self) -> torch.Tensor:
        """The filters as they are now [shape=(parts · n_filters, 1, n_taps)]."""
        return self.energy.kernels()

    def frequencies(self) -> np.ndarray | None:
        return self.energy.frequencies()

    def forward(self, x: torch.Tensor, *, method: str | None = None) -> torch.Tensor:
        return self.compress(self.energy(x, method=method))


class FilterEnergy(Framed):
    """Energy of each filter's output in frames (B, n_filters, L): two convolutions and a square between."""

    log_scale = False

    def __init__(
        self, filters: Any, sample_rate: int, *, stride: int | None, hop_length: int | None, causal: bool
    ):
        rate = check_rate(sample_rate)
        hop = default_hop(rate) if hop_length is None else check_whole("hop_length", hop_length)
        if stride is None:
            stride = max(d for d in range(1, max(1, min(hop, rate // 1000)) + 1) if hop % d == 0)
        stride = check_whole("stride", stride)
        if hop % stride:
            raise InputError(f"stride must divide hop_length = {hop}, got {stride}")
        first = filters.kernels()
        n_steps = 2 * round(max(0.0125 * rate, hop / 2) / stride) + 1  # 25 ms of averaging, as LEAF
        n_taps = first.shape[-1]
        super().__init__(rate, window_length=(n_steps - 1) * stride + n_taps, hop_length=hop, causal=causal)
        self.filters, self.stride, self.n_taps = filters, stride, n_taps
        self.n_features = len(first) // filters.n_parts
        self.lowpass = Lowpass(self.n_features, n_steps)

    def kernels(self) -> torch.Tensor:
        return self.filters.kernels()

    def frequencies(self) -> np.ndarray | None:
        f = self.filters.frequencies()
        return None if f is None else f * self.sample_rate

    def _windows(self, padded: torch.Tensor, method: str) -> torch.Tensor:
        parts = conv(padded[:, None], self.kernels().to(padded), stride=self.stride)  # (B, parts · F, steps)
        power = parts.unflatten(1, (self.filters.n_parts, self.n_features)).square().sum(1)
        return depthwise_conv(power, self.lowpass.kernels().to(padded), stride=self.hop_length // self.stride)


class Lowpass(torch.nn.Module):
    """Gaussian averages, one a filter: w[t] ∝ exp(−½ · ((t − c) / (width · c))²), c the middle; their sum is 1.

    Source: Zeghidour et al. (2021), LEAF, section 3.2; width (there σ) begins at 0.4 and is held to [2 / taps,
    ½]. The sum of 1, so that energy is a mean, is ours.

    Examples
    --------
    >>> Lowpass(1, 3).kernels().detach().numpy().round(3)
    array([[0.107, 0.787, 0.107]], dtype=float32)
    """

    def __init__(self, n_features: int, n_taps: int):
        super().__init__()
        self.n_taps = n_taps
        self.width = torch.nn.Parameter(torch.full((n_features,), 0.4))

    def kernels(self) -> torch.Tensor:
        """[shape=(n_features, n_taps)]"""
        middle = max(0.5, (self.n_taps - 1) / 2)
        t = torch.arange(self.n_taps, device=self.width.device) - (self.n_taps - 1) / 2
        width = self.width.clamp(min(2 / self.n_taps, 0.5), 0.5)[:, None]
        w = torch.exp(-0.5 * (t / (width * middle)) ** 2)
        return w / w.sum(1, keepdim=True)


class Log(torch.nn.Module):
    """log(energy + floor).

    Examples
    --------
    >>> Log(1.0)(torch.zeros(2))
    tensor([0., 0.])
    """

    def __init__(self, floor: float):
        super().__init__()
        self.floor = floor

    def forward(self, energy: torch.Tensor) -> torch.Tensor:
        return torch.log(energy + self.floor)


class LearnedFilters(torch.nn.Module):
    """Real filters from random numbers, faded to both ends by a Hann window.

    Examples
    --------
    >>> LearnedFilters(2, 401).kernels().shape
    torch.Size([2, 1, 401])
    """

    n_parts = 1
    window: torch.Tensor

    def __init__(self, n_filters: int, n_taps: int):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(n_filters, 1, n_taps) / math.sqrt(n_taps))
        window = torch.hann_window(n_taps + 2, periodic=False)[1:-1]
        self.register_buffer("window", window, persistent=False)

    def kernels(self) -> torch.Tensor:
        return self.weight * self.window

    def frequencies(self) -> None:
        return None


class Learned(FilterBank):
    """A filter bank learned from nothing: real filters, square, average, log; (B, T) → (B, n_filters, L).

    Parameters
    ----------
    sample_rate : int, Hz
    n_filters : int
    n_taps : int, samples, optional
        Default 25 ms, odd.
    stride, hop_length, compression, floor, causal
        As FilterBank's.

    Notes
    -----
    Source: the order filter, square, average, logarithm of Zeghidour et al. (2018), Learning Filterbanks from
    Raw Speech, section 2; there with complex filters that begin as Gabor's (the row "gabor").

    Examples
    --------
    >>> Learned(16000, 8)(torch.zeros(2, 16000)).shape
    torch.Size([2, 8, 51])
    """

    def __init__(
        self,
        sample_rate: int,
        n_filters: int = 64,
        *,
        n_taps: int | None = None,
        stride: int | None = None,
        hop_length: int | None = None,
        compression: str = "log",
        floor: float = 1e-6,
        causal: bool = False,
    ):
        super().__init__(
            LearnedFilters(check_whole("n_filters", n_filters), default_taps(sample_rate, n_taps)), sample_rate,
            stride=stride, hop_length=hop_length, compression=compression, floor=floor, causal=causal,
        )  # fmt: skip


def default_taps(sample_rate: int, n_taps: int | None) -> int:
    """The odd number of samples nearest to 25 ms, unless told."""
    return 2 * round(0.0125 * check_rate(sample_rate)) + 1 if n_taps is None else check_whole("n_taps", n_taps)
