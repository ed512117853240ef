"""deconvolve against scipy, dense least squares, and signals that are known."""

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import convolve, deconvolve
from conv1d_kit.core.deconvolve import DECONVOLUTIONS
from conv1d_kit.core.spectrum import fast_length
from conv1d_kit.errors import InputError, InputTypeError

PARAMETERS = {"exact": {}, "tikhonov": {"regularization": 0.1}, "wiener": {"noise_to_signal": 0.1}}


def room(rng, length=400, decay=60.0):
    """A direct sound and an exponentially decaying tail, as a small room has."""
    response = 0.3 * rng.standard_normal(length) * np.exp(-np.arange(length) / decay)
    response[0] = 1.0
    return response


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 40),
    st.sampled_from(["float64", "float32", "complex128", "int64"]),
    st.integers(0, 2**32 - 1),
)
def test_exact_equals_scipy(n, k, dtype, seed):
    rng = np.random.default_rng(seed)
    signal, divisor = (rng.integers(-9, 10, size).astype(float) for size in (n, k))
    if dtype[0] == "c":
        signal = signal + 1j * rng.integers(-9, 10, n)
    signal, divisor = signal.astype(dtype), divisor.astype(dtype)
    divisor[0] = 3 * np.abs(divisor[1:]).sum() + 1  # otherwise quotients grow beyond all digits
    expected_quotient, expected_remainder = scipy.signal.deconvolve(signal, divisor)
    quotient, remainder = deconvolve(signal, divisor)
    assert len(quotient) == len(expected_quotient)
    assert remainder.dtype == expected_remainder.dtype
    np.testing.assert_allclose(quotient, expected_quotient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(remainder, expected_remainder, atol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_exact_undoes_a_convolution(m, k, seed):
    rng = np.random.default_rng(seed)
    x, h = rng.standard_normal(m), 0.4 * rng.standard_normal(k) * np.exp(-np.arange(k))
    h[0] = 1.0
    quotient, remainder = deconvolve(convolve(x, h), h)
    np.testing.assert_allclose(quotient, x, atol=1e-8)
    np.testing.assert_allclose(remainder, 0, atol=1e-8)


def test_exact_is_signal_equals_divisor_times_quotient_plus_remainder():
    signal, divisor = np.array([1.0, 5.0, 2.0, 8.0, 4.0]), np.array([2.0, 1.0, 3.0])
    quotient, remainder = deconvolve(signal, divisor)
    np.testing.assert_allclose(convolve(divisor, quotient) + remainder, signal, atol=1e-12)
    expected, rest = np.polydiv(signal, divisor)
    np.testing.assert_allclose(quotient, expected)
    np.testing.assert_allclose(remainder[-len(rest) :], rest, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("n", [17, 32])
def test_tikhonov_is_the_dense_regularized_least_squares_solution(n, is_complex):
    rng = np.random.default_rng(n)
    signal, divisor = (
        rng.standard_normal(size) + 1j * is_complex * rng.standard_normal(size) for size in (n, 6)
    )
    if not is_complex:
        signal, divisor = signal.real, divisor.real
    weight = 0.3
    matrix = scipy.linalg.circulant(np.pad(divisor, (0, n - 6)))
    stacked = np.vstack([matrix, np.sqrt(weight) * np.eye(n)])
    expected = np.linalg.lstsq(stacked, np.concatenate([signal, np.zeros(n)]), rcond=None)[0]
    x, remainder = deconvolve(signal, divisor, method="tikhonov", regularization=weight, mode="circular")
    np.testing.assert_allclose(x, expected, atol=1e-12)
    np.testing.assert_allclose(remainder, signal - matrix @ expected, atol=1e-12)


@pytest.mark.parametrize(("mode", "length"), [("full", 60), ("causal", 60 + 6 - 1)])
def test_full_and_causal_solve_the_problem_padded_by_zeros(mode, length):
    rng = np.random.default_rng(3)
    signal, divisor, length = rng.standard_normal(60), rng.standard_normal(6), fast_length(length)
    matrix = scipy.linalg.circulant(np.pad(divisor, (0, length - 6)))
    stacked = np.vstack([matrix, np.sqrt(0.3) * np.eye(length)])
    expected = np.linalg.lstsq(stacked, np.pad(signal, (0, 2 * length - 60)), rcond=None)[0]
    x, remainder = deconvolve(signal, divisor, method="tikhonov", regularization=0.3, mode=mode)
    np.testing.assert_allclose(x, expected[: 55 if mode == "full" else 60], atol=1e-12)
    np.testing.assert_allclose(remainder, signal - convolve(x, divisor)[:60], atol=1e-12)


def test_wiener_is_the_dense_minimum_of_the_expected_error():
    rng = np.random.default_rng(4)
    n = 24
    signal, divisor = rng.standard_normal(n), rng.standard_normal(5)
    x_power = 1 + np.cos(np.pi * np.abs(np.fft.fftfreq(n)) * 2)  # at the bins; linear between them below
    matrix = scipy.linalg.circulant(np.pad(divisor, (0, n - 5)))
    prior = scipy.linalg.circulant(np.fft.ifft(x_power + 0.5).real)  # covariance of a stationary x
    expected = prior @ matrix.T @ np.linalg.solve(matrix @ prior @ matrix.T + 0.2 * np.eye(n), signal)
    ratio = 0.2 / (x_power + 0.5)[: n // 2 + 1]
    x, _ = deconvolve(signal, divisor, method="wiener", noise_to_signal=ratio, mode="circular")
    np.testing.assert_allclose(x, expected, atol=1e-10)


def test_a_constant_ratio_is_the_same_as_an_equal_spectrum_or_regularization():
    rng = np.random.default_rng(5)
    signal, divisor = rng.standard_normal(100), rng.standard_normal(9)
    x, _ = deconvolve(signal, divisor, method="wiener", noise_to_signal=0.2)
    for other in (
        deconvolve(signal, divisor, method="wiener", noise_to_signal=[0.2, 0.2, 0.2]),
        deconvolve(signal, divisor, method="tikhonov", regularization=0.2),
    ):
        np.testing.assert_allclose(x, other[0], atol=1e-13)


@pytest.mark.parametrize("mode", ["full", "causal"])
@pytest.mark.parametrize("seed", range(5))
def test_a_signal_blurred_by_a_room_with_noise_is_recovered_better_than_it_was(seed, mode):
    rng = np.random.default_rng(seed)
    x = scipy.signal.lfilter([1.0], [1.0, -0.9], rng.standard_normal(8000))
    h = room(rng)
    heard = convolve(x, h)[: None if mode == "full" else 8000]
    noise = np.sqrt(1e-3 * np.mean(heard**2)) * rng.standard_normal(len(heard))
    ratio = np.mean(noise**2) / np.mean(x**2)
    recorded = heard + noise
    before = np.mean((recorded[:8000] - x) ** 2)
    frequency = np.linspace(0, 0.5, 257)
    power = 1 / np.abs(1 - 0.9 * np.exp(-2j * np.pi * frequency)) ** 2  # of x, which is known here
    errors = {}
    for name, options in {
        "tikhonov": {"method": "tikhonov", "regularization": ratio},
        "wiener": {"method": "wiener", "noise_to_signal": ratio},
        "spectrum": {"method": "wiener", "noise_to_signal": np.mean(noise**2) / power},
    }.items():
        found, _ = deconvolve(recorded, h, mode=mode, **options)
        errors[name] = np.mean((found - x) ** 2)
    assert max(errors.values()) < 0.1 * before
    if mode == "full":  # in "causal" it is the tail cut off, not the noise, that makes most of the error
        assert errors["spectrum"] < errors["wiener"]


def test_exact_lets_noise_grow_where_tikhonov_does_not():
    rng = np.random.default_rng(1)
    x, h = rng.standard_normal(300), np.array([1.0, -2.5, 1.0])  # a zero outside the unit circle
    recorded = convolve(x, h) + 1e-6 * rng.standard_normal(302)
    assert np.abs(deconvolve(recorded, h)[0] - x).max() > 1e6
    assert np.abs(deconvolve(recorded, h, method="tikhonov", regularization=1e-8)[0] - x).max() < 1e-3


@pytest.mark.parametrize("method", sorted(DECONVOLUTIONS))
def test_torch_equals_numpy_and_gradients_flow(method):
    rng = np.random.default_rng(6)
    signal, divisor = rng.standard_normal(20), np.array([2.0, 0.5, -0.3, 0.1])
    options = {"method": method, **PARAMETERS[method]}
    ts, td = (torch.from_numpy(a).requires_grad_() for a in (signal, divisor))
    for got, expected in zip(
        deconvolve(ts, td, **options), deconvolve(signal, divisor, **options), strict=True
    ):
        np.testing.assert_allclose(got.detach().numpy(), expected, atol=1e-12)
    assert torch.autograd.gradcheck(lambda a, b: deconvolve(a, b, **options), (ts, td))


def test_gradients_flow_across_the_blocks_of_a_long_division():
    rng = np.random.default_rng(7)
    signal = torch.from_numpy(rng.standard_normal(290)).requires_grad_()
    divisor = torch.tensor([2.0, 0.5, -0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: deconvolve(a, b)[0][::37], (signal, divisor))


@pytest.mark.parametrize("method", ["tikhonov", "wiener"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32", "float16"])
def test_rows_are_deconvolved_each_and_precision_is_kept(method, dtype):
    rng = np.random.default_rng(8)
    signal, divisor = (
        (9 * rng.standard_normal((3, 50))).astype(dtype),
        (9 * rng.standard_normal(7)).astype(dtype),
    )
    x, remainder = deconvolve(signal, divisor, method=method, **PARAMETERS[method])
    assert x.dtype == {"int32": np.float64, "float16": np.float32}.get(dtype, np.dtype(dtype))
    assert x.shape == (3, 44)
    assert remainder.shape == (3, 50)
    for row, one in zip(signal, x, strict=True):
        alone, _ = deconvolve(row, divisor, method=method, **PARAMETERS[method])
        np.testing.assert_allclose(one, alone, atol=1e-5)


def test_the_caller_s_arrays_stay_as_they_were():
    signal, divisor = np.arange(1.0, 9.0), np.array([2.0, 1.0])
    signal.flags.writeable = divisor.flags.writeable = False
    for method, options in PARAMETERS.items():
        deconvolve(signal, divisor, method=method, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            ([1.0, 2.0], [0.0, 1.0]),
            {},
            r"divisor must not start with 0, got 0.0; divisor\[1:\] starts with 1.0",
        ),
        (([1.0, 2.0], [0.0, 0.0]), {}, "it is all 0"),
        (([1.0, 2.0], [0.0]), {"method": "tikhonov", "regularization": 1.0}, "other than 0"),
        (([1.0, 2.0], [0.0]), {"method": "wiener", "noise_to_signal": 1.0}, "other than 0"),
        (
            ([1.0], [1.0]),
            {"method": "tikhonov", "regularization": -1.0},
            "regularization must be a finite number > 0",
        ),
        (
            ([1.0], [1.0]),
            {"method": "tikhonov", "regularization": 0},
            "regularization must be a finite number > 0",
        ),
        (
            ([1.0], [1.0]),
            {"method": "wiener", "noise_to_signal": np.nan},
            "noise_to_signal must be a finite number",
        ),
        (([1.0], [1.0]), {"method": "wiener", "noise_to_signal": [1.0, -1.0]}, "numbers >= 0"),
        (([1.0, 2.0], [1.0, 1.0]), {"method": "wiener", "noise_to_signal": [1.0, 0.0]}, "above 0 where"),
        (
            ([1.0], [1.0]),
            {"method": "tikhonov", "regularization": np.array([1.0, 2.0])},
            "regularization must be a finite",
        ),
        (([1.0], [1.0]), {"method": "tikhonov", "regularization": [1.0]}, "regularization must be a finite"),
        (([1.0], [1.0]), {"method": "tikhonov", "regularization": {}}, "regularization must be a finite"),
        (([1.0], [1.0]), {"method": "wiener", "noise_to_signal": [None, 1]}, "must hold real numbers"),
        (([1.0], [1.0]), {"method": "wiener", "noise_to_signal": [1j, 1]}, "must hold real numbers"),
        (
            ([1.0], [1.0]),
            {"method": "wiener", "noise_to_signal": torch.tensor([1j, 1])},
            "must hold real numbers",
        ),
        (([1.0], [1.0]), {"method": "wiener", "noise_to_signal": [[1], [2, 3]]}, "array of numbers"),
        (([1.0], [1.0]), {"method": ["exact"]}, "method must be exact, tikhonov, wiener"),
        (([1.0], [1.0]), {"mode": ["full"]}, "mode must be full"),
        (([[1], [2, 3]], [1.0]), {}, "signal must be an array"),
        (([1.0], [1.0]), {"method": "tikhonov"}, "needs regularization"),
        (([1.0], [1.0]), {"method": "wiener", "regularization": 1.0}, "belongs to method 'tikhonov'"),
        (([1.0], [1.0]), {"noise_to_signal": 1.0}, "belongs to method 'wiener'"),
        (([1.0], [1.0]), {"method": "lucy"}, "method must be exact, tikhonov, wiener"),
        (([1.0], [1.0]), {"mode": "causal"}, "mode must be full for method 'exact'"),
        (([1.0], [1.0, 2.0]), {"method": "tikhonov", "regularization": 1.0}, "at least as long as divisor"),
        (([], [1.0]), {}, "Parameter signal must be non-empty"),
        (([1.0], []), {}, "Parameter divisor must be non-empty"),
    ],
)
def test_bad_arguments_are_said(arguments, options, message):
    with pytest.raises(InputError, match=message):
        deconvolve(*arguments, **options)


def test_what_no_tensor_holds_is_refused():
    for bad in (
        None,
        {},
        np.array([1, 2], object),
        np.ma.masked_array([1.0, 2.0], [0, 1]),
        np.ones(2, np.longdouble),
    ):
        with pytest.raises(InputTypeError):
            deconvolve(bad, np.ones(1))
    with pytest.raises(InputTypeError, match="one library"):
        deconvolve(torch.ones(3), np.ones(2))
