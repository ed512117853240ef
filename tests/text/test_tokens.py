"""Tokens: their words against published cleaning code, their offsets as a law."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.tokens import TOKENIZERS, kim_tokens, tokenize, word_tokens

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("ab'’nt svelrd,!?().3\t\x85")), max_size=60)


def kim_clean(text: str) -> list[str]:
    """clean_str of Kim's CNN_sentence, without the stray backslashes before parentheses."""
    text = re.sub(r"[^A-Za-z0-9(),!?\'\`]", " ", text)
    for clitic in ("'s", "'ve", "n't", "'re", "'d", "'ll"):
        text = text.replace(clitic, " " + clitic)
    for mark in ",!()?":
        text = text.replace(mark, f" {mark} ")
    return re.sub(r"\s{2,}", " ", text).strip().lower().split()


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=TEXTS)
def test_offsets_give_the_source_in_order_without_overlap(name, text):
    end = 0
    for token in tokenize(text, name):
        assert end <= token.start < token.end <= len(text)
        source = text[token.start : token.end]
        assert token.word in (source, source.lower())
        assert source.strip(" \t\r\n\f\v")
        end = token.end


@given(text=TEXTS)
def test_kim_tokens_are_those_of_the_published_code(text):
    assert [t.word for t in kim_tokens(text)] == kim_clean(text)


@given(text=TEXTS)
def test_no_character_but_white_space_is_lost_by_words_and_characters(text):
    for name in ("word", "character"):
        covered = {i for t in tokenize(text, name) for i in range(t.start, t.end)}
        assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\x85", []),
        ("I can't. She'd!", ["i", "ca", "n't", ".", "she", "'d", "!"]),
        ("l’été à 3,5 km", ["l’été", "à", "3,5", "km"]),
        ("don’t", ["do", "n’t"]),
        ("does n't work", ["does", "n't", "work"]),
        ("o'clock 'tis", ["o'clock", "'", "tis"]),
        ("gut😀😀", ["gut", "😀", "😀"]),
    ],
)
def test_words_of_a_text(text, words):
    assert [t.word for t in word_tokens(text)] == words


def test_an_unknown_tokenizer_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"one of word, kim, space, character, got 'bpe'"):
        tokenize("a", "bpe")
