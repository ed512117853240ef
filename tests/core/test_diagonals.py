"""Few output channels by one matrix product and its diagonals: the same sums, also at the ends and for NaN."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv
from conv1d_kit.core import diagonals as module
from conv1d_kit.core import kernels
from conv1d_kit.core.cost import Work, direct_way
from conv1d_kit.core.diagonals import diagonals
from conv1d_kit.core.geometry import Geometry


def plain(x, w, g, bias=None):
    x = torch.nn.functional.pad(x, g.pads[0])
    return torch.nn.functional.conv1d(x, w, bias, g.stride, 0, g.dilation, g.groups)


@settings(deadline=None)
@given(
    n=st.integers(1, 30), taps=st.integers(1, 9), stride=st.integers(1, 4), dilation=st.integers(1, 3),
    low=st.integers(0, 6), high=st.integers(0, 6), groups=st.sampled_from([1, 2]), batch=st.integers(0, 3),
    a_round=st.sampled_from([1, 40, 300, 1 << 20]), seed=st.integers(0, 99),
)  # fmt: skip
def test_they_equal_torchs(n, taps, stride, dilation, low, high, groups, batch, a_round, seed):
    g = Geometry((stride,), ((low, high),), (dilation,), groups)
    if n + low + high < (taps - 1) * dilation + 1:
        return
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 6, n, generator=generator, dtype=torch.float64)
    w = torch.randn(2, 6 // groups, taps, generator=generator, dtype=torch.float64)
    before, module.ROUND = module.ROUND, a_round
    try:
        torch.testing.assert_close(diagonals(x, w, g), plain(x, w, g))
    finally:
        module.ROUND = before


@pytest.fixture
def used(monkeypatch):
    """How often the engine went this way."""
    calls = []
    monkeypatch.setattr(kernels, "diagonals", lambda *args: calls.append(args) or diagonals(*args))
    return calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [False, True])
def test_the_engine_goes_this_way_in_training_too(used, dtype, bias):
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(s, generator=generator, dtype=dtype, requires_grad=True)
              for s in ((2, 64, 9000), (1, 64, 7), (1,))]  # fmt: skip
    if not bias:
        leaves.pop()
    g = Geometry((1,), ((3, 3),), (1,), 1)
    ours, theirs = conv(*leaves, padding=3), plain(*leaves[:2], g, *leaves[2:])
    assert len(used) == 1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-2)
    with torch.no_grad():
        torch.testing.assert_close(conv(*leaves, padding=3), ours.detach())
    assert len(used) == 2


@pytest.mark.parametrize("spoilt", ["x", "w"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_the_outputs_that_it_reaches_by_torchs_kernel(used, spoilt, value):
    x, w = torch.randn(1, 64, 9000), torch.randn(1, 64, 7)
    (x if spoilt == "x" else w)[0, 3, 4] = value
    found = conv(x, w, padding=3)
    assert len(used) == 1
    expected = torch.nn.functional.conv1d(x, w, padding=3)
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-4)
    assert spoilt == "w" or int(found.isfinite().sum()) == 9000 - 7


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "groups", "expected"),
    [
        ((1, 64, 48_000), (1, 64, 7), 1, True),
        ((8, 256, 1000), (1, 256, 7), 1, True),
        ((8, 32, 16_000), (4, 16, 8), 2, True),
        ((8, 64, 4000), (64, 64, 5), 1, False),
        ((8, 64, 4000), (16, 64, 5), 1, False),
        ((2, 8, 96_000), (8, 8, 64), 1, False),
        ((1, 32, 100), (2, 32, 5), 1, False),
        ((8, 64, 4000), (64, 1, 9), 64, False),
        ((8, 64, 4000), (0, 64, 9), 1, False),
        ((8, 0, 4000), (4, 0, 9), 1, False),
    ],
)
def test_they_are_chosen_where_they_are_quicker(x_shape, w_shape, groups, expected):
    g = Geometry((1,), ((0, 0),), (1,), groups)
    assert (direct_way(Work(x_shape, w_shape, g, 4, True)) == "diagonals") is expected


def test_memory_is_that_of_a_round():
    from memory import peak_bytes

    x, w = torch.randn(1, 16, 1_000_000), torch.randn(4, 16, 9)
    g = Geometry((1,), ((0, 0),), (1,), 1)
    assert peak_bytes(lambda: diagonals(x, w, g)) < 4 * 4 * 1_000_000 + 16 * module.ROUND


@pytest.mark.parametrize("trains", [False, True])
def test_many_biases_at_once(trains):
    generator = torch.Generator().manual_seed(0)
    x, w, bias = (torch.randn(s, generator=generator) for s in ((2, 64, 3000), (1, 64, 7), (4, 1)))
    w.requires_grad_(trains)
    found = torch.func.vmap(lambda b: conv(x, w, b))(bias)
    expected = torch.stack([torch.nn.functional.conv1d(x, w, b) for b in bias])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_long_dilation_is_no_case_for_rounds():
    def quicker(dilation):
        g = Geometry((1,), ((0, 0),), (dilation,), 1)
        return direct_way(Work((1, 64, 200_000), (1, 64, 7), g, 4, True)) == "diagonals"

    assert quicker(1)
    assert quicker(2000)
    assert not quicker(25_000)
