"""What the order of the words is worth to a classifier: its accuracy on the same words, shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_whole
from ..training.bootstrap import Interval, bootstrap_interval
from .scoring import logits
from .tokens import tokenize

__all__ = ["OrderTest", "order_test"]


@dataclass(frozen=True)
class OrderTest:
    """Accuracy as the words stand and with their order shuffled, the fall, and the share of changed answers.

    Intervals are over texts; a text's shuffles belong to it. `fall` is paired.
    """

    accuracy: Interval
    shuffled: Interval
    fall: Interval
    changed: Interval
    n_texts: int


def order_test(
    model: Any, texts: Sequence[str], labels: Sequence[Any], *, n_shuffles: int = 5, seed: int = 0
) -> OrderTest:
    """Shuffle the words of each text and look how far the accuracy falls; a bag of words would lose nothing.

    Parameters
    ----------
    model : TextClassifier, fitted
    texts, labels : sequences of length N >= 2
    n_shuffles : int >= 1
        Shuffles a text.
    seed : int

    Raises
    ------
    InputError
        If there are fewer than two texts, not as many labels, or an option cannot be used.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> texts, labels = ["a good film", "very good", "a bad film", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> bag = TextClassifier(epochs=8, seed=1, widths=(1,)).fit(texts, labels)
    >>> order_test(bag, texts, labels).fall.estimate
    0.0
    """
    check_whole("n_shuffles", n_shuffles)
    texts, truth = list(texts), [str(label) for label in labels]
    if len(texts) < 2 or len(truth) != len(texts):
        raise InputError(f"texts and labels must be as many, at least two, got {len(texts)} and {len(truth)}")
    rng = np.random.default_rng(seed)
    ids = [model.vocabulary_.encode(t.word for t in tokenize(text, model.tokenizer_)) for text in texts]
    names = np.array([str(c) for c in model.classes_.tolist()])
    own = logits(model.net_, ids).argmax(1)
    mixed = np.stack(
        [logits(model.net_, [rng.permutation(row) for row in ids]).argmax(1) for _ in range(n_shuffles)]
    )
    right, mixed_right = names[own] == truth, (names[mixed] == truth).mean(0)
    return OrderTest(
        _mean(right), _mean(mixed_right), _mean(right - mixed_right), _mean((mixed != own).mean(0)), len(texts)
    )


def _mean(values: Any) -> Interval:
    x = np.asarray(values, dtype=np.float64)
    return bootstrap_interval(lambda c: c[:, 0] / c[:, 1], np.stack([x, np.ones_like(x)], 1))
