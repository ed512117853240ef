"""The n-gram CNN against torch's own convolution, alone and in company."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.batches import pad
from conv1d_kit.text.nets import TEXT_NETS, TextCNN


def make(name="cnn", **options):
    options = {"dim": 7, "widths": (1, 3, 5), "filters": 4, **options}
    return TEXT_NETS[name](20, 3, **options, generator=torch.Generator().manual_seed(5)).eval()


def texts(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, 20, (n,), generator=generator).numpy() for n in lengths]


def plain_logits(net, ids):
    """One text, torch.nn.functional.conv1d over its padded embeddings, bias and ReLU before the maximum."""
    x = net.embedding.weight[torch.as_tensor(ids)].T[None]
    features = []
    for layer in net.convs:
        k = layer.weight.shape[-1]
        z = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=k - 1)
        features.append(torch.relu(z).amax(-1))
    return net.out(torch.cat(features, 1))[0]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 17])
def test_logits_equal_a_plain_convolution(length):
    net = make()
    (ids,) = texts(length)
    torch.testing.assert_close(net(*pad([ids]))[0], plain_logits(net, ids), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TEXT_NETS)
@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_a_text_alone_gives_what_it_gives_in_any_batch(name, lengths):
    net, rows = make(name), texts(*lengths)
    together = net(*pad(rows))
    for i, row in enumerate(rows):
        torch.testing.assert_close(together[i], net(*pad([row]))[0], atol=1e-5, rtol=0)


def test_what_stands_in_the_padding_is_never_read():
    net = make()
    ids, lengths = pad(texts(2, 9))
    clean = net(ids, lengths)
    ids[0, 2:] = 7  # words where padding should be
    torch.testing.assert_close(net(ids, lengths)[1], clean[1])
    windows = net.features(ids[:, :9], lengths)
    assert torch.isfinite(windows).all()


def test_a_text_without_tokens_gives_the_response_to_silence():
    net = make()
    expected = net.out(torch.relu(torch.cat([layer.bias for layer in net.convs])))
    torch.testing.assert_close(net(*pad(texts(0)))[0], expected)
    torch.testing.assert_close(net(*pad(texts(0, 6)))[0], expected)


def test_gradients_equal_those_of_a_plain_convolution():
    net = make()
    (ids,) = texts(6)
    net(*pad([ids]))[0, 1].backward()
    got = {k: p.grad.to_dense().clone() for k, p in net.named_parameters()}
    net.zero_grad()
    plain_logits(net, ids)[1].backward()
    for key, p in net.named_parameters():
        torch.testing.assert_close(got[key], p.grad, atol=1e-5, rtol=1e-4)


def test_the_embedding_gradient_holds_only_the_words_of_the_batch():
    net = make()
    ids, lengths = pad(texts(4, 6))
    net(ids, lengths).sum().backward()
    grad = net.embedding.weight.grad.coalesce()
    assert set(grad.indices()[0].tolist()) <= set(ids.unique().tolist())


def test_padding_row_is_zero_and_stays_so():
    from conv1d_kit.text.optimizer import RowAdam

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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "widths must be one or more ints >= 1"),
        ({"widths": (0,)}, "widths must be"),
        ({"widths": 3}, "widths must be"),
        ({"dim": 0}, "dim must be an int >= 1, got 0"),
        ({"filters": 2.0}, "filters must be an int >= 1, got 2.0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"word_dropout": -0.1}, "word_dropout must be in"),
        ({"max_norm": 0.0}, "max_norm must be > 0 or None"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        TextCNN(20, 3, **options)
