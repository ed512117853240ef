"""One call inside a net, as the rows that give it a streaming form see it; and how they refuse it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .frames import Detail, Frames, Summary

__all__ = ["Call", "RankError"]


class RankError(InputError):
    """A layer meets another number of axes than it works on."""


@dataclass
class Call:
    """A node of a traced net: what is called, on what, and where in the net it stands.

    In `args` and `kwargs` stand Frames or Summary for what comes with the stream, and the values of all else;
    `run(xs)` makes the call on tensors in the order of the inputs that come with the stream.
    """

    label: str
    target: Any  # a module, a function or the name of a method
    args: tuple
    kwargs: dict[str, Any]
    run: Callable[[list[Any]], Any]
    inputs: list[Any]

    def bind(self, *names: Any) -> dict[str, Any]:
        """Arguments by name; names are "x" or ("stride", default).

        Raises
        ------
        InputError
            An argument without default that is missing, or one too many.
        """
        order = [name if isinstance(name, str) else name[0] for name in names]
        bound = {name[0]: name[1] for name in names if not isinstance(name, str)}
        bound.update(zip(order, self.args, strict=False))
        bound.update(self.kwargs)
        if len(self.args) > len(order) or set(bound) != set(order):
            raise self.refuse("takes arguments that no stream knows", f"use {', '.join(order)} only")
        return {name: bound[name] for name in order}

    def bind_to(self, function: Callable) -> dict[str, Any]:
        """Arguments by the names of a Python function."""
        bound = inspect.signature(function).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    @property
    def streams(self) -> list[Frames]:
        """The inputs along time."""
        return [x for x in self.inputs if isinstance(x, Frames)]

    def one(self) -> Frames:
        """The one input that comes with the stream, its first argument."""
        x = self.args[0] if self.args else next(iter(self.kwargs.values()), None)
        if not isinstance(x, Frames) or len(self.inputs) != 1:
            raise self.refuse("must have one input along time", "compute what else it takes before the stream")
        return x

    def frames(self, *, ndim: int | None = None) -> Frames:
        """The one input along time, whose last axis is time."""
        x = self.one()
        if ndim is not None and x.ndim != ndim:
            raise RankError(
                f"{self.label} must get {ndim} axes, got {x.ndim}; check the shape of the net's input"
            )
        if not x.last():
            raise self.refuse(
                f"must find time on the last axis, got axis {x.axis} of {x.ndim}", "transpose before it"
            )
        return x

    def refuse(self, why: str, cure: str) -> InputError:
        """What to raise where no stream gives what the whole gives."""
        return InputError(f"{self.label} {why}: it cannot be streamed; {cure}")

    def summary(self) -> Summary:
        """What comes of inputs without time: as late as the latest of them."""
        kind = Detail if all(isinstance(x, Detail) for x in self.inputs) else Summary
        return kind(max(x.rate for x in self.inputs), max(x.ahead for x in self.inputs))
