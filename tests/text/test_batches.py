"""Batches: every row once, of like length, bounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.text import batches
from conv1d_kit.text.batches import inference_batches, pad, training_batches

LENGTHS = st.lists(st.integers(0, 300), min_size=1, max_size=80).map(np.array)


@given(lengths=LENGTHS, size=st.integers(1, 20), seed=st.integers(0, 3))
def test_training_batches_hold_every_row_once(lengths, size, seed):
    parts = training_batches(lengths, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert max(map(len, parts)) <= size
    assert len(parts) == -(-len(lengths) // size)


@given(lengths=LENGTHS)
def test_inference_batches_hold_every_row_once(lengths):
    parts = list(inference_batches(lengths, extra=4))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))


def test_inference_batches_are_bounded_but_never_empty(monkeypatch):
    monkeypatch.setattr(batches, "POSITIONS", 100)
    lengths = np.array([40, 1, 500, 40, 30, 0])
    parts = list(inference_batches(lengths, extra=2))
    assert all(len(p) == 1 or len(p) * (lengths[p].max() + 2) <= 100 for p in parts)
    assert all(len(p) for p in parts)
    assert list(inference_batches(np.array([], dtype=int))) == []


def test_buckets_leave_little_padding():
    lengths = np.random.default_rng(0).integers(1, 60, 5000)
    parts = training_batches(lengths, 50, np.random.default_rng(0))
    cells = sum(len(p) * lengths[p].max() for p in parts)
    assert cells < 1.05 * lengths.sum()


def test_padding_of_texts_without_tokens():
    ids, lengths = pad([np.array([], dtype=np.int64)])
    assert ids.shape == (1, 1)
    assert lengths.tolist() == [0]
