"""`.npy` arrays larger than memory, by plain file calls: the pages of a memory map would count as ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, InputError
from .sound_file import shown_path

__all__ = ["NpyReader", "NpyWriter", "is_npy", "read_header"]

_HEADER = 256  # bytes; room for any shape, so that the length may be written at the end


class NpyHeader(NamedTuple):
    """What the front of a `.npy` says: shape, dtype, order in memory, and where (bytes) the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool
    offset: int


def is_npy(path) -> bool:
    """Whether a path ends in .npy."""
    return os.fsdecode(path).lower().endswith(".npy")


def read_header(path) -> NpyHeader:
    """The header of a `.npy`, values unread.

    Raises
    ------
    DataError
        If the file is missing, no `.npy`, or holds objects.
    """
    name = shown_path(path)
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version[0] == 1:
                shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
            offset = file.tell()
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be opened ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{name}: not a readable .npy file ({error})") from error
    if dtype.kind not in "biufc" or dtype.char in "gG":
        raise DataError(f"{name}: must hold bool, integers, floats or complex numbers, got dtype {dtype}")
    return NpyHeader(shape, dtype, is_fortran, offset)


class NpyReader:
    """A `.npy` of shape (T,) or (C, T), in C or Fortran order, as arrays (C, n) in order.

    Attributes
    ----------
    channels : int
    frames : int
        T, or less where the file ends early.
    dtype : numpy dtype
        In the machine's byte order.
    sample_rate : int or None
        As given: a `.npy` has none of its own.
    is_vector : bool
        Whether the shape is (T,).
    fault : str or None
        Set when the file ends before its values do.

    Raises
    ------
    DataError
        As `read_header`; for another shape, no values, or channels that are missing altogether.
    """

    subtype: str | None = None

    def __init__(self, path, sample_rate: int | None = None):
        self.path, self.name, self.sample_rate = path, shown_path(path), sample_rate
        header = read_header(path)
        shape, stored = header.shape, header.dtype
        if len(shape) not in (1, 2):
            raise DataError(f"{self.name}: must be of shape (T,) or (C, T), got {shape}")
        self.is_vector = len(shape) == 1
        self.channels, frames = (1, *shape)[-2:]
        if self.channels == 0 or frames == 0:
            raise DataError(f"{self.name}: must hold at least one sample, got shape {shape}")
        if self.channels > 64 and self.channels > frames and not header.is_fortran:
            raise DataError(f"{self.name}: must be of shape (C, T), got {shape}; save its transpose")
        self.dtype = stored.newbyteorder("=")
        self._stored, self._offset = stored, header.offset
        self._by_frames = header.is_fortran or self.channels == 1
        self.fault: str | None = None
        there = max(0, os.path.getsize(path) - header.offset) // stored.itemsize
        self._row = frames
        self.frames: int | None = frames
        if there < self.channels * frames:
            self.fault = f"truncated, {there} of the {self.channels * frames} values its header promises"
            self.frames = there // self.channels
            if not self._by_frames or self.frames == 0:
                raise DataError(f"{self.name}: {self.fault}; write it again")
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115

    def blocks(self, n: int, skip: int = 0) -> Iterator[np.ndarray]:
        """Arrays [shape=(C, n)], the last one shorter, from frame `skip` on."""
        assert self.frames is not None
        for start in range(skip, self.frames, n):
            m = min(n, self.frames - start)
            if self._by_frames:
                x = self._values(start * self.channels, m * self.channels)
                x = np.ascontiguousarray(x.reshape(m, self.channels).T)
            else:
                x = np.stack([self._values(c * self._row + start, m) for c in range(self.channels)])
            yield x.astype(self.dtype, copy=False)

    def close(self) -> None:
        self._file.close()

    def _values(self, at: int, count: int) -> np.ndarray:
        out = np.empty(count, self._stored)
        self._file.seek(self._offset + at * self._stored.itemsize)
        view, done = memoryview(out.view(np.uint8)), 0
        while done < len(view):
            got = self._file.readinto(view[done:])
            if not got:
                raise DataError(f"{self.name}: became shorter while it was read; write it again")
            done += got
        return out


class NpyWriter:
    """A `.npy` of shape (C, N), or (N,), written block by block.

    Where `frames` is known the rows lie one after another (C order); else frame after frame (Fortran order),
    and the length is written at the end.

    Parameters
    ----------
    path : str or path
    dtype : numpy dtype
    channels : int
    frames : int, optional
    is_vector : bool
        Shape (N,), for one channel.
    resume_at : int
        Frames that stand there already; 0 writes anew.

    Raises
    ------
    DataError
        If fewer frames stand there than `resume_at`.
    """

    def __init__(
        self,
        path,
        dtype: Any,
        channels: int,
        frames: int | None = None,
        *,
        is_vector: bool = False,
        resume_at: int = 0,
    ):
        if is_vector and channels != 1:
            raise InputError(f"a vector must have one channel, got {channels}")
        self.path, self.frames, self.clipped = path, resume_at, 0
        self._dtype, self._channels, self._is_vector = np.dtype(dtype), channels, is_vector
        self._rows = frames if channels > 1 else None
        if resume_at:
            self._refuse_short(resume_at)
        self._file = open(path, "r+b" if resume_at else "wb", buffering=0)  # noqa: SIM115
        if self._rows is None:
            self._file.truncate(_HEADER + resume_at * channels * self._dtype.itemsize)

    def write(self, y: np.ndarray, largest: float | None = None) -> None:
        """Frames [shape=(n, C)]."""
        y = np.asarray(y, self._dtype)
        if self._rows is None:
            self._put(self.frames * self._channels, np.ascontiguousarray(y))
        else:
            for c in range(self._channels):
                self._put(c * self._rows + self.frames, np.ascontiguousarray(y[:, c]))
        self.frames += len(y)

    def flush(self) -> None:
        """To the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        shape = (self.frames,) if self._is_vector else (self._channels, self.frames)
        fortran = self._rows is None and not self._is_vector
        words = f"{{'descr': '{self._dtype.str}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
        magic = np.lib.format.magic(1, 0)
        room = _HEADER - len(magic) - 2
        self._file.seek(0)
        self._write(magic + room.to_bytes(2, "little") + words.ljust(room - 1) + b"\n")
        self._file.close()

    def abort(self) -> None:
        self._file.close()

    def _refuse_short(self, frames: int) -> None:
        """What is missing would be read as zeros."""
        last = frames * self._channels if self._rows is None else (self._channels - 1) * self._rows + frames
        needed = _HEADER + last * self._dtype.itemsize
        there = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        if there < needed:
            raise DataError(
                f"{shown_path(self.path)}: must hold the {needed} bytes that the journal counts, got {there}; "
                "leave resume out to begin anew"
            )

    def _put(self, at: int, values: np.ndarray) -> None:
        self._file.seek(_HEADER + at * self._dtype.itemsize)
        self._write(memoryview(values.reshape(-1).view(np.uint8)))

    def _write(self, data: Any) -> None:
        done = 0
        while done < len(data):
            done += self._file.write(data[done:]) or 0
