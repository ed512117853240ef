"""Encodings: Unicode first, and a stated fallback."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text import encoding
from conv1d_kit.text.encoding import detect_encoding, line_at, named_encoding

RUSSIAN = "Этот фильм совсем не плохой, а наоборот: смотреть можно с удовольствием.\n" * 30
CHINESE = "这部电影一点也不差,相反很值得一看,演员和音乐都非常好。\n" * 60


def found(data: bytes) -> tuple[str, str | None]:
    file = io.BytesIO(data)
    result = detect_encoding(file)
    assert file.tell() == 0
    return result


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_whatever_is_utf8_is_read_as_utf8(text):
    data = text.encode("utf-8")
    name, reason = found(data)
    assert reason is None
    assert data.decode(name) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides(codec):
    name, reason = found("héllo".encode(codec))
    assert (name, reason) == (codec, None)


@pytest.mark.parametrize("text", ["text,label\na,0\n", RUSSIAN, CHINESE])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_found_without_a_mark_and_said(text, codec):
    name, reason = found(text.encode(codec))
    assert (name, reason) == (codec, "its spaces are those of UTF-16, and there is no byte-order mark")


def test_stray_nuls_do_not_make_it_utf_16():
    assert found(b"a\0b, and many more words\n" * 20) == ("utf-8", None)
    assert found("é\0 and more plain words here\n".encode()) == ("utf-8", None)


@pytest.mark.parametrize(
    "name", ["utf-99", "", "base64", "rot13", "punycode", "idna", "undefined", "unicode_escape", "a\0b", "hex"]
)
def test_a_name_of_no_text_encoding_is_refused(name):
    with pytest.raises(InputError, match="encoding must be a text encoding that Python knows, got"):
        named_encoding(io.BytesIO(b"a"), name, source="d.txt")


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "utf-16", "utf-16-le", "utf_32", "utf-32-le"])
def test_a_byte_order_mark_is_no_part_of_the_text_whatever_name_is_given(name):
    data = "é".encode(name) if name in ("utf-16", "utf_32") else ("\ufeff" + "é").encode(name)
    file = io.BytesIO(data)
    assert data.decode(named_encoding(file, name, source="d.txt").name) == "é"
    assert file.tell() == 0


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
def test_a_mark_that_is_needed_and_missing_is_said(name):
    with pytest.raises(DataError, match=rf"^d.txt has no byte-order mark, .*; name {name}-le or {name}-be"):
        named_encoding(io.BytesIO("abc".encode(f"{name}-le")), name, source="d.txt")


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_of_a_byte_is_counted_in_the_files_own_encoding(monkeypatch, codec, end):
    monkeypatch.setattr(encoding, "BLOCK", 3)
    head = (("上 a" + end) * 20).encode(codec)
    assert line_at(io.BytesIO(head + b"\xff"), codec, len(head)) == 21


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
