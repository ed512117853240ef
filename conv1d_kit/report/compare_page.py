"""The page of a comparison: who is better, what is noise, how scores move with options and with the budget."""

from __future__ import annotations

from ..text.comparison import Comparison
from ..text.curves import BudgetCurve, OptionCurve, budget_curves, option_curves
from .comparison_tables import METRIC_NAMES, comparison_cells
from .page import Block, Grid, Page, Picture, Section, Stack, Table, Text
from .plots import to_svg
from .sweep_plots import MOST_ROWS, budget_curve, differences, option_curve, scores

__all__ = ["compare_page"]


def compare_page(found: Comparison) -> Page:
    """The page; the same comparison gives the same page."""
    metric = METRIC_NAMES[found.metric].lower()
    runs = sum(row.n_runs for row in found.rows)
    best = found.rows[0]
    lead = (
        f"{_count(len(found.rows), 'configuration')}, {_count(runs, 'run')} on {found.data_name}, "
        f"{found.rule}. "
        f"Best {metric}: {best.name}, {_percent(best.score)}{_span(best.low, best.high)}."
    )
    sections = [Section("Scores and differences", _scores(found))]
    curves = option_curves(found)
    if curves:
        sections.append(Section("Options", [Grid([_curve(c, found.metric) for c in curves], columns=3)]))
    budgets = budget_curves(found)
    if budgets:
        sections.append(Section("Budget", _budget(budgets, found.metric)))
    return Page("Comparison of text classifiers", lead, _summary(found), sections)


def _summary(found: Comparison) -> list[Block]:
    head, rows = comparison_cells(found)
    blocks: list[Block] = [Text(f"{sentence[0].upper()}{sentence[1:]}.") for sentence in found.notes]
    return [*blocks, Table(head, rows)]


def _scores(found: Comparison) -> list[Block]:
    metric = METRIC_NAMES[found.metric]
    cut = f" The best {MOST_ROWS} of {len(found.rows)}." if len(found.rows) > MOST_ROWS else ""
    left = Picture(
        to_svg(scores(found)),
        f"{metric} of each configuration with its interval",
        f"{metric} with its interval ({found.interval_kind}). Intervals that overlap do not say that two are "
        f"alike: the same folds are hard for all, see the differences.{cut}",
    )
    if not any(row.difference is not None for row in found.rows):
        return [left]
    right = Picture(
        to_svg(differences(found)),
        f"Difference of each configuration to {found.baseline}",
        f"Difference to {found.baseline} on the same folds, with an interval for that one difference alone. "
        "Green: better, orange: worse, after Holm's adjustment for all of them; blue: unclear, grey: noise.",
    )
    return [Grid([Stack([left]), Stack([right])], columns=2)]


def _curve(curve: OptionCurve, metric: str) -> Block:
    name = METRIC_NAMES[metric]
    words = f"{name} against {curve.option}; {curve.words}."
    return Picture(to_svg(option_curve(curve, metric)), f"{name} against {curve.option}", words)


def _budget(curves: list[BudgetCurve], metric: str) -> list[Block]:
    words = (
        "The best score to be expected of a search that tries n of these configurations at random "
        "(Dodge et al. 2019), with the range that holds 95 of 100 such searches. Compare models at the same "
        "budget, not the best of fifty with the only one of another."
    )
    if not all(curve.random for curve in curves):
        words += " A grid is no random draw: for it the curve says how much was to be won among its cells."
    rows = [
        (curve.group or "grid and draws", len(curve.best.n), f"{curve.seconds_each:.0f} s",
         _percent(float(curve.best.mean[0])), _percent(float(curve.best.mean[-1])))
        for curve in curves
    ]  # fmt: skip
    columns = ("Group", "Configurations", "Time for one", "Expected of one", "Expected best of all")
    name = METRIC_NAMES[metric].lower()
    picture = Picture(
        to_svg(budget_curve(curves, metric)), f"Expected best {name} against configurations tried"
    )
    return [Text(words), picture, Table(columns, rows)]


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.2f} %"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({100 * low:.2f} to {100 * high:.2f})"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
