"""The averaging net of fastText: the mean of a text's words and hashed pairs of words, then the classes."""

from __future__ import annotations

from typing import ClassVar

import torch

from ..errors import InputError
from .net import TextNet
from .net_options import NetOptions
from .vocabulary import PAD

__all__ = ["AveragingNet"]

BUCKETS = 1 << 16  # pairs that share a row are told apart no more
_FACTOR = 0x5BD1E995


class AveragingNet(TextNet):
    """Mean of the embeddings of all words and of all pairs of neighbours → dropout → classes.

    Parameters
    ----------
    n_words, n_classes, options, generator
        As for TextCNN; filters there are none.

    Source: Joulin et al. (2017), Bag of tricks for efficient text classification, section 2.
    """

    source: ClassVar[str] = "Joulin et al. (2017)"
    reads: ClassVar[frozenset[str]] = frozenset(
        {"dim", "embedding", "embedding_scale", "dropout", "embedding_dropout", "word_dropout", "max_norm"}
    )
    published: ClassVar[NetOptions | None] = NetOptions(dim=10)
    dense_up_to: ClassVar[int] = 0
    by_embedding: ClassVar[bool] = False
    pairs: torch.nn.Embedding

    def build(self, n_classes: int) -> None:
        self.pairs = torch.nn.Embedding(BUCKETS, self.options.dim, padding_idx=PAD, sparse=True)
        self.out = torch.nn.Linear(self.options.dim, n_classes)

    def features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        ids = self.tokens(ids, lengths)
        rows = self.pair_rows(ids)
        x = self.embedding_dropout(self.embedding(ids)).sum(1) + self.pairs(rows).sum(1)
        count = (ids != PAD).sum(1) + (rows != PAD).sum(1)
        return x / count.clamp(min=1)[:, None]

    @staticmethod
    def pair_rows(ids: torch.Tensor) -> torch.Tensor:
        """Rows of the table of pairs [shape=(B, L − 1)] for ids [shape=(B, L)]; 0 where there is no pair."""
        left, right = ids[:, :-1], ids[:, 1:]
        hashed = (left * _FACTOR ^ right * 31) % (BUCKETS - 1) + 1
        return torch.where((left != PAD) & (right != PAD), hashed, PAD)

    def streamable(self) -> torch.nn.Module:
        raise InputError(
            "the net fasttext cannot be streamed: it looks words up by pairs; take a net that slides"
        )

    @torch.no_grad()
    def start(self, generator: torch.Generator | None = None) -> None:
        self.embedding.start(generator, self.options.embedding_scale)
        self.pairs.weight.normal_(0, self.options.embedding_scale, generator=generator)
        self.pairs.weight[PAD] = 0.0
        bound = self.options.dim**-0.5
        for tensor in self.out.parameters():
            tensor.uniform_(-bound, bound, generator=generator)
