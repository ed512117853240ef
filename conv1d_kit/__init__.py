"""conv1d_kit: one-dimensional convolution for audio and text, on one engine for NumPy and torch.

Public names load on first use, so that `import conv1d_kit` is quick and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ConvStream": "core.stream",
    "conv": "core.conv",
    "conv_file": "core.files",
    "conv_transpose": "core.transpose",
    "conv_vjp": "core.conv",
    "depthwise_conv": "core.conv",
    "output_lengths": "core.lengths",
    "plan_conv": "core.planned",
    "time_varying_conv": "core.conv",
    "convolve": "core.signal",
    "convolve2d": "core.signal",
    "correlate": "core.signal",
    "correlate2d": "core.signal",
    "deconvolve": "core.deconvolve",
    "fftconvolve": "core.signal",
    "oaconvolve": "core.signal",
    "upfirdn": "core.upfirdn",
    "Conv1d": "layers",
    "Conv2d": "layers",
    "ConvTranspose1d": "layers",
    "NetStream": "streaming.net",
    "stream": "streaming.net",
    "Clip": "audio.clip",
    "AudioClassifier": "audio.classifier",
    "TextClassifier": "text.classifier",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'conv1d_kit' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
