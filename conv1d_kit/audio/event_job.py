"""Recordings → a file of events: kept on the disk as it goes, whole or not at all under its name; resumable.

While a search runs, `.NAME.part` beside the result holds the rows that are sure and a journal of how far they
reach: the file, the windows heard of it, and the events still open. A resumed run drops the rows beyond the
journal and goes on from there; what the net had heard of that file is decoded again, since a resampler cannot
be kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .. import __version__
from ..core.file_options import check_target
from ..core.journal import WorkFolder, fingerprint, identity_of
from ..core.sound_file import shown_path
from ..errors import DataError, InputError, InputTypeError
from ..training.model_files import refuse_model_file
from .event_files import EVENT_FORMATS, format_of
from .event_options import EventOptions
from .events import Event, EventSearch, Heard, Step

__all__ = ["EventsResult", "write_events"]

JOURNAL_S = 5.0  # seconds between two journals


class EventsResult(NamedTuple):
    """What `write_events` did.

    path, format : str
    n_files, n_events : int
    counts : dict of label → events
    errors : list of (path, reason)
        Recordings that could not be heard to their end.
    duration_s : float
        Of what was heard.
    window_s, hop_s : float
    resumed_files, resumed_windows : int
        What an earlier run had done: whole files, and windows of the next.
    seconds, seconds_read, seconds_net : float
        Wall time of this run; work of the thread that decodes and of the net, which run side by side.
    """

    path: str
    format: str
    n_files: int
    n_events: int
    counts: dict[str, int]
    errors: list[tuple[str, str]]
    duration_s: float
    window_s: float
    hop_s: float
    resumed_files: int
    resumed_windows: int
    seconds: float
    seconds_read: float
    seconds_net: float

    @property
    def real_time_factor(self) -> float:
        """Seconds of sound a second of work."""
        return self.duration_s / self.seconds


def write_events(
    model,
    paths: Sequence,
    out,
    options: EventOptions | None = None,
    *,
    format: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Callable[[int, float], Any] | None = None,
) -> EventsResult:
    """Search recordings of any length for events and write these to a file.

    Parameters
    ----------
    model : AudioClassifier, fitted
    paths : sequence of str or path
        Sound files, each searched by itself.
    out : str or path
        Its ending says the format: .csv, .jsonl, .parquet, .txt (an Audacity label track, of one recording),
        .selections.txt (a Raven selection table).
    options : EventOptions, optional
    format : a key of EVENT_FORMATS, optional
        Instead of what the ending says.
    overwrite : bool
        Replace out where it exists.
    resume : bool
        Go on where an ended run with the same model, files and options was; the result has the same bytes.
    progress : function (files done, seconds of sound heard), optional

    Raises
    ------
    InputError
        If out or an option cannot be used, or resume was begun with something else.
    DataError
        If out cannot be written, or the journal is damaged. A recording that cannot be heard is in `errors`,
        and has a row where the format has room for one.
    """
    started = time.perf_counter()
    options = options or EventOptions()
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputTypeError(f"paths must be a sequence of paths, got one {type(paths).__name__}; try [path]")
    if not paths:
        raise InputError("paths must hold at least one file, got none")
    found_format = format_of(out, format)
    limit = EVENT_FORMATS[found_format].max_recordings
    if limit is not None and len(paths) > limit:
        raise InputError(
            f"format must hold {len(paths)} recordings, got {found_format}, which holds one; write a file for "
            "each, or choose .csv or .selections.txt"
        )
    refuse_model_file(out)
    check_target("out", out, {f"the recording {shown_path(p)}": p for p in paths}, overwrite=overwrite)
    search = EventSearch(model, options)
    identity = _identity(model, paths, options, found_format, search)
    folder = WorkFolder(out)
    try:
        kept = folder.load(identity) if resume else None
        job = _Job(folder, identity, search, paths, None if kept is None else kept[0])
        try:
            job.search_all(progress)
            totals = job.convert(found_format)
            folder.move()
        except BaseException:
            if not folder.has_journal:
                folder.remove()
            raise
        folder.remove()
    except OSError as error:
        raise DataError(
            f"{shown_path(out)}: cannot be written ({error.strerror or error}); mend that, then resume=True "
            "(--resume) goes on"
        ) from error
    finally:
        folder.close()
    rate = search.grid.sample_rate
    return EventsResult(
        path=os.fsdecode(out), format=found_format, n_files=len(paths), **totals,
        window_s=search.grid.window / rate, hop_s=search.grid.hop / rate,
        resumed_files=job.resumed[0], resumed_windows=job.resumed[1],
        seconds=time.perf_counter() - started, seconds_read=search.seconds_read, seconds_net=search.seconds_net,
    )  # fmt: skip


class _Job:
    """One run of a search: steps in, rows and journals out; then the rows as the format that was asked for."""

    def __init__(
        self,
        folder: WorkFolder,
        identity: dict[str, Any],
        search: EventSearch,
        paths: Sequence,
        record: dict[str, Any] | None,
    ):
        self.folder, self.identity, self.search, self.paths = folder, identity, search, paths
        if record is None:
            folder.begin_anew()
            record = {"file": 0, "state": None, "bytes": 0, "heard_s": 0.0}
        self.file, self.state, self.heard_s = record["file"], record["state"], record["heard_s"]
        self.resumed = self.file, 0 if self.state is None else self.state["n_windows"]
        folder.rows.touch()
        if folder.rows.stat().st_size < record["bytes"]:
            raise DataError(f"{folder.rows}: shorter than its journal says; leave resume out to begin anew")
        os.truncate(folder.rows, record["bytes"])

    def search_all(self, progress: Callable[[int, float], Any] | None) -> None:
        """Every step to the rows; a journal now and then, and at the end."""
        saved = time.perf_counter()
        with open(self.folder.rows, "ab") as rows:
            for step in self.search.steps(self.paths, file=self.file, state=self.state):
                self._keep(rows, step)
                if time.perf_counter() - saved >= JOURNAL_S:
                    self._save(rows, step)
                    saved = time.perf_counter()
                if progress is not None:
                    open_s = 0.0 if step.heard else float(step.finder.grid.start(step.finder.n_windows))
                    progress(self.file, self.heard_s + open_s)
            self._save(rows, None)

    def convert(self, format: str) -> dict[str, Any]:
        """The rows as the result, and what they come to."""
        n_events, counts, errors, duration = 0, dict[str, int](), list[tuple[str, str]](), Fraction(0)
        file = EVENT_FORMATS[format](self.folder.result, self.search.grid.sample_rate / 2)
        try:
            for row in self._read_rows():
                if isinstance(row, Event):
                    file.event(row)
                    n_events += 1
                    counts[row.label] = counts.get(row.label, 0) + 1
                else:
                    file.heard(row)
                    duration += row.duration
                    errors += [(row.path, row.error)] * bool(row.error)
        finally:
            file.close()
        return {"n_events": n_events, "counts": counts, "errors": errors, "duration_s": float(duration)}

    def _keep(self, rows: BinaryIO, step: Step) -> None:
        for e in step.events:
            _write(rows, [step.file, _plain(e.start), _plain(e.end), e.label, e.score, e.mean_score])
        if step.heard is not None:
            _write(rows, [step.file, _plain(step.heard.duration), step.heard.n_windows, step.heard.error])
            self.file, self.heard_s = step.file + 1, self.heard_s + float(step.heard.duration)

    def _save(self, rows: BinaryIO, step: Step | None) -> None:
        """What the journal counts is on the disk before the journal is."""
        rows.flush()
        os.fsync(rows.fileno())
        state = None if step is None or step.heard is not None else step.finder.state
        record = {"file": self.file, "state": state, "bytes": rows.tell(), "heard_s": self.heard_s}
        self.folder.save({"identity": self.identity, **record}, {})

    def _read_rows(self) -> Iterator[Event | Heard]:
        with open(self.folder.rows, encoding="ascii") as rows:
            for line in rows:
                number, *row = json.loads(line)
                path = os.fsdecode(self.paths[number])
                if len(row) == 5:
                    yield Event(path, Fraction(*row[0]), Fraction(*row[1]), *row[2:])
                else:
                    yield Heard(path, Fraction(*row[0]), *row[1:])


def _write(rows: BinaryIO, row: list) -> None:
    rows.write(json.dumps(row).encode("ascii") + b"\n")


def _plain(seconds: Fraction) -> list[int]:
    return [seconds.numerator, seconds.denominator]


def _identity(
    model, paths: Sequence, options: EventOptions, format: str, search: EventSearch
) -> dict[str, Any]:
    """What a resumed run must have in common with the one it goes on from."""
    weights = hashlib.sha256(repr((search.scorer.labels, model.frontend_.options())).encode())
    for name, tensor in model.net_.state_dict().items():
        weights.update(f"{name} {fingerprint(tensor.cpu().numpy())}".encode())
    names = hashlib.sha256()
    for path in paths:
        names.update(os.fsencode(Path(os.fsdecode(path)).absolute()) + _file_identity(path).encode())
    described = {k: list(v) if k == "classes" and v is not None else v for k, v in asdict(options).items()}
    return {
        "model": weights.hexdigest()[:16], "files": f"{len(paths)} files {names.hexdigest()[:16]}",
        "window": search.grid.window, "hop": search.grid.hop, **described, "format": format,
        "version": __version__,
    }  # fmt: skip


def _file_identity(path) -> str:
    try:
        return identity_of(path)
    except (OSError, ValueError):  # its row will say why
        return "unreadable"
