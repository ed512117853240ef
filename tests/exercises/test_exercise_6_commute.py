"""Exercise 6: f ∗ g = g ∗ f for every f and g; cross-correlation only after a reversal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conv1d_kit import conv, convolve, correlate

DTYPES = {
    "int64": st.integers(-(2**20), 2**20),
    "float64": st.floats(-1e3, 1e3, width=32),
    "complex128": st.complex_numbers(max_magnitude=1e3),
}
KINDS = {"numpy": np.asarray, "torch": torch.from_numpy}
quick = settings(deadline=None, max_examples=50, derandomize=True)


@st.composite
def two_signals(draw, min_size=1, max_size=40):
    dtype = draw(st.sampled_from(list(DTYPES)))
    return [draw(arrays(dtype, st.integers(min_size, max_size), elements=DTYPES[dtype])) for _ in range(2)]


def assert_same(a, b, scale=1.0):
    """Exact for integers; for the others within rounding of the largest product sum."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    if a.dtype.kind == "i":
        assert np.array_equal(a, b)
    else:
        assert np.abs(a - b).max() <= 1e-13 * scale


def size_of(f, g):
    return 1e-300 + np.abs(f).sum() * np.abs(g).sum()


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(signals=two_signals())
def test_convolution_commutes(kind, signals):
    f, g = map(KINDS[kind], signals)
    assert_same(convolve(f, g), convolve(g, f), size_of(*signals))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["direct", "fft", "overlap_add"])
@quick
@given(signals=two_signals())
def test_convolution_commutes_by_every_method(kind, method, signals):
    f, g = map(KINDS[kind], signals)
    assert_same(convolve(f, g, method=method), convolve(g, f, method=method), size_of(*signals))


@quick
@given(signals=two_signals())
def test_convolution_is_the_sum_over_z_of_f_z_g_x_minus_z(signals):
    """The definition, term by term, so that two equal wrong answers would not pass."""
    f, g = signals
    expected = np.zeros(len(f) + len(g) - 1, f.dtype)
    for x in range(len(expected)):
        for z in range(len(f)):
            if 0 <= x - z < len(g):
                expected[x] += f[z] * g[x - z]
    assert_same(convolve(f, g), expected, size_of(f, g))


@pytest.mark.parametrize("kind", KINDS)
@quick
@given(signals=two_signals())
def test_cross_correlation_the_other_way_round_is_the_conjugate_reversed(kind, signals):
    f, g = map(KINDS[kind], signals)
    there, back = np.asarray(correlate(f, g)), np.asarray(correlate(g, f))
    assert_same(there, back[::-1].conj(), size_of(*signals))


def test_cross_correlation_does_not_commute():
    f, g = np.array([1, 2, 3]), np.array([0, 1, 4])
    assert correlate(f, g).tolist() == [4, 9, 14, 3, 0]
    assert correlate(g, f).tolist() == [0, 3, 14, 9, 4]
    assert convolve(f, g).tolist() == convolve(g, f).tolist() == [0, 1, 6, 11, 12]


@quick
@given(signals=two_signals(max_size=12))
def test_the_layer_commutes_only_with_its_kernel_flipped(signals):
    """conv is cross-correlation; with flip=True it is ∗, and then signal and kernel may change places."""
    f, g = signals
    there = conv(f[None, None], g[None, None], padding="full", flip=True)[0, 0]
    back = conv(g[None, None], f[None, None], padding="full", flip=True)[0, 0]
    assert_same(there, back, size_of(f, g))
    unflipped = conv(f[None, None], g[None, None], padding="full")[0, 0]
    assert_same(unflipped, correlate(f, g.conj()), size_of(f, g))


@quick
@given(
    st.tuples(*[st.integers(1, 5)] * 4).flatmap(
        lambda n: st.tuples(
            arrays("int64", n[:2], elements=st.integers(-99, 99)),
            arrays("int64", n[2:], elements=st.integers(-99, 99)),
        )
    )
)
def test_it_commutes_in_two_dimensions(signals):
    f, g = signals
    assert np.array_equal(convolve(f, g), convolve(g, f))


def test_same_mode_does_not_commute_because_it_has_the_size_of_the_first():
    f, g = np.arange(5), np.arange(1, 4)
    assert convolve(f, g, "same").shape == (5,)
    assert convolve(g, f, "same").shape == (3,)
    assert np.array_equal(convolve(f, g, "valid"), convolve(g, f, "valid"))
