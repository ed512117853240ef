"""Metrics equal scikit-learn's, and the intervals those of the textbooks."""

import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from conv1d_kit.errors import InputError
from conv1d_kit.training.bootstrap import grouped_tallies
from conv1d_kit.training.metrics import class_report, confusion_matrix, mean_interval, wilson_interval


def test_confusion_and_report_are_scikit_learns():
    r = np.random.default_rng(0)
    true, guess = r.integers(0, 4, 200), r.integers(0, 4, 200)
    matrix = confusion_matrix(true, guess, 5)  # one class never seen
    np.testing.assert_array_equal(matrix[:4, :4], oracle.confusion_matrix(true, guess))
    report = class_report(matrix, list("abcde"))
    p, q, f, n = oracle.precision_recall_fscore_support(true, guess, labels=range(5), zero_division=0)
    for i, row in enumerate(report):
        assert (row["precision"], row["recall"], row["f1"], row["count"]) == pytest.approx(
            (p[i], q[i], f[i], n[i])
        )


@pytest.mark.parametrize(
    ("true", "predicted", "said"),
    [
        ([0, 0, 1], [0, 2, 1], "must be class indices 0 to 1, got 0 to 2"),  # else counted as the next row's 0
        ([1, -1], [0, 0], "must be class indices 0 to 1, got -1 to 1"),
        ([0, 1], [0], r"must be flat and of one length, got shapes \(2,\) and \(1,\)"),
        ([[0, 1]], [[0, 1]], r"must be flat and of one length, got shapes \(1, 2\) and \(1, 2\)"),
    ],
)
def test_what_is_no_class_is_refused_not_counted_as_another(true, predicted, said):
    for tally in (confusion_matrix, grouped_tallies):
        with pytest.raises(InputError, match=f"true and predicted {said}"):
            tally(true, predicted, 2)


def test_wilson_is_the_published_interval_and_stays_inside_zero_to_one():
    low, high = wilson_interval(81, 263)  # Newcombe 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == pytest.approx(1)
    with pytest.raises(InputError):
        wilson_interval(1, 0)


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan"), "0.95", True])
def test_confidence_is_a_share_within_zero_and_one(confidence):
    for interval in (lambda **o: wilson_interval(1, 2, **o), lambda **o: mean_interval([0.5], **o)):
        with pytest.raises(InputError, match=r"confidence must be in \(0, 1\), got"):
            interval(confidence=confidence)


def test_mean_interval_is_students_and_wider_where_folds_share_rows():
    x = [0.90, 0.92, 0.94, 0.91, 0.93]
    mean, half = mean_interval(x)
    assert mean == pytest.approx(0.92)
    assert half == pytest.approx(2.7764 * np.std(x, ddof=1) / math.sqrt(5), rel=1e-4)
    assert mean_interval(x, test_share=0.25)[1] == pytest.approx(half * math.sqrt((0.2 + 0.25) / 0.2))
    assert math.isnan(mean_interval([0.5])[1])
    with pytest.raises(InputError):
        mean_interval([])
