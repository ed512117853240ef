"""What every audio net is: maps over (feature, frame), their summary, and one linear layer of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ..core.pooling import pool
from .norms import Standardize

__all__ = ["AudioNet", "WrappedNet", "needed_lengths", "shortened"]


class AudioNet(nn.Module):
    """Features (B, F, L) and lengths (B,) or None → logits (B, n_classes); padding never reaches a logit.

    A net writes `maps`; the summary (mean and maximum over the valid frames) and the head are shared, so that
    pictures of what a net looked at, embeddings and export know one way into all of them.

    Attributes
    ----------
    frontend : str
        The row of FRONTENDS it takes where nothing else is asked for.
    augments : tuple of keys of AUGMENTS or of (key, options), or None
        What it learns best with, where nothing else is asked for; None: what suits its features.
    centred : bool
        Whether it hears features about their mean, where nothing else is asked for.
    least_epochs : int
        So many epochs at least, where no number is asked for; 0: what the number of clips says.
    head : torch.nn.Linear
        The last layer, (B, D) → (B, n_classes).
    multi_label : bool
        Whether a clip may have any number of labels: what `probabilities` goes by.
    """

    frontend = "log_mel"
    augments: tuple[str | tuple[str, Mapping[str, Any]], ...] | None = None
    centred = False
    multi_label = False
    least_epochs = 0
    causal = False  # True: its features should be causal too, and then nothing looks ahead
    head: nn.Linear
    dropout: nn.Module
    input: Standardize

    def fit_input(self, features: Sequence[torch.Tensor]) -> None:
        """Set what standardises the input from training features, (F, L) each."""
        self.input.fit(list(features))

    def maps(
        self, x: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The last maps before the summary [shape=(B, C, F', L')] and their valid frames (None: all)."""
        raise NotImplementedError

    def embed(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """What the head sees [shape=(B, D)]."""
        return self.summary(*self.maps(x, lengths))

    def summary(self, maps: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Maps (B, C, F', L') → (B, D): mean over features, then mean and maximum over the valid frames."""
        return pool(maps.mean(2), lengths, kind="mean_max")

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        return self.head(self.dropout(self.embed(x, lengths)))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of each class [shape=(B, n_classes)]: they sum to 1, or each label stands for itself."""
        return logits.sigmoid() if self.multi_label else logits.softmax(1)

    def temper(self, temperature: float) -> None:
        """Divide all logits from now on by a temperature: it goes into the head's weights."""
        with torch.no_grad():
            for p in self.head.parameters():
                p.div_(temperature)


class WrappedNet(AudioNet):
    """A net that does something before another one, `net`, whose head, dropout and summary are its own."""

    net: AudioNet

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The head of the net."""
        return self.net.head

    @property
    def dropout(self) -> nn.Module:  # type: ignore[override]
        """The dropout of the net."""
        return self.net.dropout

    def summary(self, maps: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        return self.net.summary(maps, lengths)


def needed_lengths(lengths: torch.Tensor | None, size: int) -> torch.Tensor | None:
    """None where every row fills its whole width: then no mask is needed.

    While a net is exported the lengths stay, since what fills its width there need not do so later.
    """
    if lengths is None or torch.compiler.is_exporting():
        return lengths
    return None if bool((lengths == size).all()) else lengths


def shortened(lengths: torch.Tensor | None, stride: int = 2) -> torch.Tensor | None:
    """Frames that are left after a stride: ⌈lengths / stride⌉."""
    return None if lengths is None else (lengths + (stride - 1)) // stride
