"""The constant-Q transform: one kernel a bin, long for low notes and short for high ones."""

from __future__ import annotations

import math

import numpy as np
import torch

from ...core.conv import conv
from ...errors import InputError, check_whole, is_number
from ..clip import check_rate
from .base import Framed, positive_number

__all__ = ["Cqt"]


class Cqt(Framed):
    """Log power in bins of equal musical intervals: (B, T) samples → (B, n_bins, L) features.

    Parameters
    ----------
    sample_rate : int, Hz
    n_bins : int, optional
        Default 84, or as many as lie below half the sample rate.
    bins_per_octave : int
    f_min : float, Hz
        The lowest bin, default C1; its kernel is the longest, Q · sample_rate / f_min samples.
    gamma : float, Hz
        Adds to every bin's bandwidth, so that low notes need shorter kernels (the variable-Q transform).
    hop_length : int, samples, optional
        Default 20 ms.
    floor : float
        log(power + floor).
    causal : bool
        As drawn in Framed; True: every kernel, short ones too, ends with the frame's last sample.

    Notes
    -----
    Power k is |sqrt(N) · sum of x · w · exp(−2πi f t)|², w a Hann window whose sum is 1, of N = Q · sample_rate
    / (f + gamma · Q) samples, Q = (r² + 1) / (r² − 1), r = 2^(1 / bins_per_octave): librosa.cqt, scale=True.
    White noise is level, and a tone of amplitude A at a centre gives N A² / 4. librosa resamples the lower
    octaves and drops 1 % of each kernel's spectrum; against it a tone's own bin agrees to 2 %, noise to 3 % of
    the largest amplitude. Against the sum over librosa.filters.wavelet, to 1e-6 with samples of float64.

    Octaves are convolved apart, so that short kernels are not padded to the longest. An FFT of the longest
    kernel's length would save nothing unless spectra were cut short, so there is no other form.

    Source: Brown & Puckette (1992), An efficient algorithm for the calculation of a constant Q transform;
    Schörkhuber et al. (2014) for gamma.

    Examples
    --------
    >>> Cqt(8000, 24, f_min=220.0)(torch.zeros(2, 8000)).shape
    torch.Size([2, 24, 51])
    """

    log_scale = True
    waves: torch.Tensor

    def __init__(
        self,
        sample_rate: int,
        n_bins: int | None = None,
        *,
        bins_per_octave: int = 12,
        f_min: float = 32.70319566257483,
        gamma: float = 0.0,
        hop_length: int | None = None,
        floor: float = 1e-6,
        causal: bool = False,
    ):
        rate = check_rate(sample_rate)
        self_bins = check_whole("bins_per_octave", bins_per_octave)
        f_min = positive_number("f_min", f_min)
        if not is_number(gamma) or not 0 <= gamma < rate / 2:
            raise InputError(f"gamma must be in [0, sample_rate / 2 = {rate / 2}) Hz, got {gamma}")
        step = 2 ** (1 / self_bins)
        quality = (step**2 + 1) / (step**2 - 1)
        # a Hann window is 1.5 bins wide: half of that must lie below half the sample rate
        highest = (rate / 2 - gamma / 2) / (1 + 0.75 / quality)
        fit = math.floor(math.log(highest / f_min, step)) + 1 if highest >= f_min else 0
        n = min(84, fit) if n_bins is None else check_whole("n_bins", n_bins)
        if not 1 <= n <= fit:
            raise InputError(
                f"n_bins must be <= {fit} for bins from {f_min:.6g} Hz to lie below {rate / 2} Hz, got {n}; "
                "ask for fewer, or a lower f_min"
            )
        centres = f_min * step ** np.arange(n)
        sizes = quality * rate / (centres + gamma * quality)
        kernels = [_kernel(f / rate, size) for f, size in zip(centres, sizes, strict=True)]
        length = 2 * (max(len(k) for k in kernels) // 2 + 1)
        super().__init__(rate, window_length=length, hop_length=hop_length, causal=causal)
        self.n_features, self.bins_per_octave, self.f_min, self.gamma = n, self_bins, f_min, float(gamma)
        self.floor = positive_number("floor", floor)
        self._centres = centres
        waves = np.zeros((n, length), complex)
        lows = [length - len(k) if self.causal else length // 2 + math.floor(-len(k) / 2) for k in kernels]
        for row, kernel, low in zip(waves, kernels, lows, strict=True):
            row[low : low + len(kernel)] = kernel
        both = torch.from_numpy(np.concatenate([waves.real, waves.imag])[:, None])
        self.register_buffer("waves", both, persistent=False)
        self._octaves = _octaves([len(k) for k in kernels], lows, length)

    def options(self) -> dict:
        return {
            "sample_rate": self.sample_rate, "n_bins": self.n_features, "bins_per_octave": self.bins_per_octave,
            "f_min": self.f_min, "gamma": self.gamma, "hop_length": self.hop_length, "floor": self.floor,
            "causal": self.causal,
        }  # fmt: skip

    def frequencies(self) -> np.ndarray:
        return self._centres.copy()

    def kernels(self) -> torch.Tensor:
        """Real parts, then imaginary ones, zeros around the shorter [shape=(2 · n_bins, 1, window_length)]."""
        return self.waves

    def _windows(self, padded: torch.Tensor, method: str) -> torch.Tensor:
        waves = self.waves.to(padded).unflatten(0, (2, self.n_features))
        powers = []
        for first, stop, low, high in self._octaves:  # taps low … window_length − high are not 0
            w = waves[:, first:stop, :, low : self.window_length - high].flatten(0, 1)
            x = padded[:, None, low : padded.shape[1] - high]
            powers.append(conv(x, w, stride=self.hop_length).unflatten(1, (2, stop - first)).square().sum(1))
        return torch.log(torch.cat(powers, 1) + self.floor)


def _kernel(f: float, size: float) -> np.ndarray:
    """sqrt(size) · w / sum(w) · exp(2πi f t), t from −size / 2 on; f in cycles a sample."""
    t = np.arange(-size // 2, size // 2)
    w = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(len(t)) / len(t))
    return math.sqrt(size) * w / w.sum() * np.exp(2j * math.pi * f * t)


def _octaves(sizes: list[int], lows: list[int], length: int) -> list[tuple[int, int, int, int]]:
    """(first bin, bin after the last, zeros before, zeros after) of bins whose kernels are alike in length."""
    groups, first = [], 0
    while first < len(sizes):
        stop = next((i for i in range(first, len(sizes)) if sizes[i] * 2 <= sizes[first]), len(sizes))
        low = min(lows[first:stop])
        high = min(length - at - size for at, size in zip(lows[first:stop], sizes[first:stop], strict=True))
        groups.append((first, stop, low, high))
        first = stop
    return groups
