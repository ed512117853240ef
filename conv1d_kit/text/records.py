"""From a record (a dict of JSON, Parquet, a Hugging Face data set) to a row, and columns found by name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import DataError
from .rows import Columns, Row, make_row

__all__ = ["PEEK", "check_keys", "column_index", "record_row"]

PEEK = 100  # records looked at before a missing key is called unknown


def record_row(number: int, record: dict[str, Any], columns: Columns, place: str = "") -> Row:
    """The row of a record; a text that is no string, and a label that is no word or number, are said."""
    text, label = record.get(columns.text), None if columns.label is None else record.get(columns.label)
    if text is not None and not isinstance(text, str):
        reason = f"{columns.text!r} is no string but a {type(text).__name__}"
        return Row(number, None, None, reason, place=place)
    parts = label if isinstance(label, list | tuple) else [label]
    for part in parts:
        if isinstance(part, dict | list | tuple | bytes) or (
            isinstance(part, float) and not math.isfinite(part)
        ):
            kind = part if isinstance(part, float) else f"a {type(part).__name__}"
            return Row(number, None, None, f"{columns.label!r} is no string or number but {kind}", place=place)
    if parts is label:
        labels = tuple(_label(part) or "" for part in parts)
        return make_row((number, None, text, None, False, labels, place))
    return make_row((number, _label(label), text, None, False, None, place))


def check_keys(name: str, keys: Sequence[Sequence[str]], columns: Columns) -> None:
    """Refuse a column that none of the first records has.

    Raises
    ------
    DataError
        With the nearest names.
    """
    for column in (columns.text, columns.label):
        if column is not None and keys and not any(column in k for k in keys):
            column_index(name, column, keys[0])


def column_index(name: str, column: str, header: Iterable[str]) -> int:
    """Where the column stands in the header.

    Raises
    ------
    DataError
        If it is missing (with the nearest names) or there twice.
    """
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


def _label(value: object) -> str | None:
    """A label as a string: 1, 1.0 and "1" are one class, as they are in a CSV file."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return None if value is None else str(value)
