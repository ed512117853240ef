"""Cutting by pieces gives what cutting the whole text gives."""

import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.text import pieces
from conv1d_kit.text.pieces import APART, Pieces, ids_of_pieces, words_of_pieces
from conv1d_kit.text.tokens import TOKENIZERS, tokenize
from conv1d_kit.text.vocabulary import Vocabulary

TRICKY = st.text(
    st.sampled_from("aAnNtTsSdİß'’`.,!?(09 \t\n\u00a0\u0301\u200d\u3000好のไ👍🏽_-\x1c\x85"), max_size=30
) | st.text(max_size=20)


@pytest.mark.parametrize("tokenizer", sorted(APART & TOKENIZERS.keys()))
@given(text=TRICKY)
@settings(max_examples=300, deadline=None)
def test_words_are_those_of_the_whole_text(tokenizer, text):
    assert words_of_pieces(tokenizer)(text) == [t.word for t in tokenize(text, tokenizer)]


@pytest.mark.parametrize("tokenizer", sorted(APART & TOKENIZERS.keys()))
def test_no_character_beside_a_space_changes_that(tokenizer):
    cut = words_of_pieces(tokenizer)
    every = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    some = [c for i, c in enumerate(every) if i < 0x3100 or i % 61 == 0 or c.isspace()]
    for first in range(0, len(some), 256):
        text = "n't " + " ".join(f"a{c} {c}b" for c in some[first : first + 256])
        assert cut(text) == [t.word for t in tokenize(text, tokenizer)]


def test_a_tokenizer_that_sees_spaces_is_given_whole_texts():
    seen = []
    cut = Pieces(lambda text: seen.append(text) or [text], apart=False)
    assert cut("a b") == ["a b"]
    assert seen == ["a b"]


def test_a_piece_is_cut_once_and_long_ones_are_not_kept(monkeypatch):
    monkeypatch.setattr(pieces, "KEPT", 3)
    seen = []
    cut = Pieces(lambda text: seen.append(text) or [text], apart=True)
    assert cut("a b a b") == ["a", "b", "a", "b"]
    assert seen == ["a", "b"]
    cut("x" * 49)
    cut("x" * 49)
    assert seen[2:] == ["x" * 49] * 2
    cut("c d")  # the fourth piece: the others are forgotten
    assert list(cut._known) == ["d"]
    assert cut("c d a") == ["c", "d", "a"]


def test_ids_are_the_vocabularys_and_survive_pickling():
    v = Vocabulary(["good", "n't", "is"])
    cut = ids_of_pieces("word", v)
    assert cut("It isn't good") == v.encode(["it", "is", "n't", "good"]).tolist()
    again = pickle.loads(pickle.dumps(cut))
    assert len(again._known) == 0
    assert again("It isn't good") == cut("It isn't good")
