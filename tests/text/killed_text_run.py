"""A small text training run, for a process of its own that a test kills in the middle of an epoch."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import torch

from conv1d_kit.text.batches import EncodedTexts, training_batches
from conv1d_kit.text.nets import NetOptions, TextCNN
from conv1d_kit.text.optimizer import RowAdam
from conv1d_kit.training.loop import train, warmup_cosine

EPOCHS, BATCH, SEED = 5, 7, 3


def run(*, checkpoint=None, kill_at_step: int | None = None):
    """(net, optimizer, history) as TextClassifier trains, in 40 steps; it kills itself at the given one."""
    rng = np.random.default_rng(0)
    texts = EncodedTexts.of(rng.integers(1, 30, n).tolist() for n in rng.integers(0, 12, 56))
    targets = torch.from_numpy(rng.integers(0, 2, len(texts)))
    options = NetOptions(dim=6, widths=(2, 3), filters=4, word_dropout=0.1, embedding_dropout=0.1)
    net = TextCNN(30, 2, options, generator=torch.Generator().manual_seed(SEED))
    optimizer, steps = RowAdam(net.parameters(), lr=0.02), 0

    def batches(epoch: int):
        for rows in training_batches(texts.lengths, BATCH, np.random.default_rng((SEED, epoch))):
            yield texts.batch(rows), targets[rows]

    def after_step(_):
        nonlocal steps
        net.constrain()
        steps += 1
        if steps == kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    history = train(
        net, batches, epochs=EPOCHS, loss=torch.nn.functional.cross_entropy, optimizer=optimizer,
        n_steps=EPOCHS * 8, schedule=warmup_cosine, after_step=after_step, average_decay=0.9, seed=SEED,
        checkpoint=checkpoint, run_id="text",
    )  # fmt: skip
    return net, optimizer, history


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(checkpoint=sys.argv[1], kill_at_step=int(sys.argv[2]))
