"""Words that go with a class: the first place to look for what gives the label away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import InputError

__all__ = ["ClassWord", "class_words"]

_PRIOR = 1.0  # counts a word, on average: how strongly each class is drawn to the words of all
_LEAST = 3  # texts with the word


class ClassWord(NamedTuple):
    """How a word goes with a class.

    `inside` and `outside` count the texts of the class and of all others that hold it; `z` is its log-odds
    ratio in standard deviations; `f1` what answering the class wherever the word stands gives, `chance_f1` what
    answering it always gives.
    """

    label: str
    word: str
    inside: int
    outside: int
    z: float
    f1: float
    chance_f1: float

    @property
    def tells(self) -> bool:
        """Whether the word removes a third of the errors of who answers the class always."""
        return self.f1 - self.chance_f1 > (1 - self.chance_f1) / 3


def class_words(
    texts: Sequence[Iterable[str]], labels: Sequence[str], n: int = 10
) -> dict[str, list[ClassWord]]:
    """For each class the `n` words that go with it most, the strongest first.

    Parameters
    ----------
    texts : sequence of iterables of str, length N
        A word counts once a text.
    labels : sequence of str, length N
    n : int >= 1

    Raises
    ------
    InputError
        If the lengths differ.

    Source: Monroe, Colaresi & Quinn (2008), Fightin' Words, equations 16 and 22 (log-odds ratio with an
    informative Dirichlet prior).

    Examples
    --------
    >>> found = class_words([["so", "dull"], ["so", "fine"]] * 4, ["neg", "pos"] * 4, n=1)
    >>> found["neg"][0].word, found["neg"][0].inside, found["neg"][0].outside, found["neg"][0].tells
    ('dull', 4, 0, True)
    """
    if len(texts) != len(labels):
        raise InputError(f"texts and labels must have one length, got {len(texts)} and {len(labels)}")
    per_class: dict[str, Counter[str]] = {label: Counter() for label in sorted(set(labels))}
    sizes = Counter(labels)
    for words, label in zip(texts, labels, strict=True):
        per_class[label].update(set(words))
    total: Counter[str] = Counter()
    for counts in per_class.values():
        total.update(counts)
    vocabulary = sorted(w for w, k in total.items() if k >= _LEAST)
    if len(vocabulary) < 2 or len(per_class) < 2:
        return {label: [] for label in per_class}
    overall = np.array([total[w] for w in vocabulary], float)
    prior = _PRIOR * len(vocabulary) * overall / overall.sum()
    found = {}
    for label, counts in per_class.items():
        inside = np.array([counts[w] for w in vocabulary], float)
        z = _z(inside, overall - inside, prior)
        best = np.lexsort((np.arange(len(z)), -z))[:n]
        share = sizes[label] / len(labels)
        found[label] = [
            ClassWord(
                label, vocabulary[k], int(inside[k]), int(overall[k] - inside[k]), float(z[k]),
                float(2 * inside[k] / (overall[k] + sizes[label])), 2 * share / (1 + share),
            )
            for k in best if z[k] > 0
        ]  # fmt: skip
    return found


def _z(inside: np.ndarray, outside: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Log-odds ratio of each word between the class and the rest, over its standard deviation."""
    a, b = inside + prior, outside + prior
    ratio = np.log(a) - np.log(a.sum() - a) - np.log(b) + np.log(b.sum() - b)
    return ratio / np.sqrt(1 / a + 1 / b)
