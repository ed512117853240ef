"""Every error this package raises on purpose, so that one `except` catches what the user can mend.

ConvKitError
├── InputError (also ValueError)      a value, shape, rate or option that cannot be used
├── InputTypeError (also TypeError)   a kind of object that cannot be used, or two that do not mix
├── DataError (also ValueError)       a file, folder or table that cannot be used; says the path
└── ModelError (also ValueError)      a model folder that cannot be read or does not fit

Messages say the name, what is allowed, what came, and the cure:
"stride must be an int >= 1, got 0".
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

__all__ = [
    "LARGEST",
    "ConvKitError",
    "DataError",
    "InputError",
    "InputTypeError",
    "ModelError",
    "check_whole",
    "is_number",
    "is_whole",
    "one_line",
]

LARGEST = 2**31 - 1  # of what is counted: sizes, steps, strides; every kernel of torch can count to it


class ConvKitError(Exception):
    """The root: every error below is one of these."""


class InputError(ConvKitError, ValueError):
    """A value, shape, rate or option that cannot be used."""


class InputTypeError(ConvKitError, TypeError):
    """A kind of object that cannot be used, or two kinds that do not mix."""


class DataError(ConvKitError, ValueError):
    """A file, folder or table that cannot be used; the message says the path."""


class ModelError(ConvKitError, ValueError):
    """A model folder that cannot be read or does not fit the call."""


def one_line(value: Any) -> str:
    """What came, for a message: on one line, not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_number(value: Any) -> bool:
    """A real number of Python or NumPy, and no bool."""
    import numpy as np

    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """An int of any library, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_whole(name: str, value: Any, *, least: int = 1, or_none: bool = False) -> Any:
    """`value` as an int from `least` to LARGEST (or None, where that is allowed), or InputError.

    Examples
    --------
    >>> check_whole("width", 32), check_whole("epochs", None, or_none=True)
    (32, None)
    >>> check_whole("width", 0)
    Traceback (most recent call last):
    conv1d_kit.errors.InputError: width must be an int >= 1, got 0
    """
    if value is None and or_none:
        return None
    whole = is_whole(value)
    if not whole or not least <= value <= LARGEST:
        limit = f" and <= {LARGEST}" * (whole and value > LARGEST) + " or None" * or_none
        raise InputError(f"{name} must be an int >= {least}{limit}, got {one_line(value)}")
    return int(value)
