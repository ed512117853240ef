"""Facts of filters, against loops over every window, word and threshold."""

import numpy as np
import pytest
import torch
from reviews_model import reviews_model

from conv1d_kit.errors import InputError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.filters import filter_report
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.nets import TextCNN
from conv1d_kit.text.tokens import tokenize

TEXTS = ["Not bad at all!", "bad", "", "It is not bad; it is not good.", "a good film", "not good, a bad film"]
LABELS = [1, 0, 0, 0, 1, 0]


@pytest.fixture(scope="module")
def model():
    return TextClassifier(dim=6, filters=4, widths=(1, 2, 3), epochs=3, seed=3).fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def report(model):
    return filter_report(model, TEXTS, LABELS, n=3)


def slots_of(model, fact, words):
    """What each word gives at each slot of the filter, and the bias, in plain numpy."""
    layer = model.net_.layers[fact.index // 4]
    w, b = layer.weight[fact.index % 4].detach().double().numpy(), layer.bias[fact.index % 4].item()
    ids = [0 if x == "<pad>" else int(model.vocabulary_.encode([x])[0]) for x in words]
    emb = model.net_.embedding.weight.detach().double().numpy()
    return [float(w[:, a] @ emb[i]) for a, i in enumerate(ids)], b


def every_window(model, k):
    found = set()
    for text in TEXTS:
        words = [t.word for t in tokenize(text)]
        padded = ["<pad>"] * (k - 1) + words + ["<pad>"] * (k - 1)
        if words:
            found |= {tuple(padded[i : i + k]) for i in range(len(padded) - k + 1)}
    return found


def test_ngrams_are_the_best_windows_and_their_slots_add_up(model, report):
    for fact in report.filters:
        responses = []
        for window in every_window(model, fact.width):
            slots, bias = slots_of(model, fact, window)
            responses.append(sum(slots) + bias)
        best = sorted(responses, reverse=True)[:3]
        np.testing.assert_allclose([g.response for g in fact.ngrams], best, atol=1e-5)
        for gram in fact.ngrams:
            slots, bias = slots_of(model, fact, gram.words)
            np.testing.assert_allclose(gram.slots, slots, atol=1e-5)
            assert gram.response == pytest.approx(sum(slots) + bias, abs=1e-5)


def test_best_and_worst_words_of_a_slot_are_those_of_a_loop(model, report):
    words = sorted({t.word for text in TEXTS for t in tokenize(text)})
    for fact in report.filters:
        ceiling = 0.0
        for a in range(fact.width):
            values = {w: slots_of(model, fact, ["<pad>"] * a + [w])[0][a] for w in words}
            best = sorted(values.values(), reverse=True)
            np.testing.assert_allclose([v for _, v in fact.best[a]], best[:3], atol=1e-5)
            np.testing.assert_allclose([v for _, v in fact.worst[a]], best[::-1][:3], atol=1e-5)
            for w, v in (*fact.best[a], *fact.worst[a]):
                assert values[w] == pytest.approx(v, abs=1e-5)
            ceiling += best[0]
        bias = slots_of(model, fact, [])[1]
        assert fact.ceiling == pytest.approx(ceiling + bias, abs=1e-5)
        assert all(g.response <= fact.ceiling + 1e-5 for g in fact.ngrams)


def test_negative_ngrams_are_one_word_off_from_one_that_informs_and_fall_furthest(model, report):
    seen = 0
    for fact in report.filters:
        limit = fact.threshold or 0.0
        responses = {}
        for window in every_window(model, fact.width) if fact.width > 1 else ():
            slots, bias = slots_of(model, fact, window)
            responses[window] = sum(slots) + bias
        falls = {}
        for low, r in responses.items():
            for high, best in responses.items():
                differ = [a for a in range(fact.width) if low[a] != high[a]]
                if len(differ) == 1 and r < limit - 1e-6 and best >= limit - 1e-6 and best > 0:
                    falls[low] = max(best - r, falls.get(low, 0.0))
        want = sorted(falls.values(), reverse=True)[:3]
        np.testing.assert_allclose([g.fall for g in fact.negatives], want, atol=1e-4)
        for gram in fact.negatives:
            seen += 1
            assert [a for a in range(fact.width) if gram.words[a] != gram.like[a]] == [gram.slot]
            assert gram.response == pytest.approx(responses[gram.words], abs=1e-5)
            assert gram.fall == pytest.approx(responses[gram.like] - responses[gram.words], abs=1e-5)
    assert seen > 0


def test_a_filters_class_has_its_largest_output_weight(model, report):
    weights = model.net_.out.weight.detach().numpy()
    for fact in report.filters:
        own = weights[:, fact.index]
        assert fact.label == model.classes_[own.argmax()]
        assert fact.say == pytest.approx(own.max() - own.min(), abs=1e-6)


def test_informing_shares_hold_on_the_texts(model, report):
    with torch.no_grad():
        rows = [
            model.net_.features(torch.from_numpy(ids)[None], torch.tensor([len(ids)]))[0].numpy()
            for ids in (model.vocabulary_.encode(t.word for t in tokenize(text)) for text in TEXTS)
            if len(ids)
        ]
    for fact in report.filters:
        own = np.array([row[fact.index] for row in rows])
        if fact.threshold is not None:
            assert fact.purity >= 0.75
            assert fact.informs * len(TEXTS) >= (own >= fact.threshold + 1e-5).sum()
        assert fact.informs <= fact.fires + 1e-9


def test_dead_filters_and_twins_are_found():
    model = TextClassifier(dim=6, filters=3, widths=(2,), epochs=1, seed=3).fit(TEXTS, LABELS)
    layer = model.net_.layers[0]
    with torch.no_grad():
        layer.weight[1] = 2 * layer.weight[0]
        layer.bias[:2] = torch.tensor([1.0, 2.0])
        layer.bias[2] = -100
    report = filter_report(model, TEXTS, LABELS)
    assert report.dead == [2]
    assert [(i, j) for i, j, _ in report.twins] == [(0, 1)]
    assert report.twins[0][2] == pytest.approx(1, abs=1e-6)
    assert report.filters[2].threshold is None
    assert report.filters[2].fires == 0


def test_on_reviews_the_filters_that_say_most_know_the_words_that_decide():
    texts, labels = make_reviews(300, seed=4)
    report = filter_report(reviews_model(), texts, labels, n=3, purity=0.9)
    strongest = sorted(report.filters, key=lambda f: -f.say * f.informs)[:8]
    assert all(f.purity >= 0.9 for f in strongest)
    verdict = {"not", "never", "rather", "than", "and", "but", "has", "lacks", "no", "call", "found", "called"}
    verdict |= {"outweighs", "far", "more", "always", "quite", "in", "was", ",", "loved", "hated"}
    knows = [bool(verdict & {w for g in f.ngrams for w in g.words}) for f in strongest]
    assert sum(knows) >= 6, knows


def test_a_text_without_tokens_and_several_widths_do_no_harm(model):
    report = filter_report(model, ["", "!"], LABELS[:2])
    assert report.n_texts == 2


def test_bad_calls_say_what_is_wrong(model):
    with pytest.raises(InputError, match="n must be an int >= 1, got 0"):
        filter_report(model, TEXTS, LABELS, n=0)
    with pytest.raises(InputError, match=r"purity must be in \(0, 1\], got 2"):
        filter_report(model, TEXTS, LABELS, purity=2)
    with pytest.raises(InputError, match="labels must be of 0, 1, got '7'"):
        filter_report(model, TEXTS, [7] * 6)
    with pytest.raises(InputError, match="as many, at least one, got 6 and 1"):
        filter_report(model, TEXTS, [1])
    other = TextClassifier(epochs=1, dim=4, filters=2).fit(TEXTS, LABELS)
    other.model_.net = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match="model must be an n-gram CNN, whose filters see words, got Linear"):
        filter_report(other, TEXTS, LABELS)
    assert isinstance(model.net_, TextCNN)


@pytest.mark.parametrize("options", [{"pooling": "mean"}, {"activation": "tanh"}])
def test_filters_that_pass_on_something_else_than_their_maximum_are_refused(options):
    model = TextClassifier(epochs=1, dim=4, filters=2, **options).fit(TEXTS, LABELS)
    with pytest.raises(InputError, match=r"max or k-max pooling after ReLU, got pooling .(max|mean)."):
        filter_report(model, TEXTS, LABELS)


def test_words_of_a_learned_tokenizer_are_shown_as_they_are_read():
    pytest.importorskip("tokenizers")
    texts, labels = ["好看 电影", "难看 电影"] * 8, [1, 0] * 8
    model = TextClassifier(dim=6, filters=2, widths=(1, 2), epochs=1, tokenizer="bpe").fit(texts, labels)
    report = filter_report(model, texts, labels)
    shown = {w for f in report.filters for g in f.ngrams for w in g.words}
    assert shown == {"好看", "难看", "Ġ电影", "<pad>"}
    assert {w for f in report.filters for slot in f.best for w, _ in slot} == shown - {"<pad>"}
