"""What every text model is: it learns a task and gives one score a class; how, is its own affair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..training.loop import Epoch

__all__ = ["TextModel", "TextTask"]


@dataclass(frozen=True)
class TextTask:
    """What is to be learned.

    `targets` are classes [shape=(N,), int64], or with `multi_label` one 0 or 1 a class [shape=(N, C), float32];
    `class_weights` [shape=(C,)] says how much a row of each class counts (None: all alike).
    """

    texts: Sequence[str]
    targets: np.ndarray
    n_classes: int
    multi_label: bool = False
    class_weights: np.ndarray | None = None

    @property
    def problems(self) -> np.ndarray:
        """The task as yes-or-no questions, one a column [shape=(N, P), bool]: a single one for two classes."""
        if self.multi_label:
            return self.targets > 0.5
        if self.n_classes == 2:
            return self.targets[:, None] == 1
        return self.targets[:, None] == np.arange(self.n_classes)

    @property
    def row_weights(self) -> np.ndarray:
        """How much each row counts [shape=(N,), float64]; the heaviest of its classes, where it has several."""
        if self.class_weights is None:
            return np.ones(len(self.texts))
        if self.multi_label:
            heaviest = (self.targets * self.class_weights).max(1)
            return np.where(heaviest > 0, heaviest, 1.0)
        return self.class_weights[self.targets].astype(np.float64)


class TextModel(ABC):
    """A fitted model of texts.

    `scores` are logits: their softmax (with several labels their sigmoid) are the probabilities. `state` gives
    all that the model is as JSON and tensors, `restore` is its way back.
    """

    @classmethod
    @abstractmethod
    def reads(cls, name: str) -> frozenset[str]:
        """The classifier's options that the model `name` of this kind looks at."""

    @classmethod
    @abstractmethod
    def learn(
        cls,
        task: TextTask,
        options: Mapping[str, Any],
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Any = None,
    ) -> TextModel:
        """Learn the task by the classifier's options."""  # fmt: skip

    def prepared(self, texts: Sequence[str]) -> Any:
        """The texts as `scores_of` takes them: what is Python's work is done, the rest are arrays."""
        return texts

    @abstractmethod
    def scores_of(self, prepared: Any) -> np.ndarray:
        """One logit a class [shape=(N, C), float64] of texts that `prepared` gave."""

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """One logit a class [shape=(N, C), float64]."""
        return self.scores_of(self.prepared(texts))

    @abstractmethod
    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """JSON-able facts and tensors."""

    @classmethod
    @abstractmethod
    def restore(
        cls, facts: dict[str, Any], tensors: dict[str, torch.Tensor], options: Mapping[str, Any], n_classes: int
    ) -> TextModel:
        """The model that `state` gave."""

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """How many numbers were learned."""
