"""The door: NumPy, torch or any DLPack array in, torch inside over the same memory, the same kind out."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ..errors import InputTypeError

__all__ = ["common_dtype", "enter", "narrow", "widen"]

_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def enter(**arrays: Any) -> tuple[list[Any], Callable[[torch.Tensor], Any]]:
    """Let arrays of one library in; None passes through.

    Parameters
    ----------
    **arrays : name = array
        All of one library: NumPy, torch, or another that speaks DLPack. Names serve the messages.

    Returns
    -------
    tensors : list of Tensor or None
        In the order given, over the caller's memory wherever torch can look at it. Copied are only arrays
        with negative or odd strides and foreign byte order; none is ever written to.
    leave : function(Tensor) → array of the library that came in

    Raises
    ------
    InputTypeError
        For lists, object arrays, masked arrays, long doubles, or a mix of libraries.

    Examples
    --------
    >>> (x,), leave = enter(x=np.arange(3.0))
    >>> leave(x * 2)
    array([0., 2., 4.])
    """
    given = {name: a for name, a in arrays.items() if a is not None}
    if all(type(a) is torch.Tensor for a in given.values()):
        return list(arrays.values()), _same
    libraries = {name: _library(name, a) for name, a in given.items()}
    if len(set(libraries.values())) > 1:
        kinds = ", ".join(f"{name}: {library}" for name, library in libraries.items())
        raise InputTypeError(f"arrays must come from one library, got {kinds}; convert one of them")
    library = next(iter(libraries.values()))
    if library == "torch":
        return list(arrays.values()), _same
    if library == "numpy":
        return [None if a is None else _from_numpy(name, a) for name, a in arrays.items()], _to_numpy
    first = next(iter(given.values()))
    tensors = [None if a is None else torch.from_dlpack(a) for a in arrays.values()]
    return tensors, _dlpack_reader(first, library)


def common_dtype(*tensors: torch.Tensor) -> torch.dtype:
    """The dtype torch's promotion gives; NumPy's where torch has none (uint16, uint32, uint64).

    Examples
    --------
    >>> common_dtype(torch.zeros(1, dtype=torch.float64), torch.zeros(1))
    torch.float64
    """
    dtype = tensors[0].dtype
    for t in tensors[1:]:
        if t.dtype != dtype:
            if t.dtype in _UNSIGNED or dtype in _UNSIGNED:
                a = torch.zeros((), dtype=dtype).numpy().dtype
                b = torch.zeros((), dtype=t.dtype).numpy().dtype
                dtype = torch.from_numpy(np.zeros(1, np.result_type(a, b))).dtype
            else:
                dtype = torch.promote_types(dtype, t.dtype)
    return dtype


def widen(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`t` as `dtype`, or as int64 where torch cannot sum that dtype (bool, uint16, uint32, uint64)."""
    return t.to(torch.int64 if dtype == torch.bool or dtype in _UNSIGNED else dtype)


def narrow(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What `widen` was done for, undone: unsigned sums wrap as they would have, a bool sum is any()."""
    return t if t.dtype == dtype else t != 0 if dtype == torch.bool else t.to(dtype)


def _same(t: torch.Tensor) -> torch.Tensor:
    return t


def _to_numpy(t: torch.Tensor) -> np.ndarray:
    return t.resolve_conj().resolve_neg().numpy()


def _library(name: str, a: Any) -> str:
    if isinstance(a, torch.Tensor):
        return "torch"
    if isinstance(a, np.ndarray | np.generic):
        return "numpy"
    if hasattr(a, "__dlpack__"):
        return type(a).__module__.partition(".")[0]
    raise InputTypeError(
        f"{name} must be a NumPy array, a torch tensor or a DLPack array, got {type(a).__name__}; "
        f"np.asarray({name}) makes one"
    )


def _from_numpy(name: str, a: np.ndarray) -> torch.Tensor:
    if isinstance(a, np.ma.MaskedArray):
        raise InputTypeError(f"{name} must be a plain array, got a masked one; try {name}.filled(0)")
    a = np.asarray(a)
    if a.dtype.kind not in "biufc" or a.dtype.char in "gG":
        raise InputTypeError(
            f"{name} must be bool, integer, float16/32/64 or complex64/128, got dtype {a.dtype}; "
            f"try {name}.astype(float)"
        )
    if not a.dtype.isnative:
        a = a.astype(a.dtype.newbyteorder("="))
    if any(s < 0 or s % a.itemsize for s in a.strides):
        a = a.copy()
    if not a.flags.writeable:
        a = np.asarray(_Unlocked(a))
    return torch.from_numpy(a)


class _Unlocked:
    """A read-only array shown as writable, so that torch looks at its memory (a memory map, say) in place."""

    def __init__(self, a: np.ndarray):
        interface = dict(a.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__, self.owner = interface, a


def _dlpack_reader(first: Any, library: str) -> Callable[[torch.Tensor], Any]:
    if hasattr(first, "__array_namespace__"):
        return first.__array_namespace__().from_dlpack
    reader = getattr(import_module(library), "from_dlpack", None)
    if reader is None:
        raise InputTypeError(f"{library} has no from_dlpack to give the result back; pass NumPy or torch")
    return reader
