"""`make bench`: ours beside every peer, into benchmarks/RESULTS.md, results.json and charts.

python -m benchmarks.run                   everything, under a quarter of an hour on two cores
python -m benchmarks.run --quick           a sample, under two minutes, into RESULTS-quick.md and so on
python -m benchmarks.run --only PATTERN    what has the pattern in its title, into RESULTS-only.md and so on:
                                           '1-D signals: 1,000 ', 'forward: .*text', 'Call overhead', Memory,
                                           'Real time', Files
python -m benchmarks.run --again PATTERN   what has it once more, in the place of what results.json held
python -m benchmarks.run --redraw          page and charts from results.json once more, nothing measured
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .charts import draw
from .conditions import conditions
from .files import file_rows
from .layers import layer_cells
from .measure import measure
from .memory import memory_rows
from .overhead import call_overhead, import_cost
from .page import page
from .pictures import picture_cells
from .planner import judge
from .process import in_fresh_process
from .signals import signal_cells
from .table import shown_bytes, shown_time

HERE = Path(__file__).parent
STREAMS_S = 300.0  # that real time may take
BUDGET_S, QUICK_BUDGET_S = 0.8, 0.25  # of a cell's turns


def gather(quick: bool, pattern: str, command: str) -> dict:
    """Measure what the pattern finds."""
    wanted, spent, failures = re.compile(pattern).search, dict[str, float](), dict[str, str]()
    rows, planner = list[dict](), list[dict]()
    budget_s = QUICK_BUDGET_S if quick else BUDGET_S

    def section(name: str, title: str, run: Callable[[], Any], empty: Any) -> Any:
        start = time.perf_counter()
        try:
            return run()
        except Exception as error:  # one cell that fails must not cost the others' minutes
            failures[title] = f"{type(error).__name__}: {error}"
            _say(f"{title}: failed, {failures[title]}")
            return empty
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

    told, start = conditions(command), time.perf_counter()
    cells = [*signal_cells(quick), *layer_cells(quick), *picture_cells(quick)]
    cells = [cell for cell in cells if wanted(cell.title)]
    for i, cell in enumerate(cells, start=1):
        contest = section(cell.grid, cell.title, cell.make, None)
        if contest is None:
            continue
        race = partial(measure, cell, contest, rows, budget_s=budget_s)
        found = section(cell.grid, cell.title, race, [])
        choice = partial(judge, cell, contest, budget_s=budget_s / 2)
        judged = section("Planner", f"Planner: {cell.title}", choice, None)
        rows += found
        planner += [judged] if judged else []
        for row in found:
            best = f"{row['best']} {shown_time(row['best_s'])}, ratio {row['ratio']:.2f}"
            _say(f"{i}/{len(cells)} {row['grid']}: {row['cell']}: {shown_time(row['ours'])}, {best}")
    overhead, imports, memory = [], {}, []
    if wanted("Call overhead"):
        title = "Call overhead"
        overhead = section(title, title, partial(call_overhead, budget_s=budget_s), [])
        imports = section(title, "Imports", partial(import_cost, times=2 if quick else 5), {})
        _say(f"{title}: " + ", ".join(f"{row['call']} {shown_time(row['ours'])}" for row in overhead))
    if wanted("Memory"):
        memory = section("Memory", "Memory", partial(memory_rows, quick), [])
        for row in memory:
            _say(f"Memory: {row['case']}: {row.get('error') or shown_bytes(row['extra'])}")
    streams, files = {}, []
    if wanted("Real time"):
        title = "Real time"
        form = "quick" if quick else "full"
        streams = section(
            title, title, partial(in_fresh_process, "benchmarks.streams", form, limit_s=STREAMS_S), {}
        )
        if "error" in streams:
            failures[title] = streams["error"]
        for row in streams.get("rows", []):
            peer = shown_time(row["peer_mean"]) if "peer_mean" in row else "no peer"
            _say(f"{title}: blocks of {row['block']}: {shown_time(row['mean'])}, {peer}, {row['late']} late")
    if wanted("Files"):
        files = section("Files", "Files", partial(file_rows, quick), [])
        for row in files:
            _say(f"Files: {row['case']}: {row.get('error') or shown_time(row['seconds'])}")
    spent["all"] = time.perf_counter() - start
    return {
        "conditions": told, "seconds": spent, "failures": failures, "rows": rows,
        "planner": planner, "overhead": overhead, "imports": imports, "memory": memory,
        "streams": streams, "files": files,
    }  # fmt: skip


def put_into(results: dict, found: dict, pattern: str) -> dict:
    """What was measured again, in the place of what an earlier run found; the page names it."""
    for key in ("rows", "planner"):
        new = {(row["grid"], row["cell"]): row for row in found[key]}
        results[key] = [new.get((row["grid"], row["cell"]), row) for row in results[key]]
    for key in ("overhead", "imports", "memory", "streams", "files"):
        results[key] = found[key] or results.get(key, found[key])
    again = results["conditions"].setdefault("again", [])
    again.append(f"{pattern} on {found['conditions']['date']}")
    results["failures"] |= found["failures"]
    return results


def write(results: dict, suffix: str) -> Path:
    """Page and charts beside the JSON; the page's path."""
    path = HERE / f"RESULTS{suffix}.md"
    path.write_text(page(results, draw(results["rows"], HERE, suffix)), "utf-8")
    return path


def to_json(results: dict) -> str:
    """JSON with one row a line and four digits a number, so that two runs can be compared line by line."""
    parts = []
    for key, value in _rounded(results).items():
        if isinstance(value, list) and value:
            lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f'"{key}": [\n{lines}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, or read what was measured, and write the page and its charts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of the cells")
    parser.add_argument(
        "--only", metavar="PATTERN", default="", help="a regular expression that titles must hold"
    )
    parser.add_argument(
        "--again", metavar="PATTERN", default="", help="as --only, into what was measured before"
    )
    parser.add_argument("--redraw", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    suffix = "-only" if arguments.only else "-quick" if arguments.quick else ""
    record = HERE / f"results{suffix}.json"
    if not arguments.redraw:
        flags = ["--quick"] * arguments.quick + ["--only", repr(arguments.only)] * bool(arguments.only)
        command = " ".join(["python -m benchmarks.run", *flags])
        found = gather(arguments.quick, arguments.only or arguments.again, command)
        if arguments.again:
            found = put_into(json.loads(record.read_text("utf-8")), found, arguments.again)
        record.write_text(to_json(found), "utf-8")
    print(write(json.loads(record.read_text("utf-8")), suffix))


if __name__ == "__main__":
    main()
