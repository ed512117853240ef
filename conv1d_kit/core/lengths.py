"""Rows of different length in one padded batch: each gives what it gives alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .padding import PADDINGS, resolve_padding
from .plan import Plan, per_axis

__all__ = ["lengths_tensor", "mask_beyond", "output_lengths", "pad_rows"]


def output_lengths(
    lengths: Any,
    kernel_size: int,
    *,
    stride: int = 1,
    padding: int | str | tuple = 0,
    dilation: int = 1,
) -> Any:
    """How many outputs are each row's own along one axis.

    Parameters
    ----------
    lengths : int, or ints [shape=(B,)] as NumPy array, Tensor or sequence
    kernel_size, stride, padding, dilation
        As in `conv`, of that axis.

    Returns
    -------
    int64 of the kind that came in (ndarray for a sequence); 0 where the kernel does not fit

    Examples
    --------
    >>> output_lengths([10, 4, 0], 3, stride=2, padding="same")
    array([5, 2, 0])
    """
    (stride,), (dilation,) = per_axis("stride", stride, 1), per_axis("dilation", dilation, 1)
    values = lengths.tolist() if hasattr(lengths, "tolist") else lengths
    flat = values if isinstance(values, list | tuple) else [values]
    span, sizes = (kernel_size - 1) * dilation + 1, []
    for n in flat:
        ((low, high),) = resolve_padding(padding, [n], [span], [stride])
        sizes.append(max(0, (n + low + high - span) // stride + 1))
    if isinstance(values, int):
        return sizes[0]
    return torch.tensor(sizes, device=lengths.device) if isinstance(lengths, torch.Tensor) else np.array(sizes)


def lengths_tensor(lengths: Any, x: torch.Tensor) -> torch.Tensor:
    """lengths as int64 (B,) beside x, or InputError."""
    rows = torch.as_tensor(np.asarray(lengths) if not isinstance(lengths, torch.Tensor) else lengths)
    if rows.shape != x.shape[:1] or rows.dtype.is_floating_point or rows.dtype == torch.bool:
        raise InputError(
            f"lengths must be ints of shape (B,) = ({x.shape[0]},), got {rows.dtype} {tuple(rows.shape)}"
        )
    rows = rows.to(device=x.device, dtype=torch.int64)
    if x.shape[0] and not 0 <= int(rows.min()) <= int(rows.max()) <= x.shape[-1]:
        raise InputError(f"lengths must be 0 to {x.shape[-1]}, got {int(rows.min())} to {int(rows.max())}")
    return rows


def pad_rows(
    x: torch.Tensor, rows: torch.Tensor, kernel: Sequence[int], plan: Plan, padding: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """x with every row padded behind its own end, and each row's number of outputs on the last axis.

    Leading axes are padded as the plan says. Beyond a row's high pad stand zeros.
    """
    g = plan.geometry
    pads = plan.mode_pads or g.pads
    spans, whole = g.spans(kernel), x.shape[-1]
    fill = 0 if plan.mode == "zeros" or plan.mode in PADDINGS else plan.mode
    for axis, (low, high) in enumerate(pads[:-1], start=2):
        x = _pad_axis(
            x,
            axis,
            torch.full_like(rows, x.shape[axis]),
            [(low, high)] * len(rows),
            low + high,
            plan.mode,
            fill,
        )
    own = [resolve_padding(padding, (*x.shape[2:-1], n), spans, g.stride)[-1] for n in rows.tolist()]
    sizes = [
        (n + low + high - spans[-1]) // g.stride[-1] + 1
        for n, (low, high) in zip(rows.tolist(), own, strict=True)
    ]
    x = _pad_axis(x, x.ndim - 1, rows, own, sum(pads[-1]), plan.mode, fill)
    wanted = whole + sum(pads[-1])
    return x[..., :wanted], torch.tensor(sizes, device=x.device).clamp(min=0)


def mask_beyond(y: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Zeros where a row's outputs have ended."""
    inside = torch.arange(y.shape[-1], device=y.device) < sizes[:, None]
    return torch.where(
        inside.reshape(len(sizes), *(1,) * (y.ndim - 2), -1), y, torch.zeros((), dtype=y.dtype, device=y.device)
    )


def _pad_axis(x, axis: int, rows, own: list[tuple[int, int]], most: int, mode: Any, fill: Any) -> torch.Tensor:
    """Pad one axis, each row with its own (low, high) behind its own end; the result is size + most long."""
    lows = torch.tensor([low for low, _ in own], device=x.device)[:, None]
    highs = torch.tensor([high for _, high in own], device=x.device)[:, None]
    n = rows[:, None]
    position = torch.arange(x.shape[axis] + most, device=x.device)[None] - lows
    used = position < n + highs
    inside = (position >= 0) & (position < n)
    if mode in PADDINGS:
        if bool(((n == 0) & (lows + highs > 0)).any()):
            raise InputError(f"padding_mode {mode!r} has nothing to copy from a row of length 0; use zeros")
        index = PADDINGS[mode](position, n.clamp(min=1))
        inside = used & (n > 0)
    else:
        index = position
    shape = (x.shape[0], *(1,) * (axis - 1), -1, *(1,) * (x.ndim - axis - 1))
    index = index.clamp(0, max(0, x.shape[axis] - 1)).reshape(shape)
    if x.shape[axis] == 0:
        gathered = x.new_zeros((*x.shape[:axis], position.shape[1], *x.shape[axis + 1 :]))
    else:
        gathered = torch.take_along_dim(x, index, axis)
    zero = torch.zeros((), dtype=x.dtype, device=x.device)
    invented = torch.where(used.reshape(shape), zero + fill, zero)
    return torch.where(inside.reshape(shape), gathered, invented)
