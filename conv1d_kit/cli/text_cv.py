"""`conv1d-kit text cv`: accuracy over folds or on a test file, with its interval."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ..errors import DataError, InputError
from .output import JsonFlag, emit, progress, table
from .text_options import (
    BatchSize,
    Dim,
    Epochs,
    Filters,
    Members,
    MinCount,
    Model,
    Rate,
    Seed,
    Set,
    Tokenizer,
    Widths,
    classifier_options,
)
from .text_source import (
    LISTED,
    ClassFiles,
    EncodingName,
    Format,
    LabelColumn,
    OptionalFile,
    TextColumn,
    bad_rows,
    check_folds,
    check_labels,
    read_source,
)

__all__ = ["cv"]


def cv(
    file: OptionalFile = None,
    *,
    class_files: ClassFiles = None,
    test: Annotated[
        str | None, typer.Option("--test", help="Train on FILE, test on this one, in place of folds.")
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Stratified, shuffled folds.")] = 10,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; by default one a core.")] = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    model: Model = None,
    members: Members = None,
    tokenizer: Tokenizer = None,
    widths: Widths = None,
    filters: Filters = None,
    dim: Dim = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: Rate = None,
    min_count: MinCount = None,
    seed: Seed = 0,
    settings: Set = None,
    as_json: JsonFlag = False,
) -> None:
    """Accuracy over folds, or on a test file; the vocabulary is built anew from each training part."""
    from ..text.experiments import run_folds
    from ..training.folds import stratified_folds
    from ..training.metrics import mean_interval, wilson_interval
    from ..training.processes import n_cores

    start = time.perf_counter()
    if folds < 2:
        raise InputError(f"--folds must be an int >= 2, got {folds}")
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be an int >= 1, got {workers}; leave it out for one a core")
    options = classifier_options(
        model=model, members=members, tokenizer=tokenizer, widths=widths, filters=filters, dim=dim,
        epochs=epochs, batch_size=batch_size, lr=lr, min_count=min_count, seed=seed, settings=settings,
    )  # fmt: skip
    if options.get("multi_label"):
        raise InputError("--set multi_label must be false for cv: it judges one label a text; see text train")
    tokenizer = options.get("tokenizer", "word")
    data = read_source(
        file, format, text_column, label_column, encoding, tokenizer=tokenizer, class_files=class_files
    )
    texts, labels, bad, skipped = data.texts, data.labels, len(data.bad), bad_rows(data)
    if test is None:
        check_folds(data, folds)
        parts = stratified_folds(labels, folds, seed=seed, source=data.name)
    else:
        other = read_source(test, format, text_column, label_column, encoding, tokenizer=tokenizer)
        check_labels(data, other)
        parts = [(range(len(texts)), range(len(texts), len(texts) + len(other)))]  # type: ignore[list-item]
        texts, labels, bad = texts + other.texts, labels + other.labels, bad + len(other.bad)
        skipped = (skipped + bad_rows(other))[:LISTED]
    with progress() as bar:
        task = bar.add_task("folds", total=len(parts))
        try:
            results = run_folds(
                options, texts, labels, parts, workers=workers or n_cores(), on_fold=lambda _: bar.advance(task)
            )
        except InputError as error:
            raise DataError(f"{data.name}: {error}") from error
    right = [sum(labels[i] == p for i, p in zip(r.test, r.predicted, strict=True)) for r in results]
    scores = [n / len(r.test) for n, r in zip(right, results, strict=True)]
    if test is None:
        mean, half = mean_interval(scores, test_share=1 / (len(parts) - 1))
        interval, kind = (
            [max(0.0, mean - half), min(1.0, mean + half)],
            "mean over folds, Student's t corrected for shared training rows",
        )
    else:
        mean, kind = scores[0], "Wilson interval of a proportion"
        interval = list(wilson_interval(right[0], len(results[0].test)))
    result = {
        "accuracy": mean,
        "interval": interval,
        "interval_kind": f"95 %, {kind}",
        "folds": scores,
        "fold_details": [
            {"fold": r.number, "accuracy": score, "n_train": r.n_train, "n_test": len(r.test),
             "weights": r.n_weights, "loss": r.loss, "seconds": r.seconds}
            for r, score in zip(results, scores, strict=True)
        ],
        "seconds": time.perf_counter() - start,
        "file": data.name,
        "test": None if test is None else str(test),
        "encoding": data.encoding,
        "rows": len(texts),
        "bad_rows": bad,
        "skipped": skipped,
        "classes": sorted(set(data.labels)),
        "options": {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()},
    }  # fmt: skip

    def show(console) -> None:
        rows = [
            [r.number, r.n_train, len(r.test), r.n_weights, s] for r, s in zip(results, scores, strict=True)
        ]
        console.print(table(data.name, ["fold", "train", "test", "weights", "accuracy"], rows))
        low, high = interval
        console.print(
            f"accuracy {mean:.4f}  (95 % interval {low:.4f} to {high:.4f}, {result['seconds']:.0f} s)"
        )

    emit(result, show, as_json=as_json)
