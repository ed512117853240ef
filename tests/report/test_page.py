"""The page: one file, valid, escaped, and never half written."""

import base64
import io
import wave
from html.parser import HTMLParser

import numpy as np
import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.report import page as p

VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """Checks nesting and keeps all tags and words."""

    def __init__(self, document):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(document)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


EVIL = "<script>alert(\"x\")</script> & 'quotes'"


def full_page():
    picture = p.Picture(b"<svg xmlns='http://www.w3.org/2000/svg'/>", EVIL, EVIL)
    sound = p.Sound(np.linspace(-2, 2, 80), 8000, EVIL)
    table = p.Table((EVIL, "n"), [(EVIL, 1), ("b", 0.5)], EVIL)
    blocks = [
        p.Text(EVIL),
        p.Grid([p.Card([picture, sound]), p.Stack([p.Text(EVIL)])], columns=2),
        table,
        p.Details(EVIL, [p.Text(EVIL)]),
    ]
    return p.Page(EVIL, EVIL, [table], [p.Section(EVIL, blocks), p.Section("two", [])])


def test_every_word_is_escaped_and_every_tag_closed():
    document = p.render(full_page())
    reader = Reader(document)
    assert "<script" not in document
    assert not reader.all("script")
    assert reader.words.count(EVIL) >= 10
    assert {a["alt"] for a in reader.all("img")} == {EVIL}


def test_the_page_fetches_nothing():
    reader = Reader(p.render(full_page()))
    for _, attrs in reader.tags:
        for name in ("src", "href"):
            assert attrs.get(name, "data:").startswith(("data:", "#"))
    assert not reader.all("link")


def test_the_table_of_contents_leads_to_the_sections():
    reader = Reader(p.render(full_page()))
    wanted = [a["href"][1:] for a in reader.all("a")]
    assert wanted == [a["id"] for a in reader.all("section")] == ["s0", "s1"]


def test_a_page_says_its_language_width_and_title():
    reader = Reader(p.render(p.Page("Title", "Lead.")))
    assert reader.all("html")[0]["lang"] == "en"
    assert "width=device-width" in [a.get("content", "") for a in reader.all("meta")][1]
    assert reader.words.count("Title") == 2


def test_a_sound_is_16_bit_wav_clipped_to_full_scale():
    html = p.Sound(np.array([0.0, 0.5, 2.0, -2.0]), 8000, "beep").html()
    data = base64.b64decode(html.split("base64,")[1].split('"')[0])
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 16383, 32767, -32767]


def test_columns_of_numbers_stand_to_the_right_and_floats_have_three_decimals():
    html = p.Table(("name", "n", "mixed"), [("a", 1, 2), ("b", 0.5, "x")]).html()
    assert html.count('class="number"') == 3  # one heading, two cells
    assert ">0.500<" in html
    assert p.Table(("empty",), []).html().count("<th") == 2  # thead and th


def test_writing_replaces_the_page_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "new" / "report.html"
    for title in ("one", "two"):
        assert p.write_page(p.Page(title, ""), target) == target
    assert "two" in target.read_text("utf-8")
    assert [f.name for f in target.parent.iterdir()] == ["report.html"]


def test_a_failed_write_keeps_the_old_page(tmp_path):
    target = tmp_path / "report.html"
    p.write_page(p.Page("old", ""), target)

    class Broken:
        def html(self):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        p.write_page(p.Page("new", "", [Broken()]), target)
    assert "old" in target.read_text("utf-8")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot write"):
        p.write_page(p.Page("t", ""), tmp_path / "file" / "report.html")
    with pytest.raises(DataError, match=r"cannot write .*too long"):
        p.check_target(tmp_path / ("x" * 5000 + ".html"))
    with pytest.raises(DataError, match="is a folder"):
        p.write_page(p.Page("t", ""), tmp_path)
