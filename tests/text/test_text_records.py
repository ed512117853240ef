"""Records of JSON, Parquet and data sets as rows."""

import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.text.records import check_keys, column_index, record_row
from conv1d_kit.text.rows import Columns

LABELS = [(0, "0"), (0.0, "0"), (-0.0, "0"), (1.5, "1.5"), (2.0**60, "1.152921504606847e+18"), (True, "True")]


@pytest.mark.parametrize(("label", "read"), [*LABELS, (None, None)])
def test_labels_of_one_value_are_one_word(label, read):
    assert record_row(1, {"text": "so", "label": label}, Columns()).label == read


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"text": 3}, "'text' is no string but a int"),
        ({"text": b"so"}, "'text' is no string but a bytes"),
        ({"text": "so", "label": {"a": 1}}, "'label' is no string or number but a dict"),
        ({"text": "so", "label": ["a", float("nan")]}, "'label' is no string or number but nan"),
        ({"text": "so", "label": [["a"]]}, "'label' is no string or number but a list"),
    ],
)
def test_what_is_no_text_and_no_label_is_said_with_its_place(record, error):
    row = record_row(7, record, Columns(), "row 7")
    assert (row.error, row.where, row.text) == (error, "row 7", None)


def test_missing_values_and_lists_are_kept_apart():
    assert record_row(1, {}, Columns())[1:3] == (None, None)
    assert record_row(1, {"text": "so", "label": ["a", 1]}, Columns()).labels == ("a", "1")
    assert record_row(1, {"text": "so", "label": []}, Columns()).labels == ()
    assert record_row(1, {"text": "so", "label": "a"}, Columns(label=None)).label is None


def test_an_unknown_column_is_said_with_the_nearest():
    assert column_index("d", "b", ["a", "b"]) == 1
    with pytest.raises(
        DataError, match=r"d has no column 'lable', it has 'text', 'Label'; did you mean 'Label'\?"
    ):
        column_index("d", "lable", ["text", "Label"])
    with pytest.raises(DataError, match="d: 2 columns are named 'a'; rename or remove one"):
        column_index("d", "a", ["a", "a"])
    with pytest.raises(
        DataError, match=r"it has 'c0', .* …; name the right one \(--text-column, --label-column\)"
    ):
        column_index("d", "text", [f"c{i}" for i in range(20)])


def test_a_key_that_only_some_records_have_is_known():
    check_keys("d", [["text"], ["text", "label"]], Columns())
    check_keys("d", [], Columns())
    with pytest.raises(DataError, match="has no column 'label'"):
        check_keys("d", [["text"], ["text", "y"]], Columns())
