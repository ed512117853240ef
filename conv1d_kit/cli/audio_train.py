"""`conv1d-kit audio train`: a folder or table of clips → a model folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from .audio_options import (
    Cache,
    CalibrationShare,
    Data,
    Epochs,
    Frontend,
    Group,
    LabelColumn,
    LabelSeparator,
    Mels,
    MinAccuracy,
    MultiLabel,
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
from .output import JsonFlag, emit, note, progress
from .sound_paths import tell_skipped

__all__ = ["train"]


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    net: Net = "spectrogram",
    frontend: Frontend = None,
    epochs: Epochs = None,
    seed: Seed = 0,
    sample_rate: Rate = None,
    n_mels: Mels = None,
    patience: Patience = None,
    calibration_share: CalibrationShare = None,
    min_accuracy: MinAccuracy = None,
    multi_label: MultiLabel = False,
    label_separator: LabelSeparator = ";",
    settings: Set = None,
    group: Group = None,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    cache: Cache = None,
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
    model = make_classifier(
        settings, net=net, frontend=frontend, epochs=epochs, seed=seed, sample_rate=sample_rate, n_mels=n_mels,
        patience=patience, calibration_share=calibration_share, min_accuracy=min_accuracy,
        multi_label=multi_label,
    )  # fmt: skip
    data_set = read_dataset(
        data, path_column=path_column, label_column=label_column, group_column=group, with_folds=False,
        label_separator=label_separator if model.multi_label else None,
    )  # fmt: skip
    tell_set(data_set)
    total = model.count_epochs(len(data_set))
    checkpoint = out.parent / f".{out.name}.checkpoint"  # after every epoch, until the model is written
    if not resume:
        remove_checkpoints(checkpoint)
    with progress() as bar:
        task = bar.add_task("training", total=total)

        def on_epoch(epoch) -> None:
            bar.update(task, completed=epoch.number, description=f"training, loss {epoch.loss:.3f}")

        model.fit(
            list(data_set.paths), data_set.targets, groups=data_set.sources, on_epoch=on_epoch,
            checkpoint=checkpoint, cache=cache,
        )  # fmt: skip
    model.save(out)
    remove_checkpoints(checkpoint)
    skipped = [*data_set.left_out, *model.skipped_]
    if model.choices_ is not None:
        given = {**model.get_params(), **(model.frontend_options or {})}
        asked = {k for k, v in given.items() if v is not None}
        asked |= {"n_fft"} if "hop_length" in asked else set()  # one line tells both
        frames = ("n_fft", "n_mels") if _hears_mel(model) else ()
        open_ones = [k for k in ("sample_rate", *frames, "epochs") if k not in asked]
        for line in model.choices_.lines(open_ones):
            note(f"chosen: {line}")
    for line in _held_out_lines(model):
        note(line)
    tell_skipped(skipped)
    tell_flaws(model.silent_, model.short_)
    threshold = model.threshold_
    result = {
        "model": str(out),
        "n_files": len(data_set) + len(data_set.left_out),
        "n_trained": len(data_set) - model.n_skipped_,
        "n_skipped": len(skipped),
        "skipped": reasons(skipped),
        "silent": model.silent_,
        "short": model.short_,
        "classes": model.classes_.tolist(),
        "sample_rate": model.sample_rate_,
        "epochs": _epochs_run(model),
        "kept_epoch": model.history_.kept,
        "temperature": model.temperature_,
        "threshold": None if threshold is None else threshold.value,
        "loss": model.history_.losses[-1],
        "seconds": time.perf_counter() - start,
    }

    def show(console) -> None:
        console.print(
            f"trained on {result['n_trained']} of {result['n_files']} clips ({result['n_skipped']} left out), "
            f"{len(result['classes'])} classes, {model.sample_rate_} Hz, {result['epochs']} epochs, "
            f"{result['seconds']:.0f} s"
        )
        console.print(f"model: {out}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)


def _hears_mel(model) -> bool:
    """Whether a front-end of the net takes the window and the mel bands that were chosen."""
    from ..audio.frontends import FRONTENDS

    pairs = getattr(model.net_, "members", [(model.frontend_, model.net_)])  # of an ensemble: several
    fronts = [getattr(net, "front", front) for front, net in pairs]
    return any(type(front) in (FRONTENDS["log_mel"], FRONTENDS["pcen"]) for front in fronts)


def _epochs_run(model) -> int:
    """Fewer than planned where training stopped early; of an ensemble those planned for each member."""
    return len(model.history_.epochs) if model.history_.kept is not None else model.epochs_


def _held_out_lines(model) -> list[str]:
    """What clips that were held out have decided, a line each."""
    lines = []
    if model.patience is not None and model.history_.kept is not None:
        lines.append(
            f"held out: {model.validation_share:.0%} of the clips; the weights of epoch {model.history_.kept} "
            f"of {_epochs_run(model)} are kept"
        )
    if model.calibration_share is not None:
        share, temperature = model.calibration_share, model.temperature_
        lines.append(f"held out: {share:.0%} of the clips, the first time; temperature {temperature:.2f}")
    threshold = model.threshold_
    if threshold is not None:
        short = f", {model.min_accuracy:.1%} was asked for" * (threshold.accuracy < model.min_accuracy)
        lines.append(
            f"none of these below {threshold.value:.3f}: of the clips held out {threshold.coverage:.1%} are "
            f"answered, {threshold.accuracy:.1%} of them right{short}"
        )
    return lines
