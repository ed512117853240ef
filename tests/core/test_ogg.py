"""The serial number of Ogg pages: set, with checksums as another reader would compute them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.core.ogg import has_last_page, set_serial
from conv1d_kit.errors import DataError


def checksum(page: bytes) -> int:
    """Bit by bit, as RFC 3533 defines it."""
    c = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        c ^= byte << 24
        for _ in range(8):
            c = (c << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if c >> 31 else c << 1
    return c


def pages(data: bytes):
    while data:
        length = 27 + data[26] + sum(data[27 : 27 + data[26]])
        yield data[:length]
        data = data[length:]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_every_page_has_the_serial_and_a_right_checksum(tmp_path, subtype):
    path = tmp_path / "x.ogg"
    x = 0.3 * np.sin(np.arange(20_000) / 9)
    sf.write(path, x, 48000, subtype, format="OGG")
    before = sf.read(path)[0]
    set_serial(path, 0xDEADBEEF)
    found = list(pages(path.read_bytes()))
    assert len(found) > 2
    for page in found:
        serial, _, said = struct.unpack("<III", page[14:26])
        assert serial == 0xDEADBEEF
        assert said == checksum(page)
    np.testing.assert_array_equal(sf.read(path)[0], before)
    assert has_last_page(path)
    path.write_bytes(b"".join(found[:-1]))
    assert not has_last_page(path)


def test_what_is_no_ogg_is_refused(tmp_path):
    (tmp_path / "x.ogg").write_bytes(b"RIFF" * 20)
    with pytest.raises(DataError, match="must be Ogg pages from end to end, got none at byte 0"):
        set_serial(tmp_path / "x.ogg", 1)
