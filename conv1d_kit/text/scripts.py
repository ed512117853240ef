"""Which characters a tokenizer must know by kind: parts of words, marks on letters, unspaced scripts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

__all__ = ["UNSPACED", "Characters", "characters"]

# Letters of Chinese, Japanese, Thai, Lao, Burmese, Khmer and Tai scripts, for a class of a regular expression;
# their digits are left out: a number is one word in every script.
UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f\U00020000-\U000323af"
    "\u0e01-\u0e4e\u0e81-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109f\u1780-\u17d3"
    "\u1950-\u19cf\u1a20-\u1a7f\uaa60-\uaa7f"
)
_END = 0x10000  # a class of the basic plane alone is a table in `re`, with others a slow list


class Characters(NamedTuple):
    """Ranges of characters of the basic plane for classes of a regular expression.

    `spaced` are letters, digits, the underline and marks of scripts with spaces between words; `marks` are
    combining marks (accents, vowel signs). `re` counts marks as no part of a word, and so would cut
    e + U+0301 and most words of Hindi in pieces.
    """

    spaced: str
    marks: str


@cache
def characters() -> Characters:
    """The ranges, from Python's own table of Unicode.

    Examples
    --------
    >>> import re
    >>> [bool(re.fullmatch(f"[{characters().spaced}]+", s)) for s in ("cafe\\u0301", "no!", "好")]
    [True, False, False]
    """
    plane = "".join(map(chr, range(_END)))
    others = re.sub(r"\w+|[\ud800-\uf8ff]+", "", plane)  # neither parts of words nor for private use
    marks = [c for c in others if unicodedata.category(c)[0] == "M"]
    parts = sorted(re.sub(f"[{UNSPACED}]+|\\W+", "", plane) + re.sub(f"[{UNSPACED}]+", "", "".join(marks)))
    return Characters(_ranges(parts), _ranges(marks))


def _ranges(letters: Iterable[str]) -> str:
    found: list[list[int]] = []
    for code in map(ord, letters):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in found)
