"""Data files: every format, every row back, bad ones with their line and reason."""

import json
import os
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.dataset import open_texts, read_texts

DATA = Path(__file__).parents[2].parent / "shared/data/text"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data sets are not at {DATA}")
PAIRS = [("pos", 'a "fine" film, really'), ("neg", "so dull"), ("pos", "naïve – good\x85still one line")]


def write(path: Path, pairs, *, end="\n") -> Path:
    if path.suffix == ".csv":
        quoted = [(a, '"' + b.replace('"', '""') + '"') for a, b in pairs]
        lines = ["label,text", *(f"{a},{b}" for a, b in quoted)]
    elif path.suffix == ".tsv":
        lines = ["label\ttext", *(f"{a}\t{b}" for a, b in pairs)]
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"label": a, "text": b}, ensure_ascii=False) for a, b in pairs]
    else:
        lines = [f"{a} {b}" for a, b in pairs]
    path.write_bytes(("\n".join(lines) + end).encode())
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n"])
def test_every_format_gives_the_same_pairs_whatever_the_end_of_the_file(tmp_path, suffix, end):
    data = read_texts(write(tmp_path / f"d{suffix}", PAIRS, end=end))
    assert list(zip(data.labels, data.texts, strict=True)) == PAIRS
    assert data.bad == []


def test_windows_line_ends_and_a_byte_order_mark_leave_no_trace(tmp_path):
    for name, text in (("d.txt", "a x\r\nb y\r\n"), ("d.csv", "label,text\r\na,x\r\nb,y\r\n")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        data = read_texts(tmp_path / name)
        assert (data.labels, data.texts) == (["a", "b"], ["x", "y"])


def test_bad_rows_come_back_with_line_and_reason(tmp_path):
    path = tmp_path / "d.txt"
    path.write_text("0 fine\n1\n\n1 good\n")
    data = read_texts(path)
    assert data.texts == ["fine", "good"]
    assert data.lines == [1, 4]
    assert [(r.line, r.error) for r in data.bad] == [(2, "no text"), (3, "no label and no text")]


def test_bad_rows_of_a_csv_file(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text(
        'text,label\nfine,0\n"two\nlines",1\ntoo,many,cells\nno label,\n,1\n\ngood,1\n"never closed,1\n'
    )
    data = read_texts(path)
    assert list(zip(data.labels, data.texts, data.lines, strict=True)) == [
        ("0", "fine", 2), ("1", "two\nlines", 3), ("1", "good", 9),
    ]  # fmt: skip
    assert [(r.line, r.error.split(" (")[0]) for r in data.bad] == [
        (5, "3 columns where the header has 2"), (6, "no label"), (7, "no text"), (8, "no label and no text"),
        (10, "cannot be read"),
    ]  # fmt: skip
    assert "is a quote left open?" in data.bad[-1].error


def test_bad_rows_of_a_jsonl_file(tmp_path):
    path = tmp_path / "d.jsonl"
    rows = ['{"text": "a", "label": 1}', '{"text": "b"', "[1]", '{"text": 3, "label": 0}', '{"label": 0}',
            '{"text": "c", "label": {"x": 1}}', '{"text": "d", "label": false}']  # fmt: skip
    path.write_text("\n".join(rows))
    data = read_texts(path)
    assert data.labels == ["1", "False"]
    assert [r.line for r in data.bad] == [2, 3, 4, 5, 6]
    assert "not JSON" in data.bad[0].error
    assert data.bad[2].error == "'text' is no string but a int"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.txt", "", "e.txt is empty"),
        ("e.csv", "", "e.csv is empty"),
        ("e.csv", "text,label\n", "e.csv is empty or holds no rows"),
        ("e.txt", "\n\n", "e.txt is empty or holds no rows"),
        ("e.txt", "0 a\n0 b\n", "holds one class only, '0' in 2 rows"),
        ("e.txt", "0\n1\n", "none of its 2 rows has both a label and a text; line 1: no text"),
        ("e.csv", "txt,label\na,0\n", r"has no column 'text', it has 'txt', 'label'; did you mean 'txt'\?"),
        ("e.csv", "text,Lable\na,0\n", r"has no column 'label', .* did you mean 'Lable'\?"),
        ("e.jsonl", '{"txt": "a", "label": 0}\n', r"has no column 'text', .* did you mean 'txt'\?"),
        ("e.txt", "".join(f"w{i} text\n" for i in range(12)), "holds 12 labels in 12 rows, 'w0' the first"),
    ],
)
def test_unusable_files_are_refused_with_path_and_cure(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_texts(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt cannot be opened"):
        read_texts(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is a folder"):
        read_texts(tmp_path)


def test_other_columns_can_be_named(tmp_path):
    (tmp_path / "d.csv").write_text("id,stars,review\n1,5,fine\n2,1,dull\n")
    data = read_texts(tmp_path / "d.csv", text_column="review", label_column="stars")
    assert (data.labels, data.texts) == (["5", "1"], ["fine", "dull"])


def test_labels_are_not_looked_for_in_prediction(tmp_path):
    (tmp_path / "d.csv").write_text("text\nfine\n\ndull\n")
    rows = list(open_texts(tmp_path / "d.csv", label_column=None).rows)
    assert [(r.text, r.error) for r in rows] == [("fine", None), (None, "no text"), ("dull", None)]
    (tmp_path / "d.txt").write_text("fine film\ndull\n")
    rows = list(open_texts(tmp_path / "d.txt", format="plain", label_column=None).rows)
    assert [r.text for r in rows] == ["fine film", "dull"]


def test_an_encoding_that_does_not_fit_is_said_with_its_line(tmp_path):
    (tmp_path / "d.txt").write_bytes(b"0 a\n" * 19 + b"1 b \x97\n" + b"1 c\n")
    with pytest.raises(DataError, match=r"d\.txt: line 20: byte 0x97 is not utf-8; name another"):
        read_texts(tmp_path / "d.txt", encoding="utf-8")
    with pytest.raises(InputError, match="encoding must be a text encoding that Python knows"):
        read_texts(tmp_path / "d.txt", encoding="utf-99")
    assert read_texts(tmp_path / "d.txt", encoding="cp1252").texts[19] == "b —"


def test_the_fallback_is_said(tmp_path):
    (tmp_path / "d.txt").write_bytes(b"0 a\n1 b \x97\n")
    assert "read as cp1252: byte 0x97 at offset 8 is not UTF-8" in read_texts(tmp_path / "d.txt").note
    (tmp_path / "d.txt").write_bytes(b"0 a\n1 b\n")
    assert read_texts(tmp_path / "d.txt").note is None


def test_a_pipe_is_read_once_and_whole():
    read, write = os.pipe()
    with open(write, "wb") as stream:
        stream.write(b"0 a\n1 b \x97\n")
    with open(read, "rb") as stream:
        rows = list(open_texts(stream).rows)
    assert [(r.label, r.text) for r in rows] == [("0", "a"), ("1", "b —")]


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(InputError, match="format must be one of lines, plain, csv, tsv, jsonl"):
        open_texts(tmp_path / "x", format="xml")


def rows_of(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_texts(path, **{"label_column": None, **options}).rows)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("d.csv", "id,text\n1,good\n2,\n3,bad\n4,\n5,\n", ["good", None, "bad", None, None]),
        ("d.csv", 'text\ngood\n\n""\n\n', ["good", None, None, None]),
        ("d.tsv", "id\ttext\n1\tgood\n2\t\n3\t", ["good", None, None]),
        ("d.jsonl", '{"text": "good"}\n{"text": ""}\n{"text": null}\n{}\n\n', ["good", *[None] * 4]),
        ("d.txt", "good\n\n\n \n", ["good", None, None, None]),
        ("d.txt", "\n\n", [None, None]),
    ],
)
def test_every_record_and_line_is_a_row_those_at_the_end_too(tmp_path, name, content, texts):
    options = {"format": "plain"} if name == "d.txt" else {}
    rows = rows_of(tmp_path / name, content, **options)
    assert [r.text for r in rows] == texts
    assert all((r.error is None) == (r.text is not None) for r in rows)


@pytest.mark.parametrize(
    ("name", "content", "bad"),
    [
        ("d.csv", "text,label\na,0\nb,1\n,\n,1\n\n\n", [(4, "no label and no text"), (5, "no text")]),
        ("d.csv", "text,label\na,0\n\nb,1\n\n", [(3, "no label and no text")]),
        ("d.jsonl", '{"text":"a","label":0}\n{"text":"b","label":1}\n{}\n \n', [(3, "no label and no text")]),
        ("d.txt", "0 a\n\n1 b\n1\n \n\n", [(2, "no label and no text"), (4, "no text")]),
    ],
)
def test_training_counts_empty_records_but_no_blank_lines_at_the_end(tmp_path, name, content, bad):
    (tmp_path / name).write_text(content)
    assert [(r.line, r.error) for r in read_texts(tmp_path / name).bad] == bad


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"text": "bad \\ud800 lone", "label": 0}', r"the text holds half a character .*U\+D800"),
        ('{"text": "x", "label": "\\udfff"}', r"the label holds half a character .*U\+DFFF"),
        ('{"text": "a", "label": NaN}', "'label' is no string or number but nan"),
        ('{"text": "a", "label": 1e999}', "but inf"),
        ('{"text": "a", "label": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_a_json_line_that_cannot_be_used_is_a_bad_row(tmp_path, row, reason):
    (tmp_path / "d.jsonl").write_text('{"text": "a", "label": 0}\n' + row + '\n{"text": "b", "label": 1}\n')
    data = read_texts(tmp_path / "d.jsonl")
    assert (data.texts, [r.line for r in data.bad]) == (["a", "b"], [2])
    assert re.search(reason, data.bad[0].error)


def test_json_labels_of_one_value_are_one_class(tmp_path):
    labels = ["0", "0.0", '"0"', "-0.0", "1", "1.0", '"1"', "1.5", "true"]
    (tmp_path / "d.jsonl").write_text("".join(f'{{"text": "a", "label": {x}}}\n' for x in labels))
    assert read_texts(tmp_path / "d.jsonl").labels == ["0", "0", "0", "0", "1", "1", "1", "1.5", "True"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_files_separator_is_the_one_that_shows_its_columns(tmp_path, separator):
    rows = [["id", " text", "label"], ["1", '"so, so; so\tso"', "p"], ["2", "good", "n"]]
    (tmp_path / "d.csv").write_text("".join(separator.join(r) + "\n" for r in rows))
    data = read_texts(tmp_path / "d.csv")
    assert list(zip(data.labels, data.texts, strict=True)) == [("p", "so, so; so\tso"), ("n", "good")]
    (tmp_path / "one.csv").write_text("text\na;b\n")
    assert [r.text for r in open_texts(tmp_path / "one.csv", label_column=None).rows] == ["a;b"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
def test_lines_may_end_as_on_old_macintoshes(tmp_path, suffix):
    path = write(tmp_path / f"d{suffix}", PAIRS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    data = read_texts(path)
    assert list(zip(data.labels, data.texts, data.bad or [None] * 3, strict=True)) == [
        (a, b, None) for a, b in PAIRS
    ]


def test_a_text_without_a_token_is_a_bad_row_for_its_tokenizer(tmp_path):
    (tmp_path / "d.txt").write_text("0 bad film\n0 ...\n1 good\n")
    data = read_texts(tmp_path / "d.txt", tokenizer="kim")
    assert data.texts == ["bad film", "good"]
    assert [(r.line, r.error) for r in data.bad] == [(2, "no token for the tokenizer 'kim'")]
    for name in ("word", "bpe"):
        assert read_texts(tmp_path / "d.txt").bad == read_texts(tmp_path / "d.txt", tokenizer=name).bad == []
    with pytest.raises(InputError, match="tokenizer must be one of"):
        read_texts(tmp_path / "d.txt", tokenizer="none")


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("text,text,label\na,b,0\nc,d,1\n")
    with pytest.raises(DataError, match=r"d.csv: 2 columns are named 'text'; rename or remove one"):
        read_texts(tmp_path / "d.csv")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_and_said(tmp_path, codec):
    (tmp_path / "d.csv").write_bytes("text,label\nnaïve,0\nb,1\n".encode(codec))
    data = read_texts(tmp_path / "d.csv")
    assert (data.texts, data.labels) == (["naïve", "b"], ["0", "1"])
    assert f"read as {codec}" in data.note


def test_a_mark_is_no_part_of_the_first_column_when_utf_8_is_named(tmp_path):
    (tmp_path / "d.csv").write_bytes("\ufefftext,label\na,0\nb,1\n".encode())
    assert read_texts(tmp_path / "d.csv", encoding="utf-8").texts == ["a", "b"]


BAD_INPUT = {
    "nul": (b"0 fine\n1 bad\0text\n1 good\n", [(2, "the text holds a NUL character")]),
    "mark": (b"\xef\xbb\xbf0 fine\n1 good\n", []),
    "mixed ends": (b"0 fine\r\n1 good\n\n0 dull\r\n", [(3, "no label and no text")]),
    "emoji": ("0 👨‍👩‍👧 so ❤️\n1 😀\n".encode(), []),
    "right to left": ("0 סרט טוב\n1 فيلم سيئ\n".encode(), []),
    "no last line end": (b"0 fine\n1 good", []),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_odd_input_is_read_whole_or_named_with_its_line(tmp_path, case):
    content, bad = BAD_INPUT[case]
    (tmp_path / "d.txt").write_bytes(content)
    data = read_texts(tmp_path / "d.txt")
    assert [(r.line, r.error.partition(" (")[0]) for r in data.bad] == bad
    assert len(data) + len(data.bad) == len(content.rstrip(b"\n").split(b"\n"))
    assert "\ufeff" not in data.labels[0]
    assert not any("\r" in text for text in data.texts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), name=st.sampled_from(["d.txt", "d.csv", "d.tsv", "d.jsonl"]))
def test_any_bytes_give_a_row_a_line_or_one_clear_error(tmp_path, content, name):
    content = content.replace(b"\r", b"\n")
    head = b"text,label\n" if name == "d.csv" else b"text\tlabel\n" if name == "d.tsv" else b""
    (tmp_path / name).write_bytes(head + content)
    try:
        rows, said = list(open_texts(tmp_path / name, encoding="latin-1").rows), ""
    except DataError as error:
        rows, said = [], str(error)
    if said:
        assert re.fullmatch(r".*is empty or holds no rows.*|.*has no column.*", said)
        return
    n_lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if name != "d.csv":  # a quoted cell may go on over lines there
        assert len(rows) == n_lines
    assert all((r.text is None) <= (r.error is not None) for r in rows)


@pytest.mark.parametrize("name", ["d.txt", "d.csv", "d.tsv", "d.jsonl", "d.json"])
def test_a_line_of_ten_million_characters_is_a_row(tmp_path, name):
    long = "word " * 2_000_000
    write(tmp_path / name, [("a", long + "end"), ("b", "short")])
    if name == "d.json":
        pairs = [{"label": "a", "text": long + "end"}, {"label": "b", "text": "short"}]
        (tmp_path / name).write_text(json.dumps(pairs))
    data = read_texts(tmp_path / name, tokenizer="word")
    assert [len(t) for t in data.texts] == [len(long) + 3, 5]


def test_a_named_format_is_taken_at_its_word(tmp_path):
    (tmp_path / "d.txt").write_text("very good\tso\nquite bad\tit\n")
    assert read_texts(tmp_path / "d.txt", format="lines").labels == ["very", "quite"]
    assert read_texts(tmp_path / "d.txt").labels == ["very good", "quite bad"]
    assert any("its label stands before the tab" in n for n in read_texts(tmp_path / "d.txt").notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", "text,label\nso,a;b\nit,b\nno,\n"),
        ("d.tsv", "text\tlabel\nso\ta;b\nit\tb\nno\t\n"),
        (
            "d.jsonl",
            '{"text": "so", "label": "a;b"}\n{"text": "it", "label": "b"}\n{"text": "no", "label": []}\n',
        ),
        ("d.tabs", "a;b\tso\nb\tit\n;\tno\n"),
    ],
)
def test_several_labels_of_a_cell_are_kept(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    data = read_texts(tmp_path / name, label_separator=";")
    assert (data.texts, data.labels) == (["so", "it", "no"], [("a", "b"), ("b",), ()])
    row = next(open_texts(tmp_path / name, label_separator=";").rows)
    assert (row.label, row.labels) == ("a", ("a", "b"))


def test_several_labels_are_a_bad_row_where_one_is_wanted(tmp_path):
    (tmp_path / "d.jsonl").write_text(
        '{"text": "so", "label": ["a", "b"]}\n{"text": "it", "label": ["b"]}\n{"text": "on", "label": "a"}\n'
    )
    data = read_texts(tmp_path / "d.jsonl")
    assert (data.texts, data.labels) == (["it", "on"], ["b", "a"])
    assert "2 labels where one is wanted; --multi-label" in data.bad[0].error
    assert read_texts(tmp_path / "d.jsonl", multi_label=True).labels == [("a", "b"), ("b",), ("a",)]


def test_a_multi_label_set_needs_a_label_that_some_rows_lack(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\nso,a\nit,a\n")
    with pytest.raises(DataError, match="holds no label that some of its 2 rows have and others do not"):
        read_texts(tmp_path / "d.csv", multi_label=True)
    with pytest.raises(InputError, match="label_separator must be at least one character"):
        read_texts(tmp_path / "d.csv", label_separator="")


def test_auto_is_an_encoding_that_is_detected(tmp_path):
    (tmp_path / "d.txt").write_bytes(b"0 a\n1 b \x97\n")
    assert read_texts(tmp_path / "d.txt", encoding="auto") == read_texts(tmp_path / "d.txt")


def test_millions_of_rows_take_no_memory_for_each(tmp_path):
    with open(tmp_path / "d.csv", "w") as stream:
        stream.write("text,label\n")
        for i in range(30_000):
            stream.write(f"a text of row {i} with some words in it,{i % 2}\n")
    tracemalloc.start()
    n = sum(r.error is None for r in open_texts(tmp_path / "d.csv").rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 30_000
    assert peak < 3e6, "its rows as Python objects take 9 MB"


@needs_data
@pytest.mark.parametrize(
    ("name", "rows", "classes", "encoding"),
    [
        ("rt-polarity.all", 10662, {"0": 5331, "1": 5331}, "cp1252"),
        ("TREC.train.all", 5452, {str(i): None for i in range(6)}, "cp1252"),
        ("TREC.test.all", 500, {str(i): None for i in range(6)}, "utf-8"),
        ("stsa.binary.train", 6920, {"0": None, "1": None}, "utf-8"),
    ],
)
def test_real_files_are_read_whole(name, rows, classes, encoding):
    data = read_texts(DATA / name)
    assert len(data) == rows == (DATA / name).read_bytes().count(b"\n")
    assert data.bad == []
    assert set(data.labels) == set(classes)
    assert all(n is None or data.labels.count(c) == n for c, n in classes.items())
    assert data.encoding == encoding
    assert (data.note is None) == (encoding == "utf-8")
