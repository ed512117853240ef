"""Short calls by NumPy alone: the loop's sums, by whichever way is taken, and no torch."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import conv_loop

from conv1d_kit.core import short
from conv1d_kit.core.short import short_convolve, short_way


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@given(st.integers(1, 300), st.integers(1, 80), st.sampled_from(["full", "same"]), st.integers(0, 99))
def test_toeplitz_products_are_the_loops_sums(dtype, n, k, mode, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-9, 10, size).astype(dtype) for size in (n, k))
    start, size = (0, n + k - 1) if mode == "full" else ((k - 1) // 2, n)
    whole = conv_loop(a[None, None], b[None, None], pads=[(k - 1, k - 1)], flip=True)[0, 0]
    expected = whole[start : start + size]
    x, w = (a, b) if n >= k else (b, a)
    np.testing.assert_array_equal(short.toeplitz_rows(x, w, start, size), expected)
    y = short_convolve(a, b, mode)
    assert y.dtype == a.dtype
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_window(bad):
    a, b = np.ones(2000, np.float32), np.ones(40, np.float32)
    assert short_way(2000, 40, 4, False) == "toeplitz"
    a[1000] = bad
    np.testing.assert_array_equal(short_convolve(a, b, "full"), np.convolve(a, b))


def test_huge_numbers_are_not_taken_for_overflow():
    a, b = np.full(2000, 1e30, np.float32), np.ones(40, np.float32)
    np.testing.assert_allclose(short_convolve(a, b, "full"), np.convolve(a, b), rtol=1e-6)


def test_strided_and_read_only_arrays_are_read_where_they_are():
    a, b = np.arange(4000.0)[::-2], np.arange(40.0)[::-1]
    a.flags.writeable = False
    np.testing.assert_allclose(short_convolve(a, b, "same"), np.convolve(a, b)[19:2019], rtol=1e-12)


def test_long_calls_are_left_to_the_engine():
    assert short_way(1_000_000, 255, 4, False) is None
    assert short_way(0, 5, 4, False) is None


def test_a_script_of_short_calls_never_imports_torch():
    code = (
        "import sys, numpy as np, conv1d_kit\n"
        "for n, k in ((100, 5), (2000, 40), (30000, 3)):\n"
        "    conv1d_kit.convolve(np.ones(n, np.float32), np.ones(k, np.float32))\n"
        "    conv1d_kit.convolve(np.ones(n), np.ones(k), 'same')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
