"""Paired tests against published tables, scipy's binomial test, and their definitions as loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conv1d_kit.errors import InputError
from conv1d_kit.training.paired import corrected_t, discordant, holm, mcnemar


@pytest.mark.parametrize(("method", "p"), [("exact", 0.0703), ("mid-p", 0.0391), ("chi2", 0.0771)])
def test_airway_example_of_fagerland_2013(method, p):
    assert mcnemar(1, 7, method=method).p == pytest.approx(p, abs=5e-5)
    assert mcnemar(7, 1, method=method).p == pytest.approx(p, abs=5e-5)


def test_chi2_by_hand():
    found = mcnemar(86, 150, method="chi2")  # (|86 − 150| − 1)² / 236
    assert found.statistic == pytest.approx(3969 / 236)
    assert found.p == pytest.approx(stats.chi2.sf(3969 / 236, 1))


@given(st.integers(0, 300), st.integers(0, 300))
def test_exact_is_the_binomial_test_and_mid_p_takes_half_the_outcome_off(a, b):
    n = a + b
    exact = stats.binomtest(a, n, 0.5).pvalue if n else 1.0
    assert mcnemar(a, b, method="exact").p == pytest.approx(exact, rel=1e-9)
    if n:
        outcome = stats.binom.pmf(min(a, b), n, 0.5)
        tail = stats.binom.cdf(min(a, b), n, 0.5)
        assert mcnemar(a, b, method="mid-p").p == pytest.approx(min(1.0, 2 * tail - outcome), rel=1e-9)
    assert mcnemar(a, b).p == mcnemar(b, a).p <= 1
    assert mcnemar(a, b, method="mid-p").p <= mcnemar(a, b, method="exact").p + 1e-12


def test_auto_takes_the_binomial_until_counts_are_large():
    assert mcnemar(400, 599).method == "exact"
    assert mcnemar(400, 600).method == "chi2"
    assert mcnemar(465, 535).p == pytest.approx(mcnemar(465, 535, method="exact").p, rel=0.01)
    assert mcnemar(5, 5, method="chi2").p == 1.0
    assert mcnemar(0, 0).p == 1.0


def test_mcnemar_errs_as_often_as_it_says():
    rng = np.random.default_rng(0)
    p = [mcnemar(*discordant(rng.random(200) < 0.8, rng.random(200) < 0.8)).p for _ in range(2000)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.055  # the exact test is cautious


def test_discordant_against_a_loop():
    rng = np.random.default_rng(1)
    a, b = rng.random(50) < 0.5, rng.random(50) < 0.5
    expected = (
        sum(bool(x) and not y for x, y in zip(a, b, strict=True)),
        sum(bool(y) and not x for x, y in zip(a, b, strict=True)),
    )
    assert discordant(a, b) == expected
    with pytest.raises(InputError, match="same rows"):
        discordant([True], [True, False])


def test_without_shared_training_rows_it_is_students_t():
    d = np.random.default_rng(2).normal(0.01, 0.02, 10)
    found, oracle = corrected_t(d, 0.0), stats.ttest_1samp(d, 0)
    assert (found.t, found.p, found.df) == (
        pytest.approx(oracle.statistic), pytest.approx(oracle.pvalue), oracle.df
    )  # fmt: skip
    low, high = oracle.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("folds", "repeats"), [(10, 1), (10, 10), (5, 2)])
def test_correction_by_the_formula_of_bouckaert_and_frank(folds, repeats):
    d = np.random.default_rng(3).normal(0.01, 0.02, folds * repeats)
    mean = sum(d) / len(d)
    variance = sum((x - mean) ** 2 for x in d) / (len(d) - 1)
    t = mean / math.sqrt((1 / (folds * repeats) + 1 / (folds - 1)) * variance)
    found = corrected_t(d, 1 / (folds - 1))
    assert found.t == pytest.approx(t)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), len(d) - 1))
    assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


def test_correction_holds_the_level_where_the_plain_test_fails():
    """Two learners that see equally good features, scored by repeated folds: nothing is to be found."""
    rng, trials = np.random.default_rng(4), 150
    corrected = plain = 0
    for _ in range(trials):
        y = rng.integers(0, 2, 100)
        x = rng.normal(size=(100, 2)) + y[:, None]
        d = []
        for fold in rng.permuted(np.tile(np.arange(10), (4, 10)), axis=1):
            for test in (fold == k for k in range(10)):
                a, b = (_nearest_mean(x[~test, j], y[~test], x[test, j]) == y[test] for j in (0, 1))
                d.append(a.mean() - b.mean())
        corrected += corrected_t(d, 1 / 9).p < 0.05
        plain += corrected_t(d, 0.0).p < 0.05
    assert plain / trials > 0.2
    assert corrected / trials < 0.08


def _nearest_mean(x, y, new):
    means = np.array([x[y == c].mean() for c in (0, 1)])
    return np.abs(new[:, None] - means).argmin(1)


def test_single_fold_and_equal_differences():
    one = corrected_t([0.02], 0.1)
    assert one.mean == 0.02
    assert all(math.isnan(v) for v in (one.low, one.high, one.t, one.p))
    assert corrected_t([0.0, 0.0], 0.1).p == 1.0
    assert corrected_t([0.1, 0.1, 0.1], 0.1).p == 0.0
    assert (corrected_t([0.1] * 3, 0.1).low, corrected_t([-0.1] * 3, 0.1).t) == (pytest.approx(0.1), -math.inf)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_against_its_definition(p):
    """Rejected while p(i) <= alpha / (m − i + 1), from the smallest on; adjusted: the smallest such alpha."""
    adjusted = holm(p)
    order = sorted(range(len(p)), key=lambda i: p[i])
    largest = 0.0
    for step, i in enumerate(order):
        largest = max(largest, (len(p) - step) * p[i])
        assert adjusted[i] == pytest.approx(min(1.0, largest))
    assert (adjusted >= np.asarray(p) - 1e-12).all()


def test_holm_leaves_what_was_not_tested_out_of_the_family():
    assert holm([0.02, math.nan, 0.03])[[0, 2]].tolist() == [0.04, 0.04]
    assert math.isnan(holm([0.02, math.nan])[1])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mcnemar(-1, 2), "only_a must be an int >= 0, got -1"),
        (lambda: mcnemar(1, 2.5), "only_b must be an int >= 0, got 2.5"),
        (lambda: mcnemar(1, 2, method="t"), "method must be one of auto, exact, mid-p, chi2, got 't'"),
        (lambda: corrected_t([], 0.1), "differences must be one or more finite numbers"),
        (lambda: corrected_t([0.1, math.nan], 0.1), "differences must be one or more finite numbers"),
        (lambda: corrected_t([0.1, 0.2], -1), "test_share must be n_test / n_train"),
        (lambda: corrected_t([0.1, 0.2], 0.1, confidence=2), "confidence must be in (0, 1), got 2"),
        (lambda: holm([0.5, 1.5]), "p_values must be a flat sequence of numbers in [0, 1]"),
    ],
)
def test_what_cannot_be_used_is_refused(call, words):
    with pytest.raises(InputError) as refused:
        call()
    assert words in str(refused.value)
