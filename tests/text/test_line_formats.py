"""Formats of one row a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text.line_formats import read_fasttext, read_lines, read_plain, read_tabs, sniff_lines
from conv1d_kit.text.rows import Columns, checked

ONE, SEVERAL, NONE = Columns(), Columns(several=True), Columns(label=None)


def rows_of(reader, lines, columns=ONE):
    return list(checked(reader("d", iter(lines), columns), columns))


@given(lines=st.lists(st.text(st.sampled_from("ab \té\u00a0\x85\r"), max_size=8), max_size=5))
def test_the_label_is_the_first_word_up_to_a_space_or_a_tab(lines):
    rows = rows_of(read_lines, [line + "\n" for line in lines])
    assert [r.line for r in rows] == list(range(1, len(lines) + 1))
    for row, line in zip(rows, lines, strict=True):
        body = line.strip(" \t\r\n")
        places = [i for i in (body.find(" "), body.find("\t")) if i >= 0]
        cut = min(places, default=len(body))
        label, text = body[:cut].strip(), body[cut:].strip(" \t")
        assert (row.label, row.text) == (label or None, text if text.strip() else None)
        assert row.blank == (not line.strip())


def test_labels_with_spaces_stand_before_a_tab():
    rows = rows_of(read_tabs, ["very good\tso fine\tindeed\n", "\n", "no tab here\n", "so so\t\n", "\ttext\n"])
    assert [(r.label, r.text) for r in rows] == [
        ("very good", "so fine\tindeed"), (None, None), (None, None), ("so so", None), (None, "text"),
    ]  # fmt: skip
    assert rows[1].blank
    assert [r.error for r in rows[2:4]] == ["no tab between label and text", "no text"]


def test_plain_lines_keep_their_spaces():
    assert [r.text for r in rows_of(read_plain, [" a b \r\n", "c"], NONE)] == [" a b ", "c"]


FAST = [
    "__label__good so fine\n", "__label__very-good , __label__ fine\n", "__label__a __label__b both\n",
    "none\n", "__label__a\n", "text first __label__b\n", "\n",
]  # fmt: skip


def test_fasttext_labels_stand_as_they_are_written():
    rows = rows_of(read_fasttext, FAST)
    assert [(r.label, r.text) for r in rows] == [
        ("good", "so fine"), ("very-good", ", __label__ fine"), ("a", "both"), (None, "none"), ("a", None),
        ("b", "text first"), (None, None),
    ]  # fmt: skip
    assert rows[2].error == "2 labels where one is wanted; --multi-label (multi_label=True) reads several"
    assert rows[2].labels == ("a", "b")
    assert [r.error for r in rows[3:]] == [None, "no text", None, "no label and no text"]


def test_several_fasttext_labels_are_all_kept_where_they_are_asked_for():
    rows = rows_of(read_fasttext, FAST, SEVERAL)
    assert [r.labels for r in rows] == [("good",), ("very-good",), ("a", "b"), None, ("a",), ("b",), None]
    assert [r.error for r in rows[:4]] == [None] * 4
    assert [r.labels for r in rows_of(read_fasttext, FAST, NONE)] == [None] * 7


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["__label__a x", "", "__label__b y"], "fasttext"),
        (["__label__a x", "b y"], "lines"),
        (["__label__a x", "__label__b y", "a line whose label is missing"], "fasttext"),
        (["very good\tx", "so so\ty"], "tabs"),
        (["very good\tx", "no tab"], "lines"),
        (["good a\tb"] * 5, "tabs"),
        ([f"{i % 2} a text of its own {i}\tand more" for i in range(40)], "lines"),
        ([f"class {i % 2}\ta text {i}" for i in range(40)], "tabs"),
        (["\ta", "\tb"], "lines"),
        ([], "lines"),
        (["", " "], "lines"),
    ],
)
def test_the_first_lines_show_the_format(lines, found):
    assert sniff_lines(lines) == found
