"""How a net's responses along a text become one row of numbers, whatever the text's length."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..core.pooling import attention_pool, k_max_pool, log_sum_exp_pool, max_pool, mean_pool
from .net_options import k_of

__all__ = ["Pooling", "make_pooling"]


class Pooling(torch.nn.Module):
    """(B, C, L) and lengths (B,) or None → (B, C · k); a row of length 0 gives 0.

    Attributes
    ----------
    k : int
        Numbers a channel.
    before_bias : bool
        Whether it picks windows by their order alone, so that a bias and an increasing activation may come
        after it and change nothing.
    """

    k = 1
    before_bias = False

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        raise NotImplementedError


class _Max(Pooling):
    before_bias = True

    def forward(self, x, lengths=None):
        return max_pool(x, lengths)


class _Mean(Pooling):
    def forward(self, x, lengths=None):
        return mean_pool(x, lengths)


class _LogSumExp(Pooling):
    def forward(self, x, lengths=None):
        return log_sum_exp_pool(x, lengths)


class _KMax(Pooling):
    before_bias = True

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, x, lengths=None):
        return k_max_pool(x, lengths, k=self.k).flatten(1)


class _Attention(Pooling):
    """A mean whose weights are a softmax over the text of what a learned query says of each place."""

    def __init__(self, channels: int):
        super().__init__()
        self.query = torch.nn.Parameter(torch.zeros(channels))  # at first a plain mean

    def forward(self, x, lengths=None):
        scores = (x * self.query[:, None]).sum(1) * x.shape[1] ** -0.5  # (B, L)
        return attention_pool(x, scores, lengths)


def make_pooling(name: str, channels: int) -> Pooling:
    """The pooling of that name over `channels` channels.

    Raises
    ------
    InputError
        If there is no such pooling.

    Examples
    --------
    >>> make_pooling("2-max", 1)(torch.tensor([[[3.0, 1.0, 5.0, 9.0]]]), torch.tensor([3]))
    tensor([[3., 5.]])
    """
    k = k_of(name)
    return _KMax(k) if k > 1 else _ROWS[name](channels)


_ROWS: dict[str, Callable[[int], Pooling]] = {
    "max": lambda channels: _Max(),
    "mean": lambda channels: _Mean(),
    "attention": _Attention,
    "log_sum_exp": lambda channels: _LogSumExp(),
}
