"""Exercise 2: translation invariance hurts where the answer is *where*, and helps where it is *what*."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conv1d_kit.core.pooling import pool
from conv1d_kit.layers import Conv1d

T = 32


class Plain(torch.nn.Module):
    """Convolution with circular borders, ReLU, pooling over all positions, a line: blind to the place."""

    def __init__(self, pooling: str, channels: int = 1):
        super().__init__()
        self.pooling = pooling
        self.conv = Conv1d(channels, 8, 5, padding="same", padding_mode="circular")
        self.line = torch.nn.Linear(8, 2)

    def forward(self, x):
        return self.line(pool(self.conv(x).relu(), kind=self.pooling))


class WithCoordinate(Plain):
    """The same net with one more channel: the position, from −1 to 1."""

    def __init__(self, pooling: str):
        super().__init__(pooling, channels=2)

    def forward(self, x):
        return super().forward(torch.cat([x, torch.linspace(-1, 1, T).expand(len(x), 1, T)], 1))


class Untied(torch.nn.Module):
    """Locality kept, weights not shared: V[i, a] of its own at each position i, then the same line."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(8, T, 5) * 0.4)
        self.line = torch.nn.Linear(8, 2)

    def forward(self, x):
        windows = torch.cat([x[..., -2:], x, x[..., :2]], -1)[:, 0].unfold(-1, 5, 1)  # (B, T, 5)
        return self.line(torch.einsum("bta,dta->bdt", windows, self.weight).relu().mean(-1))


def where_task(n, rng):
    """A bump in the left half (0) or the right half (1), and the twin of each with the bump half a turn on."""
    place = rng.integers(2, T // 2 - 2, n)
    x = rng.normal(0, 0.1, (n, 1, T))
    x[np.arange(n)[:, None], 0, place[:, None] + np.arange(-1, 2)] += [1.0, 2.0, 1.0]
    both = np.concatenate([x, np.roll(x, T // 2, -1)])
    return torch.tensor(both, dtype=torch.float32), torch.arange(2).repeat_interleave(n)


def what_task(n, rng):
    """A pulse up then down (0) or down then up (1), anywhere."""
    x, y = rng.normal(0, 0.3, (n, 1, T)), np.arange(n) % 2
    place = rng.integers(0, T - 1, n)
    x[np.arange(n), 0, place] += 2.0 - 4.0 * y
    x[np.arange(n), 0, place + 1] -= 2.0 - 4.0 * y
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def trained_accuracy(make_net, task, n_train, seed=0, steps=300):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    (x, y), (x_test, y_test) = task(n_train, rng), task(500, rng)
    net = make_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        return (net(x_test).argmax(1) == y_test).double().mean().item()


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_logits_do_not_change_when_the_input_is_shifted(pooling):
    torch.manual_seed(0)
    net = Plain(pooling).double()
    x = torch.randn(4, 1, T, dtype=torch.float64)
    for shift in range(T):
        torch.testing.assert_close(net(x.roll(shift, -1)), net(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_where_task_plain_net_stays_at_chance(pooling):
    """Each test input has a twin of the other class that is its shift: one of the two is always wrong."""
    assert trained_accuracy(lambda: Plain(pooling), where_task, 100) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("make_net", [lambda: WithCoordinate("max"), Untied], ids=["coordinate", "untied"])
def test_where_task_position_aware_net_solves_it(make_net):
    assert trained_accuracy(make_net, where_task, 100) >= 0.95


def test_what_task_shared_weights_win_with_few_examples():
    shared = np.mean([trained_accuracy(lambda: Plain("max"), what_task, 24, seed) for seed in range(3)])
    untied = np.mean([trained_accuracy(Untied, what_task, 24, seed) for seed in range(3)])
    assert shared >= 0.95
    assert untied <= shared - 0.15
