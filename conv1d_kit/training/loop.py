"""The one training loop: it moves batches, gradients and clocks, and knows nothing of what is learned."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch

from ..errors import InputError

__all__ = ["Epoch", "History", "WeightAverage", "train", "warmup_cosine"]


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: number (from 1), mean loss, training accuracy 0–1 (NaN if unknown), seconds."""

    number: int
    loss: float
    accuracy: float
    seconds: float


@dataclass
class History:
    """The epochs in order."""

    epochs: list[Epoch] = field(default_factory=list)

    @property
    def losses(self) -> list[float]:
        return [e.loss for e in self.epochs]

    @property
    def accuracies(self) -> list[float]:
        return [e.accuracy for e in self.epochs]


class WeightAverage:
    """Exponential moving average of a net's weights (and buffers), corrected for its start.

    The decay grows as min(decay, (1 + n) / (10 + n)) with the number of updates n, so that a short run
    does not end on its random start.
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


def warmup_cosine(step: int, n_steps: int, *, warmup: float = 0.05) -> float:
    """Learning-rate factor 0–1: linear over the first `warmup` share of the steps, then a half cosine to 0.

    Examples
    --------
    >>> [round(warmup_cosine(s, 100, warmup=0.1), 2) for s in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    n_warm = max(1, round(warmup * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))


def train(
    net: torch.nn.Module,
    batches: Callable[[int], Iterable[tuple[tuple, torch.Tensor]]],
    *,
    epochs: int,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    n_steps: int | None = None,
    schedule: Callable[[int, int], float] | None = None,
    average_decay: float | None = None,
    after_step: Callable[[torch.nn.Module], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    seed: int = 0,
) -> History:
    """Train `net` for `epochs` passes and leave it in eval mode with the last (or averaged) weights.

    Parameters
    ----------
    net : torch.nn.Module
        Called as `net(*inputs)`; gives logits (B, n_classes).
    batches : function epoch (from 0) → iterable of (inputs, targets)
        `inputs` is a tuple of tensors; `targets` (B,) int classes or (B, n_classes) shares.
    loss : function (logits, targets) → scalar
    optimizer : over the net's parameters; its present learning rates are the peak ones
    n_steps, schedule
        With both, before step s every learning rate is peak · schedule(s, n_steps).
    average_decay : float in [0, 1), optional
        Keep a WeightAverage and end on it.
    after_step : function(net), optional
        Called after every update (a weight constraint, say).
    on_epoch : function(Epoch), optional
        For progress bars and logs.
    seed : int
        Seeds torch's global generator (dropout) for the run and restores it after.

    Returns
    -------
    History

    Raises
    ------
    InputError
        If the loss, the weights or the net's output stop being finite, or `batches` gives nothing.
    """
    average = WeightAverage(net, average_decay) if average_decay is not None else None
    peaks = [group["lr"] for group in optimizer.param_groups]
    history, step = History(), 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for number in range(1, epochs + 1):
            net.train()
            start, total, right, seen = time.perf_counter(), 0.0, 0, 0
            for inputs, targets in batches(number - 1):
                if schedule is not None and n_steps is not None:
                    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                        group["lr"] = peak * schedule(min(step, n_steps - 1), n_steps)
                optimizer.zero_grad(set_to_none=True)
                logits = net(*inputs)
                value = loss(logits, targets)
                value.backward()
                optimizer.step()
                if after_step is not None:
                    after_step(net)
                if average is not None:
                    average.update(net)
                n, step = len(targets), step + 1
                total, seen = total + float(value.detach()) * n, seen + n
                hard = targets if targets.ndim == 1 else targets.argmax(1)
                right += int((logits.detach().argmax(1) == hard).sum())
            if seen == 0:
                raise InputError("batches must give at least one batch an epoch, got none")
            if not math.isfinite(total):
                raise _diverged(f"the loss must stay finite, got {total / seen}", number)
            if not all(bool(value.isfinite().all()) for value in net.state_dict().values()):
                raise _diverged("the weights must stay finite, got NaN or Inf", number)
            epoch = Epoch(number, total / seen, right / seen, time.perf_counter() - start)
            history.epochs.append(epoch)
            if on_epoch is not None:
                on_epoch(epoch)
    if average is not None:
        average.copy_to(net)
    net.eval()
    if history.epochs:
        with torch.inference_mode():
            if not bool(
                net(*inputs).isfinite().all()
            ):  # weights that are finite, but so large that sums are not
                raise _diverged("the net's output must stay finite, got NaN or Inf", epochs)
    return history


def _diverged(what: str, number: int) -> InputError:
    return InputError(
        f"{what} in epoch {number}: training has diverged; try a smaller learning rate, "
        "and check the data for NaN"
    )
