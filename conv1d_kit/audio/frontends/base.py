"""What every front-end says of itself, and the frames that all but the raw waveform share."""

from __future__ import annotations

import numpy as np
import torch

from ...errors import InputError, check_whole, is_number
from ..clip import check_rate

__all__ = ["Framed", "Frontend", "Raw", "band", "default_hop", "positive_number"]


class Frontend(torch.nn.Module):
    """Samples (B, T) → features (B, n_features, L), by `FRONTENDS[name](sample_rate, **options)`."""

    sample_rate: int  # Hz
    n_features: int
    hop_length: int  # samples a frame
    window_length: int = 1  # samples that one frame is made of
    log_scale: bool  # True: gain adds to the features, and mixing adds powers
    floor: float = 0.0  # power that is added before a logarithm or a division
    causal: bool = False  # True: frame i has no sample beyond i · hop_length + hop_length − 1
    methods: tuple[str, ...] = ("conv",)  # how it may be computed; the first is the default

    def options(self) -> dict:
        """What builds it again: FRONTENDS[name](**options)."""
        raise NotImplementedError

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Frames of clips of `n_samples` samples."""
        raise NotImplementedError

    def kernels(self) -> torch.Tensor:
        """What slides over the samples [shape=(n, 1, taps)]; of a complex one first all real parts."""
        raise NotImplementedError

    def frequencies(self) -> np.ndarray | None:
        """Centre of each feature in Hz [shape=(n_features,)], as it is now; None where a feature has none."""
        return None

    def _check(self, x: torch.Tensor, method: str | None) -> str:
        """The method to use, or InputError."""
        if x.ndim != 2:
            raise InputError(f"x must be (B, T), got shape {tuple(x.shape)}; try x[None]")
        if not x.dtype.is_floating_point:
            raise InputError(f"x must be floating samples in −1 … 1, got {x.dtype}; scale it, as x / 32768")
        if method is not None and method not in self.methods:
            raise InputError(f"method must be {' or '.join(map(repr, self.methods))}, got {method!r}")
        return self.methods[0] if method is None else method


class Framed(Frontend):
    """Features of windows of `window_length` samples, `hop_length` apart; a row says what it makes of a window.

    Frame i is made of zeros where its window lies beyond the clip, so that zeros which pad a short clip in a
    batch change none of its frames.

    causal=False   centred on i · hop_length; 1 + n // hop_length frames (librosa's center=True and
                   pad_mode="constant")
    causal=True    ends with sample i · hop_length + hop_length − 1; ceil(n / hop_length) frames. Nothing of the
                   future is in a frame, so a stream of it waits for no sample beyond the frame's own.
    """

    def __init__(self, sample_rate: int, *, window_length: int, hop_length: int | None, causal: bool):
        super().__init__()
        self.sample_rate = check_rate(sample_rate)
        self.window_length = window_length
        self.hop_length = (
            default_hop(self.sample_rate) if hop_length is None else check_whole("hop_length", hop_length)
        )
        self.causal = bool(causal)
        if self.causal and window_length < self.hop_length:
            raise InputError(
                f"the window must be >= hop_length = {self.hop_length} samples where causal, "
                f"got {window_length}; ask for a longer window (n_fft) or a shorter hop"
            )

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Frames of clips of `n_samples` samples: 1 + n // hop_length; ceil(n / hop_length) where causal."""
        if self.causal:
            return (n_samples + self.hop_length - 1) // self.hop_length
        return 1 + n_samples // self.hop_length

    def forward(self, x: torch.Tensor, *, method: str | None = None) -> torch.Tensor:
        """Features (B, n_features, L) by "fft" (fast) or "conv" (the same as a convolution), if it has both."""
        method = self._check(x, method)
        low = self._before()
        padded = torch.nn.functional.pad(x, (low, self.window_length - low))  # 1 + T // hop_length windows fit
        y = self._windows(padded, method)
        return y[..., : self.lengths(x.shape[1])] if self.causal else y  # type: ignore[arg-type]

    def stream_window(self) -> dict:
        """How a stream computes it: a window every hop, the first around sample 0 or up to its hop's end."""
        low = self._before()
        return {
            "axes": (2, 3), "span": self.window_length, "stride": self.hop_length, "low": low,
            "high": self.hop_length - 1 if self.causal else self.window_length - low,
            "run": lambda x: self._windows(x, self.methods[0]),
        }  # fmt: skip

    def _before(self) -> int:
        """Zeros before the first sample."""
        return self.window_length - self.hop_length if self.causal else self.window_length // 2

    def _windows(self, padded: torch.Tensor, method: str) -> torch.Tensor:
        """Features (B, F, L) of all windows that fit in the samples (B, T) without a pad."""
        raise NotImplementedError


class Raw(Frontend):
    """The waveform itself: (B, T) samples → (B, 1, T) features; a kernel of one tap, which is 1.

    Examples
    --------
    >>> Raw(16000)(torch.zeros(2, 100)).shape
    torch.Size([2, 1, 100])
    """

    log_scale = False
    causal = True

    def __init__(self, sample_rate: int):
        super().__init__()
        self.sample_rate, self.n_features, self.hop_length = check_rate(sample_rate), 1, 1

    def options(self) -> dict:
        return {"sample_rate": self.sample_rate}

    def lengths(self, n_samples: torch.Tensor) -> torch.Tensor:
        return n_samples

    def kernels(self) -> torch.Tensor:
        return torch.ones(1, 1, 1, dtype=torch.float64)

    def stream_window(self) -> dict:
        """How a stream computes it: every sample is a frame."""
        return {"axes": (2, 3), "span": 1, "run": lambda x: x[:, None]}

    def forward(self, x: torch.Tensor, *, method: str | None = None) -> torch.Tensor:
        self._check(x, method)
        return x[:, None]


def positive_number(name: str, value) -> float:
    """A finite number > 0, or InputError."""
    if not is_number(value) or not 0 < value < float("inf"):
        raise InputError(f"{name} must be > 0, got {value!r}")
    return float(value)


def default_hop(sample_rate: int) -> int:
    """20 ms in samples."""
    return max(1, round(0.02 * sample_rate))


def band(sample_rate: int, f_min: float, f_max: float | None) -> tuple[float, float]:
    """(f_min, f_max) in Hz with sample_rate / 2 for None, or InputError."""
    top = sample_rate / 2 if f_max is None else f_max
    if not is_number(f_min) or not is_number(top) or not 0 <= f_min < top <= sample_rate / 2:
        raise InputError(
            f"f_min and f_max must satisfy 0 <= f_min < f_max <= sample_rate / 2 = {sample_rate / 2} Hz, "
            f"got {f_min} and {top}"
        )
    return f_min, top
