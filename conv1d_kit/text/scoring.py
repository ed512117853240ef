"""Logits of texts that are ids already: what tests of a net change is words, and they change them there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .batches import inference_batches, pad

__all__ = ["logits", "probabilities"]


def logits(net: Any, ids: Sequence[np.ndarray]) -> np.ndarray:
    """A net's logits [shape=(N, n_classes), float64] for N texts, each int64 ids (L,), in eval mode.

    Parameters
    ----------
    net : a row of TEXT_NETS, made
        It is put into eval mode.
    ids : sequence of arrays, length N

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> net = TextClassifier(epochs=1).fit(["so good", "so bad"], [1, 0]).net_
    >>> logits(net, [np.array([2, 3]), np.array([], np.int64)]).shape
    (2, 2)
    """
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    result = np.empty((len(ids), net.out.out_features))
    net.eval()
    with torch.inference_mode():
        for rows in inference_batches(lengths, extra=max(getattr(net, "widths", (1,))) - 1):
            result[rows] = net(*pad([ids[i] for i in rows])).double().numpy()
    return result


def probabilities(net: Any, ids: Sequence[np.ndarray]) -> np.ndarray:
    """Softmax of `logits`, of the same shape.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> net = TextClassifier(epochs=1).fit(["so good", "so bad"], [1, 0]).net_
    >>> p = probabilities(net, [np.array([2, 3])])
    >>> round(float(p.sum()), 6)
    1.0
    """
    from scipy.special import softmax

    return softmax(logits(net, ids), axis=1)
