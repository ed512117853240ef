"""A text coloured by what its words say: blue for a class, orange against it, in a page or on a terminal.

The two hues differ for colour-blind eyes too, ink stays readable on the darkest of them, and what speaks
against is underlined as well. The source itself is coloured, by offsets: spacing, right-to-left runs and emoji
stay whole.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from ..text.explanation import TextExplanation
from ..text.tokens import Token

__all__ = [
    "ColouredText",
    "Piece",
    "coloured_html",
    "legend_html",
    "pieces",
    "printable",
    "shade",
    "terminal_text",
]

FOR, AGAINST = (103, 169, 207), (239, 138, 98)
INK = "#1f2933"
_SMALLEST = 0.05  # of the largest score: below it a terminal without colours shows no number
_JOINER = "\u200d"  # zero-width joiner
_VIRAMA = 9  # combining class of what joins two consonants of an Indic script
_STYLE = (
    "font-size:1.1rem;line-height:2;margin:0 0 .5rem;white-space:pre-wrap;overflow-wrap:anywhere;"
    "unicode-bidi:isolate;-webkit-print-color-adjust:exact;print-color-adjust:exact"
)


class Piece(NamedTuple):
    """A stretch of the text that is drawn as one: its characters, score, and the words that share it.

    `score` is None between words. A piece holds several words where a character as a reader sees it (an emoji
    with its skin tone, a letter with its vowel sign) or its bytes were cut into several tokens.
    """

    start: int
    end: int
    score: float | None
    words: tuple[str, ...]
    known: bool


def pieces(text: str, tokens: Sequence[Token], scores: Any, known: Any = None) -> list[Piece]:
    """The whole text in pieces, in order: nothing is lost, added or joined anew.

    Parameters
    ----------
    text : str
    tokens : sequence of Token, length L
    scores : array [shape=(L,)]
    known : array of bool [shape=(L,)], optional

    Examples
    --------
    >>> tokens = [Token("so", 0, 2), Token("good", 3, 7)]
    >>> [(p.start, p.end, p.score) for p in pieces("so good", tokens, [0.5, 2.0])]
    [(0, 2, 0.5), (2, 3, None), (3, 7, 2.0)]
    """
    known = np.ones(len(tokens), bool) if known is None else known
    found: list[Piece] = []
    at = 0
    for token, score, ok in zip(tokens, scores, known, strict=True):
        if token.start > at:
            found.append(Piece(at, token.start, None, (), True))
        last = found[-1] if found else None
        if (
            last is not None
            and last.score is not None
            and last.end == token.start
            and (token.end == token.start or _joined(text, token.start))
        ):
            words = (*last.words, token.word)
            found[-1] = Piece(last.start, token.end, last.score + float(score), words, last.known and bool(ok))
        else:
            found.append(Piece(token.start, token.end, float(score), (token.word,), bool(ok)))
        at = token.end
    if at < len(text):
        found.append(Piece(at, len(text), None, (), True))
    return found


def shade(share: float) -> tuple[int, int, int]:
    """Red, green and blue, 0–255, of a score as a share of the largest: −1 against, 0 white, 1 for.

    Examples
    --------
    >>> shade(0.0), shade(1.0) == FOR
    ((255, 255, 255), True)
    """
    s = max(-1.0, min(1.0, float(share)))
    end = FOR if s > 0 else AGAINST
    red, green, blue = (round(255 + abs(s) * (c - 255)) for c in end)
    return red, green, blue


def coloured_html(explanation: TextExplanation, scores: Any, *, label: str, against: str) -> str:
    """A paragraph of HTML: the text, each word on its colour, with its exact score as its title.

    Parameters
    ----------
    explanation : TextExplanation
    scores : array [shape=(L,)]
        One number a word, such as `explanation.word_scores()`.
    label, against : str
        What above and below 0 speak for.
    """
    largest = float(np.abs(scores).max(initial=0.0))
    parts = []
    for p in pieces(explanation.text, explanation.tokens, scores, explanation.known):
        words = escape(printable(explanation.text[p.start : p.end]))
        if p.score is None:
            parts.append(words)
            continue
        side = label if p.score > 0 else against
        title = f"{printable(' '.join(p.words))}: {_signed(p.score, 4)}" + f" for {side}" * (p.score != 0)
        title += "" if p.known else " (not in the vocabulary)"
        red, green, blue = shade(p.score / largest if largest else 0.0)
        under = ";text-decoration:underline dotted" if p.score < 0 and _told(p.score, largest) else ""
        style = f"background:rgb({red},{green},{blue});color:{INK};border-radius:.2em{under}"
        parts.append(f'<span style="{style}" title="{escape(title)}">{words}</span>')
    return f'<p dir="auto" style="{_STYLE}">{"".join(parts)}</p>'


def legend_html(largest: float, *, label: str, against: str) -> str:
    """The scale of colours with its numbers."""
    ends = ",".join(f"rgb({r},{g},{b})" for r, g, b in (shade(-1), shade(0), shade(1)))
    bar = f"display:inline-block;width:7rem;height:.8em;margin:0 .5rem;background:linear-gradient(90deg,{ends})"
    return (
        f'<p style="font-size:.9rem;color:#52606d;margin:0 0 1rem">'
        f'<span style="text-decoration:underline dotted">{escape(printable(against))}</span> −{largest:.2f}'
        f'<span style="{bar};border:1px solid #dfe5ea;vertical-align:middle"></span>'
        f"+{largest:.2f} {escape(printable(label))}</p>"
    )


@dataclass(frozen=True)
class ColouredText:
    """A block of a page: the coloured text above its legend."""

    explanation: TextExplanation
    scores: Any
    label: str
    against: str

    def html(self) -> str:
        largest = float(np.abs(self.scores).max(initial=0.0))
        names = {"label": self.label, "against": self.against}
        return coloured_html(self.explanation, self.scores, **names) + legend_html(largest, **names)


def terminal_text(explanation: TextExplanation, scores: Any, *, colours: bool) -> Any:
    """The text for a terminal (rich.text.Text): on colours, or without them with a signed number behind words.

    Without colours, numbers below 5 % of the largest are left out.
    """
    from rich.text import Text

    largest = float(np.abs(scores).max(initial=0.0))
    found = Text()
    for p in pieces(explanation.text, explanation.tokens, scores, explanation.known):
        words = printable(explanation.text[p.start : p.end])
        if p.score is None or not colours:
            found.append(words)
            if p.score is not None and _told(p.score, largest):
                found.append(f"[{_signed(p.score, 2)}]")
            continue
        red, green, blue = shade(p.score / largest if largest else 0.0)
        under = "underline " if p.score < 0 and _told(p.score, largest) else ""
        plain = not _told(p.score, largest)
        found.append(words, style="" if plain else f"{under}rgb(31,41,51) on rgb({red},{green},{blue})")
    return found


def printable(text: str) -> str:
    """The text with what no page may hold, control codes and lone surrogates, as one visible sign each.

    Examples
    --------
    >>> printable("a\\x00b\\ud800")
    'a␀b\ufffd'
    """
    return "".join(
        chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\n\r"
        else "\ufffd" if "\ud800" <= c <= "\udfff" or 0x7F <= ord(c) < 0xA0
        else c
        for c in text
    )  # fmt: skip


def _told(score: float, largest: float) -> bool:
    return abs(score) >= _SMALLEST * largest and score != 0


def _signed(score: float, digits: int) -> str:
    return f"{score:+.{digits}f}".replace("-", "−")


def _joined(text: str, at: int) -> bool:
    """Whether a cut before character `at` would tear apart what a reader sees as one character."""
    here, before = text[at], text[at - 1]
    if (
        unicodedata.combining(before) == _VIRAMA
        or before == _JOINER
        or here == _JOINER
        or unicodedata.category(here) in ("Mn", "Mc", "Me")
    ):
        return True
    if "\U0001f3fb" <= here <= "\U0001f3ff" or "\U000e0020" <= here <= "\U000e007f":  # skin tones, tags
        return True
    flags = 0  # regional indicators before `at`: a flag is two of them
    while flags < at and "\U0001f1e6" <= text[at - 1 - flags] <= "\U0001f1ff":
        flags += 1
    return "\U0001f1e6" <= here <= "\U0001f1ff" and flags % 2 == 1
