"""`conv1d-kit audio predict`: a model on files, a row each."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .audio_options import LabelSeparator, reasons, tell_flaws
from .output import JsonFlag, emit, progress, table
from .sound_paths import sound_paths, tell_skipped

__all__ = ["labels_of", "predict"]

_NONE = "none of these"


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option(help="CSV table to write; - for standard output.")] = Path(
        "predictions.csv"
    ),
    label_separator: LabelSeparator = ";",
    json: JsonFlag = False,
) -> None:
    """Write one row a file: path, label, score, a probability for each class, error, note.

    The label is empty where no class reaches the model's threshold, or no label of several is above one half.
    """
    from ..audio.classifier import AudioClassifier, split_flaws
    from ..training.whole_file import whole_file

    start = time.perf_counter()
    if os.path.isdir(out):
        raise InputError(f"--out must be a file, got the folder {out}")
    classifier = AudioClassifier.load(model)
    found = sound_paths(paths, out=out)
    files = found.files
    counts: dict[str, int] = {}
    bad: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    classes = [str(c) for c in classifier.classes_]
    with whole_file(out, newline="") as rows, progress() as bar:
        task = bar.add_task("predicting", total=len(files))
        writer = csv.writer(rows)
        writer.writerow(["path", "label", "score", *(f"p_{c}" for c in classes), "error", "note"])
        for p in classifier.predict_each(files):
            if p.probabilities is None:
                writer.writerow([p.path, "", "", *([""] * len(classes)), p.error, ""])
                bad.append((p.path, p.error))
            else:
                shown = [f"{v:.6f}" for v in p.probabilities]
                said = labels_of(p.label)
                writer.writerow([p.path, label_separator.join(said), f"{p.score:.6f}", *shown, "", p.note])
                for label in said or [_NONE]:
                    counts[label] = counts.get(label, 0) + 1
                if p.note:
                    doubtful.append((p.path, p.note))
            bar.advance(task)
    tell_skipped(bad, what="could not be read; their rows say why")
    tell_flaws(*split_flaws(doubtful))
    result = {
        "out": str(out), "n_files": len(files), "n_errors": len(bad), "errors": reasons(bad),
        "notes": [{"path": path, "note": words} for path, words in doubtful],
        "empty_folders": found.empty_folders, "n_repeats": found.n_repeats,
        "counts": counts, "seconds": time.perf_counter() - start,
    }  # fmt: skip

    if len(bad) == len(files):
        result["error"] = f"none of the {len(files)} files could be read; the first: {bad[0][1]}"

    def show(console) -> None:
        rows = sorted(counts.items(), key=lambda item: -item[1])
        console.print(table(f"{len(files)} files, {len(bad)} errors", ["label", "files"], rows))
        place = "standard output" if str(out) == "-" else out
        console.print(f"rows: {place}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json, out=out)
    if len(bad) == len(files):
        raise typer.Exit(2)


def labels_of(label) -> list[str]:
    """A prediction's labels: one, or any number, or none where no class reaches the threshold."""
    return [] if label is None else [str(x) for x in (label if isinstance(label, tuple) else (label,))]
