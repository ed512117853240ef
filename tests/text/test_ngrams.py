"""The strongest n-grams of every filter, against a loop over every window of every text."""

import numpy as np
import pytest
import torch

from conv1d_kit.errors import InputError
from conv1d_kit.text import ngrams
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.tokens import tokenize

TEXTS = ["Not bad, at all!", "bad", "", "It is not bad at all; it is not good.", "Never seen words"]


@pytest.fixture(scope="module")
def model():
    options = {"dim": 6, "filters": 3, "widths": (1, 2, 4), "epochs": 2}
    return TextClassifier(**options).fit([*TEXTS[:4], "bad at bad"], [1, 0, 0, 1, 0])


def windows(model, k):
    """Every window of every text: its ids, its words, its source."""
    found = []
    for text in TEXTS:
        tokens = tokenize(text, model.tokenizer)
        ids = model.vocabulary_.encode(t.word for t in tokens).tolist()
        for start in range(1 - k, len(ids)) if ids else ():
            inside = [j for j in range(start, start + k) if 0 <= j < len(ids)]
            cells = tuple(ids[j] if j in inside else 0 for j in range(start, start + k))
            words = tuple(tokens[j].word if j in inside else "<pad>" for j in range(start, start + k))
            found.append((cells, words, text[tokens[inside[0]].start : tokens[inside[-1]].end]))
    return found


def response(model, layer, f, cells):
    x = model.net_.embedding.weight[list(cells)]  # (K, E)
    return max(0.0, ((x.T * layer.weight[f]).sum() + layer.bias[f]).item())


@pytest.mark.parametrize("cells_at_once", [1 << 15, 8])
def test_they_are_the_best_of_all_windows(model, monkeypatch, cells_at_once):
    monkeypatch.setattr(ngrams, "CELLS", cells_at_once)
    report = model.filter_ngrams(TEXTS, n=4)
    assert len(report) == 9
    for index, entry in enumerate(report):
        layer = model.net_.convs[index // 3]
        assert entry.index == index
        assert entry.width == layer.weight.shape[-1]
        np.testing.assert_array_equal(entry.class_weights, model.net_.out.weight[:, index].detach().numpy())
        every = windows(model, entry.width)
        strengths = {cells: response(model, layer, index % 3, cells) for cells, _, _ in every}
        best = sorted(strengths.values(), reverse=True)[:4]
        np.testing.assert_allclose([g.activation for g in entry.ngrams], best, atol=1e-5)
        for gram in entry.ngrams:
            first = next(
                i for i, (_, words, source) in enumerate(every) if (words, source) == (gram.words, gram.source)
            )
            cells = every[first][0]
            assert gram.activation == pytest.approx(strengths[cells], abs=1e-5)
            assert gram.count == sum(other == cells for other, _, _ in every)


def test_a_filters_best_window_of_a_text_is_its_pooled_response(model):
    from conv1d_kit.text.batches import pad

    text = TEXTS[3]
    ids = model.vocabulary_.encode(t.word for t in tokenize(text, model.tokenizer))
    with torch.no_grad():
        pooled = model.net_.features(*pad([ids]))[0]
    best = [entry.ngrams[0].activation for entry in model.filter_ngrams([text], n=1)]
    np.testing.assert_allclose(best, pooled, atol=1e-5)


def test_no_texts_give_no_ngrams(model):
    assert all(entry.ngrams == () for entry in model.filter_ngrams([], n=3))
    assert all(entry.ngrams == () for entry in model.filter_ngrams([""], n=3))


def test_n_is_checked(model):
    with pytest.raises(InputError, match="n must be an int >= 1, got 0"):
        model.filter_ngrams(TEXTS, n=0)
