"""The table of text nets: each takes ids (B, L) and lengths (B,) and gives logits (B, n_classes)."""

from __future__ import annotations

from .character_nets import VDCNN, CharacterCNN
from .cnn import TextCNN
from .fasttext_net import AveragingNet
from .net import TextNet
from .net_options import NetOptions
from .word_nets import DPCNN, DilatedCNN, GatedCNN

__all__ = [
    "DPCNN",
    "TEXT_NETS",
    "VDCNN",
    "AveragingNet",
    "CharacterCNN",
    "DilatedCNN",
    "GatedCNN",
    "NetOptions",
    "TextCNN",
    "TextNet",
]

TEXT_NETS: dict[str, type[TextNet]] = {
    "cnn": TextCNN,
    "char_cnn": CharacterCNN,
    "vdcnn": VDCNN,
    "dpcnn": DPCNN,
    "dilated": DilatedCNN,
    "gated": GatedCNN,
    "fasttext": AveragingNet,
}
