"""Run a sweep: every configuration on every fold and seed, each run kept as it ends and never made twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DataError, InputError, check_whole
from ..training.folds import Fold, stratified_folds
from ..training.records import RecordFile
from .dataset import LabelledTexts
from .experiments import Job, RunResult, run_jobs
from .runs import RunRecord, digest, pack_labels, parse_runs
from .sweep_file import Configuration, Study, SweepFile
from .text_facts import check_test_labels

__all__ = ["Outcome", "PlannedRun", "SweepTexts", "plan_runs", "remaining_seconds", "run_sweep"]


@dataclass(frozen=True)
class SweepTexts:
    """The labelled texts of a sweep; the last `n_test` are a fixed test part, 0: there are folds."""

    name: str
    texts: list[str]
    labels: list[str]
    n_test: int = 0

    @classmethod
    def of(cls, train: LabelledTexts, test: LabelledTexts | None = None) -> SweepTexts:
        """From files that were read.

        Raises
        ------
        DataError
            If a label of the test file does not stand in the training file.
        """
        if test is None:
            return cls(os.path.basename(train.name), train.texts, train.labels)
        check_test_labels(train, test)
        name = f"{os.path.basename(train.name)} → {os.path.basename(test.name)}"
        return cls(name, train.texts + test.texts, train.labels + test.labels, len(test))

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def hash(self) -> str:
        """Of texts and labels, whatever the format of their file."""
        return digest([self.texts, self.labels])

    @cached_property
    def classes(self) -> list[str]:
        return sorted(set(self.labels))

    def rule(self, study: Study) -> dict[str, Any]:
        """What decides which rows are tested: folds and the seed of their shuffling, or the fixed test part."""
        if self.n_test:
            cut = len(self) - self.n_test
            return {"test": digest([self.texts[cut:], self.labels[cut:]])}
        return {"folds": study.folds, "seed": study.seed}

    def folds(self, study: Study, repeat: int) -> list[Fold]:
        """Training and test rows of each fold."""
        if self.n_test:
            cut = len(self) - self.n_test
            return [(np.arange(cut), np.arange(cut, len(self)))]
        try:
            return stratified_folds(self.labels, study.folds, seed=study.seed + repeat, source=self.name)
        except InputError as error:
            raise DataError(str(error).replace("n_folds", "folds")) from error


@dataclass(frozen=True)
class PlannedRun:
    """A run of the plan: its key, its configuration with that one's hash, and its place."""

    key: str
    hash: str
    configuration: Configuration
    repeat: int
    fold: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended: runs of the plan, kept from before, made now, of these failed; left to do."""

    planned: int
    kept: int
    made: int
    failed: int
    left: int


def plan_runs(sweep: SweepFile, data: SweepTexts) -> tuple[list[PlannedRun], list[str]]:
    """The runs of a sweep in their order, and which configurations are the same as another.

    Fold by fold (and seed by seed, repeat by repeat) all configurations have their turn: however early the
    sweep is ended, all have been run equally often, give or take one.
    """
    from .. import __version__
    from .classifier import TextClassifier

    study, rule = sweep.study, data.rule(sweep.study)
    versions = [__version__, _version_of("torch")]
    hashes: dict[str, Configuration] = {}
    notes = []
    for configuration in sweep.configurations:
        options = TextClassifier(**configuration.options).get_params()
        del options["seed"]  # of each run its own
        mark = digest([options, versions])
        if mark in hashes:
            notes.append(f"{configuration.name!r} is the same model as {hashes[mark].name!r}: it is run once")
        else:
            hashes[mark] = configuration
    n_folds, repeats = (1, 1) if data.n_test else (study.folds, study.repeats)
    planned = [
        PlannedRun(digest([mark, data.hash, rule, repeat, fold, seed]), mark, configuration, repeat, fold, seed)
        for repeat in range(repeats)
        for seed in study.seeds
        for fold in range(n_folds)
        for mark, configuration in hashes.items()
    ]
    return planned, notes


def run_sweep(
    sweep: SweepFile,
    data: SweepTexts,
    path: str | os.PathLike,
    *,
    workers: int = 1,
    max_runs: int | None = None,
    retry_failed: bool = False,
    on_note: Callable[[str], None] | None = None,
    on_start: Callable[[list[PlannedRun], list[RunRecord]], None] | None = None,
    on_run: Callable[[RunRecord], None] | None = None,
) -> Outcome:
    """Make the runs that the file does not hold yet; each stands there when it ends.

    Parameters
    ----------
    sweep : SweepFile
    data : SweepTexts
    path : path
        JSON lines; runs of other sweeps may stand there and stay.
    workers : int >= 1
        Processes. The figures do not depend on it.
    max_runs : int >= 1, optional
        Stop after so many.
    retry_failed : bool
        Make runs again that failed.
    on_note(str), on_start(todo, kept), on_run(RunRecord)

    Returns
    -------
    Outcome

    Raises
    ------
    DataError
        If another process writes to the file, it is no file of runs, or the folds cannot be made.
    """
    check_whole("max_runs", max_runs, or_none=True)
    planned, notes = plan_runs(sweep, data)
    file = RecordFile(path)
    parse_runs(file)  # before a lock is taken on what is no file of runs
    with file.held():
        kept, todo, said = _kept(file, planned, retry_failed)
        if on_note is not None:
            for words in notes + said:
                on_note(words)
        chosen = todo[:max_runs]
        if on_start is not None:
            on_start(chosen, kept)
        made = failed = 0
        for record in _records(sweep, data, chosen, workers):
            file.append(record.to_json())
            made += 1
            failed += not record.ok
            if on_run is not None:
                on_run(record)
    return Outcome(len(planned), len(planned) - len(todo), made, failed, len(todo) - made)


def remaining_seconds(todo: Iterable[PlannedRun], done: Iterable[RunRecord], workers: int) -> float | None:
    """Estimated wall-clock seconds of the runs left, each as its configuration's mean; None: unknown."""
    spent: dict[str, list[float]] = {}
    for record in done:
        spent.setdefault(record.configuration, []).append(record.seconds)
    if not spent:
        return None
    means = {mark: float(np.mean(s)) for mark, s in spent.items()}
    usual = float(np.mean(list(means.values())))
    return sum(means.get(run.hash, usual) for run in todo) / workers


def _kept(file: RecordFile, planned: list[PlannedRun], retry_failed: bool):
    """Runs of the plan that the file holds, and those it does not."""
    runs, notes = parse_runs(file)
    found: dict[str, RunRecord] = {}
    for run in runs:
        if run.ok or not (retry_failed or run.key in found):
            found[run.key] = run
    kept = [found[p.key] for p in planned if p.key in found]
    return kept, [p for p in planned if p.key not in found], notes


def _records(
    sweep: SweepFile, data: SweepTexts, todo: list[PlannedRun], workers: int
) -> Generator[RunRecord, None, None]:
    folds = {repeat: data.folds(sweep.study, repeat) for repeat in sorted({run.repeat for run in todo})}

    def job(number: int) -> Job:
        run = todo[number]
        train, test = folds[run.repeat][run.fold]
        return Job(number, {**run.configuration.options, "seed": run.seed}, train, test)

    jobs = (job(number) for number in range(len(todo)))
    with closing(run_jobs(jobs, data.texts, data.labels, workers=workers, keep_faults=True)) as results:
        for result in results:
            yield _record(sweep, data, todo[result.number], result)


def _record(sweep: SweepFile, data: SweepTexts, run: PlannedRun, result: RunResult) -> RunRecord:
    from .. import __version__

    number = {name: i for i, name in enumerate(data.classes)}
    targets = [number[data.labels[i]] for i in result.test]
    answers = [number[str(label)] for label in result.predicted.tolist()]
    right = sum(t == a for t, a in zip(targets, answers, strict=False))
    ok = result.failure is None
    n_classes, n_test = len(data.classes), len(targets)
    study = {
        "repeats": 1 if data.n_test else sweep.study.repeats,
        "seeds": list(sweep.study.seeds),
        "configurations": len(sweep.configurations),
        "drawn": run.configuration.drawn,
    }
    return RunRecord(
        key=run.key, configuration=run.hash, name=run.configuration.name, group=run.configuration.group,
        sweep=sweep.name, config=_plain(run.configuration.options), data=data.hash, data_name=data.name,
        version=__version__, rule=data.rule(sweep.study), study=study, repeat=run.repeat, fold=run.fold,
        seed=run.seed, status="ok" if ok else "failed", reason=result.failure, n_train=result.n_train,
        n_test=n_test, n_right=right if ok else None, accuracy=right / n_test if ok else None,
        seconds=round(result.seconds, 3), cpu_seconds=round(result.cpu_seconds, 3), n_words=result.n_words,
        weights=result.n_weights, epochs=result.epochs, loss=result.loss, classes=data.classes,
        labels=pack_labels(targets, n_classes) if ok else "",
        predicted=pack_labels(answers, n_classes) if ok else "",
    )  # fmt: skip


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def _version_of(package: str) -> str:
    from importlib.metadata import version

    return version(package).partition("+")[0]
