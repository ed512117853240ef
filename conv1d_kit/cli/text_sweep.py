"""`conv1d-kit text sweep SWEEP`: many configurations on the same folds, each run kept as it ends."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .output import JsonFlag, check_apart, emit, note, progress, table
from .text_source import SHOWN, Format, check_folds, tell

if TYPE_CHECKING:
    from ..text.dataset import LabelledTexts
    from ..text.runs import RunRecord
    from ..text.sweep import PlannedRun, SweepTexts
    from ..text.sweep_file import SweepFile

__all__ = ["duration", "sweep"]

PAUSE_S = 30.0  # between two lines of progress where there is no terminal

_Sweep = Annotated[
    str | None,
    typer.Argument(metavar="SWEEP", help="A TOML file, or the name of a sweep of --list.", show_default=False),
]
_Data = Annotated[Path | None, typer.Option("--data", help="Labelled texts, in place of the sweep's data.")]
_Test = Annotated[Path | None, typer.Option("--test", help="A fixed test part, in place of folds.")]
_Out = Annotated[Path, typer.Option("--out", help="JSON lines, one a run; what stands there is not run again.")]
_Workers = Annotated[int | None, typer.Option("--workers", help="Processes; by default one a core.")]
_Folds = Annotated[int | None, typer.Option("--folds", help="In place of the sweep's.")]
_MaxRuns = Annotated[int | None, typer.Option("--max-runs", help="Stop after so many; run it again to go on.")]
_Retry = Annotated[bool, typer.Option("--retry-failed", help="Make runs again that failed.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be run, and run nothing.")]
_List = Annotated[bool, typer.Option("--list", help="The sweeps that come with the kit.")]
_Show = Annotated[str | None, typer.Option("--show", help="Print the TOML file of one, to copy and change.")]
_TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column or key of the text.")]
_LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column or key of the label.")]
_Encoding = Annotated[str | None, typer.Option("--encoding", help="By default detected, UTF-8 first.")]


def sweep(
    name: _Sweep = None,
    data: _Data = None,
    test: _Test = None,
    out: _Out = Path("runs.jsonl"),
    workers: _Workers = None,
    folds: _Folds = None,
    max_runs: _MaxRuns = None,
    retry_failed: _Retry = False,
    dry_run: _DryRun = False,
    list_: _List = False,
    show: _Show = None,
    format: Format = None,
    text_column: _TextColumn = None,
    label_column: _LabelColumn = None,
    encoding: _Encoding = None,
    as_json: JsonFlag = False,
) -> None:
    """Train every configuration of a sweep on every fold and seed; a killed sweep goes on where it was."""
    if list_ or show is not None:
        _list(as_json) if list_ else _show(str(show), as_json)
        return
    if name is None:
        raise InputError("SWEEP must be a TOML file or the name of a ready sweep, got none; see --list")
    for option, value, least in (("--workers", workers, 1), ("--folds", folds, 2), ("--max-runs", max_runs, 1)):
        if value is not None and value < least:
            raise InputError(f"{option} must be an int >= {least}, got {value}")
    from ..text.sweep_file import read_sweep
    from ..training.processes import n_cores

    found = read_sweep(name)
    if folds is not None:
        found = dataclasses.replace(found, study=dataclasses.replace(found.study, folds=folds))
    given = {"format": format, "text_column": text_column, "label_column": label_column, "encoding": encoding}
    source = {**({} if data is not None else found.data), **{k: v for k, v in given.items() if v is not None}}
    source |= {k: str(v) for k, v in (("file", data), ("test", test)) if v is not None}
    check_apart("--out", out, name, source.get("file"), source.get("test"))
    if "file" not in source and not dry_run:
        raise InputError(f"the sweep {found.name!r} names no file of texts; add --data FILE")
    texts = _texts(source, found.study.folds) if "file" in source else None
    if dry_run:
        _dry_run(found, texts, out, as_json)
        return
    assert texts is not None
    _run(found, texts, out, workers or n_cores(), max_runs, retry_failed, as_json)


def duration(seconds: float) -> str:
    """Seconds for a reader: 40 s, 12 min, 3.5 h.

    Examples
    --------
    >>> duration(4.2), duration(95), duration(12000)
    ('4 s', '2 min', '3.3 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _run(
    found: SweepFile,
    texts: SweepTexts,
    out: Path,
    workers: int,
    max_runs: int | None,
    retry: bool,
    as_json: bool,
) -> None:
    from ..text.sweep import remaining_seconds, run_sweep

    start = time.perf_counter()
    records: list[RunRecord] = []
    todo: list[PlannedRun] = []
    told = start
    made = 0

    bar = progress()
    task = bar.add_task("runs", total=None)

    def on_start(planned: list[PlannedRun], kept: list[RunRecord]) -> None:
        todo.extend(planned)
        records.extend(kept)
        again = f"; {len(kept)} stand in {out} already" if kept else ""
        note(f"{found.name}: {len(todo)} runs on {texts.name}{again}")
        bar.update(task, total=len(todo))
        bar.start()

    def on_run(record: RunRecord) -> None:
        nonlocal told, made
        records.append(record)
        made += 1
        ended = {r.key for r in records}
        left = remaining_seconds([p for p in todo if p.key not in ended], records, workers)
        words = f"about {duration(left)} left" if left else "done"
        bar.update(task, advance=1, description=words)
        now = time.perf_counter()
        if bar.disable and now - told >= PAUSE_S:
            told = now
            note(f"{made} of {len(todo)} runs, {words}")

    try:
        outcome = run_sweep(
            found, texts, out, workers=workers, max_runs=max_runs, retry_failed=retry,
            on_note=note, on_start=on_start, on_run=on_run,
        )  # fmt: skip
    except KeyboardInterrupt:
        note(f"{made} runs made; they stand in {out}, and the same command goes on from there")
        raise
    finally:
        bar.stop()
    failures = [r for r in records if not r.ok]
    for record in failures[:SHOWN]:
        note(f"{_place(record)}: {record.reason}")
    if len(failures) > SHOWN:
        note(f"{len(failures) - SHOWN} more runs failed, {len(failures)} in all")
    result = {
        "sweep": found.name,
        "out": str(out),
        "data": texts.name,
        "rows": len(texts),
        **dataclasses.asdict(outcome),
        "configurations": _scores(found, records),
        "failures": [{"run": _place(r), "reason": r.reason} for r in failures],
        "seconds": time.perf_counter() - start,
    }

    def say(console) -> None:
        rows = [[c["name"], c["runs"], c["accuracy"] if c["runs"] else "–"] for c in result["configurations"]]
        console.print(table(f"{found.name} on {texts.name}", ["configuration", "runs", "accuracy"], rows))
        console.print(
            f"{outcome.made} runs made, {outcome.kept} kept from before, {outcome.failed} failed, "
            f"{outcome.left} left ({duration(result['seconds'])})"
        )
        console.print(f"next: conv1d-kit text compare {out}", markup=False, soft_wrap=True)

    emit(result, say, as_json=as_json)
    if outcome.made and outcome.failed == outcome.made:
        raise typer.Exit(2)


def _dry_run(found: SweepFile, texts: SweepTexts | None, out: Path, as_json: bool) -> None:
    from ..text.runs import parse_runs
    from ..text.sweep import plan_runs, remaining_seconds
    from ..training.records import RecordFile

    runs, notes = parse_runs(RecordFile(out))
    left = None
    kept: set[str] = set()
    if texts is not None:
        planned, said = plan_runs(found, texts)
        notes += said
        kept = {r.key for r in runs} & {p.key for p in planned}
        left = remaining_seconds([p for p in planned if p.key not in kept], runs, 1)
        total = len(planned)
    else:
        study = found.study
        total = len(found.configurations) * study.folds * study.repeats * len(study.seeds)
    for words in notes:
        note(words)
    result: dict[str, Any] = {
        "sweep": found.name,
        "data": None if texts is None else texts.name,
        "configurations": [
            {"name": c.name, "group": c.group, "options": c.options} for c in found.configurations
        ],
        "study": dataclasses.asdict(found.study),
        "planned": total,
        "kept": len(kept),
        "left": total - len(kept),
        "seconds_of_one_worker": left,
    }

    def say(console) -> None:
        rows = [[c.name, _words(c.options)] for c in found.configurations]
        console.print(table(found.name, ["configuration", "options"], rows))
        spent = "" if left is None else f", about {duration(left)} of one worker"
        console.print(
            f"{total} runs, {len(kept)} kept in {out}, {total - len(kept)} to run{spent}",
            markup=False,
            soft_wrap=True,
        )

    emit(result, say, as_json=as_json)


def _list(as_json: bool) -> None:
    from ..text.sweep_file import read_sweep, ready_sweeps

    found = [read_sweep(name) for name in ready_sweeps()]
    rows = [[s.name, len(s.configurations), s.about] for s in found]
    result = {"sweeps": [{"name": s.name, "about": s.about, "configurations": n} for s, (_, n, _) in
                         zip(found, rows, strict=True)]}  # fmt: skip
    emit(
        result,
        lambda console: console.print(table("ready sweeps", ["name", "configurations", "what"], rows)),
        as_json=as_json,
    )


def _show(name: str, as_json: bool) -> None:
    from ..text.sweep_file import read_sweep, ready_sweeps

    read_sweep(name)  # says which there are
    path = ready_sweeps().get(name) or Path(name)
    text = path.read_text("utf-8-sig")
    emit(
        {"name": name, "toml": text},
        lambda console: console.print(text.rstrip("\n"), markup=False, soft_wrap=True),
        as_json=as_json,
    )


def _texts(source: dict[str, Any], folds: int | None) -> SweepTexts:
    from ..text.sweep import SweepTexts

    options = {key: value for key, value in source.items() if key not in ("file", "test")}
    train = _read(source["file"], options)
    if folds is not None and "test" not in source:
        check_folds(train, folds)
    return SweepTexts.of(train, _read(source["test"], options) if "test" in source else None)


def _read(file: str, options: dict[str, Any]) -> LabelledTexts:
    """The file's labelled texts, whatever tokens a configuration makes of them: all are given the same rows."""
    from ..text.dataset import read_texts

    found = read_texts(file, **options)
    tell(found)
    return found


def _scores(found: SweepFile, records: list[RunRecord]) -> list[dict[str, Any]]:
    """Mean accuracy so far of each configuration, in the sweep's order."""
    scores: dict[str, list[float]] = {}
    for record in records:
        if record.accuracy is not None:
            scores.setdefault(record.name, []).append(record.accuracy)
    names = list(dict.fromkeys([c.name for c in found.configurations] + list(scores)))
    return [
        {"name": n, "runs": len(s), "accuracy": sum(s) / len(s) if s else None}
        for n, s in ((n, scores.get(n, [])) for n in names)
    ]


def _place(record: RunRecord) -> str:
    return f"{record.name}, repeat {record.repeat}, fold {record.fold}, seed {record.seed}"


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in options.items())
