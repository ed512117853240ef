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

from typing import Any

__all__ = ["ConvKitError", "DataError", "InputError", "InputTypeError", "ModelError", "one_line"]


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
