"""The door: NumPy, torch or any DLPack array in, torch inside over the same memory, the same kind out."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ..errors import InputTypeError, one_line

__all__ = [
    "DTYPES",
    "check_dtype",
    "common_dtype",
    "dtype_name",
    "enter",
    "flipped",
    "narrow",
    "needs_copy",
    "new_result",
    "shown",
    "to_numpy",
    "widen",
]

# what torch hardly computes with, and the signed kind of its size
_UNSIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
LARGE = 1 << 22  # bytes from which NumPy asks for huge pages, whose first touch is several times cheaper
CPU = 1  # DLPack's code of the device
DTYPES = frozenset((
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, *_UNSIGNED,
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
))  # fmt: skip


def enter(**arrays: Any) -> tuple[list[Any], Callable[[torch.Tensor], Any]]:
    """Let arrays of one library and one device in; None passes through as `bias` alone.

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
        For lists, object arrays, masked arrays, long doubles, sparse, nested or quantised tensors, or a mix of
        libraries or devices.

    Examples
    --------
    >>> (x,), leave = enter(x=np.arange(3.0))
    >>> leave(x * 2)
    array([0., 2., 4.])
    """
    device = None
    for name, a in arrays.items():
        if isinstance(a, torch.Tensor):
            if a.layout is not torch.strided or a.is_nested:
                raise InputTypeError(
                    f"{name} must be a dense tensor, got {'nested' if a.is_nested else a.layout}; "
                    f"try {name}.to_dense()"
                )
            if device is None:
                device = a.device
            elif a.device != device:
                raise _mixed_devices(arrays)
        elif a is not None or name != "bias":
            break
    else:
        return list(arrays.values()), _same
    given = {name: a for name, a in arrays.items() if a is not None or name != "bias"}
    libraries = {name: _library(name, a) for name, a in given.items()}
    if len(set(libraries.values())) > 1:
        kinds = ", ".join(f"{name}: {library}" for name, library in libraries.items())
        raise InputTypeError(f"arrays must come from one library, got {kinds}; convert one of them")
    library = next(iter(libraries.values()))
    if library == "numpy":
        return [None if a is None else _from_numpy(name, a) for name, a in arrays.items()], to_numpy
    tensors = {name: None if a is None else _from_dlpack(name, a) for name, a in arrays.items()}
    if len({t.device for t in tensors.values() if t is not None}) > 1:
        raise _mixed_devices(tensors)
    return list(tensors.values()), _dlpack_reader(next(iter(given.values())), library)


def needs_copy(a: Any) -> bool:
    """True for NumPy arrays that torch cannot look at in place: foreign byte order, negative or odd strides."""
    return isinstance(a, np.ndarray) and (
        not a.dtype.isnative or any(s < 0 or s % max(1, a.itemsize) for s in a.strides)
    )


def common_dtype(*tensors: torch.Tensor) -> torch.dtype:
    """The dtype torch's promotion gives; NumPy's where torch has none (uint16, uint32, uint64 among integers).

    Examples
    --------
    >>> common_dtype(torch.zeros(1, dtype=torch.float64), torch.zeros(1))
    torch.float64
    """
    dtype = tensors[0].dtype
    for t in tensors[1:]:
        if t.dtype != dtype:
            dtype = _promoted(check_dtype(dtype), check_dtype(t.dtype))
    return dtype


def check_dtype(dtype: torch.dtype) -> torch.dtype:
    """`dtype` itself where convolutions of it are defined, or InputTypeError."""
    if dtype not in DTYPES:
        raise InputTypeError(
            f"arrays must be bool, integer, bfloat16, float16/32/64 or complex64/128, got {dtype}; "
            "convert to one of them"
        )
    return dtype


def shown(value: Any) -> str:
    """What came, for a message: one line, not too long."""
    if isinstance(value, np.ndarray | torch.Tensor) and (value.ndim or 0) > 1:
        return f"{type(value).__name__} {value.dtype} {tuple(value.shape)}"
    return one_line(value)


def dtype_name(dtype: torch.dtype) -> str:
    """float32 for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _promoted(a: torch.dtype, b: torch.dtype) -> torch.dtype:
    try:
        return torch.promote_types(a, b)
    except RuntimeError:  # torch leaves unsigned integers beside other integers undefined
        like = (torch.zeros(1, dtype=dtype).numpy() for dtype in (a, b))
        return torch.from_numpy(np.zeros(1, np.result_type(*(t.dtype for t in like)))).dtype


def widen(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`t` as `dtype`, or as int64 where torch cannot sum that dtype (bool, uint16, uint32, uint64)."""
    return t.to(torch.int64 if dtype == torch.bool or dtype in _UNSIGNED else dtype)


def narrow(t: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What `widen` was done for, undone: unsigned sums wrap as they would have, a bool sum is any()."""
    return t if t.dtype == dtype else t != 0 if dtype == torch.bool else t.to(dtype)


def flipped(t: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """`t` turned round on these axes, the unsigned integers too that torch does not turn."""
    signed = _UNSIGNED.get(t.dtype)
    return t.flip(axes) if signed is None else t.view(signed).flip(axes).view(t.dtype)


def new_result(like: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Uninitialised memory of `like`'s dtype and device for a result that is filled in place.

    Examples
    --------
    >>> new_result(torch.zeros(1), (2, 3)).shape
    torch.Size([2, 3])
    """
    if like.device.type != "cpu" or math.prod(shape) * like.dtype.itemsize < LARGE:
        return like.new_empty(shape)
    return (
        torch.from_numpy(np.empty(math.prod(shape) * like.dtype.itemsize, np.uint8))
        .view(like.dtype)
        .view(shape)
    )


def _same(t: torch.Tensor) -> torch.Tensor:
    return t


def to_numpy(t: torch.Tensor) -> np.ndarray:
    """A CPU tensor's memory as an array; a copy where torch keeps a sign or conjugate for later."""
    return (t.resolve_conj().resolve_neg() if t.is_conj() or t.is_neg() else t).numpy()


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
    if needs_copy(a):
        a = a.astype(a.dtype.newbyteorder("="), copy=True)
    if not a.flags.writeable:
        a = np.asarray(_Unlocked(a))
    return torch.from_numpy(a)


def _from_dlpack(name: str, a: Any) -> torch.Tensor:
    """Through NumPy where it can be: torch.from_dlpack ends the process at a negative stride."""
    try:
        seen = np.from_dlpack(a) if a.__dlpack_device__()[0] == CPU else None
    except (AttributeError, BufferError, RuntimeError):  # bfloat16, say, which NumPy lacks
        seen = None
    if seen is not None:
        return _from_numpy(name, seen)
    try:
        return torch.from_dlpack(a)
    except Exception as error:
        line = str(error).partition("\n")[0]
        raise InputTypeError(
            f"{name} must be readable through DLPack, got {type(a).__name__}: {line}"
        ) from error


def _mixed_devices(tensors: dict[str, Any]) -> InputTypeError:
    places = ", ".join(f"{name}: {t.device}" for name, t in tensors.items() if hasattr(t, "device"))
    return InputTypeError(f"arrays must be on one device, got {places}; move one of them")


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
