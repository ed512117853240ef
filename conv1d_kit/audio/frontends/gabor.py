"""LEAF's front-end: Gabor filters whose centres and widths are learned, begun as the mel bands."""

from __future__ import annotations

import math

import numpy as np
import torch

from ...errors import check_whole
from .base import band
from .filters import FilterBank, default_taps
from .mel import mel_edges

__all__ = ["Gabor", "GaborFilters"]

HALF = math.sqrt(2 * math.log(2))  # a Gaussian of deviation 1 falls to one half there
_FAR = 40.0  # exp(−40) of the peak is nothing; further out are subnormal numbers, ten times slower to multiply


class GaborFilters(torch.nn.Module):
    """h[t] = exp(−t² / (2 width²)) / (√(2π) width) · exp(i · centre · t), real parts, then imaginary ones.

    Parameters
    ----------
    centres : array [shape=(n_filters,)], radians a sample
        Held to [0, π].
    widths : array [shape=(n_filters,)], samples
        Held to [4 √(2 ln 2) / π, n_taps √(2 ln 2) / π]: the response's width at one half is between 2 / n_taps
        cycles a sample and a quarter of the sample rate.
    n_taps : int

    Notes
    -----
    Source: Zeghidour et al. (2021), LEAF: A Learnable Frontend for Audio Classification, eq. 3 and section 3.1.

    Examples
    --------
    >>> GaborFilters(np.array([0.1, 0.2]), np.array([40.0, 40.0]), 401).kernels().shape
    torch.Size([4, 1, 401])
    """

    n_parts = 2
    times: torch.Tensor

    def __init__(self, centres: np.ndarray, widths: np.ndarray, n_taps: int):
        super().__init__()
        self.centre = torch.nn.Parameter(torch.tensor(centres, dtype=torch.float32)[:, None])
        self.width = torch.nn.Parameter(torch.tensor(widths, dtype=torch.float32)[:, None])
        self.register_buffer("times", torch.arange(float(n_taps)) - n_taps // 2, persistent=False)

    def held(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Centres and widths within their ranges [shape=(n_filters, 1)]."""
        most = max(4.0, len(self.times)) * HALF / math.pi
        return self.centre.clamp(0.0, math.pi), self.width.clamp(4 * HALF / math.pi, most)

    def kernels(self) -> torch.Tensor:
        """[shape=(2 · n_filters, 1, n_taps)]"""
        centre, width = self.held()
        power = 0.5 * (self.times / width) ** 2
        envelope = torch.where(power < _FAR, torch.exp(-power), 0.0) / (math.sqrt(2 * math.pi) * width)
        phase = centre * self.times
        return torch.cat([envelope * phase.cos(), envelope * phase.sin()])[:, None]

    def frequencies(self) -> np.ndarray:
        """Cycles a sample."""
        return self.held()[0].detach().cpu().numpy()[:, 0].astype(np.float64) / (2 * math.pi)


class Gabor(FilterBank):
    """Complex Gabor filters, squared modulus, Gaussian average, PCEN or log: (B, T) → (B, n_filters, L).

    Parameters
    ----------
    sample_rate : int, Hz
    n_filters : int
    n_taps : int, samples, optional
        Default 25 ms, odd (LEAF: 401 at 16 kHz).
    f_min, f_max : float, Hz
        The mel bands that the filters begin as.
    stride, hop_length, compression, floor, causal
        As FilterBank's; LEAF has stride=1 and compression="pcen".

    Notes
    -----
    Differs from LEAF in: stride of about 1 ms, averages that sum to 1, PCEN begun at M[−1] = E[0] with its
    memory cut at 1e-8, hop of 20 ms, mel of Slaney. A tone of amplitude A at a centre gives A² / 4 where the
    filter fits in n_taps.

    Examples
    --------
    >>> Gabor(16000, 8)(torch.zeros(2, 16000)).shape
    torch.Size([2, 8, 51])
    """

    def __init__(
        self,
        sample_rate: int,
        n_filters: int = 64,
        *,
        n_taps: int | None = None,
        f_min: float = 60.0,
        f_max: float | None = None,
        stride: int | None = None,
        hop_length: int | None = None,
        compression: str = "log",
        floor: float = 1e-6,
        causal: bool = False,
    ):
        n_taps = default_taps(sample_rate, n_taps)
        low, high = band(sample_rate, f_min, f_max)
        edges = mel_edges(check_whole("n_filters", n_filters), low, high) / sample_rate  # cycles a sample
        wide = (edges[2:] - edges[:-2]) / 2  # of a triangle at half its height
        super().__init__(
            GaborFilters(2 * math.pi * edges[1:-1], HALF / (math.pi * wide), n_taps), sample_rate,
            stride=stride, hop_length=hop_length, compression=compression, floor=floor, causal=causal,
        )  # fmt: skip
        self.f_min, self.f_max = low, high

    def options(self) -> dict:
        return {**super().options(), "f_min": self.f_min, "f_max": self.f_max}
