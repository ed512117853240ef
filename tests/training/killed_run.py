"""A small training run, for a process of its own that a test kills in the middle of an epoch."""

from __future__ import annotations

import json
import os
import signal
import sys

import torch

from conv1d_kit.text.optimizer import RowAdam
from conv1d_kit.training.loop import train, warmup_cosine


class Net(torch.nn.Module):
    """Embedding with sparse gradients where asked, batch norm (buffers), dropout (the global generator)."""

    def __init__(self, *, sparse: bool):
        super().__init__()
        self.embedding = torch.nn.Embedding(12, 6, sparse=sparse)
        self.body = torch.nn.Sequential(
            torch.nn.Linear(6, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.3),
            torch.nn.Linear(16, 3),
        )  # fmt: skip

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.body(self.embedding(ids).mean(1))


OPTIMIZERS = {
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.05),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
    "rows": lambda parameters: RowAdam(parameters, lr=0.02),
}


def batches(epoch: int):
    """Seven batches, the last of them smaller, from the epoch alone."""
    data = torch.Generator().manual_seed(5)
    ids = torch.randint(12, (62, 4), generator=data)
    targets = (ids.sum(1) // 8).clamp(0, 2)
    order = torch.randperm(62, generator=torch.Generator().manual_seed(100 + epoch))
    for rows in order.split(9):
        yield (ids[rows],), targets[rows]


def run(optimizer: str, *, checkpoint=None, kill_at_step: int | None = None, **options):
    """(net, history) after six epochs; at the given step the process kills itself."""
    torch.manual_seed(3)
    net = Net(sparse=optimizer == "rows")
    steps = 0

    def after_step(_):
        nonlocal steps
        steps += 1
        if steps == kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = {
        "epochs": 6, "loss": torch.nn.functional.cross_entropy, "n_steps": 42, "schedule": warmup_cosine,
        "average_decay": 0.9, "seed": 11, **options,
    }  # fmt: skip
    history = train(
        net, batches, optimizer=OPTIMIZERS[optimizer](net.parameters()), after_step=after_step,
        checkpoint=checkpoint, run_id="killed", **settings,
    )  # fmt: skip
    return net, history


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(sys.argv[1], checkpoint=sys.argv[2], kill_at_step=int(sys.argv[3]), **json.loads(sys.argv[4]))
