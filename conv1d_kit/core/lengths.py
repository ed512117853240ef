"""Rows of different length in one padded batch: each gives what it gives alone."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from operator import index
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InputError
from .array import enter, shown
from .padding import Pads, resolve_padding
from .plan import per_axis

__all__ = ["Rows", "output_lengths", "own_rows", "row_lengths"]


MOST = 2**62  # samples that an int64 still counts with pads added


class Rows(NamedTuple):
    """What is each row's own on the last axis."""

    lengths: list[int]  # of its signal
    pads: Pads  # (low, high) around that
    sizes: list[int]  # of its output


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
    lengths : int >= 0, or ints [shape=(B,)] as NumPy, torch or DLPack array, list or tuple (samples)
    kernel_size, stride, padding, dilation
        As in `conv`, of that axis.

    Returns
    -------
    int64 of the kind that came in (ndarray for a sequence); 0 where the kernel does not fit

    Raises
    ------
    InputError
        If a length is no int >= 0, or an option does not fit.

    Examples
    --------
    >>> output_lengths([10, 4, 0], 3, stride=2, padding="same")
    array([5, 2, 0])
    """
    kernel_size, stride, dilation = (
        per_axis(name, value, 1)[0]
        for name, value in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    )
    span = (kernel_size - 1) * dilation + 1
    if isinstance(lengths, Integral) and not isinstance(lengths, bool) and 0 <= int(lengths) <= MOST:
        return own_rows([int(lengths)], padding, [span], [stride]).sizes[0]
    values = _ints(lengths)
    if values is None or any(not 0 <= n <= MOST for n in values):
        raise InputError(f"lengths must be an int >= 0 or ints >= 0 of shape (B,), got {shown(lengths)}")
    sizes = torch.tensor(own_rows(values, padding, [span], [stride]).sizes, dtype=torch.int64)
    if isinstance(lengths, torch.Tensor):
        return sizes[0] if lengths.ndim == 0 else sizes.to(lengths.device)
    if isinstance(lengths, np.ndarray | list | tuple):
        return sizes.numpy() if np.ndim(lengths) else int(sizes[0])
    return enter(lengths=lengths)[1](sizes)


def row_lengths(lengths: Any, batch: int, size: int) -> list[int]:
    """lengths of the rows of (batch, ..., size) as ints, or InputError."""
    values = _ints(lengths)
    if values is None or len(values) != batch or getattr(lengths, "ndim", 1) != 1:
        raise InputError(f"lengths must be ints of shape (B,) = ({batch},), got {shown(lengths)}")
    if values and not 0 <= min(values) <= max(values) <= size:
        raise InputError(f"lengths must be 0 to {size}, got {min(values)} to {max(values)}")
    return values


def own_rows(
    lengths: list[int], padding: Any, spans: Sequence[int], strides: Sequence[int], lead: Sequence[int] = ()
) -> Rows:
    """Each row's pads and outputs on the last axis; `lead` are the sizes of the axes before it."""
    pads = tuple(resolve_padding(padding, (*lead, n), spans, strides)[-1] for n in lengths)
    sizes = [
        max(0, (n + low + high - spans[-1]) // strides[-1] + 1)
        for n, (low, high) in zip(lengths, pads, strict=True)
    ]
    return Rows(lengths, pads, sizes)


def _ints(lengths: Any) -> list[int] | None:
    """lengths as a list of ints; None where they are something else."""
    if isinstance(lengths, list | tuple):
        try:
            return None if any(isinstance(n, bool) for n in lengths) else [index(n) for n in lengths]
        except TypeError:
            return None
    if not isinstance(lengths, np.ndarray | np.generic) and not hasattr(lengths, "__dlpack__"):
        return None
    ((t,), _) = enter(lengths=lengths)
    if t.ndim > 1 or t.dtype == torch.bool or t.dtype.is_floating_point or t.dtype.is_complex:
        return None
    return t.reshape(-1).tolist()
