"""Rows from decoded lines: `label text`, label and tab, plain lines, fastText, and one JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from .records import PEEK, check_keys, record_row
from .rows import Columns, Row, make_row

__all__ = ["read_fasttext", "read_jsonl", "read_lines", "read_plain", "read_tabs", "sniff_lines"]

_PREFIX = "__label__"
_LABELS = re.compile(rf"(?:^|(?<=\s)){_PREFIX}(\S+)(?:\s+|$)")


def read_lines(name: str, lines: Iterator[str], columns: Columns) -> Iterator[Row]:
    """`label text`: the first word, up to a space or a tab, is the label; so it holds no space."""
    for number, line in enumerate(lines, start=1):
        body = line.strip(" \t\r\n")
        label, _, text = body.partition(" ")
        if "\t" in label:
            label, _, text = body.partition("\t")
        blank = (not text or text.isspace()) and not body.strip()
        yield make_row((number, label, text.lstrip(" \t"), None, blank, None, ""))


def read_tabs(name: str, lines: Iterator[str], columns: Columns) -> Iterator[Row]:
    """`label<TAB>text`: the label may hold spaces."""
    for number, line in enumerate(lines, start=1):
        body = line.strip(" \r\n")
        label, tab, text = body.partition("\t")
        error = None if tab or not body.strip() else "no tab between label and text"
        yield make_row((number, label if tab else None, text.strip(" \t"), error, not line.strip(), None, ""))


def read_plain(name: str, lines: Iterator[str], columns: Columns) -> Iterator[Row]:
    """One text a line, no labels."""
    for number, line in enumerate(lines, start=1):
        yield make_row((number, None, line.rstrip("\r\n"), None, not line.strip(), None, ""))


def read_fasttext(name: str, lines: Iterator[str], columns: Columns) -> Iterator[Row]:
    """`__label__this __label__that text`: fastText's own format; each word that begins with __label__ is one.

    Source: Joulin et al. (2017), Bag of Tricks for Efficient Text Classification, and its code.
    """
    wanted = columns.label is not None
    for number, line in enumerate(lines, start=1):
        body = line.strip()
        labels = tuple(_LABELS.findall(body)) or None if wanted else None
        yield make_row((number, None, _LABELS.sub("", body).strip(), None, not body, labels, ""))


def read_jsonl(name: str, lines: Iterator[str], columns: Columns) -> Iterator[Row]:
    """A JSON object a line."""
    records = _objects(lines)
    head = list(islice(records, PEEK))
    check_keys(name, [list(value) for _, value in head if isinstance(value, dict) and value], columns)
    for number, value in chain(head, records):
        if isinstance(value, dict):
            yield record_row(number, value, columns)
        else:
            yield Row(number, None, None, value, blank=value is None)


def sniff_lines(head: Sequence[str]) -> str:
    """The format that a file's first lines show: "fasttext", "tabs", otherwise "lines".

    Examples
    --------
    >>> sniff_lines(["__label__good fine"]), sniff_lines(["very good\\tso fine"]), sniff_lines(["good so fine"])
    ('fasttext', 'tabs', 'lines')
    """
    lines = [line.strip(" \r\n") for line in head if line.strip()]
    if 2 * sum(line.startswith(_PREFIX) for line in lines) > len(lines):  # a line without a label is a bad one
        return "fasttext"
    if lines and all("\t" in line.lstrip("\t") for line in lines):
        labels = {line.partition("\t")[0] for line in lines}
        if len(lines) < 10 or len(labels) <= len(lines) / 2:  # labels recur; texts with a tab in them do not
            return "tabs"
    return "lines"


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
