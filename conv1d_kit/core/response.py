"""An impulse response made ready for a source: read, its channels laid out, resampled, mixed with the dry."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, InputError, InputTypeError, one_line
from .npy_file import is_npy, read_header
from .sound_file import SoundReader, shown_path

__all__ = ["Response", "load_response", "mixed"]

RING = 160  # samples of the slower rate on each side of a tap that soxr's VHQ filter reaches above −160 dB


class Response(NamedTuple):
    """What a source is convolved with.

    w : array [shape=(C_out, C_in / groups, lead + taps + ringing)]
    groups : int
    lead : int
        Taps before time 0: the band limit's ringing where the rates differ, else 0.
    taps : int
        K, the response's own length at the source's rate, from time 0.
    dtype : numpy dtype
        What it came in, which decides a `.npy` result's; float32 for a sound.
    """

    w: np.ndarray
    groups: int
    lead: int
    taps: int
    dtype: np.dtype


def load_response(
    kernel: Any,
    kernel_rate: Any,
    matrix: Any,
    *,
    channels: int,
    sample_rate: int | None,
) -> Response:
    """The kernel for a source of so many channels at `sample_rate`.

    A response is a continuous h(t) in samples, y(t) = ∫ h(s)·x(t − s) ds; the sum over samples stands for the
    integral times the rate. At another rate there are that many more or fewer samples, so each is scaled by
    kernel_rate / sample_rate: gain at every frequency both rates hold is kept, and so is the place of time 0.

    Parameters
    ----------
    kernel : path of a sound file or .npy, a clip, or array [shape=(K,), (C, K) or (C_out, C_in, K)]
    kernel_rate : int (Hz), "source" or None
    matrix : (n_out, n_in), optional
        Of a file or array with n_out·n_in channels: row after row, output 0 from input 0, 0 from 1, …
    channels : int
        Of the source.
    sample_rate : int or None
        Of the source (Hz); None where it has none.

    Raises
    ------
    InputError, InputTypeError, DataError
        For a kernel that is empty, all zeros or not finite, whose channels do not fit, or that lacks a rate.
    """
    h, rate, name = _read(kernel, kernel_rate)
    _check_values(h, name)
    is_sound = isinstance(kernel, str | bytes | os.PathLike) and not is_npy(kernel)
    dtype = np.dtype(np.float32) if is_sound else h.dtype.newbyteorder("=")
    if matrix is not None:
        h = _as_matrix(h, matrix, name)
    w, groups = _laid_out(h, channels, name)
    if sample_rate is not None and rate is None:
        raise InputError(
            "kernel_rate (Hz) must be given, an array alone does not say it; "
            "kernel_rate='source' takes the source's own"
        )
    if sample_rate is None and isinstance(kernel_rate, int):
        raise InputError(
            f"sample_rate (Hz) must be given beside kernel_rate, got kernel_rate={kernel_rate} alone: "
            "a .npy has none of its own"
        )
    if sample_rate is None or rate in ("source", sample_rate):
        return Response(w, groups, 0, w.shape[-1], dtype)
    if not isinstance(rate, int):
        raise InputError(f"kernel_rate must be an int >= 1 (Hz) or 'source', got {one_line(rate)}")
    if w.dtype.kind == "c":
        raise InputTypeError(f"{name} must be real to be resampled, got {w.dtype}")
    return _resampled(w, groups, rate, sample_rate)._replace(dtype=dtype)


def mixed(response: Response, *, gain_db: float, wet: float, dry: float, at: int, channels: int) -> Response:
    """gain·(wet·h + dry·δ) as one response: gain and mix cost nothing at run time.

    `at` is the tap, counted from time 0, where the dry signal stands.

    Raises
    ------
    InputError
        If dry is not 0 and the outputs are not the source's channels.
    """
    if gain_db == 0 and wet == 1 and dry == 0:
        return response
    w = response.w.astype(np.complex128 if response.w.dtype.kind == "c" else np.float64) * wet
    if dry != 0:
        n_out = len(w)
        if n_out != channels and channels != 1:
            raise InputError(
                f"dry must be 0 where {channels} channels become {n_out}, got {dry:g}: none is the other's dry"
            )
        for c in range(n_out):
            w[c, c if response.groups == 1 and channels > 1 else 0, response.lead + at] += dry
    with np.errstate(over="ignore"):
        w *= np.float64(10) ** (gain_db / 20)
    return response._replace(w=w)


def _read(kernel: Any, kernel_rate: Any) -> tuple[np.ndarray, Any, str]:
    """Values, rate and what to call it in a message."""
    if isinstance(kernel_rate, np.integer):
        kernel_rate = int(kernel_rate)
    if isinstance(kernel_rate, bool) or not (
        kernel_rate is None or kernel_rate == "source" or (isinstance(kernel_rate, int) and kernel_rate > 0)
    ):
        raise InputError(f"kernel_rate must be an int >= 1 (Hz) or 'source', got {one_line(kernel_rate)}")
    if isinstance(kernel, str | bytes | os.PathLike):
        name = f"kernel {shown_path(kernel)}"
        if is_npy(kernel):
            read_header(kernel)
            try:
                return np.load(kernel, allow_pickle=False), kernel_rate, name
            except (ValueError, EOFError, OSError) as error:
                raise DataError(f"{name}: not a readable .npy file ({error})") from error
        if kernel_rate is not None:
            raise InputError(
                f"kernel_rate must be left out for a sound file, which says its own, got {kernel_rate}"
            )
        return (*_read_sound(kernel, name), name)
    if hasattr(kernel, "samples") and hasattr(kernel, "sample_rate"):
        return np.asarray(kernel.samples), kernel.sample_rate if kernel_rate is None else kernel_rate, "kernel"
    if hasattr(kernel, "detach"):
        kernel = kernel.detach().cpu().resolve_conj().numpy()
    if not isinstance(kernel, np.ndarray):
        raise InputTypeError(
            f"kernel must be a path, an array, a tensor or a clip, got {type(kernel).__name__}; "
            "np.asarray(kernel) makes an array"
        )
    return kernel, kernel_rate, "kernel"


def _read_sound(path, name: str) -> tuple[np.ndarray, int]:
    reader = SoundReader(path)
    try:
        h = np.concatenate([np.zeros((reader.channels, 0)), *reader.blocks(1 << 16)], 1)
    finally:
        reader.close()
    if reader.fault is not None:
        raise DataError(f"{name}: damaged ({reader.fault}); fetch or write it again")
    return h, reader.sample_rate


def _check_values(h: np.ndarray, name: str) -> None:
    if h.dtype.kind not in "biufc" or h.dtype.char in "gG":
        raise InputTypeError(f"{name} must hold integers, floats or complex numbers, got dtype {h.dtype}")
    if h.ndim not in (1, 2, 3):
        raise InputError(f"{name} must be (K,), (C, K) or (C_out, C_in, K), got shape {h.shape}")
    if h.size == 0:
        raise InputError(f"{name} must hold at least one tap, got shape {h.shape}")
    if h.dtype.kind in "fc" and not np.isfinite(h).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(h))[0])
        raise InputError(
            f"{name} must be finite, got {h[where]} at index {where if h.ndim > 1 else where[0]}; "
            "try numpy.nan_to_num"
        )
    if not h.any():
        raise InputError(f"{name} must hold a tap other than 0, got {h.shape[-1]} zeros: all would be silence")


def _as_matrix(h: np.ndarray, matrix: Any, name: str) -> np.ndarray:
    if (
        not isinstance(matrix, tuple | list)
        or len(matrix) != 2
        or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in matrix)
    ):
        raise InputError(f"matrix must be (n_out, n_in), ints >= 1, got {one_line(matrix)}")
    n_out, n_in = matrix
    if h.ndim == 1:
        h = h[None]
    if h.ndim != 2 or len(h) != n_out * n_in:
        raise InputError(
            f"{name} must have {n_out}·{n_in} channels for matrix=({n_out}, {n_in}), got shape {h.shape}"
        )
    return h.reshape(n_out, n_in, -1)


def _laid_out(h: np.ndarray, channels: int, name: str) -> tuple[np.ndarray, int]:
    """w (C_out, C_in / groups, K) and its groups."""
    if h.ndim == 3:
        if h.shape[1] != channels:
            raise InputError(
                f"{name} must be for the source's {channels} channel{'s' * (channels != 1)}, "
                f"got a matrix of {h.shape[0]} outputs and {h.shape[1]} inputs"
            )
        return h, 1
    h = np.atleast_2d(h)
    if len(h) == 1:
        return np.repeat(h[:, None], channels, 0), channels
    if channels == 1:
        return h[:, None], 1
    if len(h) == channels:
        return h[:, None], channels
    hint = "; try kernel.T" if h.shape[1] in (1, channels) and len(h) > h.shape[1] else ""
    if len(h) % channels == 0:
        hint = f"; matrix=({len(h) // channels}, {channels}) mixes channels"
    raise InputError(f"{name} must have 1 or {channels} channels, as the source, got {len(h)}{hint}")


def _resampled(w: np.ndarray, groups: int, rate: int, sample_rate: int) -> Response:
    """At the source's rate, with the ringing of a band limit on both sides: to cut it would cost gain."""
    import soxr

    common = math.gcd(rate, sample_rate)
    unit_in, unit_out = rate // common, sample_rate // common  # this many samples last equally long
    ring = math.ceil(RING * max(1, sample_rate / rate))
    units = math.ceil(2 * ring / unit_out)  # soxr's own borders stay outside of what is kept
    taps = math.ceil(w.shape[-1] * sample_rate / rate)
    flat = np.asarray(w, np.float64).reshape(-1, w.shape[-1])
    rows = []
    for row in flat:  # one at a time: a rate pair such as 44100 and 48001 pads by a second
        padded = np.pad(row, units * unit_in)
        y = soxr.resample(padded, rate, sample_rate, "VHQ")
        zero = units * unit_out
        rows.append(y[zero - ring : zero + taps + ring] * (rate / sample_rate))
    resampled = np.stack(rows).reshape(*w.shape[:-1], -1)
    return Response(resampled, groups, ring, taps, resampled.dtype)
