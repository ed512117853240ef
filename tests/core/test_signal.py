"""convolve and correlate against scipy.signal's."""

import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import convolve, correlate
from conv1d_kit.errors import InputError, InputTypeError

METHODS = ("auto", "direct", "overlap_add", "fft")
MODES = ("full", "same", "valid")
OURS = {"convolve": convolve, "correlate": correlate}


def arrays(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    for shape in shapes:
        a = rng.integers(-9, 10, shape) if dtype[0] in "iu" else rng.standard_normal(shape)
        yield (a + 1j * rng.standard_normal(shape) if dtype[0] == "c" else a).astype(dtype)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(OURS)),
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(*[st.lists(st.integers(1, 12 if n < 3 else 4), min_size=n, max_size=n)] * 2)
    ),
    st.sampled_from(MODES),
    st.sampled_from(METHODS),
    st.sampled_from(["float32", "float64", "complex64", "complex128", "int64", "int16", "uint8"]),
    st.integers(0, 2**32 - 1),
)
def test_equal_to_scipy_in_any_rank_mode_method_and_dtype(name, shapes, mode, method, dtype, seed):
    a, b = arrays(seed, dtype, *shapes)
    try:
        expected = getattr(scipy.signal, name)(a, b, mode, "direct")
    except ValueError:
        with pytest.raises(InputError, match="'valid'"):
            OURS[name](a, b, mode, method)
        return
    got = OURS[name](a, b, mode, method)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    scale = np.abs(expected).max(initial=1)
    tolerance = {"float32": 1e-5, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}.get(dtype, 0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int32"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("n", "k"), [(100_000, 63), (20_000, 4_001), (300, 30_000), (4096, 4096), (4097, 1)])
@pytest.mark.parametrize("name", sorted(OURS))
def test_equal_to_scipy_on_long_signals(name, n, k, mode, dtype):
    a, b = arrays(n + k, dtype, n, k)
    expected = getattr(scipy.signal, name)(a, b, mode)
    got = OURS[name](a, b, mode)
    assert got.dtype == expected.dtype
    atol = 0 if dtype == "int32" else (2e-5 if dtype == "float32" else 1e-12) * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(METHODS), st.integers(0, 2**32 - 1))
def test_torch_gives_what_numpy_gives(n, k, method, seed):
    a, b = arrays(seed, "float64", n, k)
    for ours in OURS.values():
        got = ours(torch.from_numpy(a), torch.from_numpy(b), method=method)
        assert isinstance(got, torch.Tensor)
        np.testing.assert_allclose(got.numpy(), ours(a, b, method=method), atol=1e-12)


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["int64", "float64", "complex128"]),
       st.sampled_from(METHODS), st.integers(0, 2**32 - 1))  # fmt: skip
def test_convolution_commutes(n, k, dtype, method, seed):
    f, g = arrays(seed, dtype, n, k)
    left, right = convolve(f, g, method=method), convolve(g, f, method=method)
    np.testing.assert_allclose(left, right, atol=0 if dtype == "int64" else 1e-12)


def test_correlation_turns_round_instead_of_commuting():
    f, g = arrays(0, "complex128", 9, 5)
    np.testing.assert_allclose(correlate(f, g), correlate(g, f)[::-1].conj(), atol=1e-12)
    assert np.abs(correlate(f, g) - correlate(g, f)).max() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_integer_sums_beyond_float64_stay_exact(method):
    a = np.array([2**61, 3, -5] * 100)
    b = np.array([3, 2**40 + 1, 7] * 9)
    np.testing.assert_array_equal(convolve(a, b, method=method), np.convolve(a, b))


def test_unlike_dtypes_promote_as_scipy_does():
    for one, two in [("int32", "float32"), ("uint8", "int8"), ("float32", "complex64"), ("int64", "float16")]:
        a, b = np.ones(5, one), np.ones(3, two)
        assert convolve(a, b).dtype == np.result_type(a, b)


def test_lists_scalars_and_empty_arrays_answer_as_scipy():
    assert convolve([1, 2], [3]).tolist() == [3, 6]
    assert convolve(3, 4) == 12
    assert convolve([], [1.0]).shape == (0,)


@pytest.mark.parametrize("method", ["auto", "overlap_add", "fft"])
def test_a_nan_in_a_long_signal_touches_only_its_windows(method):
    a, b = arrays(1, "float64", 20_000, 500)
    a[7000] = np.nan
    with (
        pytest.warns(RuntimeWarning, match="Use of fft convolution on NaN")
        if method == "fft"
        else nullcontext()
    ):
        y = convolve(a, b, method=method)
    bad = np.flatnonzero(np.isnan(y))
    np.testing.assert_array_equal(bad, np.arange(7000, 7500))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0], "half"), "acceptable mode flags are .*got .half."),
        (([1.0], [1.0], "full", "magic"), "method flags are auto"),
        (([1.0], [[1.0]]), "same dimensionality"),
        ((np.ones((3, 9)), np.ones((9, 3)), "valid"), "at least as large"),
    ],
)
def test_bad_arguments_are_said(arguments, message):
    with pytest.raises(InputError, match=message):
        convolve(*arguments)


def test_object_arrays_and_mixed_libraries_are_refused():
    with pytest.raises(InputTypeError, match="in1 must hold numbers"):
        convolve(np.array(["a"]), [1.0])
    with pytest.raises(InputTypeError, match="one library"):
        convolve(torch.ones(3), np.ones(2))


def test_short_numpy_calls_never_import_torch():
    code = (
        "import sys, numpy as np, conv1d_kit as c; c.convolve(np.ones(100), np.ones(5)); "
        "c.correlate([1, 2], [3.0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
