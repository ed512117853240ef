"""`conv1d-kit audio inspect DIR_OR_CSV`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from .fold_rule import fold_rule
from .output import JsonFlag, check_apart, emit, note, progress, visible

__all__ = ["inspect"]

_Data = Annotated[
    Path,
    typer.Argument(metavar="DIR_OR_CSV", help="A folder of class folders, or a CSV table with path,label."),
]
_Folds = Annotated[
    str | None, typer.Option(help="As for cv: esc, a column name, or a number of stratified folds.")
]
_Group = Annotated[str | None, typer.Option(help="Column of what belongs together: speaker, source…")]
_Html = Annotated[Path | None, typer.Option(help="Write a page with every case and pictures.")]
_PathColumn = Annotated[str | None, typer.Option(help="Column of the paths; default path, file or filename.")]
_LabelColumn = Annotated[
    str | None, typer.Option(help="Column of the labels; default label, class or category.")
]


def inspect(
    data: _Data,
    folds: _Folds = None,
    group: _Group = None,
    html: _Html = None,
    path_column: _PathColumn = None,
    label_column: _LabelColumn = None,
    as_json: JsonFlag = False,
) -> None:
    """Look for copies across folds, properties that give the class away, and faulty files."""
    from dataclasses import asdict

    from ..audio.dataset import read_dataset
    from ..audio.inspect import inspect_audio
    from ..report.page import check_target

    start = time.perf_counter()
    if html is not None:
        check_target(html, cure="choose another place with --html")
        check_apart("--html", html, data)
    rule, column = fold_rule(folds)
    table = read_dataset(
        data, fold_column=column, group_column=group, path_column=path_column, label_column=label_column
    )
    note(f"{table.source}: {len(table)} files, {len(table.classes)} classes")
    with progress() as bar:
        reading = bar.add_task("reading", total=len(table))
        comparing = bar.add_task("comparing", total=len(table))
        found = inspect_audio(
            table, rule, on_file=lambda: bar.advance(reading), on_compared=lambda: bar.advance(comparing)
        )
    note(f"folds: by {found.folds_by}")
    if html is not None:
        from ..report.findings import inspection_page
        from ..report.page import write_page

        write_page(inspection_page(found), html)
    result = {
        "source": table.source,
        "n_files": len(table),
        "n_unreadable": sum(bool(f.error) for f in found.facts),
        "classes": table.classes,
        "folds_by": found.folds_by,
        "findings": [asdict(f) for f in found.findings],
        "clues": {name: {**asdict(c), "tells": c.tells} for name, c in found.clues.items()},
        "html": None if html is None else str(html),
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        for f in found.findings:
            named = f.files and f.files[0][0] not in f.words
            example = f" ({' = '.join(f.files[0])}{' …' if len(f.files) > 1 else ''})" if named else ""
            console.print(visible(f"{f.severity}: {f.words}{example}; {f.cure}"), markup=False, soft_wrap=True)
        if not found.findings:
            console.print(f"{len(table)} files: nothing found")
        if html is not None:
            console.print(f"page: {html}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)
