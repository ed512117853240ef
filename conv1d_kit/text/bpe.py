"""Byte-pair encoding learned from training texts, by Hugging Face's `tokenizers`, with places in the source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import InputError, ModelError
from .tokens import Token

__all__ = ["BpeTokenizer"]


class BpeTokenizer:
    """Frequent runs of bytes as tokens: no word is unknown, whatever the alphabet.

    Made by `learn` or `from_json`. A token's word shows a space before it as Ġ, and the bytes of other
    characters as the byte-level encoding of GPT-2 does; `readable` and its place say what it is in the text.

    Source: Sennrich, Haddow & Birch (2016), Neural Machine Translation of Rare Words with Subword Units;
    Radford et al. (2019), Language Models are Unsupervised Multitask Learners (bytes).
    """

    def __init__(self, tokenizer: Any):
        tokenizer.post_processor = None  # its trimming leaves a token of spaces alone without a place
        self._tokenizer = tokenizer

    @classmethod
    def learn(
        cls, texts: Iterable[str], *, vocabulary_size: int = 8000, min_count: int = 2, lower: bool = True
    ) -> BpeTokenizer:
        """Join the most frequent neighbours until there are `vocabulary_size` tokens.

        Parameters
        ----------
        texts : iterable of str
            Training texts only.
        vocabulary_size : int >= 256
            The 256 bytes are always among them.
        min_count : int >= 1
            A pair seen less often is not joined.
        lower : bool
            Whether upper and lower case are one.

        Raises
        ------
        InputError
            If an option cannot be used or `tokenizers` is not installed.
        """
        for name, value, least in (("vocabulary_size", vocabulary_size, 256), ("min_count", min_count, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be an int >= {least}, got {value!r}")
        t = _package()
        tokenizer = t.Tokenizer(t.models.BPE())
        if lower:
            tokenizer.normalizer = t.normalizers.Lowercase()
        tokenizer.pre_tokenizer = t.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = t.decoders.ByteLevel()
        trainer = t.trainers.BpeTrainer(
            vocab_size=vocabulary_size, min_frequency=min_count, show_progress=False,
            initial_alphabet=sorted(t.pre_tokenizers.ByteLevel.alphabet()),
        )  # fmt: skip
        tokenizer.train_from_iterator(map(_whole, texts), trainer)
        return cls(tokenizer)

    def __call__(self, text: str) -> list[Token]:
        found = self._tokenizer.encode(_whole(text))
        tokens, reached = [], 0
        for word, (start, end) in zip(found.tokens, found.offsets, strict=True):
            source = text[start:end]
            if not source.isspace():  # the space before a word is not shown with it
                start += len(source) - len(source.lstrip())
            # Several pieces of one character are all given its place; only the first may keep it.
            start = max(start, reached)
            reached = max(end, start)
            tokens.append(Token(word, start, reached))
        return tokens

    def words(self, text: str) -> list[str]:
        """The tokens' words alone."""
        return self._tokenizer.encode(_whole(text)).tokens

    def readable(self, word: str) -> str:
        """A token's word in its own letters: Ġ stays for a space, bytes that are no whole character as hex."""
        return bytes(_BYTES[c] for c in word).decode("utf-8", "backslashreplace").replace(" ", "Ġ")

    def to_json(self) -> str:
        """All that is needed to make it again."""
        return self._tokenizer.to_str()

    @classmethod
    def from_json(cls, state: str) -> BpeTokenizer:
        """The tokenizer that `to_json` described.

        Raises
        ------
        ModelError
            If it cannot be read.
        InputError
            If `tokenizers` is not installed.
        """
        t = _package()
        try:
            return cls(t.Tokenizer.from_str(state))
        except Exception as error:  # the package raises nothing narrower
            raise ModelError(
                f"the state of the tokenizer 'bpe' cannot be read: {error}; train it again"
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BpeTokenizer) and self.to_json() == other.to_json()

    __hash__ = object.__hash__


def _whole(text: str) -> str:
    """Half a character (a lone surrogate) has no bytes: it stands as the mark for unreadable characters."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _halved(text) else text


def _halved(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _package() -> Any:
    try:
        import tokenizers
        from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers  # noqa: F401
    except ImportError as error:
        raise InputError(
            "the tokenizer 'bpe' needs the package tokenizers, which is not installed; "
            "pip install conv1d_kit[tokenizers]"
        ) from error
    return tokenizers


# GPT-2's way to write bytes: those that are printable in Latin-1 as themselves, the others behind U+0100
_PRINTED = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_BYTES = {
    **{chr(b): b for b in _PRINTED},
    **{chr(0x100 + i): b for i, b in enumerate(b for b in range(0x100) if b not in _PRINTED)},
}
