"""The purity threshold against a loop over all thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text.filter_facts import purity_threshold


@given(st.lists(st.tuples(st.integers(-1, 4), st.booleans()), max_size=12), st.sampled_from([0.5, 0.75, 1.0]))
def test_the_threshold_is_the_smallest_of_a_loop(rows, purity):
    x, y = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=bool)
    pure = [t for t in sorted(set(x.tolist())) if t > 0 and y[x >= t].mean() >= purity]
    threshold, share = purity_threshold(x, y, purity)
    if not pure:
        assert threshold is None
        assert np.isnan(share)
    else:
        assert threshold == pure[0]
        assert share == pytest.approx(y[x >= pure[0]].mean())
