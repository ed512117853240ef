"""A small training run, for torchrun to start in several processes: each writes its weights and history."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

from conv1d_kit.errors import InputError
from conv1d_kit.training.devices import open_accelerator
from conv1d_kit.training.loop import History, train


def run(
    accelerator, *, merged: bool, batch_norm: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[torch.nn.Module, History]:
    """Batches of 8 rows, or, merged, of 16: what two processes learn from in one update."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(64, 4, generator=g, dtype=dtype)
    y = (x[:, 0] + x[:, 1] > 0).long()

    def batches(epoch):
        order = torch.randperm(64, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(16 if merged else 8):
            yield (x[rows],), y[rows]

    torch.manual_seed(1)
    norm = torch.nn.BatchNorm1d(8) if batch_norm else torch.nn.Identity()
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), norm, torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)
    history = train(
        net, batches, epochs=4, loss=torch.nn.functional.cross_entropy, n_steps=4 * (4 if merged else 8),
        optimizer=torch.optim.AdamW(net.parameters(), lr=0.03), average_decay=0.9, schedule=halved,
        accelerator=accelerator, clip_norm=0.5,
    )  # fmt: skip
    return net, history


def halved(step: int, n_steps: int) -> float:
    """Half the rate from the middle on: it shows how far a run believes to be."""
    return 1.0 if step < n_steps // 2 else 0.5


def main() -> None:
    folder, asked = Path(sys.argv[1]), int(sys.argv[2])
    try:
        accelerator = open_accelerator(n_processes=asked)
    except InputError as error:
        print(error)
        sys.exit(3)
    found = {}
    for name in ("plain", "batch_norm"):
        net, history = run(accelerator, merged=False, batch_norm=name == "batch_norm")
        found[name] = {k: v.tolist() for k, v in net.state_dict().items()}
        found[f"{name}_losses"], found[f"{name}_accuracies"] = history.losses, history.accuracies
    try:
        train(torch.nn.Linear(1, 1), lambda e: [], epochs=1, loss=torch.nn.functional.mse_loss,
              optimizer=None, accelerator=accelerator, checkpoint=folder / "c")  # fmt: skip
    except InputError as error:
        found["refused"] = str(error)
    (folder / f"{accelerator.process_index}.json").write_text(json.dumps(found), "utf-8")
    accelerator.end_training()
    sys.stdout.flush()
    os._exit(0)  # threads of the collective may abort the interpreter's own end


if __name__ == "__main__":
    main()
