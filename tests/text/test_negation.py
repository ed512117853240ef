"""Negation: what each rule makes of a sentence, and that a net which knows "not" turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews_model import reviews_model

from conv1d_kit.errors import InputError
from conv1d_kit.text.negation import ANTONYMS, NEGATION_PATTERNS, edit, negation_test


@pytest.mark.parametrize(
    ("pattern", "text", "edited"),
    [
        ("not after be", "The plot is good.", "The plot is not good."),
        ("not after be", "It's good", "It's not good"),
        ("not after be", "The film's plot", None),
        ("not after be", "It is not good", None),
        ("not after be", "It is not good but they are", "It is not good but they are not"),
        ("n't", "They will win", "They won't win"),
        ("n't", "I can see", "I can't see"),
        ("n't", "It was good", "It wasn't good"),
        ("n't", "It wasn't good", None),
        ("not before adjective", "A GOOD film", "A not GOOD film"),
        ("not before adjective", "not good", None),
        ("drop negation", "It isn't bad", "It is bad"),
        ("drop negation", "You can't lose", "You can lose"),
        ("drop negation", "It won't do", "It will do"),
        ("drop negation", "is n't bad", "is bad"),
        ("drop negation", "Not bad", "bad"),
        ("drop negation", "bad", None),
        ("antonym", "A Good film", "A Bad film"),
        ("antonym", "the WORST ever", "the BEST ever"),
        ("antonym", "nothing here", None),
        ("antonym", "", None),
    ],
)
def test_each_rule_edits_the_first_place_that_fits(pattern, text, edited):
    assert edit(text, pattern) == edited


@given(st.text(max_size=40))
def test_no_text_breaks_a_rule(text):
    for pattern in NEGATION_PATTERNS:
        new = edit(text, pattern)
        assert new is None or new != text


def test_own_antonyms_are_read_both_ways():
    assert edit("a hot day", "antonym", {"hot": "cold"}) == "a cold day"
    assert edit("a cold day", "antonym", {"Hot": "Cold"}) == "a hot day"
    assert edit("a good day", "antonym", {"hot": "cold"}) is None
    assert all(a != b for a, b in ANTONYMS.items())


def test_a_net_that_reads_not_turns_when_it_is_dropped():
    texts = [f"The plot was not {a} at all" for a in ("good", "great", "brilliant", "bad", "awful", "dull")]
    found = {r.pattern: r for r in negation_test(reviews_model(), texts)}
    drop = found["drop negation"]
    p = reviews_model().predict_proba(texts + [t.replace("not ", "") for t in texts])
    turned = int((p[:6].argmax(1) != p[6:].argmax(1)).sum())
    assert (drop.n, drop.turned) == (6, turned)
    assert drop.share.estimate == pytest.approx(turned / 6)
    assert drop.share.low <= turned / 6 <= drop.share.high
    first = p[:6].argmax(1)
    change = p[6:][np.arange(6), first] - p[:6].max(1)
    assert drop.change.estimate == pytest.approx(change.mean(), abs=1e-6)
    assert abs(drop.examples[0].after - drop.examples[0].before) == pytest.approx(
        np.abs(change).max(), abs=1e-6
    )


def test_the_antonym_turns_a_review():
    texts = ["The plot was good, not bad.", "Plenty of charm", "The room was never dull and always lovely"]
    found = {r.pattern: r for r in negation_test(reviews_model(), texts, antonyms={"good": "bad"})}
    assert found["antonym"].n == 1


def test_patterns_that_fit_no_text_have_no_share():
    for texts in ([], ["zebra"]):
        for r in negation_test(reviews_model(), texts):
            assert (r.n, r.turned, r.examples) == (0, 0, ())
            assert np.isnan(r.share.estimate)
            assert np.isnan(r.change.estimate)


def test_an_unknown_pattern_is_refused():
    with pytest.raises(InputError, match="pattern must be one of not after be"):
        edit("a", "sarcasm")
