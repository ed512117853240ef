"""The expected best of n draws against every outcome enumerated, and against drawing."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.training.expected_best import expected_best


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.5, 0.55, 0.9]), min_size=1, max_size=5), st.integers(1, 4))
def test_every_outcome_enumerated(scores, n):
    best = np.array([max(drawn) for drawn in product(scores, repeat=n)])
    found = expected_best(scores, n)
    assert found.mean[-1] == pytest.approx(best.mean())
    assert found.sd[-1] == pytest.approx(best.std(), abs=1e-7)
    assert found.low[-1] == np.quantile(best, 0.025, method="inverted_cdf")
    assert found.high[-1] == np.quantile(best, 0.975, method="inverted_cdf")


def test_drawing_comes_to_the_same():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.8, 0.03, 40)
    found = expected_best(scores)
    assert len(found.n) == 40
    for n in (1, 5, 40):
        best = rng.choice(scores, (40_000, n)).max(1)
        assert found.mean[n - 1] == pytest.approx(best.mean(), abs=4 * best.std() / 200)
        assert found.sd[n - 1] == pytest.approx(best.std(), rel=0.03)
        assert found.low[n - 1] == pytest.approx(np.quantile(best, 0.025), abs=2e-3)


def test_more_draws_never_do_worse_and_never_beat_the_best_tried():
    found = expected_best([0.2, 0.9, 0.4, 0.4], 200)
    assert (np.diff(found.mean) >= -1e-15).all()
    assert found.mean[0] == pytest.approx(0.475)
    assert found.mean[-1] == pytest.approx(0.9)
    assert (found.low <= found.high).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([],), "scores must be one or more finite numbers"),
        (([0.1, float("nan")],), "scores must be one or more finite numbers"),
        (([0.1], 0), "n_draws must be an int >= 1, got 0"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        expected_best(*arguments)
