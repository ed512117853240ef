"""Rows of a file of texts as the verbs that explain and probe take them: by number, or all with labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError
from .output import note

if TYPE_CHECKING:
    from ..text.dataset import LabelledTexts

__all__ = ["EncodingName", "Format", "LabelColumn", "TextColumn", "labelled_rows", "plain_rows"]

Format = Annotated[
    str | None, typer.Option("--format", help="As for text train; by default the ending's.", show_default=False)
]
TextColumn = Annotated[str, typer.Option("--text-column", help="Column or key of the text.")]
LabelColumn = Annotated[str, typer.Option("--label-column", help="Column or key of the label.")]
EncodingName = Annotated[
    str | None, typer.Option("--encoding", help="By default detected, UTF-8 first.", show_default=False)
]

_SHOWN = 5  # bad rows named one by one
_PEEK = 1024  # lines looked at before they are called texts without labels


def plain_rows(
    path: Path,
    numbers: Sequence[int] | None,
    classes: Sequence[str],
    *,
    format: str | None,
    text_column: str,
    encoding: str | None,
    most: int,
) -> list[tuple[int, str]]:
    """Numbers (from 1, as `text predict` counts) and texts of a file's rows.

    Raises
    ------
    DataError
        If a row that was asked for is not there or holds no text, or more than `most` rows come.
    """
    from ..text.dataset import guess_format, open_texts

    kind = format or guess_format(str(path))
    if format is None and kind == "lines" and path.is_file():
        head = [row.label for row in islice(open_texts(path, format="lines", encoding=encoding).rows, _PEEK)]
        labels = [label for label in head if label is not None]
        kind = "lines" if labels and all(label in classes for label in labels) else "plain"
    file = open_texts(path, format=kind, text_column=text_column, label_column=None, encoding=encoding)
    if file.note:
        note(f"{file.note} with --encoding")
    wanted = None if numbers is None else set(numbers)
    found: dict[int, str] = {}
    bad: list[str] = []
    last = 0
    for number, row in enumerate(file.rows, start=1):
        last = number
        if wanted is not None and number not in wanted:
            if number > max(wanted):
                break
            continue
        if row.text is None:
            if wanted is not None:
                raise DataError(f"{path}: row {number} (line {row.line}): {row.error or 'no text'}")
            if not row.blank:
                bad.append(f"{path}: line {row.line}: {row.error}; left out")
            continue
        found[number] = row.text
        if len(found) > most:
            raise DataError(f"{path} holds more than {most} rows; choose some with --row N")
    if wanted is not None and set(found) != wanted:
        raise DataError(f"{path} has no row {min(wanted - set(found))}; its rows are 1 to {last}")
    for reason in bad[:_SHOWN]:
        note(reason)
    if len(bad) > _SHOWN:
        note(f"{path}: {len(bad) - _SHOWN} more rows left out, {len(bad)} in all")
    return [(n, found[n]) for n in (numbers if numbers is not None else sorted(found))]


def labelled_rows(
    path: Path,
    classes: Sequence[str],
    *,
    format: str | None,
    text_column: str,
    label_column: str,
    encoding: str | None,
    tokenizer: str,
) -> LabelledTexts:
    """The usable rows of a labelled file, whose labels must be the model's.

    Raises
    ------
    DataError
        As `read_texts`; or a label is none of the model's.
    """
    from ..text.dataset import read_texts

    data = read_texts(
        path, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        tokenizer=tokenizer,
    )  # fmt: skip
    if data.note:
        note(f"{data.note} with --encoding")
    for row in data.bad[:_SHOWN]:
        note(f"{data.name}: line {row.line}: {row.error}; left out")
    if len(data.bad) > _SHOWN:
        note(f"{data.name}: {len(data.bad) - _SHOWN} more rows left out, {len(data.bad)} in all")
    strange = next((i for i, label in enumerate(data.labels) if label not in classes), None)
    if strange is not None:
        raise DataError(
            f"{data.name}: line {data.lines[strange]}: the label {data.labels[strange]!r} is none of the "
            f"model's: {', '.join(classes)}"
        )
    return data
