"""Batch norm over rows of several lengths: what pads a row counts for nothing and comes out as 0."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .core.pooling import masked

__all__ = ["MaskedBatchNorm1d", "MaskedBatchNorm2d"]


class _Masked:
    """The forward that both share; parameters, buffers and state_dict are torch.nn's."""

    def forward(self: Any, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        self._check_input_dim(x)
        if not self.training and self.running_mean is not None:
            return masked(super().forward(x), lengths)  # type: ignore[misc]
        counts = [x.shape[-1]] * len(x) if lengths is None else lengths.clamp(max=x.shape[-1]).tolist()
        n = sum(counts) * (x.shape[2] if x.ndim == 4 else 1)
        if n == 0:  # nothing but rows of no frames: nothing to learn from
            return torch.zeros_like(x)
        if n == x.numel() // x.shape[1] > 1 and not x.is_contiguous():  # torch's own is quick channels last
            return super().forward(x)  # type: ignore[misc]
        weight, bias = self.weight, self.bias
        if weight is None:  # affine=False
            full = torch.promote_types(x.dtype, torch.float32)
            weight, bias = (torch.full((x.shape[1],), v, dtype=full, device=x.device) for v in (1.0, 0.0))
        y, mean, variance = _Normalize.apply(x.to(weight.dtype), counts, n, weight, bias, self.eps)
        if self.running_mean is None:  # track_running_stats=False
            return y
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            rate = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * (n / max(n - 1, 1)), rate)
        return y


class MaskedBatchNorm1d(_Masked, nn.BatchNorm1d):
    """Batch norm of (B, C, L) whose training statistics count the first `lengths` positions of each row only.

    The state_dict is that of torch.nn.BatchNorm1d, and without lengths so is the result, save that a single
    position may be trained on too. What stands beyond a row's end is never read and becomes 0.

    Source: Ioffe & Szegedy (2015), Batch Normalization, algorithm 1.

    Shape
    -----
    x (B, C, L), lengths (B,) or None → (B, C, L)

    Examples
    --------
    >>> x = torch.tensor([[[1.0, 3.0]], [[2.0, torch.nan]]])
    >>> MaskedBatchNorm1d(1)(x, torch.tensor([2, 1])).detach().round(decimals=3) + 0.0
    tensor([[[-1.2250,  1.2250]],
    <BLANKLINE>
            [[ 0.0000,  0.0000]]])
    """

    streams_like: type | None = nn.BatchNorm1d  # in a stream nothing is padded

    def _check_input_dim(self, x: torch.Tensor) -> None:
        if x.ndim != 3:
            raise ValueError(f"expected 3D input (got {x.ndim}D input)")


class MaskedBatchNorm2d(_Masked, nn.BatchNorm2d):
    """The same of (B, C, F, L): lengths are of the last axis.

    Shape
    -----
    x (B, C, F, L), lengths (B,) or None → (B, C, F, L)
    """

    streams_like: type | None = nn.BatchNorm2d


class _Normalize(torch.autograd.Function):
    """(x, counts, n, weight, bias, eps) → y, mean and variance of the n valid values a channel.

    Each step is one of torch's batch norm kernels in its inference form, which passes once over the maps: on
    the CPU that is half the time of training ones, and the same again of masks that multiply.
    """

    @staticmethod
    def forward(ctx, x, counts, n, weight, bias, eps):
        zero, one = torch.zeros_like(weight), torch.ones_like(weight)
        longest = max(range(len(counts)), key=counts.__getitem__)
        about = x[longest, ..., : counts[longest]].flatten(1).mean(1)  # near the mean: no digits are lost
        v = _scaled(x, one, zero, about, one, 0.0)
        _clear(v, counts)
        square, total = _sums(v, v, one, zero, one, 0.0)
        mean = total / n
        variance = (square / n - mean.square()).clamp(min=0)
        y = _scaled(v, weight, bias, mean, variance, eps)
        _clear(y, counts)
        ctx.save_for_backward(v, weight, mean, variance)
        ctx.counts, ctx.n, ctx.eps = counts, n, eps
        mean = mean + about
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gy, *_):
        v, weight, mean, variance = ctx.saved_tensors
        gw, gb = _sums(gy, v, weight, mean, variance, ctx.eps)
        rate = torch.rsqrt(variance + ctx.eps)
        for row, count in enumerate(ctx.counts):  # y is 0 there, whatever x is
            if count < gy.shape[-1]:
                beyond = gy[row, ..., count:].flatten(1).sum(1)
                gb -= beyond
                gw += beyond * mean * rate  # v is 0 there
        share = weight * rate / ctx.n
        gx = _scaled(v, -share * gw, -share * gb, mean, variance, ctx.eps)
        gx.addcmul_(gy, (weight * rate).reshape(-1, *[1] * (gy.ndim - 2)))
        _clear(gx, ctx.counts)
        return gx, None, None, gw, gb, None


def _scaled(x, weight, bias, mean, variance, eps):
    """(x − mean) / √(variance + eps) · weight + bias, each a value a channel."""
    return torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0]


def _sums(g, x, weight, mean, variance, eps):
    """Σ g · (x − mean) / √(variance + eps) and Σ g of each channel."""
    _, product, total = torch.ops.aten.native_batch_norm_backward(
        g, x, weight, mean, variance, None, None, False, eps, [False, True, True]
    )
    return product, total


def _clear(x: torch.Tensor, counts: list[int]) -> None:
    """Zeros beyond each row's end, in place."""
    for row, count in zip(x, counts, strict=True):
        if count < x.shape[-1]:
            row[..., count:].zero_()
