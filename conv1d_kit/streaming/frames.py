"""What is known of frames before any has come: their axes, their rate, and how far they look ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

__all__ = ["Detail", "Form", "Frames", "Parts", "Sizes", "State", "Summary", "frames_of"]

State = dict[str, Any]  # field → tensor, or int for a counter


@dataclass(frozen=True)
class Summary:
    """A tensor without time: what frames heard so far come to; `rate` and `ahead` are those of the frames."""

    rate: Fraction = Fraction(1)
    ahead: Fraction = Fraction(0)

    @property
    def latency(self) -> int:
        """Input samples beyond the end of a frame's own that must have come before it is ready."""
        # samples are whole: what a frame needs is rounded down, and the rounding repeats with the denominator
        late = [
            math.floor(first + self.ahead) - max(math.floor(first), math.ceil(first + self.rate) - 1)
            for first in (i * self.rate for i in range(self.rate.denominator))
        ]
        return max(0, *late)


@dataclass(frozen=True, kw_only=True)
class Frames(Summary):
    """A tensor along time; `rate` input samples a frame.

    Frame i stands for input samples i·rate to (i + 1)·rate − 1, and is made of samples up to i·rate + ahead.

    Examples
    --------
    >>> quarter = Frames(ndim=3, axis=2, rate=Fraction(4), ahead=Fraction(3))
    >>> quarter.latency, Frames(ndim=3, axis=2, rate=Fraction(4), ahead=Fraction(5)).latency
    (0, 2)
    """

    ndim: int
    axis: int
    surplus: int = 0  # so many frames come with the flush at the earliest: a crop at the end counts on them

    def last(self) -> bool:
        """Whether time is the last axis."""
        return self.axis == self.ndim - 1


class Detail(Summary):
    """What every chunk says alike: its batch, its channels, its dtype."""


@dataclass(frozen=True)
class Sizes:
    """The shape of frames, whose entry for time nobody knows before the end."""

    frames: Frames


@dataclass(frozen=True)
class Parts:
    """A tuple of frames of one kind, as `chunk` gives it."""

    frames: Frames


@dataclass
class Form:
    """How one node of a net runs in a stream; this one has no memory.

    `run(xs)` computes the node from the tensors of its inputs; `out` says what comes out.
    """

    run: Any
    out: Frames | Summary | Sizes | Parts
    ahead: int = 0  # frames of its own input beyond its frame: what an error message names
    label: str = field(default="", kw_only=True)

    def start(self, xs: list[Any]) -> State:
        """The state before the first frame, from inputs of no frames."""
        return {}

    def step(self, state: State, xs: list[Any], last: bool) -> tuple[Any, State]:
        """Output and new state from the frames that came; `last`: no more will. Writes nothing in `state`."""
        return self.run(xs), state


def frames_of(x: Any, axis: int, start: int, stop: int | None = None) -> torch.Tensor:
    """x[start:stop] along `axis`, a view."""
    stop = x.shape[axis] if stop is None else stop
    start = min(start, x.shape[axis])
    return x.narrow(axis, start, max(0, min(stop, x.shape[axis]) - start))
