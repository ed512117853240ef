"""Gradients over embeddings: the net runs unchanged, and linear nets give weight times word."""

import numpy as np
import pytest
import torch
from made_cnn import made_cnn

from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.contributions import decompose
from conv1d_kit.text.gradients import WordGradients
from conv1d_kit.text.nets import TEXT_NETS


@pytest.fixture(params=sorted(TEXT_NETS))
def net(request):
    texts = ["not so bad", "good", "bad , a bore", "so good"] * 3
    model = TextClassifier(model=request.param, dim=6, filters=4, epochs=1, seed=2)
    return model.fit(texts, [1, 1, 0, 1] * 3).net_.eval()


IDS = np.array([3, 2, 3, 4, 1])


class Deep(torch.nn.Module):
    """Embedding, two convolutions, mean: a net that is no sum over n-grams."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 5, padding_idx=0)
        self.a, self.b = torch.nn.Conv1d(5, 7, 3, padding=1), torch.nn.Conv1d(7, 6, 3, padding=1)
        self.out = torch.nn.Linear(6, 3)

    def forward(self, ids, lengths):
        x = torch.tanh(self.a(self.embedding(ids).transpose(1, 2)))
        return self.out(torch.tanh(self.b(x)).mean(2))


def test_the_nets_own_embeddings_give_the_nets_own_logits(net):
    gradients = WordGradients(net)
    with torch.no_grad():
        want = net(torch.from_numpy(IDS)[None], torch.tensor([len(IDS)]))
        got = gradients.logits(gradients.embed(IDS)[None].expand(3, -1, -1))
    for row in got:
        torch.testing.assert_close(row, want[0], atol=1e-5, rtol=1e-5)


def test_the_shares_add_up_to_the_change_of_every_net(net):
    found = WordGradients(net).integrated(IDS, 1, 0)
    assert found.values.shape == IDS.shape
    assert found.values.sum() == pytest.approx(found.change + found.gap, abs=1e-5)
    assert abs(found.gap) <= 0.02 * abs(found.change) + 1e-4


def test_the_net_is_left_as_it_was(net):
    net.zero_grad(set_to_none=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    sparse = [m.sparse for m in net.modules() if isinstance(m, torch.nn.Embedding)]
    WordGradients(net).integrated(IDS, 0)
    assert sparse == [m.sparse for m in net.modules() if isinstance(m, torch.nn.Embedding)]
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)
    assert all(p.grad is None for p in net.parameters())


def test_a_deep_net_agrees_with_thousands_of_equal_steps():
    torch.manual_seed(0)
    net = Deep()
    gradients = WordGradients(net)
    found = gradients.integrated(IDS, 2, tolerance=1e-3)
    x = gradients.embed(IDS)
    points = (((torch.arange(2000) + 0.5) / 2000)[:, None, None] * x).requires_grad_()
    (slopes,) = torch.autograd.grad(gradients.logits(points)[:, 2].sum(), points)
    np.testing.assert_allclose(found.values, (slopes.mean(0) * x).sum(1).detach(), atol=2e-3)
    zero = gradients.logits(torch.zeros_like(x)[None])[0, 2].item()
    assert found.baseline == pytest.approx(zero, abs=1e-6)


def test_gradient_times_input_is_the_slope_along_the_word_by_differences():
    torch.manual_seed(1)
    gradients = WordGradients(Deep().double())
    gradients._tables = {k: t.double() for k, t in gradients._tables.items()}
    x, step = gradients.embed(IDS), 1e-6
    got = gradients.times_input(IDS, 1, 0)
    for i in range(len(IDS)):
        moved = x.clone()
        moved[i] *= 1 + step
        rows = gradients.logits(torch.stack([x, moved])).detach()
        difference = rows[:, 1] - rows[:, 0]
        assert got[i] == pytest.approx(float(difference[1] - difference[0]) / step, abs=1e-5)


def test_one_filter_that_is_linear_gives_weight_times_embedding():
    net = made_cnn(5, 2, dim=2, filters=1, widths=(1,))
    with torch.no_grad():
        net.layers[0].bias.fill_(50)  # the ReLU is always on
    gradients = WordGradients(net)
    exact = net.embedding.weight.detach() @ net.layers[0].weight[0, :, 0].detach() * net.out.weight[1, 0].item()
    for found in (gradients.integrated(np.array([3]), 1).values, gradients.times_input(np.array([3]), 1)):
        assert found[0] == pytest.approx(exact[3].item(), abs=1e-5)


def test_a_text_of_no_words_shares_nothing(net):
    empty = np.array([], dtype=np.int64)
    found = WordGradients(net).integrated(empty, 0)
    assert (len(found.values), found.change, found.n_steps) == (0, 0, 0)
    assert np.isfinite(found.baseline)
    assert WordGradients(net).times_input(empty, 0).shape == (0,)


def test_gradient_times_input_is_the_exact_share_of_the_words_where_a_maximum_pools():
    """Between its kinks the net is linear, and the maximum passes one window's gradient on: the same terms."""
    model = TextClassifier(dim=6, filters=4, epochs=2, seed=2, lr=0.02)
    net = model.fit(["not so bad", "good", "bad , a bore", "so good"] * 3, [1, 1, 0, 1] * 3).net_.eval()
    (parts,) = decompose(net, [IDS])
    own = WordGradients(net).times_input(IDS, 1)
    np.testing.assert_allclose(own, parts.token_values[:, 1], atol=1e-5)
    assert np.abs(own).max() > 0.001
