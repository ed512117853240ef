"""`conv1d-kit text …`: train, predict and cross-validate the n-gram CNN."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, InputError
from .output import JsonFlag, emit, note, progress, table

if TYPE_CHECKING:
    from ..text.classifier import TextClassifier
    from ..text.dataset import LabelledTexts, Row

__all__ = ["app", "cv", "predict", "train"]

app = typer.Typer(help="Train, predict, cross-validate texts.", no_args_is_help=True)

CHUNK = 4096  # rows predicted and written at once
SHOWN = 5  # bad rows named one by one
LISTED = 1000  # and in the JSON object

File = Annotated[
    Path,
    typer.Argument(help="CSV, TSV, JSONL by its ending; any other: `label text` lines.", show_default=False),
]
Format = Annotated[
    str | None, typer.Option("--format", help="lines, plain, csv, tsv or jsonl; by default the ending's.")
]
TextColumn = Annotated[str, typer.Option("--text-column", help="Column or key of the text.")]
LabelColumn = Annotated[str, typer.Option("--label-column", help="Column or key of the label.")]
EncodingName = Annotated[str | None, typer.Option("--encoding", help="By default detected, UTF-8 first.")]
Tokenizer = Annotated[str | None, typer.Option("--tokenizer", help="word, kim, space or character.")]
Widths = Annotated[str | None, typer.Option("--widths", help="Filter widths in tokens, such as 3,4,5.")]
Filters = Annotated[int | None, typer.Option("--filters", help="Filters of each width.")]
Dim = Annotated[int | None, typer.Option("--dim", help="Length of an embedding.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the training texts.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Texts a step.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")]
MinCount = Annotated[int | None, typer.Option("--min-count", help="Rarer words are unknown.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same figures.")]


@app.command()
def train(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.")],
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    tokenizer: Tokenizer = None,
    widths: Widths = None,
    filters: Filters = None,
    dim: Dim = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: Rate = None,
    min_count: MinCount = None,
    seed: Seed = 0,
    as_json: JsonFlag = False,
) -> None:
    """Train on a file of labelled texts and write a model folder."""
    from ..training.model_folder import check_model_target

    check_model_target(out)
    options = _options(tokenizer, widths, filters, dim, epochs, batch_size, lr, min_count, seed)
    data = _read(file, format, text_column, label_column, encoding, options)
    from ..text.classifier import TextClassifier

    start = time.perf_counter()
    model = TextClassifier(**options)
    with progress() as bar:
        task = bar.add_task("training", total=model.n_epochs(len(data)))
        model.fit(data.texts, data.labels, on_epoch=lambda epoch: bar.advance(task))
    model.save(out)
    last = model.history_.epochs[-1]
    result = {
        "model": str(out),
        "file": data.name,
        "encoding": data.encoding,
        "rows": len(data),
        "bad_rows": len(data.bad),
        "skipped": _reasons(data),
        "classes": model.classes_.tolist(),
        "words": len(model.vocabulary_.words),
        "epochs": last.number,
        "loss": last.loss,
        "train_accuracy": last.accuracy,
        "seconds": time.perf_counter() - start,
    }
    emit(result, lambda console: console.print(_facts("trained", result)), as_json=as_json)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    file: Annotated[
        str, typer.Argument(help="A file as for train, labels not needed; - for lines on standard input.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write.")] = Path("predictions.csv"),
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: Annotated[
        str | None, typer.Option("--label-column", help="Column of true labels, to score against.")
    ] = None,
    encoding: EncodingName = None,
    as_json: JsonFlag = False,
) -> None:
    """Label the texts of a file: one row each in a CSV file, with an error where a text cannot be labelled."""
    from ..text.classifier import TextClassifier
    from ..text.dataset import guess_format, open_texts

    start = time.perf_counter()
    classifier = TextClassifier.load(model)
    names = [str(c) for c in classifier.classes_.tolist()]
    name = "standard input" if file == "-" else file
    if format is None:
        format = "plain" if file == "-" else guess_format(file)
        if format == "lines":
            format = _lines_or_plain(file, encoding, names) if Path(file).is_file() else "plain"
    source: Any = sys.stdin.buffer if file == "-" else file
    texts = open_texts(
        source, format=format, text_column=text_column, label_column=label_column, encoding=encoding
    )
    if texts.note:
        note(f"{name}: {texts.note.partition(': ')[2]} with --encoding")
    tally = _Tally()
    _write_predictions(out, classifier, names, texts.rows, tally)
    for line, reason in tally.reasons[:SHOWN]:
        note(f"{name}: line {line}: {reason}")
    if tally.bad > SHOWN:
        note(f"{name}: {tally.bad - SHOWN} more rows without a label, {tally.bad} in all; their rows say why")
    result = {
        "predictions": str(out),
        "file": name,
        "format": texts.format,
        "encoding": texts.encoding.name,
        "rows": tally.rows,
        "bad_rows": tally.bad,
        "errors": [{"path": name, "line": line, "error": error} for line, error in tally.reasons],
        "labels": tally.labels,
        "accuracy": tally.right / tally.labelled if tally.labelled else None,
        "seconds": time.perf_counter() - start,
    }
    emit(result, lambda console: console.print(_facts("predicted", result)), as_json=as_json)
    if tally.bad == tally.rows:
        raise typer.Exit(2)


@app.command()
def cv(
    file: File,
    test: Annotated[
        Path | None, typer.Option("--test", help="Train on FILE, test on this one, in place of folds.")
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Stratified, shuffled folds.")] = 10,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; by default one a core.")] = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    tokenizer: Tokenizer = None,
    widths: Widths = None,
    filters: Filters = None,
    dim: Dim = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    lr: Rate = None,
    min_count: MinCount = None,
    seed: Seed = 0,
    as_json: JsonFlag = False,
) -> None:
    """Accuracy over folds, or on a test file; the vocabulary is built anew from each training part."""
    from ..text.experiments import run_folds
    from ..training.folds import stratified_folds
    from ..training.metrics import mean_interval, wilson_interval

    start = time.perf_counter()
    if folds < 2:
        raise InputError(f"--folds must be an int >= 2, got {folds}")
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be an int >= 1, got {workers}; leave it out for one a core")
    options = _options(tokenizer, widths, filters, dim, epochs, batch_size, lr, min_count, seed)
    data = _read(file, format, text_column, label_column, encoding, options)
    texts, labels, bad, skipped = data.texts, data.labels, len(data.bad), _reasons(data)
    if test is None:
        try:
            parts = stratified_folds(labels, folds, seed=seed, source=data.name)
        except InputError as error:
            raise DataError(str(error).replace("n_folds", "--folds")) from error
    else:
        other = _read(test, format, text_column, label_column, encoding, options)
        _check_labels(data, other)
        parts = [(range(len(texts)), range(len(texts), len(texts) + len(other)))]  # type: ignore[list-item]
        texts, labels, bad = texts + other.texts, labels + other.labels, bad + len(other.bad)
        skipped = (skipped + _reasons(other))[:LISTED]
    with progress() as bar:
        task = bar.add_task("folds", total=len(parts))
        try:
            results = run_folds(
                options, texts, labels, parts, workers=workers or _cores(), on_fold=lambda _: bar.advance(task)
            )
        except InputError as error:
            raise DataError(f"{data.name}: {error}") from error
    right = [sum(labels[i] == p for i, p in zip(r.test, r.predicted, strict=True)) for r in results]
    scores = [n / len(r.test) for n, r in zip(right, results, strict=True)]
    if test is None:
        mean, half = mean_interval(scores, test_share=1 / (len(parts) - 1))
        interval, kind = (
            [mean - half, mean + half],
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
             "words": r.n_words, "loss": r.loss, "seconds": r.seconds}
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
        rows = [[r.number, r.n_train, len(r.test), r.n_words, s] for r, s in zip(results, scores, strict=True)]
        console.print(table(data.name, ["fold", "train", "test", "words", "accuracy"], rows))
        low, high = interval
        console.print(
            f"accuracy {mean:.4f}  (95 % interval {low:.4f} to {high:.4f}, {result['seconds']:.0f} s)"
        )

    emit(result, show, as_json=as_json)


class _Tally:
    """What a prediction run has seen: counts, and the first bad rows."""

    def __init__(self) -> None:
        self.rows = self.bad = self.right = self.labelled = 0
        self.labels: dict[str, int] = {}
        self.reasons: list[tuple[int, str]] = []


def _write_predictions(
    out: Path, classifier: TextClassifier, names: list[str], rows: Iterable[Row], tally: _Tally
) -> None:
    """Predict and write in chunks, to a temporary name beside `out` that is moved at the end."""
    import csv
    import os
    import tempfile

    if out.is_dir():
        raise InputError(f"--out must name a file, {out} is a folder; try {out / 'predictions.csv'}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["row", "label", "score", *(f"p_{n}" for n in names), "error"])
            answers = classifier.predictor().stream(_chunks(rows), lambda row: row.text or "")
            for chunk, lengths, shares in answers:
                writer.writerows(_predicted(classifier, names, chunk, lengths.tolist(), shares.tolist(), tally))
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(part, 0o666 & ~mask)
        os.replace(part, out)
    except BaseException:
        os.unlink(part)
        raise


def _predicted(
    classifier: TextClassifier,
    names: list[str],
    chunk: Sequence[Row],
    lengths: list[int],
    shares: list[list[float]],
    tally: _Tally,
) -> Iterator[list]:
    for row, n_tokens, share in zip(chunk, lengths, shares, strict=True):
        tally.rows += 1
        error = row.error
        if error is None and n_tokens == 0:
            error = f"no token for the tokenizer {classifier.tokenizer!r}"
        if error is not None:
            tally.bad += 1
            if len(tally.reasons) < LISTED:
                tally.reasons.append((row.line, error))
            yield [tally.rows, "", "", *("" for _ in names), f"line {row.line}: {error}"]
            continue
        highest = max(share)
        label = names[share.index(highest)]
        tally.labels[label] = tally.labels.get(label, 0) + 1
        if row.label is not None:
            tally.labelled += 1
            tally.right += row.label == label
        yield [tally.rows, label, f"{highest:.6f}", *[f"{p:.6f}" for p in share], ""]


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    from itertools import islice

    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _lines_or_plain(file: str, encoding: str | None, names: list[str]) -> str:
    """Lines whose first words are all classes of the model are `label text`; any others are texts."""
    from itertools import islice

    from ..text.dataset import open_texts

    head = [row.label for row in islice(open_texts(file, format="lines", encoding=encoding).rows, CHUNK)]
    labels = [label for label in head if label is not None]
    if labels and all(label in names for label in labels):
        note(f"{file}: each line begins with a class of the model: read as `label text` (else: --format plain)")
        return "lines"
    note(f"{file}: each line is read as one text (else: --format lines)")
    return "plain"


def _read(file: Path, format, text_column, label_column, encoding, options: dict[str, Any]) -> LabelledTexts:
    """The file's labelled texts; what cannot be used is said on standard error, and why."""
    from ..text.dataset import read_texts

    data = read_texts(
        file, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        tokenizer=options.get("tokenizer", "word"),
    )  # fmt: skip
    if data.note:
        note(f"{data.note} with --encoding")
    for row in data.bad[:SHOWN]:
        note(f"{data.name}: line {row.line}: {row.error}; left out")
    if len(data.bad) > SHOWN:
        note(f"{data.name}: {len(data.bad) - SHOWN} more rows left out, {len(data.bad)} in all")
    return data


def _check_labels(train: LabelledTexts, test: LabelledTexts) -> None:
    strange = sorted(set(test.labels) - set(train.labels))
    if strange:
        line = test.lines[test.labels.index(strange[0])]
        raise DataError(
            f"{test.name}: line {line}: the label {strange[0]!r} does not stand in {train.name}; "
            "test files must use the labels trained on"
        )


def _options(tokenizer, widths, filters, dim, epochs, batch_size, lr, min_count, seed) -> dict[str, Any]:
    """The classifier's arguments that were given, checked; its own defaults serve for the others."""
    given = {
        "tokenizer": tokenizer, "widths": None if widths is None else _widths(widths), "filters": filters,
        "dim": dim, "epochs": epochs, "batch_size": batch_size, "lr": lr, "min_count": min_count, "seed": seed,
    }  # fmt: skip
    options = {k: v for k, v in given.items() if v is not None}
    from ..text.classifier import TextClassifier

    try:
        TextClassifier(**options).check_options()
    except InputError as error:
        name, _, rest = str(error).partition(" ")
        raise InputError(f"--{name.replace('_', '-')} {rest}") from error
    return options


def _reasons(data: LabelledTexts) -> list[dict[str, Any]]:
    """The rows left out, for the JSON object: at most LISTED of them."""
    return [{"path": data.name, "line": r.line, "error": r.error} for r in data.bad[:LISTED]]


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--widths must be ints >= 1 with commas between, got {text!r}; try 3,4,5") from error


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _facts(title: str, result: dict[str, Any]) -> Any:
    shown = {
        k: f"{v:.3f}" if isinstance(v, float) else v
        for k, v in result.items()
        if v is not None and k not in ("skipped", "errors")  # said on standard error
    }
    return table(title, ["", " "], [[k, str(v)] for k, v in shown.items()])
