"""SincNet's front-end: band-pass filters of which only the two edges are learned."""

from __future__ import annotations

import math

import numpy as np
import torch

from ...errors import InputError, check_whole
from .base import band
from .filters import FilterBank, default_taps
from .mel import mel_edges

__all__ = ["Sinc", "SincFilters"]

LEAST_HZ = 50.0  # the narrowest band and the lowest edge, as SincNet's own code


class SincFilters(torch.nn.Module):
    """h[n] = 2 f2 sinc(2π f2 n) − 2 f1 sinc(2π f1 n), times a Hamming window; f in cycles a sample.

    Parameters
    ----------
    edges : array [shape=(n_filters + 1,)], cycles a sample
        Band i begins as edges[i] … edges[i + 1].
    n_taps : int, odd
    least : float, cycles a sample
        The narrowest band: f1 = |low| and f2 = min(f1 + least + |width|, ½), whatever is learned.

    Notes
    -----
    Source: Ravanelli & Bengio (2018), Speaker Recognition from Raw Waveform with SincNet, eq. 4 to 8.

    Examples
    --------
    >>> SincFilters(np.array([0.0, 0.25, 0.5]), 101, least=0.01).kernels().shape
    torch.Size([2, 1, 101])
    """

    n_parts = 1
    times: torch.Tensor
    window: torch.Tensor

    def __init__(self, edges: np.ndarray, n_taps: int, *, least: float):
        super().__init__()
        if n_taps % 2 == 0:
            raise InputError(f"n_taps must be odd, so that a filter has a middle, got {n_taps}")
        self.least = least
        widths = np.maximum(np.diff(edges) - least, least / 50)  # never 0, where |width| has no slope
        self.low = torch.nn.Parameter(torch.tensor(edges[:-1], dtype=torch.float32)[:, None])
        self.width = torch.nn.Parameter(torch.tensor(widths, dtype=torch.float32)[:, None])
        self.register_buffer("times", torch.arange(1.0, (n_taps + 1) // 2), persistent=False)
        self.register_buffer("window", torch.hamming_window(n_taps, periodic=False), persistent=False)

    def edges(self) -> tuple[torch.Tensor, torch.Tensor]:
        """f1 and f2 as they are held [shape=(n_filters, 1)], cycles a sample."""
        low = self.low.abs().clamp(max=0.5 - self.least)
        return low, (low + self.least + self.width.abs()).clamp(max=0.5)

    def kernels(self) -> torch.Tensor:
        """[shape=(n_filters, 1, n_taps)]"""
        low, high = self.edges()
        turn = 2 * math.pi * self.times
        half = ((turn * high).sin() - (turn * low).sin()) / (math.pi * self.times)  # taps 1, 2, …
        return (torch.cat([half.flip(1), 2 * (high - low), half], 1) * self.window)[:, None]

    def frequencies(self) -> np.ndarray:
        """The middle of each band, cycles a sample."""
        low, high = (f.detach().cpu().numpy()[:, 0].astype(np.float64) for f in self.edges())
        return (low + high) / 2


class Sinc(FilterBank):
    """Learned band-passes, square, average, log: (B, T) samples → (B, n_filters, L) features.

    Parameters
    ----------
    sample_rate : int, Hz
    n_filters : int
        Bands side by side, equally wide in mel to begin with.
    n_taps : int, samples, odd, optional
        Default 25 ms.
    f_min, f_max : float, Hz
        Where the bands begin, before any training; default 30 Hz to 0.975 · sample_rate / 2
        (SincNet: 30 to 7900 Hz at 16 kHz), so that the last can move both ways.
    stride, hop_length, compression, floor, causal
        As FilterBank's.

    Notes
    -----
    SincNet feeds the filters' outputs to max-pooling, layer norm and a net for waveforms; here they become
    energies in frames, so that every net takes them. Gain in the band is 1: a tone of amplitude A inside gives
    A² / 2. Bands are no narrower than 50 Hz.

    Examples
    --------
    >>> Sinc(16000, 8)(torch.zeros(2, 16000)).shape
    torch.Size([2, 8, 51])
    """

    def __init__(
        self,
        sample_rate: int,
        n_filters: int = 64,
        *,
        n_taps: int | None = None,
        f_min: float = 30.0,
        f_max: float | None = None,
        stride: int | None = None,
        hop_length: int | None = None,
        compression: str = "log",
        floor: float = 1e-6,
        causal: bool = False,
    ):
        n_taps = default_taps(sample_rate, n_taps)
        low, high = band(sample_rate, f_min, 0.975 * sample_rate / 2 if f_max is None else f_max)
        edges = mel_edges(check_whole("n_filters", n_filters) - 1, low, high) / sample_rate
        super().__init__(
            SincFilters(edges, n_taps, least=LEAST_HZ / sample_rate), sample_rate, stride=stride,
            hop_length=hop_length, compression=compression, floor=floor, causal=causal,
        )  # fmt: skip
        self.f_min, self.f_max = low, high

    def options(self) -> dict:
        return {**super().options(), "f_min": self.f_min, "f_max": self.f_max}
