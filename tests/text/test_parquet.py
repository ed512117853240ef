"""Parquet files, against what pyarrow wrote."""

import sys

import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.dataset import open_texts, read_texts


@pytest.fixture
def write(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def run(columns, name="d.parquet"):
        parquet.write_table(pa.table(columns), tmp_path / name, row_group_size=700)
        return tmp_path / name

    return run


def test_rows_come_in_order_over_batches_and_groups(write):
    texts = [f"text {i}" for i in range(2500)]
    data = read_texts(write({"id": list(range(2500)), "text": texts, "label": [i % 3 for i in range(2500)]}))
    assert data.texts == texts
    assert data.labels == [str(i % 3) for i in range(2500)]
    assert (data.format, data.encoding, data.where(1)) == ("parquet", "utf-8", "row 2")


def test_bad_rows_say_which(write):
    path = write({"text": ["a", None, "", "b", "c\0d", "e"], "label": ["x", "y", "x", None, "x", "y"]})
    data = read_texts(path)
    assert (data.texts, data.labels) == (["a", "e"], ["x", "y"])
    assert [(r.where, r.error.split(" (")[0]) for r in data.bad] == [
        ("row 2", "no text"), ("row 3", "no text"), ("row 4", "no label"),
        ("row 5", "the text holds a NUL character"),
    ]  # fmt: skip


def test_lists_of_labels_and_other_columns(write):
    path = write({"review": ["a", "b", "c"], "tags": [["x", "y"], ["x"], []]})
    data = read_texts(path, text_column="review", label_column="tags", multi_label=True)
    assert data.labels == [("x", "y"), ("x",), ()]


def test_an_unknown_column_and_no_parquet_are_said_at_once(write, tmp_path):
    with pytest.raises(DataError, match=r"has no column 'text', it has 'txt'; did you mean 'txt'\?"):
        open_texts(write({"txt": ["a"]}), label_column=None)
    (tmp_path / "x.parquet").write_bytes(b"not at all")
    with pytest.raises(DataError, match=r"x\.parquet is no Parquet file"):
        open_texts(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="is empty or holds no rows"):
        open_texts(write({"text": [], "label": []}))


def test_a_missing_package_is_said_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"pip install conv1d_kit\[parquet\]"):
        open_texts(tmp_path / "x.parquet")
