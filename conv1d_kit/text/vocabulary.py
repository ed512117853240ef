"""The vocabulary: which words a net knows, counted on the training part and on nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError, ModelError, check_whole

__all__ = ["PAD", "UNK", "Vocabulary"]

PAD, UNK = 0, 1  # ids; their names below cannot be reached from a text
_RESERVED = ("<pad>", "<unk>")


class Vocabulary:
    """Words and their ids: 0 is <pad>, 1 is <unk>, then the words in the order given.

    Parameters
    ----------
    words : sequence of distinct str
        Without the two reserved names.

    Examples
    --------
    >>> v = Vocabulary.from_tokens([["a", "film"], ["a", "bore"]], min_count=1)
    >>> v.words
    ['a', 'bore', 'film']
    >>> v.encode(["a", "good", "film"]).tolist()
    [2, 1, 4]
    """

    def __init__(self, words: Sequence[str]):
        self.words = [str(w) for w in words]
        self._ids = {w: i for i, w in enumerate(self.words, start=len(_RESERVED))}
        if len(self._ids) != len(self.words):
            twice = next(w for w, n in Counter(self.words).items() if n > 1)
            raise InputError(f"words must be distinct, got {twice!r} more than once")
        if any(w in self._ids for w in _RESERVED):
            raise InputError(f"words must not hold the reserved names {', '.join(_RESERVED)}")

    @classmethod
    def from_tokens(
        cls, texts: Iterable[Iterable[str]], *, min_count: int = 1, max_words: int | None = None
    ) -> Vocabulary:
        """Count the words of the training texts; the most frequent first, equals in alphabetical order.

        Parameters
        ----------
        texts : iterable of iterables of str
        min_count : int >= 1
            Words seen less often become <unk>.
        max_words : int >= 1, optional
            Keep at most so many.
        """
        check_whole("min_count", min_count)
        if max_words is not None and max_words < 1:
            raise InputError(f"max_words must be an int >= 1 or None, got {max_words!r}")
        counts = Counter(w for text in texts for w in text)
        kept = [(-n, w) for w, n in counts.items() if n >= min_count and w not in _RESERVED]
        return cls([w for _, w in sorted(kept)[:max_words]])

    def __len__(self) -> int:
        """Number of ids, the two reserved ones among them."""
        return len(self.words) + len(_RESERVED)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.words)} words)"

    def encode(self, words: Iterable[str]) -> np.ndarray:
        """Ids of the words, <unk> for unknown ones [shape=(L,), int64]."""
        get = self._ids.get
        return np.fromiter((get(w, UNK) for w in words), dtype=np.int64)

    def word(self, index: int) -> str:
        """The word of an id."""
        return _RESERVED[index] if index < len(_RESERVED) else self.words[index - len(_RESERVED)]

    def to_json(self) -> list[str]:
        """A JSON-able form; `from_json` is its way back."""
        return list(self.words)

    @classmethod
    def from_json(cls, words: object) -> Vocabulary:
        """The vocabulary that `to_json` gave.

        Raises
        ------
        ModelError
            If it is not a list of distinct words.
        """
        if not isinstance(words, list) or not all(isinstance(w, str) for w in words):
            raise ModelError("the vocabulary must be a list of words; the model's config.json is damaged")
        try:
            return cls(words)
        except InputError as error:
            raise ModelError(f"the vocabulary cannot be used: {error}") from error
