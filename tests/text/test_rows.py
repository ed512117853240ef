"""Rows: what is mended in them, and what is named as wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text.rows import Columns, Row, checked, make_row

WORDS = st.one_of(st.none(), st.text(st.sampled_from("ab \t\n\0é\ud800\u00a0\x1c"), max_size=4))


ONE = Columns()


def one(row, columns=ONE):
    return next(checked(iter([row]), columns))


@given(label=WORDS, text=WORDS)
def test_the_short_way_for_good_rows_changes_nothing(label, text):
    row = one(make_row((7, label, text, None, False, None, "")))
    assert row.text == (text if text and text.strip() else None)
    assert row.label == ((label or "").strip() or None)
    strange = [v for v in (row.text, row.label) if v and ("\0" in v or "\ud800" in v)]
    if row.text is None:
        assert row.error == ("no label and no text" if row.label is None else "no text")
    else:
        assert (row.error is not None) == bool(strange)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (Row(1, "a", "b\0c"), r"the text holds a NUL character (U+0000); is the file binary or damaged?"),
        (Row(1, "a\0b", "c"), r"the label holds a NUL character (U+0000); is the file binary or damaged?"),
        (Row(1, "a", "\udfff"), "the text holds half a character (the lone surrogate U+DFFF)"),
        (Row(1, "a", "b", "said before"), "said before"),
    ],
)
def test_what_no_text_holds_is_named(row, error):
    assert one(row).error == error


@pytest.mark.parametrize(
    ("cell", "labels"),
    [("a;b", ("a", "b")), (" a ; b;a;", ("a", "b")), ("", ()), (";", ()), (None, None), ("a", ("a",))],
)
def test_labels_of_one_cell_are_split_and_each_is_kept_once(cell, labels):
    row = one(Row(1, cell, "text"), Columns(separator=";", several=True))
    assert row.labels == labels
    assert row.label == (labels[0] if labels else None)
    assert row.error is None


def test_one_label_in_a_list_is_a_label_and_several_are_a_bad_row():
    assert one(Row(1, None, "text", labels=("a",)))[1:4] == ("a", "text", None)
    assert one(Row(1, None, "text", labels=()))[1:4] == (None, "text", None)
    assert one(Row(1, None, "text", labels=("a", "b"))).error.startswith("2 labels where one is wanted")


def test_a_row_knows_where_it_stands():
    assert [Row(4, "a", "b").where, Row(1, "a", "b", place="pos/1.txt").where] == ["line 4", "pos/1.txt"]
    assert make_row((1, None, None, None, False, None, "")) == Row(1, None, None)
    assert isinstance(make_row((1, None, None, None, False, None, "")), Row)
