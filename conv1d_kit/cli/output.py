"""Where a verb's words go: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["JsonFlag", "emit", "note", "progress", "table"]

JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output, all else on standard error.")
]


def note(message: str) -> None:
    """Say something on standard error."""
    Console(stderr=True, highlight=False).print(message, markup=False, soft_wrap=True)


def emit(result: dict[str, Any], show: Callable[[Console], None], *, as_json: bool) -> None:
    """The verb's result: `result` as one JSON object, or what `show(console)` prints for a person."""
    if as_json:
        typer.echo(json.dumps(_finite(result), ensure_ascii=False, allow_nan=False))
    else:
        show(Console(highlight=False))


def progress() -> Progress:
    """A progress bar on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    )  # fmt: skip


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table; columns whose cells are numbers stand to the right."""
    t = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        t.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        t.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    return t


def _finite(value: Any) -> Any:
    """JSON has no NaN: undefined numbers become null."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
