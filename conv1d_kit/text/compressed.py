"""Files that were compressed by gzip, bzip2 or xz, opened as if they were not."""

from __future__ import annotations

import importlib
import lzma
import zlib
from pathlib import PurePath
from typing import BinaryIO

__all__ = ["DAMAGED", "open_binary", "plain_name"]

_MODULES = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
DAMAGED = (EOFError, zlib.error, lzma.LZMAError)  # besides OSError: what reading a damaged one may raise


def plain_name(name: str) -> str:
    """The name without the compression's ending.

    Examples
    --------
    >>> plain_name("reviews.csv.gz"), plain_name("reviews.csv")
    ('reviews.csv', 'reviews.csv')
    """
    return name[: -len(PurePath(name).suffix)] if PurePath(name).suffix.lower() in _MODULES else name


def open_binary(path: str) -> BinaryIO:
    """The file's bytes, decompressed where its ending says so; errors are those of `open`."""
    module = _MODULES.get(PurePath(path).suffix.lower())
    return open(path, "rb") if module is None else importlib.import_module(module).open(path, "rb")
