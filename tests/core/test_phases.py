"""Transposed convolutions by phases: the same sums as torch's, also at the ends, for NaN and in training."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit import conv_transpose
from conv1d_kit.core import transpose
from conv1d_kit.core.adjoint_cost import phases_are_quicker
from conv1d_kit.core.phases import spread_by_phases


@pytest.fixture
def by_phases(monkeypatch):
    """Always by phases, and how often that was."""
    calls = []

    def counted(*args):
        calls.append(args)
        return spread_by_phases(*args)

    monkeypatch.setattr(transpose, "LEAST", 0)
    monkeypatch.setattr(transpose, "phases_are_quicker", lambda *_: True)
    monkeypatch.setattr(transpose, "spread_by_phases", counted)
    return calls


@settings(deadline=None)
@given(
    n=st.integers(1, 12), taps=st.integers(1, 20), stride=st.integers(1, 6), padding=st.integers(0, 9),
    extra=st.integers(0, 5), groups=st.sampled_from([1, 2]), seed=st.integers(0, 99),
)  # fmt: skip
def test_they_equal_torchs(n, taps, stride, padding, extra, groups, seed):
    extra = min(extra, stride - 1)
    size = (n - 1) * stride - 2 * padding + taps + extra
    if size < 1:
        return
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 4, n, generator=generator, dtype=torch.float64)
    w = torch.randn(4, 3, taps, generator=generator, dtype=torch.float64)
    expected = torch.nn.functional.conv_transpose1d(
        x, w, stride=stride, padding=padding, output_padding=extra, groups=groups
    )
    found = spread_by_phases(x, w, stride, padding, size, groups, transpose._convolved)
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("taps", [4, 5])
@pytest.mark.parametrize("spoilt", ["x", "w"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_reaches_its_own_outputs_alone(by_phases, taps, spoilt, value):
    x, w = torch.randn(1, 2, 9, dtype=torch.float64), torch.randn(2, 3, taps, dtype=torch.float64)
    (x if spoilt == "x" else w)[..., 2] = value
    found = conv_transpose(x, w, torch.ones(3, dtype=torch.float64), stride=2, padding=1)
    bias = torch.ones(3, dtype=torch.float64)
    expected = torch.nn.functional.conv_transpose1d(x, w, bias, stride=2, padding=1)
    assert len(by_phases) == 1
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert bool(found.isfinite().any())


def test_they_have_the_derivatives_of_the_sum(by_phases):
    generator = torch.Generator().manual_seed(0)
    args = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True)
            for s in ((2, 2, 5), (2, 3, 7), (3,))]  # fmt: skip

    def run(x, w, bias):
        return conv_transpose(x, w, bias, stride=3, padding=2, output_padding=1)

    assert torch.autograd.gradcheck(run, args)
    assert torch.autograd.gradgradcheck(run, args)
    assert by_phases


def test_compiled_and_transformed_they_are_left_to_torch(by_phases):
    x, w = torch.randn(3, 2, 8), torch.randn(2, 2, 4)
    each = torch.func.vmap(lambda row: conv_transpose(row, w, stride=2))(x)
    assert not by_phases
    torch.testing.assert_close(each, conv_transpose(x, w, stride=2))
    assert len(by_phases) == 1


def test_float16_integers_planes_and_dilation_are_left_to_others(by_phases):
    conv_transpose(torch.ones(1, 1, 8).half(), torch.ones(1, 1, 4).half(), stride=2)
    conv_transpose(torch.ones(1, 1, 8).long(), torch.ones(1, 1, 4).long(), stride=2)
    conv_transpose(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 4, 4), stride=2)
    conv_transpose(torch.ones(1, 1, 8), torch.ones(1, 1, 4), stride=2, dilation=2)
    assert not by_phases


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "stride", "expected"),
    [
        ((1, 32, 4000), (32, 1, 32), 16, True),  # one row, which torch spreads on one thread
        ((1, 16, 4000), (16, 8, 32), 16, True),
        ((1, 1, 4000), (1, 1, 1024), 256, True),
        ((2, 4, 20_000), (4, 4, 4096), 1, True),  # through FFT
        ((8, 256, 100), (256, 128, 4), 2, False),
        ((8, 64, 500), (64, 32, 16), 8, False),
        ((1, 16, 100), (16, 1, 4), 2, False),
    ],
)
def test_they_are_chosen_where_they_are_quicker(x_shape, w_shape, stride, expected):
    assert phases_are_quicker(x_shape, w_shape, stride, 1, 4) is expected
