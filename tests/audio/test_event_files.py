"""Files of events read back by readers of their documented formats, with the same times, labels and errors."""

from __future__ import annotations

import csv
import json
import sys
from fractions import Fraction

import pytest

from conv1d_kit.audio.event_files import EVENT_FORMATS, format_of, seconds_text
from conv1d_kit.audio.events import Event, Heard
from conv1d_kit.errors import InputError

PATH, OTHER = "/r/day 1, early.wav", "/r/b\udcff.WAV"
ROWS = [
    Event(PATH, Fraction(1, 3), Fraction(2), 'tit, "great"', 0.9, 0.75),
    Event(PATH, Fraction(36_000), Fraction(36_001, 1), "a\tb\nc", 1.0, 1 / 3),
    Heard(PATH, Fraction(40_000), 10),
    Event(OTHER, Fraction(0), Fraction(5, 2), "Käuzchen", 0.5, 0.5),
    Heard(OTHER, Fraction(5, 2), 2, f"{OTHER}: damaged after 2.50 s"),
]


def written(path, format, rows=ROWS):
    file = EVENT_FORMATS[format](path, 8000.0)
    for row in rows:
        (file.event if isinstance(row, Event) else file.heard)(row)
    file.close()
    return path


def audacity_labels(path):
    """As the manual says: start, tab, end, tab, label; times in seconds; a region a line."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        start, end, label = line.split("\t")
        assert len(start.split(".")[1]) == len(end.split(".")[1]) == 6
        assert float(start) <= float(end)
        found.append((float(start), float(end), label))
    return found


def raven_selections(path):
    """As the manual says: tab-separated with a header line, numbered; times from the first file's start."""
    header, *lines = path.read_text("utf-8").splitlines()
    names = header.split("\t")
    rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines]
    assert [row["Selection"] for row in rows] == [str(i + 1) for i in range(len(rows))]
    for row in rows:
        assert (row["View"], row["Channel"]) == ("Spectrogram 1", "1")
        assert float(row["Low Freq (Hz)"]) < float(row["High Freq (Hz)"]) == 8000
        assert float(row["Begin Time (s)"]) < float(row["End Time (s)"])
    return rows


def test_csv(tmp_path):
    with open(written(tmp_path / "x.csv", "csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["label"] for r in rows] == ['tit, "great"', "a\tb\nc", "Käuzchen", ""]
    assert [(r["start_s"], r["end_s"]) for r in rows[:3]] == [
        ("0.333333", "2.000000"), ("36000.000000", "36001.000000"), ("0.000000", "2.500000")
    ]  # fmt: skip
    assert rows[1]["mean_score"] == "0.333333"
    assert rows[3] == {
        "path": "/r/b\\udcff.WAV", "start_s": "", "end_s": "", "label": "", "score": "", "mean_score": "",
        "error": "/r/b\\udcff.WAV: damaged after 2.50 s",
    }  # fmt: skip


def test_json_lines(tmp_path):
    lines = written(tmp_path / "x.jsonl", "jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [r.get("label") for r in rows] == ['tit, "great"', "a\tb\nc", "Käuzchen", None]
    assert rows[0] == {
        "path": PATH, "start_s": 1 / 3, "end_s": 2.0, "label": 'tit, "great"', "score": 0.9, "mean_score": 0.75
    }  # fmt: skip
    assert rows[3] == {"path": OTHER, "error": f"{OTHER}: damaged after 2.50 s"}


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(written(tmp_path / "x.parquet", "parquet")).to_pylist()
    assert [r["label"] for r in rows] == ['tit, "great"', "a\tb\nc", "Käuzchen", None]
    assert (rows[0]["start_s"], rows[0]["end_s"], rows[0]["error"]) == (1 / 3, 2.0, None)
    assert rows[3]["error"].endswith("damaged after 2.50 s")
    assert rows[3]["score"] is None


def test_audacity(tmp_path):
    assert audacity_labels(written(tmp_path / "x.txt", "audacity", ROWS[:3])) == [
        (0.333333, 2.0, 'tit, "great"'), (36_000.0, 36_001.0, "a b c")
    ]  # fmt: skip


def test_raven_counts_from_the_start_of_the_first_file(tmp_path):
    rows = raven_selections(written(tmp_path / "x.selections.txt", "raven"))
    assert [float(r["Begin Time (s)"]) for r in rows] == [0.333333, 36_000, 40_000]
    assert [float(r["End Time (s)"]) for r in rows] == [2, 36_001, 40_002.5]
    assert [float(r["File Offset (s)"]) for r in rows] == [0.333333, 36_000, 0]
    assert [r["Begin File"] for r in rows] == ["day 1, early.wav", "day 1, early.wav", "b\\udcff.WAV"]
    assert rows[0]["Begin Path"] == PATH
    assert [r["Label"] for r in rows] == ['tit, "great"', "a b c", "Käuzchen"]
    assert float(rows[0]["Score"]) == 0.9


@pytest.mark.parametrize("format", [f for f in EVENT_FORMATS if f != "parquet"])
def test_a_file_without_events_is_still_a_file_of_its_format(format, tmp_path):
    path = written(tmp_path / "x", format, [Heard(PATH, Fraction(1), 1)])
    n_lines = len(path.read_text("utf-8").splitlines())
    assert n_lines == (1 if format in ("csv", "raven") else 0)


def test_the_ending_says_the_format_in_any_case():
    for name, format in {
        "a.csv": "csv", "b.CSV": "csv", "c.jsonl": "jsonl", "d.txt": "audacity", "e.selections.txt": "raven",
        "f.Table.1.selections.txt": "raven", "dir.csv/g.TXT": "audacity",
    }.items():  # fmt: skip
        assert format_of(name) == format
    assert format_of("a.txt", "raven") == "raven"
    assert format_of("whatever", "CSV") == "csv"
    with pytest.raises(InputError, match=r"out must end in one of \.selections\.txt, \.csv.*got 'x\.xls'"):
        format_of("x.xls")
    with pytest.raises(
        InputError, match="format must be one of csv, jsonl, parquet, audacity, raven, got 'xml'"
    ):
        format_of("x.csv", "xml")


def test_parquet_without_its_package_says_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"got parquet; pip install 'conv1d_kit\[parquet\]'"):
        format_of("x.parquet")


def test_times_are_rounded_from_the_fraction():
    assert seconds_text(Fraction(1, 2_000_000)) == "0.000000"  # half to even
    assert seconds_text(Fraction(3, 2_000_000)) == "0.000002"
    assert seconds_text(Fraction(2_999_999_9, 10_000_000)) == "3.000000"
    assert seconds_text(Fraction(10**9) + Fraction(1, 10**6)) == "1000000000.000001"
