"""The grammar keeps its promise: words say nothing, their order says all."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from conv1d_kit.errors import InputError
from conv1d_kit.text import grammar


def tokens(text):
    return re.findall(r"\w+|[^\w\s]", text)


def held_out_accuracy(widths, *, seed=0, n=3000):
    texts, labels = grammar.make_reviews(n, seed=seed)
    counts = CountVectorizer(tokenizer=tokens, token_pattern=None, ngram_range=widths)
    half = n // 2
    x = counts.fit_transform(texts[:half])
    model = LogisticRegression(max_iter=500).fit(x, labels[:half])
    return model.score(counts.transform(texts[half:]), labels[half:])


def test_both_orders_of_every_review_hold_the_same_bag_of_words():
    for seed in range(500):
        good = grammar.review(np.random.default_rng(seed), positive=True)
        bad = grammar.review(np.random.default_rng(seed), positive=False)
        assert sorted(tokens(good)) == sorted(tokens(bad)), (good, bad)
        assert tokens(good) != tokens(bad)


def test_every_verdict_is_two_orders_of_one_bag():
    for positive, negative in grammar.VERDICTS:
        assert sorted(re.findall(r"\{\w+\}|\w+|,", positive)) == sorted(re.findall(r"\{\w+\}|\w+|,", negative))


def test_no_sentence_is_positive_by_one_verdict_and_negative_by_another():
    positive, negative = (set(column) for column in zip(*grammar.VERDICTS, strict=True))
    assert len(positive) == len(negative) == len(grammar.VERDICTS)
    assert not positive & negative
    assert not set(grammar._GOOD + grammar._GOOD_NOUNS) & set(grammar._BAD + grammar._BAD_NOUNS)


def test_a_bag_of_words_is_at_chance_on_held_out_reviews():
    scores = [held_out_accuracy((1, 1), seed=seed) for seed in range(3)]
    assert np.mean(scores) == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(3 * 1500))


def test_pairs_and_triples_of_words_decide():
    assert held_out_accuracy((2, 3)) > 0.97


def test_labels_are_balanced_and_one_seed_gives_one_set():
    texts, labels = grammar.make_reviews(101, seed=5)
    assert labels.count("positive") == 51
    assert labels.count("negative") == 50
    assert (texts, labels) == grammar.make_reviews(101, seed=5)
    assert texts != grammar.make_reviews(101, seed=6)[0]
    assert labels[:51] != sorted(labels[:51])


def test_reviews_are_short_sentences_with_every_slot_filled():
    for text in grammar.make_reviews(1000, seed=0)[0]:
        assert 4 <= len(tokens(text)) <= 45
        assert not re.search(r"[{}]|  ", text)
        assert text[0].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_a_wrong_count_is_refused(n):
    with pytest.raises(InputError, match="n must be an int >= 1"):
        grammar.make_reviews(n, seed=0)
