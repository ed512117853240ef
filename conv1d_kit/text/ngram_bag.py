"""Bags of n-grams as sparse matrices: every window of words or characters is a 64-bit key, without strings.

A text is a row of codes; the windows of width n are keyed all at once from those of width n − 1. What is kept
of a training set is a sorted array of keys, so a million n-grams are 8 MB and load in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .tokens import words_of

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["UNITS", "NgramBag", "Ngrams"]

_START, _END = np.uint64(1), np.uint64(2)  # stand before and after every text: its first word is an n-gram too
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Ngrams:
    """Which n-grams: of "word" or "cased_character", from `low` to `high` of them in a row.

    Both borders of a text count as one unit each, so that "first word" and "last letters" can be learned.
    Characters are those of the text as it is, capitals too (of words, the tokenizer decides), each run of white
    space as one space.

    Parameters
    ----------
    unit : a key of UNITS
    low, high : int, 1 <= low <= high
    tokenizer : a key of TOKENIZERS
        Cuts the words.

    Examples
    --------
    >>> keys, rows = Ngrams("word", 1, 2).keys(["so good", "good"])
    >>> rows.tolist()                       # 4 units and 3 pairs, then 3 and 2
    [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
    """

    unit: str
    low: int
    high: int
    tokenizer: str = "word"

    def __post_init__(self):
        if self.unit not in UNITS:
            raise InputError(f"unit must be one of {', '.join(UNITS)}, got {self.unit!r}")
        if not 1 <= self.low <= self.high:
            raise InputError(f"low and high must be ints, 1 <= low <= high, got {self.low} and {self.high}")

    def keys(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Key [uint64] and row [int64] of every n-gram of the texts, the narrow ones first."""
        keys, rows, _ = self.places(texts)
        return keys, rows

    def places(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[tuple[int, np.ndarray]]]:
        """As `keys`, and for every width n the units at which its n-grams begin, counted over all texts."""
        parts = [UNITS[self.unit](text, self.tokenizer) for text in texts]
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
        if not parts:
            return np.empty(0, np.uint64), np.empty(0, np.int64), []
        codes = np.concatenate(parts)
        rows = np.repeat(np.arange(len(parts)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(
            len(codes)
        )  # units from here to the text's end
        key = np.zeros(len(codes), np.uint64)
        found: list[tuple[int, np.ndarray]] = []
        keys = []
        for n in range(1, self.high + 1):
            key = _mixed(key[: len(codes) - n + 1] * _STEP + codes[n - 1 :])
            if n >= self.low:
                start = np.flatnonzero(left[: len(key)] >= n)
                keys.append(key[start])
                found.append((n, start))
        return np.concatenate(keys), np.concatenate([rows[start] for _, start in found]), found


class NgramBag:
    """The n-grams of a training set, and texts as rows of what they hold of them.

    Parameters
    ----------
    ngrams : Ngrams
    known : sorted distinct keys [uint64]

    Examples
    --------
    >>> bag, x = NgramBag.learn(Ngrams("word", 1, 1), ["so good", "so so"])
    >>> x.toarray().tolist() == bag.rows(["so good", "so so"]).toarray().tolist(), x.shape
    (True, (2, 4))
    >>> bag.rows(["unheard"]).sum()          # but for the borders
    np.float32(2.0)
    """

    def __init__(self, ngrams: Ngrams, known: np.ndarray):
        self.ngrams, self.known = ngrams, known

    @classmethod
    def learn(cls, ngrams: Ngrams, texts: Sequence[str], *, min_texts: int = 1) -> tuple[NgramBag, csr_matrix]:
        """The bag of the n-grams that at least `min_texts` texts hold, and the texts' own rows (as `rows`)."""
        from scipy.sparse import csr_matrix

        keys, rows = ngrams.keys(texts)
        known, columns = np.unique(keys, return_inverse=True)
        x = csr_matrix((np.ones(len(keys), np.float32), (rows, columns)), shape=(len(texts), len(known)))
        x.sum_duplicates()
        if min_texts > 1:
            kept = np.bincount(x.indices, minlength=len(known)) >= min_texts
            known, x = known[kept], x[:, kept]
        return cls(ngrams, known), x

    def __len__(self) -> int:
        return len(self.known)

    def rows(self, texts: Sequence[str]) -> csr_matrix:
        """How often each known n-gram stands in each text [shape=(N, len(self)), float32]."""
        from scipy.sparse import csr_matrix

        keys, rows = self.ngrams.keys(texts)
        columns, here = self.columns(keys)
        x = csr_matrix(
            (np.ones(int(here.sum()), np.float32), (rows[here], columns[here])), shape=(len(texts), len(self))
        )
        x.sum_duplicates()
        return x

    def columns(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Column of each key, and whether the key is known at all (if not, the column means nothing)."""
        columns = np.searchsorted(self.known, keys)
        if len(self.known) == 0:
            return columns, np.zeros(len(keys), bool)
        columns = np.minimum(columns, len(self.known) - 1)
        return columns, self.known[columns] == keys


def _mixed(x: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit numbers after which every bit depends on every bit.

    Source: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, figure 17
    (mix64variant13).
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lru_cache(maxsize=1 << 18)
def _word_code(word: str) -> int:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _words(text: str, tokenizer: str) -> np.ndarray:
    words = map(_word_code, words_of(text, tokenizer))
    return np.array([int(_START), *words, int(_END)], dtype=np.uint64)


def _characters(text: str, tokenizer: str) -> np.ndarray:
    spaced = f" {' '.join(text.split())} "
    return np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)


UNITS: dict[str, Callable[[str, str], np.ndarray]] = {"word": _words, "cased_character": _characters}
