"""Front-ends on the short-time Fourier transform (log power, log mel, MFCC): by FFT, or as convolutions."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import torch

from ...core.conv import conv
from ...core.rounds import rounds
from ...errors import InputError, check_whole
from ..clip import check_rate
from .base import Framed, band, positive_number
from .mel import mel_edges, mel_filters

__all__ = ["LogMel", "MelPower", "Mfcc", "Spectral", "Stft"]

_ROUND = 1 << 22  # numbers at a time: an hour of sound needs no more memory, and two threads have enough to do


class Spectral(Framed):
    """Power in the FFT bins of Hann windows, or in bands of them; `_features` is what a row makes of that."""

    methods = ("fft", "conv")
    window: torch.Tensor

    def __init__(
        self, sample_rate: int, *, n_fft: int | None, hop_length: int | None, floor: float, causal: bool
    ):
        rate = check_rate(sample_rate)
        default = 2 ** max(5, round(math.log2(0.06 * rate)))
        self_n_fft = default if n_fft is None else check_whole("n_fft", n_fft)
        super().__init__(rate, window_length=self_n_fft, hop_length=hop_length, causal=causal)
        self.n_fft = self_n_fft
        self.floor = positive_number("floor", floor)
        self.register_buffer("window", torch.hann_window(self.n_fft, periodic=True), persistent=False)

    def kernels(self) -> torch.Tensor:
        """Windowed cosines, then sines, one a bin [shape=(2 · bins, 1, n_fft)]."""
        n = torch.arange(self.n_fft, dtype=torch.float64)
        angle = 2 * math.pi / self.n_fft * (torch.arange(self.n_fft // 2 + 1)[:, None] * n % self.n_fft)
        return (torch.cat([angle.cos(), angle.sin()]).to(self.window.device) * self.window.double())[:, None]

    def _windows(self, padded: torch.Tensor, method: str) -> torch.Tensor:
        if method == "conv" or 0 in padded.shape:  # an FFT of no clips raises
            parts = conv(padded[:, None], self.kernels().to(padded), stride=self.hop_length)  # (B, 2 · bins, L)
            real, imaginary = parts.chunk(2, 1)
            return self._features(self._bands(real**2 + imaginary**2))
        frames, window = padded.unfold(1, self.n_fft, self.hop_length), self.window.to(padded.dtype)
        cuts = [(slice(None), slice(None))]
        if not torch.compiler.is_compiling():  # sizes may be symbols there
            n_rows, n_frames, _ = frames.shape
            cuts = list(rounds(n_rows, n_frames, 3 * self.n_fft, _ROUND))  # windows, spectra and their squares
        parts = (self._features(self._bands_of(torch.fft.rfft(frames[cut] * window))) for cut in cuts)
        first = next(parts)
        if len(cuts) == 1:
            return first
        y = first.new_empty(n_rows, self.n_features, n_frames)
        for (rows, at), part in zip(cuts, chain([first], parts), strict=True):
            y[rows, :, at] = part
        return y

    def _bands(self, power: torch.Tensor) -> torch.Tensor:
        """What is made of the power in each bin (B, bins, L)."""
        return power

    def _bands_of(self, spectrum: torch.Tensor) -> torch.Tensor:
        """The same of the bins themselves, complex (B, L, bins)."""
        return self._bands((spectrum.real**2 + spectrum.imag**2).transpose(1, 2))

    def _features(self, power: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class Stft(Spectral):
    """Natural log of the power in each FFT bin: (B, T) samples → (B, n_fft // 2 + 1, L) features.

    Parameters
    ----------
    sample_rate : int, Hz
    n_fft : int, samples, optional
        Window (Hann) and FFT length; default the power of two nearest to 60 ms.
    hop_length : int, samples, optional
        Default 20 ms.
    floor : float
        log(power + floor): digital silence gives log(floor), never −inf.
    causal : bool
        Where frame i lies, as drawn in Framed.

    Notes
    -----
    |librosa.stft|² with center=True and pad_mode="constant", to 1e-5 of the largest power in float32.

    Examples
    --------
    >>> Stft(16000, n_fft=512)(torch.zeros(2, 16000)).shape
    torch.Size([2, 257, 51])
    """

    log_scale = True

    def __init__(
        self,
        sample_rate: int,
        *,
        n_fft: int | None = None,
        hop_length: int | None = None,
        floor: float = 1e-5,
        causal: bool = False,
    ):
        super().__init__(sample_rate, n_fft=n_fft, hop_length=hop_length, floor=floor, causal=causal)
        self.n_features = self.n_fft // 2 + 1

    def options(self) -> dict:
        return {
            "sample_rate": self.sample_rate, "n_fft": self.n_fft, "hop_length": self.hop_length,
            "floor": self.floor, "causal": self.causal,
        }  # fmt: skip

    def frequencies(self) -> np.ndarray:
        return np.arange(self.n_features) * self.sample_rate / self.n_fft

    def _features(self, power: torch.Tensor) -> torch.Tensor:
        return torch.log(power + self.floor)


class MelPower(Spectral):
    """Power in mel bands: (B, T) samples → (B, n_mels, L) features, what LogMel, Mfcc and Pcen start from.

    Parameters as LogMel's.

    Examples
    --------
    >>> MelPower(16000, 40)(torch.zeros(1, 3200)).shape
    torch.Size([1, 40, 11])
    """

    log_scale = False
    mel: torch.Tensor

    def __init__(
        self,
        sample_rate: int,
        n_mels: int = 64,
        *,
        n_fft: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        floor: float = 1e-5,
        causal: bool = False,
    ):
        super().__init__(sample_rate, n_fft=n_fft, hop_length=hop_length, floor=floor, causal=causal)
        self.n_features = self.n_mels = check_whole("n_mels", n_mels)
        self.f_min, self.f_max = band(self.sample_rate, f_min, f_max)
        mel = mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max)
        self.register_buffer("mel", torch.from_numpy(mel), persistent=False)
        self._lows = []  # the first bin that each group of some 16 bands weighs; their weights stand twice
        for i, rows in enumerate(np.array_split(mel, max(1, self.n_mels // 16))):
            heard = np.flatnonzero(rows.any(0))
            self._lows.append(int(heard[0]))
            weights = torch.from_numpy(rows[:, heard[0] : heard[-1] + 1].repeat(2, 1))
            self.register_buffer(f"_weights_{i}", weights, persistent=False)

    def options(self) -> dict:
        return {
            "sample_rate": self.sample_rate, "n_mels": self.n_mels, "n_fft": self.n_fft,
            "hop_length": self.hop_length, "f_min": self.f_min, "f_max": self.f_max, "floor": self.floor,
            "causal": self.causal,
        }  # fmt: skip

    def frequencies(self) -> np.ndarray | None:
        return mel_edges(self.n_mels, self.f_min, self.f_max)[1:-1]

    def _bands(self, power: torch.Tensor) -> torch.Tensor:
        return self.mel.to(power.dtype) @ power

    def _bands_of(self, spectrum: torch.Tensor) -> torch.Tensor:
        # real and imaginary parts are squared where they lie and added up within the matrix product
        squares = torch.view_as_real(spectrum).square().flatten(2).transpose(1, 2)  # (B, 2 · bins, L)
        sums = []
        for i, low in enumerate(self._lows):
            weights = getattr(self, f"_weights_{i}").to(squares.dtype)
            sums.append(weights @ squares[:, 2 * low : 2 * low + weights.shape[1]])
        return torch.cat(sums, 1)

    def _features(self, power: torch.Tensor) -> torch.Tensor:
        return power


class LogMel(MelPower):
    """Natural log of the mel power: (B, T) samples → (B, n_mels, L) features.

    Parameters
    ----------
    sample_rate : int, Hz
    n_mels : int
    n_fft : int, samples, optional
        Window (Hann) and FFT length; default the power of two nearest to 60 ms.
    hop_length : int, samples, optional
        Default 20 ms.
    f_min, f_max : float, Hz
    floor : float
        log(power + floor): digital silence gives log(floor), never −inf.
    causal : bool
        Where frame i lies: around sample i · hop_length, or, True, up to its own last sample (see Framed).

    Notes
    -----
    log(librosa.feature.melspectrogram + floor) with center=True and pad_mode="constant", to 1e-3 in float32.

    Examples
    --------
    >>> frontend = LogMel(16000, n_mels=40)
    >>> frontend(torch.zeros(2, 16000)).shape, frontend.lengths(torch.tensor([16000, 0]))
    (torch.Size([2, 40, 51]), tensor([51,  1]))
    >>> LogMel(16000, n_mels=40, causal=True)(torch.zeros(2, 16001)).shape
    torch.Size([2, 40, 51])
    """

    log_scale = True

    def _features(self, power: torch.Tensor) -> torch.Tensor:
        return torch.log(power + self.floor)


class Mfcc(MelPower):
    """Mel-frequency cepstrum: the first cosines (DCT-II, ortho) of the mel power in dB; (B, n_mfcc, L).

    Parameters
    ----------
    sample_rate : int, Hz
    n_mfcc : int <= n_mels
    n_mels, n_fft, hop_length, f_min, f_max, causal
        As LogMel's.
    floor : float
        10 · log10(power + floor).

    Notes
    -----
    librosa.feature.mfcc to 0.01 (dB) in float32, but for librosa's cut at 80 dB below the clip's loudest cell
    (top_db), which no stream could know and which would let one noise change every frame.

    Source: Davis & Mermelstein (1980), eq. 1, with the orthonormal DCT-II.

    Examples
    --------
    >>> Mfcc(16000, 13)(torch.zeros(2, 16000)).shape
    torch.Size([2, 13, 51])
    """

    log_scale = False
    dct: torch.Tensor

    def __init__(
        self,
        sample_rate: int,
        n_mfcc: int = 20,
        *,
        n_mels: int = 64,
        n_fft: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        floor: float = 1e-5,
        causal: bool = False,
    ):
        super().__init__(
            sample_rate, n_mels, n_fft=n_fft, hop_length=hop_length, f_min=f_min, f_max=f_max, floor=floor,
            causal=causal,
        )  # fmt: skip
        self.n_features = check_whole("n_mfcc", n_mfcc)
        if self.n_features > self.n_mels:
            raise InputError(f"n_mfcc must be <= n_mels = {self.n_mels}, got {n_mfcc}; ask for more mels")
        k, n = torch.arange(self.n_features)[:, None], torch.arange(self.n_mels, dtype=torch.float64)
        dct = torch.cos(math.pi / self.n_mels * (n + 0.5) * k) * math.sqrt(2 / self.n_mels)
        dct[0] /= math.sqrt(2)
        self.register_buffer("dct", dct, persistent=False)

    def options(self) -> dict:
        return {**super().options(), "n_mfcc": self.n_features}

    def frequencies(self) -> None:
        return None

    def _features(self, power: torch.Tensor) -> torch.Tensor:
        db = 10 * torch.log10(power + self.floor)
        return self.dct.to(db.dtype) @ db
