"""Tokens: words against published cleaning code, offsets as a law, the fast way against the slow."""

import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conv1d_kit.errors import InputError
from conv1d_kit.text.tokens import (
    LEARNED,
    TOKENIZERS,
    byte_tokens,
    character_space_tokens,
    has_token,
    kim_tokens,
    make_tokenizer,
    tokenize,
    word_tokens,
    words_of,
)

ODD = "ab'’nNtTİßΣς svelrd,!?().3\t\x85\u0301\u094d\u200d\u200cนี่好ー한👍🏽🇩🇪❤️１\ud800\U00020000𝐁"
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(ODD)), max_size=60)
ASCII = st.text(st.sampled_from("abnNtTsS' .,3!-_\t\x1c"), max_size=40)


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
@example(text="İI ΑΣ'Β")
def test_offsets_give_the_source_in_order_without_overlap(name, text):
    end = 0
    for token in tokenize(text, name):
        assert end <= token.start <= token.end <= len(text)
        assert token.start < token.end or (name == "byte" and token.word.startswith("\\x"))
        source = text[token.start : token.end]
        if name == "character_space" and source.isspace():
            assert token.word == " "
        elif name != "byte":
            assert token.word in (source, source.lower())
            assert source.strip(" \t\r\n\f\v")
        end = token.end


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=st.one_of(TEXTS, ASCII))
@example(text="İI ΑΣ'Β")
@example(text="\x1ca\x85b")
def test_words_alone_are_the_words_of_the_tokens(name, text):
    words = [t.word for t in tokenize(text, name)]
    assert words_of(text, name) == words_of(text, TOKENIZERS[name]) == words
    assert has_token(text, name) == bool(words)


@given(text=ASCII)
def test_the_pattern_for_ascii_is_the_one_for_all_alphabets(text):
    both = [t.word for t in word_tokens(text + " é")]
    assert both == [*(t.word for t in word_tokens(text)), "é"]


def plain_word_pattern() -> re.Pattern[str]:
    """The definition of a word as one would write it down, a letter at a time."""
    clitic = r"(?:n['’]t|['’](?:s|ve|re|d|ll|m))(?!\w)"
    inside = r"(?:\w|['’](?=\w)|[.,](?=\d)(?<=\d.))"
    return re.compile(rf"{clitic}|\w(?:(?!{clitic}){inside})*|[^\w\s]", re.IGNORECASE)


@given(text=st.one_of(ASCII, st.text(st.sampled_from("anNtT'’sSvVeErRdDlLmM é.,3-!"), max_size=40)))
def test_words_are_those_of_the_plain_definition(text):
    assert words_of(text) == [m.group().lower() for m in plain_word_pattern().finditer(text)]


@given(text=TEXTS)
def test_kim_tokens_are_those_of_the_published_code(text):
    assert [t.word for t in kim_tokens(text)] == kim_clean(text)


@given(text=TEXTS)
def test_no_character_but_white_space_is_lost(text):
    for name in ("word", "character"):
        covered = {i for t in tokenize(text, name) for i in range(t.start, t.end)}
        assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    for cut in (character_space_tokens, byte_tokens):
        assert {i for t in cut(text) for i in range(t.start, t.end)} == set(range(len(text)))


@given(text=TEXTS)
def test_bytes_are_those_of_utf_8(text):
    tokens = byte_tokens(text)
    values = [int(t.word[2:], 16) if len(t.word) > 1 else ord(t.word) for t in tokens]
    assert bytes(values) == text.encode("utf-8", "surrogatepass")


@given(text=st.text(st.characters(categories=["L", "M", "N", "Zs"]), max_size=40))
def test_a_mark_stays_with_the_letter_before_it(text):
    for token in word_tokens(text):
        before = text[token.start - 1 : token.start]
        if unicodedata.category(text[token.start])[0] == "M" and text[token.start] < "\U00010000":
            assert not before.isalnum() or not before < "\U00010000"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\x85", []),
        ("I can't. She'd!", ["i", "ca", "n't", ".", "she", "'d", "!"]),
        ("l’été à 3,5 km", ["l’été", "à", "3,5", "km"]),
        ("don’t", ["do", "n’t"]),
        ("does n't work", ["does", "n't", "work"]),
        ("nnn't", ["nn", "n't"]),
        ("o'clock 'tis", ["o'clock", "'", "tis"]),
        ("gut😀😀", ["gut", "😀", "😀"]),
        ("❤️👍🏽🇩🇪🇫🇷", ["❤️", "👍🏽", "🇩🇪", "🇫🇷"]),
        ("👨‍👩‍👧!", ["👨‍👩‍👧", "!"]),
        ("cafe\u0301 bar", ["cafe\u0301", "bar"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("السَّلام عليكم", ["السَّلام", "عليكم"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("日本語のテスト。", ["日", "本", "語", "の", "テ", "ス", "ト", "。"]),
        ("iPhone15很好", ["iphone15", "很", "好"]),
        ("ที่นี่ ๑๒", ["ที่", "นี่", "๑๒"]),
        ("𠀀好", ["𠀀", "好"]),
        ("𝐁𝐨𝐥𝐝 x", ["𝐁𝐨𝐥𝐝", "x"]),
    ],
)
def test_words_of_a_text(text, words):
    assert [t.word for t in word_tokens(text)] == words


@pytest.mark.parametrize("name", ["word", "kim"])
@pytest.mark.parametrize("text", ["an" * 1_000_000, "a" * 2_000_000, "x" * 2_000_000 + "n't"])
def test_a_word_of_two_million_letters_is_a_word(name, text):
    assert words_of(text, name)[0] == text.removesuffix("n't")


def test_an_unknown_tokenizer_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"one of word, kim, space, .*, byte, bpe, got 'x'"):
        tokenize("a", "x")
    with pytest.raises(InputError, match=r"'bpe' is learned from texts; make it with make_tokenizer first"):
        tokenize("a", "bpe")


def test_a_function_is_a_tokenizer_too():
    assert words_of("Not bad", lambda text: word_tokens(text)[:1]) == ["not"]
    assert has_token("Not bad", lambda text: word_tokens(text)[:1])


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_fixed_tokenizer_needs_no_state(name):
    assert make_tokenizer(name, ["some text"]) == (TOKENIZERS[name], None)


def test_a_learned_tokenizer_without_texts_or_state_is_refused(monkeypatch):
    pytest.importorskip("tokenizers")
    with pytest.raises(InputError, match="it needs training texts or a saved state, got neither"):
        make_tokenizer("bpe")


def test_a_missing_package_is_said_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    for name in LEARNED:
        with pytest.raises(InputError, match=r"pip install conv1d_kit\[tokenizers\]"):
            make_tokenizer(name, ["a text"])
