"""Training in bfloat16 and by several processes, through accelerate; without it, one process as ever.

    torchrun --standalone --nproc-per-node 2 my_training.py

runs the script twice; in it `train(..., accelerator=open_accelerator(n_processes=2))` has process r of P take
batches r, r + P, …, and the mean of the P gradients moves the weights of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from ..errors import InputError, check_whole, one_line

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["PRECISIONS", "Devices", "batches_of_process", "open_accelerator"]

PRECISIONS = {"float32": "no", "bfloat16": "bf16"}  # ours → accelerate's


def open_accelerator(*, precision: str = "float32", n_processes: int = 1) -> Accelerator:
    """An Accelerator on the CPU, for `train`, with as many processes as were asked for.

    Parameters
    ----------
    precision : "float32" or "bfloat16"
        "bfloat16": the forward pass under torch's autocast; weights, loss and updates stay float32.
        It pays only where the processor has such arithmetic (avx512_bf16, amx_bf16); elsewhere the audio
        classifier's net trained ten times slower.
    n_processes : int >= 1
        How many processes the script was started in (by torchrun); checked, since a launcher that starts one
        process instead of two tells nobody.

    Raises
    ------
    InputError
        If accelerate is not installed, a value is not allowed, another number of processes runs, or an
        Accelerator of another precision is open already in this process.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    check_whole("n_processes", n_processes)
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise InputError(
            "an accelerator needs the package accelerate, which is not installed; "
            "pip install 'conv1d_kit[accelerate]'"
        ) from error
    try:
        accelerator = Accelerator(cpu=True, mixed_precision=PRECISIONS[precision])
    except ValueError as error:
        raise InputError(
            f"precision {precision!r} cannot be had: another Accelerator is open ({one_line(str(error))}); "
            "use one precision a process"
        ) from error
    if accelerator.num_processes != n_processes:
        raise InputError(
            f"n_processes must be the number of processes that run, {accelerator.num_processes}, got "
            f"{n_processes}; start them by: torchrun --standalone --nproc-per-node {n_processes} script.py"
        )
    return accelerator


def batches_of_process(batches: Iterable[Any], rank: int, n_processes: int) -> Iterator[Any]:
    """Batches rank, rank + n_processes, …; as many for every process, or one would wait for ever.

    Where the number does not divide, the last round is filled up with the first batches once more.

    Examples
    --------
    >>> [list(batches_of_process("abcde", rank, 2)) for rank in (0, 1)]
    [['a', 'c', 'e'], ['b', 'd', 'a']]
    >>> [list(batches_of_process("a", rank, 3)) for rank in (0, 1, 2)]
    [['a'], ['a'], ['a']]
    """
    first: list[Any] = []  # those that may have to be taken twice
    mine = position = None
    for i, batch in enumerate(batches):
        position = i % n_processes
        if i < n_processes - 1:
            first.append(batch)
        if position == rank:
            mine = batch
        if position == n_processes - 1:
            yield mine
    if position is not None and position < n_processes - 1:
        missing = rank - position - 1  # which one of those that fill the round is this process's
        yield mine if missing < 0 else first[missing % len(first)]


class Devices:
    """What the training loop asks of an Accelerator; with None, everything is as in one process.

    Attributes
    ----------
    rank, n_processes : int
    precision : str or None
        None: that of the weights.
    """

    def __init__(self, accelerator: Accelerator | None = None):
        self._accelerator = accelerator
        self.rank = 0 if accelerator is None else int(accelerator.process_index)
        self.n_processes = 1 if accelerator is None else int(accelerator.num_processes)
        self.precision = (
            "bfloat16" if accelerator is not None and accelerator.mixed_precision == "bf16" else None
        )

    def forward_of(self, net: torch.nn.Module) -> Callable[..., torch.Tensor]:
        """What to call in place of the net in training: it lowers precision; backward averages gradients."""
        accelerator = self._accelerator
        if accelerator is None:
            return net
        module = net if self.n_processes == 1 else torch.nn.parallel.DistributedDataParallel(net)

        def forward(*inputs: torch.Tensor) -> torch.Tensor:
            with accelerator.autocast():
                y = module(*inputs)
            return y.float() if y.dtype == torch.bfloat16 else y

        return forward

    def share(self, batches: Iterable[Any]) -> Iterable[Any]:
        """This process's batches of an epoch."""
        return batches if self.n_processes == 1 else batches_of_process(batches, self.rank, self.n_processes)

    def sums(self, *values: float) -> list[float]:
        """Each value summed over the processes."""
        if self._accelerator is None or self.n_processes == 1:
            return list(values)
        summed = self._accelerator.reduce(torch.tensor(values, dtype=torch.float64), reduction="sum")
        return [float(value) for value in summed]

    def agree(self, net: torch.nn.Module) -> None:
        """Give all processes the net of process 0: buffers (of batch norm) saw other batches in each."""
        if self.n_processes > 1:
            from accelerate.utils import broadcast

            net.load_state_dict(broadcast({k: v.detach().clone() for k, v in net.state_dict().items()}))
