"""`conv1d-kit text predict`: texts of any number → a CSV file of labels, in constant memory."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, check_apart, emit, facts_table, note
from .text_source import LISTED, SHOWN, EncodingName, Format, TextColumn, open_unlabelled

if TYPE_CHECKING:
    from ..text.classifier import TextClassifier
    from ..text.rows import Row

__all__ = ["predict"]

CHUNK = 4096  # rows predicted and written at once


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    file: Annotated[
        str, typer.Argument(help="A file as for train, labels not needed; - for lines on standard input.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The CSV file to write; - for standard output.")] = Path(
        "predictions.csv"
    ),
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: Annotated[
        str | None, typer.Option("--label-column", help="Column of true labels, to score against.")
    ] = None,
    encoding: EncodingName = None,
    as_json: JsonFlag = False,
) -> None:
    """Label the texts of a file: one row each in a CSV file, with an error where a text cannot be labelled."""
    import torch

    from ..text.classifier import TextClassifier

    check_apart("--out", out, file)
    start = time.perf_counter()
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core reads, cuts and writes beside the net
    classifier = TextClassifier.load(model)
    names = [str(c) for c in classifier.classes_.tolist()]
    texts = open_unlabelled(
        file, names, format=format, text_column=text_column, label_column=label_column, encoding=encoding,
        multi_label=bool(classifier.multi_label), says=True,
    )  # fmt: skip
    name = texts.name
    if texts.note:
        note(f"{name}: {texts.note.partition(': ')[2]} with --encoding")
    tally = _Tally(has_labels=label_column is not None)
    _write_predictions(out, classifier, names, texts.rows, tally)
    for where, reason in tally.reasons[:SHOWN]:
        note(f"{name}: {where}: {reason}")
    if tally.bad > SHOWN:
        note(f"{name}: {tally.bad - SHOWN} more rows without a label, {tally.bad} in all; their rows say why")
    if tally.unknown:
        shown = ", ".join(map(repr, list(tally.unknown)[:SHOWN]))
        count = sum(tally.unknown.values())
        note(f"{name}: {count} true labels are no class of the model and count as wrong: {shown}")
    result = {
        "predictions": str(out),
        "file": name,
        "format": texts.format,
        "encoding": texts.encoding.name,
        "rows": tally.rows,
        "bad_rows": tally.bad,
        "errors": [{"path": name, "line": line, "error": error} for line, error in tally.errors],
        "labels": tally.labels,
        "accuracy": tally.right / tally.labelled if tally.labelled else None,
        "unknown_labels": tally.unknown or None,
        "seconds": time.perf_counter() - start,
    }
    emit(result, lambda console: console.print(facts_table("predicted", result)), as_json=as_json, out=out)
    if tally.bad == tally.rows:
        raise typer.Exit(2)


class _Tally:
    """What a prediction run has seen: counts, and the first bad rows."""

    def __init__(self, *, has_labels: bool) -> None:
        self.has_labels = has_labels
        self.rows = self.bad = self.right = self.labelled = 0
        self.labels: dict[str, int] = {}
        self.unknown: dict[str, int] = {}  # true labels that are no class
        self.reasons: list[tuple[str, str]] = []
        self.errors: list[tuple[int, str]] = []


def _write_predictions(
    out: Path, classifier: TextClassifier, names: list[str], rows: Iterable[Row], tally: _Tally
) -> None:
    """Predict and write in chunks, to a temporary name beside `out` that is moved at the end."""
    from ..training.whole_file import whole_file

    if out.is_dir():
        raise InputError(f"--out must name a file, {out} is a folder; try {out / 'predictions.csv'}")
    with whole_file(out, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["row", "label", "score", *(f"p_{n}" for n in names), "error"])
        for chunk, shares in classifier.stream_proba(_chunks(rows), lambda row: row.text or ""):
            writer.writerows(_predicted(classifier, names, chunk, shares.tolist(), tally))


def _predicted(
    classifier: TextClassifier, names: list[str], chunk: Sequence[Row], shares: list[list[float]], tally: _Tally
) -> Iterator[list]:
    from ..text.tokens import has_token

    cut, several, known = classifier.tokenizer_, bool(classifier.multi_label), set(names)
    for row, share in zip(chunk, shares, strict=True):
        tally.rows += 1
        error = row.error
        if error is None and not has_token(row.text or "", cut):
            error = f"no token for the tokenizer {classifier.tokenizer!r}"
        if error is not None:
            tally.bad += 1
            if len(tally.reasons) < LISTED:
                tally.reasons.append((row.where, error))
                tally.errors.append((row.line, error))
            yield [tally.rows, "", "", *("" for _ in names), f"{row.where}: {error}"]
            continue
        highest = max(share)
        if several:
            said = [n for n, p in zip(names, share, strict=True) if p > 0.5]
        else:
            said = [names[share.index(highest)]]
        label = ";".join(said)
        tally.labels[label] = tally.labels.get(label, 0) + 1
        if several:
            true = row.labels if tally.has_labels else None
        else:
            true = None if row.label is None else (row.label,)
        if true is not None:
            tally.labelled += 1
            tally.right += set(true) == set(said)
            for strange in set(true) - known:
                tally.unknown[strange] = tally.unknown.get(strange, 0) + 1
        yield [tally.rows, label, f"{highest:.6f}", *[f"{p:.6f}" for p in share], ""]


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk
