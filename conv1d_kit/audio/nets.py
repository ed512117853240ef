"""The table of audio nets: each takes features (B, F, L) and lengths (B,) and gives logits (B, n_classes)."""

from __future__ import annotations

from .causal_nets import DepthwiseNet, DilatedNet
from .filterbank import FilterBankCNN
from .net import AudioNet
from .spectrogram_nets import BCResNet, ResidualCNN, SpectrogramCNN, SpeechCNN
from .texture import TextureNet
from .wave_nets import M5, WaveCNN

__all__ = [
    "AUDIO_NETS",
    "M5",
    "BCResNet",
    "DepthwiseNet",
    "DilatedNet",
    "FilterBankCNN",
    "ResidualCNN",
    "SpectrogramCNN",
    "SpeechCNN",
    "TextureNet",
    "WaveCNN",
]

AUDIO_NETS: dict[str, type[AudioNet]] = {
    "spectrogram": SpectrogramCNN,
    "speech": SpeechCNN,
    "residual": ResidualCNN,
    "bc_resnet": BCResNet,
    "depthwise": DepthwiseNet,
    "dilated": DilatedNet,
    "wave": WaveCNN,
    "m5": M5,
    "filterbank": FilterBankCNN,
    "texture": TextureNet,
}
