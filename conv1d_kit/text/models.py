"""Every model that TextClassifier offers, nets and baselines in one table."""

from __future__ import annotations

from .blend import Blend
from .linear import LINEAR, LinearModel
from .model import TextModel
from .net_model import NetModel
from .nets import TEXT_NETS

__all__ = ["MODELS"]

MODELS: dict[str, type[TextModel]] = {
    **dict.fromkeys(TEXT_NETS, NetModel),
    **dict.fromkeys(LINEAR, LinearModel),
    "blend": Blend,
}
