"""One step of a stream as an ONNX graph with its states as inputs and outputs."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch
from torch import fx

from ..errors import InputError
from .frames import Frames, State
from .plan import Plan, run_plan

__all__ = ["export_step"]


def export_step(
    plan: Plan, states: dict[fx.Node, State], chunk: torch.Tensor, path: str | os.PathLike
) -> dict[str, np.ndarray]:
    """Write the step to `path`; the states to begin with by their names as inputs.

    Raises
    ------
    InputError
        Where the step of this chunk length does not leave every state as large as it found it.
    """
    if not isinstance(plan.result, fx.Node):
        raise InputError("export takes nets that return one tensor; return one")
    _, after = run_plan(plan, states, chunk, last=False)
    for node, state in states.items():
        for field, value in state.items():
            _check_steady(plan, node, field, value, after[node][field], chunk.shape[-1])
    step = _Step(plan, states)
    given = step.flat(states)
    names = [f"state.{name}" for name in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            step,
            (chunk, *given.values()),
            path,
            dynamo=True,
            verbose=False,
            input_names=["chunk", *names],
            output_names=["output", *(f"{name}.next" for name in names)],
        )
    return {name: value.numpy() for name, value in zip(names, given.values(), strict=True)}


class _Step(torch.nn.Module):
    """(chunk, *states) → (output, *new states); counters stand still in a steady stream."""

    def __init__(self, plan: Plan, states: dict[fx.Node, State]):
        super().__init__()
        self.net = plan.net
        self.plan, self.states = plan, states

    def forward(self, chunk: torch.Tensor, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = iter(tensors)
        states = {
            node: {k: next(given) if _is_carried(v) else v for k, v in state.items()}
            for node, state in self.states.items()
        }
        out, new = run_plan(self.plan, states, chunk, last=False)
        return (out, *self.flat(new).values())

    def flat(self, states: dict[fx.Node, State]) -> dict[str, torch.Tensor]:
        """The tensors of all states by layer.field, a lone tail by its layer alone."""
        return {
            self.plan.keys[node] if k == "tail" else f"{self.plan.keys[node]}.{k}": states[node][k]
            for node, state in self.states.items()
            for k, v in state.items()
            if _is_carried(v)
        }


def _is_carried(value: Any) -> bool:
    """Whether a field of a state goes from step to step: counters stand still, and empty queues stay so."""
    return isinstance(value, torch.Tensor) and value.numel() > 0


def _check_steady(plan: Plan, node: fx.Node, field: str, old: Any, new: Any, length: int) -> None:
    if field == "heard":
        return  # only the flush asks for it
    same = old.shape == new.shape if isinstance(old, torch.Tensor) else old == new
    if same:
        return
    form = plan.forms[node]
    rates = [f.out.rate for f in plan.forms.values() if isinstance(f.out, Frames)]
    stride = max(rates)
    cure = (
        f"use chunk={max(1, round(length / stride)) * stride}"
        if length % stride
        else "pad it causally with zeros inside the layer, as padding='causal'"
    )
    raise InputError(f"{form.label} does not keep its state's size over chunks of {length} samples; {cure}")
