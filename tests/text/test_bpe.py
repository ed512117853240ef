"""Byte-pair encoding: learned from the training texts alone, kept as JSON, with places in the source."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tokenizers")

from conv1d_kit.errors import InputError, ModelError
from conv1d_kit.text.bpe import BpeTokenizer
from conv1d_kit.text.tokens import learn_tokenizer, make_tokenizer, tokenize, words_of

TRAIN = ["the lower the slower", "the lowest tower", "slow and low", "größer über 好好"] * 5
LEARNED = BpeTokenizer.learn(TRAIN, vocabulary_size=300)
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("lowers thẞİß好😀é\ud800 \x85")), max_size=40)


@given(text=TEXTS)
def test_places_give_the_source_in_order_without_overlap_and_lose_nothing(text):
    end, covered = 0, set()
    for token in LEARNED(text):
        assert end <= token.start <= token.end <= len(text)
        covered |= set(range(token.start, token.end))
        end = token.end
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


def test_a_space_that_is_a_token_has_its_place_and_one_before_a_word_has_not():
    found = LEARNED("  the  the q ")
    assert [(t.word, t.start, t.end) for t in found] == [
        ("Ġ", 0, 1), ("Ġthe", 2, 5), ("Ġ", 5, 6), ("Ġthe", 7, 10), ("Ġ", 10, 11), ("q", 11, 12), ("Ġ", 12, 13),
    ]  # fmt: skip


@given(text=TEXTS)
def test_words_alone_are_the_words_of_the_tokens(text):
    assert words_of(text, LEARNED) == LEARNED.words(text) == [t.word for t in tokenize(text, LEARNED)]


def test_frequent_runs_become_tokens_and_unknown_words_are_made_of_pieces():
    assert LEARNED.words("the") == ["the"]
    assert "".join(LEARNED.words("lowerest")) == "lowerest"
    assert len(LEARNED.words("qqq")) == 3
    tokens = LEARNED("the lower")
    assert "the lower"[tokens[0].start : tokens[0].end] == "the"


def test_words_are_readable_and_pieces_of_characters_are_shown_as_their_bytes():
    assert [LEARNED.readable(w) for w in LEARNED.words("größer über好 q")] == [
        "größer",
        "Ġüber",
        "好",
        "Ġ",
        "q",
    ]
    assert [LEARNED.readable(w) for w in LEARNED.words("ü")] == ["\\xc3", "\\xbc"]
    assert LEARNED.readable("<pad>") == "<pad>"


def test_the_first_merge_is_the_most_frequent_pair():
    learned = BpeTokenizer.learn(["ab ab ab cd"], vocabulary_size=257, min_count=1)
    assert learned.words("abcd") == ["ab", "c", "d"]


def test_case_is_one_unless_it_is_asked_for():
    assert LEARNED.words("THE") == LEARNED.words("the")
    assert BpeTokenizer.learn(TRAIN, vocabulary_size=300, lower=False).words("THE") != ["the"]


def test_learning_twice_gives_the_same_and_other_texts_another():
    assert BpeTokenizer.learn(TRAIN, vocabulary_size=300) == LEARNED
    assert BpeTokenizer.learn(["quite other words here"] * 5, vocabulary_size=300) != LEARNED


def test_a_saved_tokenizer_is_the_same_whatever_texts_come_with_it():
    cut, state = make_tokenizer("bpe", TRAIN)
    again, kept = make_tokenizer("bpe", ["other texts", "that must not matter"], state)
    assert kept == state
    assert [again(t) for t in TRAIN] == [cut(t) for t in TRAIN]
    assert pickle.loads(pickle.dumps(cut))("the tower") == cut("the tower")


def test_options_and_states_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="vocabulary_size must be an int >= 256, got 10"):
        learn_tokenizer("bpe", TRAIN, vocabulary_size=10)
    with pytest.raises(InputError, match="min_count must be an int >= 1, got 0"):
        learn_tokenizer("bpe", TRAIN, min_count=0)
    with pytest.raises(InputError, match="a learned tokenizer must be one of bpe, got 'word'"):
        learn_tokenizer("word", TRAIN)
    with pytest.raises(TypeError, match="vocabulary"):
        learn_tokenizer("bpe", TRAIN, vocabulary=300)
    with pytest.raises(ModelError, match="the state of the tokenizer 'bpe' cannot be read"):
        make_tokenizer("bpe", state="{}")
