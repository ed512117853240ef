"""Adam that touches only the embedding rows a batch has used; a dense step rewrites the whole vocabulary."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

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
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                size = min(group["lr"] / (1 - beta1 ** state["step"]), torch.finfo(p.dtype).max)
                scale = (1 - beta2 ** state["step"]) ** 0.5
                if p.grad.is_sparse:
                    grad = p.grad.coalesce()
                    rows, g = grad.indices()[0], grad.values()
                    mean = state["mean"][rows].lerp_(g, 1 - beta1)
                    square = state["square"][rows].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                    state["mean"][rows], state["square"][rows] = mean, square
                    p.index_add_(0, rows, mean / (square.sqrt().div_(scale).add_(group["eps"])), alpha=-size)
                else:
                    mean = state["mean"].lerp_(p.grad, 1 - beta1)
                    square = state["square"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                    p.addcdiv_(mean, square.sqrt().div_(scale).add_(group["eps"]), value=-size)
