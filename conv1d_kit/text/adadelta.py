"""Adadelta, the optimizer of Kim's experiments, that touches only the embedding rows a batch has used."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from ..errors import InputError

__all__ = ["RowAdadelta"]


class RowAdadelta(torch.optim.Optimizer):
    """Adadelta; where a gradient is sparse, only its rows are written, with the result of the dense update.

    A row without a gradient does not move under Adadelta, its two averages only fade by `rho` a step: so a row
    notes the step it was last used in, and fades by a power of `rho` when it is used again.

    Parameters
    ----------
    params : iterable of Parameter, or of parameter groups
    lr : float > 0
    rho : float in [0, 1)
    eps : float > 0

    Source: Zeiler (2012), ADADELTA: an adaptive learning rate method, algorithm 1.
    """

    def __init__(self, params: Iterable, *, lr: float = 1.0, rho: float = 0.95, eps: float = 1e-6):
        if not 0 < lr < math.inf:
            raise InputError(f"lr must be a finite number > 0, got {lr!r}")
        if not 0 <= rho < 1:
            raise InputError(f"rho must be in [0, 1), got {rho!r}")
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        """One update."""
        if closure is not None:
            raise InputError("closure must be None: RowAdadelta takes one gradient a step")
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = 0
                    state["square"], state["moved"] = torch.zeros_like(p), torch.zeros_like(p)
                    if p.grad.is_sparse:
                        state["used"] = torch.zeros(len(p), dtype=torch.int64)
                state["step"] += 1
                if p.grad.is_sparse:
                    _update_rows(p, state, group)
                else:
                    p.add_(
                        _move(p.grad, state["square"], state["moved"], group["rho"], group), alpha=-group["lr"]
                    )


def _update_rows(p: torch.Tensor, state: dict, group: dict) -> None:
    grad = p.grad.coalesce()  # type: ignore[union-attr]
    rows = grad.indices()[0]
    faded = group["rho"] ** (state["step"] - state["used"][rows]).to(p.dtype)[:, None]
    square, moved = state["square"][rows], state["moved"][rows]
    p.index_add_(0, rows, _move(grad.values(), square, moved, faded, group), alpha=-group["lr"])
    state["square"][rows], state["moved"][rows], state["used"][rows] = square, moved, state["step"]


def _move(g: torch.Tensor, square: torch.Tensor, moved: torch.Tensor, faded, group: dict) -> torch.Tensor:
    """What to subtract, and both averages brought up to date in place; `faded` is what is left of them."""
    rho, eps = group["rho"], group["eps"]
    square.mul_(faded).addcmul_(g, g, value=1 - rho)
    # what the average of moves has faded to before this step: one power less than after it
    before = moved * (faded / rho) if rho else torch.zeros_like(moved)
    delta = (before + eps).sqrt_().div_((square + eps).sqrt_()).mul_(g)
    moved.mul_(faded).addcmul_(delta, delta, value=1 - rho)
    return delta
