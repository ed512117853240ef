"""The embedding of tokens: learned, kept as it starts, or a copy of each kind added up."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..errors import InputError
from .vocabulary import PAD

__all__ = ["TokenEmbedding"]


class TokenEmbedding(torch.nn.Embedding):
    """Ids → embeddings; the row of <pad> is zero and stays so.

    "multichannel" holds two copies, of which one learns. Kim's filters slide over both channels and their
    results are added; a convolution is linear, so it is enough to add the channels first.

    Parameters
    ----------
    n_words, dim : int
    kind : "rand", "nonstatic", "static" or "multichannel"
    sparse : bool
        Gradients hold the rows of the batch only.

    Shape
    -----
    ids (…) int64 → (…, dim)

    Source: Kim (2014), section 3.1.
    """

    streams_like = torch.nn.Embedding  # id by id
    fixed: torch.Tensor

    def __init__(self, n_words: int, dim: int, kind: str = "rand", *, sparse: bool = True):
        super().__init__(n_words, dim, padding_idx=PAD, sparse=sparse)
        self.kind = kind
        self.weight.requires_grad_(kind != "static")
        if kind == "multichannel":
            self.register_buffer("fixed", torch.zeros(n_words, dim))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = super().forward(ids)
        return x + functional.embedding(ids, self.fixed) if self.kind == "multichannel" else x

    @torch.no_grad()
    def start(self, generator: torch.Generator | None, scale: float) -> None:
        """Draw new rows of this standard deviation."""
        self.weight.normal_(0, scale, generator=generator)
        self._settle()

    @torch.no_grad()
    def set_rows(self, matrix: torch.Tensor) -> None:
        """Start from given vectors, one row an id; those of <pad> become zero.

        Parameters
        ----------
        matrix : Tensor or array [shape=(n_words, dim)]

        Raises
        ------
        InputError
            If it has another shape or holds NaN or Inf.
        """
        rows = torch.as_tensor(matrix).to(self.weight.dtype)
        if rows.shape != self.weight.shape:
            raise InputError(f"vectors must be {tuple(self.weight.shape)}, got shape {tuple(rows.shape)}")
        if not rows.isfinite().all():
            raise InputError("vectors must be finite, got NaN or Inf")
        self.weight.copy_(rows)
        self._settle()

    def _settle(self) -> None:
        self.weight[PAD] = 0.0
        if self.kind == "multichannel":
            self.fixed.copy_(self.weight)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kind={self.kind!r}"
