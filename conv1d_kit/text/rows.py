"""A row of labelled text as a reader gives it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from .encoding import Encoding

__all__ = ["Columns", "Row", "TextFile", "checked", "make_row"]


class Row(NamedTuple):
    """One row: the line it starts on (from 1), its label and text if it has them, and what is wrong with it.

    `blank` says that the line holds nothing at all: at a file's end that is no row to learn from. `labels` are
    all its labels where several were asked for (an empty tuple: none applies), otherwise None; `label` is the
    first. `place` says where it stands if a line of one file does not ("pos/12.txt", "row 7").
    """

    line: int
    label: str | None
    text: str | None
    error: str | None = None
    blank: bool = False
    labels: tuple[str, ...] | None = None
    place: str = ""

    @property
    def where(self) -> str:
        """Where it stands, for a message.

        Examples
        --------
        >>> Row(3, None, "so").where, Row(1, None, "so", place="pos/12.txt").where
        ('line 3', 'pos/12.txt')
        """
        return self.place or f"line {self.line}"


# A Row of all seven values from one tuple: half the time of Row(…), which files of millions of rows feel.
make_row = partial(tuple.__new__, Row)


class Columns(NamedTuple):
    """What a reader looks for: the column or key of the text and of the label (None: no labels).

    With `several`, a row may have any number of labels; `separator` stands between those of one cell.
    """

    text: str = "text"
    label: str | None = "label"
    separator: str | None = None
    several: bool = False


@dataclass
class TextFile:
    """An open source of texts: its name, format and encoding, and its rows, once, in order.

    `notes` are what its reader should hear besides the encoding; some stand there only when all rows are read.
    """

    name: str
    format: str
    encoding: Encoding
    rows: Iterator[Row]
    notes: list[str] = field(default_factory=list)

    @property
    def note(self) -> str | None:
        """What the reader should know of the encoding, or None if it is Unicode."""
        if self.encoding.reason is None:
            return None
        return (
            f"{self.name}: read as {self.encoding.name}: {self.encoding.reason}; another encoding can be named"
        )


def checked(rows: Iterator[Row], columns: Columns) -> Iterator[Row]:
    """The rows with their labels stripped, and what they lack or may not hold named in `error`."""
    several = columns.several
    for row in rows:
        _, label, text, error, _, labels, _ = row
        if (  # nothing to mend, as nearly always
            error is None and text and label and labels is None and not several and text.isascii()
            and "\0" not in text and not text.isspace() and label.isascii() and label.isprintable()
            and label[0] != " " and label[-1] != " "
        ):  # fmt: skip
            yield row
        else:
            yield _mended(row, columns)


def _mended(row: Row, columns: Columns) -> Row:
    line, label, text, error, blank, labels, place = row
    text = None if text is None or not text.strip() else text
    if columns.several:
        label, labels = _several(label, labels, columns.separator)
    elif labels is not None:
        label, labels, error = _single(labels, error)
    else:
        label = (label or "").strip() or None
    if error is None and text is None:
        wanted = label is None and labels is None and columns.label is not None
        error = "no label and no text" if wanted else "no text"
    for what, value in (("text", text), ("label", "".join(labels or ()) or label)):
        if error is None and value is not None:
            error = _strange(what, value)
    return make_row((line, label, text, error, blank, labels, place))


def _several(label, labels, separator) -> tuple[str | None, tuple[str, ...] | None]:
    """The first label, and each once in order; an empty cell says that none applies, a missing one None."""
    if labels is None:
        if label is None:
            return None, None
        labels = label.split(separator) if separator else (label,)
    labels = tuple(dict.fromkeys(part.strip() for part in labels if part.strip()))
    return (labels[0] if labels else None), labels


def _single(labels, error) -> tuple[str | None, tuple[str, ...] | None, str | None]:
    labels = tuple(part.strip() for part in labels if part.strip())
    if len(labels) < 2:
        return (labels[0] if labels else None), None, error
    reason = f"{len(labels)} labels where one is wanted; --multi-label (multi_label=True) reads several"
    return labels[0], labels, error or reason


def _strange(what: str, value: str) -> str | None:
    """Characters that no text holds: a NUL, half a character."""
    if "\0" in value:
        return f"the {what} holds a NUL character (U+0000); is the file binary or damaged?"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        return f"the {what} holds half a character (the lone surrogate U+{half:04X})"
    return None
