"""What a set of texts is made of: lengths, classes, vocabulary, and which texts are the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from ..errors import DataError
from .labelled import LabelledTexts
from .scripts import characters

__all__ = ["Lengths", "TextFacts", "check_test_labels", "labels_of", "letters", "text_facts"]


@dataclass(frozen=True)
class Lengths:
    """Tokens a text: least, median, 95th percentile, most; and texts without any."""

    min: int
    median: float
    p95: float
    max: int
    empty: int


@dataclass(frozen=True)
class TextFacts:
    """Figures of one source.

    Attributes
    ----------
    name, format, encoding : str
    encoding_reason : str or None
        Why it is not UTF-8.
    n_rows, n_bad : int
        Rows in all (blank lines at the end are none), and those that cannot be used.
    lengths : Lengths or None
        None without a usable text.
    n_tokens, n_words : int
        Tokens, and distinct ones.
    once : float
        Share of the distinct words that stand in it once only.
    classes : dict from label to number of texts, the most frequent first
    majority : float or None
        Share of the most frequent class: what answering it always gives.
    """

    name: str
    format: str
    encoding: str
    encoding_reason: str | None
    n_rows: int
    n_bad: int
    lengths: Lengths | None
    n_tokens: int
    n_words: int
    once: float
    classes: dict[str, int]
    majority: float | None


def text_facts(data: LabelledTexts, words: Sequence[Sequence[str]]) -> TextFacts:
    """The figures of a source whose texts were cut into `words`."""
    counts = Counter(chain.from_iterable(words))
    sizes = np.array([len(w) for w in words], np.int64)
    lengths = None
    if len(sizes):
        lengths = Lengths(
            int(sizes.min()), float(np.median(sizes)), float(np.percentile(sizes, 95)), int(sizes.max()),
            int((sizes == 0).sum()),
        )  # fmt: skip
    classes = Counter(chain.from_iterable(labels_of(data)))
    ranked = dict(sorted(classes.items(), key=lambda item: (-item[1], item[0])))
    note = data.note
    return TextFacts(
        name=data.name,
        format=data.format,
        encoding=data.encoding,
        encoding_reason=None if note is None else note.removeprefix(f"{data.name}: "),
        n_rows=len(data) + len(data.bad),
        n_bad=len(data.bad),
        lengths=lengths,
        n_tokens=int(sizes.sum()),
        n_words=len(counts),
        once=sum(n == 1 for n in counts.values()) / len(counts) if counts else 0.0,
        classes=ranked,
        majority=max(ranked.values()) / len(data) if ranked else None,
    )


def labels_of(data: LabelledTexts) -> list[tuple[str, ...]]:
    """The labels of each text, in order of the alphabet; none where it has no label."""
    return [tuple(sorted(y)) if isinstance(y, tuple) else (y,) if y else () for y in data.labels]


def check_test_labels(train: LabelledTexts, test: LabelledTexts) -> None:
    """Refuse a test set with a label that was never trained on.

    Raises
    ------
    DataError
    """
    known = {label for labels in labels_of(train) for label in labels}
    strange: dict[str, int] = {}
    for i, labels in enumerate(labels_of(test)):
        for label in labels:
            if label not in known:
                strange.setdefault(label, i)
    if strange:
        first = min(strange)
        raise DataError(
            f"{test.name}: {test.where(strange[first])}: the label {first!r} does not stand in {train.name}; "
            "test files must use the labels trained on"
        )


def letters(text: str) -> str:
    """The letters and digits of a text alone, without case: texts that agree in them are taken for the same.

    White space and punctuation differ between copies of one sentence ("it's" and "it 's", quotation marks of
    two kinds), letters do not. A text without any is itself.

    Examples
    --------
    >>> letters("It's  SO good !") == letters("it 's so good"), letters(":-)")
    (True, ':-)')
    """
    if text.isascii():
        kept = _ASCII_REST.sub("", text).lower()
    else:
        kept = _rest().sub("", unicodedata.normalize("NFKC", text).casefold())
        kept = unicodedata.normalize("NFC", kept)
    return kept or " ".join(text.split())


_ASCII_REST = re.compile(r"[\W_]+")


@cache
def _rest() -> re.Pattern[str]:
    return re.compile(f"[^\\w{characters().marks}]+|_+")
