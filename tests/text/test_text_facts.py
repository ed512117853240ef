"""Figures of a set of texts, counted by hand, and what is taken for the same text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text.labelled import LabelledTexts
from conv1d_kit.text.rows import Row
from conv1d_kit.text.text_facts import Lengths, letters, text_facts


def test_the_figures_are_counted():
    texts = ["a b b", "c", "", "a d e f"]
    data = LabelledTexts("d", texts, ["x", "y", "x", "x"], [1, 2, 3, 4], bad=[Row(5, None, None, "no text")])
    facts = text_facts(data, [t.split() for t in texts])
    assert facts.lengths == Lengths(0, 2.0, pytest.approx(3.85), 4, 1)
    assert (facts.n_rows, facts.n_bad, facts.n_tokens, facts.n_words) == (5, 1, 8, 6)
    assert facts.once == pytest.approx(4 / 6)
    assert (facts.classes, facts.majority) == ({"x": 3, "y": 1}, 0.75)


def test_several_labels_a_text_are_counted_each():
    data = LabelledTexts("d", ["a", "b"], [("x", "y"), ("y",)], [1, 2])
    assert text_facts(data, [["a"], ["b"]]).classes == {"y": 2, "x": 1}


def test_a_set_without_texts_has_no_figures():
    facts = text_facts(LabelledTexts("d"), [])
    assert (facts.lengths, facts.majority, facts.once, facts.classes) == (None, None, 0.0, {})


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("It's  SO good !", "it 's so good"), ("``quoted''", '"quoted"'), ("naïve – film", "naïve - film"),
        ("ﬁlm", "film"), ("STRASSE", "Straße"), ("e\u0301te", "éte"), ("a\u00a0b", "a b"), ("x_y", "x y"),
    ],
)  # fmt: skip
def test_copies_that_differ_in_signs_and_case_are_the_same(a, b):
    assert letters(a) == letters(b)


@pytest.mark.parametrize(
    ("a", "b"), [(":-)", ":-("), ("good", "goood"), ("7 of 9", "8 of 9"), ("का", "की"), ("很好", "不好")]
)
def test_other_texts_are_not(a, b):
    assert letters(a) != letters(b)


@given(
    words=st.lists(st.text(st.characters(categories=["Ll", "Lo", "Nd"]), min_size=1), min_size=1, max_size=5)
)
def test_signs_and_spaces_between_words_do_not_count(words):
    assert letters(" ".join(words)) == letters("“" + " – ".join(words) + "!”") == letters("\t".join(words))


@given(text=st.text(st.characters(max_codepoint=127), max_size=30))
def test_the_short_way_for_ascii_is_the_long_one(text):
    if any(map(str.isalnum, text)):
        assert letters(text + "é") == letters(text) + "é"
