"""What a convolution must obey whatever the numbers: laws over random geometry, 500 examples each."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv, conv_transpose, convolve
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.kernels import METHODS
from conv1d_kit.core.padding import PADDINGS
from conv1d_kit.core.precision import ERROR_CONSTANT
from conv1d_kit.core.spectrum import fft_points

NUMPYS = {
    "zeros": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}
LAW = settings(max_examples=500, deadline=None)
seeds = st.integers(0, 2**32 - 1)
methods = st.sampled_from(sorted(METHODS))
modes = st.sampled_from(["zeros", *PADDINGS])


def numbers(rng, shape, dtype):
    """Random ones, small integers in every dtype, so that integers are exact and the rest nearly so."""
    a = rng.integers(-9, 10, shape) + (1j * rng.integers(-9, 10, shape) if dtype[0] == "c" else 0)
    return a.astype(dtype)


@st.composite
def geometries(draw, axes=(1, 2, 3), dtypes=("float64", "complex128", "int64")):
    """x, w and options that fit, one to three axes."""
    n, groups = draw(st.sampled_from(axes)), draw(st.integers(1, 3))
    size, kernel, pads, stride, dilation = [], [], [], [], []
    for axis in range(n):
        most = (60, 40, 20) if axis == n - 1 else (5, 3, 3)  # the last axis is the long one
        taps, spread = draw(st.integers(1, most[1])), draw(st.integers(1, 3))
        length, low, high = draw(st.integers(1, most[0])), *(draw(st.integers(0, most[2])) for _ in range(2))
        low += max(0, (taps - 1) * spread + 1 - length - low - high)
        size.append(length), kernel.append(taps), pads.append((low, high))
        stride.append(draw(st.integers(1, 4))), dilation.append(spread)
    rng, dtype = np.random.default_rng(draw(seeds)), draw(st.sampled_from(dtypes))
    x = numbers(rng, (draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), *size), dtype)
    w = numbers(rng, (groups * draw(st.integers(1, 2)), x.shape[1] // groups, *kernel), dtype)
    options = {
        "stride": tuple(stride),
        "padding": tuple(pads),
        "dilation": tuple(dilation),
        "groups": groups,
        "padding_mode": draw(modes),
        "method": draw(methods),
    }
    return x, w, options


@LAW
@given(geometries(), st.integers(-5, 5), seeds)
def test_linear_in_the_signal_and_in_the_kernel(geometry, factor, seed):
    x, w, options = geometry
    rng = np.random.default_rng(seed)
    x2, w2 = numbers(rng, x.shape, x.dtype.name), numbers(rng, w.shape, w.dtype.name)
    np.testing.assert_allclose(
        conv(x + factor * x2, w, **options), conv(x, w, **options) + factor * conv(x2, w, **options), atol=1e-8
    )
    np.testing.assert_allclose(
        conv(x, w + factor * w2, **options), conv(x, w, **options) + factor * conv(x, w2, **options), atol=1e-8
    )


@LAW
@given(geometries())
def test_the_output_has_the_published_shape_and_dtype(geometry):
    x, w, options = geometry
    axes = zip(
        x.shape[2:], options["padding"], w.shape[2:], options["dilation"], options["stride"], strict=True
    )
    sizes = [(n + low + high - (k - 1) * d - 1) // s + 1 for n, (low, high), k, d, s in axes]
    y = conv(x, w, **options)
    assert (y.shape, y.dtype) == ((x.shape[0], w.shape[0], *sizes), x.dtype)


@LAW
@given(st.integers(1, 40), st.integers(1, 60), st.integers(-100, 100), methods, seeds)
def test_a_circular_shift_of_the_input_is_one_of_the_output(taps, size, shift, method, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((2, 2, size)), rng.standard_normal((3, 2, taps))
    options = {"padding": "same", "padding_mode": "circular", "method": method}
    shifted = conv(np.roll(x, shift, -1), w, **options)
    np.testing.assert_allclose(shifted, np.roll(conv(x, w, **options), shift, -1), atol=1e-10)


@LAW
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), methods, seeds)
def test_convolution_is_associative(n, k, m, method, seed):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.standard_normal(size) for size in (n, k, m))
    left = convolve(convolve(a, b, method=method), c, method=method)
    np.testing.assert_allclose(left, convolve(a, convolve(b, c, method=method), method=method), atol=1e-10)


@LAW
@given(
    st.integers(1, 60), st.integers(1, 60), methods, st.sampled_from(["int64", "float64", "complex128"]), seeds
)
def test_convolution_commutes(n, k, method, dtype, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-99, 100, (size, 2)) @ (1, 1j if dtype[0] == "c" else 0) for size in (n, k))
    a, b = (v.astype(dtype) if dtype[0] == "c" else v.real.astype(dtype) for v in (a, b))
    np.testing.assert_allclose(
        convolve(a, b, method=method),
        convolve(b, a, method=method),
        rtol=0,
        atol=0 if dtype[0] == "i" else 1e-9,
    )


@LAW
@given(geometries())
def test_every_method_stays_within_the_published_bound_of_the_direct_sum(geometry):
    x, w, options = geometry
    options.pop("method")
    truth = conv(x, w, method="direct", **options)
    pads = ((0, 0), (0, 0), *options["padding"])
    padded = np.pad(x, pads, mode=NUMPYS[options["padding_mode"]])
    for method in METHODS:
        bound = ERROR_CONSTANT * np.finfo(float).eps * (math.log2(4 * padded.shape[-1]) + w[0].size)
        error = np.abs(conv(x, w, method=method, **options) - truth).max()
        exact = x.dtype.kind == "i"
        assert error <= (0 if exact else bound * np.linalg.norm(padded) * np.linalg.norm(w)), method


@LAW
@given(st.integers(1, 600), st.integers(1, 200), st.sampled_from(["float32", "float64"]), seeds)
def test_all_methods_agree_within_the_published_bound(size, taps, dtype, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((1, size)).astype(dtype), rng.standard_normal((1, 1, taps)).astype(dtype)
    truth = np.convolve(x[0].astype(np.longdouble), w[0, 0].astype(np.longdouble))
    norms = np.linalg.norm(x) * np.linalg.norm(w)
    for method in METHODS:
        n_fft = fft_points(method, Geometry((1,), ((taps - 1, taps - 1),), (1,), 1), (1, 1, size), (1, 1, taps))
        eps = np.finfo(dtype).eps
        bound = taps * eps if method == "direct" else ERROR_CONSTANT * eps * math.log2(2 * n_fft)
        error = np.abs(conv(x, w, padding="full", flip=True, method=method)[0] - truth).max()
        assert error <= bound * norms, method


@LAW
@given(geometries(axes=(1,)), seeds)
def test_conv_transpose_is_the_adjoint(geometry, seed):
    x, w, options = geometry
    pad = min(options["padding"][0])
    if x.shape[-1] + 2 * pad < (w.shape[-1] - 1) * options["dilation"][0] + 1:
        return
    options = {k: options[k] for k in ("stride", "dilation", "groups")} | {"padding": pad}
    y = conv(x, w, **options)
    z = numbers(np.random.default_rng(seed), y.shape, y.dtype.name)
    back = conv_transpose(z, w, output_size=x.shape[-1], **options)
    left, right = complex((y * z).sum()), complex((x * back).sum())
    assert abs(left - right) <= 1e-9 * (1 + abs(left))


@pytest.mark.parametrize("method", METHODS)
def test_one_tap_of_one_is_the_identity(method):
    x = np.random.default_rng(0).standard_normal((2, 3, 50))
    np.testing.assert_allclose(conv(x, np.eye(3)[:, :, None], method=method), x, atol=1e-14)
