"""An Ogg file's serial number set anew: libsndfile draws it by the clock, equal sounds must be equal bytes."""

from __future__ import annotations

import os
import struct

from ..errors import DataError

__all__ = ["has_last_page", "set_serial"]

_POLYNOMIAL = 0x04C11DB7
_LONGEST = 27 + 255 + 255 * 255  # bytes of a page
_LAST = 4  # flag of the page that ends a stream


def set_serial(path, serial: int) -> None:
    """Write `serial` into every page and mend the page's checksum.

    A checksum is linear: what a changed serial adds to it depends only on how many bytes follow. So no page is
    read beyond its header.

    Source: RFC 3533, section 6.

    Raises
    ------
    DataError
        If the file is not pages from end to end.
    """
    with open(path, "r+b") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        changes: dict[int, list[int]] = {}  # old serial ^ new → what it adds, by the bytes that follow
        while at < size:
            file.seek(at)
            head = file.read(27 + 255)
            if len(head) < 27 or head[:4] != b"OggS":
                raise DataError(
                    f"{os.fsdecode(path)}: must be Ogg pages from end to end, got none at byte {at}"
                )
            old, number, checksum, segments = struct.unpack("<IIIB", head[14:27])
            length = 27 + segments + sum(head[27 : 27 + segments])
            change = old ^ serial
            if change:
                if change not in changes:
                    changes[change] = _checksums(change)
                file.seek(at + 14)
                file.write(struct.pack("<III", serial, number, checksum ^ changes[change][length - 18]))
            at += length


def has_last_page(path) -> bool:
    """Whether the last page says that it is the last, and is there as a whole (RFC 3533, section 6)."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _LONGEST))
        end = file.read()
    at = end.rfind(b"OggS")
    page = end[at:] if at >= 0 else b""
    if len(page) < 27 or not page[5] & _LAST:
        return False
    segments = page[27 : 27 + page[26]]
    return len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)


def _checksums(change: int) -> list[int]:
    """Checksum of the four bytes of `change` with 0, 1, 2, … zeros behind them."""
    table = []
    for i in range(256):
        c = i << 24
        for _ in range(8):
            c = (c << 1 ^ (_POLYNOMIAL if c >> 31 else 0)) & 0xFFFFFFFF
        table.append(c)
    c = 0
    for byte in struct.pack("<I", change):
        c = ((c << 8) & 0xFFFFFFFF) ^ table[(c >> 24) ^ byte]
    found = [c]
    for _ in range(_LONGEST - 18):
        c = ((c << 8) & 0xFFFFFFFF) ^ table[c >> 24]
        found.append(c)
    return found
