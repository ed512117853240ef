"""Early stopping: keep the best weights by a score on held-out rows, and say when waiting no longer pays."""

from __future__ import annotations

import math

import torch

from ..errors import InputError, check_whole

__all__ = ["BestWeights"]


class BestWeights:
    """The weights of the best epoch so far; the first of equals stays.

    The rows that score must be split from the training part: a test part that chooses is no test.

    Parameters
    ----------
    patience : int >= 1, optional
        `is_over` after this many epochs without a better score. Default: never.

    Attributes
    ----------
    number, score : int, float
        The kept epoch (from 1, 0 before any) and its score.
    """

    def __init__(self, patience: int | None = None):
        check_whole("patience", patience, or_none=True)
        self.patience, self.number, self.score, self.last = patience, 0, -math.inf, 0
        self.values: dict[str, torch.Tensor] = {}

    def update(self, number: int, score: float, net: torch.nn.Module) -> None:
        """Look at the score of epoch `number`, higher is better, and keep the net's weights if it is best."""
        if not math.isfinite(score):
            raise InputError(f"validate must give a finite number, got {score} after epoch {number}")
        self.last = number
        if score > self.score:
            self.number, self.score = number, score
            self.values = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @property
    def is_over(self) -> bool:
        return self.patience is not None and self.last - self.number >= self.patience

    def copy_to(self, net: torch.nn.Module) -> None:
        """Give the net the kept weights."""
        net.load_state_dict(self.values)

    def state_dict(self) -> dict:
        """What a checkpoint keeps."""
        return {"number": self.number, "score": self.score, "last": self.last, "values": self.values}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what `state_dict` gave."""
        self.number, self.score, self.last = state["number"], state["score"], state["last"]
        self.values = state["values"]
