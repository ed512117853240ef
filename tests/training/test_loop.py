"""The training loop: it repeats, averages, schedules, and stops on a loss that is not finite."""

import math

import pytest
import torch

from conv1d_kit.errors import InputError
from conv1d_kit.training.loop import WeightAverage, train, warmup_cosine


def _problem(seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 4, generator=g)
    y = (x[:, 0] > 0).long()

    def batches(epoch):
        order = torch.randperm(60, generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(20):
            yield (x[rows],), y[rows]

    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.ReLU(), torch.nn.Linear(8, 2)
    )
    return net, batches


def _run(**options):
    net, batches = _problem()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    settings = {"epochs": 10, "loss": torch.nn.functional.cross_entropy, "optimizer": optimizer, **options}
    return net, optimizer, train(net, batches, **settings)


def test_it_learns_and_tells_each_epoch():
    told = []
    net, _, history = _run(on_epoch=told.append)
    assert [e.number for e in told] == list(range(1, 11))
    assert history.epochs == told
    assert history.losses[-1] < history.losses[0]
    assert history.accuracies[-1] > 0.9
    assert not net.training


def test_the_same_seed_gives_the_same_weights_whatever_the_global_generator():
    a, _, _ = _run(seed=1)
    torch.manual_seed(99)
    b, _, _ = _run(seed=1)
    c, _, _ = _run(seed=2)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(next(a.parameters()), next(c.parameters()))


def test_the_schedule_sets_every_learning_rate():
    seen = []

    def ramp(step, n_steps):
        seen.append(step)
        return (step + 1) / n_steps

    _, optimizer, _ = _run(n_steps=30, schedule=ramp)
    assert seen == list(range(30))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.03)


def test_warmup_cosine_rises_to_one_then_falls_towards_zero():
    values = [warmup_cosine(s, 200) for s in range(200)]
    assert max(values) == 1
    assert values[:10] == sorted(values[:10])
    assert values[10:] == sorted(values[10:], reverse=True)
    assert 0 <= values[-1] < 0.001


def test_the_average_of_weights_is_the_exponential_one_and_ends_in_the_net():
    net = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(net, 0.5)
    expected = float(net.weight.detach())
    for n, value in enumerate([1.0, 2.0, 3.0], 1):
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(net)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    average.copy_to(net)
    assert float(net.weight.detach()) == pytest.approx(expected)
    with pytest.raises(InputError, match="decay"):
        WeightAverage(net, 1.0)


def test_soft_targets_train_and_their_largest_share_counts_as_the_class():
    net, batches = _problem()

    def soft(epoch):
        for inputs, y in batches(epoch):
            yield inputs, torch.nn.functional.one_hot(y, 2) * 0.8 + 0.1

    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    history = train(net, soft, epochs=10, loss=torch.nn.functional.cross_entropy, optimizer=optimizer)
    assert history.accuracies[-1] > 0.9


def test_after_step_may_hold_the_weights():
    def hold(net):
        with torch.no_grad():
            net[0].weight.clamp_(-0.1, 0.1)

    net, _, _ = _run(after_step=hold)
    assert net[0].weight.abs().max() <= 0.1 + 1e-7


def test_no_batches_and_a_loss_that_is_not_finite_are_refused():
    net, _ = _problem()
    optimizer = torch.optim.Adam(net.parameters())
    with pytest.raises(InputError, match="at least one batch"):
        train(net, lambda epoch: [], epochs=1, loss=torch.nn.functional.cross_entropy, optimizer=optimizer)
    bad = [((torch.full((2, 4), math.nan),), torch.tensor([0, 1]))]
    with pytest.raises(InputError, match=r"finite.*epoch 1"):
        train(net, lambda epoch: bad, epochs=1, loss=torch.nn.functional.cross_entropy, optimizer=optimizer)


@pytest.mark.parametrize(("value", "what"), [(math.nan, "weights"), (3e38, "net's output")])
def test_weights_that_end_out_of_range_are_refused_though_every_loss_was_finite(value, what):
    def spoil(net):
        with torch.no_grad():
            net[3].weight.fill_(value)

    net, _ = _problem()
    one = ((torch.full((2, 4), 10.0),), torch.tensor([0, 1]))
    optimizer, loss = torch.optim.Adam(net.parameters()), torch.nn.functional.cross_entropy
    with pytest.raises(
        InputError, match=f"the {what} must stay finite.* epoch 1: training has diverged; try a"
    ):
        train(net, lambda epoch: [one], epochs=1, loss=loss, optimizer=optimizer, after_step=spoil)
