"""Convolution over tokens by the batch's words: each distinct word meets every tap once, sums are gathered."""

from __future__ import annotations

import torch

from ..core.conv import conv

__all__ = ["slide", "tap_responses"]


def tap_responses(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What each word gives at each tap of each filter [shape=(K, U, filters)].

    From rows (U, E) and weight (filters, E, K).

    A convolution is linear in what it slides over: every tap is a dense layer on the words, a convolution of
    width 1. A batch of texts repeats its words, so multiplying each distinct word once and adding up (`slide`)
    takes a third of the time of sliding over the texts themselves.
    """
    filters, dim, k = weight.shape
    taps = conv(rows.T[None], weight.permute(2, 0, 1).reshape(k * filters, dim, 1))  # (1, K * filters, U)
    return taps[0].view(k, filters, -1).transpose(1, 2).contiguous()


def slide(taps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Cross-correlation of texts with filters [shape=(B, filters, L - K + 1)], the sum of words' tap responses.

    From taps (K, U, filters) and places (B, L): each text's words as row numbers below U.
    """
    n = places.shape[1] - len(taps) + 1
    z = torch.nn.functional.embedding(places[:, :n], taps[0])  # (B, n, filters)
    for a in range(1, len(taps)):
        z = z + torch.nn.functional.embedding(places[:, a : a + n], taps[a])
    return z.transpose(1, 2)
