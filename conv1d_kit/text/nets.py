"""The n-gram CNN: filters slide over token embeddings, and each reports its best n-gram of the text."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..core.conv import conv
from ..core.pooling import max_pool
from ..errors import InputError
from ..layers import Conv1d
from .projected import best_windows, distinct
from .vocabulary import PAD, UNK

__all__ = ["TEXT_NETS", "TextCNN"]

# Standard deviation of new embeddings: small, so that what training writes outweighs the chance of the start.
# Two inner folds of TREC's training part: 86.1 % right, against 84.6 % at 0.15 (about Kim's uniform ±0.25).
EMBEDDING_SCALE = 0.05


class TextCNN(torch.nn.Module):
    """Embedding → filters of several widths → strongest window of each → dropout → classes.

    The border rule: a filter of width w sees the text between w − 1 zero rows on either side, so a text of
    n >= 1 tokens has n + w − 1 windows, and each holds a token of it. A text of no tokens has no window, and
    its convolutions give 0. What stands beyond a text in its batch is never read: a text's logits do not
    depend on its company.

    Parameters
    ----------
    n_words : int
        Ids, with <pad> (0, a row of zeros that stays) and <unk> (1).
    n_classes : int >= 2
    dim : int
        Length E of an embedding.
    widths : sequence of int >= 1
        Filter widths K in tokens.
    filters : int
        Filters of each width.
    dropout : float in [0, 1)
        On the pooled responses.
    embedding_dropout : float in [0, 1)
        On the embeddings: in a batch a word loses the same entries wherever it stands.
    word_dropout : float in [0, 1)
        Share of the tokens that training reads as <unk>.
    max_norm : float > 0 or None
        Bound on the L2 norm of each class's output weights; `constrain` clips to it.
    generator : torch.Generator, optional
        For the initial weights.

    Source: Kim (2014), sections 2 and 3.1; the bias and the ReLU come after the maximum, which changes nothing
    (both are monotone) and costs a window's worth less work.
    """

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        *,
        dim: int = 200,
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        max_norm: float | None = 3.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        _check(n_words, n_classes, dim, widths, filters, max_norm)
        _check_shares(dropout=dropout, embedding_dropout=embedding_dropout, word_dropout=word_dropout)
        self.widths, self.word_dropout, self.max_norm = tuple(widths), word_dropout, max_norm
        self.embedding = torch.nn.Embedding(n_words, dim, padding_idx=PAD, sparse=True)
        self.convs = torch.nn.ModuleList(Conv1d(dim, filters, k) for k in self.widths)
        self.embedding_dropout = torch.nn.Dropout(embedding_dropout)
        self.dropout = torch.nn.Dropout(dropout)
        self.out = torch.nn.Linear(filters * len(self.widths), n_classes)
        self._start(generator)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits [shape=(B, n_classes)] from ids [shape=(B, L), int64] and lengths [shape=(B,), int64]."""
        return self.out(self.dropout(self.features(ids, lengths)))

    def streamable(self) -> torch.nn.Module:
        """The same net in eval mode as plain layers over the whole text, which `stream` takes apart."""
        return _Plain(self).eval()

    @property
    def layers(self) -> list[Conv1d]:
        """The convolutions, one a width."""
        return [layer for layer in self.convs if isinstance(layer, Conv1d)]

    def features(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Response of every filter to its best window [shape=(B, len(widths) · filters)], >= 0."""
        if self.training and self.word_dropout:
            lost = torch.rand(ids.shape, device=ids.device) < self.word_dropout
            ids = torch.where(lost & (ids != PAD), UNK, ids)
        used, places = distinct(ids, len(self.embedding.weight))
        rows = self.embedding_dropout(self.embedding(used))  # (U, E): the batch's words, each once
        pooled = best_windows(rows, [layer.weight for layer in self.layers], places, lengths)
        biases = [layer.bias for layer in self.layers if layer.bias is not None]
        return torch.relu(pooled + torch.cat(biases) if biases else pooled)

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale each class's output weights down to L2 norm `max_norm`, only where they exceed it."""
        if self.max_norm is not None:
            norms = self.out.weight.norm(dim=1, keepdim=True)
            self.out.weight.mul_((self.max_norm / norms.clamp(min=1e-12)).clamp(max=1.0))

    @torch.no_grad()
    def _start(self, generator: torch.Generator | None) -> None:
        self.embedding.weight.normal_(0, EMBEDDING_SCALE, generator=generator)
        self.embedding.weight[PAD] = 0.0
        parts: list[torch.nn.Conv1d | torch.nn.Linear] = [*self.layers, self.out]
        for layer in parts:
            bound = layer.weight[0].numel() ** -0.5
            for tensor in layer.parameters():
                tensor.uniform_(-bound, bound, generator=generator)


class _Plain(torch.nn.Module):
    """TextCNN on texts that fill their batch, its filters sliding over every token."""

    def __init__(self, net: TextCNN):
        super().__init__()
        self.embedding, self.convs, self.out = net.embedding, net.convs, net.out

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).transpose(1, 2)  # (B, E, L)
        responses = []
        for layer in self.convs:
            w: torch.Tensor = layer.weight  # type: ignore[assignment]
            responses.append(max_pool(conv(x, w, layer.bias, padding=w.shape[-1] - 1)))
        return self.out(torch.relu(torch.cat(responses, 1)))


def _check_shares(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise InputError(f"{name} must be in [0, 1), got {value!r}")


def _check(n_words, n_classes, dim, widths, filters, max_norm) -> None:
    for name, value, low in (
        ("n_words", n_words, 2), ("n_classes", n_classes, 2), ("dim", dim, 1), ("filters", filters, 1),
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise InputError(f"{name} must be an int >= {low}, got {value!r}")
    whole = not isinstance(widths, int | str) and all(isinstance(k, int) and k >= 1 for k in widths)
    if not whole or len(widths) == 0:
        raise InputError(f"widths must be one or more ints >= 1, got {widths!r}; try (3, 4, 5)")
    if max_norm is not None and not max_norm > 0:
        raise InputError(f"max_norm must be > 0 or None, got {max_norm!r}")


TEXT_NETS: dict[str, type[TextCNN]] = {"cnn": TextCNN}
