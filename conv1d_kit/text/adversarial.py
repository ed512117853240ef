"""Adversarial training: each step also learns from embeddings moved to where they mislead the net most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .net import TextNet

__all__ = ["misled"]


@contextmanager
def misled(net: TextNet, size: float) -> Iterator[None]:
    """While the block runs, the batch's embeddings are moved by `size` along their gradient, all as one vector.

    Call it between a backward pass and the optimizer's step, and run a second backward pass in the block: both
    gradients add up. Afterwards the embeddings are what they were, bit for bit. A net whose embeddings do not
    learn is left as it is.

    Source: Miyato, Dai & Goodfellow (2017), Adversarial training methods for semi-supervised text
    classification, equations 5 and 6 (there each text is moved apart, and embeddings are normalised).

    Examples
    --------
    >>> from conv1d_kit.text.nets import TEXT_NETS
    >>> net = TEXT_NETS["cnn"](5, 2).train()
    >>> before = net.embedding.weight.detach().clone()
    >>> net(torch.tensor([[2, 3]])).sum().backward()
    >>> with misled(net, 0.5):
    ...     moved = (net.embedding.weight - before).norm().item()
    >>> round(moved, 4), torch.equal(net.embedding.weight, before)
    (0.5, True)
    """
    weight = net.embedding.weight
    if weight.grad is None:
        yield
        return
    with torch.no_grad():
        if weight.grad.is_sparse:
            grad = weight.grad.coalesce()
            rows, values = grad.indices()[0], grad.values()
        else:
            rows, values = torch.arange(len(weight)), weight.grad
        before = weight[rows]
        weight[rows] = before + values * (size / values.norm().clamp(min=1e-12))
    try:
        yield
    finally:
        with torch.no_grad():
            weight[rows] = before
