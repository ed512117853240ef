"""On reviews whose bag of words says nothing the order is worth everything, and to a bag of words nothing."""

import pytest
from reviews_model import reviews_model

from conv1d_kit.errors import InputError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.word_order import order_test

TEXTS, LABELS = make_reviews(200, seed=8)


def test_shuffled_reviews_are_at_chance():
    found = order_test(reviews_model(), TEXTS, LABELS)
    assert found.accuracy.estimate > 0.95
    assert 0.4 < found.shuffled.estimate < 0.62
    assert found.fall.estimate == pytest.approx(found.accuracy.estimate - found.shuffled.estimate)
    assert found.fall.low > 0.3
    assert found.n_texts == 200


def test_a_bag_of_words_loses_nothing():
    bag = TextClassifier(widths=(1,), dim=8, filters=8, epochs=2).fit(TEXTS[:100], LABELS[:100])
    found = order_test(bag, TEXTS[:50], LABELS[:50], n_shuffles=2)
    assert (found.fall.estimate, found.changed.estimate) == (0, 0)


def test_bad_calls_say_what_is_wrong():
    with pytest.raises(InputError, match="as many, at least two, got 1 and 1"):
        order_test(reviews_model(), TEXTS[:1], LABELS[:1])
    with pytest.raises(InputError, match="n_shuffles must be an int >= 1, got 0"):
        order_test(reviews_model(), TEXTS, LABELS, n_shuffles=0)
