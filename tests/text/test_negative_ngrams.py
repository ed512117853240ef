"""Neighbours of windows against a loop over all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text.negative_ngrams import Neighbours, negative_ngrams


@given(
    st.lists(st.tuples(*[st.integers(0, 2)] * 3), unique=True, max_size=12), st.integers(0, 10**6),
    st.sampled_from([0.0, 0.5]),
)  # fmt: skip
def test_groups_falls_and_negatives_are_those_of_a_loop(rows, seed, threshold):
    windows = np.array(rows, dtype=np.int64).reshape(-1, 3)
    r = np.random.default_rng(seed).normal(size=len(rows))
    near = [Neighbours(windows, slot) for slot in range(3)]
    want = {}
    for slot in range(3):
        falls = {}
        rest = np.delete(windows, slot, 1)
        for i in range(len(rows)):
            others = [j for j in range(len(rows)) if j != i and rest[j].tolist() == rest[i].tolist()]
            if others:
                falls[i] = max(r[i], *r[others]) - r[i]
            for j in others:
                if r[i] < threshold <= r[j] and r[j] > 0:
                    want[i] = max(want.get(i, 0.0), r[j] - r[i])
        got = dict(zip(near[slot].rows.tolist(), near[slot].falls(r).tolist(), strict=True))
        assert got == pytest.approx(falls)
    found = negative_ngrams(near, r, threshold, 20, lambda i: (tuple(map(str, rows[i])), str(i)))
    assert {int(g.source): g.fall for g in found} == pytest.approx(want)
    falls = [g.fall for g in found]
    assert falls == sorted(falls, reverse=True)
    assert negative_ngrams(near, r, threshold, 1, lambda i: (tuple(map(str, rows[i])), str(i))) == found[:1]
