"""A net taken apart, and how it runs: every form in order, each on what has come and its own state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from .frames import Form, Frames, State, Summary, frames_of

__all__ = ["Plan", "begin_plan", "run_plan"]


@dataclass
class Plan:
    """A traced net: its nodes in order, each a constant or a form.

    `keys` name the forms in messages and in the state: the module's path, or the function's name below it.
    """

    net: torch.nn.Module
    order: list[fx.Node]
    constants: dict[fx.Node, Any]
    forms: dict[fx.Node, Form]
    keys: dict[fx.Node, str]
    source: fx.Node
    result: Any  # what the net returns, with nodes where values go
    chunk: Frames
    channels: int | None  # of a chunk, where the first layer says it
    dtype: torch.dtype | None  # of a chunk; None: any

    @property
    def latency(self) -> int:
        """Samples that the latest output waits for."""
        return max(out.latency for out in self.outputs())

    def outputs(self) -> list[Summary]:
        """What the net returns, value by value."""
        found: list[Any] = []
        fx.node.map_arg(
            self.result, lambda n: found.append(self.forms[n].out if n in self.forms else self.chunk)
        )
        return found


def begin_plan(plan: Plan, x: torch.Tensor) -> dict[fx.Node, State]:
    """Every form's state before the first frame, found with a chunk of no samples."""
    values: dict[fx.Node, Any] = {plan.source: x[..., :0]}
    states = {}
    for node in plan.order:
        form = plan.forms[node]
        xs = _inputs(node, values)
        state = form.start(xs)
        if state:
            states[node] = state
        out, _ = form.step(state, xs, False)
        values[node] = _without_frames(form, out)  # pads longer than a kernel come out with the first chunk
    return states


def run_plan(plan: Plan, states: dict[fx.Node, State], x: torch.Tensor, *, last: bool) -> tuple[Any, dict]:
    """Output and new states of one chunk; nothing that came is written to."""
    values: dict[fx.Node, Any] = {plan.source: x}
    new = {}
    for node in plan.order:
        state = states.get(node, {})
        values[node], state = plan.forms[node].step(state, _inputs(node, values), last)
        if state:
            new[node] = state
    return fx.node.map_arg(plan.result, lambda n: values[n]), new


def _inputs(node: fx.Node, values: dict[fx.Node, Any]) -> list[Any]:
    """A node's inputs that come with the stream."""
    return [values[n] for n in node.all_input_nodes if n in values]


def _without_frames(form: Form, out: Any) -> Any:
    axis = getattr(getattr(form.out, "frames", form.out), "axis", None)
    if axis is None or not isinstance(out, torch.Tensor | tuple | list):
        return out
    if isinstance(out, torch.Size):
        return out
    if isinstance(out, torch.Tensor):
        return frames_of(out, axis, 0, 0)
    return tuple(frames_of(part, axis, 0, 0) for part in out)
