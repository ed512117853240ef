"""Where a verb's words go: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..errors import DataError, InputError

__all__ = [
    "JsonFlag",
    "check_apart",
    "check_outputs",
    "emit",
    "facts_table",
    "note",
    "progress",
    "table",
    "visible",
]

_CONTROL = {i: f"\\x{i:02x}" for i in (*range(9), *range(11, 32), 127)}  # all but tab and line feed

JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output, all else on standard error.")
]


def note(message: str) -> None:
    """Say something on standard error."""
    Console(stderr=True, highlight=False).print(visible(message), markup=False, soft_wrap=True)


def visible(text: str) -> str:
    """The text with what no terminal or UTF-8 file may hold (bytes of odd file names, control codes) as \\x….

    Examples
    --------
    >>> print(visible("caf\\udce9.wav"))
    caf\\udce9.wav
    """
    return text.translate(_CONTROL).encode("utf-8", "backslashreplace").decode("utf-8")


def emit(
    result: dict[str, Any],
    show: Callable[[Console], None],
    *,
    as_json: bool,
    out: str | os.PathLike | None = None,
) -> None:
    """The verb's result: `result` as one JSON object, or what `show(console)` prints for a person.

    Where the verb's own rows went to standard output (`out` is "-"), it is said on standard error.

    Raises
    ------
    DataError
        If standard output takes no more.
    """
    try:
        aside = out is not None and os.fspath(out) == "-"
        if as_json:
            typer.echo(json.dumps(_finite(result), ensure_ascii=False, allow_nan=False), err=aside)
        else:
            show(Console(highlight=False, stderr=aside))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has what it wanted
        raise
    except OSError as error:
        raise DataError(f"cannot write to standard output: {error.strerror}") from error


def progress() -> Progress:
    """A progress bar on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    )  # fmt: skip


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A plain table; columns whose cells are numbers stand to the right."""
    t = Table(title=Text(visible(title)), title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        t.add_column(Text(visible(column)), justify="right" if numeric else "left")
    for row in rows:  # as Text: a label such as [red] is no markup
        t.add_row(*(Text(f"{cell:.3f}" if isinstance(cell, float) else visible(str(cell))) for cell in row))
    return t


def check_apart(option: str, target: str | os.PathLike | None, *sources: str | os.PathLike | None) -> None:
    """Refuse to write over what is read.

    Raises
    ------
    InputError
    """
    if target is None or not os.path.exists(target):
        return
    for source in sources:
        if source is not None and os.path.exists(source) and os.path.samefile(target, source):
            raise InputError(f"{option} must not be what is read, got {target} for both; choose another name")


def check_outputs(**targets: str | os.PathLike | None) -> None:
    """Refuse two outputs of one name, given by option: `html=…` is --html.

    Raises
    ------
    InputError
    """
    taken: dict[str, str] = {}
    for name, target in targets.items():
        if target is None or (os.path.exists(target) and not os.path.isfile(target)):
            continue
        other = taken.setdefault(os.path.realpath(target), name)
        if other != name:
            raise InputError(f"--{other} and --{name} must be two files, got {target} for both; rename one")


def facts_table(title: str, result: dict[str, Any]) -> Table:
    """A verb's result as a table of two columns; rows that were left out are said on standard error instead."""
    shown = {
        k: f"{v:.3f}" if isinstance(v, float) else v
        for k, v in result.items()
        if v is not None and k not in ("skipped", "errors")
    }
    return table(title, ["", " "], [[k, str(v)] for k, v in shown.items()])


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _finite(value: Any) -> Any:
    """JSON has no NaN and no lone surrogates: undefined numbers become null, odd bytes of names \\x…."""
    if isinstance(value, dict):
        return {_valid(str(k)): _finite(v) for k, v in value.items()}
    if isinstance(value, str):
        return _valid(value)
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
