"""What a classifier's answer is made of: every logit as a sum of n-grams' shares and a bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .tokens import Token
from .windows import window_source

__all__ = ["NgramShare", "TextExplanation"]


@dataclass(frozen=True)
class NgramShare:
    """An n-gram and its share: words (<pad> beyond the border), the text they stand in, first token, value."""

    words: tuple[str, ...]
    source: str
    start: int
    value: float

    @property
    def size(self) -> str:
        """Its width in words; where it hangs over the border, how many of them are in the text.

        Examples
        --------
        >>> NgramShare(("<pad>", "good"), "good", -1, 0.5).size
        '1 of 2, at the border'
        """
        n = len(self.words)
        outside = sum(w == "<pad>" for w in self.words)
        return f"{n - outside} of {n}, at the border" if outside else str(n)


@dataclass(frozen=True)
class TextExplanation:
    """Every logit of one text, taken apart twice: by n-grams and by words.

        logits = bias + values.sum(0) = token_bias + token_values.sum(0)        but for `gap`

    An n-gram model fills it whatever it is: a CNN with the windows that its filters picked, a linear model with
    the n-grams that stand in the text.

    Attributes
    ----------
    text : str
    tokens : tuple of Token, length L
    known : array of bool [shape=(L,)]
        False where the word is no word of the vocabulary and was read as <unk>.
    classes : tuple, length C
    logits, probabilities : array [shape=(C,)]
    starts, widths : array of int [shape=(S,)]
        First token (from −(width − 1): it may hang over the border) and width of each n-gram, in text order.
    values : array [shape=(S, C)]
        What the n-gram adds to each logit.
    bias : array [shape=(C,)]
        What no n-gram adds.
    token_values : array [shape=(L, C)]
        What each word adds to each logit, in all n-grams that it stands in.
    token_bias : array [shape=(C,)]
        What no word adds: `bias` and the biases of the filters that answered.
    method : "exact", "gradients", "linear" or "blend" (its members' means, word by word)
    gap : float
        Largest |sum − logit| over the classes and both sums.
    multi_label : bool
        The text may have any number of labels, each of which is explained by itself.
    """

    text: str
    tokens: tuple[Token, ...]
    known: np.ndarray
    classes: tuple[Any, ...]
    logits: np.ndarray
    probabilities: np.ndarray
    starts: np.ndarray
    widths: np.ndarray
    values: np.ndarray
    bias: np.ndarray
    token_values: np.ndarray
    token_bias: np.ndarray
    method: str
    gap: float
    multi_label: bool = False

    @property
    def label(self) -> Any:
        """The class with the highest logit; of several labels the tuple of those above one half."""
        if self.multi_label:
            return tuple(c for c, p in zip(self.classes, self.probabilities, strict=True) if p > 0.5)
        return self.classes[int(self.logits.argmax())]

    @property
    def answer(self) -> str:
        """The label in words."""
        labels = self.label if self.multi_label else (self.label,)
        return ";".join(map(str, labels)) or "none of these"

    def pair(self, label: Any = None, against: Any = None) -> tuple[int, int | None]:
        """Rows of `classes` of the class explained and of the one it is compared with.

        Parameters
        ----------
        label : a class, optional
            By default the most probable one.
        against : a class, optional
            By default the most probable of the others: the difference of the two logits is what decides
            between them, and what adds to all logits alike cancels. Of several labels none: the logit itself
            decides.

        Raises
        ------
        InputError
            If either is no class, or both are the same.
        """
        t = int(self.logits.argmax()) if label is None else self._row("label", label)
        if against is None and self.multi_label:
            return t, None
        if against is None:
            others = self.logits.copy()
            others[t] = -np.inf
            return t, int(others.argmax())
        a = self._row("against", against)
        if a == t:
            raise InputError(f"against must be another class than label, got {against!r} for both")
        return t, a

    def sides(self, label: Any = None, against: Any = None) -> tuple[str, str]:
        """What a score above 0 and one below 0 speak for, in words."""
        t, a = self.pair(label, against)
        return str(self.classes[t]), f"no {self.classes[t]}" if a is None else str(self.classes[a])

    def lead(self, values: np.ndarray, label: Any = None, against: Any = None) -> np.ndarray:
        """Of `values` [shape=(…, C)] those of `label` less those of `against`, if there is one; see `pair`."""
        t, a = self.pair(label, against)
        return values[..., t] if a is None else values[..., t] - values[..., a]

    def word_scores(self, label: Any = None, against: Any = None) -> np.ndarray:
        """What each word adds to the logit of `label` less that of `against` [shape=(L,)]."""
        return self.lead(self.token_values, label, against)

    def ngram_scores(self, label: Any = None, against: Any = None) -> np.ndarray:
        """What each n-gram adds to the logit of `label` less that of `against` [shape=(S,)]."""
        return self.lead(self.values, label, against)

    def strongest(
        self, n: int, label: Any = None, against: Any = None
    ) -> tuple[list[NgramShare], list[NgramShare]]:
        """The at most `n` n-grams that say most for `label`, and the `n` that say most against it."""
        scores = self.ngram_scores(label, against)
        order = np.argsort(-scores, kind="stable")
        first = [int(i) for i in order[:n] if scores[i] > 0]
        last = [int(i) for i in order[::-1][:n] if scores[i] < 0]
        return self._shares(first, scores), self._shares(last, scores)

    def to_json(self, label: Any = None, against: Any = None) -> dict[str, Any]:
        """A JSON-able form; scores are for `label` against `against`, shares for every class."""
        t, a = self.pair(label, against)
        words, ngrams = self.word_scores(label, against), self.ngram_scores(label, against)
        return {
            "text": self.text,
            "label": list(map(_plain, self.label)) if self.multi_label else _plain(self.label),
            "explained": _plain(self.classes[t]),
            "against": None if a is None else _plain(self.classes[a]),
            "classes": [_plain(c) for c in self.classes],
            "logits": self.logits.tolist(),
            "probabilities": self.probabilities.tolist(),
            "method": self.method,
            "gap": self.gap,
            "bias": self.bias.tolist(),
            "token_bias": self.token_bias.tolist(),
            "tokens": [
                {"word": k.word, "start": k.start, "end": k.end, "known": bool(ok), "score": float(s),
                 "values": v.tolist()}
                for k, ok, s, v in zip(self.tokens, self.known, words, self.token_values, strict=True)
            ],
            "ngrams": [
                {"start": n.start, "width": len(n.words), "words": list(n.words), "source": n.source,
                 "score": n.value, "values": self.values[i].tolist()}
                for i, n in enumerate(self._shares(range(len(self.starts)), ngrams))
            ],
        }  # fmt: skip

    def _shares(self, rows: Sequence[int], scores: np.ndarray) -> list[NgramShare]:
        found = []
        for i in rows:
            start, width = int(self.starts[i]), int(self.widths[i])
            words, source = window_source(self.text, self.tokens, start, width)
            found.append(NgramShare(words, source, start, float(scores[i])))
        return found

    def _row(self, name: str, label: Any) -> int:
        names = [str(c) for c in self.classes]
        if str(label) not in names:
            raise InputError(f"{name} must be one of {', '.join(names)}, got {str(label)!r}")
        return names.index(str(label))


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
