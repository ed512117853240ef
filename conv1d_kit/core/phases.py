"""A transposed convolution as an ordinary one: outputs a stride apart share their taps.

Each of the `stride` phases of the output is a convolution of x with every stride-th tap of the kernel. All of
them go as output channels of one convolution through the engine, and are then laid one between the other. torch
spreads a kernel for each input instead and adds up what meets, a row of the batch on one thread.
Source: Bellanger et al. (1976), Digital filtering by polyphase network, IEEE Trans. ASSP 24.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .differentiable import all_finite

__all__ = ["spread_by_phases"]

Convolve = Callable[[torch.Tensor, torch.Tensor, tuple[int, int], int], torch.Tensor]


def spread_by_phases(
    x: torch.Tensor, w: torch.Tensor, stride: int, low: int, size: int, groups: int, convolve: Convolve
) -> torch.Tensor | None:
    """y[t] = sum_l x[l] · w[t + low − l·stride] for t = 0 … size − 1 [shape=(B, O, size)].

    None where what is not finite meets a zero that stands in for a tap or for an input: NaN would come of it.

    Parameters
    ----------
    x : Tensor [shape=(B, C, L)]
    w : Tensor [shape=(C, O / groups, K)]
    low : int >= 0
        Outputs cut off before t = 0.
    convolve : function (x, w, (low, high) pad, groups) → y
        The stride-1 convolution, in which a NaN of x reaches its own outputs alone.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 10.0, 100.0]]])
    >>> padded = lambda x, w, pads, groups: torch.conv1d(torch.nn.functional.pad(x, pads), w, groups=groups)
    >>> spread_by_phases(x, w, 2, 0, 5, 1, padded)
    tensor([[[  1.,  10., 102.,  20., 200.]]])
    """
    shift = -low % stride  # so that the first output kept is the first of a round of phases
    first, n_taps = (low + shift) // stride, -(-(w.shape[2] + shift) // stride)
    missing = n_taps * stride - w.shape[2] - shift
    taps = torch.nn.functional.pad(w, (shift, missing)) if shift or missing else w
    taps = taps.unflatten(0, (groups, -1)).unflatten(-1, (n_taps, stride)).flip(-2)  # (G, C/G, O/G, T, stride)
    kernels = taps.permute(0, 2, 4, 1, 3).flatten(0, 2)  # (O · stride, C/G, T)
    n_rounds = -(-size // stride)
    before, behind = n_taps - 1 - first, n_rounds + first - x.shape[-1]
    x = x[..., max(0, -before) : x.shape[-1] + min(0, behind)]
    y = convolve(x, kernels, (max(0, before), max(0, behind)), groups)
    y = y.unflatten(1, (-1, stride)).transpose(2, 3).flatten(2)  # (B, O, rounds · stride)
    if not all_finite(w) or ((shift or missing) and not all_finite(y)):
        return None
    return y if y.shape[-1] == size else y[..., :size].contiguous()
