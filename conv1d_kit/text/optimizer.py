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
            beta1, beta2 = group["betas"]
            options = {"lr": group["lr"], "beta1": beta1, "beta2": beta2, "eps": group["eps"]}
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32, device=p.device)
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                if p.grad.is_sparse:
                    rows, grad = _distinct_rows(p.grad)
                    parts = [x.index_select(0, rows) for x in (p, state["mean"], state["square"])]
                    _adam(parts[0], grad, parts[1], parts[2], state["step"], options)
                    for whole, part in zip((p, state["mean"], state["square"]), parts, strict=True):
                        whole.index_copy_(0, rows, part)
                else:
                    grad = p.grad if p.grad.stride() == p.stride() else torch.empty_like(p).copy_(p.grad)
                    _adam(p, grad, state["mean"], state["square"], state["step"], options)


def _adam(p, grad, mean, square, step, options: dict) -> None:
    """One step of torch's fused Adam, a single pass over tensors of one memory layout; `step` counts itself."""
    adam(
        [p], [grad], [mean], [square], [], [step],
        fused=True, amsgrad=False, maximize=False, weight_decay=0.0, **options,
    )  # fmt: skip


def _distinct_rows(grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Row numbers, each once, and their gradients: as they are where they ascend, else sorted and summed."""
    rows = grad._indices()[0]
    if not grad.is_coalesced() and not bool((rows[1:] > rows[:-1]).all()):
        grad = grad.coalesce()
    return grad._indices()[0], grad._values().contiguous()
