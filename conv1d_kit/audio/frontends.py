"""Front-ends: samples (B, T) → features (B, F, L); log-mel is a strided convolution with a fast form by FFT."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..core.conv import conv
from ..errors import InputError
from .clip import check_rate

__all__ = ["FRONTENDS", "Frontend", "LogMel", "Raw", "hz_to_mel", "mel_filters", "mel_to_hz"]


def hz_to_mel(hz):
    """Slaney's mel scale: linear to 1 kHz (3 mel = 200 Hz), logarithmic above (27 mel = ×6.4).

    Source: Slaney, Auditory Toolbox (1998); librosa's default (htk=False).

    Examples
    --------
    >>> hz_to_mel(np.array([0.0, 1000.0, 6400.0]))
    array([ 0., 15., 42.])
    """
    f = np.asarray(hz, dtype=np.float64)
    return np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1000) / 1000) * 27 / math.log(6.4))


def mel_to_hz(mel):
    """The inverse of hz_to_mel.

    Examples
    --------
    >>> mel_to_hz(np.array([0.0, 15.0, 42.0])).round(6)
    array([   0., 1000., 6400.])
    """
    m = np.asarray(mel, dtype=np.float64)
    return np.where(m < 15, m * 200 / 3, 1000 * np.exp((np.maximum(m, 15) - 15) * math.log(6.4) / 27))


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None):
    """Triangles over the FFT bins, each of area 1 Hz·(2 / width): Slaney's scale and norm.

    Returns
    -------
    array [shape=(n_mels, n_fft // 2 + 1), float32]
        As librosa.filters.mel with its defaults (not torchaudio's: HTK, no norm).

    Raises
    ------
    InputError
        If a triangle holds no FFT bin.

    Examples
    --------
    >>> mel_filters(16000, 512, 40).shape
    (40, 257)
    """
    f_max = sample_rate / 2 if f_max is None else f_max
    if not 0 <= f_min < f_max <= sample_rate / 2:
        raise InputError(
            f"f_min and f_max must satisfy 0 <= f_min < f_max <= sample_rate / 2 = {sample_rate / 2} Hz, "
            f"got {f_min} and {f_max}"
        )
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    edges = mel_to_hz(np.linspace(hz_to_mel(f_min), hz_to_mel(f_max), n_mels + 2))
    widths = np.diff(edges)
    ramps = edges[:, None] - bins  # (n_mels + 2, bins)
    rise, fall = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    empty = np.flatnonzero(filters.max(1) == 0)
    if len(empty):
        raise InputError(
            f"n_mels must leave each filter an FFT bin, got n_mels={n_mels} with n_fft={n_fft} "
            f"at {sample_rate} Hz ({len(empty)} empty); ask for fewer mels or a larger n_fft"
        )
    return filters.astype(np.float32)


class Frontend(torch.nn.Module):
    """What every front-end says of itself."""

    sample_rate: int  # Hz
    n_features: int
    hop_length: int  # samples a frame
    window_length: int = 1  # samples that one frame is made of
    log_scale: bool  # True: gain adds to the features, and mixing adds powers; False: amplitudes
    floor: float = 0.0  # power of digital silence, where log_scale

    def options(self) -> dict:
        """What builds it again: FRONTENDS[name](**options)."""
        raise NotImplementedError

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Frames of clips of `n_samples` samples."""
        raise NotImplementedError


class LogMel(Frontend):
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
        Where frame i lies: around sample i · hop_length, or, True, up to its own last sample.

    Notes
    -----
    Frame i is made of n_fft samples, with zeros beyond both ends of the clip, so that zeros which pad a short
    clip in a batch change none of its frames.

    causal=False   centred on i · hop_length; 1 + n // hop_length frames (librosa's center=True and
                   pad_mode="constant")
    causal=True    ends with sample i · hop_length + hop_length − 1; ceil(n / hop_length) frames. Nothing of the
                   future is in a frame, so a stream of it waits for no sample beyond the frame's own.

    Examples
    --------
    >>> frontend = LogMel(16000, n_mels=40)
    >>> frontend(torch.zeros(2, 16000)).shape, frontend.lengths(torch.tensor([16000, 0]))
    (torch.Size([2, 40, 51]), tensor([51,  1]))
    >>> LogMel(16000, n_mels=40, causal=True)(torch.zeros(2, 16001)).shape
    torch.Size([2, 40, 51])
    """

    log_scale = True
    mel: torch.Tensor
    window: torch.Tensor

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
        super().__init__()
        self.sample_rate = check_rate(sample_rate)
        self.n_features = _positive("n_mels", n_mels)
        self.n_fft = _positive("n_fft", n_fft or 2 ** max(5, round(math.log2(0.06 * self.sample_rate))))
        self.window_length = self.n_fft
        self.hop_length = _positive("hop_length", hop_length or max(1, round(0.02 * self.sample_rate)))
        self.f_min, self.f_max = f_min, self.sample_rate / 2 if f_max is None else f_max
        if not floor > 0:
            raise InputError(f"floor must be > 0, got {floor}")
        self.floor = floor
        self.causal = bool(causal)
        if self.causal and self.n_fft < self.hop_length:
            raise InputError(
                f"n_fft must be >= hop_length = {self.hop_length} where causal, got {self.n_fft}; "
                "no frame would hold the first samples of its hop"
            )
        mel = mel_filters(self.sample_rate, self.n_fft, self.n_features, self.f_min, self.f_max)
        self.register_buffer("mel", torch.from_numpy(mel), persistent=False)
        self.register_buffer("window", torch.hann_window(self.n_fft, periodic=True), persistent=False)

    def options(self) -> dict:
        return {
            "sample_rate": self.sample_rate, "n_mels": self.n_features, "n_fft": self.n_fft,
            "hop_length": self.hop_length, "f_min": self.f_min, "f_max": self.f_max, "floor": self.floor,
            "causal": self.causal,
        }  # fmt: skip

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Frames of clips of `n_samples` samples: 1 + n // hop_length; ceil(n / hop_length) where causal."""
        return (
            (n_samples + self.hop_length - 1) // self.hop_length
            if self.causal
            else 1 + n_samples // self.hop_length
        )

    def forward(self, x: torch.Tensor, *, method: str = "fft") -> torch.Tensor:
        """Features (B, n_mels, L) by "fft" (fast) or "conv" (the same as one strided convolution)."""
        if x.ndim != 2:
            raise InputError(f"x must be (B, T), got shape {tuple(x.shape)}; try x[None]")
        if method not in ("fft", "conv"):
            raise InputError(f"method must be 'fft' or 'conv', got {method!r}")
        low = self._before()
        padded = torch.nn.functional.pad(x, (low, self.n_fft - low))  # 1 + T // hop_length windows fit
        power = self._power_by_conv(padded) if method == "conv" else self._power_by_fft(padded)
        return self._log_mel(power[..., : self.lengths(x.shape[1])])

    def stream_window(self) -> dict:
        """How a stream computes it: a window of n_fft samples every hop, the first around or up to its own."""
        low = self._before()
        return {
            "axes": (2, 3), "span": self.n_fft, "stride": self.hop_length, "low": low,
            "high": self.hop_length - 1 if self.causal else self.n_fft - low,
            "run": lambda x: self._log_mel(self._power_by_fft(x)),
        }  # fmt: skip

    def _before(self) -> int:
        """Zeros before the first sample."""
        return self.n_fft - self.hop_length if self.causal else self.n_fft // 2

    def _log_mel(self, power: torch.Tensor) -> torch.Tensor:
        return torch.log(self.mel.to(power.dtype) @ power + self.floor)

    def kernels(self) -> torch.Tensor:
        """Windowed cosines, then sines, one a bin [shape=(2 · bins, 1, n_fft)]."""
        n = torch.arange(self.n_fft, dtype=torch.float64)
        angle = 2 * math.pi / self.n_fft * (torch.arange(self.n_fft // 2 + 1)[:, None] * n % self.n_fft)
        waves = torch.cat([angle.cos(), angle.sin()]) * self.window.double()
        return waves[:, None]

    def _power_by_conv(self, padded: torch.Tensor) -> torch.Tensor:
        parts = conv(padded[:, None], self.kernels().to(padded), stride=self.hop_length)  # (B, 2 · bins, L)
        real, imaginary = parts.chunk(2, 1)
        return real**2 + imaginary**2

    def _power_by_fft(self, padded: torch.Tensor) -> torch.Tensor:
        frames = padded.unfold(1, self.n_fft, self.hop_length)
        spectrum = torch.fft.rfft(frames * self.window.to(padded.dtype))  # (B, L, bins)
        return (spectrum.real**2 + spectrum.imag**2).transpose(1, 2)


class Raw(Frontend):
    """The waveform itself: (B, T) samples → (B, 1, T) features.

    Examples
    --------
    >>> Raw(16000)(torch.zeros(2, 100)).shape
    torch.Size([2, 1, 100])
    """

    log_scale = False

    def __init__(self, sample_rate: int):
        super().__init__()
        self.sample_rate, self.n_features, self.hop_length = check_rate(sample_rate), 1, 1

    def options(self) -> dict:
        return {"sample_rate": self.sample_rate}

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        return n_samples

    def stream_window(self) -> dict:
        """How a stream computes it: every sample is a frame."""
        return {"axes": (2, 3), "span": 1, "run": lambda x: x[:, None]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 2:
            raise InputError(f"x must be (B, T), got shape {tuple(x.shape)}; try x[None]")
        return x[:, None]


def _positive(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be an int >= 1, got {value!r}")
    return int(value)


FRONTENDS: dict[str, type[Frontend]] = {"log_mel": LogMel, "raw": Raw}
