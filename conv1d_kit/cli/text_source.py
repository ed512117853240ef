"""Where the text verbs get their texts: the options that name a source, and what is said of its bad rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError
from .output import note

if TYPE_CHECKING:
    from ..text.dataset import LabelledTexts

__all__ = [
    "LISTED",
    "SHOWN",
    "EncodingName",
    "File",
    "Format",
    "LabelColumn",
    "TextColumn",
    "bad_rows",
    "check_labels",
    "read_source",
]

SHOWN = 5  # bad rows named one by one
LISTED = 1000  # and in the JSON object

File = Annotated[
    str,
    typer.Argument(help="CSV, TSV, JSONL by its ending; any other: `label text` lines.", show_default=False),
]
Format = Annotated[
    str | None, typer.Option("--format", help="lines, plain, csv, tsv or jsonl; by default the ending's.")
]
TextColumn = Annotated[str, typer.Option("--text-column", help="Column or key of the text.")]
LabelColumn = Annotated[str, typer.Option("--label-column", help="Column or key of the label.")]
EncodingName = Annotated[str | None, typer.Option("--encoding", help="By default detected, UTF-8 first.")]


def read_source(
    file: str | Path,
    format: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    encoding: str | None = None,
    *,
    tokenizer: str | None = "word",
) -> LabelledTexts:
    """The source's labelled texts; what cannot be used is said on standard error, and why."""
    from ..text.dataset import read_texts

    data = read_texts(
        file, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        tokenizer=tokenizer,
    )  # fmt: skip
    if data.note:
        note(f"{data.note} with --encoding")
    for row in data.bad[:SHOWN]:
        note(f"{data.name}: line {row.line}: {row.error}; left out")
    if len(data.bad) > SHOWN:
        note(f"{data.name}: {len(data.bad) - SHOWN} more rows left out, {len(data.bad)} in all")
    return data


def check_labels(train: LabelledTexts, test: LabelledTexts) -> None:
    """Refuse a test set with a label that was never trained on.

    Raises
    ------
    DataError
    """
    strange = sorted(set(test.labels) - set(train.labels))
    if strange:
        line = test.lines[test.labels.index(strange[0])]
        raise DataError(
            f"{test.name}: line {line}: the label {strange[0]!r} does not stand in {train.name}; "
            "test files must use the labels trained on"
        )


def bad_rows(data: LabelledTexts) -> list[dict[str, Any]]:
    """The rows left out, for the JSON object: at most LISTED of them."""
    return [{"path": data.name, "line": r.line, "error": r.error} for r in data.bad[:LISTED]]
