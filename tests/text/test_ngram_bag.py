"""Keyed n-grams against scikit-learn's counts of strings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from conv1d_kit.errors import InputError
from conv1d_kit.text.ngram_bag import NgramBag, Ngrams

TEXTS = ["So good, so GOOD", "", "bad  \t film", "é 好 😀 é", "so"]


def word_strings(low, high):
    def analyse(text):
        words = ["<s>", *text.split(), "</s>"]
        return [" ".join(words[i : i + n]) for n in range(low, high + 1) for i in range(len(words) - n + 1)]

    return analyse


def character_strings(low, high):
    def analyse(text):
        line = f" {' '.join(text.split())} "
        return [line[i : i + n] for n in range(low, high + 1) for i in range(len(line) - n + 1)]

    return analyse


def columns_sorted(x):
    dense = np.asarray(x.toarray())
    return dense[:, np.lexsort(dense)]


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 3), (2, 4), (3, 3)])
@pytest.mark.parametrize(("unit", "strings"), [("word", word_strings), ("cased_character", character_strings)])
def test_counts_are_those_of_the_strings(unit, strings, low, high):
    _, ours = NgramBag.learn(Ngrams(unit, low, high, "space"), TEXTS)
    theirs = CountVectorizer(analyzer=strings(low, high)).fit_transform(TEXTS)
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(columns_sorted(ours), columns_sorted(theirs))


@given(
    st.lists(st.text(alphabet="aA b好", max_size=8), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(0, 2),
)
@settings(max_examples=60, deadline=None)
def test_unseen_texts_are_counted_as_the_vectorizer_counts_them(texts, low, more):
    strings = character_strings(low, low + more)
    bag, x = NgramBag.learn(Ngrams("cased_character", low, low + more), texts)
    known = {ngram for text in texts for ngram in strings(text)}
    unseen = ["a b", "A b", "", "好b", *texts]
    expected = [sum(ngram in known for ngram in strings(text)) for text in unseen]
    assert bag.rows(unseen).sum(1).ravel().tolist()[0] == expected
    np.testing.assert_array_equal(bag.rows(texts).toarray(), x.toarray())


def test_rare_ngrams_are_left_out_by_the_number_of_texts_that_hold_them():
    bag, x = NgramBag.learn(Ngrams("word", 1, 1), ["a a a", "b", "b c"], min_texts=2)
    assert len(bag) == 3  # b and the two borders
    assert x.sum() == 8


def test_no_texts_give_no_rows():
    bag, _ = NgramBag.learn(Ngrams("word", 1, 2), ["a b"])
    assert bag.rows([]).shape == (0, 7)
    empty, x = NgramBag.learn(Ngrams("word", 4, 5), ["a"])
    assert len(empty) == 0
    assert x.shape == (1, 0)
    assert empty.rows(["a b c d e f"]).shape == (1, 0)


def test_places_say_where_each_ngram_begins():
    _, rows, places = Ngrams("word", 2, 2).places(["a b", "c"])
    assert rows.tolist() == [0, 0, 0, 1, 1]
    assert [(n, start.tolist()) for n, start in places] == [(2, [0, 1, 2, 4, 5])]


@pytest.mark.parametrize("options", [("line", 1, 2), ("word", 0, 2), ("word", 3, 2)])
def test_unusable_options_are_refused(options):
    with pytest.raises(InputError, match=r"unit must be one of word, cased|low and high must be ints"):
        Ngrams(*options)
