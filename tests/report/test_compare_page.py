"""The page of a comparison holds all it shows, and its pictures draw the numbers they are given."""

import re

import numpy as np
import pytest
from made_runs import failed, made_runs

from conv1d_kit.report.compare_page import compare_page
from conv1d_kit.report.page import render
from conv1d_kit.report.sweep_plots import MOST_ROWS, budget_curve, differences, option_curve, scores
from conv1d_kit.text.comparison import compare_runs
from conv1d_kit.text.curves import budget_curves, option_curves

GRID = {f"filters={f}": {"filters": f} for f in (10, 30, 100, 1000)}


@pytest.fixture(scope="module")
def found():
    return compare_runs(made_runs({name: 0.6 + i / 10 for i, name in enumerate(GRID)}, configs=GRID, n_test=80))


def test_page_is_self_contained_and_the_same_twice(found):
    page = render(compare_page(found))
    assert page == render(compare_page(found))
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    for words in (
        "filters=1000",
        "Expected best",
        "Scores and differences",
        "No baseline was named",
    ):
        assert words in page
    assert page.count("<img") == 4  # scores, differences, the curve of filters, the budget


def test_page_of_one_configuration_and_of_failures():
    runs = made_runs({"a <b>": 0.8})
    page = render(compare_page(compare_runs(runs)))
    assert "a &lt;b&gt;" in page
    assert page.count("<img") == 1
    both = runs + [failed(r) for r in made_runs({"lost": 0.8})]
    assert "lost: 0 of 5 runs, 5 failed" in render(compare_page(compare_runs(both))).replace("Lost", "lost")


def test_scores_and_differences_stand_at_their_values(found):
    dots = [line.get_xdata()[0] for line in scores(found).axes[0].lines if line.get_marker() == "o"]
    assert dots == pytest.approx([100 * row.score for row in found.rows])
    dots = [line.get_xdata()[0] for line in differences(found).axes[0].lines if line.get_marker() == "o"]
    assert dots == pytest.approx([100 * r.difference for r in found.rows if r.difference is not None])


def test_many_configurations_are_cut_to_the_best():
    many = compare_runs(made_runs({f"c{i}": 0.8 for i in range(50)}, folds=2, n_test=20))
    assert len(scores(many).axes[0].get_yticklabels()) == MOST_ROWS
    assert f"best {MOST_ROWS} of 50" in render(compare_page(many))


def test_curves_draw_their_points(found):
    (curve,) = option_curves(found)
    axes = option_curve(curve, "accuracy").axes[0]
    assert axes.get_xscale() == "log"  # 10, 30, 100 and 1000
    assert axes.lines[-1].get_xdata().tolist() == [10, 30, 100, 1000]
    assert axes.lines[-1].get_ydata() == pytest.approx([100 * p.score for p in curve.points])
    (budget,) = budget_curves(found)
    line = budget_curve([budget], "accuracy").axes[0].lines[0]
    assert line.get_ydata() == pytest.approx(100 * budget.best.mean)
    assert np.diff(line.get_ydata()).min() >= 0
