"""A data doctor for texts: what makes figures too good or training worse, with lines, and the cure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from ..training.clues import Clue, class_clue
from ..training.findings import SEVERITIES, Finding
from .class_words import ClassWord, class_words
from .near_duplicates import near_duplicates
from .rows import LabelledTexts, Row
from .text_facts import TextFacts, labels_of, letters, text_facts
from .tokens import LEARNED, Tokenizer, make_tokenizer, words_of

__all__ = ["PROPERTIES", "Inspection", "Overlap", "inspect_texts"]

_FEW = 10  # texts of a class, below which not every one of ten folds has one
_SAMPLE = 4000  # texts from which it is learned whether a property tells the class
_MOSTLY = 0.8  # of the texts in one class
_UNKNOWN = 0.2  # share of the test's tokens that training never saw


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


@dataclass(frozen=True, eq=False)
class Inspection:
    """All that was found, the gravest first, with what it rests on.

    Attributes
    ----------
    train, test : TextFacts
        `test` is None without a test file.
    overlap : Overlap or None
    n_copies, n_conflicts, n_near : int
        Texts of the training file that an earlier one equals in its letters; sets of such with several labels;
        pairs that are nearly equal.
    n_crowded : int
        Shingles so common that not all texts with them were compared (see `near_duplicates`).
    class_words : dict from label to list of ClassWord
    clues : dict from a key of PROPERTIES to Clue
    findings : list of Finding
    """

    train: TextFacts
    test: TextFacts | None
    overlap: Overlap | None
    n_copies: int
    n_conflicts: int
    n_near: int
    n_crowded: int
    class_words: dict[str, list[ClassWord]]
    clues: dict[str, Clue]
    findings: list[Finding] = field(default_factory=list)


def inspect_texts(
    train: LabelledTexts,
    test: LabelledTexts | None = None,
    *,
    tokenizer: str | Tokenizer = "word",
    near: float = 0.6,
) -> Inspection:
    """Look for copies, leaks into the test file, clues and faults.

    Parameters
    ----------
    train, test : LabelledTexts
        As `collect_texts` gives them, bad rows and all.
    tokenizer : a key of TOKENIZERS or LEARNED (learned on `train`), or a function
    near : float in (0, 1]
        Overlap of word 3-grams from which two texts are nearly the same.

    Raises
    ------
    InputError
        If the tokenizer is unknown or `near` out of its range.
    """
    sources = [train] if test is None else [train, test]
    if tokenizer in LEARNED:
        tokenizer, _ = make_tokenizer(str(tokenizer), train.texts)
    cut = [[words_of(text, tokenizer) for text in data.texts] for data in sources]
    facts = [text_facts(data, words) for data, words in zip(sources, cut, strict=True)]
    plain = cut if tokenizer == "word" else [[words_of(text) for text in data.texts] for data in sources]
    copies = _Copies(sources, plain, near)
    overlap = None
    if test is not None:
        known = set(chain.from_iterable(cut[0]))
        overlap = copies.overlap(*_unknown(known, cut[1]))
    one_label = all(len(labels) == 1 for labels in labels_of(train))
    labels = [y[0] for y in labels_of(train)] if one_label else []
    told = class_words(cut[0], labels) if one_label and labels else {}
    clues = _clues(train, cut[0], labels) if one_label and labels else {}
    findings = [
        *_faults(sources, facts),
        *copies.findings(),
        *_classes(train, test, facts),
        *_words(told, cut[0], labels),
        *_forms(clues),
        *_strangers(overlap, test),
    ]
    findings.sort(key=lambda f: SEVERITIES.index(f.severity))
    return Inspection(
        facts[0], facts[1] if test is not None else None, overlap, copies.n_copies, len(copies.conflicts),
        len(copies.near_in_train), copies.n_crowded, told, clues, findings,
    )  # fmt: skip


class _Copies:
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
                f"{_texts(n)} with different labels", "settle on one label, or take the text out",
            )  # fmt: skip
        same = [rows for rows in self.copied if len({self.labels[i] for i in rows}) == 1]
        if same:
            n = sum(len(rows) - 1 for rows in same)
            yield self._finding(
                "duplicate", "warning", same, f"{n} cop{'ies' if n > 1 else 'y'} of {_texts(len(same))}",
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


def _faults(sources: Sequence[LabelledTexts], facts: Sequence[TextFacts]) -> Iterator[Finding]:
    several = len(sources) > 1
    for data, fact in zip(sources, facts, strict=True):
        if data.note is not None:
            yield Finding(
                "encoding", "note", (), data.note.partition("; another")[0],
                "look at a few texts with letters outside ASCII; name the encoding if they are wrong",
            )  # fmt: skip
        if data.bad:
            n, kinds = len(data.bad), Counter(_kind(row) for row in data.bad)
            said = ", ".join(f"{k} {reason}" for reason, k in kinds.most_common(3))
            files = tuple((f"{data.name}: {row.where}" if several else row.where,) for row in data.bad)
            yield Finding(
                "bad_rows", "warning", files, f"{data.name}: {n} of {fact.n_rows} rows cannot be used: {said}",
                "mend them, or leave them out knowingly", tuple(row.error or "" for row in data.bad),
            )  # fmt: skip
        if fact.lengths is not None and fact.lengths.empty:
            yield Finding(
                "no_token", "warning", (), f"{data.name}: {fact.lengths.empty} texts give no token",
                "choose a tokenizer that knows their characters",
            )  # fmt: skip


def _classes(train: LabelledTexts, test: LabelledTexts | None, facts: Sequence[TextFacts]) -> Iterator[Finding]:
    counts = facts[0].classes
    if len(counts) == 1:
        yield Finding(
            "one_class", "error", (), f"one class only, {next(iter(counts))!r}",
            "add texts of another class, or check which column is the label",
        )  # fmt: skip
        return
    few = {label: n for label, n in counts.items() if n < _FEW}
    if few:
        single = [label for label, n in few.items() if n == 1]
        words = f"{len(few)} of {len(counts)} classes have fewer than {_FEW} texts"
        words += f", {len(single)} of them one ({', '.join(map(repr, single[:3]))})" if single else ""
        yield Finding(
            "small_class", "warning", tuple((label,) for label in few), words,
            "gather more, join classes or leave them out: what has one text cannot be trained on and tested",
            tuple(_texts(n) for n in few.values()),
        )  # fmt: skip
    share = facts[0].majority or 0
    if len(counts) > 1 and share > _MOSTLY:
        yield Finding(
            "majority", "note", (), f"{share:.0%} of the texts are of class {next(iter(counts))!r}",
            "compare accuracy with that share; look at the recall of the other classes",
        )  # fmt: skip
    if test is not None and counts:
        strange = {label: n for label, n in facts[1].classes.items() if label not in counts}
        if strange:
            yield Finding(
                "unknown_class", "error", tuple((label,) for label in strange),
                f"{sum(strange.values())} test texts are of classes that {train.name} lacks",
                "use the labels trained on", tuple(_texts(n) for n in strange.values()),
            )  # fmt: skip


def _words(
    told: dict[str, list[ClassWord]], cut: Sequence[Sequence[str]], labels: Sequence[str]
) -> Iterator[Finding]:
    """Single words that tell a class, confirmed on texts that the guesser has not seen."""
    found = []
    rows = _sample(len(labels))
    for w in chain.from_iterable(told.values()):
        if w.tells:
            clue = class_clue([w.word in cut[i] for i in rows], [labels[i] for i in rows])
            if clue is not None and clue.tells:
                found.append(w)
    if found:
        found.sort(key=lambda w: -w.f1)
        best = found[0]
        yield Finding(
            "word_tells", "warning", tuple((w.word,) for w in found),
            f"the word {best.word!r} alone tells {best.label!r} with F1 {best.f1:.2f} "
            f"(chance {best.chance_f1:.2f})",
            "does it belong to the matter, or did the label slip into the text (a name, a source)?",
            tuple(
                f"{w.label}: in {w.inside} of its texts and {w.outside} others, F1 {w.f1:.2f}" for w in found
            ),
        )  # fmt: skip


def _clues(data: LabelledTexts, cut: Sequence[Sequence[str]], labels: Sequence[str]) -> dict[str, Clue]:
    found, rows = {}, _sample(len(labels))
    for name, (_, value) in PROPERTIES.items():
        clue = class_clue([value(data.texts[i], cut[i]) for i in rows], [labels[i] for i in rows])
        if clue is not None:
            found[name] = clue
    return found


def _forms(clues: dict[str, Clue]) -> Iterator[Finding]:
    told = sorted(((n, c) for n, c in clues.items() if c.tells), key=lambda item: -item[1].best_f1)
    if told:
        name, best = told[0]
        yield Finding(
            "form_tells", "warning", tuple((PROPERTIES[n][0],) for n, _ in told),
            f"{PROPERTIES[name][0]} alone tells {best.best_class!r} with F1 {best.best_f1:.2f} (chance "
            f"{best.best_chance:.2f})",
            "were the classes gathered or cut in different ways? a net may learn that instead of the words",
            tuple(f"{c.accuracy:.0%} right, classes weighing alike (chance {c.chance:.0%})" for _, c in told),
        )  # fmt: skip


def _strangers(overlap: Overlap | None, test: LabelledTexts | None) -> Iterator[Finding]:
    if overlap is not None and test is not None and overlap.unknown_tokens > _UNKNOWN:
        yield Finding(
            "unknown_words", "note", (),
            f"{overlap.unknown_tokens:.0%} of the tokens of {test.name} never stand in the training file",
            "is it of another kind or language, or cut into words in another way?",
        )  # fmt: skip


def _unknown(known: set[str], words: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Share of unknown tokens, and of unknown distinct words."""
    counts = Counter(chain.from_iterable(words))
    strange = {w: n for w, n in counts.items() if w not in known}
    return sum(strange.values()) / max(1, sum(counts.values())), len(strange) / max(1, len(counts))


def _sample(n: int) -> list[int]:
    if n <= _SAMPLE:
        return list(range(n))
    return np.sort(np.random.default_rng(0).permutation(n)[:_SAMPLE]).tolist()


def _kind(row: Row) -> str:
    return (row.error or "").partition(" (")[0].partition(";")[0]


def _texts(n: int) -> str:
    return f"{n} text{'s' * (n != 1)}"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 80 else f"{one[:77]}..."


def _share(text: str, test: Callable[[str], bool]) -> float:
    return sum(map(test, text)) / len(text)


# name → (how it is called, function of text and tokens); all of them form, none of them what is said
PROPERTIES: dict[str, tuple[str, Callable[[str, Sequence[str]], float]]] = {
    "tokens": ("the number of tokens", lambda text, words: len(words)),
    "capitals": ("the share of capitals", lambda text, words: _share(text, str.isupper)),
    "signs": (
        "the share of punctuation",
        lambda text, words: _share(text, lambda c: not (c.isalnum() or c.isspace())),
    ),
}
