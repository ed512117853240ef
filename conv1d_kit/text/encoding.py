"""Which encoding a file of texts is in: Unicode if it can be, otherwise a stated guess."""

from __future__ import annotations

import codecs
from typing import BinaryIO, NamedTuple

from ..errors import DataError, InputError

__all__ = ["Encoding", "detect_encoding", "first_bad_byte", "line_at", "named_encoding"]

BLOCK = 1 << 20
SAMPLE = 1 << 16
ENOUGH = 32  # bytes outside ASCII, below which a guess among alphabets is a gamble
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITH_MARK = {"utf-8": "utf-8-sig", "utf-16-le": "utf-16", "utf-16-be": "utf-16", "utf-32-le": "utf-32",
              "utf-32-be": "utf-32"}  # fmt: skip
_FOR_NAMES = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}  # not for files of text
# Tried only where a quarter of the bytes are not ASCII: no language of Western Europe writes so.
_OTHERS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"]


class Encoding(NamedTuple):
    """A codec's name, and why it is not UTF-8 (None if it is, or if a byte-order mark says so)."""

    name: str
    reason: str | None


def detect_encoding(file: BinaryIO) -> Encoding:
    """Find the encoding of a seekable binary file; it is read in blocks and left at its start.

    A byte-order mark decides; then UTF-16 if its spaces and line ends are found; then UTF-8 if every
    byte fits; then, in files that are mostly not ASCII, the best of a few well-known encodings; then
    Windows-1252; and ISO-8859-1 for the five bytes Windows-1252 lacks.

    Examples
    --------
    >>> import io
    >>> detect_encoding(io.BytesIO("fürs".encode())).name
    'utf-8'
    >>> detect_encoding(io.BytesIO(b"a \\x97 b"))
    Encoding(name='cp1252', reason='byte 0x97 at offset 2 is not UTF-8')
    """
    found = _detect(file)
    file.seek(0)
    return found


def named_encoding(file: BinaryIO, name: str, *, source: str) -> Encoding:
    """The encoding that was asked for; a byte-order mark at the file's start, if there is one, is passed over.

    Parameters
    ----------
    file : seekable binary file, left at its start
    name : str
    source : str
        What the message calls the file.

    Raises
    ------
    InputError
        If Python knows no text encoding of the name.
    DataError
        If it needs a byte-order mark and the file has none.
    """
    try:
        codec = codecs.lookup(name)
        known = codec._is_text_encoding and codec.incrementaldecoder and codec.name not in _FOR_NAMES
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        known = False
    if not known:
        raise InputError(f"encoding must be a text encoding that Python knows, got {name!r}; try cp1252")
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    marked = any(start.startswith(mark) and with_mark == _WITH_MARK.get(codec.name, codec.name)
                 for mark, with_mark in _MARKS)  # fmt: skip
    if codec.name in ("utf-16", "utf-32") and not marked:
        raise DataError(
            f"{source} has no byte-order mark, which {name} needs; name {codec.name}-le or {codec.name}-be, "
            "or none to have it detected"
        )
    return Encoding(_WITH_MARK.get(codec.name, name) if marked else name, None)


def line_at(file: BinaryIO, name: str, offset: int) -> int:
    """The line (from 1) on which the byte at `offset` stands in a seekable file of the encoding.

    Examples
    --------
    >>> import io
    >>> line_at(io.BytesIO(b"one\\ntwo \\x97"), "utf-8", 8)
    2
    """
    decoder = codecs.getincrementaldecoder(name)("ignore")
    file.seek(0)
    counts = {"\n": 0, "\r": 0}
    while offset > 0 and (block := file.read(min(BLOCK, offset))):
        offset -= len(block)
        text = decoder.decode(block)
        counts = {end: n + text.count(end) for end, n in counts.items()}
    return 1 + (counts["\n"] or counts["\r"])


def _detect(file: BinaryIO) -> Encoding:
    file.seek(0)
    start = file.read(4)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, None)
    wide = _wide(file)
    if wide is not None:
        return Encoding(wide, "its spaces are those of UTF-16, and there is no byte-order mark")
    bad = first_bad_byte(file, "utf-8")
    if bad is None:
        return Encoding("utf-8", None)
    reason = f"byte 0x{bad[1]:02x} at offset {bad[0]} is not UTF-8"
    name = _foreign(file) or ("cp1252" if first_bad_byte(file, "cp1252") is None else "latin-1")
    return Encoding(name, reason)


def first_bad_byte(file: BinaryIO, name: str) -> tuple[int, int] | None:
    """Offset and value of the first byte of a seekable file that the encoding cannot read, or None."""
    decoder = codecs.getincrementaldecoder(name)()
    file.seek(0)
    offset = 0
    while True:
        block = file.read(BLOCK)
        kept = decoder.getstate()[0]  # an unfinished character from the block before
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            return offset - len(kept) + error.start, error.object[error.start]
        if not block:
            return None
        offset += len(block)


def _wide(file: BinaryIO) -> str | None:
    """UTF-16 without a mark: its spaces, commas and line ends have a NUL each, always on the same side."""
    file.seek(0)
    sample = file.read(SAMPLE)
    if b"\0" not in sample:
        return None
    counts = {}
    for name in ("utf-16-le", "utf-16-be"):
        text = sample.decode(name, "ignore")
        counts[name] = sum(map(text.count, " ,\t\r\n"))
    few, many = sorted(counts, key=counts.__getitem__)
    mostly = sample.count(0) * 4 >= len(sample) and counts[many] > 0  # Latin letters
    if not mostly and (counts[many] < 4 or counts[many] * 100 < len(sample)):
        return None
    return many if counts[few] == 0 and first_bad_byte(file, many) is None else None


def _foreign(file: BinaryIO) -> str | None:
    file.seek(0)
    sample = file.read(SAMPLE)
    high = sum(byte >= 0x80 for byte in sample)
    if high < ENOUGH or high * 4 < len(sample):
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    if best is None or first_bad_byte(file, best.encoding) is not None:
        return None
    return best.encoding
