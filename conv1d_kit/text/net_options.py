"""What can be chosen about a text net, whichever it is, and the one place where the choices are checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from ..errors import InputError, check_whole, is_number

__all__ = ["ACTIVATIONS", "EMBEDDINGS", "EMBEDDING_SCALE", "POOLING_NAMES", "NetOptions", "k_of"]

# Standard deviation of new embeddings: small, so that what training writes outweighs the chance of the start.
# Two inner folds of TREC's training part: 86.1 % right, against 84.6 % at 0.15 (about Kim's uniform ±0.25).
EMBEDDING_SCALE = 0.05
EMBEDDINGS = ("rand", "static", "nonstatic", "multichannel")
POOLING_NAMES = ("max", "2-max", "3-max", "mean", "attention", "log_sum_exp")  # k-max for any k >= 2


@dataclass(frozen=True)
class NetOptions:
    """The options that every row of TEXT_NETS takes; `TextNet.reads` names those that a net looks at.

    Attributes
    ----------
    dim : int >= 1
        Length E of an embedding.
    widths : ints >= 1
        Filter widths K in tokens.
    filters : int >= 1
        Filters of each width; channels of a deep net's first layers.
    pooling : str
        "max", "2-max", "3-max" … (the k largest, in the order of their places), "mean", "attention",
        "log_sum_exp".
    embedding : str
        "rand" and "nonstatic" learn it, from chance or from given vectors; "static" leaves it as it starts;
        "multichannel" adds a copy that learns to one that does not.
    embedding_scale : float > 0
        Standard deviation of embeddings that start by chance; 0.144 is that of Kim's uniform ±0.25.
    depth : int or None
        Layers, counted as the net's source does; None: the net's own.
    activation : a key of ACTIVATIONS
    dropout, embedding_dropout, word_dropout : float in [0, 1)
        Of the pooled responses; of the embeddings (in a batch a word loses the same entries wherever it
        stands); share of the training tokens read as <unk>.
    max_norm : float > 0 or None
        Bound on the L2 norm of each class's output weights.

    Raises
    ------
    InputError
        If a value cannot be used.

    Examples
    --------
    >>> NetOptions(pooling="2-max", widths=[7]).widths
    (7,)
    >>> NetOptions(dim=0)
    Traceback (most recent call last):
    conv1d_kit.errors.InputError: dim must be an int >= 1, got 0
    """

    dim: int = 200
    widths: tuple[int, ...] = (3, 4, 5)
    filters: int = 100
    pooling: str = "max"
    embedding: str = "rand"
    embedding_scale: float = EMBEDDING_SCALE
    depth: int | None = None
    activation: str = "relu"
    dropout: float = 0.5
    embedding_dropout: float = 0.0
    word_dropout: float = 0.0
    max_norm: float | None = 3.0

    def __post_init__(self):
        put = object.__setattr__
        for name in ("dim", "filters"):
            put(self, name, check_whole(name, getattr(self, name)))
        put(self, "depth", check_whole("depth", self.depth, or_none=True))
        put(self, "widths", _widths(self.widths))
        for name in ("dropout", "embedding_dropout", "word_dropout"):
            value = getattr(self, name)
            if not _number(value) or not 0 <= value < 1:
                raise InputError(f"{name} must be a number in [0, 1), got {value!r}")
        if not _number(self.embedding_scale) or not 0 < self.embedding_scale < math.inf:
            raise InputError(
                f"embedding_scale must be a finite number > 0, got {self.embedding_scale!r}; try 0.05"
            )
        if self.max_norm is not None and (not _number(self.max_norm) or not self.max_norm > 0):
            raise InputError(f"max_norm must be a number > 0 or None, got {self.max_norm!r}; None for no bound")
        for name, allowed in (("embedding", EMBEDDINGS), ("activation", tuple(ACTIVATIONS))):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        k_of(self.pooling)

    def changed(self) -> tuple[str, ...]:
        """Names of the options that are not at their defaults.

        Examples
        --------
        >>> NetOptions(filters=50, depth=9).changed()
        ('filters', 'depth')
        """
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != f.default)


def k_of(pooling: str) -> int:
    """Numbers a channel that a pooling gives: k of "k-max", 1 of any other.

    Raises
    ------
    InputError
        If there is no such pooling.
    """
    if isinstance(pooling, str):
        found = re.fullmatch(r"([1-9][0-9]{0,2})-max", pooling)
        if found and int(found[1]) >= 2:
            return int(found[1])
        if pooling in POOLING_NAMES:
            return 1
    raise InputError(
        "pooling must be one of max, 2-max, 3-max (any k >= 2), mean, attention, log_sum_exp, "
        f"got {pooling!r}"
    )  # fmt: skip


def _number(value: Any) -> bool:
    return is_number(value) and not math.isnan(value)


def _widths(widths: Any) -> tuple[int, ...]:
    given = list(widths) if isinstance(widths, Iterable) and not isinstance(widths, str | bytes) else []
    whole = [k for k in given if isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1]
    if not whole or len(whole) < len(given):
        raise InputError(f"widths must be one or more ints >= 1, got {widths!r}; try (3, 4, 5)")
    return tuple(map(int, whole))


def _identity(x: torch.Tensor) -> torch.Tensor:
    return x


def _cube(x: torch.Tensor) -> torch.Tensor:
    return x * x * x


# each of them increasing, so that the largest window stays the largest behind it
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "identity": _identity,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "cube": _cube,
}
