"""Which configuration is better, and is it more than noise? Kept runs, paired on what all were judged by."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError
from ..training.metrics import check_confidence, mean_interval
from ..training.paired import corrected_t, discordant, holm, mcnemar
from .judged import (
    METRICS,
    Judged,
    Place,
    judge,
    listed,
    one_study,
    planned_places,
    rows_difference,
    rows_interval,
    rule_words,
)
from .runs import RunRecord

__all__ = ["Comparison", "ComparisonRow", "compare_runs"]


@dataclass(frozen=True)
class ComparisonRow:
    """One configuration beside the baseline; scores 0–1, what cannot be said is None.

    Attributes
    ----------
    score, low, high : mean of the folds and its interval
    n_runs, n_failed, n_missing : int
    n_folds : int
        (repeat, fold) pairs shared with the baseline.
    difference, difference_low, difference_high : score − the baseline's, on the shared runs
    t, p_t, p_t_holm : corrected resampled t-test; Holm over all configurations but the baseline
    only_here, only_baseline, p_mcnemar, p_mcnemar_holm
        Rows that only this one, only the baseline has right, each row once (repeat 0, one seed).
    seconds, cpu_seconds, weights, epochs : means of the runs
    verdict : "baseline", "better", "worse", "noise", "not compared", or
        "unclear": McNemar's test finds a difference, the folds do not bear it out
    """

    name: str
    group: str
    config: dict[str, Any]
    score: float | None
    low: float | None
    high: float | None
    n_runs: int
    n_failed: int
    n_missing: int
    seconds: float | None
    cpu_seconds: float | None
    weights: float | None
    epochs: float | None
    n_folds: int = 0
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    t: float | None = None
    p_t: float | None = None
    p_t_holm: float | None = None
    only_here: int | None = None
    only_baseline: int | None = None
    p_mcnemar: float | None = None
    p_mcnemar_holm: float | None = None
    verdict: str = "not compared"


@dataclass(frozen=True)
class Comparison:
    """All configurations, the best first; what the intervals are; what a reader must know."""

    metric: str
    confidence: float
    data_name: str
    rule: str
    interval_kind: str
    baseline: str
    baseline_chosen: bool
    rows: list[ComparisonRow]
    notes: list[str]
    judged: list[Judged]


def compare_runs(
    runs: Sequence[RunRecord],
    *,
    baseline: str | None = None,
    metric: str = "accuracy",
    data: str | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Judge every configuration, and each against the baseline on the folds and seeds that both have.

    Parameters
    ----------
    runs : sequence of RunRecord
    baseline : str, optional
        Name of a configuration; by default the one with the highest score.
    metric : "accuracy" or "macro_f1"
    data : str, optional
        Name (or start of the hash) of one data set, where there are runs of several.
    confidence : float in (0, 1)
        What Holm-adjusted p-values are held against is 1 − confidence.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are no runs, runs of several data sets or fold rules, or no such baseline.
    """
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    check_confidence(confidence)
    chosen = one_study(runs, data)
    judged = judge(chosen, metric)
    if not any(j.runs for j in judged):
        reason = f"; the first: {chosen[0].reason}" if chosen[0].reason else ""
        raise InputError(f"runs must hold at least one that went well, all {len(chosen)} failed{reason}")
    notes: list[str] = []
    planned = planned_places(chosen)
    fixed = "test" in chosen[0].rule
    rows = [_own_row(j, planned, fixed, confidence) for j in judged]
    order = sorted(range(len(rows)), key=lambda i: (rows[i].score is None, -(rows[i].score or 0), rows[i].name))
    rows, judged = [rows[i] for i in order], [judged[i] for i in order]
    base = 0 if baseline is None else _named(judged, baseline)
    if not judged[base].runs:
        raise InputError(f"the baseline {judged[base].name!r} has no run that went well; choose another")
    for i, row in enumerate(rows):
        rows[i] = _paired_row(row, judged[i], judged[base], i == base, fixed, confidence)
    rows = _adjusted(rows, confidence)
    notes += _said(rows, judged, base, baseline is None, chosen, fixed, metric, confidence)
    return Comparison(
        metric, confidence, chosen[0].data_name, rule_words(chosen[0].rule), _interval_kind(fixed, confidence),
        judged[base].name, baseline is None, rows, notes, judged,
    )  # fmt: skip


def _own_row(judged: Judged, planned: set[Place], fixed: bool, confidence: float) -> ComparisonRow:
    runs = list(judged.runs.values())
    failed = {run.place for run in judged.failed} - set(judged.runs)
    missing = planned - set(judged.runs) - failed
    means: dict[str, Any] = {
        key: _mean([getattr(run, key) for run in runs])
        for key in ("seconds", "cpu_seconds", "weights", "epochs")
    }
    row = ComparisonRow(
        judged.name, judged.group, judged.config, None, None, None, len(runs), len(failed), len(missing),
        **means,
    )  # fmt: skip
    if not runs:
        return row
    scores = list(judged.fold_scores().values())
    if fixed:
        low, high = rows_interval(judged, confidence)
        return replace(row, score=scores[0], low=low, high=high)
    mean, half = mean_interval(scores, test_share=judged.test_share, confidence=confidence)
    if math.isnan(half):  # one fold
        return replace(row, score=mean)
    return replace(row, score=mean, low=max(0.0, mean - half), high=min(1.0, mean + half))


def _paired_row(
    row: ComparisonRow, judged: Judged, base: Judged, is_base: bool, fixed: bool, confidence: float
) -> ComparisonRow:
    if is_base:
        return replace(row, verdict="baseline", n_folds=len(base.fold_scores()))
    shared = sorted(set(judged.runs) & set(base.runs))
    if not shared:
        return row
    mine, theirs = judged.fold_scores(shared), base.fold_scores(shared)
    differences = [mine[key] - theirs[key] for key in mine]
    row = replace(row, n_folds=len(differences), difference=float(np.mean(differences)))
    if fixed:
        found = rows_difference(judged, base, shared, confidence)
        row = replace(row, difference_low=found.low, difference_high=found.high)
    elif len(differences) > 1:
        tested = corrected_t(differences, judged.test_share, confidence=confidence)
        row = replace(
            row, difference_low=tested.low, difference_high=tested.high, p_t=tested.p,
            t=tested.t if math.isfinite(tested.t) else None,
        )  # fmt: skip
    first: dict[int, Place] = {}
    for place in shared:  # of repeat 0 every row once: the lowest seed that both have
        if place[0] == shared[0][0]:
            first.setdefault(place[1], place)
    right = [
        np.concatenate([j.runs[p].targets == j.runs[p].answers for p in first.values()]) for j in (judged, base)
    ]
    here, there = discordant(right[0].tolist(), right[1].tolist())
    return replace(row, only_here=here, only_baseline=there, p_mcnemar=mcnemar(here, there).p)


def _adjusted(rows: list[ComparisonRow], confidence: float) -> list[ComparisonRow]:
    """Holm over the family of comparisons with the baseline, and the verdicts that follow."""
    tests, answers = (
        [None if math.isnan(p) else float(p) for p in holm([math.nan if v is None else v for v in values])]
        for values in ([row.p_t for row in rows], [row.p_mcnemar for row in rows])
    )
    rows = [replace(row, p_t_holm=t, p_mcnemar_holm=a) for row, t, a in zip(rows, tests, answers, strict=True)]
    return [replace(row, verdict=_verdict(row, 1 - confidence)) for row in rows]


def _verdict(row: ComparisonRow, level: float) -> str:
    """By the corrected t-test where there are folds: it is about the method, McNemar's about these nets."""
    if row.verdict == "baseline" or row.difference is None or row.p_mcnemar_holm is None:
        return row.verdict
    decisive = row.p_mcnemar_holm if row.p_t_holm is None else row.p_t_holm
    if decisive < level and row.difference != 0:
        return "better" if row.difference > 0 else "worse"
    return "unclear" if row.p_mcnemar_holm < level else "noise"


def _said(
    rows, judged, base: int, chosen: bool, runs, fixed: bool, metric: str, confidence: float
) -> list[str]:
    """What is missing, what the comparison rests on, and which differences are noise."""
    notes = []
    name = judged[base].name
    compared = [row for row in rows if row.verdict not in ("baseline", "not compared")]
    if chosen and compared:
        notes.append(
            f"no baseline was named: all are compared with the best, {name}, whose own score is flattered by "
            f"being the highest of {len(rows)}"
        )
    planned = max(run.study.get("configurations", 0) for run in runs)
    if planned > len(rows):
        notes.append(f"the sweep has {planned} configurations, {len(rows)} of them have a run so far")
    for row, j in zip(rows, judged, strict=True):
        total = row.n_runs + row.n_failed + row.n_missing
        if row.n_failed or row.n_missing:
            parts = [f"{n} {what}" for n, what in ((row.n_missing, "missing"), (row.n_failed, "failed")) if n]
            reason = f": {j.failed[0].reason}" if row.n_failed else ""
            notes.append(f"{row.name}: {row.n_runs} of {total} runs, {' and '.join(parts)}{reason}")
        if row.verdict == "not compared" and row.n_runs:
            notes.append(f"{row.name} shares no fold and seed with {name}: it is not compared")
        elif row.difference is not None and not row.n_runs == len(j.runs.keys() & judged[base].runs.keys()) == (
            len(judged[base].runs)
        ):
            both = len(j.runs.keys() & judged[base].runs.keys())
            notes.append(f"{row.name} is compared with {name} on the {both} runs that both have")
    if compared and not fixed and any(row.n_folds == 1 for row in compared):
        notes.append("one fold only: its spread is unknown, McNemar's test decides")
    if compared and metric != "accuracy":
        notes.append("McNemar's test counts right and wrong answers, whatever the metric")
    if fixed and compared:
        notes.append(
            "one fixed test part: McNemar's test decides; how other training texts would do is unknown"
        )
    words = f"{1 - confidence:.3g}"
    for verdict, what in _VERDICTS.items():
        those = [row.name for row in compared if row.verdict == verdict]
        if those:
            notes.append(what.format(name=name, level=words) + f": {listed(those)}")
    return notes


def _named(judged: Sequence[Judged], name: str) -> int:
    names = [j.name for j in judged]
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    cure = f"did you mean {near[0]!r}?" if near else f"there is {listed(names)}"
    raise InputError(f"no configuration is named {name!r}; {cure}")


def _interval_kind(fixed: bool, confidence: float) -> str:
    share = f"{100 * confidence:.4g} %"
    if fixed:
        return (
            f"{share}: Wilson's of the test rows for one run, else a bootstrap of the test rows over all seeds"
        )
    return f"{share}: Student's t over folds, corrected for shared training rows (Nadeau & Bengio 2003)"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


_VERDICTS = {
    "better": "better than {name} (Holm-adjusted p < {level})",
    "worse": "worse than {name} (Holm-adjusted p < {level})",
    "unclear": "unclear beside {name} (the answers differ by more than chance, but the folds are too few or "
    "too unlike to say that other training texts would show it; more repeats would tell)",
    "noise": "no more than noise apart from {name}",
}
