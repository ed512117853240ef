"""What a chunk must be: its kind, dtype, shape and rate; and one clear line where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..core.array import dtype_name
from ..errors import InputError, InputTypeError
from .plan import Plan

__all__ = ["as_arrays", "as_input_errors", "check_chunk", "entered"]


def entered(chunk: Any) -> torch.Tensor:
    """The chunk as a tensor of our own."""
    dense = not isinstance(chunk, torch.Tensor) or (chunk.layout == torch.strided and not chunk.is_nested)
    if isinstance(chunk, np.ma.MaskedArray) or not dense:
        raise InputTypeError(
            f"chunk must be a plain array or tensor, got {_kind(chunk)}; fill or convert it first"
        )
    if isinstance(chunk, np.ndarray):
        if not chunk.dtype.isnative or chunk.dtype.kind not in "fiuc":
            raise InputError(
                f"chunk must be numbers in native byte order, got {chunk.dtype}; use chunk.astype(…)"
            )
        x = torch.from_numpy(np.array(chunk, order="C"))
    elif isinstance(chunk, torch.Tensor):
        x = chunk.detach().clone()
    else:
        raise InputTypeError(f"chunk must be a NumPy array or a torch tensor, got {type(chunk).__name__}")
    return x


def check_chunk(x: torch.Tensor, plan: Plan, like: torch.Tensor | None) -> None:
    """InputError unless the chunk fits the plan and, after the first one, what came before (`like`)."""
    dtype = plan.dtype if like is None else like.dtype
    ids = like is None and dtype == torch.int64 and x.dtype == torch.int32
    if dtype is not None and x.dtype != dtype and not ids:
        raise InputError(
            f"chunk must be {dtype_name(dtype)}, as the net is, got {dtype_name(x.dtype)}; convert it"
        )
    if x.ndim != plan.chunk.ndim:
        names = {2: "(B, T)", 3: "(B, C, T)", 4: "(B, C, F, L)"}[plan.chunk.ndim]
        raise InputError(f"chunk must be {names}, got shape {tuple(x.shape)}; try chunk[None]")
    if like is None and plan.channels is not None and x.shape[1] != plan.channels:
        raise InputError(
            f"chunk must have {plan.channels} channels, got {x.shape[1]} in shape {tuple(x.shape)}"
        )
    if like is not None and x.shape[:-1] != like.shape[:-1]:
        wanted = ", ".join(str(n) for n in like.shape[:-1])
        raise InputError(f"chunk must be ({wanted}, T) as the first one, got shape {tuple(x.shape)}")


class as_input_errors:
    """What torch says of a chunk that does not fit, as one clear line."""

    def __init__(self, x: torch.Tensor):
        self.shape = tuple(x.shape)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, RuntimeError | IndexError):
            raise InputError(
                f"chunk must fit the net, got shape {self.shape}: {str(error).splitlines()[0]}"
            ) from error


def as_arrays(out: Any) -> Any:
    """NumPy for the tensors in whatever a net returns."""
    if isinstance(out, torch.Tensor):
        return out.numpy()
    if isinstance(out, dict):
        return {key: as_arrays(value) for key, value in out.items()}
    return type(out)(as_arrays(value) for value in out) if isinstance(out, tuple | list) else out


def _kind(chunk: Any) -> str:
    """What kind of array this is that is not plain."""
    return "a masked array" if isinstance(chunk, np.ndarray) else f"a tensor of layout {chunk.layout}"
