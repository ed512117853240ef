"""A convolution as the dense layer that it is a special case of, and how many weights each step there saves."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from ..errors import InputError
from .array import enter
from .autocast import full_precision
from .padding import check_mode, pad, resolve_padding
from .plan import check_groups, per_axis

__all__ = ["parameter_counts", "toeplitz_matrix"]


@full_precision
def toeplitz_matrix(
    w: Any, size: int | Sequence[int], *, stride=1, padding=0, padding_mode="zeros", dilation=1, groups=1
) -> Any:
    """The dense matrix M for which `M @ x.ravel()` equals `conv(x, w, ...).ravel()`.

    Its entries are the four-index weight of a dense layer on an image, W[i, j, k, l] (output cell i, j; input
    cell k, l), which holds V[a, b] wherever (k, l) = (i + a, j + b) and 0 elsewhere. For showing and checking:
    it needs (C_out·L_out)·(C_in·L) numbers.

    Parameters
    ----------
    w : array [shape=(C_out, C_in/groups, *kernel)]
        NumPy or torch, one to three spatial axes.
    size : int or ints
        The spatial shape of one input, such as 16000 or (28, 28).
    stride, padding, padding_mode, dilation, groups
        As in `conv`. A constant other than zero is no matrix and refused.

    Returns
    -------
    array [shape=(C_out·∏L_out, C_in·∏size)], of w's library and dtype; torch keeps gradients to w.

    Raises
    ------
    InputError
        If the shapes do not fit each other or the kernel does not fit the padded signal.

    Source: Zhang et al., Dive into Deep Learning, "From fully connected layers to convolutions", eq. 1 to 3.

    Examples
    --------
    >>> import numpy as np
    >>> toeplitz_matrix(np.array([[[1, 2, 3]]]), 5)
    array([[1, 2, 3, 0, 0],
           [0, 1, 2, 3, 0],
           [0, 0, 1, 2, 3]])
    >>> toeplitz_matrix(np.array([[[1, 2, 3]]]), 4, padding=1, padding_mode="circular")
    array([[2, 3, 0, 1],
           [1, 2, 3, 0],
           [0, 1, 2, 3],
           [3, 0, 1, 2]])
    """
    (kernel,), leave = enter(w=w)
    rank = kernel.ndim - 2
    if not 1 <= rank <= 3 or 0 in kernel.shape:
        raise InputError(
            f"w must be (C_out, C_in/groups, *kernel) with 1 to 3 kernel axes, none empty, got {tuple(w.shape)}"
        )
    c_out, c_group = kernel.shape[:2]
    groups = check_groups(groups)
    if c_out % groups:
        raise InputError(f"groups must divide C_out = {c_out}, got {groups}")
    if not isinstance(check_mode(padding_mode, kernel.dtype), str) and padding_mode != 0:
        raise InputError(
            f"padding_mode must be linear to be a matrix, so zeros or a name, got {padding_mode!r}"
        )
    sizes, strides, dilations = (
        per_axis(name, value, rank)
        for name, value in [("size", size), ("stride", stride), ("dilation", dilation)]
    )
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    pads = resolve_padding(padding, sizes, spans, strides)
    reads = [
        _reads(*axis, padding_mode).to(kernel)  # (L_out, K, L): 1 where output i reads input p with tap k
        for axis in zip(sizes, spans, strides, dilations, pads, strict=True)
    ]
    taps, outputs, inputs = "abc"[:rank], "ijk"[:rank], "pqr"[:rank]
    terms = ",".join(o + t + i for o, t, i in zip(outputs, taps, inputs, strict=True))
    blocks = [
        torch.einsum(f"mn{taps},{terms}->m{outputs}n{inputs}", v, *reads).reshape(
            c_out // groups * prod(r.shape[0] for r in reads), c_group * prod(sizes)
        )
        for v in kernel.chunk(groups)
    ]
    return leave(torch.block_diag(*blocks))


def parameter_counts(
    size: int | Sequence[int], delta: int, *, channels_in: int = 1, channels_out: int = 1
) -> dict[str, int]:
    """Weights (no biases) of a layer that keeps the spatial shape, from a dense one to a convolution.

    Parameters
    ----------
    size : int or ints
        The spatial shape, such as 16000 (samples) or (1000, 1000) (pixels).
    delta : int
        Δ: a cell sees those at most Δ away on each axis, 2Δ + 1 taps.
    channels_in, channels_out : int

    Returns
    -------
    dict
        dense: W[i, j, k, l], every cell on every cell; shared: translation invariance alone, V[a, b] for every
        offset that exists; local: locality alone, V[i, j, a, b]; convolution: both, V[a, b] with |a|, |b| <= Δ.
        Taps that fall beyond the border are counted, as they are stored.

    Raises
    ------
    InputError
        If delta is negative or reaches beyond every cell.

    Source: Zhang et al., Dive into Deep Learning, "From fully connected layers to convolutions".

    Examples
    --------
    >>> for step, weights in parameter_counts((1000, 1000), 5).items():
    ...     print(f"{step:12}{weights:>17,}")
    dense       1,000,000,000,000
    shared              3,996,001
    local             121,000,000
    convolution               121
    """
    sizes = per_axis("size", size, len(size) if isinstance(size, tuple | list) else 1)
    (channels_in,), (channels_out,) = (
        per_axis("channels_in", channels_in, 1),
        per_axis("channels_out", channels_out, 1),
    )
    (delta,) = per_axis("delta", delta, 1, least=0)
    if any(delta >= n for n in sizes):
        raise InputError(
            f"delta must be an int from 0 to {min(sizes) - 1} (the smallest size − 1), got {delta}"
        )
    channels = channels_in * channels_out
    cells, taps = prod(sizes), (2 * delta + 1) ** len(sizes)
    return {
        "dense": channels * cells**2,
        "shared": channels * prod(2 * n - 1 for n in sizes),
        "local": channels * cells * taps,
        "convolution": channels * taps,
    }


def _reads(size: int, span: int, stride: int, dilation: int, low_high: tuple[int, int], mode) -> torch.Tensor:
    """Which input (0 or 1 along the last axis) each tap of each output reads [shape=(L_out, K, L)]."""
    cells = pad(torch.arange(1, size + 1), (low_high,), mode)  # 0 stands for "nothing there"
    if cells.shape[0] < span:
        raise InputError(f"the kernel spans {span} cells but the padded axis has {cells.shape[0]}; pad more")
    seen = cells.unfold(0, span, stride)[:, ::dilation]  # (L_out, K)
    return (seen[..., None] == torch.arange(1, size + 1)).long()
