"""Formats: found by a name's ending or a file's first lines, and read from any binary file."""

import io

import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.dataset import read_texts
from conv1d_kit.text.readers import READERS, check_format, find_format, guess_format, open_path, open_rows
from conv1d_kit.text.rows import Columns


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("d.txt", "__label__a so\n__label__b it\n", "fasttext"),
        ("d.txt", "very good\tso\nvery bad\tit\n", "tabs"),
        ("d.txt", "a so\nb it\n", "lines"),
        ("d.json", '[{"text": "so", "label": "a"}, {"text": "it", "label": "b"}]', "json"),
        ("d.json", '{"text": "so", "label": "a"}\n{"text": "it", "label": "b"}\n', "jsonl"),
        ("d.ndjson", '{"text": "so", "label": "a"}\n{"text": "it", "label": "b"}\n', "jsonl"),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_format_is_found_and_can_be_named(tmp_path, name, content, kind, codec):
    (tmp_path / name).write_bytes(content.encode(codec))
    assert find_format(tmp_path / name) == kind
    data = read_texts(tmp_path / name)
    assert (data.texts, data.format) == (["so", "it"], kind)
    assert read_texts(tmp_path / name, format=kind).labels == data.labels
    assert len({*data.labels}) == 2


def test_endings_are_read_behind_those_of_compression():
    assert [guess_format(n) for n in ("a.csv.gz", "a.TSV.xz", "a.parquet", "a.json.bz2", "a.gz")] == [
        "csv", "tsv", "parquet", "json", "lines",
    ]  # fmt: skip


def test_a_format_that_is_none_is_refused_with_those_there_are():
    for name in (None, *READERS):
        check_format(name)
    with pytest.raises(InputError, match=r"format must be one of lines, plain, csv, .*, parquet, got 'xml'"):
        check_format("xml")


def test_a_file_is_closed_at_its_end_and_where_it_fails(tmp_path):
    file = io.BytesIO(b"a so\nb it\n")
    opened = open_rows("d", file, None, Columns())
    assert [(r.label, r.text) for r in opened.rows] == [("a", "so"), ("b", "it")]
    assert file.closed
    file = io.BytesIO(b"a so")
    with pytest.raises(InputError, match="encoding must be"):
        open_rows("d", file, "lines", Columns(), "none")
    assert file.closed
    file = io.BytesIO(b"a so\n" * 9 + b"a \x97\n")
    with pytest.raises(DataError, match="d: line 10: byte 0x97 is not utf-8"):
        list(open_rows("d", file, "lines", Columns(), "utf-8").rows)
    assert file.closed


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt cannot be opened: No such file"):
        open_path(str(tmp_path / "none.txt"))
    with pytest.raises(DataError, match="is a folder; name a file of texts in it"):
        open_path(str(tmp_path))
    (tmp_path / "d.txt").write_bytes(b"0 a \x97\n")
    assert find_format(tmp_path / "d.txt", "auto") == "lines"
