"""An explanation of any n-gram model: here a linear one fills it, and three classes have a runner-up."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from conv1d_kit.errors import InputError
from conv1d_kit.report.page import render
from conv1d_kit.report.text_page import explain_page
from conv1d_kit.text.explanation import TextExplanation
from conv1d_kit.text.tokens import word_tokens

TEXTS = ["good film", "not good", "a dull film", "not dull", "how long is it", "is it good"] * 3
LABELS = ["pos", "neg", "neg", "pos", "question", "question"] * 3
TEXT = "Is it not good, not good film"


@pytest.fixture(scope="module")
def linear():
    """Logistic regression on counts of words and pairs, its explanation of TEXT."""
    counts = CountVectorizer(
        tokenizer=lambda t: [w.word for w in word_tokens(t)], token_pattern=None, ngram_range=(1, 2)
    )
    model = LogisticRegression().fit(counts.fit_transform(TEXTS), LABELS)
    tokens = word_tokens(TEXT)
    starts, widths, values = [], [], []
    by_token = np.zeros((len(tokens), 3))
    for width in (1, 2):
        for start in range(len(tokens) - width + 1):
            column = counts.vocabulary_.get(" ".join(t.word for t in tokens[start : start + width]))
            if column is not None:
                starts.append(start)
                widths.append(width)
                values.append(model.coef_[:, column])
                by_token[start : start + width] += model.coef_[:, column] / width
    logits = model.decision_function(counts.transform([TEXT]))[0]
    total = model.intercept_ + np.sum(values, 0)
    return TextExplanation(
        TEXT, tuple(tokens), np.array([t.word in counts.vocabulary_ for t in tokens]),
        tuple(model.classes_), logits, model.predict_proba(counts.transform([TEXT]))[0],
        np.array(starts), np.array(widths), np.array(values), model.intercept_,
        by_token, model.intercept_, "linear", float(np.abs(total - logits).max()),
    )  # fmt: skip


def test_a_linear_models_sums_are_its_logits(linear):
    assert linear.gap < 1e-9
    np.testing.assert_allclose(linear.bias + linear.values.sum(0), linear.logits)
    np.testing.assert_allclose(linear.token_bias + linear.token_values.sum(0), linear.logits)


def test_by_default_the_best_class_is_compared_with_the_next(linear):
    order = np.argsort(-linear.logits)
    assert linear.pair() == (order[0], order[1])
    assert linear.pair(linear.classes[order[2]]) == (order[2], order[0])
    assert linear.pair(linear.classes[order[0]], linear.classes[order[2]]) == (order[0], order[2])
    assert linear.label == linear.classes[order[0]]


def test_ngrams_are_named_by_their_source(linear):
    t, a = linear.pair("neg", "pos")
    scores = linear.values[:, t] - linear.values[:, a]
    best = int(scores.argmax())
    first = linear.strongest(3, "neg", "pos")[0][0]
    assert first.value == pytest.approx(scores[best])
    start, width = linear.starts[best], linear.widths[best]
    assert first.words == tuple(t.word for t in linear.tokens[start : start + width])
    assert first.source.lower() == " ".join(first.words)


def test_json_holds_every_part(linear):
    found = json.loads(json.dumps(linear.to_json()))
    sums = np.array(found["bias"]) + np.sum([g["values"] for g in found["ngrams"]], 0)
    np.testing.assert_allclose(sums, found["logits"])
    t, a = linear.pair()
    scores = sum(g["score"] for g in found["ngrams"])
    difference = found["logits"][t] - found["logits"][a]
    assert scores + found["bias"][t] - found["bias"][a] == pytest.approx(difference)
    assert [TEXT[w["start"] : w["end"]].lower() for w in found["tokens"]] == [
        w["word"] for w in found["tokens"]
    ]


def test_it_has_a_page_and_nothing_is_said_of_gradients(linear):
    document = render(explain_page([linear]))
    assert "exactly" in document
    assert "ntegrated gradients" not in document


def test_a_class_that_it_does_not_know_is_refused(linear):
    with pytest.raises(InputError, match="against must be one of neg, pos, question, got 'x'"):
        linear.pair(None, "x")


def test_of_several_labels_each_is_explained_by_itself(linear):
    several = replace(linear, probabilities=np.array([0.2, 0.7, 0.6]), multi_label=True)
    best = int(several.logits.argmax())
    assert several.label == several.classes[1:]
    assert several.answer == "pos;question"
    assert replace(several, probabilities=np.zeros(3)).answer == "none of these"
    assert several.pair() == (best, None)
    assert several.pair("neg", "pos") == (0, 1)
    np.testing.assert_array_equal(several.word_scores("pos"), several.token_values[:, 1])
    np.testing.assert_array_equal(several.ngram_scores("pos"), several.values[:, 1])
    found = json.loads(json.dumps(several.to_json("pos")))
    assert (found["label"], found["explained"], found["against"]) == (["pos", "question"], "pos", None)
    html = render(explain_page([several], label="pos"))
    assert "the logit of pos." in html
    assert "For no pos" in html
    assert "less that of" not in html
