"""Formats of files of texts: which one a file is in, and its decoded rows; line-based ones in a stream."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import DataError, InputError
from .compressed import DAMAGED, open_binary, plain_name
from .delimited import read_csv, read_tsv
from .encoding import SAMPLE, Encoding, detect_encoding, first_bad_byte, line_at, named_encoding
from .json_array import read_json_array
from .line_formats import read_fasttext, read_jsonl, read_lines, read_plain, read_tabs, sniff_lines
from .parquet import read_parquet
from .records import PEEK
from .rows import Columns, Row, TextFile, checked

__all__ = ["READERS", "Reader", "check_format", "find_format", "guess_format", "open_path", "open_rows"]

_BLOCK = 1 << 18  # characters of a JSON file read at once
_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


class Reader(NamedTuple):
    """How a format is read: a function (name, what it takes, Columns) → rows."""

    rows: Callable[..., Iterator[Row]]
    takes: str = "lines"  # decoded "lines", decoded "blocks" of any length, or the binary "file"
    any_end: bool = False  # lines end at LF, CR or both, even in one file


def open_rows(
    name: str, file: BinaryIO, format: str | None, columns: Columns, encoding: str | None = None
) -> TextFile:
    """The rows of a binary file, none read yet; a pipe is copied to a temporary file first.

    Parameters
    ----------
    name : str
        What messages call it, and what the format is guessed from.
    file : binary file
        Closed when its rows have been read, or if this fails.
    format : a key of READERS, or None to find it
    columns : Columns
    encoding : str, or None to detect it

    Raises
    ------
    DataError, InputError
        If it is damaged, or the encoding cannot be used.
    """
    file = _seekable(file)
    try:
        kind = format or _format_of(name, file, encoding)
        reader = READERS[kind]
        if reader.takes == "file":
            rows = _closing(file, checked(reader.rows(name, file, columns), columns))
            return TextFile(name, kind, Encoding("utf-8", None), rows)
        found = detect_encoding(file) if encoding is None else named_encoding(file, encoding, source=name)
        stream = io.TextIOWrapper(
            file, found.name, newline="" if reader.any_end else _line_end(file, found.name)
        )
    except (*DAMAGED, OSError) as error:
        file.close()
        raise _damaged(name, error) from error
    except (InputError, DataError):
        file.close()
        raise
    parts = iter(lambda: stream.read(_BLOCK), "") if reader.takes == "blocks" else stream
    rows = _decoding(name, stream, found.name, checked(reader.rows(name, parts, columns), columns))
    notes = [f"{name}: each line has a tab: its label stands before the tab"] if kind == "tabs" else []
    return TextFile(name, kind, found, rows, notes)


def open_path(name: str) -> BinaryIO:
    """The file's bytes, decompressed where its ending says so.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    try:
        return open_binary(name)
    except IsADirectoryError as error:
        raise DataError(f"{name} is a folder; name a file of texts in it") from error
    except OSError as error:
        raise DataError(f"{name} cannot be opened: {error.strerror}; check the path") from error


def guess_format(name: str, otherwise: str = "lines") -> str:
    """Format by the ending of a file's name; "lines", or what is said, for any other ending.

    Examples
    --------
    >>> guess_format("reviews.CSV"), guess_format("reviews.jsonl.gz"), guess_format("rt-polarity.all")
    ('csv', 'jsonl', 'lines')
    """
    return _SUFFIXES.get(Path(plain_name(name)).suffix.lower(), otherwise)


def find_format(path: str | Path, encoding: str | None = None) -> str:
    """Format by the ending of a file's name, or by its first lines: a key of READERS.

    A .json file is a list ("json") or, where it does not begin with [, an object a line ("jsonl"). Files of
    other endings are "fasttext" if most of their first lines begin with `__label__`, "tabs" (label, tab, text)
    if each of them has a tab, otherwise "lines".

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    name = str(path)
    with open_path(name) as file:
        try:
            return _format_of(name, file, None if encoding == "auto" else encoding)
        except (*DAMAGED, OSError) as error:
            raise _damaged(name, error) from error


def check_format(format: str | None) -> None:
    """Refuse a format that is no key of READERS (None: to be found).

    Raises
    ------
    InputError
    """
    if format is not None and format not in READERS:
        raise InputError(f"format must be one of {', '.join(READERS)}, got {format!r}")


def _damaged(name: str, error: BaseException) -> DataError:
    return DataError(f"{name} cannot be read: {error}; is it damaged or cut short?")


def _format_of(name: str, file: BinaryIO, encoding: str | None) -> str:
    kind = guess_format(name)
    if kind not in ("lines", "json"):
        return kind
    found = detect_encoding(file) if encoding is None else named_encoding(file, encoding, source=name)
    end = _line_end(file, found.name)
    head = codecs.getincrementaldecoder(found.name)("replace").decode(file.read(SAMPLE))
    file.seek(0)
    if kind == "json":
        return "json" if head.lstrip().startswith("[") else "jsonl"
    lines = head.split(end)
    return sniff_lines(lines[: max(1, min(PEEK, len(lines) - 1))])


def _line_end(file: BinaryIO, encoding: str) -> str:
    """Lines end at LF (a CR before it is cut off), or at CR in a file that has no LF."""
    file.seek(0)
    sample = file.read(SAMPLE)
    file.seek(0)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _decoding(name: str, stream: io.TextIOWrapper, encoding: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; what may go wrong in decoding is said with its line, and the file closed at the end."""
    with stream:
        try:
            yield from rows
        except UnicodeError as error:
            file: BinaryIO = stream.buffer  # type: ignore[assignment]
            place = first_bad_byte(file, encoding)
            if place is None:
                raise DataError(f"{name}: is not {encoding}: {error}; name another encoding") from error
            raise DataError(
                f"{name}: line {line_at(file, encoding, place[0])}: byte 0x{place[1]:02x} is not {encoding}; "
                "name another encoding, or none to have it detected"
            ) from error
        except (*DAMAGED, OSError) as error:
            raise _damaged(name, error) from error


def _closing(file, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; the file is closed at their end."""
    with file:
        yield from rows


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file, or a temporary copy of a pipe, which can be read only once."""
    if file.seekable():
        return file
    import shutil
    import tempfile

    copy = tempfile.TemporaryFile()  # noqa: SIM115  # closed when its rows have been read
    shutil.copyfileobj(file, copy)
    return copy


READERS: dict[str, Reader] = {
    "lines": Reader(read_lines),
    "plain": Reader(read_plain),
    "csv": Reader(read_csv, any_end=True),
    "tsv": Reader(read_tsv, any_end=True),
    "jsonl": Reader(read_jsonl),
    "tabs": Reader(read_tabs),
    "fasttext": Reader(read_fasttext),
    "json": Reader(read_json_array, "blocks"),
    "parquet": Reader(read_parquet, "file"),
}
