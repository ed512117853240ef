"""A transposed convolution as an ordinary one: outputs a stride apart share their taps.

Each of the `stride` phases of the output is a convolution of x with every stride-th tap of the kernel. All of
them go as output channels of one convolution through the engine, and are then laid one between the other. torch
spreads a kernel for each input instead and adds up what meets, a row of the batch on one thread.
Source: Bellanger et al. (1976), Digital filtering by polyphase network, IEEE Trans. ASSP 24.
"""

from __future__ import annotations

import torch

from .conv import conv

__all__ = ["transposed_by_phases"]


def transposed_by_phases(
    x: torch.Tensor, w: torch.Tensor, stride: int, low: int, size: int, groups: int
) -> tuple[torch.Tensor, bool]:
    """y[t] = sum_l x[l] · w[t + low − l·stride] for t = 0 … size − 1, and whether zeros stood in for taps.

    Where they did, a NaN or Inf of x reaches outputs beyond its kernel.

    Parameters
    ----------
    x : Tensor [shape=(B, C, L)]
    w : Tensor [shape=(C, O / groups, K)]
    low : int >= 0
        Outputs cut off before t = 0.

    Examples
    --------
    >>> x, w = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 10.0, 100.0]]])
    >>> transposed_by_phases(x, w, 2, 0, 5, 1)
    (tensor([[[  1.,  10., 102.,  20., 200.]]]), True)
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
    y = conv(x, kernels, padding=((max(0, before), max(0, behind)),), groups=groups)
    y = y.unflatten(1, (-1, stride)).transpose(2, 3).flatten(2)  # (B, O, rounds · stride)
    return (y if y.shape[-1] == size else y[..., :size].contiguous()), bool(shift or missing)
