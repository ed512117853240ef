"""Integrated gradients against integrals that are known, and against very many equal steps."""

import pytest
import torch
from torch import nn

from conv1d_kit.errors import InputError
from conv1d_kit.training.path_integral import integrate_gradients


def _riemann(f, x, baseline, n=4000):
    """The mean gradient at n equal steps, times the way."""
    points = (baseline + (torch.arange(n)[:, None] + 0.5) / n * (x - baseline)).requires_grad_()
    return torch.autograd.grad(f(points).sum(), points)[0].mean(0) * (x - baseline)


def test_a_linear_function_gives_weight_times_way_in_the_first_steps():
    w, x, b = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    found = integrate_gradients(lambda rows: rows @ w, x, b)
    torch.testing.assert_close(found.values, w * (x - b), atol=1e-5, rtol=1e-4)
    assert found.n_steps == 8


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.GELU()])
def test_a_net_agrees_with_thousands_of_equal_steps(activation):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(6, 20), activation, nn.Linear(20, 1))

    def f(rows):
        return net(rows)[:, 0]

    x, baseline = 3 * torch.randn(2, 6)
    found = integrate_gradients(f, x, baseline)
    assert abs(found.gap) <= 1e-2 * abs(found.change)
    torch.testing.assert_close(found.values, _riemann(f, x, baseline), atol=0.05, rtol=0.02)


def test_steps_gather_where_a_logarithm_of_power_leaves_its_floor():
    def f(rows):
        return torch.log(rows.square().sum(1) + 1e-8)

    found = integrate_gradients(f, torch.ones(5), torch.zeros(5))
    assert abs(found.gap) <= 1e-2 * abs(found.change)
    assert found.n_steps < 300
    torch.testing.assert_close(found.values, torch.full((5,), found.change / 5), rtol=0.02, atol=0)


def test_a_limit_of_steps_is_kept_and_the_gap_says_what_is_left_open():
    def f(rows):
        return torch.sin(200 * rows[:, 0])

    found = integrate_gradients(f, torch.tensor([1.0]), torch.tensor([0.0]), max_steps=16)
    assert found.n_steps <= 16
    assert found.gap == pytest.approx(float(found.values.sum()) - found.change)
    assert abs(found.gap) > 1e-2 * abs(found.change)


def test_no_way_gives_no_shares():
    found = integrate_gradients(lambda rows: rows.sum(1), torch.ones(3), torch.ones(3))
    assert (found.values.abs().sum(), found.change, found.gap) == (0, 0, 0)


def test_shapes_and_tolerance_are_checked():
    with pytest.raises(InputError, match=r"shape of x, \(3,\), got \(2,\)"):
        integrate_gradients(lambda rows: rows.sum(1), torch.ones(3), torch.ones(2))
    with pytest.raises(InputError, match="tolerance must be > 0, got 0"):
        integrate_gradients(lambda rows: rows.sum(1), torch.ones(3), torch.ones(3), tolerance=0)
