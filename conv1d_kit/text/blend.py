"""Several models that answer as one: the mean of their logits, since their mistakes differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .model import TextModel, TextTask

__all__ = ["Blend"]


class Blend(TextModel):
    """Members side by side; a name that stands there several times has several seeds, which are averaged first.

    The mean of logits is the geometric mean of probabilities: linear members stay linear, and what each n-gram
    says adds up over the members.
    """

    def __init__(self, names: Sequence[str], members: Sequence[TextModel]):
        self.names, self.members = tuple(names), tuple(members)

    @classmethod
    def reads(cls, name: str) -> frozenset[str]:
        return frozenset({"members"})  # and what these read

    @classmethod
    def learn(cls, task: TextTask, options: Mapping[str, Any], *, on_epoch=None, checkpoint=None) -> Blend:
        from .models import MODELS

        names, members = tuple(options["members"]), []
        for number, name in enumerate(names):
            own = {**options, "model": name, "seed": (int(options["seed"]) + number) % 2**32}
            place = None if checkpoint is None else f"{checkpoint}.{number}"
            members.append(MODELS[name].learn(task, own, on_epoch=on_epoch, checkpoint=place))
        return cls(names, members)

    def prepared(self, texts: Sequence[str]) -> list[Any]:
        return [member.prepared(texts) for member in self.members]

    def scores_of(self, prepared: list[Any]) -> np.ndarray:
        parts = [member.scores_of(part) for member, part in zip(self.members, prepared, strict=True)]
        return np.tensordot(self.shares, parts, 1)

    @property
    def shares(self) -> list[float]:
        """What each member counts: every kind of model alike, its seeds between them."""
        return [1 / len(set(self.names)) / self.names.count(name) for name in self.names]

    @property
    def n_weights(self) -> int:
        return sum(member.n_weights for member in self.members)

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        states = [member.state() for member in self.members]
        tensors = {f"{i}.{key}": value for i, (_, part) in enumerate(states) for key, value in part.items()}
        return {
            "members": [[name, facts] for name, (facts, _) in zip(self.names, states, strict=True)]
        }, tensors

    @classmethod
    def restore(cls, facts, tensors, options, n_classes) -> Blend:
        from .models import MODELS

        names, members = [], []
        for number, (name, own) in enumerate(facts["members"]):
            start = f"{number}."
            part = {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
            names.append(name)
            members.append(MODELS[name].restore(own, part, {**options, "model": name}, n_classes))
        return cls(names, members)
