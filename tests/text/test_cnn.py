"""The n-gram CNN against torch's own convolution, for every pooling, activation and embedding."""

import pytest
import torch
from torch.nn import functional

from conv1d_kit.text.batches import pad
from conv1d_kit.text.cnn import TextCNN
from conv1d_kit.text.net_options import ACTIVATIONS, NetOptions
from conv1d_kit.text.optimizer import RowAdam

POOLINGS = ("max", "2-max", "5-max", "mean", "attention", "log_sum_exp")


def make(**options):
    options = {"dim": 7, "widths": (1, 3, 5), "filters": 4, **options}
    generator = torch.Generator().manual_seed(5)
    net = TextCNN(20, 3, NetOptions(**options), generator=generator)
    for pool in net.pools:
        for query in pool.parameters():
            torch.nn.init.normal_(query, generator=generator)
    return net.eval()


def texts(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 20, (n,), generator=generator).numpy() for n in lengths]


def pooled(y, name, query):
    """Pooling of one text's responses (filters, windows), written out a filter at a time."""
    if name.endswith("-max"):
        k = int(name[:-4])
        rows = []
        for row in y:
            places = sorted(range(len(row)), key=lambda i: (-row[i].item(), i))[:k]
            rows += [row[i] for i in sorted(places)]
        return torch.stack(rows)
    if name == "attention":
        share = functional.softmax(query @ y / len(y) ** 0.5, 0)
        return y @ share
    if name == "log_sum_exp":
        return y.exp().mean(1).log()
    return y.mean(1) if name == "mean" else y.amax(1)


def plain_logits(net, ids, pooling="max", activation=torch.relu, matrix=None):
    """One text: torch's conv1d over its padded embeddings, bias and activation, and only then the pooling."""
    x = (net.embedding.weight if matrix is None else matrix)[torch.as_tensor(ids)].T[None]
    features = []
    for layer, pool in zip(net.convs, net.pools, strict=True):
        k = layer.weight.shape[-1]
        y = activation(functional.conv1d(x, layer.weight, layer.bias, padding=k - 1))[0]
        features.append(pooled(y, pooling, getattr(pool, "query", None)))
    return net.out(torch.cat(features))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 17])
def test_logits_equal_a_plain_convolution(pooling, length):
    if pooling == "5-max" and length < 5:
        pytest.skip("the width of 1 has fewer than 5 windows: see the test of those")
    if pooling == "2-max" and length < 2:
        pytest.skip("the width of 1 has one window")
    net = make(pooling=pooling)
    (ids,) = texts(length)
    torch.testing.assert_close(net(*pad([ids]))[0], plain_logits(net, ids, pooling), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("pooling", ["max", "3-max", "mean"])
def test_pooling_before_an_increasing_activation_changes_nothing(activation, pooling):
    net = make(pooling=pooling, activation=activation)
    (ids,) = texts(12)
    expected = plain_logits(net, ids, pooling, ACTIVATIONS[activation])
    torch.testing.assert_close(net(*pad([ids]))[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_increasing(name):
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    assert (ACTIVATIONS[name](x).diff() >= 0).all()


def test_windows_of_zeros_fill_what_k_max_misses():
    net = make(pooling="3-max", widths=(1,))
    (ids,) = texts(2)
    (layer,) = net.convs
    x = functional.pad(net.embedding.weight[torch.as_tensor(ids)].T, (0, 1))  # one more position of zeros
    y = torch.relu(functional.conv1d(x[None], layer.weight, layer.bias))[0]
    torch.testing.assert_close(net(*pad([ids]))[0], net.out(y.flatten()), atol=1e-5, rtol=1e-5)


def test_two_channels_are_the_sum_of_the_filters_over_each():
    net = make(embedding="multichannel")
    net.set_vectors(torch.randn(20, 7, generator=torch.Generator().manual_seed(3)))
    with torch.no_grad():
        net.embedding.weight[1:] *= 0.3  # as if it had learned
    (ids,) = texts(9)
    features = []
    for layer in net.convs:
        z = sum(
            functional.conv1d(m[torch.as_tensor(ids)].T[None], layer.weight, padding=layer.weight.shape[-1] - 1)
            for m in (net.embedding.weight, net.embedding.fixed)
        )
        features.append(torch.relu(z + layer.bias[:, None]).amax(-1)[0])
    torch.testing.assert_close(net(*pad([ids]))[0], net.out(torch.cat(features)), atol=1e-5, rtol=1e-5)


def test_a_text_without_tokens_gives_the_response_to_silence():
    net = make()
    expected = net.out(torch.relu(torch.cat([layer.bias for layer in net.convs])))
    torch.testing.assert_close(net(*pad(texts(0)))[0], expected)
    torch.testing.assert_close(net(*pad(texts(0, 6)))[0], expected)


@pytest.mark.parametrize("pooling", ["mean", "attention", "log_sum_exp"])
def test_a_mean_over_no_window_is_zero(pooling):
    net = make(pooling=pooling)
    assert (net.features(*pad(texts(0, 6)))[0] == 0).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_equal_those_of_a_plain_convolution(pooling):
    net = make(pooling=pooling)
    (ids,) = texts(6)
    net(*pad([ids]))[0, 1].backward()
    got = {k: p.grad.to_dense().clone() for k, p in net.named_parameters()}
    net.zero_grad()
    plain_logits(net, ids, pooling)[1].backward()
    for key, p in net.named_parameters():
        torch.testing.assert_close(got[key], p.grad, atol=1e-5, rtol=1e-4)


def test_the_embedding_gradient_holds_only_the_words_of_the_batch():
    net = make()
    ids, lengths = pad(texts(4, 6))
    net(ids, lengths).sum().backward()
    grad = net.embedding.weight.grad.coalesce()
    assert set(grad.indices()[0].tolist()) <= set(ids.unique().tolist())


def test_the_weights_at_the_start_are_those_of_the_recipe():
    """Normal embeddings, then filters and classes uniform in ±1/√fan-in, drawn in this order."""
    net = TextCNN(30, 3, generator=torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    embedding = torch.empty(30, 200).normal_(0, 0.05, generator=generator)
    embedding[0] = 0
    assert torch.equal(net.embedding.weight, embedding)
    for layer, fan_in in ((net.convs[0], 600), (net.convs[1], 800), (net.convs[2], 1000), (net.out, 300)):
        for tensor in (layer.weight, layer.bias):
            bound = fan_in**-0.5
            assert torch.equal(tensor, torch.empty(tensor.shape).uniform_(-bound, bound, generator=generator))


def test_padding_row_is_zero_and_stays_so():
    net = make().train()
    optimizer = RowAdam(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net(*pad(texts(2, 5))).square().sum().backward()
        optimizer.step()
    assert (net.embedding.weight[0] == 0).all()


def test_output_rows_are_clipped_only_above_the_bound():
    net = make(max_norm=3.0)
    with torch.no_grad():
        net.out.weight.copy_(torch.randn(net.out.weight.shape, generator=torch.Generator().manual_seed(2)))
        net.out.weight.mul_(torch.tensor([[1.0], [0.5], [0.0]]) / net.out.weight.norm(dim=1, keepdim=True))
        net.out.weight.mul_(torch.tensor([[6.0], [2.0], [1.0]]))
    before = net.out.weight.detach().clone()
    net.constrain()
    torch.testing.assert_close(net.out.weight[0], before[0] / 2)
    assert torch.equal(net.out.weight[1:], before[1:])


def test_word_dropout_acts_in_training_only():
    net = make(word_dropout=0.5, dropout=0.0)
    batch = pad(texts(40))
    assert torch.equal(net(*batch), net(*batch))
    net.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(net(*batch), net(*batch))
