"""Labelled texts from files, pairs and folders of files, pipes and Hugging Face data sets, read in a stream.

Every row comes back, the unusable ones with the reason in `error`; nothing is dropped on the way.
"""

from __future__ import annotations

import codecs
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import DataError, InputError
from .class_files import open_class_files, open_class_folders, polarity_pair
from .compressed import DAMAGED, open_binary, plain_name
from .delimited import read_csv, read_tsv
from .encoding import SAMPLE, Encoding, detect_encoding, first_bad_byte, line_at, named_encoding
from .hub import is_saved_dataset, open_hub
from .json_array import read_json_array
from .line_formats import read_fasttext, read_jsonl, read_lines, read_plain, read_tabs, sniff_lines
from .parquet import read_parquet
from .records import PEEK
from .rows import Columns, LabelledTexts, Row, TextFile, checked
from .tokens import LEARNED, has_token

__all__ = [
    "READERS",
    "LabelledTexts",
    "Row",
    "TextFile",
    "check_classes",
    "collect_texts",
    "find_format",
    "guess_format",
    "open_class_texts",
    "open_texts",
    "read_class_files",
    "read_texts",
]

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


def open_texts(
    source: str | Path | BinaryIO,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str | None = "label",
    encoding: str | None = None,
    label_separator: str | None = None,
    multi_label: bool = False,
    name: str | None = None,
) -> TextFile:
    """Open a source of texts and stream its rows: one for every record or line, the empty ones too.

    Parameters
    ----------
    source : path, or a binary file; a pipe is copied to a temporary file first
        A file (.gz, .bz2 and .xz are decompressed); a folder with one folder a class and a text a file; one of
        two files `NAME.pos` and `NAME.neg`; `hf:NAME:SPLIT` or a folder saved by the package datasets.
    format : a key of READERS, optional
        By default as `find_format` has it.
    text_column, label_column : str
        Column (CSV, TSV: of the header; JSON, Parquet: key). With `label_column` None, labels are not read.
    encoding : str, optional
        By default, and with "auto", detected; `TextFile.note` says what was chosen if it is not Unicode.
    label_separator : str, optional
        Stands between the labels of one cell (and so makes the set a multi-label one).
    multi_label : bool
        Whether a row may have any number of labels: then `Row.labels` holds them. JSON and Parquet have lists,
        fastText several `__label__`. Without it a row of several labels is a bad one.
    name : str, optional
        What messages call the source; by default its path.

    Raises
    ------
    DataError
        If the source is missing or empty, or a column is unknown; while reading, if the encoding does not fit.
    InputError
        If the format or the encoding is unknown, or a package that the format needs is not installed.
    """
    _check_format(format)
    if label_separator == "":
        raise InputError("label_separator must be at least one character, got ''; try ';'")
    columns = Columns(text_column, label_column, label_separator, multi_label or label_separator is not None)
    encoding = None if encoding == "auto" else encoding
    if isinstance(source, str | Path):
        text = str(source)
        if text.startswith("hf:"):
            return _started(open_hub(text, columns))
        if Path(source).is_dir():
            if is_saved_dataset(Path(source)):
                return _started(open_hub(text, columns))
            return _started(open_class_folders(Path(source), columns, encoding))
        pair = polarity_pair(Path(source)) if format is None else None
        if pair is not None:
            return open_class_texts(pair, encoding=encoding)
        name = name or text
        file = _opened(text)
    else:
        name, file = name or str(getattr(source, "name", "the input")), source
    file = _seekable(file)
    try:
        kind = format or _format_of(name, file, encoding)
        reader = READERS[kind]
        if reader.takes == "file":
            found = Encoding("utf-8", None)
            rows = _closing(file, checked(reader.rows(name, file, columns), columns))
        else:
            found = detect_encoding(file) if encoding is None else named_encoding(file, encoding, source=name)
            ends = "" if reader.any_end else _line_end(file, found.name)
            stream = io.TextIOWrapper(file, found.name, newline=ends)
            parts = iter(lambda: stream.read(_BLOCK), "") if reader.takes == "blocks" else stream
            rows = _decoding(name, stream, found.name, checked(reader.rows(name, parts, columns), columns))
        result = _started(TextFile(name, kind, found, rows))
    except (*DAMAGED, OSError) as error:
        file.close()
        raise _damaged(name, error) from error
    except (InputError, DataError):
        file.close()
        raise
    if kind == "tabs":
        result.notes.append(f"{name}: each line has a tab: its label stands before the tab")
    return result


def read_texts(
    source: str | Path | BinaryIO,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
    tokenizer: str | None = None,
    label_separator: str | None = None,
    multi_label: bool = False,
    name: str | None = None,
) -> LabelledTexts:
    """Read a whole source of labelled texts to learn from.

    Parameters
    ----------
    source, format, text_column, label_column, encoding, label_separator, multi_label, name
        As in `open_texts`.
    tokenizer : a key of TOKENIZERS or LEARNED, optional
        With it, a text that gives it no token is a bad row.

    Returns
    -------
    LabelledTexts
        Rows without label or text stand in `bad`; blank lines at the file's end stand nowhere. With several
        labels a text, `labels` holds tuples.

    Raises
    ------
    DataError
        As `open_texts`; and if no row is usable, there is one class, or nearly every row has one of its own.
    """
    file = open_texts(
        source, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        label_separator=label_separator, multi_label=multi_label, name=name,
    )  # fmt: skip
    several = multi_label or label_separator is not None
    data = collect_texts(file, tokenizer=tokenizer, multi_label=several)
    check_classes(data)
    return data


def open_class_texts(
    files: Mapping[str, str | Path],
    *,
    format: str | None = None,
    text_column: str = "text",
    encoding: str | None = None,
) -> TextFile:
    """Open files of one class each, such as {"pos": "pos.txt", "neg": "neg.txt"}, as one source.

    Parameters
    ----------
    files : mapping from a label to a path
    format : a key of READERS, optional
        By default from each name's ending, otherwise "plain": a text a line.
    text_column, encoding
        As in `open_texts`.

    Raises
    ------
    DataError, InputError
        As `open_texts`; and if a file is named for two classes.
    """
    _check_format(format)

    def open_file(path: str | Path) -> TextFile:
        kind = format or _SUFFIXES.get(Path(plain_name(str(path))).suffix.lower(), "plain")
        return open_texts(path, format=kind, text_column=text_column, label_column=None, encoding=encoding)

    return _started(open_class_files(files, open_file))


def read_class_files(
    files: Mapping[str, str | Path],
    *,
    format: str | None = None,
    text_column: str = "text",
    encoding: str | None = None,
    tokenizer: str | None = None,
) -> LabelledTexts:
    """Read files of one class each to learn from; see `open_class_texts` and `read_texts`.

    Raises
    ------
    DataError, InputError
        As they do.
    """
    file = open_class_texts(files, format=format, text_column=text_column, encoding=encoding)
    data = collect_texts(file, tokenizer=tokenizer)
    check_classes(data)
    return data


def collect_texts(
    file: TextFile, *, tokenizer: str | None = None, multi_label: bool = False, labelled: bool = True
) -> LabelledTexts:
    """The rows of an open source side by side, the unusable ones apart with their reasons; no check of classes.

    With `labelled` False, texts without a label are usable too: their label is "" (or no label at all).
    """
    data = LabelledTexts(file.name, encoding=file.encoding.name, format=file.format)
    checks_tokens = tokenizer is not None and tokenizer not in LEARNED  # those know every text
    blank: list[Row] = []
    for row in file.rows:
        if row.blank:
            blank.append(row)
            continue
        if blank:
            data.bad += blank
            blank = []
        label: Any = row.label
        if multi_label:
            label = row.labels if row.labels is not None or label is None else (label,)
        if row.error is not None:
            data.bad.append(row)
        elif labelled and label is None:
            data.bad.append(row._replace(error="no label"))
        elif checks_tokens and not has_token(row.text or "", tokenizer or "word"):
            data.bad.append(row._replace(error=f"no token for the tokenizer {tokenizer!r}"))
        else:
            data.texts.append(row.text or "")
            data.labels.append(label if label is not None else () if multi_label else "")
            data.lines.append(row.line)
            data.places.append(row.place)
    data.note, data.notes = file.note, list(file.notes)
    return data


def guess_format(name: str) -> str:
    """Format by the ending of a file's name; "lines" for any other ending.

    Examples
    --------
    >>> guess_format("reviews.CSV"), guess_format("reviews.jsonl.gz"), guess_format("rt-polarity.all")
    ('csv', 'jsonl', 'lines')
    """
    return _SUFFIXES.get(Path(plain_name(name)).suffix.lower(), "lines")


def find_format(path: str | Path, encoding: str | None = None) -> str:
    """Format by the ending of a file's name, or by its first lines: a key of READERS.

    A .json file is a list ("json") or, where it does not begin with [, an object a line ("jsonl"). Files of
    other endings are "fasttext" if their first lines begin with `__label__`, "tabs" (label, tab, text) if each
    of them has a tab, otherwise "lines".

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    name = str(path)
    with _opened(name) as file:
        try:
            return _format_of(name, file, None if encoding == "auto" else encoding)
        except (*DAMAGED, OSError) as error:
            raise _damaged(name, error) from error


def check_classes(data: LabelledTexts) -> None:
    """Refuse a set that nothing can be learned from.

    Raises
    ------
    DataError
        If no row is usable, there is one class, or nearly every row has one of its own.
    """
    if not data.texts and not data.bad:
        raise _no_rows(data.name)
    if not data.texts:
        first = data.bad[0]
        raise DataError(
            f"{data.name}: none of its {len(data.bad)} rows has both a label and a text; "
            f"{first.where}: {first.error}"
        )
    several = isinstance(data.labels[0], tuple)
    counts = Counter(chain.from_iterable(data.labels) if several else data.labels)
    if several and not any(0 < n < len(data) for n in counts.values()):
        raise DataError(
            f"{data.name} holds no label that some of its {len(data)} rows have and others do not; "
            "check which column is the label, and what separates labels"
        )
    if len(counts) == 1 and not several:
        raise DataError(
            f"{data.name} holds one class only, {next(iter(counts))!r} in {len(data)} rows; two are needed: "
            "add texts of another class, or check which column is the label"
        )
    if len(data) >= 10 and len(counts) > len(data) / 2:
        first = next(iter(counts))
        raise DataError(
            f"{data.name} holds {len(counts)} labels in {len(data)} rows, {first!r} the first; "
            "check which column, or that the first word of each line, is the label (a label with spaces needs "
            "a tab behind it, or CSV)"
        )


def _no_rows(name: str) -> DataError:
    return DataError(f"{name} is empty or holds no rows; a row is a text, with its label to train on it")


def _check_format(format: str | None) -> None:
    if format is not None and format not in READERS:
        raise InputError(f"format must be one of {', '.join(READERS)}, got {format!r}")


def _started(file: TextFile) -> TextFile:
    """The file with its first row read: a source that is empty or lacks a column says so when it is opened."""
    first = list(islice(file.rows, 1))
    if not first:
        raise _no_rows(file.name)
    file.rows = chain(first, file.rows)
    return file


def _opened(name: str) -> BinaryIO:
    try:
        return open_binary(name)
    except IsADirectoryError as error:
        raise DataError(f"{name} is a folder; name a file of texts in it") from error
    except OSError as error:
        raise DataError(f"{name} cannot be opened: {error.strerror}; check the path") from error


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
