"""Per-channel energy normalisation: each band over what it was of late, so that loudness matters little."""

from __future__ import annotations

import math

import numpy as np
import torch

from ...core.conv import depthwise_conv
from ...core.padding import pad
from .base import Frontend, positive_number
from .stft import MelPower

__all__ = ["EnergyNormalization", "Pcen", "Smoother"]

TAIL, MOST_TAIL = 1e-8, 1e-4  # share of the past that may be left out; of a coefficient that has been trained


class Smoother(torch.nn.Module):
    """M[t] = (1 − s) · M[t − 1] + s · E[t] along the last axis, from M[−1] = E[0]; as a convolution.

    Parameters
    ----------
    n_features : int
    coefficient : float in (0, 1)
        s; trainable, one a feature.
    trainable : bool

    Notes
    -----
    The impulse response s · (1 − s)^k is cut after K = 2^J taps, where (1 − s)^K <= 1e-8 (<= 1e-4 of an s that
    has been trained, which is held to that), so the error is at most this share of the largest E beyond K
    frames back. Its sum of powers factors into J convolutions of two taps,
    sum over k < 2^J of a^k z^k = product over j < J of (1 + a^(2^j) z^(2^j)), all of them positive: a quiet
    frame keeps its digits beside a loud one, as it would not by an FFT.

    Examples
    --------
    >>> Smoother(1, 0.5)(torch.tensor([[[1.0, 0.0, 0.0, 4.0]]]))
    tensor([[[1.0000, 0.5000, 0.2500, 2.1250]]], grad_fn=<...>)
    """

    def __init__(self, n_features: int, coefficient: float, *, trainable: bool = True):
        super().__init__()
        keep = 1 - coefficient
        self.n_factors = max(1, math.ceil(math.log2(max(2.0, math.log(TAIL) / math.log(keep)))))
        self.least = 1 - MOST_TAIL ** (1 / 2**self.n_factors)
        self.coefficient = torch.nn.Parameter(torch.full((n_features,), coefficient), requires_grad=trainable)

    def held(self) -> torch.Tensor:
        """The coefficient within its range [shape=(n_features,)]."""
        return self.coefficient.clamp(self.least, 1.0)

    def kernels(self) -> torch.Tensor:
        """The impulse responses, the newest frame's tap last [shape=(n_features, 2^J)]."""
        s = self.held()[:, None]
        age = torch.arange(2**self.n_factors - 1, -1, -1, device=s.device)
        return s * (1 - s) ** age

    def forward(self, energy: torch.Tensor) -> torch.Tensor:
        if energy.shape[-1] == 0:
            return energy
        s = self.held().to(energy)
        y = energy
        for j in range(self.n_factors):
            weight = torch.stack([(1 - s) ** 2**j, torch.ones_like(s)], 1)  # (F, 2)
            y = depthwise_conv(pad(y, ((2**j, 0),), "replicate"), weight, dilation=2**j, method="direct")
        return s[:, None] * y

    def stream_window(self) -> dict:
        """How a stream computes it: the whole impulse response, as long as a short chunk is."""
        taps = 2**self.n_factors
        return {
            "axes": (3, 3), "span": taps, "low": taps - 1, "mode": "replicate",
            "run": lambda x: depthwise_conv(x, self.kernels().to(x), method="direct"),
        }  # fmt: skip


class EnergyNormalization(torch.nn.Module):
    """PCEN of energies E (B, F, L): (E / (floor + M)^gain + bias)^power − bias^power, M the smoothed E.

    Parameters
    ----------
    n_features : int
    gain, bias, power : float
        Where they begin if trainable, one a feature.
    smooth : float in (0, 1)
        Coefficient of the smoother.
    floor : float, in E's units
        Energies well below are not lifted.
    trainable : bool
        Gain is held to [0, 1], bias to >= 0.01 and power to [0.05, 1].

    Notes
    -----
    Source: Wang et al. (2017), Trainable Frontend For Robust and Far-Field Keyword Spotting, eq. 1 and 2;
    Lostanlen et al. (2019), Per-Channel Energy Normalization: Why and How.

    Examples
    --------
    >>> y = EnergyNormalization(1, smooth=0.5, trainable=False)(torch.tensor([[[1.0, 1.0, 100.0, 100.0]]]))
    >>> [round(float(v), 2) for v in y[0, 0]]
    [0.32, 0.32, 0.62, 0.44]
    """

    def __init__(
        self,
        n_features: int,
        *,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        smooth: float = 0.04,
        floor: float = 1e-6,
        trainable: bool = True,
    ):
        super().__init__()
        self.smoother = Smoother(n_features, smooth, trainable=trainable)
        self.floor = floor
        self.gain, self.bias, self.power = (
            torch.nn.Parameter(torch.full((n_features, 1), float(value)), requires_grad=trainable)
            for value in (gain, bias, power)
        )

    def forward(self, energy: torch.Tensor) -> torch.Tensor:
        gain, bias = self.gain.clamp(0.0, 1.0), self.bias.clamp(min=0.01)
        power = self.power.clamp(0.05, 1.0)
        m = self.smoother(energy)
        # by logarithms, as librosa: (floor + m)^gain of small numbers keeps its digits
        lifted = energy * torch.exp(-gain * (math.log(self.floor) + torch.log1p(m / self.floor)))
        return bias**power * torch.expm1(power * torch.log1p(lifted / bias))


class Pcen(Frontend):
    """Per-channel energy normalisation of the mel power: (B, T) samples → (B, n_mels, L) features.

    Parameters
    ----------
    sample_rate, n_mels, n_fft, hop_length, f_min, f_max, causal
        As LogMel's.
    gain, bias, power : float
    time_constant_s : float, seconds
        Of the smoother; it looks back only, so a causal front-end stays causal.
    floor : float
        Mel powers well below are not lifted.
    trainable : bool
        Whether gain, bias, power and the smoother's coefficient are learned, one each a band.

    Notes
    -----
    librosa.pcen on the same mel power, started at M[−1] = E[0] (zi = (1 − b) · E[0]), to 1e-4 in float32 and
    1e-5 in float64, relative; `Smoother` says where the smoother's memory ends. librosa's example scales
    samples by 2^31, which makes its eps a smaller one; here samples are −1 … 1 and floor is 1e-6 of power.

    Examples
    --------
    >>> Pcen(16000, 40)(torch.zeros(2, 16000)).shape
    torch.Size([2, 40, 51])
    """

    log_scale = False
    methods = ("fft", "conv")

    def __init__(
        self,
        sample_rate: int,
        n_mels: int = 64,
        *,
        n_fft: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        time_constant_s: float = 0.4,
        floor: float = 1e-6,
        trainable: bool = False,
        causal: bool = False,
    ):
        super().__init__()
        self.energy = MelPower(
            sample_rate, n_mels, n_fft=n_fft, hop_length=hop_length, f_min=f_min, f_max=f_max, floor=floor,
            causal=causal,
        )  # fmt: skip
        self.start = {
            "gain": positive_number("gain", gain), "bias": positive_number("bias", bias),
            "power": positive_number("power", power),
            "time_constant_s": positive_number("time_constant_s", time_constant_s),
        }  # fmt: skip
        self.trainable = bool(trainable)
        e = self.energy
        self.sample_rate, self.n_features, self.hop_length = e.sample_rate, e.n_features, e.hop_length
        self.window_length, self.causal, self.floor = e.window_length, e.causal, e.floor
        self.f_min, self.f_max = e.f_min, e.f_max
        frames = self.start["time_constant_s"] * self.sample_rate / self.hop_length
        smooth = (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)  # librosa's: −3 dB at 1 / time constant
        self.normalize = EnergyNormalization(
            self.n_features, gain=gain, bias=bias, power=power, smooth=smooth, floor=self.floor,
            trainable=self.trainable,
        )  # fmt: skip

    def options(self) -> dict:
        return {**self.energy.options(), **self.start, "trainable": self.trainable}

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        return self.energy.lengths(n_samples)

    def kernels(self) -> torch.Tensor:
        """Those of the Fourier transform; `normalize.smoother.kernels()` are the smoother's."""
        return self.energy.kernels()

    def frequencies(self) -> np.ndarray | None:
        return self.energy.frequencies()

    def forward(self, x: torch.Tensor, *, method: str | None = None) -> torch.Tensor:
        return self.normalize(self.energy(x, method=method))
