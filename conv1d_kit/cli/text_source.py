"""Where the text verbs get their texts: the options that name a source, and what is said of its bad rows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, InputError
from .output import note

if TYPE_CHECKING:
    from ..text.dataset import LabelledTexts, TextFile

__all__ = [
    "LISTED",
    "SHOWN",
    "ClassFiles",
    "EncodingName",
    "File",
    "Format",
    "LabelColumn",
    "LabelSeparator",
    "MultiLabel",
    "OptionalFile",
    "TextColumn",
    "bad_rows",
    "check_folds",
    "check_labels",
    "collect_source",
    "open_source",
    "open_unlabelled",
    "read_source",
    "tell",
]

SHOWN = 5  # bad rows named one by one
LISTED = 1000  # and in the JSON object
PEEK = 1024  # lines looked at before they are called texts without labels

_FILE = (
    "CSV, TSV, JSONL, JSON, Parquet by its ending (.gz, .bz2, .xz too); any other: `label text` lines or "
    "fastText; a folder with a folder a class; hf:NAME:SPLIT; - for standard input."
)
File = Annotated[str, typer.Argument(help=_FILE, show_default=False)]
OptionalFile = Annotated[str | None, typer.Argument(help=_FILE, show_default=False)]
ClassFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--class", metavar="NAME=FILE", help="In place of FILE: a file of one class, a text a line; repeat it."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="lines, plain, csv, tsv, jsonl, tabs (label with spaces, tab, text), fasttext, json, parquet; "
        "by default the ending's, or what the first lines show.",
    ),
]
TextColumn = Annotated[str, typer.Option("--text-column", help="Column or key of the text.")]
LabelColumn = Annotated[str, typer.Option("--label-column", help="Column or key of the label.")]
EncodingName = Annotated[
    str | None,
    typer.Option("--encoding", help="By default auto: detected, UTF-8 first, and said if it is another."),
]
MultiLabel = Annotated[
    bool, typer.Option("--multi-label", help="Any number of labels a text: JSON lists, several __label__.")
]
LabelSeparator = Annotated[
    str | None, typer.Option("--label-separator", help="Stands between the labels of one cell, such as ;")
]


def read_source(
    file: str | Path | None,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
    *,
    tokenizer: str | None = "word",
    class_files: Sequence[str] | None = None,
    multi_label: bool = False,
    label_separator: str | None = None,
) -> LabelledTexts:
    """The source's labelled texts to learn from; what cannot be used is said on standard error, and why.

    Raises
    ------
    DataError, InputError
        As `read_texts`; and if neither or both of `file` and `class_files` are given.
    """
    from ..text.dataset import check_classes

    data = collect_source(
        file, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        tokenizer=tokenizer, class_files=class_files, multi_label=multi_label, label_separator=label_separator,
    )  # fmt: skip
    check_classes(data)
    tell(data)
    return data


def tell(data: LabelledTexts) -> None:
    """Say on standard error what a reader should know of the source: encoding, rows left out and why."""
    if data.note:
        note(f"{data.note} with --encoding")
    for words in data.notes:
        note(words)
    for row in data.bad[:SHOWN]:
        note(f"{data.name}: {row.where}: {row.error}; left out")
    if len(data.bad) > SHOWN:
        note(f"{data.name}: {len(data.bad) - SHOWN} more rows left out, {len(data.bad)} in all")


def open_unlabelled(
    file: str | Path,
    classes: Sequence[str],
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str | None = None,
    encoding: str | None = None,
    multi_label: bool = False,
    says: bool = False,
) -> TextFile:
    """Texts that need no labels; in a file of lines, those that all begin with one of the classes have one.

    Parameters
    ----------
    classes : the model's
    says : bool
        Say on standard error how lines were read.

    Raises
    ------
    DataError, InputError
        As `open_source`.
    """
    from ..text.dataset import find_format, open_texts

    name = str(file)
    if format is None and name == "-":
        format = "plain"
    if format is None and Path(name).is_file():
        format = find_format(name, encoding)
        if format in ("lines", "tabs"):
            head = islice(open_texts(name, format=format, encoding=encoding).rows, PEEK)
            labels = [row.label for row in head if row.label is not None]
            how = "begins with a class of the model: read as `label text` (else: --format plain)"
            if not labels or not all(label in classes for label in labels):
                format, how = "plain", "is read as one text (else: --format lines)"
            if says:
                note(f"{name}: each line {how}")
    return open_source(
        file, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        multi_label=multi_label, label_separator=";" if multi_label else None,
    )  # fmt: skip


def collect_source(
    file: str | Path | None,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
    tokenizer: str | None = None,
    class_files: Sequence[str] | None = None,
    multi_label: bool = False,
    label_separator: str | None = None,
) -> LabelledTexts:
    """The source's rows, usable and bad, without a word on them and without a check of its classes.

    Raises
    ------
    DataError, InputError
        As `open_source`.
    """
    from ..text.dataset import collect_texts

    opened = open_source(
        file, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        class_files=class_files, multi_label=multi_label, label_separator=label_separator,
    )  # fmt: skip
    several = multi_label or label_separator is not None
    labelled = opened.format != "plain"
    return collect_texts(opened, tokenizer=tokenizer, multi_label=several, labelled=labelled)


def open_source(
    file: str | Path | None,
    *,
    format: str | None = None,
    text_column: str = "text",
    label_column: str | None = "label",
    encoding: str | None = None,
    class_files: Sequence[str] | None = None,
    multi_label: bool = False,
    label_separator: str | None = None,
) -> TextFile:
    """Open a file, folder, `hf:` name, standard input (-), or files of one class each (NAME=FILE).

    Raises
    ------
    DataError, InputError
        As `open_texts`; and if neither or both of `file` and `class_files` are given, or one has no NAME=.
    """
    from ..text.dataset import open_class_texts, open_texts

    if class_files:
        if file is not None:
            raise InputError(
                f"FILE and --class must not be given both, got {str(file)!r} and {class_files[0]!r}"
            )
        files: dict[str, str] = {}
        for part in class_files:
            label, mark, path = part.partition("=")
            if not mark or not label.strip() or not path:
                raise InputError(f"--class must be NAME=FILE, got {part!r}; try --class pos=pos.txt")
            if label.strip() in files:
                raise InputError(f"--class {label.strip()} must be given once, got it twice; join the files")
            files[label.strip()] = path
        return open_class_texts(files, format=format, text_column=text_column, encoding=encoding)
    if file is None:
        raise InputError("FILE must be given, or --class NAME=FILE for each class, got neither")
    source: Any = sys.stdin.buffer if str(file) == "-" else file
    return open_texts(
        source, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        multi_label=multi_label, label_separator=label_separator,
        name="standard input" if str(file) == "-" else None,
    )  # fmt: skip


def check_labels(train: LabelledTexts, test: LabelledTexts) -> None:
    """Refuse a test set with a label that was never trained on.

    Raises
    ------
    DataError
    """
    from ..text.text_facts import check_test_labels

    check_test_labels(train, test)


def check_folds(data: LabelledTexts, folds: int) -> None:
    """Refuse folds where a class has too few texts to stand on both sides of each.

    Raises
    ------
    DataError
        With the class, its line if it has one text only, and what can be done.
    """
    counts: dict[Any, list[int]] = {}
    for i, label in enumerate(data.labels):
        counts.setdefault(label, []).append(i)
    label, rows = min(counts.items(), key=lambda item: len(item[1]))
    if len(rows) == 1:
        raise DataError(
            f"{data.name}: {data.where(rows[0])}: the class {label!r} has this text only and cannot be both "
            "trained on and tested; add texts of it, join it with another class or take it out"
        )
    if len(rows) < folds:
        raise DataError(
            f"{data.name}: --folds must be at most the size of the smallest class, got {folds} folds and "
            f"{len(rows)} of class {label!r}; ask for fewer folds"
        )


def bad_rows(data: LabelledTexts) -> list[dict[str, Any]]:
    """The rows left out, for the JSON object: at most LISTED of them."""
    rows = data.bad[:LISTED]
    return [
        {"path": data.name, "line": r.line, "error": r.error, **({"place": r.place} if r.place else {})}
        for r in rows
    ]
