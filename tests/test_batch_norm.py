"""Batch norm over rows of several lengths, against torch's own on the rows end to end."""

import pytest
import torch
from torch import nn

from conv1d_kit.batch_norm import MaskedBatchNorm1d, MaskedBatchNorm2d

KINDS = ["1d", "2d", "channels last"]
LENGTHS = [(7, 3, 1), (1,), (5, 0, 5), (2, 2)]


def batch(kind, *lengths, beyond=float("nan"), dtype=torch.float32, channels=3):
    generator = torch.Generator().manual_seed(sum(lengths))
    shape = (len(lengths), channels, *([4] if kind != "1d" else []), max(lengths))
    x = torch.randn(shape, generator=generator, dtype=dtype) * 2 + 1
    for row, n in enumerate(lengths):
        x[row, ..., n:] = beyond
    return laid(kind, x), torch.tensor(lengths)


def laid(kind, x):
    return x.contiguous(memory_format=torch.channels_last) if kind == "channels last" else x


def pair(kind, dtype=torch.float32, channels=3):
    ours, plain = (MaskedBatchNorm1d, nn.BatchNorm1d) if kind == "1d" else (MaskedBatchNorm2d, nn.BatchNorm2d)
    layers = ours(channels).to(dtype).train(), plain(channels).to(dtype).train()
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(torch.linspace(0.5, 2, channels))
            layer.bias.copy_(torch.linspace(-1, 3, channels))
    return layers


def joined(x, lengths):
    return torch.cat([x[i, ..., :k] for i, k in enumerate(lengths)], -1)[None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_statistics_are_those_of_the_rows_end_to_end(kind, lengths):
    x, n = batch(kind, *lengths)
    norm, plain = pair(kind)
    y = norm(x, n)
    if lengths == (1,) and kind == "1d":  # torch refuses a single position
        torch.testing.assert_close(y[0, :, 0], norm.bias.detach())
        return
    torch.testing.assert_close(joined(y, lengths), plain(joined(x, lengths)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.running_var, plain.running_var)
    assert norm.num_batches_tracked == 1
    assert all((y[i, ..., k:] == 0).all() for i, k in enumerate(lengths))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, (6, 6, 6)])
def test_full_rows_are_torchs(kind, lengths):
    x, n = batch(kind, 6, 6, 6)
    norm, plain = pair(kind)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = norm(a, None if lengths is None else n), plain(b)
    torch.testing.assert_close(y, expected)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(norm.running_var, plain.running_var)
    plain.load_state_dict(norm.state_dict())
    torch.testing.assert_close(norm.eval()(x, n), plain.eval()(x))


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_do_not_see_how_far_a_batch_is_padded(kind):
    x, n = batch(kind, 4, 2, 3)
    wide = laid(kind, torch.cat([x, torch.full((*x.shape[:-1], 20), 1e9)], -1))
    (one, _), (other, _) = pair(kind), pair(kind)
    torch.testing.assert_close(one(x, n), other(wide, n)[..., :4])
    torch.testing.assert_close(one.running_var, other.running_var)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [(50, 50), (50, 10), (1, 50)])
def test_a_large_mean_costs_no_digits(kind, lengths):
    x, n = batch(kind, *lengths)
    norm, plain = pair(kind)
    expected = plain.double()(joined(x.double(), lengths)).float()
    torch.testing.assert_close(joined(norm(x + 1000, n), lengths), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_nothing_teaches_nothing(kind):
    norm, _ = pair(kind)
    x, n = batch(kind, 1, 1)
    y = norm(x.fill_(torch.nan), torch.zeros_like(n))
    assert (y == 0).all()
    assert (norm.running_mean == 0).all()
    assert (norm.running_var == 1).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_gradients_are_those_of_torchs_batch_norm(kind, lengths):
    x, n = batch(kind, *lengths, beyond=5.0, dtype=torch.float64)
    norm, plain = pair(kind, torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = norm(a, n)
    weights = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (y * weights).sum().backward()
    if lengths == (1,) and kind == "1d":
        assert a.grad.abs().max() < 1e-12
        return
    (plain(joined(b, lengths)) * joined(weights, lengths)).sum().backward()
    torch.testing.assert_close(a.grad, b.grad)
    torch.testing.assert_close(norm.weight.grad, plain.weight.grad)
    torch.testing.assert_close(norm.bias.grad, plain.bias.grad)
    assert torch.autograd.gradcheck(lambda x, w, c: with_weights(norm, x, w, c, n), (a, norm.weight, norm.bias))


def with_weights(norm, x, weight, bias, lengths):
    return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x, lengths))


@pytest.mark.parametrize("kind", KINDS)
def test_the_input_and_what_pads_it_stay_as_they_were(kind):
    x, n = batch(kind, 5, 2, beyond=7.0)
    kept = x.clone()
    norm, _ = pair(kind)
    a = x.requires_grad_()
    norm(a, n).relu_().sum().backward()
    assert torch.equal(a.detach(), kept)
    assert (a.grad[1, ..., 2:] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_no_rows_stays_one(kind):
    x, n = batch(kind, 3)
    norm, _ = pair(kind)
    assert norm(x[:0], n[:0]).shape == x[:0].shape
    assert norm(x[:0]).shape == x[:0].shape
    assert (norm.running_var == 1).all()


def test_layout_is_kept():
    x, n = batch("channels last", 6, 3, beyond=0.0)
    norm, _ = pair("2d")
    a = x.requires_grad_()
    y = norm(a, n)
    y.square().sum().backward()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert norm.eval()(x, n).is_contiguous(memory_format=torch.channels_last)


def test_momentum_none_is_the_mean_of_all_batches():
    norm, plain = MaskedBatchNorm1d(3, momentum=None), nn.BatchNorm1d(3, momentum=None)
    for seed in range(3):
        x = torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(seed))
        norm(x, torch.tensor([9, 9])), plain(x)
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.running_var, plain.running_var)


def test_half_precision_maps_are_normalised_in_full():
    x, n = batch("2d", 6, 3, beyond=0.0)
    norm, _ = pair("2d")
    half = norm(x.bfloat16(), n)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, norm(x.bfloat16().float(), n))


@pytest.mark.parametrize(("kind", "shape", "expected"), [("2d", (2, 3, 5), "4D"), ("1d", (2, 3), "3D")])
def test_another_number_of_axes_is_refused(kind, shape, expected):
    with pytest.raises(ValueError, match=f"expected {expected} input"):
        pair(kind)[0](torch.zeros(shape))


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_end_where_the_maps_do(kind):
    x, n = batch(kind, 5, 5)
    (one, _), (other, _) = pair(kind), pair(kind)
    torch.testing.assert_close(one(x, n + 9), other(x, n))
    torch.testing.assert_close(one.running_var, other.running_var)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"affine": False}, {"track_running_stats": False}])
@pytest.mark.parametrize("training", [True, False])
def test_without_weights_or_running_statistics_it_is_torchs_on_the_rows_end_to_end(kind, options, training):
    ours, plain = (MaskedBatchNorm1d, nn.BatchNorm1d) if kind == "1d" else (MaskedBatchNorm2d, nn.BatchNorm2d)
    norm, other = (layer(3, **options).double().train(training) for layer in (ours, plain))
    x, n = batch(kind, 7, 3, 1, dtype=torch.float64)
    torch.testing.assert_close(joined(norm(x, n), n.tolist()), other(joined(x, n.tolist())))
    if training and norm.running_mean is not None:
        torch.testing.assert_close(norm.running_var, other.running_var)
