"""Cuts many texts quickly: what stands between two spaces is cut once, and looked up ever after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from .tokens import TOKENIZERS, Tokenizer, words_of
from .vocabulary import Vocabulary

__all__ = ["APART", "Pieces", "ids_of_pieces", "words_of_pieces"]

KEPT = 1 << 17  # pieces kept, about 30 MB; then it begins anew
LONGEST = 48  # characters of a piece worth keeping: a script without spaces never repeats one
APART = frozenset({"word", "kim", "space", "character"})  # tokenizers to which a space is a border, always


class Pieces:
    """A function text → list of what `cut` makes of it, several times as fast on the words of a language.

    Parameters
    ----------
    cut : function str → sequence
        Words, say, or ids. It is called with parts of texts.
    apart : bool
        Whether `cut` gives for a text what it gives for its parts between spaces, one after the other.
        If not, every text is cut as a whole.

    Examples
    --------
    >>> words_of_pieces("word")("It isn't  bad, isn't it?")
    ['it', 'is', "n't", 'bad', ',', 'is', "n't", 'it', '?']
    """

    def __init__(self, cut: Callable[[str], Sequence], *, apart: bool):
        self.cut, self.apart, self._known = cut, apart, _Known(cut)

    def __call__(self, text: str) -> list:
        if not self.apart:
            return list(self.cut(text))
        return list(chain.from_iterable(map(self._known.__getitem__, text.split(" "))))

    def __getstate__(self) -> dict:  # what was seen is no part of what it is
        return {"cut": self.cut, "apart": self.apart}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["cut"], apart=state["apart"])  # type: ignore[misc]


class _Known(dict):
    """piece → what it was cut into."""

    def __init__(self, cut: Callable[[str], Sequence]):
        super().__init__()
        self.cut = cut

    def __missing__(self, piece: str) -> tuple:
        value = tuple(self.cut(piece))
        if len(piece) <= LONGEST:
            if len(self) >= KEPT:
                self.clear()
            self[piece] = value
        return value


def words_of_pieces(tokenizer: str | Tokenizer) -> Pieces:
    """The tokenizer's words, without their places."""
    return Pieces(_Words(tokenizer), apart=_is_apart(tokenizer))


def ids_of_pieces(tokenizer: str | Tokenizer, vocabulary: Vocabulary) -> Pieces:
    """The vocabulary's ids of the tokenizer's words.

    Examples
    --------
    >>> ids_of_pieces("word", Vocabulary(["a", "film"]))("A film, a bore")
    [2, 3, 1, 2, 1]
    """
    return Pieces(_Ids(tokenizer, vocabulary), apart=_is_apart(tokenizer))


def _is_apart(tokenizer: str | Tokenizer) -> bool:
    return any(tokenizer in (name, TOKENIZERS[name]) for name in APART)


class _Words:  # classes, since functions made on the way cannot be pickled
    def __init__(self, tokenizer: str | Tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, text: str) -> list[str]:
        return words_of(text, self.tokenizer)


class _Ids:
    def __init__(self, tokenizer: str | Tokenizer, vocabulary: Vocabulary):
        self.words, self.vocabulary = _Words(tokenizer), vocabulary

    def __call__(self, text: str) -> list[int]:
        return self.vocabulary.encode(self.words(text)).tolist()
