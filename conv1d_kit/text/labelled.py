"""Rows gathered to learn from: texts and labels side by side, the unusable ones apart with their reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..errors import DataError
from .rows import Row, TextFile
from .tokens import LEARNED, has_token

__all__ = ["LabelledTexts", "check_classes", "collect_texts", "no_rows"]


@dataclass
class LabelledTexts:
    """A source's usable rows side by side, and the others with their reasons.

    `labels` holds a str a text, or a tuple of str where several were asked for.
    """

    name: str
    texts: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[Row] = field(default_factory=list)
    note: str | None = None
    encoding: str = "utf-8"
    places: list[str] = field(default_factory=list)
    format: str = "lines"
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def where(self, i: int) -> str:
        """Where text `i` stands, for a message; without places it is the line."""
        return (self.places[i] if self.places else "") or f"line {self.lines[i]}"


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
    if file.format in ("lines", "tabs", "fasttext"):
        mixed = [i for i, text in enumerate(data.texts) if "\r" in text]
        if mixed:
            data.notes.append(
                f"{data.name}: {data.where(mixed[0])}: a carriage return stands within the line, as in "
                f"{len(mixed)} in all; if it ends a line there, make all line ends alike"
            )
    return data


def check_classes(data: LabelledTexts) -> None:
    """Refuse a set that nothing can be learned from.

    Raises
    ------
    DataError
        If no row is usable, there is one class, or nearly every row has one of its own.
    """
    if not data.texts and not data.bad:
        raise no_rows(data.name)
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


def no_rows(name: str) -> DataError:
    """What a source without any row is told."""
    return DataError(f"{name} is empty or holds no rows; a row is a text, with its label to train on it")
