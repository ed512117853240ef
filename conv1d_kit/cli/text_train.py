"""`conv1d-kit text train`: a file of labelled texts → a model folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from .output import JsonFlag, emit, facts_table, progress
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
    ClassFiles,
    EncodingName,
    Format,
    LabelColumn,
    LabelSeparator,
    MultiLabel,
    OptionalFile,
    TextColumn,
    bad_rows,
    read_source,
)

__all__ = ["train"]


def train(
    file: OptionalFile = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.")],
    class_files: ClassFiles = None,
    format: Format = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: EncodingName = None,
    multi_label: MultiLabel = False,
    label_separator: LabelSeparator = None,
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was killed, to the same weights.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train on a file of labelled texts and write a model folder."""
    from ..training.checkpoint import remove_checkpoints
    from ..training.model_folder import check_model_target

    check_model_target(out)
    options = classifier_options(
        model=model, members=members, tokenizer=tokenizer, widths=widths, filters=filters, dim=dim,
        epochs=epochs, batch_size=batch_size, lr=lr, min_count=min_count, seed=seed, settings=settings,
    )  # fmt: skip
    several = multi_label or label_separator is not None
    data = read_source(
        file, format, text_column, label_column, encoding, tokenizer=options.get("tokenizer", "word"),
        class_files=class_files, multi_label=several, label_separator=label_separator,
    )  # fmt: skip
    if several:
        options["multi_label"] = True
    from ..text.classifier import TextClassifier

    checkpoint = out.parent / f".{out.name}.checkpoint"  # after every epoch, until the model is written
    if not resume:
        remove_checkpoints(checkpoint)
    start = time.perf_counter()
    classifier = TextClassifier(**options)
    with progress() as bar:
        task = bar.add_task("training", total=classifier.n_epochs(len(data)))
        classifier.fit(data.texts, data.labels, on_epoch=lambda epoch: bar.advance(task), checkpoint=checkpoint)
    classifier.training_ |= {
        "file": Path(data.name).name,
        "encoding": data.encoding,
        "bad_rows": len(data.bad),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.perf_counter() - start, 1),
    }
    classifier.save(out)
    remove_checkpoints(checkpoint)
    last = classifier.history_.epochs[-1] if hasattr(classifier, "history_") else None
    result = {
        "model": str(out),
        "file": data.name,
        "encoding": data.encoding,
        "rows": len(data),
        "bad_rows": len(data.bad),
        "skipped": bad_rows(data),
        "classes": classifier.classes_.tolist(),
        "weights": classifier.training_["weights"],
        "words": None if last is None else len(classifier.vocabulary_.words),
        "epochs": None if last is None else last.number,
        "loss": None if last is None else last.loss,
        "train_accuracy": None if last is None else last.accuracy,
        "seconds": time.perf_counter() - start,
    }
    emit(result, lambda console: console.print(facts_table("trained", result)), as_json=as_json)
