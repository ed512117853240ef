"""Tokens that know where they stand in the source, so that what a net finds can be shown in the text itself.

A tokenizer is a function text → list of Token; `text[token.start:token.end]` is the token's source, and tokens
stand in order without overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ..errors import InputError

__all__ = ["TOKENIZERS", "Token", "character_tokens", "kim_tokens", "space_tokens", "tokenize", "word_tokens"]


class Token(NamedTuple):
    """A normalised word and the half-open range of the characters it came from."""

    word: str
    start: int
    end: int


# "don't" → do, n't; "it's" → it, 's: a word ends where an English clitic begins.
_CLITIC = r"(?:n['’]t|['’](?:s|ve|re|d|ll|m))(?!\w)"
_WORD = re.compile(
    rf"{_CLITIC}|\w(?:(?!{_CLITIC})(?:\w|['’](?=\w)|[.,](?=\d)(?<=\d.)))*|[^\w\s]", re.IGNORECASE
)
_KIM_CLITIC = r"(?:'s|'ve|n't|'re|'d|'ll)"
_KIM = re.compile(rf"[(),!?]|[A-Za-z0-9'`](?:(?!{_KIM_CLITIC})[A-Za-z0-9'`])*")
_SPACE = re.compile(r"[^ \t\r\n\f\v]+")
_CHARACTER = re.compile(r"\S")


def word_tokens(text: str) -> list[Token]:
    """Words of any alphabet in lower case, English clitics apart, each punctuation mark a token.

    Scripts without spaces (Chinese, Thai) give whole runs; take `character_tokens` for them.

    Examples
    --------
    >>> [t.word for t in word_tokens("Don't go – it's 3.5 km!")]
    ['do', "n't", 'go', '–', 'it', "'s", '3.5', 'km', '!']
    """
    return _find(_WORD, text)


def kim_tokens(text: str) -> list[Token]:
    """The cleaning of Kim's experiments: ASCII letters, digits and ( ) , ! ? ' `; all else separates.

    Source: Kim (2014), Convolutional Neural Networks for Sentence Classification, `clean_str` of its code
    (whose backslash before a parenthesis is left out).

    Examples
    --------
    >>> [t.word for t in kim_tokens("It isn't bad (at all).")]
    ['it', 'is', "n't", 'bad', '(', 'at', 'all', ')']
    """
    return _find(_KIM, text)


def space_tokens(text: str) -> list[Token]:
    """Runs between ASCII white space, as they are: for text that was tokenized before.

    Examples
    --------
    >>> space_tokens("Not bad")
    [Token(word='Not', start=0, end=3), Token(word='bad', start=4, end=7)]
    """
    return [Token(m.group(), m.start(), m.end()) for m in _SPACE.finditer(text)]


def character_tokens(text: str) -> list[Token]:
    """Every character that is not white space, in lower case.

    Examples
    --------
    >>> [t.word for t in character_tokens("No 好")]
    ['n', 'o', '好']
    """
    return _find(_CHARACTER, text)


def tokenize(text: str, tokenizer: str = "word") -> list[Token]:
    """Cut `text` by the tokenizer's row of TOKENIZERS.

    Raises
    ------
    InputError
        If the tokenizer is unknown.
    """
    if tokenizer not in TOKENIZERS:
        raise InputError(f"tokenizer must be one of {', '.join(TOKENIZERS)}, got {tokenizer!r}")
    return TOKENIZERS[tokenizer](text)


def _find(pattern: re.Pattern[str], text: str) -> list[Token]:
    return [Token(m.group().lower(), m.start(), m.end()) for m in pattern.finditer(text)]


TOKENIZERS: dict[str, Callable[[str], list[Token]]] = {
    "word": word_tokens,
    "kim": kim_tokens,
    "space": space_tokens,
    "character": character_tokens,
}
