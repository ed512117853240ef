"""`conv1d-kit audio …`: train, predict and cv here; the other verbs in files of their own, registered below."""

from __future__ import annotations

import csv
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConvKitError, InputError
from .audio_embed import embed
from .audio_events import events
from .audio_explain import explain
from .audio_export import export
from .audio_inspect import inspect
from .audio_listen import listen
from .audio_nets import nets
from .audio_report import report
from .audio_search import search
from .fold_rule import fold_rule
from .output import JsonFlag, emit, note, progress, table
from .sound_paths import sound_paths, tell_skipped

__all__ = ["app"]

app = typer.Typer(help="Sounds: train, predict, cross-validate, find events.", no_args_is_help=True)

_Data = Annotated[
    Path,
    typer.Argument(metavar="DIR_OR_CSV", help="A folder of class folders, or a CSV table with path,label."),
]
_Net = Annotated[
    str,
    typer.Option(
        help="spectrogram, residual, bc_resnet, depthwise, dilated (on features); wave, m5, filterbank (on "
        "samples); ensemble, two_view (means of two nets). `audio nets` shows them."
    ),
]
_Frontend = Annotated[
    str | None,
    typer.Option(help="log_mel, pcen, mfcc, stft, cqt, learned, sinc, gabor or raw; default the net's own."),
]
_Epochs = Annotated[int | None, typer.Option(min=1, help="Default: 20 to 100, by the number of clips.")]
_Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same figures.")]
_Rate = Annotated[
    int | None,
    typer.Option(min=100, max=1_000_000, help="Hz; default the lowest that keeps what the files hold."),
]
_Mels = Annotated[int | None, typer.Option(min=1, help="Bands of log_mel; default by the clips.")]
_PathColumn = Annotated[str | None, typer.Option(help="Column of the paths; default path, file or filename.")]
_LabelColumn = Annotated[
    str | None, typer.Option(help="Column of the labels; default label, class or category.")
]


@app.command()
def train(
    data: _Data,
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    net: _Net = "spectrogram",
    frontend: _Frontend = None,
    epochs: _Epochs = None,
    seed: _Seed = 0,
    sample_rate: _Rate = None,
    n_mels: _Mels = None,
    path_column: _PathColumn = None,
    label_column: _LabelColumn = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was killed, to the same weights.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Train a classifier on every clip of a folder or table and write its model folder."""
    from ..audio.dataset import read_dataset
    from ..training.checkpoint import remove_checkpoints
    from ..training.model_folder import check_model_target

    start = time.perf_counter()
    check_model_target(out)  # said now, not after the training
    data_set = read_dataset(data, path_column=path_column, label_column=label_column, with_folds=False)
    _tell_set(data_set)
    model = _estimator(
        net=net, frontend=frontend, epochs=epochs, seed=seed, sample_rate=sample_rate, n_mels=n_mels
    )
    total = model.count_epochs(len(data_set))
    checkpoint = out.parent / f".{out.name}.checkpoint"  # after every epoch, until the model is written
    if not resume:
        remove_checkpoints(checkpoint)
    with progress() as bar:
        task = bar.add_task("training", total=total)

        def on_epoch(epoch) -> None:
            bar.update(task, completed=epoch.number, description=f"training, loss {epoch.loss:.3f}")

        model.fit(list(data_set.paths), list(data_set.labels), on_epoch=on_epoch, checkpoint=checkpoint)
    model.save(out)
    remove_checkpoints(checkpoint)
    skipped = [*data_set.left_out, *model.skipped_]
    if model.choices_ is not None:
        asked = {"sample_rate": sample_rate, "n_mels": n_mels, "epochs": epochs}
        open_ones = [k for k in ("sample_rate", "n_fft", "n_mels", "epochs") if not asked.get(k)]
        for line in model.choices_.lines(open_ones):
            note(f"chosen: {line}")
    tell_skipped(skipped)
    _tell_flaws(model.silent_, model.short_)
    result = {
        "model": str(out),
        "n_files": len(data_set) + len(data_set.left_out),
        "n_trained": len(data_set) - model.n_skipped_,
        "n_skipped": len(skipped),
        "skipped": _reasons(skipped),
        "silent": model.silent_,
        "short": model.short_,
        "classes": model.classes_.tolist(),
        "sample_rate": model.sample_rate_,
        "epochs": model.epochs_,
        "loss": model.history_.losses[-1],
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        console.print(
            f"trained on {result['n_trained']} of {result['n_files']} clips ({result['n_skipped']} left out), "
            f"{len(result['classes'])} classes, {model.sample_rate_} Hz, {model.epochs_} epochs, "
            f"{result['seconds']:.0f} s"
        )
        console.print(f"model: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option(help="CSV table to write.")] = Path("predictions.csv"),
    json: JsonFlag = False,
) -> None:
    """Write one row a file: path, label, score, a probability for each class, error, note."""
    from ..audio.classifier import AudioClassifier, split_flaws

    start = time.perf_counter()
    classifier = AudioClassifier.load(model)
    found = sound_paths(paths, out=out)
    files = found.files
    counts: dict[str, int] = {}
    bad: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    classes = [str(c) for c in classifier.classes_]
    with _moved_when_done(out) as rows, progress() as bar:
        task = bar.add_task("predicting", total=len(files))
        writer = csv.writer(rows)
        writer.writerow(["path", "label", "score", *(f"p_{c}" for c in classes), "error", "note"])
        for p in classifier.predict_each(files):
            if p.probabilities is None:
                writer.writerow([p.path, "", "", *([""] * len(classes)), p.error, ""])
                bad.append((p.path, p.error))
            else:
                shown = [f"{v:.6f}" for v in p.probabilities]
                writer.writerow([p.path, p.label, f"{p.score:.6f}", *shown, "", p.note])
                counts[str(p.label)] = counts.get(str(p.label), 0) + 1
                if p.note:
                    doubtful.append((p.path, p.note))
            bar.advance(task)
    tell_skipped(bad, what="could not be read; their rows say why")
    _tell_flaws(*split_flaws(doubtful))
    result = {
        "out": str(out), "n_files": len(files), "n_errors": len(bad), "errors": _reasons(bad),
        "notes": [{"path": path, "note": words} for path, words in doubtful],
        "empty_folders": found.empty_folders, "n_repeats": found.n_repeats,
        "counts": counts, "seconds": time.perf_counter() - start,
    }  # fmt: skip

    if len(bad) == len(files):
        result["error"] = f"none of the {len(files)} files could be read; the first: {bad[0][1]}"

    def show(console) -> None:
        rows = sorted(counts.items(), key=lambda item: -item[1])
        console.print(table(f"{len(files)} files, {len(bad)} errors", ["label", "files"], rows))
        console.print(f"rows: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)
    if len(bad) == len(files):
        raise typer.Exit(2)


@app.command()
def cv(
    data: _Data,
    folds: Annotated[
        str | None,
        typer.Option(
            help="esc (first digit of the file name), a column name, or a number of stratified folds. "
            "Default: a column 'fold', ESC names, else 5."
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column whose rows stay in one fold: speaker, source…")
    ] = None,
    test_fold: Annotated[
        str | None, typer.Option(help="Test on this value of the folds only (a fixed split).")
    ] = None,
    net: _Net = "spectrogram",
    frontend: _Frontend = None,
    epochs: _Epochs = None,
    seed: _Seed = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with that many seeds, from --seed on.")] = 1,
    sample_rate: _Rate = None,
    n_mels: _Mels = None,
    results: Annotated[
        Path | None,
        typer.Option(help="JSON lines, one a fold that is done; what stands there already is not run again."),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Write the held-out probabilities as JSON lines (see `audio report`).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report page.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Folds at a time, one thread each; default one a processor.")
    ] = None,
    path_column: _PathColumn = None,
    label_column: _LabelColumn = None,
    json: JsonFlag = False,
) -> None:
    """Cross-validate: train without each fold in turn and test on it."""
    from ..audio.dataset import make_folds, read_dataset
    from ..report.page import check_target, write_page

    rule, column = fold_rule(folds)
    data_set = read_dataset(
        data, fold_column=column, group_column=group, path_column=path_column, label_column=label_column
    )
    try:
        described, parts = make_folds(data_set, rule, seed=seed, test_fold=test_fold)
    except ConvKitError as error:  # by the names of this command
        raise type(error)(re.sub(r"\b(n_folds|test_fold)\b", _option, str(error))) from error
    _tell_set(data_set)
    note(f"folds: {len(parts)}, by {described}")
    if html is not None:
        check_target(html, "report.html", "choose another place with --html")
    numbers = [(seed + i) % 2**32 for i in range(seeds)]
    studies = [
        _study(
            _estimator(
                net=net, frontend=frontend, epochs=epochs, seed=number, sample_rate=sample_rate, n_mels=n_mels
            ),
            data_set, parts, jobs, results, told=f"seed {number}, " * (seeds > 1),
        )
        for number in numbers
    ]  # fmt: skip
    found = studies[0]
    skipped = [*data_set.left_out, *found.skipped]
    tell_skipped(skipped)
    _tell_flaws(found.silent, found.short)
    low, high = found.interval
    accuracies = [one.accuracy for one in studies]
    kept = _predictions(data_set, studies, numbers) if html or predictions else None
    if kept is not None and predictions is not None:
        kept.save(predictions)
    if kept is not None and html is not None:
        from ..audio.inspect import inspect_audio
        from ..report.audio_cv_page import audio_cv_page

        findings = inspect_audio(data_set, rule).findings
        write_page(audio_cv_page(kept, source=data_set.source, findings=findings), html)
    result = {
        "accuracy": sum(accuracies) / len(accuracies),
        "by_seed": dict(zip(map(str, numbers), accuracies, strict=True)),
        "folds": [f.accuracy for f in found.folds],
        "seconds": found.seconds,
        "interval": [low, high],
        "fold_seconds": [f.seconds for f in found.folds],
        "n_test": [f.n_test for f in found.folds],
        "n_files": len(data_set) + len(data_set.left_out),
        "n_skipped": len(skipped),
        "skipped": _reasons(skipped),
        "silent": found.silent,
        "short": found.short,
        "classes": found.classes,
        "confusion": found.confusion.tolist(),
        "rule": described,
        "net": net,
        "frontend": frontend,
        "sample_rate": found.sample_rate,
        "epochs": found.epochs,
        "seed": seed,
    }

    def show(console) -> None:
        from ..training.metrics import class_report

        console.print(_confusion(found.confusion, found.classes))
        rows = [[r["class"], r["precision"], r["recall"], r["f1"], r["count"]] for r in
                class_report(found.confusion, found.classes)]  # fmt: skip
        console.print(table("by class", ["class", "precision", "recall", "F1", "clips"], rows))
        console.print(
            f"accuracy {found.accuracy:.4f}, 95 % interval {low:.4f} to {high:.4f}, "
            f"{len(found.folds)} fold{'s' * (len(found.folds) > 1)}, {found.seconds:.0f} s"
        )
        if seeds > 1:
            each = ", ".join(f"{number}: {a:.4f}" for number, a in zip(numbers, accuracies, strict=True))
            console.print(
                f"mean of {seeds} seeds {result['accuracy']:.4f} ({each}); the tables are of seed {seed}"
            )
        for name, place in (("predictions", predictions), ("report", html)):
            if place is not None:
                console.print(f"{name}: {place}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)


def _study(estimator, data_set, parts, jobs: int | None, results: Path | None, *, told: str):
    """One seed's cross-validation, with its progress on standard error."""
    from ..audio.crossval import cross_validate

    with progress() as bar:
        reading = bar.add_task("reading", total=len(data_set))
        tasks: list[Any] = []

        def on_features(rate: int, n_epochs: int) -> None:
            note(f"{told}{rate} Hz, {n_epochs} epochs a fold")
            bar.remove_task(reading)
            tasks.extend(
                bar.add_task(f"fold {i + 1}", total=n_epochs * estimator.n_members) for i in range(len(parts))
            )

        def on_epoch(number: int, epoch) -> None:
            described = f"fold {number + 1}, loss {epoch.loss:.3f}"
            bar.update(tasks[number], completed=epoch.number, description=described)

        def on_fold(fold) -> None:
            note(
                f"{told}fold {fold.number + 1}: {fold.accuracy:.4f} "
                f"({fold.n_correct} of {fold.n_test}), {fold.seconds:.0f} s"
            )

        return cross_validate(
            estimator, data_set, parts, n_jobs=jobs, on_file=lambda: bar.advance(reading),
            on_features=on_features, on_epoch=on_epoch, on_fold=on_fold, results=results,
        )  # fmt: skip


def _estimator(
    *,
    net: str,
    frontend: str | None,
    epochs: int | None,
    seed: int,
    sample_rate: int | None,
    n_mels: int | None,
):
    from ..audio.classifier import NETS, AudioClassifier
    from ..audio.frontends import FRONTENDS

    if net not in NETS:
        raise InputError(f"--net must be one of {', '.join(NETS)}, got {net!r}")
    if frontend is not None and frontend not in FRONTENDS:
        raise InputError(f"--frontend must be one of {', '.join(FRONTENDS)}, got {frontend!r}")
    return AudioClassifier(
        net=net, frontend=frontend, epochs=epochs, seed=seed, sample_rate=sample_rate, n_mels=n_mels
    )


def _predictions(data_set, found: Sequence[Any], seeds: Sequence[int]):
    """What the folds of each seed said of the rows they were not trained on."""
    from ..audio.dataset import esc_names
    from ..training.predictions import Predictions

    named = esc_names(data_set.paths)
    groups = data_set.groups or (tuple(s for _, s in named) if named else data_set.paths)
    rows = [
        (i, seed, fold.number, shares)
        for seed, one in zip(seeds, found, strict=True)
        for fold in one.folds
        for i, shares in zip(fold.rows, fold.probabilities, strict=True)
    ]
    return Predictions(
        tuple(found[0].classes),
        tuple(data_set.paths[i] for i, *_ in rows),
        tuple(data_set.labels[i] for i, *_ in rows),
        np.array([shares for *_, shares in rows], np.float32),
        tuple(groups[i] for i, *_ in rows),
        tuple(fold for _, _, fold, _ in rows),
        tuple(seed for _, seed, _, _ in rows),
    )


def _option(name: re.Match) -> str:
    return {"n_folds": "--folds", "test_fold": "--test-fold"}[name[0]]


def _confusion(matrix, classes: list[str]):
    """Rows true, columns predicted by number, so that twenty classes still fit a terminal."""
    rows = [
        [f"{i + 1} {name}", *(str(n) if n else "·" for n in matrix[i].tolist())]
        for i, name in enumerate(classes)
    ]
    return table(
        "confusion (rows: true, columns: predicted)", ["", *(str(i + 1) for i in range(len(classes)))], rows
    )


def _tell_set(data_set) -> None:
    for line in data_set.notes:
        note(f"note: {line}")
    note(f"{data_set.source}: {len(data_set)} files, {len(data_set.classes)} classes")


def _tell_flaws(silent, short) -> None:
    for names, what in (
        (silent, "silent (all samples 0)"), (short, "shorter than one window of the front-end"),
    ):  # fmt: skip
        if names:
            more = f" and {len(names) - 1} more" * (len(names) > 1)
            note(f"note: {len(names)} clip{'s' * (len(names) > 1)} {what}, used all the same: {names[0]}{more}")


def _reasons(pairs) -> list[dict[str, str]]:
    return [{"path": path, "error": reason} for path, reason in pairs]


class _moved_when_done:
    """A text file under a temporary name that gets its own name only when all is written."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self):
        if os.path.isdir(self.path):
            raise InputError(f"--out must be a file, got the folder {self.path}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, self.part = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}") from error
        self.file = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")
        return self.file

    def __exit__(self, kind, value, trace) -> None:
        self.file.close()
        if kind is None:
            os.chmod(self.part, 0o644)
            os.replace(self.part, self.path)
        else:
            os.unlink(self.part)


app.command()(inspect)
app.command()(report)
app.command()(events)
app.command()(listen)
app.command()(embed)
app.command()(search)
app.command()(explain)
app.command()(export)
app.command()(nets)
