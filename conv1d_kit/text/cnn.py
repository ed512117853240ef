"""The n-gram CNN: filters slide over token embeddings, and each reports its best n-gram of the text."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional

from ..core.conv import conv
from ..layers import Conv1d
from .net import TextNet
from .net_options import ACTIVATIONS, NetOptions
from .poolings import Pooling, make_pooling
from .projected import best_windows, distinct, slide, tap_responses
from .vocabulary import PAD

__all__ = ["TextCNN"]


class TextCNN(TextNet):
    """Embedding → filters of several widths → strongest window of each → dropout → classes.

    The border rule: a filter of width w sees the text between w − 1 zero rows on either side, so a text of
    n >= 1 tokens has n + w − 1 windows, and each holds a token of it. A text of no tokens has no window, and
    its convolutions give 0. What stands beyond a text in its batch is never read: a text's logits do not
    depend on its company.

    Poolings that pick windows by their order (max, k-max) come before the bias and the activation, which
    changes nothing (both are increasing) and costs a window's worth less work; a mean, an attention and a
    log-sum-exp come after them. Where k-max finds fewer than k windows, windows of nothing but zeros follow.

    Parameters
    ----------
    n_words : int
        Ids, with <pad> (0, a row of zeros that stays) and <unk> (1).
    n_classes : int >= 2
    options : NetOptions, optional
    generator : torch.Generator, optional
        For the initial weights.

    Source: Kim (2014), sections 2 and 3.1.

    Examples
    --------
    >>> net = TextCNN(20, 3, NetOptions(dim=8, filters=4)).eval()
    >>> net(torch.tensor([[5, 7, 2], [9, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 3])
    """

    source: ClassVar[str] = "Kim (2014)"
    reads: ClassVar[frozenset[str]] = frozenset(
        {"dim", "widths", "filters", "pooling", "embedding", "embedding_scale", "activation", "dropout",
         "embedding_dropout", "word_dropout", "max_norm"}
    )  # fmt: skip
    published: ClassVar[NetOptions | None] = NetOptions(dim=300)
    dense_up_to: ClassVar[int] = 0

    def build(self, n_classes: int) -> None:
        o = self.options
        self.widths = o.widths
        self.convs = torch.nn.ModuleList(Conv1d(o.dim, o.filters, k) for k in o.widths)
        self.pools = torch.nn.ModuleList(make_pooling(o.pooling, o.filters) for _ in o.widths)
        self.activation = ACTIVATIONS[o.activation]
        n_features = sum(o.filters * pool.k for pool in self._poolings)
        self.out = torch.nn.Linear(n_features, n_classes)

    @property
    def layers(self) -> list[Conv1d]:
        """The convolutions, one a width."""
        return [layer for layer in self.convs if isinstance(layer, Conv1d)]

    def features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Pooled response of every filter [shape=(B, len(widths) · filters · k)], width by width."""
        ids = self.tokens(ids, lengths)
        if self.options.pooling == "max":
            return self._best(ids, lengths)
        border = max(self.widths) - 1
        used, places = distinct(functional.pad(ids, (border, border), value=PAD), len(self.embedding.weight))
        rows = self.embedding_dropout(self.embedding(used))  # (U, E): the batch's words, each once
        responses = []
        for layer, pool in zip(self.layers, self._poolings, strict=True):
            k = layer.weight.shape[-1]
            z = slide(
                tap_responses(rows, layer.weight), places[:, border - k + 1 : places.shape[1] - border + k - 1]
            )
            responses.append(self._response(z, lengths, layer, pool))
        return torch.cat(responses, 1)

    def _best(self, ids: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """Features under max-pooling, where one window of each text and filter counts."""
        if lengths is None:
            lengths = torch.full((len(ids),), ids.shape[1], device=ids.device)
        used, places = distinct(ids, len(self.embedding.weight))
        rows = self.embedding_dropout(self.embedding(used))
        pooled = best_windows(rows, [layer.weight for layer in self.layers], places, lengths)
        biases = [layer.bias for layer in self.layers if layer.bias is not None]
        return self.activation(pooled + torch.cat(biases))

    def plain_features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        x = self.embedding(self.tokens(ids, lengths)).transpose(1, 2)  # (B, E, L)
        responses = []
        for layer, pool in zip(self.layers, self._poolings, strict=True):
            z = conv(x, layer.weight, padding=layer.weight.shape[-1] - 1)
            responses.append(self._response(z, lengths, layer, pool))
        return torch.cat(responses, 1)

    def _response(
        self, z: torch.Tensor, lengths: torch.Tensor | None, layer: Conv1d, pool: Pooling
    ) -> torch.Tensor:
        """Convolved texts (B, filters, L + K − 1) pooled, with bias and activation where they belong."""
        windows = None
        if lengths is not None:
            windows = torch.where(lengths > 0, lengths + (layer.weight.shape[-1] - 1), 0)
        bias = layer.bias
        assert bias is not None
        if pool.before_bias:
            return self.activation(pool(z, windows) + (bias if pool.k == 1 else bias.repeat_interleave(pool.k)))
        return pool(self.activation(z + bias[:, None]), windows)

    @property
    def _poolings(self) -> list[Pooling]:
        return [pool for pool in self.pools if isinstance(pool, Pooling)]

    @torch.no_grad()
    def start(self, generator: torch.Generator | None = None) -> None:
        self.embedding.start(generator, self.options.embedding_scale)
        parts: list[torch.nn.Conv1d | torch.nn.Linear] = [*self.layers, self.out]
        for layer in parts:
            bound = layer.weight[0].numel() ** -0.5
            for tensor in layer.parameters():
                tensor.uniform_(-bound, bound, generator=generator)
