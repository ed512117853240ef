"""A configuration with all its kept runs: its scores by fold, and what one fixed test part tells of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..training.bootstrap import (
    Interval,
    accuracy_of,
    bootstrap_interval,
    grouped_tallies,
    macro_f1_of,
    paired_difference,
)
from ..training.metrics import wilson_interval
from .runs import RunRecord

__all__ = [
    "METRICS",
    "Judged",
    "Place",
    "judge",
    "listed",
    "one_study",
    "planned_places",
    "rows_difference",
    "rows_interval",
    "rule_words",
]

Place = tuple[int, int, int]  # repeat, fold, seed


@dataclass(frozen=True)
class Judged:
    """A configuration with its runs that went well, by (repeat, fold, seed), and those that did not."""

    name: str
    group: str
    mark: str
    config: dict[str, Any]
    runs: dict[Place, RunRecord]
    failed: tuple[RunRecord, ...]
    metric: str

    @cached_property
    def scores(self) -> dict[Place, float]:
        """The metric of each run, 0–1."""
        return {place: _score(run, self.metric) for place, run in self.runs.items()}

    def fold_scores(self, places: Sequence[Place] | None = None) -> dict[tuple[int, int], float]:
        """The mean over seeds of each (repeat, fold), of the runs at `places`."""
        found: dict[tuple[int, int], list[float]] = {}
        for place in sorted(self.scores if places is None else places):
            found.setdefault(place[:2], []).append(self.scores[place])
        return {key: float(np.mean(v)) for key, v in found.items()}

    @property
    def test_share(self) -> float:
        """n_test / n_train, mean of the runs."""
        return float(np.mean([run.n_test / run.n_train for run in self.runs.values()]))


def one_study(runs: Sequence[RunRecord], data: str | None) -> list[RunRecord]:
    """The runs of one data set (by name or start of its hash, where there are several) and one fold rule.

    Raises
    ------
    InputError
        If there are none, or of more than one of either: they could not be paired.
    """
    if not runs:
        raise InputError("runs must hold at least one run, got none")
    chosen = list(runs)
    names = {run.data: run.data_name for run in runs}
    if data is not None:
        chosen = [r for r in runs if r.data_name == data or r.data.startswith(data)]
        if not chosen:
            raise InputError(f"data must be one of {listed(sorted(set(names.values())))}, got {data!r}")
    sets = {run.data: run.data_name for run in chosen}
    if len(sets) > 1:
        words = [f"{name} ({mark[:6]})" for mark, name in sets.items()]
        raise InputError(f"runs are of {len(sets)} data sets, {listed(words)}: choose one with --data")
    rules = list(dict.fromkeys(rule_words(run.rule) for run in chosen))
    if len(rules) > 1:
        raise InputError(
            f"runs are judged on {listed(rules)}, which share no test part; compare one kind at a time"
        )
    return chosen


def judge(runs: Sequence[RunRecord], metric: str) -> list[Judged]:
    """Runs by configuration; two of one name get their version or hash behind it."""
    marks: dict[str, list[RunRecord]] = {}
    for run in runs:
        marks.setdefault(run.configuration, []).append(run)
    names: dict[str, list[str]] = {}
    for mark, own in marks.items():
        names.setdefault(own[-1].name, []).append(mark)
    found = []
    for mark, own in marks.items():
        last = own[-1]
        name = last.name
        twins = names[name]
        if len(twins) > 1:
            versions = [marks[m][-1].version for m in twins]
            name += f" ({last.version})" if len(set(versions)) == len(twins) else f" #{mark[:4]}"
        good = {run.place: run for run in own if run.ok}
        bad = tuple(run for run in own if not run.ok)
        found.append(Judged(name, last.group, mark, last.config, good, bad, metric))
    return found


def planned_places(runs: Sequence[RunRecord]) -> set[Place]:
    """The places where a complete study has a run of every configuration."""
    folds = max([run.rule.get("folds", 1) for run in runs])
    repeats = max([run.study.get("repeats", 1) for run in runs] + [run.repeat + 1 for run in runs])
    seeds = {seed for run in runs for seed in [*run.study.get("seeds", []), run.seed]}
    return {(r, f, s) for r in range(repeats) for f in range(folds) for s in seeds}


def _rows_tallies(judged: Judged, places: Sequence[Place]) -> np.ndarray:
    """What each row of the fixed test part adds to the scores, all seeds together."""
    runs = [judged.runs[p] for p in places]
    rows = np.tile(np.arange(runs[0].n_test), len(runs))
    targets, answers = (np.concatenate([getattr(r, k) for r in runs]) for k in ("targets", "answers"))
    tallies = grouped_tallies(targets, answers, len(runs[0].classes), [f"{i:09d}" for i in rows])
    return tallies


def rows_interval(judged: Judged, confidence: float) -> tuple[float, float]:
    """Interval of the score on a fixed test part: Wilson's for one run, else a bootstrap of the rows."""
    runs = list(judged.runs.values())
    if len(runs) == 1 and judged.metric == "accuracy":
        return wilson_interval(runs[0].n_right or 0, runs[0].n_test, confidence=confidence)
    tallies = _rows_tallies(judged, sorted(judged.runs))
    found = bootstrap_interval(METRICS[judged.metric], tallies, confidence=confidence)
    if found.low < found.high:
        return found.low, found.high
    return wilson_interval(round(found.estimate * len(tallies)), len(tallies), confidence=confidence)


def rows_difference(judged: Judged, base: Judged, shared: Sequence[Place], confidence: float) -> Interval:
    """Interval of the difference on a fixed test part: both are given the same drawn rows."""
    a, b = (_rows_tallies(j, shared) for j in (judged, base))
    return paired_difference(METRICS[judged.metric], a, b, confidence=confidence)


def _score(run: RunRecord, metric: str) -> float:
    tallies = grouped_tallies(run.targets, run.answers, len(run.classes), np.zeros(run.n_test, dtype=int))
    return float(METRICS[metric](tallies)[0])


def rule_words(rule: dict[str, Any]) -> str:
    """What the runs are judged on, in words.

    Examples
    --------
    >>> rule_words({"folds": 10, "seed": 0})
    '10 folds (seed 0)'
    """
    if "test" in rule:
        return f"a fixed test part ({rule['test'][:6]})"
    return f"{rule.get('folds')} folds (seed {rule.get('seed')})"


def listed(words: Sequence[str], most: int = 12) -> str:
    """Names one after the other, parted by semicolons since a name may hold commas.

    Examples
    --------
    >>> listed(["widths=1,2", "widths=3", "widths=4"], most=2)
    'widths=1,2; widths=3 and 1 more'
    """
    shown = "; ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy_of, "macro_f1": macro_f1_of}
