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
        n_fft = fft_points(method, Geometry((1,), ((199, 199),), (1,), 1), (1, 1, 3000), (1, 1, 200), 4)
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


@pytest.mark.parametrize("method", ["overlap_add", "fft"])
@pytest.mark.parametrize(
    ("dtype", "scale_x", "scale_w"),
    [("float32", 1e-25, 1.0), ("float32", 1e-20, 1e-5), ("float64", 1e-170, 1.0), ("float64", 1e-160, 1e-100),
     ("float64", 1e200, 1e-170), ("complex64", 1e-22, 1.0), ("complex64", 1.0, 1.0),
     ("complex128", 1e-170, 1.0)],
)  # fmt: skip
def test_componentwise_holds_at_every_scale_and_for_complex_numbers(method, dtype, scale_x, scale_w):
    rng = np.random.default_rng(5)
    wide = np.clongdouble if dtype.startswith("complex") else np.longdouble

    def draw(*shape):
        a = rng.standard_normal(shape)
        return a + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else a

    x = (draw(3000) * np.where(np.arange(3000) < 1500, 1e6, 1e-6) * scale_x).astype(dtype)
    w = (draw(200) * scale_w).astype(dtype)
    truth = np.convolve(x.astype(wide), w.astype(wide))
    magnitude = np.convolve(np.abs(x.astype(wide)), np.abs(w.astype(wide)))
    y = conv(x[None], w[None, None], padding="full", flip=True, method=method, precision="componentwise")[0]
    assert np.all(np.abs(y - truth) <= 2 * 200 * np.finfo(dtype).eps * magnitude)


@pytest.mark.parametrize("ratio", [1e-9, 1e-14])
def test_componentwise_sees_a_soft_stretch_far_from_a_loud_one(ratio):
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal(60_000), rng.standard_normal(200)
    x[20_000:] *= ratio
    x[40_000:] *= np.where(np.arange(20_000) % 400 < 200, 1, 1e-9)
    truth, magnitude = exact(x, w)
    y = conv(
        x[None], w[None, None], padding="full", flip=True, method="overlap_add", precision="componentwise"
    )[0]
    assert np.all(np.abs(y - truth) <= 2 * 200 * np.finfo(float).eps * magnitude)


def exact_sums(x, w, bias):
    return [sum(int(a) * int(b) for a, b in zip(x[i : i + len(w)], w, strict=True)) + int(bias)
            for i in range(len(x) - len(w) + 1)]  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("method", ["direct", "overlap_add"])
def test_exact_is_right_or_refused_at_the_edge_of_the_range(dtype, method):
    info, rng = np.iinfo(dtype), np.random.default_rng(7)
    root = int(int(info.max) ** 0.5)
    edges = np.array([info.min, info.max, info.max // 2 + 1, 0, 1, 2, root, root + 1], dtype)
    seen = set()
    for _ in range(150):
        x, w = rng.choice(edges, 4), rng.choice(edges, 2)
        bias = rng.choice(edges, 1)
        truth = exact_sums(x, w, bias[0])
        fits = all(info.min <= t <= info.max for t in truth)
        seen.add(fits)
        call = lambda: conv(x[None], w[None, None], bias, method=method, precision="exact")  # noqa: B023, E731
        if fits:
            assert call()[0].tolist() == truth
        else:
            with pytest.raises(InputError, match="must fit into"):
                call()
    assert seen == {True, False}


def test_exact_large_terms_that_cancel_are_right():
    big = 2**62 + 12_345
    x, w = np.array([big, big, 3], "i8"), np.array([7_654_321, -7_654_321, 1], "i8")
    assert conv(x[None], w[None, None], precision="exact").tolist() == [[3]]
    x = np.array([big, big - 2**42, 3], "i8")
    with pytest.raises(InputError, match="must fit into"):
        conv(x[None], w[None, None], precision="exact")
    x = np.full((1, 3000), 2**31 - 1, "i4")
    w = np.tile([2**31 - 1, -(2**31 - 1)], 1500).astype("i4")[None, None]
    assert conv(x, w, precision="exact").tolist() == [[0]]


def test_exact_counts_the_bias():
    one = np.full((1, 1), 100, "i1")
    with pytest.raises(InputError, match=r"must fit into torch\.int8, got about 200"):
        conv(one, np.ones((1, 1, 1), "i1"), np.array([100], "i1"), precision="exact")
    assert conv(one, np.ones((1, 1, 1), "i1"), np.array([27], "i1"), precision="exact").tolist() == [[127]]
    with pytest.raises(InputError, match=r"must fit into torch\.uint64"):
        conv(np.array([[2**63]], "u8"), np.array([[[2]]], "u8"), precision="exact")
    assert conv(np.array([[2**63]], "u8"), np.array([[[1]]], "u8"), precision="exact").tolist() == [[2**63]]
