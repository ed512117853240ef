"""Rows of a file of texts as the verbs that explain and probe take them: by number, or all with labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, InputError
from .output import note
from .text_source import SHOWN, open_unlabelled, tell

if TYPE_CHECKING:
    from ..text.classifier import TextClassifier
    from ..text.dataset import LabelledTexts

__all__ = ["check_net", "labelled_rows", "plain_rows"]


def check_net(classifier: TextClassifier) -> None:
    """Refuse a model that has no filters, or gives several labels a text.

    Raises
    ------
    InputError
    """
    if not hasattr(classifier, "net_"):
        raise InputError(
            f"MODEL must be a net for this verb, got {classifier.model!r}; `text explain` takes every model"
        )
    if classifier.multi_label:
        raise InputError("MODEL must give one label a text for this verb, got one of several labels")


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
    file = open_unlabelled(path, classes, format=format, text_column=text_column, encoding=encoding)
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
                raise DataError(f"{path}: row {number} ({row.where}): {row.error or 'no text'}")
            if not row.blank:
                bad.append(f"{path}: {row.where}: {row.error}; left out")
            continue
        found[number] = row.text
        if len(found) > most:
            raise DataError(f"{path} holds more than {most} rows; choose some with --row N")
    if wanted is not None and set(found) != wanted:
        raise DataError(f"{path} has no row {min(wanted - set(found))}; its rows are 1 to {last}")
    for reason in bad[:SHOWN]:
        note(reason)
    if len(bad) > SHOWN:
        note(f"{path}: {len(bad) - SHOWN} more rows left out, {len(bad)} in all")
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
    tell(data)
    strange = next((i for i, label in enumerate(data.labels) if label not in classes), None)
    if strange is not None:
        raise DataError(
            f"{data.name}: line {data.lines[strange]}: the label {data.labels[strange]!r} is none of the "
            f"model's: {', '.join(classes)}"
        )
    return data
