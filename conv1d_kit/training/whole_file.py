"""A text file that takes its name when all of it is written, so that a reader never sees half of it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import DataError
from .model_files import refuse_model_file

__all__ = ["give_plain_mode", "is_stream", "whole_file"]


@contextmanager
def whole_file(
    path: str | os.PathLike, *, cure: str = "choose another place", newline: str | None = None
) -> Iterator[TextIO]:
    """A file to write to under a temporary name, moved to `path` when the block ends without an error.

    What is no file (a pipe, /dev/null) is written to and stays; a link stays, too: its file is replaced.

    Parameters
    ----------
    path : str or path
        Its folder is made. "-" is standard output.
    cure : str
        What to do where it cannot be written.
    newline : str or None
        As `open` takes it.

    Raises
    ------
    DataError
        If the file cannot be written, or not to its end, or belongs to a model.

    Examples
    --------
    >>> place = Path(tempfile.mkdtemp(), "notes.txt")
    >>> with whole_file(place) as file:
    ...     _ = file.write("all of it")
    >>> place.read_text()
    'all of it'
    """
    part: str | None = None
    to_standard = os.fspath(path) == "-"
    try:
        if to_standard or is_stream(path):
            place, owned = (1, False) if to_standard else (path, True)
            with open(
                place, "w", encoding="utf-8", errors="backslashreplace", newline=newline, closefd=owned
            ) as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        refuse_model_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline=newline) as file:
            yield file
        give_plain_mode(part)
        os.replace(part, target)
        part = None
    except BrokenPipeError:  # the reader of a pipe has what it wanted
        raise
    except OSError as error:
        place = "standard output" if to_standard else os.fspath(path)
        raise DataError(f"cannot write {place}: {error.strerror or error}; {cure}") from error
    finally:
        if part is not None:
            os.unlink(part)


def give_plain_mode(path: str | os.PathLike) -> None:
    """Let a file or folder be read by whom the umask allows: temporary names are made for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, (0o777 if os.path.isdir(path) else 0o666) & ~mask)


def is_stream(path: str | os.PathLike) -> bool:
    """Whether something stands there that takes what is written and is no file or folder: a pipe, a device."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
