"""`conv1d-kit audio embed`: the vectors of any number of sounds, as an index that `audio search` reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import JsonFlag, emit, note, progress
from .sound_paths import sound_paths, tell_skipped

__all__ = ["embed"]


def embed(
    model: Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option(help="Index folder to write; an index that stands there is replaced.")],
    folder_labels: Annotated[
        bool,
        typer.Option(help="Keep each file's folder as its label, and say how well labels are found again."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Write an index of the net's vectors; a run that was ended goes on where it stopped."""
    from ..audio.classifier import AudioClassifier
    from ..audio.embedding_index import make_index

    start = time.perf_counter()
    classifier = AudioClassifier.load(model)
    found = sound_paths(paths, out=out)
    labels = [p.absolute().parent.name for p in found.files] if folder_labels else None
    resumed = 0
    with progress() as bar:
        task = bar.add_task("embedding", total=len(found.files))

        def on_resume(n: int) -> None:
            nonlocal resumed
            resumed = n
            note(f"going on after {n} files of an earlier run")
            bar.update(task, completed=n)

        index = make_index(
            classifier, found.files, out, labels=labels, model_path=str(model),
            on_resume=on_resume, on_file=lambda _: bar.advance(task),
        )  # fmt: skip
    bad = [(c["path"], c["error"]) for c in index.clips if "error" in c]
    tell_skipped(bad, what="could not be read; their lines say why")
    result: dict[str, Any] = {
        "out": str(out), "n_files": len(index), "n_errors": len(bad), "n_resumed": resumed,
        "errors": [{"path": path, "error": error} for path, error in bad],
        "notes": [{"path": c["path"], "note": c["note"]} for c in index.clips if "note" in c],
        "empty_folders": found.empty_folders, "n_repeats": found.n_repeats,
        "dimension": index.vectors.shape[1], "model": index.model_id,
        **(_quality(index) if folder_labels else {}), "seconds": time.perf_counter() - start,
    }  # fmt: skip
    if len(bad) == len(index):
        result["error"] = f"none of the {len(index)} files could be read; the first: {bad[0][1]}"

    def show(console) -> None:
        n = len(index) - len(bad)
        console.print(
            f"{n} vectors of {index.vectors.shape[1]} numbers, {len(bad)} errors, {result['seconds']:.0f} s"
        )
        if result.get("precision_at_5") is not None:
            console.print(
                f"of the 5 nearest {100 * result['precision_at_5']:.1f} % bear the same label; "
                f"mAP {result['mean_average_precision']:.3f}"
            )
        console.print(f"index: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)
    if "error" in result:
        raise typer.Exit(2)


def _quality(index) -> dict[str, Any]:
    """How well each sound finds its label, or None where no label is borne twice."""
    from ..audio.retrieval import retrieval_quality
    from ..errors import InputError

    rows = [i for i, c in enumerate(index.clips) if "error" not in c]
    try:
        found = retrieval_quality(index.vectors[rows], [index.clips[i]["label"] for i in rows], k=5)
    except InputError as error:
        note(f"note: {error}")
        return {"precision_at_5": None, "mean_average_precision": None}
    return {"precision_at_5": found.precision_at_k, "mean_average_precision": found.mean_average_precision}
