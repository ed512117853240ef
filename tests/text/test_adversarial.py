"""Adversarial steps against a loop that moves the embeddings by hand."""

import pytest
import torch

from conv1d_kit.text.adversarial import misled
from conv1d_kit.text.batches import pad
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.nets import TEXT_NETS, NetOptions


def made(**options):
    net = TEXT_NETS["cnn"](20, 2, NetOptions(dim=6, filters=4, dropout=0.0, **options),
                           generator=torch.Generator().manual_seed(1))  # fmt: skip
    ids = [torch.tensor(row).numpy() for row in ([3, 4, 5], [6, 3])]
    return net.train(), pad(ids), torch.tensor([0, 1])


def loss_of(net, batch, targets):
    return torch.nn.functional.cross_entropy(net(*batch), targets)


def test_both_gradients_add_up():
    net, batch, targets = made()
    loss_of(net, batch, targets).backward()
    with misled(net, 0.3):
        loss_of(net, batch, targets).backward()
    got = {k: p.grad.to_dense().clone() for k, p in net.named_parameters()}
    net.zero_grad()
    loss_of(net, batch, targets).backward()
    first = {k: p.grad.to_dense().clone() for k, p in net.named_parameters()}
    net.zero_grad()
    step = first["embedding.weight"]
    with torch.no_grad():
        net.embedding.weight += 0.3 * step / step.norm()
    loss_of(net, batch, targets).backward()
    for key, p in net.named_parameters():
        torch.testing.assert_close(got[key], first[key] + p.grad.to_dense(), rtol=1e-5, atol=1e-7)


def test_the_loss_is_higher_where_the_net_is_misled_and_the_weights_come_back():
    net, batch, targets = made()
    before = net.embedding.weight.detach().clone()
    value = loss_of(net, batch, targets)
    value.backward()
    with misled(net, 0.1):
        assert loss_of(net, batch, targets) > value
    assert torch.equal(net.embedding.weight, before)
    with pytest.raises(RuntimeError, match="stop"), misled(net, 0.1):
        raise RuntimeError("stop")
    assert torch.equal(net.embedding.weight, before)


def test_embeddings_that_do_not_learn_stay():
    net, batch, targets = made(embedding="static")
    before = net.embedding.weight.detach().clone()
    loss_of(net, batch, targets).backward()
    with misled(net, 5.0):
        assert torch.equal(net.embedding.weight, before)


def test_the_classifier_learns_the_order_of_words_with_it():
    texts, labels = make_reviews(800, seed=1)
    options = {"dim": 16, "filters": 20, "widths": (2,), "epochs": 12, "lr": 1e-2}
    model, plain = (TextClassifier(**options, adversarial=a).fit(texts, labels) for a in (0.1, 0.0))
    assert not torch.equal(model.net_.embedding.weight, plain.net_.embedding.weight)
    assert model.score(*make_reviews(200, seed=2)) > 0.85
