"""A history reads back what was appended, until it is told to forget."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.core.history import History


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 4_000), st.booleans()), max_size=30))
def test_reads_what_was_appended_however_memory_moved(steps):
    signal = torch.arange(100_000.0)
    history = History(signal[:0].clone())
    for n, kept, as_array in steps:
        chunk = signal[history.last : history.last + n]
        history.append(chunk.numpy() if as_array else chunk)
        history.forget(history.last - kept)
        assert torch.equal(history.read(history.first, history.last), signal[history.first : history.last])
    assert history.last == sum(n for n, _, _ in steps)


def test_memory_follows_what_is_kept():
    history = History(torch.zeros(2, 0))
    for _ in range(10_000):
        history.append(np.zeros((2, 64), np.float32))
        history.forget(history.last - 500)
    assert history._memory.shape[-1] < 6_000


@pytest.mark.parametrize("dtype", [torch.int32, torch.bfloat16, torch.bool])
def test_any_dtype(dtype):
    history = History(torch.zeros(1, 0, dtype=dtype))
    history.append(torch.ones(1, 3, dtype=dtype))
    assert history.read(1, 3).tolist() == torch.ones(1, 2, dtype=dtype).tolist()
