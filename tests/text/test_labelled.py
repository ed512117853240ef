"""Rows gathered to learn from: nothing lost, and sets that teach nothing refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.encoding import Encoding
from conv1d_kit.text.labelled import LabelledTexts, check_classes, collect_texts
from conv1d_kit.text.rows import Columns, Row, TextFile, checked

LABELS = st.sampled_from([None, "", "a", "b"])
TEXTS = st.sampled_from([None, "", "so", "..."])
MADE = st.builds(lambda label, text, blank: Row(1, label, text, blank=blank), LABELS, TEXTS, st.booleans())
ROWS = st.lists(MADE, max_size=8)


def file_of(rows, columns=Columns()):  # noqa: B008  # a tuple of constants
    numbered = [row._replace(line=i) for i, row in enumerate(rows, start=1)]
    plain = [r._replace(label=None, text=None) if r.blank else r for r in numbered]
    return TextFile("d", "lines", Encoding("utf-8", None), checked(iter(plain), columns))


@given(rows=ROWS, tokenizer=st.sampled_from([None, "word", "kim"]))
def test_every_row_is_usable_or_bad_but_for_blank_ones_at_the_end(rows, tokenizer):
    data = collect_texts(file_of(rows), tokenizer=tokenizer)
    while rows and rows[-1].blank:
        rows = rows[:-1]
    assert sorted([*data.lines, *(r.line for r in data.bad)]) == list(range(1, len(rows) + 1))
    assert all(r.error for r in data.bad)
    assert len(data.texts) == len(data.labels) == len(data.lines) == len(data.places)
    good = [r for r in rows if not r.blank and r.label and r.text and (tokenizer != "kim" or r.text == "so")]
    assert list(zip(data.labels, data.texts, strict=True)) == [(r.label, r.text) for r in good]


def test_texts_without_a_label_are_usable_where_that_is_said():
    rows = [Row(1, None, "so"), Row(1, "a", "it"), Row(1, None, None)]
    assert collect_texts(file_of(rows), labelled=False).labels == ["", "a"]
    several = Columns(several=True)
    assert collect_texts(file_of(rows, several), labelled=False, multi_label=True).labels == [(), ("a",)]


def test_an_unknown_tokenizer_is_refused():
    with pytest.raises(InputError, match="tokenizer must be one of"):
        collect_texts(file_of([Row(1, "a", "so")]), tokenizer="none")


def test_a_text_knows_where_it_stands():
    data = LabelledTexts("d", ["a", "b"], ["x", "y"], [4, 1], places=["", "pos/1.txt"])
    assert [data.where(i) for i in range(2)] == ["line 4", "pos/1.txt"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LabelledTexts("d"), "d is empty or holds no rows"),
        (
            LabelledTexts("d", bad=[Row(3, None, None, "no text", place="row 3")]),
            "none of its 1 rows .* row 3: no text",
        ),
        (LabelledTexts("d", ["a", "b"], ["x", "x"]), "d holds one class only, 'x' in 2 rows"),
        (
            LabelledTexts("d", ["a"] * 10, list("abcdefghij")),
            "holds 10 labels in 10 rows, 'a' the first; .* a tab",
        ),
        (LabelledTexts("d", ["a", "b"], [("x",), ("x",)]), "holds no label that some of its 2 rows have"),
        (LabelledTexts("d", ["a", "b"], [(), ()]), "holds no label that some of its 2 rows have"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        check_classes(data)


def test_other_sets_are_not():
    check_classes(LabelledTexts("d", ["a", "b"], ["x", "y"]))
    check_classes(LabelledTexts("d", ["a", "b"], [("x",), ()]))
