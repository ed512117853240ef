"""Explanations of a trained classifier: exact, by gradients, and what each says of the other."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviews_model import reviews_model

from conv1d_kit.errors import InputError, InputTypeError
from conv1d_kit.text.explain import check_gradients, explain_text, explain_texts
from conv1d_kit.text.grammar import make_reviews


@pytest.fixture(scope="module")
def model():
    return reviews_model()


@pytest.fixture(scope="module")
def texts():
    return make_reviews(40, seed=9)[0]


def test_every_logit_is_its_sums_to_1e_5_and_the_probabilities_are_the_models(model, texts):
    found = explain_texts(model, texts)
    for e in found:
        np.testing.assert_allclose(e.bias + e.values.sum(0), e.logits, atol=1e-5)
        np.testing.assert_allclose(e.token_bias + e.token_values.sum(0), e.logits, atol=1e-5)
        assert (e.method, e.gap <= 1e-5) == ("exact", True)
    np.testing.assert_allclose([e.probabilities for e in found], model.predict_proba(texts), atol=1e-6)
    assert [e.label for e in found] == model.predict(texts).tolist()


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_text_can_be_explained(model, text):
    e = explain_text(model, text)
    assert e.token_values.shape == (len(e.tokens), 2)
    np.testing.assert_allclose(e.bias + e.values.sum(0), e.logits, atol=1e-5)
    json.dumps(e.to_json())


def test_many_at_once_are_as_each_alone(model, texts):
    for text, e in zip(texts[:6], explain_texts(model, texts)[:6], strict=True):
        alone = explain_text(model, text)
        assert alone.starts.tolist() == e.starts.tolist()
        np.testing.assert_allclose(alone.token_values, e.token_values, atol=1e-5)


def test_the_word_that_decides_is_found(model):
    good, bad = (
        explain_text(model, f"The plot was {a}, not {b}.") for a, b in (("good", "bad"), ("bad", "good"))
    )
    assert (good.label, bad.label) == ("positive", "negative")
    verdict = {"good", "bad", "not"}
    for e in (good, bad):
        first = e.strongest(1)[0][0]
        assert verdict & set(first.words)
        assert e.text[e.tokens[max(0, first.start)].start :].startswith(first.source)


def test_a_pair_is_the_best_two_unless_it_is_said(model):
    e = explain_text(model, "The plot was good, not bad.")
    assert e.pair() == (1, 0)
    assert e.pair("negative") == (0, 1)
    np.testing.assert_allclose(e.word_scores("negative"), -e.word_scores("positive"))
    total = e.word_scores().sum() + e.token_bias[1] - e.token_bias[0]
    assert total == pytest.approx(e.logits[1] - e.logits[0], abs=1e-5)
    with pytest.raises(InputError, match="label must be one of negative, positive, got 'neutral'"):
        e.pair("neutral")
    with pytest.raises(InputError, match="against must be another class than label"):
        e.pair("negative", "negative")


def test_strongest_are_sorted_and_of_one_sign(model, texts):
    for e in explain_texts(model, texts):
        for_, against = e.strongest(4)
        values = [g.value for g in for_]
        assert values == sorted(values, reverse=True)
        assert all(v > 0 for v in values)
        assert all(g.value < 0 for g in against)


def test_what_the_vocabulary_lacks_is_said(model):
    e = explain_text(model, "The zyzzyva was good")
    assert e.known.tolist() == [True, False, True, True]


def test_gradients_explain_too_and_their_gap_is_measured(model):
    e = explain_text(model, "The plot was good, not bad.", method="gradients")
    assert (e.method, set(e.widths.tolist())) == ("gradients", {1})
    sums = e.bias + e.values.sum(0)
    assert e.gap == pytest.approx(np.abs(sums - e.logits).max())
    assert e.gap < 0.02 * np.abs(e.logits - e.bias).max()


def test_exact_scores_and_integrated_gradients_order_the_words_alike(model, texts):
    found = [check_gradients(model, e) for e in explain_texts(model, texts[:15])]
    assert np.mean([c.correlation for c in found]) > 0.5
    for c in found:
        assert c.scores.sum() == pytest.approx(c.change + c.gap, abs=1e-4)
        assert abs(c.gap) <= 0.02 * abs(c.change) + 1e-4


def test_texts_of_few_words_have_no_correlation(model):
    for text in ("", "good", "good film"):
        assert np.isnan(check_gradients(model, explain_text(model, text)).correlation)


def test_bad_calls_say_what_is_wrong(model):
    with pytest.raises(InputError, match="method must be one of auto, exact, gradients, got 'shap'"):
        explain_text(model, "good", method="shap")
    with pytest.raises(InputTypeError, match=r"texts must be a sequence of texts, got one str; try \[texts\]"):
        explain_texts(model, "good")
    with pytest.raises(InputTypeError, match="texts must be a sequence of texts, got dict"):
        explain_texts(model, {"text": ["good", "bad"]})
    with pytest.raises(InputTypeError, match="text must be a str, got int"):
        explain_text(model, 3)
