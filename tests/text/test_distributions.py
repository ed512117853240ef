"""Draws lie within their bounds, are spread as they say, and stay as they are when more are drawn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.distributions import draw


@given(
    st.floats(1e-6, 1e3), st.floats(1.001, 1e4), st.sampled_from(["uniform", "loguniform"]), st.integers(0, 9)
)
def test_numbers_stay_within_their_bounds(low, factor, kind, seed):
    drawn = draw("lr", {kind: [low, low * factor]}, 20, seed)
    assert all(low <= v <= low * factor for v in drawn)


def test_spread_is_that_of_scipy():
    from scipy import stats

    even = draw("dropout", {"uniform": [0.1, 0.7]}, 2000, 0)
    assert stats.kstest(even, stats.uniform(0.1, 0.6).cdf).pvalue > 0.01
    logs = draw("lr", {"loguniform": [1e-4, 1e-1]}, 2000, 0)
    assert stats.kstest(logs, stats.loguniform(1e-4, 1e-1).cdf).pvalue > 0.01
    counts = np.bincount(draw("filters", {"int": [1, 4]}, 2000, 0), minlength=6)
    assert (counts > 0).tolist() == [False, True, True, True, True, False]
    assert stats.chisquare(counts[1:5]).pvalue > 0.01
    assert set(draw("net", {"choice": ["cnn", "dpcnn"]}, 50, 0)) == {"cnn", "dpcnn"}


def test_more_samples_keep_the_first_and_each_option_has_its_own_stream():
    for said in (
        {"uniform": [0, 1]},
        {"loguniform": [1e-3, 1]},
        {"int": [0, 10**6]},
        {"choice": list(range(99))},
    ):
        assert draw("a", said, 50, 3)[:7] == draw("a", said, 7, 3)
        assert draw("a", said, 50, 3) != draw("b", said, 50, 3)
        assert draw("a", said, 50, 3) != draw("a", said, 50, 4)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([0, 1], "[random] lr must be one of { uniform = […] }, { loguniform = […] }"),
        ({"normal": [0, 1]}, "[random] lr must be one of"),
        ({"uniform": [1, 0]}, "[random] lr uniform must be [low, high] with low < high, got [1, 0]"),
        ({"uniform": [0, math.inf]}, "[random] lr uniform must be [low, high]"),
        ({"loguniform": [0, 1]}, "[random] lr loguniform must lie above 0, got [0, 1]"),
        ({"int": [0.5, 1]}, "[random] lr int must be two ints, got [0.5, 1]"),
        ({"choice": []}, "[random] lr choice must be a list of values, got []"),
    ],
)
def test_what_cannot_be_drawn_is_refused(said, words):
    with pytest.raises(InputError) as refused:
        draw("lr", said, 3, 0)
    assert words in str(refused.value)
