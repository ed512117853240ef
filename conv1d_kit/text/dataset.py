"""Labelled texts from files: CSV, TSV, JSONL, `label text` lines and plain lines, read in a stream.

Every row comes back, the unusable ones with the reason in `error`; nothing is dropped on the way.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, InputError
from .encoding import Encoding, detect_encoding

__all__ = ["READERS", "LabelledTexts", "Row", "TextFile", "guess_format", "open_texts", "read_texts"]

PEEK = 100  # rows looked at before a missing key of a JSONL file is called unknown
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True)
class Row:
    """One row: the line it starts on (from 1), its label and text if it has them, and what is wrong with it."""

    line: int
    label: str | None
    text: str | None
    error: str | None = None


@dataclass
class TextFile:
    """An open file of texts: its name, format and encoding, and its rows, once, in order."""

    name: str
    format: str
    encoding: Encoding
    rows: Iterator[Row]

    @property
    def note(self) -> str | None:
        """What the reader should know of the encoding, or None if it is Unicode."""
        if self.encoding.reason is None:
            return None
        return (
            f"{self.name}: read as {self.encoding.name}: {self.encoding.reason}; another encoding can be named"
        )


@dataclass
class LabelledTexts:
    """A file's usable rows side by side, and the others with their reasons."""

    name: str
    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[Row] = field(default_factory=list)
    note: str | None = None
    encoding: str = "utf-8"

    def __len__(self) -> int:
        return len(self.texts)


def open_texts(
    source: str | Path | BinaryIO,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str | None = "label",
    encoding: str | None = None,
) -> TextFile:
    """Open a file of texts and stream its rows.

    Parameters
    ----------
    source : path, or a binary file; a pipe is copied to a temporary file first
    format : a key of READERS, optional
        By default from the name's ending (.csv, .tsv, .jsonl), otherwise "lines".
    text_column, label_column : str
        Column (CSV, TSV: of the header; JSONL: key). With `label_column` None, labels are not looked for.
    encoding : str, optional
        By default detected; `TextFile.note` says what was chosen if it is not Unicode.

    Raises
    ------
    DataError
        If the file is missing or empty, or a column is unknown; while reading, if the encoding does not fit.
    InputError
        If the format or the encoding is unknown.
    """
    if format is not None and format not in READERS:
        raise InputError(f"format must be one of {', '.join(READERS)}, got {format!r}")
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise InputError(f"encoding must be one that Python knows, got {encoding!r}; try cp1252") from error
    if isinstance(source, str | Path):
        name = str(source)
        try:
            file: BinaryIO = open(source, "rb")  # noqa: SIM115  # closed when its rows have been read
        except IsADirectoryError as error:
            raise DataError(f"{name} is a folder; name a file of texts in it") from error
        except OSError as error:
            raise DataError(f"{name} cannot be opened: {error.strerror}; check the path") from error
    else:
        name, file = str(getattr(source, "name", "the input")), source
    file = _seekable(file)
    found = detect_encoding(file) if encoding is None else Encoding(encoding, None)
    kind = format or guess_format(name)
    file.seek(0)
    stream = io.TextIOWrapper(file, found.name, newline="" if kind in ("csv", "tsv") else "\n")
    rows = _checked(name, found.name, READERS[kind](name, stream, text_column, label_column), label_column)
    first = list(islice(rows, 1))
    if not first:
        raise DataError(f"{name} is empty or holds no rows; a row is a text, with its label to train on it")
    return TextFile(name, kind, found, chain(first, rows))


def read_texts(
    path: str | Path,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
) -> LabelledTexts:
    """Read a whole file of labelled texts to learn from.

    Parameters
    ----------
    path, format, text_column, label_column, encoding
        As in `open_texts`.

    Returns
    -------
    LabelledTexts
        Rows without label or text stand in `bad`.

    Raises
    ------
    DataError
        As `open_texts`; and if no row is usable, there is one class, or nearly every row has one of its own.
    """
    file = open_texts(
        path, format=format, text_column=text_column, label_column=label_column, encoding=encoding
    )
    data = LabelledTexts(file.name, note=file.note, encoding=file.encoding.name)
    for row in file.rows:
        if row.error is not None:
            data.bad.append(row)
        elif row.label is None or row.text is None:
            data.bad.append(replace(row, error="no label"))
        else:
            data.texts.append(row.text)
            data.labels.append(row.label)
            data.lines.append(row.line)
    _check_classes(data)
    return data


def guess_format(name: str) -> str:
    """Format by the ending of a file's name; "lines" for any other ending.

    Examples
    --------
    >>> guess_format("reviews.CSV"), guess_format("rt-polarity.all")
    ('csv', 'lines')
    """
    return _SUFFIXES.get(Path(name).suffix.lower(), "lines")


def _check_classes(data: LabelledTexts) -> None:
    if not data.texts:
        first = data.bad[0]
        raise DataError(
            f"{data.name}: none of its {len(data.bad)} rows has both a label and a text; "
            f"line {first.line}: {first.error}"
        )
    counts = Counter(data.labels)
    if len(counts) == 1:
        raise DataError(
            f"{data.name} holds one class only, {next(iter(counts))!r} in {len(data)} rows; two are needed: "
            "add texts of another class, or check which column is the label"
        )
    if len(data) >= 10 and len(counts) > len(data) / 2:
        raise DataError(
            f"{data.name} holds {len(counts)} labels in {len(data)} rows, {data.labels[0]!r} the first; "
            "check which column, or that the first word of each line, is the label"
        )


def _checked(name: str, encoding: str, rows: Iterator[Row], label_column: str | None) -> Iterator[Row]:
    """The rows, with missing parts named, and rows that are wholly empty at the end of the file left away."""
    empty: list[Row] = []
    line = 0
    try:
        for row in rows:
            line = row.line
            text = None if row.text is None or not row.text.strip() else row.text
            label = None if row.label is None or not row.label.strip() else row.label.strip()
            error = row.error
            if error is None and text is None:
                error = "no text" if label is not None or label_column is None else "no label and no text"
                if label is None:
                    empty.append(Row(row.line, None, None, error))
                    continue
            yield from empty
            empty = []
            yield Row(row.line, label, text, error)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: after line {line} byte 0x{error.object[error.start]:02x} is not {encoding}; "
            "name another encoding, or none to have it detected"
        ) from error


def _read_lines(
    name: str, stream: io.TextIOWrapper, text_column: str, label_column: str | None
) -> Iterator[Row]:
    """`label text`: the first word, up to a space or a tab, is the label."""
    with stream:
        for number, line in enumerate(stream, start=1):
            body = line.rstrip("\r\n").lstrip(" \t")
            cut = min((i for i in (body.find(" "), body.find("\t")) if i >= 0), default=len(body))
            yield Row(number, body[:cut], body[cut:].strip(" \t"))


def _read_plain(
    name: str, stream: io.TextIOWrapper, text_column: str, label_column: str | None
) -> Iterator[Row]:
    """One text a line, no labels."""
    with stream:
        for number, line in enumerate(stream, start=1):
            yield Row(number, None, line.rstrip("\r\n"))


def _read_csv(name: str, stream: io.TextIOWrapper, text_column: str, label_column: str | None) -> Iterator[Row]:
    return _read_table(name, stream, text_column, label_column, csv.reader(stream, strict=True))


def _read_tsv(name: str, stream: io.TextIOWrapper, text_column: str, label_column: str | None) -> Iterator[Row]:
    """Tab-separated as IANA has it: a quotation mark is a character like any other."""
    rows = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
    return _read_table(name, stream, text_column, label_column, rows)


def _read_table(name: str, stream, text_column: str, label_column: str | None, rows) -> Iterator[Row]:
    with stream:
        try:
            header = next(rows, None)
        except csv.Error as error:
            raise DataError(f"{name}: line 1, the header, cannot be read: {error}") from error
        if header is None:
            return
        places = [_column(name, c, header) for c in (text_column, label_column) if c is not None]
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield Row(
                    line,
                    None,
                    None,
                    f"cannot be read ({error}), to line {rows.line_num}; is a quote left open?",
                )
                continue
            if cells is None:
                return
            if cells and len(cells) != len(header):
                yield Row(line, None, None, f"{len(cells)} columns where the header has {len(header)}")
                continue
            values = [cells[i] if cells else "" for i in places]
            yield Row(line, values[1] if len(values) > 1 else None, values[0])


def _read_jsonl(
    name: str, stream: io.TextIOWrapper, text_column: str, label_column: str | None
) -> Iterator[Row]:
    def objects() -> Iterator[tuple[int, dict | str]]:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                yield number, {}
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                yield number, f"not JSON ({error})"
                continue
            yield (
                number,
                value if isinstance(value, dict) else f"not a JSON object but a {type(value).__name__}",
            )

    with stream:
        stream_of = objects()
        head = list(islice(stream_of, PEEK))
        keys = [list(value) for _, value in head if isinstance(value, dict) and value]
        for column in (text_column, label_column):
            if column is not None and keys and not any(column in k for k in keys):
                _column(name, column, keys[0])
        for number, value in chain(head, stream_of):
            if isinstance(value, str):
                yield Row(number, None, None, value)
                continue
            text, label = value.get(text_column), value.get(label_column) if label_column is not None else None
            if text is not None and not isinstance(text, str):
                yield Row(number, None, None, f"{text_column!r} is no string but a {type(text).__name__}")
            elif isinstance(label, dict | list):
                yield Row(
                    number, None, None, f"{label_column!r} is no string or number but a {type(label).__name__}"
                )
            else:
                yield Row(number, None if label is None else str(label), text)


def _column(name: str, column: str, header: Iterable[str]) -> int:
    names = list(header)
    if column in names:
        return names.index(column)
    near = difflib.get_close_matches(column.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    hint = next((f"; did you mean {n!r}?" for n in names if near and n.lower() == near[0]), "")
    shown = ", ".join(repr(n) for n in names[:12]) + (", …" if len(names) > 12 else "")
    raise DataError(f"{name} has no column {column!r}, it has {shown}{hint}")


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file, or a temporary copy of a pipe, which can be read only once."""
    if file.seekable():
        return file
    import shutil
    import tempfile

    copy = tempfile.TemporaryFile()  # noqa: SIM115  # closed when its rows have been read
    shutil.copyfileobj(file, copy)
    return copy


READERS: dict[str, Callable[..., Iterator[Row]]] = {
    "lines": _read_lines,
    "plain": _read_plain,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_jsonl,
}
