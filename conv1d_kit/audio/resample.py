"""Rows of samples at up/down times their rate, by a windowed sinc in phases through the core's convolution."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from ..core.upfirdn import upfirdn

__all__ = ["low_pass", "resample"]

CROSSINGS = 32  # zeros of the sinc on each side
BETA = 7.857  # Kaiser window of −80 dB
CUTOFF = 0.922  # of the lower Nyquist frequency; the pass band ends at 0.843 of it, the stop band begins at it


def resample(x: torch.Tensor, up: int, down: int) -> torch.Tensor:
    """Samples at up/down times the rate (..., T) → (..., ceil(T · up / down)); sample 0 stays where it is.

    Below 0.84 of the lower of both Nyquist frequencies the error is under −80 dB, above it images and aliases
    are; silence is assumed beyond both ends.

    Source: Smith, Digital Audio Resampling (2002); Kaiser's window formula in Oppenheim & Schafer, 7.6.

    Examples
    --------
    >>> t = torch.arange(400.0) / 8000
    >>> y = resample(torch.sin(2 * torch.pi * 440 * t), 3, 2)
    >>> error = y - torch.sin(2 * torch.pi * 440 * torch.arange(600) / 12000)
    >>> len(y), bool(error[100:500].abs().max() < 1e-4)
    (600, True)
    """
    common = math.gcd(up, down)
    up, down = up // common, down // common
    if up == down or x.numel() == 0:
        return x.clone()
    h, delay = low_pass(up, down)
    n = -(-x.shape[-1] * up // down)
    y = upfirdn(torch.from_numpy(h).to(x), torch.nn.functional.pad(x, (0, -(-len(h) // up))), up, down)
    return y[..., delay : delay + n]


@lru_cache(maxsize=256)
def low_pass(up: int, down: int) -> tuple[np.ndarray, int]:
    """A windowed sinc at `up` times the input's rate [shape=(K,)], and its delay in output samples.

    Zeros before it make the delay a whole number.
    """
    narrow = min(1.0, up / down)
    half = math.ceil(CROSSINGS / narrow * up)
    t = np.arange(-half, half + 1) / up * narrow  # in samples of the lower rate
    window = np.i0(BETA * np.sqrt(np.maximum(0, 1 - (t / CROSSINGS) ** 2))) / np.i0(BETA)
    h = narrow * CUTOFF * np.sinc(CUTOFF * t) * window
    before = -half % down
    return np.concatenate([np.zeros(before), h]), (half + before) // down
