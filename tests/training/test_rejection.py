"""The chosen threshold is the one a loop over all thresholds finds; what is out of reach is said."""

import numpy as np
import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.training.rejection import choose_threshold, coverage_curve, cross_answered


def _scores(n=120, seed=0):
    r = np.random.default_rng(seed)
    p = r.dirichlet(np.ones(4) * 0.5, n).round(2)  # rounded: scores repeat
    p[:, 0] += 1 - p.sum(1)
    p = np.abs(p)
    p /= p.sum(1, keepdims=True)
    t = np.where(r.random(n) < p.max(1), p.argmax(1), r.integers(0, 4, n))
    return p, t


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wanted", [0.7, 0.8, 0.9])
def test_threshold_is_the_loops(wanted, seed):
    p, t = _scores(seed=seed)
    found = choose_threshold(p, t, min_accuracy=wanted)
    fitting = []
    for value in np.unique(p.max(1)):
        answered = p.max(1) >= value
        if (p.argmax(1) == t)[answered].mean() >= wanted:
            fitting.append(value)
    assert found.value == min(fitting)
    answered = found.answered(p)
    assert found.coverage == pytest.approx(answered.mean())
    assert found.accuracy == pytest.approx((p.argmax(1) == t)[answered].mean())


def test_false_accepts_stay_below_what_is_allowed_and_no_lower_threshold_does():
    p, t = _scores()
    none, _ = _scores(80, seed=9)
    none = 0.5 * none + 0.125
    found = choose_threshold(p, t, none_probabilities=none, max_false_accepts=0.05)
    assert (none.max(1) >= found.value).mean() == found.false_accepts <= 0.05
    lower = p.max(1)[p.max(1) < found.value]
    assert (none.max(1) >= lower.max()).mean() > 0.05
    both = choose_threshold(p, t, min_accuracy=0.9, none_probabilities=none, max_false_accepts=0.05)
    assert both.value >= found.value
    assert both.accuracy >= 0.9


def test_coverage_curve_ends_at_the_plain_accuracy():
    p, t = _scores()
    c = coverage_curve(p, t)
    assert c.coverage[-1] == 1
    assert c.accuracy[-1] == pytest.approx((p.argmax(1) == t).mean())
    assert (np.diff(c.threshold) < 0).all()
    assert 0 <= c.area <= 1


def test_targets_out_of_reach_are_errors_that_say_what_is_within():
    p, t = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), [1, 0, 0]
    with pytest.raises(InputError, match=r"min_accuracy=0.9 cannot be reached.*best is 0.6667, answering 100"):
        choose_threshold(p, t, min_accuracy=0.9)
    with pytest.raises(InputError, match=r"max_false_accepts=0 cannot be reached.*100.0%"):
        choose_threshold(p, t, none_probabilities=[[1.0, 0.0]], max_false_accepts=0)
    good = [0, 1, 0]
    with pytest.raises(InputError, match="with at least 50% answered"):
        choose_threshold(p, good, min_accuracy=1.0, min_coverage=0.5)
    assert choose_threshold(p, good, min_accuracy=1.0).coverage == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "a target must be given"),
        ({"min_accuracy": 0}, r"min_accuracy must be in \(0, 1\]"),
        ({"min_accuracy": np.nan}, "min_accuracy"),
        ({"max_false_accepts": 0.1}, "given together"),
        ({"min_accuracy": 0.5, "none_probabilities": [[0.5, 0.5]]}, "given together"),
        (
            {"none_probabilities": [[1.0]], "max_false_accepts": 0.1},
            r"none_probabilities must be finite, \(M, 2\)",
        ),
        ({"min_accuracy": 0.5, "min_coverage": 2}, "min_coverage"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        choose_threshold([[0.5, 0.5]], [0], **options)


def test_a_fold_is_answered_by_the_threshold_of_the_others():
    p, t = _scores(300)
    folds = np.arange(300) % 3
    answered, thresholds = cross_answered(p, t, folds, min_accuracy=0.8, min_coverage=0.1)
    for k in range(3):
        chosen = choose_threshold(p[folds != k], t[folds != k], min_accuracy=0.8, min_coverage=0.1)
        assert thresholds[k] == chosen.value
        np.testing.assert_array_equal(answered[folds == k], chosen.answered(p[folds == k]))
    with pytest.raises(InputError, match="at least two values"):
        cross_answered(p, t, np.zeros(300, int), min_accuracy=0.8)
