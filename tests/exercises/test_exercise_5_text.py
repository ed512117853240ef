"""Exercise 5: on text a filter of width k is a soft k-gram detector: local order counts, the place does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from conv1d_kit import conv
from conv1d_kit.core.pooling import max_pool
from conv1d_kit.layers import Conv1d

WORDS = ["the", "film", "was", "not", "bad", "good", "at", "all"]
ID = {word: i for i, word in enumerate(WORDS)}


def one_hot(sentence: str) -> np.ndarray:
    """Words as unit vectors, the simplest embedding [shape=(E, L)]."""
    return np.eye(len(WORDS))[[ID[word] for word in sentence.split()]].T


class Net(torch.nn.Module):
    """Embedding → convolution → ReLU → maximum over the positions → line, as in Kim (2014)."""

    def __init__(self, width: int, *, vocabulary: int = 40, padding=0, dilation: int = 1):
        super().__init__()
        self.embed = torch.nn.Embedding(vocabulary, 8)
        self.conv = Conv1d(8, 16, width, padding=padding, dilation=dilation)
        self.line = torch.nn.Linear(16, 2)

    def forward(self, ids):
        return self.line(max_pool(self.conv(self.embed(ids).transpose(1, 2)).relu()))


def test_a_filter_of_width_k_counts_the_words_of_its_k_gram_that_are_in_place():
    w = one_hot("not bad at")[None]  # the 3-gram as a kernel: one filter (1, E, 3)
    y = conv(one_hot("the film was not bad at all"), w)[0]
    assert y.tolist() == [0, 0, 0, 3, 0]
    assert conv(one_hot("the film was bad not at all"), w)[0].max() == 1  # "at" alone stands in its place
    for words in itertools.product(WORDS, repeat=3):
        assert (conv(one_hot(" ".join(words)), w).item() == 3) is (words == ("not", "bad", "at"))


def test_the_detector_is_soft_a_word_nearby_in_the_embedding_scores_nearly_as_high():
    rng = np.random.default_rng(0)
    vectors = {word: v / np.linalg.norm(v) for word, v in zip(WORDS, rng.standard_normal((8, 50)), strict=True)}
    awful = 0.9 * vectors["bad"] + np.sqrt(1 - 0.9**2) * vectors["film"]
    vectors["awful"] = awful / np.linalg.norm(awful)
    w = np.stack([vectors["not"], vectors["bad"]], 1)[None]
    exact, near, far = (
        conv(np.stack([vectors[word] for word in pair], 1), w).item()
        for pair in (("not", "bad"), ("not", "awful"), ("not", "good"))
    )
    assert exact == pytest.approx(2)
    assert 1.8 < near < 2
    assert far < 1.5


def test_width_1_is_a_bag_of_words_no_order_can_change_it():
    torch.manual_seed(0)
    net, ids = Net(1).double(), torch.randint(40, (1, 9))
    for _ in range(20):
        torch.testing.assert_close(net(ids[:, torch.randperm(9)]), net(ids), rtol=0, atol=1e-12)
    wide = Net(2).double()
    assert (wide(ids.flip(1)) - wide(ids)).abs().max() > 1e-3


def order_task(n: int, generator: torch.Generator):
    """Word 1 right before word 2 (class 0) or right after it (class 1), both anywhere among ten others."""
    ids = torch.randint(3, 40, (n, 12), generator=generator)
    place, y = torch.randint(0, 11, (n,), generator=generator), torch.arange(n) % 2
    rows = torch.arange(n)
    ids[rows, place], ids[rows, place + 1] = 1 + y, 2 - y
    return ids, y


def trained_accuracy(net, task, *, n=400, steps=150):
    (ids, y), (ids_test, y_test) = (task(k, torch.Generator().manual_seed(s)) for k, s in ((n, 1), (1000, 2)))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(ids), y).backward()
        optimizer.step()
    with torch.no_grad():
        return (net(ids_test).argmax(1) == y_test).double().mean().item()


def test_where_order_decides_a_bag_of_words_fails_and_width_2_solves_it():
    torch.manual_seed(0)
    assert trained_accuracy(Net(1), order_task) < 0.58  # chance is 0.5, four standard errors are 0.06
    torch.manual_seed(0)
    assert trained_accuracy(Net(2), order_task) >= 0.95


def test_absolute_position_does_not_matter():
    """The same sentence elsewhere among filler: the windows are the same, so the maximum over them is."""
    torch.manual_seed(0)
    net = Net(3).double()
    sentence, filler = torch.randint(1, 40, (1, 7)), torch.zeros(1, 12, dtype=torch.long)
    logits = []
    for start in range(2, 10):
        ids = torch.cat([filler[:, :start], sentence, filler[:, start:]], 1)
        logits.append(net(ids))
    for other in logits[1:]:
        torch.testing.assert_close(other, logits[0], rtol=0, atol=1e-12)


def far_task(n: int, generator: torch.Generator, distance: int = 8):
    """Word 1 eight words before word 2 (class 0) or eight after it (class 1), among word 0."""
    ids = torch.zeros(n, 20, dtype=torch.long)
    place, y = torch.randint(3, 17 - distance, (n,), generator=generator), torch.arange(n) % 2
    rows = torch.arange(n)
    ids[rows, place], ids[rows, place + distance] = 1 + y, 2 - y
    return ids, y


@pytest.mark.parametrize("width", [1, 2, 3])
def test_beyond_the_receptive_field_the_logits_are_equal_whatever_the_weights(width):
    """Both texts hold the same windows of that width, only in another order: the maximum is the same."""
    ids, _ = far_task(2, torch.Generator().manual_seed(0))
    ids[1] = ids[0].clone()
    one, two = (ids[0] == 1).nonzero().item(), (ids[0] == 2).nonzero().item()
    ids[1, one], ids[1, two] = 2, 1
    for seed in range(10):
        torch.manual_seed(seed)
        logits = Net(width).double()(ids)
        torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=1e-12)


def test_a_long_dependency_is_learned_only_when_the_filter_spans_it():
    torch.manual_seed(0)
    assert trained_accuracy(Net(3), far_task) == pytest.approx(0.5, abs=0.06)
    torch.manual_seed(0)
    assert trained_accuracy(Net(9), far_task) >= 0.95
    torch.manual_seed(0)
    assert trained_accuracy(Net(2, dilation=8), far_task) >= 0.95  # two taps, eight words apart
