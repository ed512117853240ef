"""Sample rates of chunks: a whole number of Hz, and the same for all of a stream."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ..errors import InputError, one_line

__all__ = ["checked_rate"]


def checked_rate(sample_rate: Any, known: int | None = None) -> int:
    """`sample_rate` as an int >= 1 (Hz), and no other than `known`; or InputError.

    Examples
    --------
    >>> checked_rate(48_000)
    48000
    >>> checked_rate(44_100, 48_000)
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: sample_rate must be the stream's 48000 Hz, got 44100; resample the chunk
    """
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Integral) or sample_rate < 1:
        raise InputError(f"sample_rate must be an int >= 1 (Hz), got {one_line(sample_rate)}")
    if known not in (None, sample_rate):
        raise InputError(f"sample_rate must be the stream's {known} Hz, got {sample_rate}; resample the chunk")
    return int(sample_rate)
