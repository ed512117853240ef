"""Curves over options and budget are means of the right configurations, and say what was averaged."""

import math

import numpy as np
import pytest
from made_runs import made_runs
from scipy import stats

from conv1d_kit.text.comparison import compare_runs
from conv1d_kit.text.curves import budget_curves, option_curves

GRID = {
    f"f={f} d={d}": {"filters": f, "dropout": d, "widths": [3, 4], "net": "cnn"}
    for f in (10, 50)
    for d in (0.1, 0.5)
}


def test_a_grid_is_averaged_over_its_other_options_fold_by_fold():
    runs = made_runs({name: 0.6 + c["filters"] / 500 for name, c in GRID.items()}, configs=GRID)
    curves = {c.option: c for c in option_curves(compare_runs(runs))}
    assert set(curves) == {"filters", "dropout"}
    assert curves["filters"].words == "mean over the 2 combinations of dropout"
    for point in curves["filters"].points:
        folds = [
            np.mean([r.accuracy for r in runs if r.config["filters"] == point.x and r.fold == f])
            for f in range(5)
        ]
        half = stats.t.ppf(0.975, 4) * math.sqrt((1 / 5 + 1 / 4) * np.var(folds, ddof=1))
        assert point.score == pytest.approx(np.mean(folds))
        assert (point.low, point.high) == (pytest.approx(point.score - half), pytest.approx(point.score + half))
        assert point.n_configurations == 2


def test_draws_are_points_without_intervals():
    rng = np.random.default_rng(0)
    configs = {f"c{i}": {"lr": float(rng.random()), "dropout": float(rng.random())} for i in range(8)}
    found = compare_runs(made_runs(dict.fromkeys(configs, 0.8), configs=configs, drawn=True))
    curves = {c.option: c for c in option_curves(found)}
    assert [p.x for p in curves["lr"].points] == sorted(c["lr"] for c in configs.values())
    assert all(p.low is None for p in curves["lr"].points)
    assert curves["lr"].words == "each point is one configuration; dropout differ too"
    (budget,) = budget_curves(found)
    assert budget.random


def test_a_single_width_is_a_number_and_what_has_none_is_left_out():
    configs = {f"w{k}": {"widths": [k]} for k in (1, 2, 3)} | {"several": {"widths": [1, 2]}}
    found = compare_runs(made_runs(dict.fromkeys(configs, 0.8), configs=configs))
    (curve,) = option_curves(found)
    assert (curve.option, [p.x for p in curve.points]) == ("width", [1, 2, 3])
    assert curve.words == "all other options are the same; left out, being without it: 1 of 4 configurations"


def test_only_folds_that_all_have_count():
    configs = {f"f{k}": {"filters": k} for k in (1, 2)}
    runs = made_runs({"f1": 0.8, "f2": 0.8}, configs=configs)
    kept = [r for r in runs if r.name == "f1" or r.fold < 3]
    first = option_curves(compare_runs(kept))[0].points[0]
    assert first.score == pytest.approx(np.mean([r.accuracy for r in runs if r.name == "f1" and r.fold < 3]))
    apart = [r for r in runs if (r.name == "f1") == (r.fold < 3)]
    assert option_curves(compare_runs(apart)) == []


def test_nothing_varies_no_curve():
    assert option_curves(compare_runs(made_runs({"a": 0.8, "b": 0.7}))) == []


def test_the_budget_is_the_expected_best_of_the_configurations_means():
    from conv1d_kit.training.expected_best import expected_best

    runs = made_runs({f"c{i}": 0.6 + i / 20 for i in range(5)}) + made_runs({"x": 0.7, "y": 0.7}, group="few")
    (curve,) = budget_curves(compare_runs(runs))
    means = [np.mean([r.accuracy for r in runs if r.name == f"c{i}"]) for i in range(5)]
    assert curve.best.mean.tolist() == pytest.approx(expected_best(means).mean.tolist())
    assert curve.seconds_each == 5 * 2.0
    assert not curve.random
