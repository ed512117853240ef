"""Coloured texts: nothing of the source is lost or torn, colours can be read, numbers are the explanation's."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews_model import reviews_model

from conv1d_kit.report.text_colours import (
    ColouredText,
    coloured_html,
    legend_html,
    pieces,
    printable,
    shade,
    terminal_text,
)
from conv1d_kit.text.explain import explain_text
from conv1d_kit.text.tokens import byte_tokens, character_tokens, word_tokens


class Reader(HTMLParser):
    """Text, titles and styles of the spans of a fragment."""

    def __init__(self, html):
        super().__init__()
        self.text, self.titles, self.styles, self.tags = "", [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "span":
            self.titles.append(dict(attrs).get("title"))
            self.styles.append(dict(attrs)["style"])

    def handle_data(self, data):
        self.text += data


def luminance(colour):
    """Relative luminance of sRGB (WCAG 2.2)."""
    c = np.array(colour) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def explained():
    return explain_text(reviews_model(), "The plot was good,  not <b>bad</b> & zyzzyva.")


@given(st.text(), st.sampled_from([word_tokens, character_tokens, byte_tokens]))
def test_the_pieces_are_the_whole_text_and_the_whole_score(text, cut):
    tokens = cut(text)
    scores = np.arange(1.0, len(tokens) + 1)
    found = pieces(text, tokens, scores)
    assert "".join(text[p.start : p.end] for p in found) == text
    assert sum(p.score for p in found if p.score is not None) == pytest.approx(scores.sum())
    assert [w for p in found for w in p.words] == [t.word for t in tokens]


@pytest.mark.parametrize("cut", [word_tokens, character_tokens])
@pytest.mark.parametrize(
    "whole",
    [
        ["👩🏽‍🚀"], ["👨‍👩‍👧"], ["🇩🇪"], ["e\u0301"], ["हि", "न्दी"], ["1\ufe0f\u20e3"], ["☝🏿"],
        ["🏴\U000e0067\U000e0062\U000e007f"],
    ],
)  # fmt: skip
def test_what_a_reader_sees_as_one_is_one_piece(whole, cut):
    text = "- " + "".join(whole) + " -"
    tokens = cut(text)
    found = [text[p.start : p.end] for p in pieces(text, tokens, np.ones(len(tokens))) if p.score is not None]
    parts = ["".join(whole)] if cut is word_tokens else whole  # a word is one token
    assert found == ["-", *parts, "-"]


def test_the_bytes_of_a_character_are_one_piece_with_the_score_of_all():
    text = "a好 é"
    found = pieces(text, byte_tokens(text), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert [(text[p.start : p.end], p.score) for p in found] == [("a", 1), ("好", 9), (" ", 5), ("é", 13)]
    assert found[1].words == ("\\xe5", "\\xa5", "\\xbd")


def test_two_flags_are_two_pieces():
    text = "🇩🇪🇫🇷"
    tokens = word_tokens(text)
    assert [text[p.start : p.end] for p in pieces(text, tokens, np.ones(len(tokens)))] == ["🇩🇪", "🇫🇷"]


def test_ink_can_be_read_on_every_shade():
    ink = luminance((0x1F, 0x29, 0x33))
    for share in np.linspace(-1, 1, 41):
        assert (luminance(shade(share)) + 0.05) / (ink + 0.05) >= 4.5


def test_shades_grow_with_the_score_and_differ_in_hue_for_red_blind_eyes():
    assert shade(0) == (255, 255, 255)
    for sign in (-1, 1):
        light = [luminance(shade(sign * s)) for s in np.linspace(0, 1, 11)]
        assert light == sorted(light, reverse=True)
    assert shade(2) == shade(1)
    strong, weak = shade(1), shade(-1)
    assert strong[2] > strong[0]  # blue channel, which red- and green-blind eyes see, tells them apart
    assert weak[0] > weak[2]


def test_the_html_holds_the_source_escaped_and_every_words_exact_score(explained):
    scores = explained.word_scores()
    html = coloured_html(explained, scores, label="positive", against="<negative>")
    reader = Reader(html)
    assert reader.text == explained.text
    assert set(reader.tags) == {"p", "span"}
    assert "<b>" not in html
    assert 'dir="auto"' in html
    assert len(reader.titles) == len(explained.tokens)
    for title, token, score, known in zip(
        reader.titles, explained.tokens, scores, explained.known, strict=True
    ):
        assert title.startswith(f"{token.word}: {score:+.4f}".replace("-", "−"))
        assert ("not in the vocabulary" in title) == (not known)
        if abs(score) > 1e-9:
            assert f"for {'positive' if score > 0 else '<negative>'}" in title
    strongest = int(np.abs(scores).argmax())
    r, g, b = shade(np.sign(scores[strongest]))
    assert f"rgb({r},{g},{b})" in reader.styles[strongest]
    assert ("underline dotted" in reader.styles[strongest]) == (scores[strongest] < 0)


@given(st.text(max_size=30))
def test_no_text_breaks_the_html(text):
    e = explain_text(reviews_model(), text)
    html = ColouredText(e, e.word_scores(), "a", "b").html()
    html.encode("utf-8")
    shown = Reader(html).text
    assert "\x00" not in shown
    assert shown.replace("\r", "\n").startswith(printable(text).replace("\r", "\n"))


def test_printable_keeps_offsets():
    text = "a\x00b\ud800c\x7f\td\ne"
    assert len(printable(text)) == len(text)
    assert printable("tab\tline\n") == "tab\tline\n"


def test_the_legend_says_its_numbers_and_escapes_its_names():
    html = legend_html(1.234, label="<good>", against="bad")
    assert Reader(html).text == "bad −1.23+1.23 <good>"


def test_a_terminal_without_colours_gets_signed_numbers(explained):
    scores = explained.word_scores()
    shown = terminal_text(explained, scores, colours=False).plain
    strongest = int(np.abs(scores).argmax())
    word = explained.text[explained.tokens[strongest].start : explained.tokens[strongest].end]
    assert f"{word}[{scores[strongest]:+.2f}]".replace("-", "−") in shown
    small = [i for i, s in enumerate(scores) if abs(s) < 0.05 * np.abs(scores).max()]
    assert shown.count("[") == len(scores) - len(small)


def test_a_terminal_with_colours_gets_the_bare_text_on_shades(explained):
    scores = explained.word_scores()
    shown = terminal_text(explained, scores, colours=True)
    assert shown.plain == explained.text
    strongest = explained.tokens[int(np.abs(scores).argmax())]
    (style,) = [s.style for s in shown.spans if s.start == strongest.start]
    r, g, b = shade(np.sign(scores[np.abs(scores).argmax()]))
    assert f"on rgb({r},{g},{b})" in str(style)
    assert ("underline" in str(style)) == (scores[np.abs(scores).argmax()] < 0)
