"""Means, intervals and tests of kept runs against their definitions, and what is missing is said."""

import math

import numpy as np
import pytest
from made_runs import changed, failed, made_runs
from scipy import stats

from conv1d_kit.errors import InputError
from conv1d_kit.text.comparison import compare_runs
from conv1d_kit.text.judged import METRICS

SKILLS = {"good": 0.85, "alike": 0.84, "poor": 0.5}


def rows_of(found):
    return {row.name: row for row in found.rows}


@pytest.mark.parametrize("seeds", [(0,), (0, 3)])
def test_means_intervals_and_tests_by_hand(seeds):
    runs = made_runs(SKILLS, folds=5, repeats=2, seeds=seeds)
    found = compare_runs(runs, baseline="alike")
    assert [row.name for row in found.rows][-1] == "poor"
    folds = {}  # configuration → the mean over seeds of each fold
    for run in runs:
        folds.setdefault(run.name, {}).setdefault((run.repeat, run.fold), []).append(run.n_right / run.n_test)
    folds = {name: np.array([np.mean(v) for _, v in sorted(f.items())]) for name, f in folds.items()}
    correction = math.sqrt(1 / 10 + 40 / 160)
    quantile = stats.t.ppf(0.975, 9)
    p = {}
    for name, row in rows_of(found).items():
        half = quantile * correction * folds[name].std(ddof=1)
        assert row.score == pytest.approx(folds[name].mean())
        assert (row.low, row.high) == (
            pytest.approx(row.score - half), pytest.approx(min(1.0, row.score + half)),
        )  # fmt: skip
        assert (row.n_runs, row.n_failed, row.n_missing) == (10 * len(seeds), 0, 0)
        if name == "alike":
            assert (row.verdict, row.difference, row.p_t) == ("baseline", None, None)
            continue
        d = folds[name] - folds["alike"]
        t = d.mean() / (correction * d.std(ddof=1))
        p[name] = 2 * stats.t.sf(abs(t), 9)
        assert row.difference == pytest.approx(d.mean())
        assert (row.t, row.p_t) == (pytest.approx(t), pytest.approx(p[name]))
        assert row.difference_high - row.difference == pytest.approx(quantile * correction * d.std(ddof=1))
        right = [
            np.concatenate([r.targets == r.answers for r in runs if (r.name, r.repeat, r.seed) == (who, 0, 0)])
            for who in (name, "alike")
        ]
        assert len(right[0]) == 5 * 40  # each row once
        here, there = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        assert (row.only_here, row.only_baseline) == (here, there)
        assert row.p_mcnemar == pytest.approx(stats.binomtest(here, here + there, 0.5).pvalue)
    lower, higher = sorted(p, key=p.get)
    assert rows_of(found)[lower].p_t_holm == pytest.approx(min(1, 2 * p[lower]))
    assert rows_of(found)[higher].p_t_holm == pytest.approx(max(min(1, 2 * p[lower]), p[higher]))
    assert rows_of(found)["poor"].verdict == "worse"
    assert rows_of(found)["good"].verdict == "noise"
    assert "no more than noise apart from alike: good" in found.notes


def test_macro_f1_is_scikit_learns():
    from sklearn.metrics import f1_score

    runs = made_runs(SKILLS)
    found = compare_runs(runs, metric="macro_f1")
    for row in found.rows:
        own = [r for r in runs if r.name == row.name]
        assert row.score == pytest.approx(
            np.mean([f1_score(r.targets, r.answers, average="macro") for r in own])
        )
    assert "McNemar's test counts right and wrong answers, whatever the metric" in found.notes
    assert set(METRICS) == {"accuracy", "macro_f1"}


def test_without_a_baseline_all_are_compared_with_the_best_and_that_is_said():
    found = compare_runs(made_runs(SKILLS))
    assert (found.baseline, found.baseline_chosen) == (found.rows[0].name, True)
    assert any("whose own score is flattered by being the highest of 3" in note for note in found.notes)


def test_models_that_are_alike_are_called_different_in_few_studies_only():
    """The whole chain's error: of 100 studies of six equal models, with the first as baseline."""
    wrong = 0
    for seed in range(100):
        runs = made_runs({f"m{i}": 0.7 for i in range(6)}, folds=10, n_test=30, seed=seed)
        wrong += any(row.verdict in ("better", "worse") for row in compare_runs(runs, baseline="m0").rows)
    assert wrong <= 10


def test_unclear_is_what_the_answers_show_and_three_folds_do_not():
    runs = made_runs({"a": 0.8, "b": 0.7}, folds=3, n_test=400, seed=1)
    for r in list(runs):
        if r.name == "b" and r.fold == 0:  # one fold is far from the others
            runs[runs.index(r)] = changed(r, predicted=r.labels[:120] + r.predicted[120:])
    row = rows_of(compare_runs(runs, baseline="a"))["b"]
    assert row.p_t_holm > 0.05 > row.p_mcnemar_holm
    assert row.verdict == "unclear"


def test_what_is_missing_or_failed_is_said_and_pairs_are_those_that_both_have():
    runs = made_runs(SKILLS, seeds=(0, 1))
    kept = [
        failed(r) if r.name == "poor" and r.fold == 4 else r
        for r in runs
        if not (r.name == "alike" and r.fold == 0)
    ]
    found = compare_runs(kept, baseline="good")
    alike, poor = rows_of(found)["alike"], rows_of(found)["poor"]
    assert (alike.n_runs, alike.n_failed, alike.n_missing, alike.n_folds) == (8, 0, 2, 4)
    assert (poor.n_runs, poor.n_failed, poor.n_missing, poor.n_folds) == (8, 2, 0, 4)
    notes = "\n".join(found.notes)
    assert "alike: 8 of 10 runs, 2 missing" in notes
    assert "poor: 8 of 10 runs, 2 failed: training has diverged" in notes
    assert "alike is compared with good on the 8 runs that both have" in notes
    whole = rows_of(compare_runs(runs, baseline="good"))["alike"]
    by_hand = [
        np.mean([r.accuracy for r in runs if (r.name, r.fold) == ("alike", f)])
        - np.mean([r.accuracy for r in runs if (r.name, r.fold) == ("good", f)])
        for f in range(1, 5)
    ]
    assert alike.difference == pytest.approx(np.mean(by_hand))
    assert whole.difference != alike.difference


def test_a_configuration_that_never_went_well_stands_last_without_numbers():
    runs = made_runs(SKILLS)
    kept = [failed(r) if r.name == "poor" else r for r in runs]
    last = compare_runs(kept).rows[-1]
    assert (last.name, last.score, last.verdict, last.n_failed) == ("poor", None, "not compared", 5)
    with pytest.raises(InputError, match=r"the baseline 'poor' has no run that went well; choose another"):
        compare_runs(kept, baseline="poor")
    with pytest.raises(InputError, match=r"all 15 failed; the first: training has diverged"):
        compare_runs([failed(r) for r in runs])


def test_configurations_without_a_common_fold_are_not_compared():
    runs = made_runs(SKILLS)
    kept = [r for r in runs if (r.fold < 2) == (r.name == "alike")]
    found = compare_runs(kept, baseline="good")
    assert rows_of(found)["alike"].verdict == "not compared"
    assert "alike shares no fold and seed with good: it is not compared" in found.notes


def test_configurations_not_begun_are_said():
    runs = [changed(r, study={**r.study, "configurations": 9}) for r in made_runs(SKILLS)]
    assert "the sweep has 9 configurations, 3 of them have a run so far" in compare_runs(runs).notes


def test_one_fold_has_no_interval_and_mcnemar_decides():
    runs = [r for r in made_runs({"good": 0.9, "poor": 0.4}, n_test=200) if r.fold == 0]
    found = compare_runs(runs, baseline="good")
    row = rows_of(found)["poor"]
    assert (row.low, row.high, row.p_t, row.difference_low) == (None, None, None, None)
    assert row.verdict == "worse"
    assert "one fold only: its spread is unknown, McNemar's test decides" in found.notes


def test_a_fixed_test_part_is_judged_by_its_rows():
    from conv1d_kit.training.metrics import wilson_interval

    runs = made_runs({"good": 0.9, "alike": 0.89, "poor": 0.5}, fixed=True, n_test=300)
    found = compare_runs(runs, baseline="good")
    for row, run in ((r, next(x for x in runs if x.name == r.name)) for r in found.rows):
        assert (row.low, row.high) == wilson_interval(run.n_right, 300)
        assert row.p_t is None
    assert rows_of(found)["poor"].verdict == "worse"
    assert rows_of(found)["poor"].difference_high < 0
    assert rows_of(found)["alike"].verdict == "noise"
    seeds = made_runs({"good": 0.9, "poor": 0.5}, fixed=True, n_test=300, seeds=(0, 1, 2))
    row = rows_of(compare_runs(seeds, baseline="poor"))["good"]
    assert row.score == pytest.approx(np.mean([r.accuracy for r in seeds if r.name == "good"]))
    assert row.low < row.score < row.high
    assert (row.verdict, row.n_runs) == ("better", 3)
    perfect = made_runs({"good": 1.1, "poor": 0.5}, fixed=True, seeds=(0, 1))
    assert rows_of(compare_runs(perfect))["good"].low == pytest.approx(wilson_interval(40, 40)[0])


def test_two_configurations_of_one_name_are_told_apart():
    runs = made_runs({"a": 0.8})
    older = [changed(r, key=f"old{i}", configuration="0ld", version="0.0.9") for i, r in enumerate(runs)]
    assert {row.name for row in compare_runs(runs + older).rows} == {"a (0.1.0)", "a (0.0.9)"}
    other = [changed(r, key=f"other{i}", configuration="beef" * 4) for i, r in enumerate(runs)]
    names = {row.name for row in compare_runs(runs + other).rows}
    assert names == {f"a #{runs[0].configuration[:4]}", "a #beef"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"runs": []}, "runs must hold at least one run, got none"),
        ({"metric": "f2"}, "metric must be one of accuracy, macro_f1, got 'f2'"),
        ({"baseline": "god"}, "no configuration is named 'god'; did you mean 'good'?"),
        ({"baseline": "zzz"}, "no configuration is named 'zzz'; there is"),
        ({"confidence": 0}, "confidence must be in (0, 1), got 0"),
        ({"data": "other.csv"}, "data must be one of made.csv, got 'other.csv'"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, words):
    with pytest.raises(InputError) as refused:
        compare_runs(**{"runs": made_runs(SKILLS), **arguments})
    assert words in str(refused.value)


def test_runs_that_share_no_test_part_are_refused():
    runs = made_runs(SKILLS)
    with pytest.raises(
        InputError, match=r"judged on 5 folds \(seed 0\); 3 folds \(seed 0\), which share no test part"
    ):
        compare_runs(runs + made_runs({"other": 0.8}, folds=3))
    moved = [changed(r, key=f"m{i}", data="e" * 16, data_name="new.csv") for i, r in enumerate(runs)]
    with pytest.raises(
        InputError, match=r"of 2 data sets, made.csv \(dddddd\); new.csv \(eeeeee\): choose one with --data"
    ):
        compare_runs(runs + moved)
    assert compare_runs(runs + moved, data="new.csv").data_name == "new.csv"
    assert compare_runs(runs + moved, data="eee").data_name == "new.csv"
