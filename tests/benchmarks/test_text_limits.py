"""text_limits runs the real verbs and says what they took; here on a handful of lines."""

from __future__ import annotations

import pytest

from benchmarks.text_limits import folds, stream, write_table
from conv1d_kit.text.dataset import read_texts

SMALL = ("--filters", "2", "--dim", "4", "--epochs", "1")


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "texts.tsv"
    lines = [
        f"{label}\t{word} film number {i}" for i in range(12) for label, word in (("1", "fine"), ("0", "dull"))
    ]
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n", "utf-8")
    return path


def test_a_table_repeats_the_texts(tmp_path):
    write_table(tmp_path / "a.csv", ["x, y", 'say "z"'], 5)
    assert list(read_texts(tmp_path / "a.csv", label_column="number").texts) == [
        "x, y", 'say "z"', "x, y", 'say "z"', "x, y",
    ]  # fmt: skip


def test_the_stream_is_answered_line_by_line(data):
    found = stream(data, 100, model=SMALL)
    assert found["lines"] == found["answered"] == 100
    assert found["bytes"] > 20e6  # a Python with NumPy at the least
    assert found["seconds"] > 0


def test_folds_say_their_accuracy(data):
    found = folds(data, model=SMALL, workers=1)
    assert 0 <= found["accuracy"] <= 1
    assert "--filters 2" in found["command"]


def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(SystemExit, match=r"missing\.tsv"):
        folds(tmp_path / "missing.tsv")
