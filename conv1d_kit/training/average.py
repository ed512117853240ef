"""A moving average of a net's weights: it generalises better than the last step, and costs one copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import InputError

__all__ = ["WeightAverage"]


class WeightAverage:
    """Exponential moving average of a net's weights (and buffers), corrected for its start.

    The decay grows as min(decay, (1 + n) / (10 + n)) with the number of updates n, so that a short run
    does not end on its random start.

    Examples
    --------
    >>> net = torch.nn.Linear(1, 1)
    >>> average = WeightAverage(net, 0.99)
    >>> average.update(net)
    >>> average.n
    1
    """

    def __init__(self, net: torch.nn.Module, decay: float):
        if not 0 <= decay < 1:
            raise InputError(f"decay must be in [0, 1), got {decay}")
        self.decay, self.n = decay, 0
        self.values = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: torch.nn.Module) -> None:
        """Move the average towards the net's present weights."""
        self.n += 1
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value, 1 - decay)
            else:
                self.values[key].copy_(value)

    def copy_to(self, net: torch.nn.Module) -> None:
        """Give the net the averaged weights."""
        net.load_state_dict(self.values)

    @contextmanager
    def lent_to(self, net: torch.nn.Module) -> Iterator[None]:
        """The net has the averaged weights within the block, and its own again after it."""
        own = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.copy_to(net)
        try:
            yield
        finally:
            net.load_state_dict(own)

    def state_dict(self) -> dict:
        """What a checkpoint keeps."""
        return {"n": self.n, "values": self.values}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Go on from what `state_dict` gave."""
        for key, value in self.values.items():
            value.copy_(state["values"][key])
        self.n = state["n"]
