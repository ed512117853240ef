"""`conv1d-kit text compare RUNS.jsonl`: who is better, by how much, and whether it is noise."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, InputError
from .output import JsonFlag, check_outputs, emit, note, table

if TYPE_CHECKING:
    from ..text.comparison import Comparison, ComparisonRow

__all__ = ["compare"]

_Runs = Annotated[
    list[Path], typer.Argument(metavar="RUNS…", help="Files of `text sweep --out`.", show_default=False)
]
_Baseline = Annotated[
    str | None, typer.Option("--baseline", help="A configuration's name; by default the best one.")
]
_Metric = Annotated[str, typer.Option("--metric", help="accuracy or macro_f1.")]
_Data = Annotated[str | None, typer.Option("--data", help="Name of one data set, where there are several.")]
_Sweep = Annotated[str | None, typer.Option("--sweep", help="Only the runs of the sweep of this name.")]
_Markdown = Annotated[Path | None, typer.Option("--markdown", help="Write the table as Markdown.")]
_Csv = Annotated[Path | None, typer.Option("--csv", help="Write all numbers as CSV.")]
_Latex = Annotated[Path | None, typer.Option("--latex", help="Write the table as LaTeX (booktabs).")]
_Html = Annotated[Path | None, typer.Option("--html", help="Write a page with the table and the curves.")]


def compare(
    runs: _Runs,
    baseline: _Baseline = None,
    metric: _Metric = "accuracy",
    data: _Data = None,
    sweep: _Sweep = None,
    markdown: _Markdown = None,
    csv: _Csv = None,
    latex: _Latex = None,
    html: _Html = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare kept runs: means, corrected intervals, paired tests with Holm's adjustment, curves."""
    from ..report.comparison_tables import TABLES, write_table
    from ..report.page import check_target
    from ..text.comparison import compare_runs
    from ..text.runs import read_runs

    start = time.perf_counter()
    tables = {"markdown": markdown, "csv": csv, "latex": latex}
    check_outputs(**tables, html=html)
    for target in (*tables.values(), html):
        if target is not None:
            if any(target.exists() and target.samefile(path) for path in runs if path.exists()):
                raise InputError(f"{target} is a file of runs; write to another")
            check_target(target, "comparison.html", "choose another place")
    records, notes = read_runs(runs)
    for words in notes:
        note(words)
    if sweep is not None:
        names = sorted({r.sweep for r in records})
        records = [r for r in records if r.sweep == sweep]
        if not records:
            raise InputError(f"no run is of the sweep {sweep!r}; there is {', '.join(names)}")
    if not records:
        raise DataError(f"{runs[0]}: no run stands there yet; run `text sweep --out {runs[0]}`")
    found = compare_runs(records, baseline=baseline, metric=metric, data=data)
    for words in found.notes:
        note(words)
    for kind, target in tables.items():
        if target is not None:
            write_table(TABLES[kind](found), target)
    if html is not None:
        from ..report.compare_page import compare_page
        from ..report.page import write_page

        write_page(compare_page(found), html)
    written = [str(t) for t in (*tables.values(), html) if t is not None]
    result = {**_json(found), "written": written, "seconds": time.perf_counter() - start}

    def show(console) -> None:
        rows = [
            [row.name, _percent(row.score), _span(row), _percent(row.difference, "+"), _p(row), row.verdict]
            for row in found.rows
        ]
        columns = ["", f"{found.metric} %", "interval", "diff.", "Holm's p", ""]
        console.print(table(f"{found.data_name}, {found.rule}", columns, rows))
        console.print(f"intervals: {found.interval_kind}", markup=False, soft_wrap=True)
        for path in written:
            console.print(f"written: {path}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)


def _percent(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{100 * value:{sign}.2f}"


def _span(row: ComparisonRow) -> str:
    return "–" if row.low is None or row.high is None else f"{100 * row.low:.1f} to {100 * row.high:.1f}"


def _p(row: ComparisonRow) -> str:
    """Of the test that decides."""
    p = row.p_mcnemar_holm if row.p_t_holm is None else row.p_t_holm
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _json(found: Comparison) -> dict[str, Any]:
    from ..text.curves import budget_curves, option_curves

    return {
        "metric": found.metric,
        "data": found.data_name,
        "rule": found.rule,
        "interval_kind": found.interval_kind,
        "baseline": found.baseline,
        "baseline_is_best": found.baseline_chosen,
        "configurations": [dataclasses.asdict(row) for row in found.rows],
        "notes": found.notes,
        "curves": [dataclasses.asdict(curve) for curve in option_curves(found)],
        "budget": [
            {
                "group": curve.group,
                "seconds_each": curve.seconds_each,
                "n": curve.best.n.tolist(),
                "expected_best": curve.best.mean.tolist(),
                "sd": curve.best.sd.tolist(),
                "low": curve.best.low.tolist(),
                "high": curve.best.high.tolist(),
            }
            for curve in budget_curves(found)
        ],
    }
