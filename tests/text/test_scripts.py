"""Kinds of characters against Python's own table of Unicode."""

import re
import unicodedata

import pytest

from conv1d_kit.text.scripts import UNSPACED, characters

UNSPACED_NAMES = ("CJK UNIFIED", "HIRAGANA LETTER", "KATAKANA LETTER", "THAI CHARACTER", "LAO LETTER",
                  "MYANMAR LETTER", "KHMER LETTER", "BOPOMOFO LETTER")  # fmt: skip
SPACED_NAMES = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "DEVANAGARI", "HANGUL", "TAMIL", "ARMENIAN")


def named(prefixes):
    return [
        c for c in map(chr, range(0x10000))
        if c.isalpha() and unicodedata.name(c, "").startswith(prefixes)
    ]  # fmt: skip


def test_letters_of_scripts_without_spaces_are_known_by_their_names():
    unspaced = re.compile(f"[{UNSPACED}]")
    letters = named(UNSPACED_NAMES)
    assert len(letters) > 28_000
    extended = [c for c in letters if not unspaced.match(c)]
    assert all("MYANMAR LETTER" in unicodedata.name(c) for c in extended), extended
    assert not any(map(unspaced.match, named(SPACED_NAMES)))


@pytest.mark.parametrize("digits", ["0123456789", "๐๑๒๓๔๕๖๗๘๙", "០១២៣៤", "၀၁၂၃၄", "０１２"])
def test_digits_belong_to_words(digits):
    assert re.fullmatch(f"[{characters().spaced}]+", digits)
    assert not re.search(f"[{UNSPACED}]", digits.replace("0", ""))


def test_marks_are_those_of_unicode():
    pattern = re.compile(f"[{characters().marks}]")
    for c in map(chr, range(0x10000)):
        assert bool(pattern.match(c)) == (unicodedata.category(c)[0] == "M")
