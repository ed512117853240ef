"""The same text twice: within the training file, with another label, or in the test file as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ..training.findings import Finding
from .labelled import LabelledTexts
from .near_duplicates import near_duplicates
from .text_facts import labels_of, letters

__all__ = ["Copies", "Overlap", "n_texts"]


@dataclass(frozen=True)
class Overlap:
    """Test texts that stand in the training file, too.

    Attributes
    ----------
    same_text : int
        Character by character (but for white space).
    same_letters : int
        In their letters and digits; those of `same_text` among them.
    near : int
        Others whose word 3-grams overlap with a training text's by the threshold.
    other_label : int
        Of `same_letters`, those with another label than any copy in training.
    n_test : int
    unknown_tokens, unknown_words : float
        Share of the test's tokens, and of its distinct ones, that the training file lacks.
    """

    same_text: int
    same_letters: int
    near: int
    other_label: int
    n_test: int
    unknown_tokens: float
    unknown_words: float


class Copies:
    """Texts that are the same, or nearly, within the training file and across the test file."""

    def __init__(self, sources: Sequence[LabelledTexts], words: Sequence[Sequence[Sequence[str]]], near: float):
        self.sources = sources
        self.several = len(sources) > 1
        self.n_train = len(sources[0])
        self.texts = [text for data in sources for text in data.texts]
        self.labels = [y for data in sources for y in labels_of(data)]
        self.homes: dict[str, list[int]] = {}
        for i, text in enumerate(self.texts):
            self.homes.setdefault(letters(text), []).append(i)
        self.heads = [rows[0] for rows in self.homes.values()]  # of copies one stands for all
        self.rows = list(self.homes.values())
        cut = [w for part in words for w in part]
        signs = {w for w in {*chain.from_iterable(cut)} if not any(map(str.isalnum, w))}
        said = [[w for w in cut[i] if w not in signs] for i in self.heads]
        self.pairs, self.n_crowded = near_duplicates(said, threshold=near)
        sets = [[i for i in rows if i < self.n_train] for rows in self.rows]
        self.copied = [rows for rows in sets if len(rows) > 1]
        self.n_copies = sum(len(rows) - 1 for rows in self.copied)
        self.conflicts = [rows for rows in self.copied if len({self.labels[i] for i in rows}) > 1]
        self.leaks = [
            ([i for i in rows if i < self.n_train], [i for i in rows if i >= self.n_train])
            for rows in self.rows
        ]
        self.leaks = [(a, b) for a, b in self.leaks if a and b]
        leaked = {i for _, b in self.leaks for i in b}
        self.near_in_train = [
            (self.heads[p.first], self.heads[p.second], p.similarity)
            for p in self.pairs if max(self.heads[p.first], self.heads[p.second]) < self.n_train
        ]  # fmt: skip
        self.near_leaks: dict[int, tuple[int, float]] = {}  # test row → its nearest training row
        for p in self.pairs:
            for a, b in ((p.first, p.second), (p.second, p.first)):
                if self.heads[a] >= self.n_train:
                    continue
                for i in self.rows[b]:
                    if (
                        i >= self.n_train
                        and i not in leaked
                        and p.similarity > self.near_leaks.get(i, (0, 0.0))[1]
                    ):
                        self.near_leaks[i] = (self.heads[a], p.similarity)

    def overlap(self, unknown_tokens: float, unknown_words: float) -> Overlap:
        plain = {" ".join(text.split()) for text in self.texts[: self.n_train]}
        tested = self.texts[self.n_train :]
        other = sum(
            all(self.labels[i] != self.labels[j] for j in a)
            for a, b in self.leaks for i in b if self.labels[i]
        )  # fmt: skip
        return Overlap(
            sum(" ".join(text.split()) in plain for text in tested), sum(len(b) for _, b in self.leaks),
            len(self.near_leaks), other, len(tested), unknown_tokens, unknown_words,
        )  # fmt: skip

    def findings(self) -> Iterator[Finding]:
        if self.leaks:
            n = sum(len(b) for _, b in self.leaks)
            yield self._finding(
                "test_in_train", "error", [[*b, *a] for a, b in self.leaks],
                f"{n} of {len(self.texts) - self.n_train} test texts stand in {self.sources[0].name}, too",
                "take them out of the training file, or the test score counts what was learned by heart",
            )  # fmt: skip
        if self.near_leaks:
            cases = [([i, j], share) for i, (j, share) in sorted(self.near_leaks.items())]
            yield self._finding(
                "near_test_in_train", "warning", [rows for rows, _ in cases],
                f"{len(cases)} more test texts are nearly the same as a training text",
                "look at them: copies with a word changed belong on one side",
                [f"{share:.2f} of their word 3-grams" for _, share in cases],
            )  # fmt: skip
        if self.conflicts:
            n = len(self.conflicts)
            yield self._finding(
                "conflict", "warning", self.conflicts,
                f"{n_texts(n)} with different labels", "settle on one label, or take the text out",
            )  # fmt: skip
        same = [rows for rows in self.copied if len({self.labels[i] for i in rows}) == 1]
        if same:
            n = sum(len(rows) - 1 for rows in same)
            yield self._finding(
                "duplicate", "warning", same, f"{n} cop{'ies' if n > 1 else 'y'} of {n_texts(len(same))}",
                "remove them before folds are made: a copy in training answers for its twin in the test",
            )  # fmt: skip
        if self.near_in_train:
            n = len(self.near_in_train)
            yield self._finding(
                "near_duplicate", "note", [[a, b] for a, b, _ in self.near_in_train],
                f"{n} pair{'s' * (n > 1)} of texts {'are' if n > 1 else 'is'} nearly the same",
                "look at them: they may be copies with a word changed",
                [f"{share:.2f} of their word 3-grams" for *_, share in self.near_in_train],
            )  # fmt: skip

    def _finding(self, kind, severity, cases, words, cure, how=None) -> Finding:
        files = tuple(tuple(self._where(i) for i in rows) for rows in cases)
        details = tuple(
            f"{' / '.join(dict.fromkeys(self._label(i) for i in rows))}: "
            + (
                f"{' ~ '.join(_short(self.texts[i]) for i in rows)} ({how[k]})"
                if how
                else _short(self.texts[rows[0]])
            )
            for k, rows in enumerate(cases)
        )
        return Finding(kind, severity, files, words, cure, details)

    def _label(self, i: int) -> str:
        return ", ".join(self.labels[i]) or "no label"

    def _where(self, i: int) -> str:
        data = self.sources[i >= self.n_train]
        where = data.where(i - self.n_train if i >= self.n_train else i)
        return f"{data.name}: {where}" if self.several else where


def n_texts(n: int) -> str:
    """How many, in words."""
    return f"{n} text{'s' * (n != 1)}"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 80 else f"{one[:77]}..."
