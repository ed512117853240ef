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
from .copies import Copies, Overlap, n_texts
from .labelled import LabelledTexts
from .rows import Row
from .text_facts import TextFacts, labels_of, text_facts
from .tokens import LEARNED, Tokenizer, make_tokenizer, words_of

__all__ = ["PROPERTIES", "Inspection", "Overlap", "inspect_texts"]

_FEW = 10  # texts of a class, below which not every one of ten folds has one
_SAMPLE = 4000  # texts from which it is learned whether a property tells the class
_MOSTLY = 0.8  # of the texts in one class
_UNKNOWN = 0.2  # share of the test's tokens that training never saw


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
    copies = Copies(sources, plain, near)
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
            tuple(n_texts(n) for n in few.values()),
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
                "use the labels trained on", tuple(n_texts(n) for n in strange.values()),
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
