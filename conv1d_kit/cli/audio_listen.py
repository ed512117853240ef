"""`conv1d-kit audio listen MODEL`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .event_options import (
    ClassesOption,
    HopOption,
    ModelArgument,
    OnOption,
    SilenceOption,
    WindowOption,
    by_option_names,
    class_names,
    silence_db,
)
from .output import note, visible

__all__ = ["listen"]

_File = Annotated[Path | None, typer.Option(help="A sound file, played as if live, instead of the microphone.")]
_Seconds = Annotated[
    float | None, typer.Option(help="End after this much sound; default at its end, or Ctrl-C.")
]
_Json = Annotated[
    bool, typer.Option("--json", help="A JSON object a line: each row as it comes, then the summary.")
]


def listen(
    model: ModelArgument,
    file: _File = None,
    window: WindowOption = None,
    hop: HopOption = None,
    on: OnOption = 0.5,
    classes: ClassesOption = None,
    silence: SilenceOption = -80.0,
    seconds: _Seconds = None,
    as_json: _Json = False,
) -> None:
    """Say what sounds now: a row a hop with its time, class and score, from the microphone or a file."""
    from ..audio.classifier import AudioClassifier
    from ..audio.event_options import EventOptions
    from ..audio.listen import LiveSession, Microphone, PlayedFile

    if seconds is not None and not 0 < seconds < float("inf"):
        raise InputError(f"--seconds must be > 0 and finite, got {seconds}")
    classifier = AudioClassifier.load(model)
    with by_option_names():
        options = EventOptions(
            window_s=window, hop_s=hop, on=on, classes=class_names(classes, classifier.classes_.tolist()),
            silence_db=silence_db(silence),
        )  # fmt: skip
        source = PlayedFile(file) if file is not None else Microphone()
        session = LiveSession(classifier, source, options, duration_s=seconds)
    n_rows = 0
    try:
        for moment in session:
            _row(moment, as_json)
            n_rows += 1
    finally:
        gaps = f", {source.n_gaps} gaps that the sound card reported" * bool(source.n_gaps)
        note(f"{session.n_blocks} blocks heard, {session.n_late} late{gaps}")
    if as_json:
        _line({"rows": n_rows, "blocks": session.n_blocks, "late": session.n_late, "gaps": source.n_gaps})


def _row(moment, as_json: bool) -> None:
    if as_json:
        _line({"time_s": float(moment.time), "label": moment.label, "score": moment.score})
    else:
        label = "–" if moment.label is None else moment.label
        typer.echo(visible(f"{float(moment.time):10.2f} s  {moment.score:.3f}  {label}"))


def _line(values: dict) -> None:
    typer.echo(visible(json.dumps(values, ensure_ascii=False)))
