"""Masked pooling: what padding holds never reaches the result; a row gives alone what it gives in a batch."""

from __future__ import annotations

import math

import torch

from ..errors import InputError, check_whole

__all__ = [
    "POOLINGS",
    "attention_pool",
    "k_max_pool",
    "length_mask",
    "log_sum_exp_pool",
    "masked",
    "max_pool",
    "mean_max_pool",
    "mean_pool",
    "pool",
]


def length_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """True where position < length [shape=(B, L), bool] from lengths (B,)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """`x` [shape=(B, *, L)] with zeros beyond each row's end, whatever stood there, NaN too."""
    if lengths is None:
        return x
    return torch.where(length_mask(lengths, x.shape[-1])[(slice(None), *[None] * (x.ndim - 2))], x, 0.0)


def max_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Maximum over the last axis, (B, C, L) → (B, C); a row of length 0 gives 0."""
    if lengths is None:
        return x.amax(-1) if x.shape[-1] else x.new_zeros(x.shape[:-1])
    if x.shape[-1] == 0:
        return x.new_zeros(x.shape[:-1])
    mask = length_mask(lengths, x.shape[-1])[:, None]
    top = x.masked_fill(~mask, -torch.inf).amax(-1)
    return top.masked_fill((lengths <= 0)[:, None], 0.0)


def mean_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over the last axis, (B, C, L) → (B, C); a row of length 0 gives 0."""
    if lengths is None:
        return x.mean(-1) if x.shape[-1] else x.new_zeros(x.shape[:-1])
    wide = torch.promote_types(x.dtype, torch.float32)  # a half holds neither long sums nor large counts
    total = masked(x, lengths).sum(-1, dtype=wide)
    mean = total / lengths.clamp(min=1)[:, None].to(wide)
    return mean.to(x.dtype) if x.dtype.is_floating_point else mean


def mean_max_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean and maximum side by side, (B, C, L) → (B, 2C)."""
    return torch.cat([mean_pool(x, lengths), max_pool(x, lengths)], 1)


def k_max_pool(x: torch.Tensor, lengths: torch.Tensor | None = None, *, k: int) -> torch.Tensor:
    """The k largest values of each channel in the order of their places, (B, C, L) → (B, C, k).

    Of equal values the earlier one counts as larger. A row of fewer than k positions is filled with 0 behind
    them.

    Source: Kalchbrenner, Grefenstette & Blunsom (2014), A Convolutional Neural Network for Modelling
    Sentences, section 3.2.

    Examples
    --------
    >>> k_max_pool(torch.tensor([[[1.0, 9.0, 3.0, 7.0]]]), torch.tensor([3]), k=2)
    tensor([[[9., 3.]]])
    """
    check_whole("k", k)
    if lengths is None:
        lengths = torch.full((x.shape[0],), x.shape[-1], device=x.device)
    if torch.compiler.is_exporting() or x.shape[-1] < k:
        x = torch.nn.functional.pad(x, (0, k))
    valid = length_mask(lengths, x.shape[-1])[:, None]
    least = torch.finfo(x.dtype).min
    left = x.detach().clamp(min=least).masked_fill(~valid, least)
    places = []
    for _ in range(k):  # argmax gives the first of equals, topk any of them
        places.append(left.argmax(-1, keepdim=True))
        left = left.scatter(-1, places[-1], -torch.inf)
    where = torch.cat(places, -1).sort(-1).values
    return x.gather(-1, where).masked_fill(where >= lengths[:, None, None], 0.0)


def attention_pool(x: torch.Tensor, scores: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over the last axis weighted by the softmax of the scores, (B, C, L) → (B, C); length 0 gives 0.

    Parameters
    ----------
    x : Tensor [shape=(B, C, L)]
    scores : Tensor [shape=(B, L)]
    lengths : int Tensor [shape=(B,)], optional

    Source: Yang et al. (2016), Hierarchical Attention Networks for Document Classification, eq. 6–7.

    Examples
    --------
    >>> attention_pool(torch.tensor([[[1.0, 5.0, 9.0]]]), torch.zeros(1, 3), torch.tensor([2]))
    tensor([[3.]])
    """
    if x.shape[-1] == 0:
        return x.new_zeros(x.shape[:-1])
    if lengths is None:
        return (x * scores.softmax(-1)[:, None]).sum(-1)
    valid = length_mask(lengths, x.shape[-1])
    least = torch.finfo(scores.dtype).min  # finite: a row of length 0 has a softmax too, which then meets zeros
    share = scores.masked_fill(~valid, least).softmax(-1)
    return (torch.where(valid[:, None], x, 0.0) * share[:, None]).sum(-1)


def log_sum_exp_pool(x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """A smooth maximum, log of the mean of exponentials, (B, C, L) → (B, C); a row of length 0 gives 0.

    Source: Pinheiro & Collobert (2015), From Image-level to Pixel-level Labeling with Convolutional Networks,
    eq. 6 with r = 1.

    Examples
    --------
    >>> log_sum_exp_pool(torch.tensor([[[2.0, 2.0, 9.0]]]), torch.tensor([2]))
    tensor([[2.]])
    """
    if x.shape[-1] == 0:
        return x.new_zeros(x.shape[:-1])
    if lengths is None:
        return x.logsumexp(-1) - math.log(x.shape[-1])
    valid = length_mask(lengths, x.shape[-1])[:, None]
    least = torch.finfo(x.dtype).min
    total = x.masked_fill(~valid, least).logsumexp(-1)
    mean = total - lengths.clamp(min=1)[:, None].to(x.dtype).log()
    return mean.masked_fill((lengths <= 0)[:, None], 0.0)


def pool(x: torch.Tensor, lengths: torch.Tensor | None = None, *, kind: str = "max") -> torch.Tensor:
    """Pool the last axis of (B, C, L) by the kind's row of POOLINGS.

    Parameters
    ----------
    x : Tensor [shape=(B, C, L)]
    lengths : int Tensor [shape=(B,)], optional
        Valid positions of each row; beyond them nothing is read, not even NaN.
    kind : a key of POOLINGS

    Examples
    --------
    >>> pool(torch.tensor([[[1.0, 5.0, 9.0]]]), torch.tensor([2]), kind="max")
    tensor([[5.]])
    """
    if kind not in POOLINGS:
        raise InputError(f"kind must be one of {', '.join(POOLINGS)}, got {kind!r}")
    if x.ndim != 3:
        raise InputError(f"x must be (B, C, L), got shape {tuple(x.shape)}")
    if lengths is not None and lengths.shape != x.shape[:1]:
        raise InputError(f"lengths must be (B,) = ({x.shape[0]},), got shape {tuple(lengths.shape)}")
    return POOLINGS[kind](x, lengths)


POOLINGS = {"max": max_pool, "mean": mean_pool, "mean_max": mean_max_pool}
