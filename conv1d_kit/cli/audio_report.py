"""`conv1d-kit audio report PREDICTIONS.jsonl`"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonFlag, check_apart, emit, note, progress, table

if TYPE_CHECKING:
    from ..audio.inspect import Finding
    from ..training.predictions import Predictions

__all__ = ["report"]

_Predictions = Annotated[
    Path, typer.Argument(metavar="PREDICTIONS", help="JSON lines that `audio cv --predictions` wrote.")
]
_Out = Annotated[Path, typer.Option(help="The page to write.")]
_Root = Annotated[Path | None, typer.Option(help="Folder that relative paths of sounds start from.")]
_NoInspect = Annotated[bool, typer.Option("--no-inspect", help="Leave the sound files' inspection out.")]


def report(
    predictions: _Predictions,
    out: _Out = Path("report.html"),
    root: _Root = None,
    no_inspect: _NoInspect = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the page of a cross-validation from its kept predictions; nothing is trained."""
    from ..audio.clip import Clip
    from ..report.audio_cv_page import audio_cv_page, cv_figures
    from ..report.page import check_target, write_page
    from ..training.predictions import Predictions

    start = time.perf_counter()
    check_target(out)
    check_apart("--out", out, predictions)
    said = Predictions.load(predictions)
    note(f"{predictions}: {len(said)} answers, {len(said.classes)} classes, {len(set(said.folds))} folds")

    def place(path: str) -> str:
        return path if root is None else os.path.join(root, path)

    findings = None if no_inspect else _inspected(said, str(predictions), place)
    page = audio_cv_page(
        said,
        source=predictions.name,
        findings=findings,
        read=lambda path: Clip.read(place(path), max_duration_s=10.0),
    )
    write_page(page, out)
    figures = cv_figures(said)
    result = {**figures, "out": str(out), "seconds": time.perf_counter() - start}

    def show(console) -> None:
        low, high = figures["group_interval"] or (float("nan"), float("nan"))
        rows = [
            ("accuracy", figures["accuracy"], f"{low:.3f} to {high:.3f} over groups"),
            ("macro-F1", figures["macro_f1"], ""),
            ("calibration error", figures["ece"], _after(figures, "ece")),
            ("NLL", figures["nll"], _after(figures, "nll")),
        ]
        console.print(table(f"{len(said)} answers", ["figure", "value", ""], rows))
        console.print(f"page: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=as_json)


def _after(figures: dict, name: str) -> str:
    key = f"tempered_{name}"
    return f"{figures[key]:.3f} with a temperature" if key in figures else ""


def _inspected(said: Predictions, source: str, place) -> list[Finding] | None:
    """What the data doctor says of the files that were predicted, or None where it cannot look."""
    from ..audio.dataset import AudioTable
    from ..audio.inspect import inspect_audio

    rows = list({path: i for i, path in enumerate(said.paths)}.values())
    if len(set(said.folds)) < 2:
        note("note: one fold only, the files are not inspected; see `audio inspect`")
        return None
    if not any(os.path.isfile(place(said.paths[i])) for i in rows):
        note(
            f"note: no sound file is at its path ({place(said.paths[rows[0]])}); --root says where paths start"
        )
        return None
    files = AudioTable(
        source,
        tuple(place(said.paths[i]) for i in rows),
        tuple(said.labels[i] for i in rows),
        tuple(str(said.folds[i] + 1) for i in rows),
        None if said.groups == said.paths else tuple(said.groups[i] for i in rows),
    )
    with progress() as bar:
        reading = bar.add_task("inspecting", total=2 * len(rows))

        def step() -> None:
            bar.advance(reading)

        return inspect_audio(files, "column", on_file=step, on_compared=step).findings
