"""`conv1d-kit audio explain`: a page that shows what in a sound decided a model's answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import DataError, InputError
from .audio_predict import labels_of
from .output import JsonFlag, emit, note, progress, table
from .sound_paths import sound_paths, tell_skipped

__all__ = ["explain"]

_MOST = 100  # files of a page


def explain(
    model: Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("report.html"),
    label: Annotated[
        str | None, typer.Option(help="Class to explain; default each file's most probable one.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="An index of `audio embed`: shows the nearest clips.")
    ] = None,
    max_steps: Annotated[
        int, typer.Option(min=8, help="Gradients of one picture of integrated gradients, at most.")
    ] = 512,
    json: JsonFlag = False,
) -> None:
    """Write one page: where the net looked, what raised its score, near clips, first filters."""
    from ..audio.classifier import AudioClassifier
    from ..audio.embedding_index import EmbeddingIndex
    from ..report.explain_page import FileReport, explain_files
    from ..report.page import check_target, write_page

    start = time.perf_counter()
    check_target(out)
    classifier = AudioClassifier.load(model)
    files = sound_paths(paths, out=out).files
    if len(files) > _MOST:
        raise InputError(f"a page shows at most {_MOST} files, got {len(files)}; give fewer, or several pages")
    opened = None if index is None else EmbeddingIndex.load(index)
    with progress() as bar:
        task = bar.add_task("explaining", total=len(files))

        def on_file(_: FileReport) -> None:
            bar.advance(task)

        page, reports = explain_files(
            classifier, files, label=label, index=opened, max_steps=max_steps, on_file=on_file
        )
    bad = [(r.path, r.error) for r in reports if r.error]
    tell_skipped(bad, what="could not be read; their sections say why")
    if len(bad) == len(files):
        raise DataError(f"none of the {len(files)} files could be read; the first: {bad[0][1]}")
    write_page(page, out)
    for r in reports:
        if r.gap > 0.01:
            note(f"note: {r.path}: integrated gradients are {100 * r.gap:.1f} % off; raise --max-steps")
    result: dict[str, Any] = {
        "out": str(out), "n_files": len(files), "n_errors": len(bad),
        "files": [
            {"path": r.path, "error": r.error} if r.error
            else {"path": r.path, "label": r.label, "score": r.score, "explained": r.explained, "gap": r.gap}
            for r in reports
        ],
        "seconds": time.perf_counter() - start,
    }  # fmt: skip

    def show(console) -> None:
        rows = [(r.path, ";".join(labels_of(r.label)), r.score) for r in reports if not r.error]
        console.print(table(f"{len(rows)} files explained", ["file", "label", "score"], rows))
        console.print(f"page: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)
