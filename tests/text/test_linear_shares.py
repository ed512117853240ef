"""Shares of n-grams and words add up to the logits of linear models and blends, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.report.page import render
from conv1d_kit.report.text_page import explain_page
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.explain import explain_text, explain_texts
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.linear import LINEAR
from conv1d_kit.text.linear_shares import units_of

TEXTS, LABELS = make_reviews(120, seed=6)
THREE = ["a" if "not" in t else label for t, label in zip(TEXTS, LABELS, strict=True)]
SMALL = {"dim": 8, "filters": 4, "epochs": 2, "widths": (1, 2)}
ODD = [
    "",
    "   ",
    "zzz",
    " The film  was NOT good ,\n I call it dull . ",
    "İstanbul ΣΑΣ good 😀 好",
    "not not not not",
]
made = {
    **{(name, 2): TextClassifier(model=name).fit(TEXTS, LABELS) for name in LINEAR},
    ("nb_words", 3): TextClassifier(model="nb_words", tokenizer="space").fit(TEXTS, THREE),
    ("nb_characters", 3): TextClassifier(model="nb_characters", ngrams=(1, 4)).fit(TEXTS, THREE),
    ("blend", 2): TextClassifier(
        model="blend", members=("nb_words", "nb_characters", "cnn", "cnn"), **SMALL
    ).fit(TEXTS, LABELS),
}
every_model = pytest.mark.parametrize("key", made, ids=str)


def check(model, text):
    found = explain_text(model, text)
    logits = model.model_.scores([text])[0]
    np.testing.assert_allclose(found.logits, logits, atol=1e-9)
    np.testing.assert_allclose(found.bias + found.values.sum(0), logits, atol=1e-5)
    np.testing.assert_allclose(found.token_bias + found.token_values.sum(0), logits, atol=1e-5)
    np.testing.assert_allclose(found.probabilities, model.predict_proba([text])[0], atol=1e-6)
    assert found.gap < 1e-5
    return found


@every_model
@pytest.mark.parametrize("text", [*ODD, *TEXTS[:3]])
def test_the_sums_are_the_logits(key, text):
    check(made[key], text)


@given(st.text(alphabet="ab ĞİΣς\t好not.", max_size=20))
@settings(max_examples=40, deadline=None)
def test_the_sums_are_the_logits_of_any_text(text):
    for key in (("nb_words", 2), ("nb_characters", 3)):
        check(made[key], text)


def test_the_share_of_an_ngram_is_its_weight():
    model = made["nb_words", 2]
    found = explain_text(model, "not good")
    bag, weights = model.model_.bag, model.model_.weights
    for start, width, value in zip(found.starts, found.widths, found.values, strict=True):
        words = ["<", "not", "good", ">"][start + 1 : start + 1 + width]
        keys, _ = bag.ngrams.keys(["not good"])
        assert any(
            np.allclose(weights[:, bag.columns(keys[i : i + 1])[0][0]], value) for i in range(len(keys))
        ), words
    assert len(found.starts) == sum(bag.columns(bag.ngrams.keys(["not good"])[0])[1]) - 2  # but for the borders


def test_units_are_characters_with_their_places():
    model = made["nb_characters", 2].model_
    text = " So\n it"
    units = units_of(model, text)
    assert [u.word for u in units] == ["S", "o", " ", "i", "t"]
    assert [text[u.start : u.end] for u in units] == ["S", "o", "\n ", "i", "t"]


def test_what_is_repeated_is_shared_among_its_places():
    found = explain_text(made["nb_words", 2], "not x not")
    alone = {(int(s), int(w)): v for s, w, v in zip(found.starts, found.widths, found.values, strict=True)}
    np.testing.assert_allclose(alone[0, 1], alone[2, 1])


def test_gradients_are_refused_for_what_is_no_net():
    for key in (("nb", 2), ("blend", 2)):
        with pytest.raises(InputError, match="method must be 'exact' or 'auto' for the model"):
            explain_text(made[key], "good", method="gradients")


@pytest.mark.parametrize("key", [("nb_words", 3), ("nb_characters", 2), ("blend", 2)], ids=str)
def test_the_page_shows_them(key):
    page = render(explain_page(explain_texts(made[key], [TEXTS[0], ODD[3]])))
    assert "NOT" in page


def test_the_averaging_net_is_a_sum_over_words_and_pairs():
    model = TextClassifier(model="fasttext", dim=8, epochs=3).fit(TEXTS, LABELS)
    for text in [*ODD, *TEXTS[:3]]:
        found = check(model, text)
        assert found.method == "exact"
        n = len(found.tokens)
        assert sorted(found.widths.tolist()) == [1] * n + [2] * max(0, n - 1)


def test_a_blend_with_a_deep_net_does_not_call_itself_exact():
    options = {**SMALL, "members": ("nb", "dilated")}
    model = TextClassifier(model="blend", **options).fit(TEXTS, LABELS)
    assert explain_text(model, TEXTS[0]).method == "gradients"
    assert explain_text(made["blend", 2], TEXTS[0]).method == "blend"
