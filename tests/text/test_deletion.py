"""Deletion curves: their ends are known, and what an explanation names must matter."""

import numpy as np
import pytest
from reviews_model import reviews_model
from scipy.integrate import trapezoid

from conv1d_kit.errors import InputError
from conv1d_kit.text.deletion import DELETION_ORDERS, deletion_test
from conv1d_kit.text.explain import explain_texts
from conv1d_kit.text.grammar import make_reviews

TEXTS = make_reviews(40, seed=6)[0]


@pytest.fixture(scope="module")
def found():
    return deletion_test(reviews_model(), [*TEXTS, "", " "], n_random=3)


def test_all_orders_begin_at_the_whole_text_and_end_at_no_text(found):
    p = reviews_model().predict_proba([*TEXTS, ""])
    target = p[:-1].argmax(1)
    for name in DELETION_ORDERS:
        assert found.curves[name].shape == (40, 11)
        np.testing.assert_allclose(found.curves[name][:, 0], p[:-1].max(1), atol=1e-5)
        np.testing.assert_allclose(found.curves[name][:, -1], p[-1][target], atol=1e-5)


def test_a_point_of_a_curve_is_the_probability_without_those_words(found):
    model = reviews_model()
    (e,) = explain_texts(model, TEXTS[:1])
    order = np.argsort(-e.word_scores(), kind="stable")
    gone = set(order[: round(found.shares[3] * len(e.tokens))].tolist())
    left = " ".join(t.word for i, t in enumerate(e.tokens) if i not in gone)
    want = model.predict_proba([left])[0][e.pair()[0]]
    assert found.curves["contribution"][0, 3] == pytest.approx(want, abs=1e-5)


def test_contributions_go_faster_than_chance_and_reversed_slower(found):
    areas = {name: i.estimate for name, i in found.areas.items()}
    assert areas["contribution"] < areas["random"] < areas["reversed"]
    assert found.gains["random"].low > 0
    assert found.gains["reversed"].low > 0
    for name, interval in found.areas.items():
        own = trapezoid(found.curves[name], found.shares, axis=1).mean()
        assert interval.estimate == pytest.approx(own)
        assert interval.low < own < interval.high


def test_the_same_seed_gives_the_same_curves():
    a, b, c = (deletion_test(reviews_model(), TEXTS[:5], n_random=1, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.curves["random"], b.curves["random"])
    assert not np.array_equal(a.curves["random"], c.curves["random"])


def test_texts_of_no_tokens_are_left_out_and_counted(found):
    assert found.n_left_out == 2
    with pytest.raises(InputError, match="texts must hold at least two with a token, got 1"):
        deletion_test(reviews_model(), ["good", ""])
    with pytest.raises(InputError, match="n_random must be an int >= 1, got 0"):
        deletion_test(reviews_model(), TEXTS, n_random=0)
