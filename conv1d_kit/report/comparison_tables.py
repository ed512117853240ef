"""A comparison as a table for a paper, a page or a program: Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import fields

from ..text.comparison import Comparison, ComparisonRow
from ..training.whole_file import whole_file
from .page import check_target

__all__ = ["TABLES", "comparison_cells", "to_csv", "to_latex", "to_markdown", "write_table"]

METRIC_NAMES = {"accuracy": "Accuracy", "macro_f1": "Macro-F1"}
_NONE = "–"


def comparison_cells(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Column names and a row of words for each configuration; scores and differences in percent points.

    The column of the corrected t-test is left out where no row has it.
    """
    rows = found.rows
    tested = any(row.p_t is not None for row in rows)
    columns = [column for column in _COLUMNS if tested or column[0] != "p (t)"]
    words = {"metric": METRIC_NAMES[found.metric], "share": f"{100 * found.confidence:.4g}"}
    head = [name.format(**words) for name, _ in columns]
    return head, [[cell(row) for _, cell in columns] for row in rows]


def to_markdown(found: Comparison) -> str:
    """A GitHub table, with what it rests on below."""
    head, rows = comparison_cells(found)
    lines = [_row(head), "|" + "|".join(["---"] + ["---:"] * (len(head) - 2) + ["---"]) + "|", *map(_row, rows)]
    words = "".join(f"\n{_markdown(sentence)}  " for sentence in _caption(found))
    return "\n".join(lines) + f"\n{words}\n"


def to_csv(found: Comparison) -> str:
    """Every number in full, scores 0–1; empty: undefined."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [f.name for f in fields(ComparisonRow) if f.name != "config"]
    options = sorted({key for row in found.rows for key in row.config})
    writer.writerow([*names, *(f"option_{key}" for key in options)])
    for row in found.rows:
        own = [_option(row.config[key]) if key in row.config else "" for key in options]
        writer.writerow([*("" if (v := getattr(row, n)) is None else v for n in names), *own])
    return file.getvalue()


def to_latex(found: Comparison) -> str:
    """A table of booktabs with its caption, to be \\input."""
    head, rows = comparison_cells(found)
    body = "\n".join("    " + " & ".join(map(_latex, row)) + r" \\" for row in rows)
    caption = " ".join(_latex(sentence) for sentence in _caption(found))
    return (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n  \\centering\n"
        f"  \\caption{{{caption}}}\n"
        f"  \\begin{{tabular}}{{l{'r' * (len(head) - 2)}l}}\n    \\toprule\n"
        f"    {' & '.join(map(_latex, head))} \\\\\n    \\midrule\n{body}\n    \\bottomrule\n"
        "  \\end{tabular}\n\\end{table}\n"
    )


def write_table(text: str, path: str | os.PathLike) -> None:
    """Write a table as a whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    target = check_target(path, "table", "choose another place")
    with whole_file(target) as file:
        file.write(text)


def _caption(found: Comparison) -> list[str]:
    """What the table shows and how it was found, a sentence each."""
    tests = "the p-values are Holm-adjusted"
    if any(row.p_t is not None for row in found.rows):
        tests = f"p (t) is of the corrected resampled t-test, p (McNemar) of the pooled answers; {tests}"
    return [
        f"{METRIC_NAMES[found.metric]} on {found.data_name}, {found.rule}, in percent.",
        f"Intervals: {found.interval_kind}.",
        f"Differences are to {found.baseline}; {tests}.",
    ]


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.2f}"


def _interval(row: ComparisonRow) -> str:
    return _NONE if row.low is None or row.high is None else f"{100 * row.low:.2f} to {100 * row.high:.2f}"


def _difference(row: ComparisonRow) -> str:
    return _NONE if row.difference is None else f"{100 * row.difference:+.2f}".replace("-", "−")


def _p(value: float | None) -> str:
    if value is None:
        return _NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _runs(row: ComparisonRow) -> str:
    planned = row.n_runs + row.n_failed + row.n_missing
    return f"{row.n_runs}" if planned == row.n_runs else f"{row.n_runs} of {planned}"


def _seconds(row: ComparisonRow) -> str:
    return _NONE if row.seconds is None else f"{row.seconds:.1f}"


def _weights(row: ComparisonRow) -> str:
    if row.weights is None:
        return _NONE
    return f"{row.weights:.0f}" if row.weights < 1e4 else f"{row.weights / 1e6:.2f} M"


def _option(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_markdown, cells)) + " |"


def _markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]#])", r"\\\1", " ".join(text.split()))


def _latex(text: str) -> str:
    escaped = "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
    return escaped.replace("−", "$-$").replace("–", "--")


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    "→": r"$\to$", "²": r"$^2$", "χ": r"$\chi$", '"': "''", "[": "{[}", "*": "{*}",
}  # fmt: skip
_COLUMNS: list[tuple[str, Callable[[ComparisonRow], str]]] = [
    ("Configuration", lambda row: row.name),
    ("{metric} (%)", lambda row: _percent(row.score)),
    ("{share} % interval", _interval),
    ("Difference", _difference),
    ("p (t)", lambda row: _p(row.p_t_holm)),
    ("p (McNemar)", lambda row: _p(row.p_mcnemar_holm)),
    ("Runs", _runs),
    ("Seconds a run", _seconds),
    ("Weights", _weights),
    ("Verdict", lambda row: row.verdict),
]
TABLES: dict[str, Callable[[Comparison], str]] = {
    "markdown": to_markdown, "csv": to_csv, "latex": to_latex,
}  # fmt: skip
