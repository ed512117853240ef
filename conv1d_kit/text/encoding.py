"""Which encoding a file of texts is in: Unicode if it can be, otherwise a stated guess."""

from __future__ import annotations

import codecs
from typing import BinaryIO, NamedTuple

__all__ = ["Encoding", "detect_encoding"]

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
# Tried only where a quarter of the bytes are not ASCII: no language of Western Europe writes so.
_OTHERS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"]


class Encoding(NamedTuple):
    """A codec's name, and why it is not UTF-8 (None if it is, or if a byte-order mark says so)."""

    name: str
    reason: str | None


def detect_encoding(file: BinaryIO) -> Encoding:
    """Find the encoding of a seekable binary file; it is read in blocks and left at its start.

    A byte-order mark decides; then UTF-8 if every byte fits; then, in files that are mostly not ASCII, the best
    of a few well-known encodings; then Windows-1252; and ISO-8859-1 for the five bytes Windows-1252 lacks.

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


def _detect(file: BinaryIO) -> Encoding:
    file.seek(0)
    start = file.read(4)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, None)
    bad = _first_bad_byte(file, "utf-8")
    if bad is None:
        return Encoding("utf-8", None)
    reason = f"byte 0x{bad[1]:02x} at offset {bad[0]} is not UTF-8"
    name = _foreign(file) or ("cp1252" if _first_bad_byte(file, "cp1252") is None else "latin-1")
    return Encoding(name, reason)


def _first_bad_byte(file: BinaryIO, name: str) -> tuple[int, int] | None:
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


def _foreign(file: BinaryIO) -> str | None:
    file.seek(0)
    sample = file.read(SAMPLE)
    high = sum(byte >= 0x80 for byte in sample)
    if high < ENOUGH or high * 4 < len(sample):
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    if best is None or _first_bad_byte(file, best.encoding) is not None:
        return None
    return best.encoding
