"""One channel to many by windows laid out: torch's sums and gradients, to the ends and for NaN."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv
from conv1d_kit.core import gradients, kernels
from conv1d_kit.core import windows as module
from conv1d_kit.core.adjoint_cost import gradient_ways
from conv1d_kit.core.cost import Work, direct_way
from conv1d_kit.core.geometry import Geometry
from conv1d_kit.core.kernels import product_numbers
from conv1d_kit.core.windows import by_windows, weight_by_windows


def plain(x, w, g, bias=None):
    x = torch.nn.functional.pad(x, g.pads[0])
    return torch.nn.functional.conv1d(x, w, bias, g.stride, 0, g.dilation)


@settings(deadline=None)
@given(
    n=st.integers(1, 30), taps=st.integers(1, 9), stride=st.integers(1, 4), dilation=st.integers(1, 3),
    low=st.integers(0, 6), high=st.integers(0, 6), batch=st.integers(0, 3), n_out=st.integers(1, 5),
    a_round=st.sampled_from([1, 10, 40, 1 << 19]), biased=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_they_equal_torchs(n, taps, stride, dilation, low, high, batch, n_out, a_round, biased, seed):
    g = Geometry((stride,), ((low, high),), (dilation,), 1)
    if n + low + high < (taps - 1) * dilation + 1:
        return
    generator = torch.Generator().manual_seed(seed)
    x, w, bias = (
        torch.randn(s, generator=generator, dtype=torch.float64)
        for s in ((batch, 1, n), (n_out, 1, taps), n_out)
    )
    bias, w = bias if biased else None, w.requires_grad_()
    expected = plain(x, w, g, bias)
    gy = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    before, module.ROUND = module.ROUND, a_round
    try:
        torch.testing.assert_close(by_windows(x, w.detach(), g, bias), expected.detach())
        (gw,) = torch.autograd.grad(expected, w, gy)
        torch.testing.assert_close(weight_by_windows(gy, x, g, taps), gw)
    finally:
        module.ROUND = before


def test_any_strides_of_the_input_serve():
    x = torch.randn(3, 40, 2)[..., 1][:, None, ::2]
    w, g = torch.randn(4, 1, 5), Geometry((3,), ((0, 0),), (2,), 1)
    torch.testing.assert_close(by_windows(x, w, g), plain(x, w, g))


@pytest.fixture
def used(monkeypatch):
    """Which of the two the engine called."""
    calls = []
    for home, f in ((kernels, by_windows), (gradients, weight_by_windows)):
        monkeypatch.setattr(home, f.__name__, lambda *a, f=f: calls.append(f.__name__) or f(*a))
    return calls


FOURIER, FRONT = (
    (402, 400, 160),
    (64, 16, 4),
)  # output channels, taps and stride: a spectrum, a wave's first layer


def leaves(cell, bias=False):
    generator = torch.Generator().manual_seed(0)
    n_out, taps, _ = cell
    sizes = [(4, 1, 16_000), (n_out, 1, taps), *([(n_out,)] if bias else [])]
    return [torch.randn(s, generator=generator) for s in sizes]


@pytest.mark.parametrize("bias", [False, True])
def test_the_engine_goes_this_way_in_training_too(used, bias):
    x, *weights = leaves(FRONT, bias)
    weights = [t.requires_grad_() for t in weights]
    ours = conv(x, *weights, stride=4)
    theirs = torch.nn.functional.conv1d(x, *weights, stride=4)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    gy = torch.randn(ours.shape)
    for a, b in zip(*(torch.autograd.grad(y, weights, gy) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    assert used == ["by_windows", "weight_by_windows"]
    with torch.no_grad():
        torch.testing.assert_close(conv(x, *weights, stride=4), ours.detach())


@pytest.mark.parametrize("spoilt", ["x", "w"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_the_outputs_whose_window_holds_it(used, spoilt, value):
    x, w = leaves(FOURIER)
    (x if spoilt == "x" else w)[0, 0, 399] = value
    found = conv(x, w, stride=160)
    assert used == ["by_windows"]
    expected = torch.nn.functional.conv1d(x, w, stride=160)
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-4)
    assert int((~found.isfinite()).sum()) == (402 * 3 if spoilt == "x" else 4 * 98)


def test_derivatives_of_the_gradient_are_torchs():
    x, w = leaves(FRONT)
    found = []
    for f in (conv, torch.nn.functional.conv1d):
        v = w.clone().requires_grad_()
        (gw,) = torch.autograd.grad(f(x, v, stride=4).square().mean(), v, create_graph=True)
        found += torch.autograd.grad(gw.square().sum(), v)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-6)


def test_many_gradients_at_once():
    x, w = leaves(FRONT)
    w.requires_grad_()
    gy = torch.randn(2, 4, 64, 3997)
    found = [
        torch.autograd.grad(f(x, w, stride=4), w, gy, is_grads_batched=True)[0]
        for f in (conv, torch.nn.functional.conv1d)
    ]
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "itemsize"),
    [((4, 2, 16_000), (402, 2, 400), 4), ((4, 1, 16_000), (402, 1, 400), 8), ((4, 1, 16_000), (1, 1, 400), 4),
     ((4, 1, 100, 100), (64, 1, 3, 3), 4)],
)  # fmt: skip
def test_other_shapes_never_go_this_way(x_shape, w_shape, itemsize):
    n = len(x_shape) - 2
    work = Work(x_shape, w_shape, Geometry((1,) * n, ((0, 0),) * n, (1,) * n, 1), itemsize, True)
    assert direct_way(work) != "windows"
    assert "windows" not in (gradient_ways(work) or ())


def test_what_is_held_is_counted():
    g = Geometry((160,), ((0, 0),), (1,), 1)
    assert product_numbers((4, 1, 16_000), (402, 1, 400), g, torch.float32) == 4 * 98 * 400
    assert product_numbers((400, 1, 16_000), (402, 1, 400), g, torch.float32) == module.ROUND
