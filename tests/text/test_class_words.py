"""Words of a class, against the paper's formula computed a word at a time."""

import math

import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.text.class_words import class_words
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.tokens import words_of

TEXTS, LABELS = make_reviews(200, seed=3)
WORDS = [words_of(t) for t in TEXTS]


def test_scores_are_those_of_the_formula():
    found = class_words(WORDS, LABELS, n=5)
    sets = [set(w) for w in WORDS]
    vocabulary = {w for s in sets for w in s if sum(w in t for t in sets) >= 3}
    total = {w: sum(w in s for s in sets) for w in vocabulary}
    everything = sum(total.values())
    for label, words in found.items():
        assert words
        inside = {w: sum(w in s for s, y in zip(sets, LABELS, strict=True) if y == label) for w in vocabulary}
        alpha = {w: 1.0 * len(vocabulary) * total[w] / everything for w in vocabulary}
        alpha_0 = sum(alpha.values())
        n_in, n_out = sum(inside.values()), everything - sum(inside.values())
        for w in words:
            y, z, a = inside[w.word], total[w.word] - inside[w.word], alpha[w.word]
            delta = math.log((y + a) / (n_in + alpha_0 - y - a)) - math.log((z + a) / (n_out + alpha_0 - z - a))
            assert w.z == pytest.approx(delta / math.sqrt(1 / (y + a) + 1 / (z + a)))
            assert (w.inside, w.outside) == (y, z)
            precision, recall = y / (y + z), y / LABELS.count(label)
            assert w.f1 == pytest.approx(2 * precision * recall / (precision + recall))
        assert [w.z for w in words] == sorted((w.z for w in words), reverse=True)


def test_a_word_slipped_into_one_class_stands_first_and_tells():
    leaky = [[*w, "sig"] if y == LABELS[0] else w for w, y in zip(WORDS, LABELS, strict=True)]
    first = class_words(leaky, LABELS)[LABELS[0]][0]
    assert (first.word, first.outside, first.f1, first.tells) == ("sig", 0, 1.0, True)
    assert not any(
        w.tells for words in class_words([[str(i % 7)] for i in range(200)], LABELS).values() for w in words
    )


def test_nothing_to_compare_gives_nothing():
    assert class_words([["a"]] * 5, ["x"] * 5) == {"x": []}
    assert class_words([["a"], ["b"]], ["x", "y"]) == {"x": [], "y": []}
    assert class_words([], []) == {}
    with pytest.raises(InputError, match="must have one length, got 1 and 2"):
        class_words([["a"]], ["x", "y"])
