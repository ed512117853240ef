"""Integrated gradients and gradient × input over a text's embeddings: explanations that every text net has.

The words of a text become rows of a small table of their own, which takes the place of the net's embedding: the
net runs unchanged, whatever it does with ids, and the gradient tells the words apart where they stand.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InputError
from ..training.path_integral import integrate_gradients

__all__ = ["WordGradients", "WordIntegral"]

_FIRST_ID = 2  # below it stand <pad> and <unk>


class WordIntegral(NamedTuple):
    """Integrated gradients of one text: values of its words (L,), logit of the baseline, change, gap, steps.

    change = logit − baseline, and sum(values) = change + gap; `n_steps` gradients were taken.
    """

    values: np.ndarray
    baseline: float
    change: float
    gap: float
    n_steps: int


class WordGradients:
    """A net seen as a function of the embeddings of its words.

    Parameters
    ----------
    net : a row of TEXT_NETS, made
        It is not changed; its tables of embeddings are parameters or buffers of `net.embedding`.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> net = TextClassifier(epochs=1).fit(["so good", "so bad"], [1, 0]).net_
    >>> found = WordGradients(net).integrated(np.array([2, 3]), 0)
    >>> found.values.shape
    (2,)
    """

    def __init__(self, net: Any):
        if not getattr(net, "by_embedding", True):
            raise InputError(
                "model must look at the embeddings of words alone for integrated gradients, and fasttext has a "
                "table of pairs; explain a cnn or a linear model"
            )
        self._net = copy.copy(net)  # whose embedding alone is another, and gives dense gradients
        self._net._modules = {**net._modules, "embedding": copy.deepcopy(net.embedding)}
        self._net.eval()
        n_words = _n_words(net)
        tables = {**dict(net.embedding.named_parameters()), **dict(net.embedding.named_buffers())}
        self._tables = {
            f"embedding.{name}": t.detach()
            for name, t in tables.items()
            if t.ndim == 2 and len(t) == n_words and t.is_floating_point()
        }
        self._embeddings = [m for m in self._net.embedding.modules() if isinstance(m, torch.nn.Embedding)]
        for part in self._embeddings:
            part.sparse = False

    def embed(self, ids: np.ndarray) -> torch.Tensor:
        """The words' embeddings [shape=(L, E)], all tables side by side."""
        rows = torch.as_tensor(ids)
        return torch.cat([table[rows] for table in self._tables.values()], 1)

    def logits(self, points: torch.Tensor) -> torch.Tensor:
        """Logits [shape=(B, n_classes)] of texts whose words have the embeddings `points` [shape=(B, L, E)]."""
        n, length, _ = points.shape
        ids = _FIRST_ID + torch.arange(n * length).view(n, length)
        for part in self._embeddings:
            part.num_embeddings = _FIRST_ID + n * length
        sizes = [t.shape[1] for t in self._tables.values()]
        rows = torch.nn.functional.pad(points.reshape(n * length, -1), (0, 0, _FIRST_ID, 0))
        state = dict(zip(self._tables, rows.split(sizes, 1), strict=True))
        return torch.func.functional_call(self._net, state, (ids, torch.full((n,), length)))

    def integrated(
        self, ids: np.ndarray, target: int, against: int | None = None, *, tolerance: float = 1e-2,
        max_steps: int = 1024,
    ) -> WordIntegral:  # fmt: skip
        """A logit's rise over that of as many zero embeddings, shared out among the words.

        Parameters
        ----------
        ids : int64 array [shape=(L,)]
        target : int
            Class.
        against : int, optional
            With it, the difference of the two logits is shared out.
        tolerance, max_steps
            As in `integrate_gradients`.

        Source: Sundararajan, Taly & Yan (2017), eq. 1; zero embeddings are their baseline of a text.
        """
        if len(ids) == 0:
            with torch.no_grad():
                row = self._net(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
            return WordIntegral(np.zeros(0), float(self._pick(row, target, against)[0]), 0.0, 0.0, 0)
        x = self.embed(ids)
        baseline = torch.zeros_like(x)
        found = integrate_gradients(
            lambda points: self._pick(self.logits(points), target, against), x, baseline,
            tolerance=tolerance, max_steps=max_steps,
        )  # fmt: skip
        with torch.no_grad():
            low = float(self._pick(self.logits(baseline[None]), target, against)[0])
        return WordIntegral(found.values.double().sum(1).numpy(), low, found.change, found.gap, found.n_steps)

    def times_input(self, ids: np.ndarray, target: int, against: int | None = None) -> np.ndarray:
        """Gradient × input of each word [shape=(L,)]: ⟨∂logit/∂embedding, embedding⟩.

        Source: Shrikumar et al. (2016), Not Just a Black Box.
        """
        if len(ids) == 0:
            return np.zeros(0)
        points = self.embed(ids)[None].requires_grad_()
        (slopes,) = torch.autograd.grad(self._pick(self.logits(points), target, against).sum(), points)
        return (slopes * points).detach().double().sum(2)[0].numpy()

    @staticmethod
    def _pick(rows: torch.Tensor, target: int, against: int | None) -> torch.Tensor:
        return rows[:, target] if against is None else rows[:, target] - rows[:, against]


def _n_words(net: Any) -> int:
    """Rows of the net's tables of embeddings."""
    for part in net.embedding.modules():
        if isinstance(part, torch.nn.Embedding):
            return part.num_embeddings
    lengths = [len(t) for t in (*net.embedding.parameters(), *net.embedding.buffers()) if t.ndim == 2]
    if not lengths:
        raise InputError(f"{type(net).__name__} has no table of embeddings to follow gradients to")
    return max(lengths)
