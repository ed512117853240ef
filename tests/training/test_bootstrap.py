"""Bootstrap intervals: scipy's where rows are single, a loop over drawn rows where groups are drawn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, precision_recall_fscore_support

from conv1d_kit.errors import InputError
from conv1d_kit.training.bootstrap import (
    accuracy_of,
    bootstrap_interval,
    class_scores_of,
    grouped_tallies,
    macro_f1_of,
    paired_difference,
    recall_of,
)


def _mean(c):
    return c[:, 0] / c[:, 1]


def _answers(n=150, n_classes=4, seed=0):
    r = np.random.default_rng(seed)
    true = r.integers(0, n_classes, n)
    said = np.where(r.random(n) < 0.7, true, r.integers(0, n_classes, n))
    return true, said, r.integers(0, 12, n)


@pytest.mark.parametrize(("method", "scipys"), [("bca", "BCa"), ("percentile", "percentile")])
def test_single_rows_are_scipys(method, scipys):
    x = np.random.default_rng(1).exponential(size=60)  # skewed, so that the methods differ
    counts = np.stack([x, np.ones_like(x)], 1)
    found = bootstrap_interval(_mean, counts, method=method, n_resamples=60000)
    wanted = stats.bootstrap((x,), np.mean, method=scipys, n_resamples=20000, rng=np.random.default_rng(2))
    width = wanted.confidence_interval.high - wanted.confidence_interval.low
    assert found.estimate == pytest.approx(x.mean())
    assert found.low == pytest.approx(wanted.confidence_interval.low, abs=0.03 * width)
    assert found.high == pytest.approx(wanted.confidence_interval.high, abs=0.03 * width)


def test_the_two_methods_differ_as_they_should_on_a_skewed_mean():
    x = np.random.default_rng(1).exponential(size=60)
    counts = np.stack([x, np.ones_like(x)], 1)
    bca = bootstrap_interval(_mean, counts, n_resamples=20000)
    plain = bootstrap_interval(_mean, counts, n_resamples=20000, method="percentile")
    assert bca.low > plain.low
    assert bca.high > plain.high


def test_grouped_resamples_are_a_loop_over_the_rows_drawn():
    true, said, groups = _answers()
    counts = grouped_tallies(true, said, 4, groups)
    found = bootstrap_interval(macro_f1_of, counts, n_resamples=300, method="percentile", seed=5)
    weights = np.random.default_rng(5).multinomial(len(counts), [1 / len(counts)] * len(counts), size=300)
    names = sorted(range(12), key=str)
    scores = []
    for drawn in weights:
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(groups == g), k) for g, k in zip(names, drawn, strict=True)]
        )
        scores.append(f1_score(true[rows], said[rows], average="macro", zero_division=0))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))
    assert found.estimate == pytest.approx(f1_score(true, said, average="macro"))


def test_groups_whose_rows_agree_make_the_interval_wider():
    r = np.random.default_rng(3)
    groups = np.repeat(np.arange(10), 30)
    right = r.random(300) < np.repeat(r.uniform(0.4, 1.0, 10), 30)
    said = right.astype(int)
    single = bootstrap_interval(accuracy_of, grouped_tallies(np.ones(300, int), said, 2))
    grouped = bootstrap_interval(accuracy_of, grouped_tallies(np.ones(300, int), said, 2, groups))
    assert grouped.estimate == pytest.approx(single.estimate)
    assert grouped.high - grouped.low > 1.8 * (single.high - single.low)


def test_intervals_cover_the_truth_as_often_as_they_say():
    r = np.random.default_rng(4)
    hits = 0
    for seed in range(200):
        right = r.binomial(5, np.clip(r.normal(0.8, 0.1, 40), 0, 1))  # 40 speakers, 5 clips each
        counts = np.stack([right, np.full(40, 5)], 1)
        i = bootstrap_interval(_mean, counts, n_resamples=400, seed=seed)
        hits += i.low <= 0.798 <= i.high
    assert hits / 200 == pytest.approx(0.95, abs=0.045)


def test_class_scores_are_scikit_learns_and_nan_where_undefined():
    true, said, _ = _answers()
    scores = class_scores_of(grouped_tallies(true, said, 5).sum(0)[None])[0]
    p, q, f, _ = precision_recall_fscore_support(true, said, labels=range(4))
    np.testing.assert_allclose(scores[:, :4], [p, q, f])
    assert np.isnan(scores[:, 4]).all()
    assert recall_of(grouped_tallies(true, said, 5).sum(0)[None])[0] == pytest.approx(q.mean())


def test_a_statistic_of_many_values_is_each_value_alone():
    true, said, groups = _answers()
    counts = grouped_tallies(true, said, 4, groups)
    together = bootstrap_interval(class_scores_of, counts, n_resamples=500)
    assert together.low.shape == (3, 4)
    alone = bootstrap_interval(lambda c: class_scores_of(c)[:, 2, 1], counts, n_resamples=500)
    assert (alone.low, alone.high) == pytest.approx((together.low[2, 1], together.high[2, 1]))


def test_a_pair_is_judged_on_the_same_groups():
    true, said, groups = _answers()
    better = np.where(np.arange(150) % 10 == 0, true, said)
    a, b = (grouped_tallies(true, s, 4, groups) for s in (better, said))
    pair = paired_difference(accuracy_of, a, b)
    assert pair.estimate == pytest.approx((better == true).mean() - (said == true).mean())
    assert 0 <= pair.low < pair.estimate < pair.high
    one = bootstrap_interval(accuracy_of, a)
    assert pair.high - pair.low < one.high - one.low
    same = paired_difference(accuracy_of, a, a)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_nothing_wrong_at_all_is_a_point_and_the_seed_decides():
    i = bootstrap_interval(accuracy_of, grouped_tallies([0, 1, 0], [0, 1, 0], 2))
    assert (i.estimate, i.low, i.high) == (1, 1, 1)
    counts = np.stack([np.random.default_rng(0).exponential(size=30), np.ones(30)], 1)
    assert bootstrap_interval(_mean, counts, seed=1) == bootstrap_interval(_mean, counts, seed=1)
    assert bootstrap_interval(_mean, counts, seed=1) != bootstrap_interval(_mean, counts, seed=2)


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        ([[1, 2]], {}, "at least two groups"),
        ([[1, 2], [np.nan, 2]], {}, "finite"),
        ([[1, 2], [1, 2]], {"confidence": 1.0}, "confidence"),
        ([[1, 2], [1, 2]], {"n_resamples": 10}, "n_resamples"),
        ([[1, 2], [1, 2]], {"method": "t"}, "bca, percentile"),
    ],
)
def test_what_cannot_be_resampled_is_refused(counts, options, words):
    with pytest.raises(InputError, match=words):
        bootstrap_interval(_mean, counts, **options)


def test_counts_are_checked():
    with pytest.raises(InputError, match="one length"):
        grouped_tallies([0, 1], [0], 2)
    with pytest.raises(InputError, match="class indices 0 to 1"):
        grouped_tallies([0, 2], [0, 1], 2)
    with pytest.raises(InputError, match="same groups"):
        paired_difference(_mean, [[1, 2], [1, 2]], [[1, 2]])
