"""The error of each method against long double sums, and what each precision promises."""

import math

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.precision import ERROR_CONSTANT
from conv1d_kit.core.spectrum import fft_points
from conv1d_kit.errors import InputError


def exact(x, w):
    """Full convolution in long double, and the sum of magnitudes."""
    x, w = x.astype(np.longdouble), w.astype(np.longdouble)
    return np.convolve(x, w), np.convolve(np.abs(x), np.abs(w))


def signals():
    rng = np.random.default_rng(0)
    yield "noise", rng.standard_normal(3000), rng.standard_normal(200)
    yield "constant", np.ones(3000), np.ones(200)
    yield "click", np.eye(1, 3000, 1500)[0], rng.standard_normal(200)
    yield "tone", np.sin(np.arange(3000) * 0.3), np.sin(np.arange(200) * 0.3)
    loud = rng.standard_normal(3000) * np.where(np.arange(3000) < 1500, 1e6, 1e-3)
    yield "loud then soft", loud, rng.standard_normal(200)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["overlap_add", "fft"])
def test_normwise_constant_is_as_published(method, dtype):
    worst = 0.0
    for _, x, w in signals():
        x, w = x.astype(dtype), w.astype(dtype)
        n_fft = fft_points(method, Geometry((1,), ((199, 199),), (1,), 1), [200], 3000)
        y = conv(x[None], w[None, None], padding="full", flip=True, method=method)[0]
        error = np.abs(y - exact(x, w)[0]).max()
        worst = max(
            worst,
            float(error / (np.finfo(dtype).eps * math.log2(2 * n_fft) * np.linalg.norm(x) * np.linalg.norm(w))),
        )
    assert worst < ERROR_CONSTANT / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["direct", "overlap_add", "fft"])
@pytest.mark.parametrize("stride", [1, 3])
def test_componentwise_keeps_every_outputs_digits(method, dtype, stride):
    for name, x, w in signals():
        x, w = x.astype(dtype), w.astype(dtype)
        truth, magnitude = exact(x, w)
        y = conv(
            x[None],
            w[None, None],
            padding="full",
            flip=True,
            method=method,
            precision="componentwise",
            stride=stride,
        )[0]
        bound = 2 * 200 * np.finfo(dtype).eps * magnitude[::stride]
        assert np.all(np.abs(y - truth[::stride]) <= bound), name


def test_normwise_alone_would_not_keep_them():
    _, x, w = list(signals())[-1]
    truth, magnitude = exact(x, w)
    y = conv(x[None], w[None, None], padding="full", flip=True, method="fft")[0]
    assert np.any(np.abs(y - truth) > 2 * 200 * np.finfo(float).eps * magnitude)


def test_componentwise_holds_in_batches_groups_and_two_axes():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 4, 5, 600)) * np.where(np.arange(600) < 300, 1e8, 1e-6)
    w = rng.standard_normal((6, 2, 3, 40))
    options = {"groups": 2, "padding": 5, "dilation": (1, 2)}
    truth = conv(x, w, method="direct", **options)
    magnitude = conv(np.abs(x), np.abs(w), method="direct", **options)
    y = conv(x, w, method="overlap_add", precision="componentwise", **options)
    assert np.all(np.abs(y - truth) <= 4 * w[0].size * np.finfo(float).eps * magnitude)


def test_silence_before_an_onset_stays_silent():
    x = np.zeros(20_000, np.float32)
    x[15_000:] = np.random.default_rng(2).standard_normal(5000)
    y = conv(
        x[None], np.ones((1, 1, 300), np.float32), padding="causal", method="fft", precision="componentwise"
    )
    assert np.all(y[0, :15_000] == 0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("method", ["auto", "direct", "overlap_add"])
def test_exact_integers_are_right_or_refused(dtype, method):
    rng = np.random.default_rng(3)
    info = np.iinfo(dtype)
    for top in (2, int(info.max**0.5) // 8 + 1, int(info.max**0.5), info.max):
        low = -top if info.min < 0 else 0
        x = rng.integers(low, top, 60, dtype=dtype, endpoint=True)
        w = rng.integers(low, top, 5, dtype=dtype, endpoint=True)
        truth = [sum(int(x[i + k]) * int(w[k]) for k in range(5)) for i in range(56)]
        if all(info.min <= t <= info.max for t in truth):
            y = conv(x[None], w[None, None], method=method, precision="exact")
            assert y[0].tolist() == truth
        else:
            with pytest.raises(InputError, match=rf"must fit into torch\.{dtype}"):
                conv(x[None], w[None, None], method=method, precision="exact")


def test_exact_is_not_for_floats_and_unknown_precisions_are_said():
    with pytest.raises(InputError, match=r"exact. is for integers, got torch\.float64"):
        conv(np.ones((1, 9)), np.ones((1, 1, 3)), precision="exact")
    with pytest.raises(InputError, match="precision must be normwise, componentwise, exact, got 'high'"):
        conv(np.ones((1, 9)), np.ones((1, 1, 3)), precision="high")


@pytest.mark.parametrize("method", ["overlap_add", "fft"])
def test_componentwise_passes_gradients(method):
    g = torch.Generator().manual_seed(4)
    x = (torch.randn(1, 1, 60, dtype=torch.float64, generator=g) * torch.logspace(0, -25, 60)).requires_grad_()
    w = torch.randn(1, 1, 9, dtype=torch.float64, generator=g, requires_grad=True)
    run = lambda w: conv(x.detach() * 1.0, w, method=method, precision="componentwise")  # noqa: E731
    assert torch.autograd.gradcheck(run, (w,))
