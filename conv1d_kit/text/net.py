"""What every text net is: ids and lengths → features → dropout → one linear layer of classes."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from ..core.pooling import length_mask
from ..errors import InputError, check_whole
from .embedding import TokenEmbedding
from .net_options import NetOptions
from .vocabulary import PAD, UNK

__all__ = ["Filling", "TextNet"]


class TextNet(torch.nn.Module):
    """ids (B, L) and lengths (B,), int64 → logits (B, n_classes), those that each text has alone.

    A net writes `build` (its layers, `out` among them), `start` (their weights) and `features`. What stands
    beyond a text's length is never read, and a text of no tokens has features too.

    Parameters
    ----------
    n_words : int >= 2
        Ids, with <pad> (0, a row of zeros that stays) and <unk> (1).
    n_classes : int >= 2
    options : NetOptions, optional
    generator : torch.Generator, optional
        For the initial weights: the same one, the same weights.

    Attributes
    ----------
    embedding : TokenEmbedding
    out : torch.nn.Linear
        The last layer, (B, D) → (B, n_classes).
    source : str
        The paper.
    reads : frozenset of str
        Names of the options that change this net.
    depths : sequence of int
        What `options.depth` may be; the first is the net's own.
    published : NetOptions or None
        The paper's sizes, where it has them for whole texts.
    by_embedding : bool
        Whether the embeddings of a text's words are all that it looks at.
    dense_up_to : int
        Vocabularies of at most so many ids have dense gradients, which cost less there.

    Raises
    ------
    InputError
        If a value cannot be used.
    """

    source: ClassVar[str] = ""
    reads: ClassVar[frozenset[str]] = frozenset()
    depths: ClassVar[tuple[int, ...]] = (1,)
    published: ClassVar[NetOptions | None] = None
    dense_up_to: ClassVar[int] = 1024
    by_embedding: ClassVar[bool] = True
    out: torch.nn.Linear

    def __init__(
        self,
        n_words: int,
        n_classes: int,
        options: NetOptions | None = None,
        *,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        for name, value, least in (("n_words", n_words, 2), ("n_classes", n_classes, 1)):
            check_whole(name, value, least=least)
        self.options = NetOptions() if options is None else options
        self.check(self.options)
        self.embedding = TokenEmbedding(
            n_words, self.options.dim, self.options.embedding, sparse=n_words > self.dense_up_to
        )
        self.embedding_dropout = torch.nn.Dropout(self.options.embedding_dropout)
        self.dropout = torch.nn.Dropout(self.options.dropout)
        self.build(n_classes)
        self.start(generator)

    @classmethod
    def check(cls, options: NetOptions) -> None:
        """Refuse options that this net cannot take.

        Raises
        ------
        InputError
        """
        if options.depth is not None and options.depth not in cls.depths:
            allowed = sorted(cls.depths)
            run = allowed == list(range(allowed[0], allowed[-1] + 1)) and len(allowed) > 2
            said = f"{allowed[0]} to {allowed[-1]}" if run else ", ".join(map(str, allowed))
            raise InputError(f"depth must be {said} or None for the net {cls.__name__}, got {options.depth}")

    def build(self, n_classes: int) -> None:
        """Make the layers behind the embedding."""
        raise NotImplementedError

    def start(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights."""
        raise NotImplementedError

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [shape=(B, n_classes)]; without lengths every text fills its row."""
        return self.out(self.dropout(self.features(ids, lengths)))

    def features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """What the last dropout and `out` see [shape=(B, D)]."""
        raise NotImplementedError

    def plain_features(self, ids: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """`features` in eval mode by layers over the tokens alone, as export and streams need them."""
        return self.features(ids, lengths)

    def streamable(self) -> torch.nn.Module:
        """The same net in eval mode over texts that fill their rows, which `stream` takes apart.

        Raises
        ------
        InputError
            If its pooling has no running value.
        """
        if self.options.pooling not in ("max", "mean"):
            raise InputError(f"pooling must be max or mean in a stream, got {self.options.pooling!r}")
        return Filling(self).eval()

    @torch.no_grad()
    def constrain(self) -> None:
        """Scale each class's output weights down to L2 norm `max_norm`, only where they exceed it."""
        bound = self.options.max_norm
        if bound is not None:
            norms = self.out.weight.norm(dim=1, keepdim=True)
            self.out.weight.mul_((bound / norms.clamp(min=1e-12)).clamp(max=1.0))

    def set_vectors(self, matrix: Any) -> None:
        """Start the embeddings from vectors [shape=(n_words, dim)]; the kind of embedding says if they stay."""
        self.embedding.set_rows(matrix)

    @property
    def depth(self) -> int:
        """The layers that it has."""
        return self.depths[0] if self.options.depth is None else self.options.depth

    def tokens(self, ids: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        """The ids with <pad> beyond each text, and in training <unk> for a share of the words."""
        if lengths is not None:
            ids = torch.where(length_mask(lengths, ids.shape[1]), ids, PAD)
        if self.training and self.options.word_dropout:
            lost = torch.rand(ids.shape, device=ids.device) < self.options.word_dropout
            ids = torch.where(lost & (ids != PAD), UNK, ids)
        return ids


class Filling(torch.nn.Module):
    """A text net on ids [shape=(B, L)] alone: every text fills its row."""

    def __init__(self, net: TextNet):
        super().__init__()
        self.net = net

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.net.out(self.net.plain_features(ids))
