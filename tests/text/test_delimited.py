"""CSV and TSV: the same cells as Python's csv, and what an open quote may swallow."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.text import delimited
from conv1d_kit.text.delimited import read_csv, read_tsv
from conv1d_kit.text.rows import Columns

BOTH = Columns("text", "label")
CELLS = st.text(st.sampled_from("ab \"'é,;\t\r\n\\0"), max_size=8)


def lines_of(text):
    return iter(io.StringIO(text, newline="").readlines()) if text else iter(())


def rows_of(text, reader=read_csv, columns=BOTH):
    return list(reader("d", lines_of(text), columns))


@settings(max_examples=80, deadline=None)
@given(
    table=st.lists(st.tuples(CELLS, CELLS), max_size=6), separator=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), end=st.sampled_from(["\n", "\r\n", "\r"]),
)  # fmt: skip
def test_whatever_the_csv_module_writes_is_read_as_it_reads_it(table, quoting, end, separator):
    if quoting == csv.QUOTE_MINIMAL:  # the writer quotes only the line ends that it writes itself
        gone = str.maketrans("", "", "".join({"\r", "\n"} - set(end)))
        table = [(a.translate(gone), b.translate(gone)) for a, b in table]
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator=end, delimiter=separator)
    writer.writerows([("text", "label"), *table])
    text = out.getvalue()
    reader = csv.reader(lines_of(text), delimiter=separator, strict=True)
    next(reader)
    expected, line = [], reader.line_num + 1
    for cells in reader:
        expected.append((line, *cells))
        line = reader.line_num + 1
    assert [(r.line, r.text, r.label) for r in rows_of(text)] == expected
    assert [(r[1], r[2]) for r in expected] == table


@given(text=st.text(st.sampled_from('ab,"\n\r'), max_size=40))
def test_every_line_is_in_exactly_one_row_whatever_the_quotes(text):
    body = "text,label\n" + text
    rows = rows_of(body)
    n_lines = len(list(lines_of(body)))
    starts = [r.line for r in rows]
    assert starts == sorted(set(starts))
    if n_lines > 1:
        assert starts[0] == 2
        assert starts[-1] <= n_lines
    strict = csv.reader(lines_of(body), strict=True)
    try:
        expected = list(strict)[1:]
    except csv.Error:
        return
    good = [[r.text, r.label] for r in rows if r.error is None and not r.blank]
    assert good == [cells for cells in expected if len(cells) == 2]
    assert len(rows) == len(expected)


@given(text=st.text(st.sampled_from('ab\t"\n'), max_size=40))
def test_in_a_tsv_file_every_line_is_a_row_and_a_quote_a_character(text):
    body = "label\ttext\n" + text
    expected = list(csv.reader(lines_of(body), delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    rows = rows_of(body, read_tsv)
    assert [r.line for r in rows] == list(range(2, 2 + len(expected)))
    good = [[r.label, r.text] for r in rows if not r.blank and r.error is None]
    assert good == [cells for cells in expected if len(cells) == 2]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    body = 'text,label\n"open,0\n' + "fine,1\n" * 500 + '"good, too",0\n' + "last,1\n"
    rows = rows_of(body)
    assert [(r.line, r.error is not None) for r in rows if r.error] == [(2, True)]
    assert "is a quote left open?" in rows[0].error
    assert len(rows) == 503
    assert (rows[501].text, rows[502].text) == ("good, too", "last")


def test_two_open_quotes_cost_two_lines():
    body = 'text,label\n"open,0\nfine,1\nfine,0\n"open again,1\nlast,0\n'
    rows = rows_of(body)
    assert [r.line for r in rows if r.error] == [2, 5]
    assert [r.text for r in rows if not r.error] == ["fine", "fine", "last"]


def test_a_record_of_several_lines_that_is_wrong_is_one_bad_row():
    body = 'text,label\n"first line\nsecond line\nthird"x,1\nfine,0\n'
    rows = rows_of(body)
    assert [(r.line, r.text) for r in rows] == [(2, None), (5, "fine")]
    assert "to line 4" in rows[0].error


def test_an_open_quote_is_looked_into_no_further_than_a_bound(monkeypatch):
    monkeypatch.setattr(delimited, "_LONGEST", 50)
    taken = []

    def lines():
        for i, line in enumerate(["text,label\n", '"open,0\n', *["fine,1\n"] * 1000]):
            taken.append(i)
            yield line

    rows = read_csv("d", lines(), BOTH)
    assert next(rows).error is not None
    assert len(taken) < 15
    assert sum(r.text == "fine" for r in rows) == 1000


@pytest.mark.parametrize("cell", ["x" * 10_000_000, "x " * 2_500_000 + "\n" + "y " * 2_500_000])
def test_a_cell_of_ten_million_characters_is_read(cell):
    limit = csv.field_size_limit()
    rows = rows_of(f'text,label\n"{cell}",1\nplain,0\n')
    assert [(len(r.text), r.label) for r in rows] == [(len(cell), "1"), (5, "0")]
    assert csv.field_size_limit() == limit
