"""`conv1d-kit audio cv`: train without each fold in turn and test on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConvKitError
from .audio_options import (
    Cache,
    CalibrationShare,
    Data,
    Epochs,
    Frontend,
    Group,
    LabelColumn,
    Mels,
    Net,
    PathColumn,
    Patience,
    Rate,
    Seed,
    Set,
    make_classifier,
    reasons,
    tell_flaws,
    tell_set,
)
from .fold_rule import fold_rule
from .output import JsonFlag, check_apart, check_outputs, emit, note, progress, table
from .sound_paths import tell_skipped

__all__ = ["cv"]


def cv(
    data: Data,
    folds: Annotated[
        str | None,
        typer.Option(
            help="esc (first digit of the file name), a column name, or a number of stratified folds. "
            "Default: a column 'fold', ESC names, else 5."
        ),
    ] = None,
    group: Group = None,
    test_fold: Annotated[
        str | None, typer.Option(help="Test on this value of the folds only (a fixed split).")
    ] = None,
    net: Net = "spectrogram",
    frontend: Frontend = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with that many seeds, from --seed on.")] = 1,
    sample_rate: Rate = None,
    n_mels: Mels = None,
    patience: Patience = None,
    calibration_share: CalibrationShare = None,
    settings: Set = None,
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
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    cache: Cache = None,
    json: JsonFlag = False,
) -> None:
    """Cross-validate: train without each fold in turn and test on it."""
    from sklearn.base import clone

    from ..audio.crossval import interval_over
    from ..audio.dataset import make_folds, read_dataset
    from ..report.page import check_target, write_page

    rule, column = fold_rule(folds)
    check_outputs(results=results, predictions=predictions, html=html)
    for option, target, name in (
        ("--results", results, "results.jsonl"), ("--predictions", predictions, "predictions.jsonl"),
        ("--html", html, "report.html"),
    ):  # fmt: skip
        if target is not None:
            check_target(target, name, f"choose another place with {option}")
            check_apart(option, target, data)
    model = make_classifier(
        settings, net=net, frontend=frontend, epochs=epochs, seed=seed, sample_rate=sample_rate, n_mels=n_mels,
        patience=patience, calibration_share=calibration_share,
    )  # fmt: skip
    data_set = read_dataset(
        data, fold_column=column, group_column=group, path_column=path_column, label_column=label_column
    )
    try:
        described, parts = make_folds(data_set, rule, seed=seed, test_fold=test_fold)
    except ConvKitError as error:  # by the names of this command
        raise type(error)(re.sub(r"\b(n_folds|test_fold)\b", _option, str(error))) from error
    tell_set(data_set)
    note(f"folds: {len(parts)}, by {described}")
    numbers = [(seed + i) % 2**32 for i in range(seeds)]
    studies = [
        _study(
            clone(model).set_params(seed=number), data_set, parts, jobs, results, cache,
            told=f"seed {number}, " * (seeds > 1),
        )
        for number in numbers
    ]  # fmt: skip
    found = studies[0]
    skipped = [*data_set.left_out, *found.skipped]
    tell_skipped(skipped)
    tell_flaws(found.silent, found.short)
    accuracies = [one.accuracy for one in studies]
    by_fold = np.mean([[f.accuracy for f in one.folds] for one in studies], 0).tolist()
    low, high = interval_over(by_fold, found.folds)  # of the seeds' mean
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
        "folds": by_fold,
        "seconds": sum(one.seconds for one in studies),
        "interval": [low, high],
        "fold_seconds": [f.seconds for f in found.folds],
        "n_test": [f.n_test for f in found.folds],
        "n_files": len(data_set) + len(data_set.left_out),
        "n_skipped": len(skipped),
        "skipped": reasons(skipped),
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
            f"accuracy {result['accuracy']:.4f}, 95 % interval {low:.4f} to {high:.4f}, "
            f"{len(found.folds)} fold{'s' * (len(found.folds) > 1)}, {result['seconds']:.0f} s"
        )
        if seeds > 1:
            each = ", ".join(f"{number}: {a:.4f}" for number, a in zip(numbers, accuracies, strict=True))
            console.print(f"mean of {seeds} seeds ({each}); the tables are of seed {seed}")
        for name, place in (("predictions", predictions), ("report", html)):
            if place is not None:
                console.print(f"{name}: {place}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)


def _study(
    estimator, data_set, parts, jobs: int | None, results: Path | None, cache: Path | None, *, told: str
):
    """One seed's cross-validation, with its progress on standard error."""
    from ..audio.crossval import cross_validate

    with progress() as bar:
        reading = bar.add_task("reading", total=len(data_set))
        tasks: list[Any] = []

        def on_features(rate: int, n_epochs: int) -> None:
            note(f"{told}{rate} Hz, {n_epochs} epochs a fold")
            bar.remove_task(reading)
            tasks.extend(
                bar.add_task(f"fold {i + 1}", total=n_epochs * estimator.n_trainings) for i in range(len(parts))
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
            on_features=on_features, on_epoch=on_epoch, on_fold=on_fold, results=results, cache=cache,
        )  # fmt: skip


def _predictions(data_set, found: Sequence[Any], seeds: Sequence[int]):
    """What the folds of each seed said of the rows they were not trained on."""
    from ..training.predictions import Predictions

    groups = data_set.sources or data_set.paths
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
