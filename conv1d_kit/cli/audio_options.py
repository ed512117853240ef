"""How the audio verbs are told what to train on and which classifier: the usual options by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .output import note
from .settings import with_settings

__all__ = [
    "Cache", "CalibrationShare", "Data", "Epochs", "Frontend", "Group", "LabelColumn", "LabelSeparator", "Mels",
    "MinAccuracy", "MultiLabel", "Net", "PathColumn", "Patience", "Rate", "Seed", "Set",
    "make_classifier", "reasons", "tell_flaws", "tell_set",
]  # fmt: skip

Data = Annotated[
    Path,
    typer.Argument(metavar="DIR_OR_CSV", help="A folder of class folders, or a CSV table with path,label."),
]
Net = Annotated[
    str,
    typer.Option(
        help="spectrogram, speech (words by any voice), residual, bc_resnet, depthwise, dilated (on features); "
        "wave, m5, filterbank (on samples); texture (statistics); ensemble, environment, voices, two_view "
        "(means of several nets). `audio nets` shows them."
    ),
]
Frontend = Annotated[
    str | None,
    typer.Option(help="log_mel, pcen, mfcc, stft, cqt, learned, sinc, gabor or raw; default the net's own."),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Default: 20 to 100, by the number of clips.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Same seed, same figures.")]
Rate = Annotated[
    int | None,
    typer.Option(min=100, max=1_000_000, help="Hz; default the lowest that keeps what the files hold."),
]
Mels = Annotated[int | None, typer.Option(min=1, help="Bands of log_mel; default by the clips.")]
PathColumn = Annotated[str | None, typer.Option(help="Column of the paths; default path, file or filename.")]
LabelColumn = Annotated[
    str | None, typer.Option(help="Column of the labels; default label, class or category.")
]
Group = Annotated[
    str | None, typer.Option(help="Column whose rows stay together where clips are held out: speaker, source…")
]
MultiLabel = Annotated[
    bool, typer.Option("--multi-label", help="Any number of labels a clip, in one cell of the table.")
]
LabelSeparator = Annotated[str, typer.Option(help="Stands between the labels of one cell.")]
Patience = Annotated[
    int | None,
    typer.Option(help="Early stopping: epochs to wait for a lower loss of the clips held out for it."),
]
CalibrationShare = Annotated[
    float | None,
    typer.Option(help="Train twice; a temperature is fitted on this share, held out of the first time."),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(help="Say none of these below the score that keeps this accuracy on the calibration share."),
]
Cache = Annotated[
    Path | None, typer.Option(help="Folder that keeps the decoded clips' features for the next run.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any other option of AudioClassifier, such as dropout=0.2; may stand several times."
    ),
]


def make_classifier(settings: list[str] | None, **given: Any):
    """An untrained AudioClassifier with the options that were given.

    Raises
    ------
    InputError
        Under the option's name on the command line.
    """
    from ..audio.classifier import AudioClassifier

    options = {k: v for k, v in given.items() if v is not None and v is not False}
    return AudioClassifier(**with_settings(options, settings, AudioClassifier))


def tell_set(data_set) -> None:
    """Notes on the files, and how many there are."""
    for line in data_set.notes:
        note(f"note: {line}")
    note(f"{data_set.source}: {len(data_set)} files, {len(data_set.classes)} classes")


def tell_flaws(silent, short) -> None:
    """Clips that are used although there is little to hear in them."""
    for names, what in (
        (silent, "silent (all samples 0)"), (short, "shorter than one window of the front-end"),
    ):  # fmt: skip
        if names:
            more = f" and {len(names) - 1} more" * (len(names) > 1)
            note(f"note: {len(names)} clip{'s' * (len(names) > 1)} {what}, used all the same: {names[0]}{more}")


def reasons(pairs) -> list[dict[str, str]]:
    """(path, reason) as JSON objects."""
    return [{"path": path, "error": reason} for path, reason in pairs]
