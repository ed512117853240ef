"""Logits taken apart, against a loop over filters, windows and slots that shares no code with the product."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cnn import made_cnn

from conv1d_kit.errors import InputError
from conv1d_kit.text.contributions import decompose, output_weights, why_not_exact
from conv1d_kit.text.scoring import logits


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
    net = made_cnn(9, draw(st.integers(2, 4)), seed=draw(st.integers(0, 10**6)), spread=1.0, **sizes)
    texts = draw(st.lists(st.lists(st.integers(1, 8), max_size=9), min_size=1, max_size=4))
    return net, [np.array(t, dtype=np.int64) for t in texts]


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
@given(st.data(), st.sampled_from(["mean", "2-max"]), st.sampled_from([(2, 3), (1,)]))
def test_mean_and_k_max_are_sums_too(data, pooling, widths):
    seed = data.draw(st.integers(0, 10**6))
    net = made_cnn(9, 3, seed=seed, spread=1.0, dim=3, filters=4, widths=widths, pooling=pooling)
    texts = data.draw(st.lists(st.lists(st.integers(1, 8), max_size=7), min_size=1, max_size=3))
    texts = [np.array(t, dtype=np.int64) for t in texts]
    for parts, logit in zip(decompose(net, texts), logits(net, texts), strict=True):
        np.testing.assert_allclose(parts.bias + parts.values.sum(0), logit, atol=1e-5)
        np.testing.assert_allclose(parts.token_bias + parts.token_values.sum(0), logit, atol=1e-5)


@pytest.mark.parametrize("function", [torch.tanh, torch.sigmoid, torch.nn.functional.softplus])
@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_other_activations_are_shared_out_too(function, pooling):
    net = made_cnn(9, 2, spread=1.0, dim=3, filters=4, widths=(1, 3), pooling=pooling)
    net.activation = function
    plain = net.features

    def features(ids, lengths=None):
        """By hand for one text: windows, bias, activation, pooling."""
        row, found = ids[0, : int(lengths[0])], []
        for layer in net.layers:
            x = net.embedding(row).T[None]
            z = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=layer.weight.shape[-1] - 1)
            y = function(z)[0]
            found.append(y.amax(1) if pooling == "max" else y.mean(1))
        return torch.cat(found)[None]

    net.features = features
    assert plain is not features
    ids = np.array([2, 3, 4, 3, 1])
    (parts,) = decompose(net, [ids])
    np.testing.assert_allclose(parts.bias + parts.values.sum(0), logits(net, [ids])[0], atol=1e-5)
    np.testing.assert_allclose(parts.token_bias + parts.token_values.sum(0), parts.logits, atol=1e-5)


def test_mean_pooling_gives_each_window_its_part():
    net = made_cnn(6, 2, dim=1, filters=1, widths=(1,), pooling="mean")
    with torch.no_grad():
        net.embedding.weight[:, 0] = torch.tensor([0.0, 0, 1, 2, -5, 0])
        net.layers[0].weight.fill_(1)
        net.layers[0].bias.fill_(0)
        net.out.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        net.out.bias.fill_(0)
    (parts,) = decompose(net, [np.array([2, 3, 4, 3])])
    assert parts.starts.tolist() == [0, 1, 3]  # the ReLU is off at token 2
    np.testing.assert_allclose(parts.values[:, 0], [1 / 4, 2 / 4, 2 / 4], atol=1e-6)


def test_an_empty_place_of_a_k_max_is_bias():
    net = made_cnn(6, 2, spread=1.0, dim=2, filters=3, widths=(1,), pooling="2-max")
    with torch.no_grad():
        net.layers[0].bias.fill_(4)
    (parts,) = decompose(net, [np.array([3])])
    second = output_weights(net)[0][..., 1].sum(1) * 4
    np.testing.assert_allclose(parts.bias, net.out.bias.detach().numpy() + second, atol=1e-5)


def test_of_equal_windows_the_first_wins():
    net = made_cnn(4, 2, dim=2, filters=3, widths=(1,))
    with torch.no_grad():
        net.layers[0].bias.fill_(5)
    (parts,) = decompose(net, [np.array([3, 3, 3])])
    assert parts.starts.tolist() == [0]
    assert not parts.token_values[1:].any()


def test_filters_that_are_off_give_nothing_and_leave_the_bias():
    net = made_cnn(4, 2, dim=2, filters=3, widths=(1, 2))
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.fill_(-100)
    (parts,) = decompose(net, [np.array([2, 3])])
    assert len(parts.starts) == 0
    assert not parts.token_values.any()
    np.testing.assert_allclose(parts.token_bias, net.out.bias.detach(), atol=1e-6)


def test_a_text_of_no_tokens_is_all_bias_alone_and_in_company():
    net = made_cnn(9, 3, dim=4, filters=5)
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.fill_(0.7)
    empty, full = np.array([], dtype=np.int64), np.array([2, 3, 4])
    for texts in ([empty], [full, empty]):
        parts = decompose(net, texts)[-1]
        assert (len(parts.starts), parts.token_values.shape) == (0, (0, 3))
        np.testing.assert_allclose(parts.bias, logits(net, [empty])[0], atol=1e-6)


def test_no_texts_give_no_parts():
    assert decompose(made_cnn(9, 2, dim=4, filters=3), []) == []


def test_a_net_that_is_no_sum_is_refused_by_what_it_says_of_itself():
    net = made_cnn(9, 2, dim=4, filters=3)
    net.options = SimpleNamespace(pooling="attention")
    with pytest.raises(InputError, match=r"pooling 'attention' .*; use integrated gradients"):
        decompose(net, [np.array([2])])
    assert "further layers" in why_not_exact(torch.nn.Linear(2, 2))


def test_a_net_that_computes_something_else_than_it_says_is_found_out():
    net = made_cnn(9, 2, dim=4, filters=3)
    plain = net.features
    net.features = lambda ids, lengths=None: 3 * plain(ids, lengths) + 1
    with pytest.raises(InputError, match=r"no sum over n-grams of this TextCNN: they differ by"):
        decompose(net, [np.array([2, 3])])


def test_output_weights_are_the_columns_of_each_layer():
    net = made_cnn(9, 2, dim=4, filters=3, widths=(1, 2))
    first, second = output_weights(net)
    np.testing.assert_allclose(first[..., 0], net.out.weight[:, :3].detach())
    np.testing.assert_allclose(second[..., 0], net.out.weight[:, 3:].detach())
