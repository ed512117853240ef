"""The range test: on least squares, whose limit is known, it explodes above it and suggests a rate below."""

import math

import pytest
import torch

from conv1d_kit.errors import InputError
from conv1d_kit.training.rate_finder import find_learning_rate


def _half_square(y, target):
    return 0.5 * ((y - target) ** 2).mean()


def _least_squares(eigenvalues, *, n=64, seed=0):
    """A linear net at 0 and full batches whose Hessian XᵀX/n has these eigenvalues; the answer is 1."""
    g = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(n, len(eigenvalues), generator=g, dtype=torch.float64))
    turn, _ = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues), generator=g, dtype=torch.float64))
    x = math.sqrt(n) * left @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64).sqrt()) @ turn.T
    y = x @ torch.ones(len(eigenvalues), 1, dtype=torch.float64)
    net = torch.nn.Linear(len(eigenvalues), 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(net.weight)
    return net, lambda epoch: [((x,), y)]


@pytest.mark.parametrize("top", [0.5, 1.0, 20.0])
def test_it_explodes_above_the_stable_limit_of_least_squares_and_suggests_a_rate_below(top):
    net, batches = _least_squares([top, 0.8 * top, 0.5 * top])
    limit = 2 / top  # gradient descent on ½wᵀHw is stable below 2 / λmax
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    found = find_learning_rate(net, batches, _half_square, sgd, low=1e-4 * limit, high=1e3 * limit)
    assert found.exploded
    assert limit < found.rates[-1] < 30 * limit
    assert 0.01 * limit < found.suggestion < limit


def test_below_the_limit_it_never_stops_early():
    net, batches = _least_squares([4.0, 1.0])
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    found = find_learning_rate(net, batches, _half_square, sgd, low=1e-5, high=0.499, n_steps=60)
    assert not found.exploded
    assert len(found.rates) == len(found.losses) == 60
    assert found.rates[0] == pytest.approx(1e-5)
    assert found.rates[-1] == pytest.approx(0.499)
    steps = torch.tensor(found.rates).log().diff()
    torch.testing.assert_close(steps, torch.full_like(steps, float(steps[0])), rtol=1e-3, atol=1e-5)


def test_without_smoothing_the_losses_are_those_of_a_loop_by_hand():
    net, batches = _least_squares([1.0, 0.3])
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    found = find_learning_rate(net, batches, _half_square, sgd, low=1e-2, high=0.5, n_steps=12, smoothing=0.0)
    ((x,), y) = batches(0)[0]
    w = torch.zeros(2, 1, dtype=torch.float64)
    for rate, loss in zip(found.rates, found.losses, strict=True):
        assert loss == pytest.approx(float(0.5 * ((x @ w - y) ** 2).mean()), rel=1e-9)
        w = w - rate * x.T @ (x @ w - y) / len(x)


def test_net_optimizer_and_generator_stay_as_they_were():
    torch.manual_seed(3)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2)
    )
    x, y = torch.randn(16, 4), torch.arange(16) % 2
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    torch.nn.functional.cross_entropy(net(x), y).backward()
    adam.step()
    net.eval()
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    gradients = [p.grad.clone() for p in net.parameters()]
    moments = [adam.state[p]["exp_avg"].clone() for p in net.parameters()]
    generator = torch.get_rng_state()

    def search():
        return find_learning_rate(
            net, lambda e: [((x,), y)], torch.nn.functional.cross_entropy, adam, n_steps=20
        )

    first = search()
    assert search() == first
    assert not any(m.training for m in net.modules())
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), gradients, strict=True))
    assert all(torch.equal(adam.state[p]["exp_avg"], m) for p, m in zip(net.parameters(), moments, strict=True))
    assert adam.param_groups[0]["lr"] == 0.01
    assert torch.equal(torch.get_rng_state(), generator)


def test_groups_keep_the_ratio_of_their_rates():
    net, batches = _least_squares([1.0])
    still = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    net.register_parameter("still", still)
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    sgd = Watched([{"params": [net.weight], "lr": 0.1}, {"params": [still], "lr": 0.02}])
    found = find_learning_rate(net, batches, _half_square, sgd, n_steps=10)
    assert [a for a, _ in seen] == pytest.approx(list(found.rates))
    assert all(b == pytest.approx(0.2 * a) for a, b in seen)


def test_a_loss_that_never_falls_gives_no_suggestion():
    net = torch.nn.Linear(1, 1)
    x = torch.zeros(4, 1)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    found = find_learning_rate(net, lambda e: [((x,), x)], lambda y, t: 0 * y.sum() + 1, sgd, n_steps=10)
    assert found.suggestion is None


def test_epochs_follow_one_another_until_the_steps_are_taken():
    net, batches = _least_squares([1.0])
    asked = []

    def told(epoch):
        asked.append(epoch)
        return batches(epoch) * 4

    find_learning_rate(net, told, _half_square, torch.optim.SGD(net.parameters(), lr=0.1), n_steps=10)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"low": 0.0}, "low and high must satisfy 0 < low < high, got 0.0"),
        ({"low": 1.0, "high": 0.1}, "low and high"),
        ({"high": math.inf}, "low and high"),
        ({"n_steps": 9}, "n_steps must be an int >= 10, got 9"),
        ({"smoothing": 1.0}, "smoothing must be in"),
    ],
)
def test_wrong_numbers_are_refused(options, words):
    net, batches = _least_squares([1.0])
    with pytest.raises(InputError, match=words):
        find_learning_rate(net, batches, _half_square, torch.optim.SGD(net.parameters(), lr=0.1), **options)


def test_no_batches_and_a_first_loss_that_is_not_finite_are_refused():
    net, batches = _least_squares([1.0])
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(InputError, match="at least one batch"):
        find_learning_rate(net, lambda e: [], _half_square, sgd)
    with pytest.raises(InputError, match="finite before the first step"):
        find_learning_rate(net, batches, lambda y, t: y.sum() * math.nan, sgd)


def test_a_fall_after_the_least_loss_is_no_suggestion():
    curve = iter([5.0, 5.0, 4.9, 4.0, 3.0, 2.9, 9.0, 10.0, 4.0, 4.0])  # steepest at 10 → 4, a recovery

    def told(y, target):
        return 0 * y.sum() + next(curve)

    net, batches = _least_squares([1.0])
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    found = find_learning_rate(net, batches, told, sgd, n_steps=10, smoothing=0.0)
    assert found.losses == pytest.approx((5.0, 5.0, 4.9, 4.0, 3.0, 2.9, 9.0, 10.0, 4.0, 4.0))
    assert found.suggestion == pytest.approx(found.rates[3])
