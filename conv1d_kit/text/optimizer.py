"""Adam that touches only the embedding rows a batch has used; a dense step rewrites the whole vocabulary."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch.optim.adam import adam

from ..errors import InputError

__all__ = ["RowAdam"]


class RowAdam(torch.optim.Optimizer):
    """Adam; a parameter with a sparse gradient is updated only in the rows that the gradient holds.

    For dense gradients it is torch.optim.Adam, for sparse ones torch.optim.SparseAdam (a row's moments stand
    still while it is not used), both in one optimizer, so that one schedule drives them.

    Parameters
    ----------
    params : iterable of Parameter, or of parameter groups
    lr : float > 0
    betas : two floats in [0, 1)
    eps : float > 0

    Source: Kingma & Ba (2015), algorithm 1.
    """

    def __init__(
        self, params: Iterable, *, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps=1e-8
    ):
        if not 0 < lr < math.inf:
            raise InputError(f"lr must be a finite number > 0, got {lr!r}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        """One update."""
        if closure is not None:
            raise InputError("closure must be None: RowAdam takes one gradient a step")
        for group in self.param_groups:
            work = _Work()
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=p.device)
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                work.add(p, p.grad, state)
            work.do(group)


class _Work:
    """The tensors of one step, side by side: whole parameters, and copies of the rows that have a gradient."""

    def __init__(self) -> None:
        self.grads: list[torch.Tensor] = []
        self.values: list[tuple[torch.Tensor, ...]] = []  # (parameter, mean, square)
        self.steps: list[torch.Tensor] = []
        self.rows: list[tuple[tuple[torch.Tensor, ...], torch.Tensor, tuple[torch.Tensor, ...]]] = []

    def add(self, p: torch.Tensor, grad: torch.Tensor, state: dict) -> None:
        if grad.is_sparse:
            wholes = (p, state["mean"], state["square"])
            index, grad = _distinct_rows(grad)
            values = tuple(x.index_select(0, index) for x in wholes)
            self.rows.append((wholes, index, values))
        else:
            if any(x.stride() != p.stride() for x in (grad, state["mean"], state["square"])):
                grad = torch.empty_like(p).copy_(grad)  # the fused step goes through memory in order
                for name in ("mean", "square"):
                    state[name] = torch.empty_like(p).copy_(state[name])
            values = (p, state["mean"], state["square"])
        self.grads.append(grad)
        self.values.append(values)
        self.steps.append(state["step"])

    def do(self, group: dict) -> None:
        """torch's own fused Adam, a single pass over all tensors; it counts the steps too."""
        if not self.grads:
            return
        parameters, means, squares = (list(column) for column in zip(*self.values, strict=True))
        beta1, beta2 = group["betas"]
        adam(
            parameters, self.grads, means, squares, [], self.steps, fused=True, amsgrad=False, maximize=False,
            weight_decay=0.0, lr=group["lr"], beta1=beta1, beta2=beta2, eps=group["eps"],
        )  # fmt: skip
        for wholes, index, parts in self.rows:
            for whole, part in zip(wholes, parts, strict=True):
                whole.index_copy_(0, index, part)


def _distinct_rows(grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers, each once, and their gradients: as they are where they ascend, else sorted and summed."""
    rows = grad._indices()[0]
    if not grad.is_coalesced() and not bool((rows[1:] > rows[:-1]).all()):
        grad = grad.coalesce()
    return grad._indices()[0], grad._values().contiguous()
