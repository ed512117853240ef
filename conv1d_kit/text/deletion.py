"""Deletion curves: if the words that an explanation names are taken out, does the answer go?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_whole
from ..training.bootstrap import Interval, bootstrap_interval
from .explain import explain_texts
from .gradients import WordGradients
from .scoring import probabilities

__all__ = ["DELETION_ORDERS", "DeletionTest", "deletion_test"]

N_SHARES = 11


@dataclass(frozen=True)
class DeletionTest:
    """Probability of each text's own answer while its words are taken out, in several orders.

    Attributes
    ----------
    shares : array [shape=(G,)]
        Shares of the words that are gone, from 0 to 1.
    curves : dict of order → array [shape=(N, G)]
        Probability of the class that the whole text got.
    areas : dict of order → Interval
        Mean area under the curve and its interval over texts; where the order finds what matters, it is small.
    gains : dict of order → Interval
        Area of that order less the area of "contribution", text by text: above 0, contributions are the better
        order.
    method : str
        How the contributions were found.
    n_left_out : int
        Texts of no tokens.
    """

    shares: np.ndarray
    curves: dict[str, np.ndarray]
    areas: dict[str, Interval]
    gains: dict[str, Interval]
    method: str
    n_left_out: int


def deletion_test(model: Any, texts: Sequence[str], *, n_random: int = 5, seed: int = 0) -> DeletionTest:
    """Take words out of texts by contribution, in reverse, by gradient × input and at random.

    What is taken out is gone: the words left and right of it become neighbours, as they do for a reader.
    Where a maximum pools ReLUs, gradient × input of a word is its exact contribution, so that these two orders
    are one; they part in every other net.

    Parameters
    ----------
    model : TextClassifier, fitted
    texts : sequence of str, at least two with tokens
    n_random : int >= 1
        Random orders a text, averaged.
    seed : int

    Raises
    ------
    InputError
        If fewer than two texts hold a token, or an option cannot be used.

    Source: Samek et al. (2017), Evaluating the Visualization of What a Deep Neural Network Has Learned (area
    over the perturbation curve), with words for pixels.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> texts, labels = ["a good film", "very good", "a bad film", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, seed=1).fit(texts, labels)
    >>> found = deletion_test(model, texts[:4])
    >>> found.areas["contribution"].estimate < found.areas["reversed"].estimate
    True
    """
    from scipy.integrate import trapezoid

    check_whole("n_random", n_random)
    explained = [e for e in explain_texts(model, texts) if len(e.tokens)]
    if len(explained) < 2:
        raise InputError(f"texts must hold at least two with a token, got {len(explained)}")
    ids = [model.vocabulary_.encode(t.word for t in e.tokens) for e in explained]
    targets = np.array([e.pair()[0] for e in explained])
    gradients, rng = WordGradients(model.net_), np.random.default_rng(seed)
    curves: dict[str, np.ndarray] = {}
    shares = np.linspace(0, 1, N_SHARES)
    for name, order_of in DELETION_ORDERS.items():
        runs = []
        for _ in range(n_random if name == "random" else 1):
            orders = [order_of(e, row, gradients, rng) for e, row in zip(explained, ids, strict=True)]
            runs.append(_curves(model.net_, ids, orders, targets, shares))
        curves[name] = np.mean(runs, 0)
    areas = {name: trapezoid(curve, shares, axis=1) for name, curve in curves.items()}
    own = areas["contribution"]
    return DeletionTest(
        shares, curves, {name: _mean_interval(area) for name, area in areas.items()},
        {name: _mean_interval(area - own) for name, area in areas.items() if name != "contribution"},
        explained[0].method, len(texts) - len(explained),
    )  # fmt: skip


def _curves(net: Any, ids, orders, targets: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Probability of the targets [shape=(N, G)] when the first of each order's words are gone."""
    left = [
        np.delete(row, order[: round(share * len(row))])
        for row, order in zip(ids, orders, strict=True)
        for share in shares
    ]
    found = probabilities(net, left).reshape(len(ids), len(shares), -1)
    return np.take_along_axis(found, targets[:, None, None], 2)[:, :, 0]


def _mean_interval(values: np.ndarray) -> Interval:
    return bootstrap_interval(lambda c: c[:, 0] / c[:, 1], np.stack([values, np.ones_like(values)], 1))


def _by_contribution(explained, ids, gradients, rng) -> np.ndarray:
    return np.argsort(-explained.word_scores(), kind="stable")


def _reversed(explained, ids, gradients, rng) -> np.ndarray:
    return np.argsort(explained.word_scores(), kind="stable")


def _by_gradient(explained, ids, gradients: WordGradients, rng) -> np.ndarray:
    return np.argsort(-gradients.times_input(ids, *explained.pair()), kind="stable")


def _random(explained, ids, gradients, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(len(ids))


# order → which words of a text go first
DELETION_ORDERS: dict[str, Callable[..., np.ndarray]] = {
    "contribution": _by_contribution,
    "gradient × input": _by_gradient,
    "random": _random,
    "reversed": _reversed,
}
