"""Front-ends: samples (B, T) → features (B, F, L); each is a convolution, and one table names them all."""

from __future__ import annotations

from .base import Framed, Frontend, Raw
from .cqt import Cqt
from .filters import Learned
from .gabor import Gabor
from .mel import hz_to_mel, mel_edges, mel_filters, mel_to_hz
from .pcen import EnergyNormalization, Pcen
from .sinc import Sinc
from .stft import LogMel, MelPower, Mfcc, Stft

__all__ = [
    "FRONTENDS", "Cqt", "EnergyNormalization", "Framed", "Frontend", "Gabor", "Learned", "LogMel", "MelPower",
    "Mfcc", "Pcen", "Raw", "Sinc", "Stft", "hz_to_mel", "mel_edges", "mel_filters", "mel_to_hz",
]  # fmt: skip

FRONTENDS: dict[str, type[Frontend]] = {
    "raw": Raw,
    "learned": Learned,
    "sinc": Sinc,
    "gabor": Gabor,
    "stft": Stft,
    "log_mel": LogMel,
    "pcen": Pcen,
    "mfcc": Mfcc,
    "cqt": Cqt,
}
