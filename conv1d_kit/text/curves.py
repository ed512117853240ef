"""How the score moves with an option and with the budget of a search, from the same compared runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..training.expected_best import ExpectedBest, expected_best
from ..training.metrics import mean_interval
from .comparison import Comparison
from .judged import Judged

__all__ = ["BudgetCurve", "CurvePoint", "OptionCurve", "budget_curves", "option_curves"]


@dataclass(frozen=True)
class CurvePoint:
    """Score at a value of an option, mean over `n_configurations`; no interval: None."""

    x: float
    score: float
    low: float | None
    high: float | None
    n_configurations: int


@dataclass(frozen=True)
class OptionCurve:
    """Score against one numeric option; `words` say what became of the others."""

    option: str
    points: list[CurvePoint]
    averaged: bool
    words: str


@dataclass(frozen=True)
class BudgetCurve:
    """The best that is to be expected of n configurations drawn at random from a group of those tried."""

    group: str
    best: ExpectedBest
    seconds_each: float
    random: bool


def option_curves(compared: Comparison) -> list[OptionCurve]:
    """A curve for every numeric option (and a single filter width) that takes at least two values.

    Where the same combinations of the other options stand at each value, a point is the mean over them, fold by
    fold, with the corrected interval. Where they do not (random search), each point is one configuration,
    without an interval, since the others differ too. Only folds that all have count.

    Returns
    -------
    list of OptionCurve, by name
    """
    whole = [j for j in compared.judged if j.runs]
    names = sorted({name for j in whole for name in _numbers(j)})
    found = [_option_curve(name, [j for j in whole if name in _numbers(j)], whole, compared) for name in names]
    return [curve for curve in found if curve is not None]


def budget_curves(compared: Comparison) -> list[BudgetCurve]:
    """One curve for each group of at least three configurations that can be compared."""
    groups: dict[str, list[Judged]] = {}
    for j in compared.judged:
        if j.runs:
            groups.setdefault(j.group, []).append(j)
    found = []
    for group, members in groups.items():
        most = max(len(j.runs) for j in members)
        members = [j for j in members if len(j.runs) == most]  # fewer runs: another spread
        if len(members) < 3:
            continue
        scores = [float(np.mean(list(j.fold_scores().values()))) for j in members]
        seconds = float(np.mean([sum(run.seconds for run in j.runs.values()) for j in members]))
        drawn = all(run.study.get("drawn", False) for j in members for run in j.runs.values())
        best = expected_best(scores, confidence=compared.confidence)
        found.append(BudgetCurve(group, best, seconds, drawn))
    return found


def _option_curve(
    name: str, members: list[Judged], whole: list[Judged], compared: Comparison
) -> OptionCurve | None:
    values = {j.mark: _numbers(j)[name] for j in members}
    if len(set(values.values())) < 2:
        return None
    shared = set.intersection(*(set(j.runs) for j in members))
    n_without = len(whole) - len(members)
    left_out = f"; left out, being without it: {n_without} of {len(whole)} configurations" if n_without else ""
    if not shared:
        return None
    others = {j.mark: _others(j, name) for j in members}
    varying = sorted({key for a in others.values() for b in others.values() for key in _unlike(a, b)})
    cells: dict[float, list[Judged]] = {}
    for j in members:
        cells.setdefault(values[j.mark], []).append(j)
    kinds = [sorted(repr(sorted(others[j.mark].items())) for j in cell) for cell in cells.values()]
    balanced = all(kind == kinds[0] for kind in kinds)
    places = sorted(shared)
    if not balanced:
        points = [
            CurvePoint(values[j.mark], float(np.mean(list(j.fold_scores(places).values()))), None, None, 1)
            for j in members
        ]
        words = f"each point is one configuration; {', '.join(varying)} differ too{left_out}"
        return OptionCurve(name, sorted(points, key=lambda p: (p.x, p.score)), False, words)
    averaged = [_averaged(x, cell, places, compared) for x, cell in sorted(cells.items())]
    n = len(kinds[0])
    words = (
        f"mean over the {n} combinations of {', '.join(varying)}" if n > 1 else "all other options are the same"
    )
    return OptionCurve(name, averaged, True, words + left_out)


def _averaged(x: float, cell: Sequence[Judged], places: list, compared: Comparison) -> CurvePoint:
    folds = [list(j.fold_scores(places).values()) for j in cell]
    scores = np.mean(folds, axis=0)
    mean, half = mean_interval(scores.tolist(), test_share=cell[0].test_share, confidence=compared.confidence)
    if not math.isnan(half):
        return CurvePoint(x, mean, max(0.0, mean - half), min(1.0, mean + half), len(cell))
    row = next(row for row in compared.rows if row.name == cell[0].name)
    low, high = (row.low, row.high) if len(cell) == 1 else (None, None)  # of one test part
    return CurvePoint(x, mean, low, high, len(cell))


def _numbers(judged: Judged) -> dict[str, float]:
    """The numeric options that were named, and the width where it is a single one."""
    found = {
        key: float(value)
        for key, value in judged.config.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    widths = judged.config.get("widths")
    if isinstance(widths, list | tuple) and len(widths) == 1:
        found["width"] = float(widths[0])
    return found


def _others(judged: Judged, name: str) -> dict[str, Any]:
    left_out = "widths" if name == "width" else name
    return {key: repr(value) for key, value in judged.config.items() if key != left_out}


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> set[str]:
    return {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}
