"""Near-duplicates: every pair that comparing all with all finds, and no other."""

import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.near_duplicates import near_duplicates


def all_pairs(texts, threshold, size):
    sets = [{tuple(t[i : i + size]) for i in range(len(t) - size + 1)} for t in texts]
    found = []
    for j in range(len(sets)):
        for i in range(j):
            union = len(sets[i] | sets[j])
            if union and sets[i] and sets[j] and len(sets[i] & sets[j]) / union >= threshold - 1e-9:
                found.append((i, j, len(sets[i] & sets[j]) / union))
    return sorted(found)


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=9), max_size=14)


@settings(max_examples=200, deadline=None)
@given(texts=TEXTS, threshold=st.sampled_from([0.2, 1 / 3, 0.5, 0.6, 0.75, 1.0]), size=st.integers(1, 4))
@example(texts=[], threshold=0.5, size=3)
@example(texts=[["a"], ["a"]], threshold=0.5, size=3)
@example(texts=[["a"], ["a"]], threshold=1.0, size=1)
def test_the_pairs_are_those_of_comparing_all_with_all(texts, threshold, size):
    found = near_duplicates(texts, threshold=threshold, size=size)
    assert found.n_crowded == 0
    assert [(p.first, p.second) for p in found.pairs] == [
        (i, j) for i, j, _ in all_pairs(texts, threshold, size)
    ]
    for pair, (*_, share) in zip(found.pairs, all_pairs(texts, threshold, size), strict=True):
        assert pair.similarity == pytest.approx(share)


def sentences(n, rng):
    return [[f"w{int(rng.paretovariate(1))}" for _ in range(rng.randint(8, 25))] for _ in range(n)]


def test_a_word_changed_in_the_middle_of_many_sentences_is_found():
    rng = random.Random(0)
    texts = sentences(2000, rng)
    changed = {}
    for i in range(0, 2000, 20):
        if len(texts[i]) >= 16:
            changed[i] = len(texts)
            texts.append([*texts[i][:8], "other", *texts[i][9:]])
    pairs = {(p.first, p.second) for p in near_duplicates(texts, threshold=0.5).pairs}
    assert set(changed.items()) <= pairs
    assert len(changed) > 40


def test_a_template_of_a_thousand_texts_is_found_without_comparing_all():
    template = [f"word {k}" for k in range(14)]
    texts = [[*template, str(i)] for i in range(1000)]
    found = near_duplicates(texts, crowd=16)
    assert found.n_crowded > 0
    assert {i for p in found.pairs for i in p[:2]} == set(range(1000))
    assert len(found.pairs) < 20_000
    assert all(p.similarity >= 0.6 for p in found.pairs)


def test_time_grows_with_the_texts_not_with_their_pairs():
    rng = random.Random(1)
    texts = [[f"w{rng.randrange(20_000)}" for _ in range(20)] for _ in range(16_000)]
    spent = []
    for n in (4000, 16_000):
        start = time.process_time()
        near_duplicates(texts[:n])
        spent.append(time.process_time() - start)
    assert spent[1] < 10 * spent[0] + 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, r"threshold must be a number in \(0, 1\], got 0"),
        ({"threshold": 1.5}, "threshold must be"),
        ({"size": 0}, "size must be an int >= 1, got 0"),
        ({"crowd": 1}, "crowd must be an int >= 2, got 1"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        near_duplicates([["a"]], **options)
