"""Encodings: Unicode first, and a stated fallback."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text import encoding
from conv1d_kit.text.encoding import detect_encoding

RUSSIAN = "Этот фильм совсем не плохой, а наоборот: смотреть можно с удовольствием.\n" * 30
CHINESE = "这部电影一点也不差,相反很值得一看,演员和音乐都非常好。\n" * 60


def found(data: bytes) -> tuple[str, str | None]:
    file = io.BytesIO(data)
    result = detect_encoding(file)
    assert file.tell() == 0
    return result


@given(text=st.text())
def test_whatever_is_utf8_is_read_as_utf8(text):
    data = text.encode("utf-8")
    name, reason = found(data)
    assert reason is None
    assert data.decode(name) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(codec):
    name, reason = found("héllo".encode(codec))
    assert (name, reason) == (codec, None)


def test_a_stray_byte_makes_it_windows_1252_and_says_where():
    assert found(b"fine \x97 really") == ("cp1252", "byte 0x97 at offset 5 is not UTF-8")


def test_a_byte_that_windows_1252_lacks_makes_it_latin_1():
    assert found(b"a \x97 b \x81 and more plain words")[0] == "latin-1"


@pytest.mark.parametrize(("text", "codec"), [(RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r"), (CHINESE, "gb18030")])
def test_other_alphabets_are_told_apart(text, codec):
    data = text.encode(codec)
    name, reason = found(data)
    assert data.decode(name) == text
    assert "is not UTF-8" in reason


def test_the_place_of_a_bad_byte_is_right_across_blocks(monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 3)
    data = "aé€é".encode() + b"\x97" + b" plain words follow here"
    assert found(data).reason == f"byte 0x97 at offset {len('aé€é'.encode())} is not UTF-8"
    assert found(b"plain words and half a character \xe2\x82").reason == "byte 0xe2 at offset 33 is not UTF-8"
