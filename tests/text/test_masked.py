"""Batch norm and maxima over texts of several lengths, against torch's own on each text alone."""

import pytest
import torch
from torch import nn

from conv1d_kit.text.masked import MaskedBatchNorm1d, halved, masked, window_max


def batch(*lengths, beyond=float("nan"), channels=3):
    generator = torch.Generator().manual_seed(sum(lengths))
    x = torch.randn(len(lengths), channels, max(lengths), generator=generator) * 2 + 1
    for row, n in enumerate(lengths):
        x[row, :, n:] = beyond
    return x, torch.tensor(lengths)


@pytest.mark.parametrize("lengths", [(7, 3, 1), (1,), (5, 0, 5), (2, 2)])
def test_statistics_are_those_of_the_texts_end_to_end(lengths):
    x, n = batch(*lengths)
    norm, plain = MaskedBatchNorm1d(3).train(), nn.BatchNorm1d(3).train()
    with torch.no_grad():
        for layer in (norm, plain):
            layer.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
            layer.bias.copy_(torch.tensor([0.1, -1.0, 3.0]))
    y = norm(x, n)
    joined = torch.cat([x[i, :, :k] for i, k in enumerate(lengths)], 1)[None]
    if joined.shape[-1] == 1:
        torch.testing.assert_close(y[0, :, 0], norm.bias.detach())
        return
    expected = plain(joined)
    got = torch.cat([y[i, :, :k] for i, k in enumerate(lengths)], 1)[None]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.running_var, plain.running_var)
    assert all((y[i, :, k:] == 0).all() for i, k in enumerate(lengths))


def test_statistics_do_not_see_how_far_a_batch_is_padded():
    x, n = batch(4, 2, 3)
    wide = torch.cat([x, torch.full((3, 3, 20), 1e9)], -1)
    one, other = MaskedBatchNorm1d(3).train(), MaskedBatchNorm1d(3).train()
    torch.testing.assert_close(one(x, n), other(wide, n)[..., :4])
    torch.testing.assert_close(one.running_var, other.running_var)


def test_a_large_mean_costs_no_digits():
    x = torch.randn(4, 3, 50, generator=torch.Generator().manual_seed(0)) + 1000
    expected = nn.BatchNorm1d(3).train()(x)
    torch.testing.assert_close(
        MaskedBatchNorm1d(3).train()(x, torch.full((4,), 50)), expected, atol=1e-3, rtol=0
    )


def test_a_batch_of_nothing_teaches_nothing():
    norm = MaskedBatchNorm1d(3).train()
    y = norm(torch.full((2, 3, 1), torch.nan), torch.tensor([0, 0]))
    assert (y == 0).all()
    assert (norm.running_mean == 0).all()
    assert (norm.running_var == 1).all()


def test_gradients_are_those_of_torchs_batch_norm():
    x, n = batch(6, 2, beyond=0.0)
    x = x.double()
    norm, plain = MaskedBatchNorm1d(3).double().train(), nn.BatchNorm1d(3).double().train()
    weights = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a = x.clone().requires_grad_()
    y = norm(a, n)
    (torch.cat([y[0], y[1, :, :2]], 1) * weights).sum().backward()
    b = x.clone().requires_grad_()
    (plain(torch.cat([b[0], b[1, :, :2]], 1)[None])[0] * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 3), (2, 2), (5, 1)])
@pytest.mark.parametrize("length", range(9))
def test_window_maxima_are_a_loop_over_the_text_alone(size, stride, length):
    x, n = batch(length, 9)
    y, m = window_max(x, n, size=size, stride=stride)
    assert m.tolist() == [-(-length // stride), -(-9 // stride)]
    for row in range(2):
        for j in range(y.shape[-1]):
            first = j * stride - (size - 1) // 2
            window = range(max(0, first), min(int(n[row]), first + size))
            expected = x[row][:, list(window)].amax(1) if j < m[row] else torch.zeros(3)
            torch.testing.assert_close(y[row, :, j], expected)


def test_masked_and_halved_without_lengths():
    x = torch.ones(1, 2, 3)
    assert masked(x, None) is x
    assert halved(None) is None
