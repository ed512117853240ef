"""Windows over a recording equal a loop's, whatever the blocks; stamps are whole samples and never drift."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.audio.windows import WindowGrid, cut_windows, exact_seconds
from conv1d_kit.errors import InputError


def windows_by_loop(x, window, hop):
    """Every window from the start on, until one holds the last sample."""
    found, i = [], 0
    while len(x):
        found.append((i * hop, x[i * hop : i * hop + window].tolist()))
        if i * hop + window >= len(x):
            break
        i += 1
    return found


@st.composite
def cuts(draw):
    n = draw(st.integers(0, 60))
    window = draw(st.integers(1, 20))
    ends = draw(st.lists(st.integers(0, n), max_size=8))
    return n, window, draw(st.integers(1, window)), draw(st.integers(1, 5)), sorted(ends)


@settings(max_examples=300, deadline=None)
@given(cuts())
def test_windows_equal_the_loop_for_any_blocks(case):
    n, window, hop, size, ends = case
    x = np.arange(1, n + 1, dtype=np.float32)
    grid = WindowGrid(100, window, hop)
    found, sizes = [], []
    for batch in cut_windows(np.split(x, ends), grid, size):
        assert batch.first == len(found)
        assert batch.samples.dtype == np.float32
        sizes.append(len(batch.lengths))
        for row, length in zip(batch.samples, batch.lengths, strict=True):
            assert not row[length:].any()
            found.append((len(found) * hop, row[:length].tolist()))
    expected = windows_by_loop(x, window, hop)
    assert found == expected
    assert grid.count(n) == len(expected)
    assert all(s == size for s in sizes[:-1])


def test_the_last_window_ends_with_the_recording_and_comes_once():
    x = np.ones(1000, np.float32)
    for window, hop in ((100, 100), (100, 50), (99, 33), (1000, 1), (1000, 1000), (2000, 7), (1, 1)):
        grid = WindowGrid(1000, window, hop)
        batches = list(cut_windows([x], grid, 4))
        lengths = np.concatenate([b.lengths for b in batches])
        assert (len(lengths) - 1) * hop + lengths[-1] == 1000
        assert (lengths[:-1] == window).all()


def test_ten_hours_do_not_drift():
    rate, hop = 44_100, 7_351
    grid = WindowGrid(rate, 3 * hop, hop)
    n = 10 * 3600 * rate
    last = grid.count(n) - 1
    assert last * hop + grid.window >= n > (last - 1) * hop + grid.window
    assert grid.start(last) == Fraction(last * hop, rate)  # as a sum of floats it is 20 µs off or more
    summed = 0.0
    for _ in range(last):
        summed += hop / rate
    assert abs(float(grid.start(last)) - last * hop / rate) < 1e-11
    assert summed != float(grid.start(last))


def test_ten_hours_of_blocks_are_cut_at_whole_hops():
    rate, hop, size = 1_000, 333, 64
    grid = WindowGrid(rate, 700, hop)
    n, block = 10 * 3600 * rate, 1 << 20

    def blocks():
        for start in range(0, n, block):
            yield np.arange(start, min(n, start + block)) % 4093

    seen = 0
    for batch in cut_windows(blocks(), grid, size):
        first = np.arange(batch.first, batch.first + len(batch.lengths)) * hop
        assert (batch.samples[:, 0] == first % 4093).all()
        assert batch.first == seen
        seen += len(batch.lengths)
    assert seen == grid.count(n)


def test_seconds_are_what_is_written():
    assert exact_seconds(0.3) == Fraction(3, 10)
    assert exact_seconds(1e-7) == Fraction(1, 10**7)
    assert WindowGrid.of_seconds(0.3, 0.1, 22_050) == WindowGrid(22_050, 6_615, 2_205)


@pytest.mark.parametrize(
    ("window", "hop", "words"), [(0, 1, "window must be"), (5, 0, "hop must be"), (5, 6, "hop must be")]
)
def test_a_grid_that_hears_nothing_or_leaves_gaps_is_refused(window, hop, words):
    with pytest.raises(InputError, match=words):
        WindowGrid(16_000, window, hop)
