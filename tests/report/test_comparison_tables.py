"""Tables that other programs read: Markdown that renders, CSV that parses, LaTeX balanced and escaped."""

import csv
import io
import re

import pytest
from made_runs import failed, made_runs

from conv1d_kit.errors import DataError
from conv1d_kit.report.comparison_tables import to_csv, to_latex, to_markdown, write_table
from conv1d_kit.text.comparison import compare_runs

NASTY = r"50% & $x_1$ #2 {a|b} ~^\ <b> *bold* `code` [link] \end{tabular}"


@pytest.fixture(scope="module")
def found():
    runs = made_runs({"base": 0.9, NASTY: 0.7, "lost": 0.6}, configs={NASTY: {"widths": [3, 4], "lr": 0.1}})
    return compare_runs([failed(r) if r.name == "lost" else r for r in runs], baseline="base")


def test_markdown_has_a_cell_a_column_and_escapes(found):
    lines = to_markdown(found).splitlines()
    table = [line for line in lines if line.startswith("|")]
    widths = {len(re.split(r"(?<!\\)\|", line)) for line in table}
    assert len(table) == 2 + 3
    assert widths == {12}
    assert r"{a\|b}" in table[3]
    assert r"\*bold\* \`code\`" in table[3]
    assert set(re.sub(r"[|:-]", "", table[1])) == set()
    assert any("Holm-adjusted" in line for line in lines)


def test_csv_holds_every_number_in_full(found):
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [r["name"] for r in rows] == [row.name for row in found.rows]
    for said, row in zip(rows, found.rows, strict=True):
        for key in ("score", "low", "difference", "p_t_holm", "p_mcnemar"):
            value = getattr(row, key)
            assert said[key] == "" if value is None else float(said[key]) == value
    nasty = next(r for r in rows if r["name"] == NASTY)
    assert (nasty["option_widths"], nasty["option_lr"]) == ("3 4", "0.1")


def test_latex_is_balanced_escaped_and_of_booktabs(found):
    text = to_latex(found)
    assert text.count("{tabular}") == 2  # the name of a configuration ends no environment
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 1, 1]
    bare = re.sub(r"\\[{}%&$#_]", "", text)  # escaped characters aside
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    columns = re.search(r"\\begin{tabular}{(\w+)}", text).group(1)
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 4
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
        assert not re.search(r"(?<!\\)[#_%]", row)
    assert text.isascii()


def test_no_name_is_read_by_latex_as_an_option_of_the_line_before():
    text = to_latex(compare_runs(made_runs({"[best] net": 0.9, "*starred": 0.7}, fixed=True)))
    assert not re.search(r"(\\\\|rule)\s*[\[*]", text)  # \\[2mm] and \\* have a meaning, over line ends too
    assert "{[}best] net" in text


def test_a_fixed_test_part_has_no_column_of_the_t_test():
    text = to_markdown(compare_runs(made_runs({"a": 0.9, "b": 0.7}, fixed=True)))
    assert "p (t)" not in text
    assert "p (McNemar)" in text


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    write_table("ä|b", tmp_path / "new" / "t.md")
    assert (tmp_path / "new/t.md").read_text("utf-8") == "ä|b"
    with pytest.raises(DataError, match="is a folder"):
        write_table("x", tmp_path)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["t.md"]
