"""The vocabulary: counted, ordered, reserved ids out of reach."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import InputError, ModelError
from conv1d_kit.text.vocabulary import PAD, UNK, Vocabulary

TOKENS = st.lists(st.lists(st.sampled_from(["a", "b", "é", "<pad>", "<unk>", "zz"]), max_size=8), max_size=8)


@given(texts=TOKENS, min_count=st.integers(1, 4))
def test_it_holds_exactly_the_words_seen_often_enough_by_falling_count(texts, min_count):
    v = Vocabulary.from_tokens(texts, min_count=min_count)
    counts = Counter(w for t in texts for w in t)
    expected = {w for w, n in counts.items() if n >= min_count and w not in ("<pad>", "<unk>")}
    assert set(v.words) == expected
    assert v.words == sorted(v.words, key=lambda w: (-counts[w], w))
    assert len(v) == len(expected) + 2


@given(texts=TOKENS)
def test_order_does_not_depend_on_the_order_of_the_texts(texts):
    assert Vocabulary.from_tokens(texts) == Vocabulary.from_tokens(texts[::-1])


@given(texts=TOKENS)
def test_json_round_trip(texts):
    v = Vocabulary.from_tokens(texts)
    assert Vocabulary.from_json(json.loads(json.dumps(v.to_json()))) == v


def test_no_text_reaches_the_padding_row():
    v = Vocabulary.from_tokens([["<pad>", "<unk>", "a"]])
    assert v.encode(["<pad>", "<unk>", "new", "a"]).tolist() == [UNK, UNK, UNK, 2]
    assert [v.word(i) for i in (PAD, UNK, 2)] == ["<pad>", "<unk>", "a"]


def test_max_words_keeps_the_most_frequent():
    assert Vocabulary.from_tokens([["b", "b", "a", "c", "c"]], max_words=2).words == ["b", "c"]


def test_no_words_give_an_empty_array_of_ids():
    ids = Vocabulary([]).encode([])
    assert ids.shape == (0,)
    assert ids.dtype.name == "int64"


@pytest.mark.parametrize("min_count", [0, -1, 1.5, True])
def test_min_count_is_checked(min_count):
    with pytest.raises(InputError, match="min_count must be an int >= 1"):
        Vocabulary.from_tokens([["a"]], min_count=min_count)


@pytest.mark.parametrize("damaged", [None, {"a": 1}, ["a", 3], ["a", "a"], ["<pad>"]])
def test_a_damaged_vocabulary_is_a_model_error(damaged):
    with pytest.raises(ModelError):
        Vocabulary.from_json(damaged)
