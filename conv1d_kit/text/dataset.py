"""Labelled texts from files, pairs and folders of files, pipes and Hugging Face data sets, read in a stream.

Every row comes back, the unusable ones with the reason in `error`; nothing is dropped on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .class_files import open_class_files, open_class_folders, polarity_pair
from .hub import is_saved_dataset, open_hub
from .labelled import LabelledTexts, check_classes, collect_texts, no_rows
from .readers import READERS, check_format, find_format, guess_format, open_path, open_rows
from .rows import Columns, Row, TextFile

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
    check_format(format)
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
            opened = open_class_texts(pair, encoding=encoding)
            opened.notes.append(
                f"{opened.name}: a text a line, its label is the file's ending (else name a format)"
            )
            return opened
        name = name or text
        file = open_path(text)
    else:
        name, file = name or str(getattr(source, "name", "the input")), source
    return _started(open_rows(name, file, format, columns, encoding))


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
    check_format(format)

    def open_file(path: str | Path) -> TextFile:
        kind = format or guess_format(str(path), otherwise="plain")
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


def _started(file: TextFile) -> TextFile:
    """The file with its first row read: a source that is empty or lacks a column says so when it is opened."""
    first = list(islice(file.rows, 1))
    if not first:
        raise no_rows(file.name)
    file.rows = chain(first, file.rows)
    return file
