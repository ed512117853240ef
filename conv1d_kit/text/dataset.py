"""Labelled texts from files: CSV, TSV, JSONL, `label text` lines and plain lines, read in a stream.

Every row comes back, the unusable ones with the reason in `error`; nothing is dropped on the way.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, InputError
from .encoding import SAMPLE, Encoding, detect_encoding, first_bad_byte, line_at, named_encoding
from .tokens import tokenize

__all__ = ["READERS", "LabelledTexts", "Row", "TextFile", "guess_format", "open_texts", "read_texts"]

_HALF = re.compile("[\ud800-\udfff]")
PEEK = 100  # rows looked at before a missing key of a JSONL file is called unknown
_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True)
class Row:
    """One row: the line it starts on (from 1), its label and text if it has them, and what is wrong with it.

    `blank` says that the line holds nothing at all: at a file's end that is no row to learn from.
    """

    line: int
    label: str | None
    text: str | None
    error: str | None = None
    blank: bool = False


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
    """Open a file of texts and stream its rows: one for every record or line, the empty ones too.

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
    try:
        found = detect_encoding(file) if encoding is None else named_encoding(file, encoding, source=name)
    except (InputError, DataError):
        file.close()
        raise
    kind = format or guess_format(name)
    ends = "" if kind in ("csv", "tsv") else _line_end(file, found.name)
    stream = io.TextIOWrapper(file, found.name, newline=ends)
    rows = _checked(name, stream, found.name, READERS[kind], text_column, label_column)
    first = list(islice(rows, 1))
    if not first:
        raise _no_rows(name)
    return TextFile(name, kind, found, chain(first, rows))


def read_texts(
    path: str | Path,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
    tokenizer: str | None = None,
) -> LabelledTexts:
    """Read a whole file of labelled texts to learn from.

    Parameters
    ----------
    path, format, text_column, label_column, encoding
        As in `open_texts`.
    tokenizer : a key of TOKENIZERS, optional
        With it, a text that gives it no token is a bad row.

    Returns
    -------
    LabelledTexts
        Rows without label or text stand in `bad`; blank lines at the file's end stand nowhere.

    Raises
    ------
    DataError
        As `open_texts`; and if no row is usable, there is one class, or nearly every row has one of its own.
    """
    file = open_texts(
        path, format=format, text_column=text_column, label_column=label_column, encoding=encoding
    )
    data = LabelledTexts(file.name, note=file.note, encoding=file.encoding.name)
    blank: list[Row] = []
    for row in file.rows:
        if row.blank:
            blank.append(row)
            continue
        data.bad += blank
        blank = []
        if row.error is not None:
            data.bad.append(row)
        elif row.label is None or row.text is None:
            data.bad.append(replace(row, error="no label"))
        elif tokenizer is not None and not tokenize(row.text, tokenizer):
            data.bad.append(replace(row, error=f"no token for the tokenizer {tokenizer!r}"))
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


def _no_rows(name: str) -> DataError:
    return DataError(f"{name} is empty or holds no rows; a row is a text, with its label to train on it")


def _check_classes(data: LabelledTexts) -> None:
    if not data.texts and not data.bad:
        raise _no_rows(data.name)
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


def _line_end(file: BinaryIO, encoding: str) -> str:
    """Lines end at LF (a CR before it is cut off), or at CR in a file that has no LF."""
    file.seek(0)
    sample = file.read(SAMPLE)
    file.seek(0)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _checked(
    name: str,
    stream: io.TextIOWrapper,
    encoding: str,
    reader: Callable[..., Iterator[Row]],
    text_column: str,
    label_column: str | None,
) -> Iterator[Row]:
    """Every row, with what it lacks named; the file is closed at the end."""
    with stream:
        for row in reader(name, _decoded(name, stream, encoding), text_column, label_column):
            text = None if row.text is None or not row.text.strip() else row.text
            label = None if row.label is None or not row.label.strip() else row.label.strip()
            error = row.error
            if error is None and text is None:
                error = "no text" if label is not None or label_column is None else "no label and no text"
            for what, value in (("text", text), ("label", label)):
                half = None if error or value is None or value.isascii() else _HALF.search(value)
                if half is not None:
                    error = f"the {what} holds half a character (the lone surrogate U+{ord(half[0]):04X})"
            yield Row(row.line, label, text, error, row.blank)


def _decoded(name: str, stream: io.TextIOWrapper, encoding: str) -> Iterator[str]:
    try:
        yield from stream
    except UnicodeError as error:
        file: BinaryIO = stream.buffer  # type: ignore[assignment]
        place = first_bad_byte(file, encoding)
        if place is None:
            raise DataError(f"{name}: is not {encoding}: {error}; name another encoding") from error
        raise DataError(
            f"{name}: line {line_at(file, encoding, place[0])}: byte 0x{place[1]:02x} is not {encoding}; "
            "name another encoding, or none to have it detected"
        ) from error


def _read_lines(name: str, lines: Iterator[str], text_column: str, label_column: str | None) -> Iterator[Row]:
    """`label text`: the first word, up to a space or a tab, is the label."""
    for number, line in enumerate(lines, start=1):
        body = line.rstrip("\r\n").lstrip(" \t")
        cut = min((i for i in (body.find(" "), body.find("\t")) if i >= 0), default=len(body))
        yield Row(number, body[:cut], body[cut:].strip(" \t"), blank=not line.strip())


def _read_plain(name: str, lines: Iterator[str], text_column: str, label_column: str | None) -> Iterator[Row]:
    """One text a line, no labels."""
    for number, line in enumerate(lines, start=1):
        yield Row(number, None, line.rstrip("\r\n"), blank=not line.strip())


def _read_csv(name: str, lines: Iterator[str], text_column: str, label_column: str | None) -> Iterator[Row]:
    """Comma-separated, or by the semicolon or tab that shows the columns asked for in the header."""
    head = list(islice(lines, 1))
    wanted = {text_column, label_column}
    delimiter = max(",;\t", key=lambda d: len(wanted & set(_header(head, d))))  # the first among equals
    rows = csv.reader(chain(head, lines), delimiter=delimiter, strict=True)
    return _read_table(name, text_column, label_column, rows)


def _header(lines: list[str], delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter, strict=True), [])]
    except csv.Error:
        return []


def _read_tsv(name: str, lines: Iterator[str], text_column: str, label_column: str | None) -> Iterator[Row]:
    """Tab-separated as IANA has it: a quotation mark is a character like any other."""
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return _read_table(name, text_column, label_column, rows)


def _read_table(name: str, text_column: str, label_column: str | None, rows) -> Iterator[Row]:
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise DataError(f"{name}: line 1, the header, cannot be read: {error}; mend it") from error
    if header is None:
        return
    places = [_column(name, c, map(str.strip, header)) for c in (text_column, label_column) if c is not None]
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            reason = f"cannot be read ({error}), to line {rows.line_num}; is a quote left open?"
            yield Row(line, None, None, reason)
            continue
        if cells is None:
            return
        if cells and len(cells) != len(header):
            yield Row(line, None, None, f"{len(cells)} columns where the header has {len(header)}")
            continue
        values = [cells[i] if cells else "" for i in places]
        yield Row(line, values[1] if len(values) > 1 else None, values[0], blank=not cells)


def _read_jsonl(name: str, lines: Iterator[str], text_column: str, label_column: str | None) -> Iterator[Row]:
    records = _objects(lines)
    head = list(islice(records, PEEK))
    keys = [list(value) for _, value in head if isinstance(value, dict) and value]
    for column in (text_column, label_column):
        if column is not None and keys and not any(column in k for k in keys):
            _column(name, column, keys[0])
    for number, value in chain(head, records):
        if not isinstance(value, dict):
            yield Row(number, None, None, value, blank=value is None)
            continue
        text, label = value.get(text_column), value.get(label_column) if label_column is not None else None
        if text is not None and not isinstance(text, str):
            yield Row(number, None, None, f"{text_column!r} is no string but a {type(text).__name__}")
        elif isinstance(label, dict | list) or (isinstance(label, float) and not math.isfinite(label)):
            kind = label if isinstance(label, float) else f"a {type(label).__name__}"
            yield Row(number, None, None, f"{label_column!r} is no string or number but {kind}")
        else:
            yield Row(number, _label(label), text)


def _objects(lines: Iterator[str]) -> Iterator[tuple[int, dict | str | None]]:
    """Line numbers with a JSON object each, or what is wrong, or None for a blank line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            yield number, None
            continue
        try:
            value = json.loads(line)
        except RecursionError:
            yield number, "not JSON that can be read (nested too deeply)"
        except ValueError as error:
            yield number, f"not JSON ({error})"
        else:
            kind = type(value).__name__
            yield number, value if isinstance(value, dict) else f"not a JSON object but a {kind}"


def _label(value: object) -> str | None:
    """A label as a string: 1, 1.0 and "1" are one class, as they are in a CSV file."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return None if value is None else str(value)


def _column(name: str, column: str, header: Iterable[str]) -> int:
    names = list(header)
    if names.count(column) > 1:
        raise DataError(f"{name}: {names.count(column)} columns are named {column!r}; rename or remove one")
    if column in names:
        return names.index(column)
    near = difflib.get_close_matches(column.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    cure = "; name the right one (--text-column, --label-column)"
    hint = next((f"; did you mean {n!r}?" for n in names if near and n.lower() == near[0]), cure)
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
