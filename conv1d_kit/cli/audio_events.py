"""`conv1d-kit audio events MODEL FILE… --out events.csv`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
from .output import JsonFlag, emit, note, progress, table
from .sound_paths import sound_paths, tell_skipped

__all__ = ["events"]

_Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Audio files, or folders to search.")]
_Out = Annotated[
    Path,
    typer.Option(
        help="File to write: .csv, .jsonl, .parquet, .txt (Audacity, one FILE) or .selections.txt (Raven)."
    ),
]
_Off = Annotated[
    float | None, typer.Option(help="It goes on while windows score this much; default 0.6 of --on.")
]
_Gap = Annotated[float, typer.Option(help="Seconds: events of a class no further apart are one.")]
_MinDuration = Annotated[float, typer.Option(help="Seconds: shorter events are left out.")]
_MinScore = Annotated[float, typer.Option(help="Events whose best window scores less are left out.")]
_Mode = Annotated[str, typer.Option(help="best: a window has one class or none; each: classes may overlap.")]
_Format = Annotated[str | None, typer.Option(help="csv, jsonl, parquet, audacity or raven; default by --out.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on where an ended run with the same words was.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace --out where it exists.")]


def events(
    model: ModelArgument,
    files: _Files,
    out: _Out,
    window: WindowOption = None,
    hop: HopOption = None,
    on: OnOption = 0.5,
    off: _Off = None,
    gap: _Gap = 0.0,
    min_duration: _MinDuration = 0.0,
    min_score: _MinScore = 0.0,
    mode: _Mode = "best",
    classes: ClassesOption = None,
    silence: SilenceOption = -80.0,
    format: _Format = None,
    resume: _Resume = False,
    overwrite: _Overwrite = False,
    as_json: JsonFlag = False,
) -> None:
    """Find what sounds when in recordings of any length, in constant memory, and write the events to a file."""
    import torch
    from threadpoolctl import threadpool_limits

    from ..audio.classifier import AudioClassifier
    from ..audio.event_files import EVENT_FORMATS
    from ..audio.event_job import write_events
    from ..audio.event_options import EventOptions

    classifier = AudioClassifier.load(model)
    with by_option_names():
        options = EventOptions(
            window_s=window, hop_s=hop, on=on, off=off, gap_s=gap, min_duration_s=min_duration,
            min_score=min_score, mode=mode, classes=class_names(classes, classifier.classes_.tolist()),
            silence_db=silence_db(silence),
        )  # fmt: skip
    # the thread that decodes has a core too: more threads would wait for each other instead of working
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    threadpool_limits(1, "blas")
    found = sound_paths(files, out=out)
    with progress() as bar:
        task = bar.add_task("hearing", total=len(found.files))

        def on_step(done: int, heard_s: float) -> None:
            bar.update(task, completed=done, description=f"hearing, {heard_s / 60:.0f} min")

        with by_option_names():
            result = write_events(
                classifier, found.files, out, options, format=format, overwrite=overwrite, resume=resume,
                progress=on_step,
            )  # fmt: skip
    rows_say = "; their rows say why" * EVENT_FORMATS[result.format].has_errors
    tell_skipped(result.errors, what=f"not heard to the end{rows_say}")
    if result.resumed_files or result.resumed_windows:
        note(f"went on after {result.resumed_files} files and {result.resumed_windows} windows of the next")
    is_failed = len(result.errors) == len(found.files) and result.duration_s == 0
    values = {
        **result._asdict(), "real_time_factor": result.real_time_factor,
        "errors": [{"path": path, "error": reason} for path, reason in result.errors],
        "empty_folders": found.empty_folders, "n_repeats": found.n_repeats,
    }  # fmt: skip
    if is_failed:
        values["error"] = (
            f"none of the {len(found.files)} files could be read; the first: {result.errors[0][1]}"
        )

    def show(console) -> None:
        rows = sorted(result.counts.items(), key=lambda item: (-item[1], item[0]))
        console.print(table("events", ["label", "events"], rows))
        console.print(
            f"{result.n_files} file{'s' * (result.n_files > 1)}, {result.duration_s:.1f} s of sound, "
            f"{result.n_events} events",
            soft_wrap=True,
            markup=False,
        )
        console.print(
            f"{result.seconds:.1f} s, {result.real_time_factor:.0f} times real time; side by side: read "
            f"{result.seconds_read:.1f}, net {result.seconds_net:.1f}",
            soft_wrap=True,
            markup=False,
        )
        console.print(f"events: {out}", markup=False, soft_wrap=True)

    emit(values, show, as_json=as_json)
    if is_failed:
        raise typer.Exit(2)
