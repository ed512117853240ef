"""Tokens that know where they stand in the source, so that what a net finds can be shown in the text itself.

A tokenizer is a function text → list of Token; `text[token.start:token.end]` is the token's source, and tokens
stand in order without overlap. Where a character gives several tokens (`byte`, pieces of `bpe`), the first has
the character, the others an empty range behind it: what is shown token by token shows every character once.

Most tokenizers are fixed (TOKENIZERS). A learned one (LEARNED) is made from training texts; `make_tokenizer`
gives either kind, with the state that a model must keep to make it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from ..errors import InputError
from .scripts import UNSPACED, characters

__all__ = [
    "LEARNED",
    "TOKENIZERS",
    "LearnedTokenizer",
    "Token",
    "Tokenizer",
    "byte_tokens",
    "character_space_tokens",
    "character_tokens",
    "has_token",
    "kim_tokens",
    "learn_tokenizer",
    "make_tokenizer",
    "space_tokens",
    "tokenize",
    "word_tokens",
    "words_of",
]


class Token(NamedTuple):
    """A normalised word and the half-open range of the characters it came from."""

    word: str
    start: int
    end: int


Tokenizer = Callable[[str], list[Token]]


class LearnedTokenizer(Protocol):
    """A tokenizer made from texts: a function like the others, which can be kept as JSON."""

    def __call__(self, text: str) -> list[Token]: ...

    def words(self, text: str) -> list[str]:
        """The tokens' words alone, faster."""

    def readable(self, word: str) -> str:
        """A token's word as people can read it."""

    def to_json(self) -> str:
        """All that is needed to make it again."""


# "don't" → do, n't; "it's" → it, 's: a word ends where an English clitic begins.
_REST = "(?:[sS]|[vV][eE]|[rR][eE]|[dD]|[lL][lL]|[mM])"
_CLITIC = rf"[nN]['’][tT](?!\w)|['’]{_REST}(?!\w)"
# A run of letters is one step, so that a text of a single word of ten million letters takes no stack; it gives
# back its last n where a clitic begins with it.
_RUN_END = r"(?:(?<![nN])|(?!['’][tT](?!\w)))"
_JOINED = rf"['’](?=\w)(?!{_REST}(?!\w))|[.,](?=\d)(?<=\d.)"
_ASCII_WORD = re.compile(rf"{_CLITIC}|\w(?:\w+{_RUN_END}|{_JOINED})*|[^\w\s]")
_KIM = re.compile(r"[(),!?]|[A-Za-z0-9'`](?:[A-Za-z0-9`]+(?:(?<!n)|(?!'t))|'(?!s|ve|re|d|ll))*")
_SPACE = re.compile(r"[^ \t\r\n\f\v]+")
_CHARACTER = re.compile(r"\S")
_SPACES = re.compile(r"\s+")
_CHARACTER_OR_SPACE = re.compile(r"\S|\s+")


def word_tokens(text: str) -> list[Token]:
    """Words of any alphabet in lower case, English clitics apart, each punctuation mark a token.

    Marks stay with their letter (e + U+0301, the vowel signs of Hindi), and so do the parts of one emoji.
    Scripts without spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer) give a token a letter: their words
    are n-grams, which the net finds itself.

    Examples
    --------
    >>> [t.word for t in word_tokens("Don't go – it's 3.5 km!")]
    ['do', "n't", 'go', '–', 'it', "'s", '3.5', 'km', '!']
    >>> [t.word for t in word_tokens("iPhone15很好👍🏽")]
    ['iphone15', '很', '好', '👍🏽']
    """
    return _find(_word_pattern(text), text)


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


def character_space_tokens(text: str) -> list[Token]:
    """Every character in lower case, and each stretch of white space as one space: for character nets.

    Examples
    --------
    >>> [t.word for t in character_space_tokens("So  it")]
    ['s', 'o', ' ', 'i', 't']
    """
    return [
        Token(" " if m.group().isspace() else m.group().lower(), m.start(), m.end())
        for m in _CHARACTER_OR_SPACE.finditer(text)
    ]


def byte_tokens(text: str) -> list[Token]:
    r"""The bytes of the text in UTF-8, white space too: no more than 256 words for any text.

    An ASCII character stands for itself, any other byte as \x and two digits. The first byte of a character has
    its place, the others an empty range behind it.

    Examples
    --------
    >>> byte_tokens("é!")
    [Token(word='\\xc3', start=0, end=1), Token(word='\\xa9', start=1, end=1), Token(word='!', start=1, end=2)]
    """
    if text.isascii():
        return [Token(c, i, i + 1) for i, c in enumerate(text)]
    tokens = []
    for i, c in enumerate(text):
        for k, byte in enumerate(c.encode("utf-8", "surrogatepass")):
            tokens.append(Token(_BYTES[byte], i + (k > 0), i + 1))
    return tokens


def tokenize(text: str, tokenizer: str | Tokenizer = "word") -> list[Token]:
    """Cut `text` by the tokenizer: a row of TOKENIZERS, or a function such as a learned tokenizer.

    Raises
    ------
    InputError
        If the tokenizer is unknown.
    """
    return _named(tokenizer)(text)


def words_of(text: str, tokenizer: str | Tokenizer = "word") -> list[str]:
    """The words of `tokenize(text, tokenizer)` without their places: several times faster.

    Raises
    ------
    InputError
        If the tokenizer is unknown.

    Examples
    --------
    >>> words_of("It's 3.5 km")
    ['it', "'s", '3.5', 'km']
    """
    function = _named(tokenizer)
    fast = _FAST.get(function) or getattr(function, "words", None)
    return fast(text) if fast is not None else [token.word for token in function(text)]


def has_token(text: str, tokenizer: str | Tokenizer = "word") -> bool:
    """Whether `tokenize(text, tokenizer)` gives any token; what comes after the first is not looked at.

    Examples
    --------
    >>> has_token("...", "kim"), has_token("...", "word")
    (False, True)
    """
    function = _named(tokenizer)
    if function in _SEARCHED:
        return _SEARCHED[function].search(text) is not None
    return bool(function(text))


def learn_tokenizer(name: str, texts: Sequence[str], **options) -> LearnedTokenizer:
    """Learn the tokenizer `name` (a row of LEARNED) from training texts, and from nothing else.

    Parameters
    ----------
    name : a key of LEARNED
    texts : sequence of str
        Of the training part: a fold's test texts must not be among them.
    **options
        Those of the tokenizer's `learn`, such as `vocabulary_size`; others are refused by it.

    Raises
    ------
    InputError
        If the name is unknown, an option cannot be used, or the package it needs is missing.
    """
    if name not in LEARNED:
        raise InputError(f"a learned tokenizer must be one of {', '.join(LEARNED)}, got {name!r}")
    return LEARNED[name]().learn(texts, **options)


def make_tokenizer(
    name: str, texts: Sequence[str] | None = None, state: str | None = None
) -> tuple[Tokenizer, str | None]:
    """The tokenizer `name` as a function, and the state that makes it again (None if its name is enough).

    Parameters
    ----------
    name : a key of TOKENIZERS or LEARNED
    texts : sequence of str, optional
        Training texts, for a tokenizer that learns.
    state : str, optional
        What an earlier call gave: nothing is learned then.

    Raises
    ------
    InputError
        If the name is unknown, or a learned tokenizer gets neither texts nor state.
    ModelError
        If the state is damaged.

    Examples
    --------
    >>> cut, state = make_tokenizer("word")
    >>> [t.word for t in cut("So it goes")], state
    (['so', 'it', 'goes'], None)
    """
    if name not in LEARNED:
        return _named(name), None
    kind = LEARNED[name]()
    if state is not None:
        return kind.from_json(state), state
    if texts is None:
        raise InputError(
            f"the tokenizer {name!r} is learned: it needs training texts or a saved state, got neither"
        )
    learned = kind.learn(texts)
    return learned, learned.to_json()


def _named(tokenizer: str | Tokenizer) -> Tokenizer:
    if callable(tokenizer):
        return tokenizer
    if tokenizer in TOKENIZERS:
        return TOKENIZERS[tokenizer]
    if tokenizer in LEARNED:
        raise InputError(
            f"the tokenizer {tokenizer!r} is learned from texts; make it with make_tokenizer first"
        )
    raise InputError(f"tokenizer must be one of {', '.join([*TOKENIZERS, *LEARNED])}, got {tokenizer!r}")


def _find(pattern: re.Pattern[str], text: str) -> list[Token]:
    return [Token(m.group().lower(), m.start(), m.end()) for m in pattern.finditer(text)]


def _word_pattern(text: str) -> re.Pattern[str]:
    return _ASCII_WORD if text.isascii() else _unicode_word()


@cache
def _unicode_word() -> re.Pattern[str]:
    """As _ASCII_WORD, which it equals on ASCII, for all alphabets; made when the first such text comes."""
    spaced, marks = characters()
    rare = (
        "(?=\\w)[\U00010000-\U0001afef\U0001b170-\U0001ffff]"  # letters behind the basic plane, kana left out
    )
    emoji = f"[{marks}\U0001f3fb-\U0001f3ff]|\u200d[^\\w\\s]"  # skin colours, and the joiner of families
    joiner = f"[\u200c\u200d](?=[{spaced}])"  # in words of Persian and Indic scripts
    return re.compile(
        f"{_CLITIC}|(?:(?=\\w)[{spaced}]|{rare})(?:[{spaced}{marks}]+{_RUN_END}|{_JOINED}|{joiner}|{rare})*"
        f"|(?=\\w)[{UNSPACED}][{marks}]*|[\U0001f1e6-\U0001f1ff]{{2}}|[^\\w\\s](?:{emoji})*|\\w"
    )


def _word_words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    # not text.lower(): how a capital sigma is lowered depends on what stands around it
    return [word.lower() for word in _unicode_word().findall(text)]


def _kim_words(text: str) -> list[str]:
    return [word.lower() for word in _KIM.findall(text)]


def _character_words(text: str) -> list[str]:
    if text.isascii():
        return list("".join(text.lower().split()))
    return [c.lower() for c in "".join(text.split())]


def _character_space_words(text: str) -> list[str]:
    single = _SPACES.sub(" ", text)
    return list(single.lower()) if text.isascii() else [c.lower() for c in single]


def _byte_words(text: str) -> list[str]:
    return list(text) if text.isascii() else [_BYTES[b] for b in text.encode("utf-8", "surrogatepass")]


def _bpe():
    from .bpe import BpeTokenizer

    return BpeTokenizer


_BYTES = [chr(b) if b < 0x80 else f"\\x{b:02x}" for b in range(256)]

TOKENIZERS: dict[str, Tokenizer] = {
    "word": word_tokens,
    "kim": kim_tokens,
    "space": space_tokens,
    "character": character_tokens,
    "character_space": character_space_tokens,
    "byte": byte_tokens,
}
LEARNED = {"bpe": _bpe}  # name → function that imports the class: its package is an extra

_FAST: dict[Tokenizer, Callable[[str], list[str]]] = {
    word_tokens: _word_words,
    kim_tokens: _kim_words,
    space_tokens: _SPACE.findall,
    character_tokens: _character_words,
    character_space_tokens: _character_space_words,
    byte_tokens: _byte_words,
}
_SEARCHED = {word_tokens: _CHARACTER, kim_tokens: _KIM, space_tokens: _SPACE, character_tokens: _CHARACTER}
