"""The other libraries' calls, ready to be timed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import scipy.signal
import torch
from scipy.fft import next_fast_len

from .cell import DIRECT_LIMIT, WINDOW_BYTES, Run

__all__ = ["fft_conv", "layer_peers", "signal_peers", "whole_fft"]

F = torch.nn.functional
LAYER_LIMIT = 3e10  # multiply-adds above which torch's direct sum over channels would take many seconds
LONG = 16  # taps up to which an FFT is never the quickest and is left out


def signal_peers(a: np.ndarray, b: np.ndarray) -> dict[str, Run | str]:
    """Full convolution of two 1-D arrays; torch's libraries get tensors on the same memory."""
    n, k = len(a), len(b)
    x, w = torch.from_numpy(a), torch.from_numpy(b)
    line, flipped = x[None, None], w.flip(0)[None, None]
    length = next_fast_len(n + k - 1, real=True)

    def product() -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(x, length) * torch.fft.rfft(w, length), length)[: n + k - 1]

    peers: dict[str, Run | str] = {
        "np.convolve": lambda: np.convolve(a, b),
        "scipy convolve": lambda: scipy.signal.convolve(a, b),
        "scipy fftconvolve": lambda: scipy.signal.fftconvolve(a, b),
        "scipy oaconvolve": lambda: scipy.signal.oaconvolve(a, b),
        "torch conv1d": lambda: F.conv1d(line, flipped, padding=k - 1),
        "torch whole FFT": product,
        "julius": _julius(line, flipped, padding=k - 1),
        "fft-conv-pytorch": fft_conv(line, flipped, padding=k - 1),
    }
    if n * k > DIRECT_LIMIT:
        peers["np.convolve"] = peers["torch conv1d"] = f"left out: {n * k:.1e} multiply-adds"
    elif a.itemsize == 8 and n * k * 8 > WINDOW_BYTES:
        peers["torch conv1d"] = f"left out: {n * k * 8 / 1e9:.0f} GB of windows"
    return peers


def layer_peers(x: torch.Tensor, w: torch.Tensor, options: dict, multiply_adds: float) -> dict[str, Run | str]:
    """A layer; `options` has its stride, dilation, groups and padding."""
    peers: dict[str, Run | str] = {"torch conv1d": lambda: F.conv1d(x, w, **options)}
    if multiply_adds > LAYER_LIMIT:
        peers["torch conv1d"] = f"left out: {multiply_adds:.1e} multiply-adds"
    if w.shape[-1] > LONG:
        peers["torch whole FFT"] = lambda: whole_fft(x, w, **options)
        peers["fft-conv-pytorch"] = fft_conv(x, w, **options)
        if options["groups"] == 1 == options["dilation"]:
            peers["julius"] = _julius(x, w, stride=options["stride"], padding=options["padding"])
    return peers


def whole_fft(
    x: torch.Tensor, w: torch.Tensor, *, stride: int = 1, dilation: int = 1, groups: int = 1, padding: int = 0
) -> torch.Tensor:
    """F.conv1d by one FFT over the whole signal, as its textbook has it: the plain way to be quick in torch."""
    x = F.pad(x, (padding, padding)) if padding else x
    n, span = x.shape[-1], (w.shape[-1] - 1) * dilation + 1
    if dilation > 1:
        spread = w.new_zeros(*w.shape[:2], span)
        spread[..., ::dilation] = w
        w = spread
    length = next_fast_len(n, real=True)  # what wraps around falls on outputs that are cut off
    fx = torch.fft.rfft(x, length).unflatten(1, (groups, -1))  # (B, G, C, F)
    fw = torch.fft.rfft(w, length).conj().unflatten(0, (groups, -1))  # (G, O, C, F)
    fy = fx * fw[:, :, 0] if fx.shape[2] == 1 else torch.einsum("bgcf,gocf->bgof", fx, fw)
    return torch.fft.irfft(fy.flatten(1, 2), length)[..., : n - span + 1 : stride]


def fft_conv(x: torch.Tensor, w: torch.Tensor, **options) -> Run | str:
    """fft-conv-pytorch's call. It computes in float32 whatever comes."""
    if not find_spec("fft_conv_pytorch"):
        return "not installed"
    import fft_conv_pytorch

    warnings.filterwarnings("ignore", module="fft_conv_pytorch")  # it indexes as torch will not have it soon
    return lambda: fft_conv_pytorch.fft_conv(x, w, **options)


def _julius(x: torch.Tensor, w: torch.Tensor, **options) -> Run | str:
    if not find_spec("julius"):
        return "not installed"
    import julius

    call: Callable[..., torch.Tensor] = julius.fftconv.fft_conv1d
    return lambda: call(x, w, **options)
