"""The one training loop: it moves batches, gradients and clocks, and knows nothing of what is learned."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import torch

from ..core.heap import kept_heap
from ..errors import DataError, InputError, one_line
from .average import WeightAverage
from .checkpoint import read_checkpoint, write_checkpoint
from .devices import Devices
from .schedule import warmup_cosine
from .stopping import BestWeights

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Epoch", "History", "WeightAverage", "train", "warmup_cosine"]


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: number (from 1), mean loss, training accuracy 0–1 (NaN if unknown), seconds.

    `score` is what `validate` gave, None without it.
    """

    number: int
    loss: float
    accuracy: float
    seconds: float
    score: float | None = None


@dataclass
class History:
    """The epochs in order, and the number (from 1) of the one whose weights were kept: best or last."""

    epochs: list[Epoch] = field(default_factory=list)
    kept: int | None = None

    @property
    def losses(self) -> list[float]:
        return [e.loss for e in self.epochs]

    @property
    def accuracies(self) -> list[float]:
        return [e.accuracy for e in self.epochs]


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
    checkpoint: str | os.PathLike | None = None,
    run_id: str = "",
    validate: Callable[[torch.nn.Module], float] | None = None,
    patience: int | None = None,
    clip_norm: float | None = None,
    perturb: Callable[[torch.nn.Module], AbstractContextManager] | None = None,
    accelerator: Accelerator | None = None,
) -> History:
    """Train `net` for `epochs` passes and leave it in eval mode with the last (or averaged, or best) weights.

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
        For progress bars and logs; epochs that come from a checkpoint are not told again.
    seed : int
        Seeds torch's global generator (dropout) for the run and restores it after.
    checkpoint : path, optional
        File that keeps the run after every epoch. Where it stands already, training goes on from it, to the
        same weights bit for bit on the CPU with as many threads, if `batches(epoch)` depends on the epoch
        alone. It is left at the end, when it holds the finished run: remove it once the model is saved.
    run_id : str
        What decides the run beside the arguments here: data, labels, options. A checkpoint with another one
        is refused.
    validate : function(net) → float, optional
        Score of the net in eval mode (with the averaged weights, where they are kept), higher is better, after
        every epoch; the run ends on the best. Its rows must be split from the training part: never the test
        part.
    patience : int >= 1, optional
        Stop after this many epochs without a better score.
    perturb : function(net) → context manager, optional
        Each step takes a second gradient of the same batch inside it, where the net is another than it is (its
        embeddings are moved, say); the step is made on the sum. The figures told are those of the first.
    clip_norm : float > 0, optional
        Longer gradients (the norm of all together) are scaled down to it.
    accelerator : from `open_accelerator`, optional
        Trains in bfloat16, or by P processes that take every P-th batch each: an update then learns from P
        batches and counts as P steps, and `on_epoch` is called in process 0 only. `batches(epoch)` must give
        the same in every process. With P > 1 there is no `checkpoint` and no `validate`.

    Returns
    -------
    History

    Raises
    ------
    InputError
        If the loss, the weights or the net's output stop being finite, or `batches` gives nothing.
    DataError
        If the checkpoint is damaged, of another run or cannot be written.
    """
    if patience is not None and validate is None:
        raise InputError(f"patience must go with validate, got patience={patience!r} alone")
    if clip_norm is not None and not clip_norm > 0:
        raise InputError(f"clip_norm must be a number > 0, got {clip_norm!r}")
    devices = Devices(accelerator)
    if devices.n_processes > 1 and (checkpoint is not None or validate is not None):
        refused = "checkpoint" if checkpoint is not None else "validate"
        raise InputError(
            f"{refused} must be None where several processes train ({devices.n_processes} do); train in one"
        )
    average = WeightAverage(net, average_decay) if average_decay is not None else None
    run = _Run(net, optimizer, average, BestWeights(patience) if validate is not None else None)
    inputs: tuple | None = None
    forward = devices.forward_of(net)
    peaks = [group["lr"] for group in optimizer.param_groups]
    decided = {
        "run_id": run_id, "epochs": epochs, "n_steps": n_steps, "average_decay": average_decay, "seed": seed,
        "patience": patience, "validate": validate is not None, "clip_norm": clip_norm,
        "precision": devices.precision,
    }  # fmt: skip
    with kept_heap(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + devices.rank)  # every process drops out units of its own
        if checkpoint is not None:
            run.resume(checkpoint, decided)
        for number in range(len(run.history.epochs) + 1, epochs + 1):
            if run.best is not None and run.best.is_over:
                break
            net.train()
            start, total, right, seen = time.perf_counter(), 0.0, 0.0, 0.0
            for inputs, targets in devices.share(batches(number - 1)):
                if schedule is not None and n_steps is not None:
                    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                        group["lr"] = peak * schedule(min(run.step, n_steps - 1), n_steps)
                optimizer.zero_grad(set_to_none=True)
                logits = forward(*inputs)
                value = loss(logits, targets)
                value.backward()
                if perturb is not None:
                    with perturb(net):
                        loss(forward(*inputs), targets).backward()
                if clip_norm is not None:
                    torch.nn.utils.clip_grad_norm_(net.parameters(), clip_norm)
                optimizer.step()
                if after_step is not None:
                    after_step(net)
                if run.average is not None:
                    run.average.update(net)
                n, run.step = len(targets), run.step + devices.n_processes
                total, seen = total + float(value.detach()) * n, seen + n
                hard = targets if targets.ndim == 1 else targets.argmax(1)
                right += int((logits.detach().argmax(1) == hard).sum())
            total, right, seen = devices.sums(total, right, seen)
            if seen == 0:
                raise InputError("batches must give at least one batch an epoch, got none")
            if not math.isfinite(total):
                raise _diverged(f"the loss must stay finite, got {total / seen}", number)
            if not all(bool(value.isfinite().all()) for value in net.state_dict().values()):
                raise _diverged("the weights must stay finite, got NaN or Inf", number)
            score = run.validated(number, validate) if validate is not None else None
            epoch = Epoch(number, total / seen, right / seen, time.perf_counter() - start, score)
            run.history.epochs.append(epoch)
            if checkpoint is not None:
                write_checkpoint(checkpoint, decided, run.state_dict())
            if on_epoch is not None and devices.rank == 0:
                with torch.random.fork_rng(devices=[]):  # whatever it draws, training goes on alike
                    on_epoch(epoch)
    if run.best is not None and run.best.number:
        run.best.copy_to(net)
    elif run.average is not None:
        run.average.copy_to(net)
    devices.agree(net)
    run.history.kept = run.best.number if run.best is not None else len(run.history.epochs)
    net.eval()
    if run.history.epochs:
        if inputs is None:  # all epochs came from the checkpoint
            inputs, _ = next(iter(batches(len(run.history.epochs) - 1)))
        with torch.inference_mode():
            if not bool(net(*inputs).isfinite().all()):  # finite weights may be so large that sums are not
                raise _diverged("the net's output must stay finite, got NaN or Inf", epochs)
    return run.history


@dataclass
class _Run:
    """All that changes while a net is trained, and so all that a checkpoint must hold."""

    net: torch.nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    best: BestWeights | None
    history: History = field(default_factory=History)
    step: int = 0

    def validated(self, number: int, validate: Callable[[torch.nn.Module], float]) -> float:
        """The score of the weights that the run would end on now; training goes on as if nobody had looked."""
        assert self.best is not None
        lent = self.average.lent_to(self.net) if self.average is not None else nullcontext()
        with lent, torch.random.fork_rng(devices=[]):
            score = float(validate(self.net.eval()))
            self.best.update(number, score, self.net)
        return score

    def state_dict(self) -> dict:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "best": self.best.state_dict() if self.best is not None else None,
            "epochs": [asdict(epoch) for epoch in self.history.epochs],
            "step": self.step,
            "generator": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.best is not None:
            self.best.load_state_dict(state["best"])
        self.history.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.step = state["step"]
        torch.set_rng_state(state["generator"])

    def resume(self, path: str | os.PathLike, decided: dict) -> None:
        """Go on from the checkpoint, or write the first one: a place that cannot be written is told at once."""
        state = read_checkpoint(path, decided)
        if state is None:
            write_checkpoint(path, decided, self.state_dict())
            return
        try:
            self.load_state_dict(state)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"the checkpoint {path} does not fit this net and optimizer ({one_line(str(error))}); "
                "remove it to start anew, or choose another place"
            ) from error


def _diverged(what: str, number: int) -> InputError:
    return InputError(
        f"{what} in epoch {number}: training has diverged; try a smaller learning rate, "
        "and check the data for NaN"
    )
