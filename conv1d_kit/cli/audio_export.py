"""`conv1d-kit audio export MODEL --out model.onnx`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, emit, note, progress, table
from .sound_paths import tell_skipped

__all__ = ["export"]

_Model = Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")]
_Out = Annotated[Path, typer.Option(help="ONNX file to write.")]
_Int8 = Annotated[bool, typer.Option("--int8", help="Also write NAME.int8.onnx beside it.")]
_Calibrate = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR_OR_CSV",
        help="Training clips that set the scales of --int8; without, they are set as the graph runs.",
    ),
]
_Clips = Annotated[int, typer.Option(min=1, help="Most clips that --calibrate takes, drawn at random.")]
_Check = Annotated[
    Path | None,
    typer.Option(metavar="DIR_OR_CSV", help="Labelled clips, not those of training, to score the files on."),
]


def export(
    model: _Model,
    out: _Out,
    int8: _Int8 = False,
    calibrate: _Calibrate = None,
    calibration_clips: _Clips = 100,
    check: _Check = None,
    json: JsonFlag = False,
) -> None:
    """Write a model as one ONNX file from samples to probabilities, held to torch within 1e-4."""
    from ..audio.onnx_file import check_onnx_target, extra

    start = time.perf_counter()
    if calibrate is not None and not int8:
        raise InputError("--calibrate sets the scales of int8; add --int8")
    for name in ("onnx", "onnxscript", "onnxruntime"):
        extra(name)
    check_onnx_target(out)
    small = out.with_suffix(".int8.onnx")
    if int8:
        check_onnx_target(small)

    from ..audio.classifier import AudioClassifier
    from ..audio.dataset import read_dataset
    from ..audio.export import export_onnx
    from ..audio.onnx_compare import check_labels
    from ..audio.onnx_runner import OnnxAudioClassifier

    classifier = AudioClassifier.load(model)
    if classifier.multi_label and check is not None:
        raise InputError("--check must not be given for a model of several labels a clip: it judges one")
    tables = {place: read_dataset(place, with_folds=False) for place in {calibrate, check} if place is not None}
    for data_set in tables.values():
        for line in data_set.notes:
            note(f"note: {line}")
    if check is not None:
        check_labels(classifier, tables[check].labels)
    result: dict = {"model": str(model), "classes": [str(c) for c in classifier.classes_],
                    "sample_rate": classifier.sample_rate_}  # fmt: skip
    result["largest_difference_from_torch"] = export_onnx(classifier, out)
    files = {"float": out}
    skipped: list[tuple[str, str]] = []
    if int8:
        from ..audio.quantize import quantize_onnx

        waves = None
        if calibrate is None:
            note("no --calibrate: activations are scaled as the graph runs (dynamic)")
        else:
            skipped += tables[calibrate].left_out
            waves = _waves(tables[calibrate], calibration_clips, classifier, skipped)
        result["int8_layers"] = quantize_onnx(out, small, waves)
        files["int8"] = small
    runners = [OnnxAudioClassifier(file, n_threads=1) for file in files.values()]
    result["files"] = [
        {"weights": kind, "path": str(file), "bytes": file.stat().st_size, "made": r.description_.quantized}
        for (kind, file), r in zip(files.items(), runners, strict=True)
    ]
    if check is not None:
        skipped += tables[check].left_out
        result["check"] = _check(runners, tables[check], result["files"], skipped)
    _tell(skipped)
    result["skipped"] = [{"path": path, "error": reason} for path, reason in skipped]
    result["seconds"] = time.perf_counter() - start
    emit(result, lambda console: _show(console, result), as_json=json)


def _waves(data_set, most: int, classifier, skipped: list):
    """At most `most` clips of the table, drawn at random, one at a time as the classifier hears them.

    Bad files go to `skipped`.
    """
    import numpy as np

    from ..audio.dataset import load_waves
    from ..audio.trim import heard_of
    from ..errors import DataError

    rows = np.random.default_rng(0).permutation(len(data_set))[:most]
    with progress() as bar:
        for row in bar.track(rows, description="calibrating"):
            path = data_set.paths[row]
            (wave,) = load_waves([path], classifier.sample_rate_, n_threads=1)
            if isinstance(wave, DataError):
                skipped.append((path, str(wave)))
            else:
                yield from heard_of([wave], classifier.sample_rate_, trim=classifier.trims)


def _check(runners, data_set, files: list[dict], skipped: list) -> dict:
    """Scores of the files, each added to its row of `files`; what the files say together."""
    from ..audio.onnx_compare import compare

    with progress() as bar:
        task = bar.add_task("checking", total=len(data_set))
        found = compare(runners, data_set.paths, data_set.labels, on_file=lambda: bar.advance(task))
    skipped += found.skipped
    for row, score in zip(files, found.scores, strict=True):
        row |= {"accuracy": score.accuracy, "interval": list(score.interval), "n_correct": score.n_correct,
                "clips_per_second": score.clips_per_second}  # fmt: skip
    said: dict = {"source": data_set.source, "n_clips": found.scores[0].n}
    if len(files) > 1:
        said |= {"agreement": found.agreement, "largest_difference": found.largest_difference}
    return said


def _show(console, result: dict) -> None:
    checked = "check" in result
    columns = ["weights", "bytes", *(["accuracy", "95 % interval", "clips/s"] if checked else [])]
    rows = []
    for f in result["files"]:
        row = [f["weights"], f["bytes"]]
        if checked:
            low, high = f["interval"]
            row += [f["accuracy"], f"{low:.3f} to {high:.3f}", f"{f['clips_per_second']:.1f}"]
        rows.append(row)
    title = f"{result['check']['n_clips']} clips, one thread" if checked else "exported"
    console.print(table(title, columns, rows))
    said = result.get("check", {})
    if "agreement" in said:
        console.print(
            f"int8 names the class of float in {said['agreement']:.4f} of the clips; "
            f"probabilities differ by at most {said['largest_difference']:.4f}",
            soft_wrap=True,
        )
        plain, small = result["files"]
        if small["accuracy"] < plain["accuracy"]:
            console.print(f"int8 loses {plain['n_correct'] - small['n_correct']} right answers here")
        if small["clips_per_second"] < plain["clips_per_second"]:
            console.print("int8 is slower than float on this processor")
    console.print(f"largest difference from torch: {result['largest_difference_from_torch']:.1e}")
    for f in result["files"]:
        words = f" ({f['made']})" if f["made"] else ""
        console.print(f"{f['weights']}: {f['path']}{words}", markup=False, soft_wrap=True)


def _tell(skipped) -> None:

    tell_skipped(skipped)
