"""Negation tests: a "not" written in or taken out, a word for its opposite: does the answer turn?

The rules are for English and look at words alone: they do not parse, and not every edit turns what a text says
as a whole. So the share of turned answers has no target of 100 %; it compares nets and patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..training.bootstrap import Interval, bootstrap_interval
from ..training.metrics import wilson_interval
from .tokens import Token, tokenize, word_tokens

__all__ = ["ANTONYMS", "NEGATION_PATTERNS", "NegationResult", "Turned", "edit", "negation_test"]

N_EXAMPLES = 5


@dataclass(frozen=True)
class Turned:
    """An edited text and the probability of the first answer before and after."""

    text: str
    edited: str
    before: float
    after: float


@dataclass(frozen=True)
class NegationResult:
    """One pattern.

    Attributes
    ----------
    pattern : a key of NEGATION_PATTERNS
    n : int
        Texts that it fits.
    turned : int
        Those whose label changed.
    share : Interval
        turned / n with Wilson's interval; NaN where it fits no text.
    change : Interval
        Mean change of the first label's probability, with its interval over texts; NaN for fewer than two.
    examples : tuple of Turned
        The largest changes.
    """

    pattern: str
    n: int
    turned: int
    share: Interval
    change: Interval
    examples: tuple[Turned, ...]


def edit(text: str, pattern: str, antonyms: Mapping[str, str] | None = None) -> str | None:
    """The text after one edit of the pattern, at the first place that it fits, or None if it fits nowhere.

    Parameters
    ----------
    text : str
    pattern : a key of NEGATION_PATTERNS
    antonyms : mapping of lower-case words, optional
        Read in both directions; default ANTONYMS.

    Raises
    ------
    InputError
        If the pattern is unknown.

    Examples
    --------
    >>> edit("The plot is good.", "not after be"), edit("It can work", "n't")
    ('The plot is not good.', "It can't work")
    >>> edit("It isn't good", "drop negation"), edit("A Good film", "antonym")
    ('It is good', 'A Bad film')
    """
    if pattern not in NEGATION_PATTERNS:
        raise InputError(f"pattern must be one of {', '.join(NEGATION_PATTERNS)}, got {pattern!r}")
    return NEGATION_PATTERNS[pattern](text, word_tokens(text), _both_ways(antonyms))


def negation_test(
    model: Any, texts: Sequence[str], *, antonyms: Mapping[str, str] | None = None
) -> list[NegationResult]:
    """How often each pattern's edit turns a classifier's answer.

    Parameters
    ----------
    model : TextClassifier, fitted
    texts : sequence of str
    antonyms : mapping, optional
        As in `edit`.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> texts, labels = ["a good film", "very good", "a bad film", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, seed=1).fit(texts, labels)
    >>> {r.pattern: (r.turned, r.n) for r in negation_test(model, texts[:4])}["antonym"]
    (4, 4)
    """
    texts = list(texts)
    before = model.predict_proba(texts) if texts else np.zeros((0, len(model.classes_)))
    results = []
    for pattern in NEGATION_PATTERNS:
        edited = [edit(text, pattern, antonyms) for text in texts]
        rows = [i for i, new in enumerate(edited) if new is not None and tokenize(new, model.tokenizer_)]
        news = [edited[i] or "" for i in rows]
        after = model.predict_proba(news) if news else before[:0]
        first = before[rows].argmax(1)
        turned = after.argmax(1) != first
        old_p, new_p = before[rows, first], after[np.arange(len(rows)), first]
        order = np.argsort(-np.abs(new_p - old_p), kind="stable")[:N_EXAMPLES]
        examples = tuple(
            Turned(texts[rows[i]], news[i], float(old_p[i]), float(new_p[i])) for i in order.tolist()
        )
        results.append(
            NegationResult(pattern, len(rows), int(turned.sum()), _share(int(turned.sum()), len(rows)),
                           _mean(new_p - old_p), examples)
        )  # fmt: skip
    return results


def _share(count: int, n: int) -> Interval:
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    return Interval(count / n, *wilson_interval(count, n))


def _mean(values: np.ndarray) -> Interval:
    if len(values) < 2:
        value = float(values[0]) if len(values) else float("nan")
        return Interval(value, float("nan"), float("nan"))
    return bootstrap_interval(lambda c: c[:, 0] / c[:, 1], np.stack([values, np.ones_like(values)], 1))


def _both_ways(antonyms: Mapping[str, str] | None) -> dict[str, str]:
    pairs = ANTONYMS if antonyms is None else antonyms
    return {
        **{b.lower(): a.lower() for a, b in pairs.items()},
        **{a.lower(): b.lower() for a, b in pairs.items()},
    }


def _is_negation(tokens: Sequence[Token], i: int) -> bool:
    return i < len(tokens) and tokens[i].word.replace("’", "'") in ("not", "n't", "never")


def _not_after_be(text: str, tokens: Sequence[Token], antonyms: Mapping[str, str]) -> str | None:
    for i, token in enumerate(tokens):
        word = token.word.replace("’", "'")
        is_be = word in _BE or (word == "'s" and i > 0 and tokens[i - 1].word in _BEFORE_IS)
        if is_be and not _is_negation(tokens, i + 1):
            return f"{text[: token.end]} not{text[token.end :]}"
    return None


def _contracted(text: str, tokens: Sequence[Token], antonyms: Mapping[str, str]) -> str | None:
    for i, token in enumerate(tokens):
        if token.word in _CONTRACTED and not _is_negation(tokens, i + 1):
            end = token.end - len(_CONTRACTED[token.word][0])
            return f"{text[:end]}{_CONTRACTED[token.word][1]}n't{text[token.end :]}"
    return None


def _not_before_adjective(text: str, tokens: Sequence[Token], antonyms: Mapping[str, str]) -> str | None:
    for i, token in enumerate(tokens):
        if token.word in antonyms and not (i > 0 and _is_negation(tokens, i - 1)):
            return f"{text[: token.start]}not {text[token.start :]}"
    return None


def _drop_negation(text: str, tokens: Sequence[Token], antonyms: Mapping[str, str]) -> str | None:
    for i, token in enumerate(tokens):
        if _is_negation(tokens, i):
            stem = text[: token.start].rstrip()
            for short, full in (("ca", "can"), ("wo", "will"), ("sha", "shall")):
                if token.word not in ("not", "never") and re.search(rf"\b{short}$", stem, re.IGNORECASE):
                    stem = stem[: -len(short)] + full
            return f"{stem}{text[token.end :]}".lstrip()
    return None


def _antonym(text: str, tokens: Sequence[Token], antonyms: Mapping[str, str]) -> str | None:
    for token in tokens:
        if token.word in antonyms:
            old, new = text[token.start : token.end], antonyms[token.word]
            new = (
                new.upper() if old.isupper() and len(old) > 1 else new.capitalize() if old[0].isupper() else new
            )
            return f"{text[: token.start]}{new}{text[token.end :]}"
    return None


_BE = frozenset(("is", "are", "was", "were", "am", "be", "been", "'m", "'re"))
_BEFORE_IS = frozenset(
    ("it", "that", "this", "he", "she", "there", "what", "who")
)  # elsewhere 's is a genitive
# auxiliary → the end that it loses and what comes in its place before n't
_CONTRACTED = {
    **dict.fromkeys(("is", "are", "was", "were", "do", "does", "did", "has", "have", "had"), ("", "")),
    **dict.fromkeys(("could", "would", "should", "must", "need"), ("", "")),
    "can": ("n", ""), "will": ("ill", "o"), "shall": ("ll", ""),
}  # fmt: skip
ANTONYMS = {
    "good": "bad", "best": "worst", "better": "worse", "great": "awful", "excellent": "terrible",
    "fresh": "stale", "funny": "unfunny", "interesting": "boring", "entertaining": "tedious",
    "fascinating": "dull", "brilliant": "horrible", "lovely": "dreadful", "delightful": "unpleasant",
    "love": "hate", "loved": "hated", "enjoyable": "annoying", "succeeds": "fails", "success": "failure",
    "perfect": "flawed", "strong": "weak", "original": "derivative", "smart": "stupid", "beautiful": "ugly",
    "always": "never", "happy": "sad",
}  # fmt: skip
# pattern → function(text, its tokens, antonyms) → the edited text or None
NEGATION_PATTERNS: dict[str, Callable[[str, Sequence[Token], Mapping[str, str]], str | None]] = {
    "not after be": _not_after_be,
    "n't": _contracted,
    "not before adjective": _not_before_adjective,
    "drop negation": _drop_negation,
    "antonym": _antonym,
}
