"""Logits taken apart, against a loop over filters, windows and slots that shares no code with the product."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.contributions import decompose, output_weights, why_not_exact
from conv1d_kit.text.nets import TextCNN
from conv1d_kit.text.scoring import logits


class Mean(TextCNN):
    """Mean over the windows, after bias and ReLU, in plain torch."""

    pooling = "mean"

    def features(self, ids, lengths):
        rows = []
        for row, n in zip(ids, lengths, strict=True):
            found = []
            for layer in self.layers:
                f, _, k = layer.weight.shape
                if n == 0:
                    found.append(torch.zeros(f))
                    continue
                x = self.embedding(row[:n]).T[None]
                z = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=k - 1)
                found.append(torch.relu(z)[0].mean(1))
            rows.append(torch.cat(found))
        return torch.stack(rows)


class TwoMax(TextCNN):
    """The two largest windows of each filter in the order of the text, then bias and ReLU, in plain torch."""

    pooling = "kmax"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.out = torch.nn.Linear(2 * self.out.in_features, self.out.out_features)

    def features(self, ids, lengths):
        rows = []
        for row, n in zip(ids, lengths, strict=True):
            found = []
            for layer in self.layers:
                x = self.embedding(row[:n]).T[None]
                z = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] - 1)
                at = z[0].topk(2, 1).indices.sort(1).values
                found.append(torch.relu(z[0].gather(1, at)).flatten())
            rows.append(torch.cat(found))
        return torch.stack(rows)


def by_loop(net, ids):
    """{(start, width): shares}, shares of words (L, C), bias: the definition, filter by filter, in float64."""
    emb = net.embedding.weight.detach().double().numpy()
    n_classes, at = net.out.out_features, 0
    weight = net.out.weight.detach().double().numpy()
    windows, words = {}, np.zeros((len(ids), n_classes))
    bias = net.out.bias.detach().double().numpy().copy()
    for layer in net.layers:
        w, b = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
        k = w.shape[2]
        for f in range(len(w)):
            best, best_start = -np.inf, None
            for start in range(1 - k, len(ids)) if len(ids) else ():
                cells = [ids[j] if 0 <= j < len(ids) else 0 for j in range(start, start + k)]
                z = sum(w[f, :, a] @ emb[cells[a]] for a in range(k))
                if z > best + 1e-9:
                    best, best_start = z, start
            if best_start is not None and best + b[f] > 0:
                share = weight[:, at] * (best + b[f])
                key = (best_start, k)
                windows[key] = windows.get(key, 0) + share
                for a in range(k):
                    if 0 <= best_start + a < len(ids):
                        words[best_start + a] += weight[:, at] * (w[f, :, a] @ emb[ids[best_start + a]])
            elif best_start is None:
                bias += weight[:, at] * max(b[f], 0)
            at += 1
    return windows, words, bias


@st.composite
def nets_and_texts(draw):
    widths = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    sizes = {"dim": draw(st.integers(1, 5)), "filters": draw(st.integers(1, 4)), "widths": widths}
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    net = TextCNN(9, draw(st.integers(2, 4)), generator=generator, **sizes)
    with torch.no_grad():
        net.embedding.weight[1:].normal_(0, 1, generator=generator)
    texts = draw(st.lists(st.lists(st.integers(1, 8), max_size=9), min_size=1, max_size=4))
    return net.eval(), [np.array(t, dtype=np.int64) for t in texts]


@settings(max_examples=60, deadline=None)
@given(nets_and_texts())
def test_both_sums_are_the_logit_and_every_part_is_the_loops(case):
    net, texts = case
    true = logits(net, texts)
    for ids, parts, logit in zip(texts, decompose(net, texts), true, strict=True):
        np.testing.assert_allclose(parts.bias + parts.values.sum(0), logit, atol=1e-5)
        np.testing.assert_allclose(parts.token_bias + parts.token_values.sum(0), logit, atol=1e-5)
        assert parts.gap <= 1e-5
        windows, words, bias = by_loop(net, ids)
        np.testing.assert_allclose(parts.token_values, words, atol=1e-5)
        np.testing.assert_allclose(parts.bias, bias, atol=1e-5)
        found = {(int(s), int(k)): v for s, k, v in zip(parts.starts, parts.widths, parts.values, strict=True)}
        for key in set(found) | set(windows):
            np.testing.assert_allclose(found.get(key, 0), windows.get(key, 0), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([Mean, TwoMax]))
def test_mean_and_k_max_are_sums_too(data, kind):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 10**6)))
    net = kind(9, 3, dim=3, filters=4, widths=(2, 3), generator=generator).eval()
    with torch.no_grad():
        net.embedding.weight[1:].normal_(0, 1, generator=generator)
    shortest = 0 if kind is Mean else 1
    texts = data.draw(
        st.lists(st.lists(st.integers(1, 8), min_size=shortest, max_size=7), min_size=1, max_size=3)
    )
    texts = [np.array(t, dtype=np.int64) for t in texts]
    for parts, logit in zip(decompose(net, texts), logits(net, texts), strict=True):
        np.testing.assert_allclose(parts.bias + parts.values.sum(0), logit, atol=1e-5)
        np.testing.assert_allclose(parts.token_bias + parts.token_values.sum(0), logit, atol=1e-5)


def test_mean_pooling_gives_each_window_its_part():
    net = Mean(6, 2, dim=1, filters=1, widths=(1,)).eval()
    with torch.no_grad():
        net.embedding.weight[:, 0] = torch.tensor([0.0, 0, 1, 2, -5, 0])
        net.layers[0].weight.fill_(1)
        net.layers[0].bias.fill_(0)
        net.out.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        net.out.bias.fill_(0)
    (parts,) = decompose(net, [np.array([2, 3, 4, 3])])
    assert parts.starts.tolist() == [0, 1, 3]  # the ReLU is off at token 2
    np.testing.assert_allclose(parts.values[:, 0], [1 / 4, 2 / 4, 2 / 4], atol=1e-6)


def test_of_equal_windows_the_first_wins():
    net = TextCNN(4, 2, dim=2, filters=3, widths=(1,), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        net.layers[0].bias.fill_(5)
    (parts,) = decompose(net, [np.array([3, 3, 3])])
    assert parts.starts.tolist() == [0]
    assert not parts.token_values[1:].any()


def test_filters_that_are_off_give_nothing_and_leave_the_bias():
    net = TextCNN(4, 2, dim=2, filters=3, widths=(1, 2), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.fill_(-100)
    (parts,) = decompose(net, [np.array([2, 3])])
    assert len(parts.starts) == 0
    assert not parts.token_values.any()
    np.testing.assert_allclose(parts.token_bias, net.out.bias.detach(), atol=1e-6)


def test_a_text_of_no_tokens_is_all_bias_alone_and_in_company():
    net = TextCNN(9, 3, dim=4, filters=5, generator=torch.Generator().manual_seed(3)).eval()
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.fill_(0.7)
    empty, full = np.array([], dtype=np.int64), np.array([2, 3, 4])
    for texts in ([empty], [full, empty]):
        parts = decompose(net, texts)[-1]
        assert (len(parts.starts), parts.token_values.shape) == (0, (0, 3))
        np.testing.assert_allclose(parts.bias, logits(net, [empty])[0], atol=1e-6)


def test_no_texts_give_no_parts():
    assert decompose(TextCNN(9, 2, dim=4, filters=3), []) == []


def test_a_net_that_is_no_sum_is_refused_by_what_it_says_of_itself():
    net = TextCNN(9, 2, dim=4, filters=3)
    net.pooling = "attention"
    with pytest.raises(InputError, match=r"pooling 'attention' .*; use integrated gradients"):
        decompose(net, [np.array([2])])
    net.pooling, net.activation = "max", "gelu"
    assert "activation 'gelu'" in why_not_exact(net)
    assert "further layers" in why_not_exact(torch.nn.Linear(2, 2))


def test_a_net_that_computes_something_else_than_it_says_is_found_out():
    class Squared(TextCNN):
        def features(self, ids, lengths):
            return 3 * super().features(ids, lengths) + 1

    net = Squared(9, 2, dim=4, filters=3, generator=torch.Generator().manual_seed(1))
    with pytest.raises(InputError, match=r"no sum over n-grams of this Squared: they differ by"):
        decompose(net, [np.array([2, 3])])


def test_output_weights_are_the_columns_of_each_layer():
    net = TextCNN(9, 2, dim=4, filters=3, widths=(1, 2))
    first, second = output_weights(net)
    np.testing.assert_allclose(first[..., 0], net.out.weight[:, :3].detach())
    np.testing.assert_allclose(second[..., 0], net.out.weight[:, 3:].detach())
