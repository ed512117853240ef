"""Learning-rate range test: one short run of growing rates shows which ones learn and which diverge."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError, check_whole

__all__ = ["RateSearch", "find_learning_rate"]

_EXPLODED = 4.0  # times the least smoothed loss, as fastai stops


@dataclass(frozen=True)
class RateSearch:
    """What a range test saw.

    Attributes
    ----------
    rates : tuple of float, growing
        The learning rate of each step that was taken.
    losses : tuple of float, as many
        The smoothed loss before that step.
    suggestion : float or None
        The rate about which the loss fell most steeply over log(rate): a sound peak rate for a schedule with
        warm-up. None where it never fell.
    exploded : bool
        The run was stopped since the loss exploded, at about the last of `rates`.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None
    exploded: bool


def find_learning_rate(
    net: torch.nn.Module,
    batches: Callable[[int], Iterable[tuple[tuple, torch.Tensor]]],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    n_steps: int = 100,
    smoothing: float = 0.98,
    seed: int = 0,
) -> RateSearch:
    """Train a copy of the net while the learning rate grows geometrically from `low` to `high`.

    Net, optimizer and torch's global generator stay as they are.

    Parameters
    ----------
    net, batches, loss
        As `train` takes them; `batches(0)`, `batches(1)`, … are run through until `n_steps` are taken.
    optimizer : over the net's parameters
        Of several groups, the one of the highest rate has those tried, the others keep their ratio to it.
    low, high : float, 0 < low < high
    n_steps : int >= 10
        Fewer are taken where the smoothed loss rises above four times its least, or is not finite.
    smoothing : float in [0, 1)
        Share of the past in the running mean of the losses, which is corrected for its start.
    seed : int
        Of torch's global generator (dropout) during the run.

    Raises
    ------
    InputError
        If a number is out of its range, the first loss is not finite, or `batches` gives nothing.

    Notes
    -----
    The first tenth of the steps has no say in the suggestion: there the mean of few losses is still noise. Nor
    has what comes after the least loss: a net with batch norm hardly explodes, whatever the rate, but its
    losses rise and fall at the end, and a fall there is no learning.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017), sec. 3.3; the steepest descent
    is fastai's rule, here of a line fitted to a fifth of the steps: the fall from one to the next is noise.

    Examples
    --------
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> _ = torch.nn.init.zeros_(net.weight)
    >>> x = torch.linspace(-1, 1, 8)[:, None]
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> square = torch.nn.functional.mse_loss
    >>> found = find_learning_rate(net, lambda epoch: [((x,), 3 * x)], square, sgd, high=100)
    >>> found.exploded, 0.01 < found.suggestion < 2.3 < found.rates[-1]  # stable below 2.3
    (True, True)
    """
    if not 0 < low < high < math.inf:
        raise InputError(f"low and high must satisfy 0 < low < high, got {low!r} and {high!r}")
    check_whole("n_steps", n_steps, least=10)
    if not 0 <= smoothing < 1:
        raise InputError(f"smoothing must be in [0, 1), got {smoothing!r}")
    ratios = _ratios([group["lr"] for group in optimizer.param_groups])
    net, optimizer = deepcopy((net, optimizer))  # together, so that the copy moves the copied weights
    rates: list[float] = []
    losses: list[float] = []
    smoothed, exploded = 0.0, False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net.train()
        for step, (inputs, targets) in zip(range(n_steps), _endless(batches), strict=False):
            rate = low * (high / low) ** (step / (n_steps - 1))
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                group["lr"] = rate * ratio
            optimizer.zero_grad(set_to_none=True)
            value = loss(net(*inputs), targets)
            share = (1 - smoothing) / (1 - smoothing ** (step + 1))  # 1 at first: corrected for the start
            smoothed += share * (float(value.detach()) - smoothed)
            if not math.isfinite(smoothed):
                exploded = True
                break
            rates.append(rate)
            losses.append(smoothed)
            least = min(losses)
            if smoothed > least + (_EXPLODED - 1) * abs(least):
                exploded = True
                break
            value.backward()
            optimizer.step()
    if not losses:
        raise InputError(
            "the loss must be finite before the first step, got NaN or Inf; check the data and the net"
        )
    return RateSearch(tuple(rates), tuple(losses), _steepest(rates, losses, n_steps // 10), exploded)


def _ratios(peaks: list[float]) -> list[float]:
    """Each group's rate as a share of the highest; all alike where they are 0 (a warm-up's first step)."""
    highest = max(peaks)
    return [peak / highest if highest > 0 else 1.0 for peak in peaks]


def _endless(batches: Callable[[int], Iterable[tuple[tuple, torch.Tensor]]]) -> Iterator[tuple]:
    epoch = 0
    while True:
        empty = True
        for batch in batches(epoch):
            empty = False
            yield batch
        if empty:
            raise InputError("batches must give at least one batch an epoch, got none")
        epoch += 1


def _steepest(rates: list[float], losses: list[float], skip: int) -> float | None:
    """The middle of the steps over which a straight line fitted to the loss falls most, or None.

    As many steps as a fifth of the run, up to the least loss: a fall after a rise is a recovery. The steps are
    alike in log(rate); of a single one the fall would be that of one batch's luck.
    """
    width = 2 * skip
    y = np.array(losses[: losses.index(min(losses)) + 1][skip:])
    if len(y) < 2:
        return None
    width = min(width, len(y))
    x = np.arange(width) - (width - 1) / 2
    slopes = np.lib.stride_tricks.sliding_window_view(y, width) @ x
    best = int(slopes.argmin())
    return rates[skip + best + (width - 1) // 2] if slopes[best] < 0 else None
