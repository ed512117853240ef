"""Copies, against comparing every text with every other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.text.copies import Copies, n_texts
from conv1d_kit.text.labelled import LabelledTexts
from conv1d_kit.text.text_facts import letters

TEXTS = st.lists(st.sampled_from(["so it", "So it!", "goes", "a b c d", "a b c e", "a b c d e f"]), max_size=8)
LABELS = st.sampled_from("xy")


def made(name, texts, labels):
    n = len(texts)
    return LabelledTexts(name, list(texts), labels[:n], list(range(1, n + 1)), places=[""] * n)


def shingles(text):
    words = text.lower().replace("!", "").split()
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def near(a, b):
    a, b = shingles(a), shingles(b)
    return len(a & b) >= 0.5 * len(a | b) > 0


@settings(max_examples=80, deadline=None)
@given(train=TEXTS, test=TEXTS, labels=st.lists(LABELS, min_size=16, max_size=16))
def test_counts_are_those_of_comparing_all_with_all(train, test, labels):
    a, b = made("train", train, labels[:8]), made("test", test, labels[8:])
    words = [[t.lower().replace("!", " !").split() for t in part] for part in (train, test)]
    copies = Copies([a, b], words, 0.5)
    same = [[i for i in range(len(train)) if letters(train[i]) == letters(t)] for t in test]
    overlap = copies.overlap(0.0, 0.0)
    assert overlap.same_text == sum(t in train for t in test)
    assert overlap.same_letters == sum(map(bool, same))
    close = [any(near(t, u) for u in train) for t in test]
    assert overlap.near == sum(c and not s for s, c in zip(same, close, strict=True))
    other = [s and all(a.labels[i] != b.labels[k] for i in s) for k, s in enumerate(same)]
    assert overlap.other_label == sum(map(bool, other))
    assert copies.n_copies == len(train) - len({letters(t) for t in train})
    sets: dict[str, set] = {}
    for t, y in zip(train, a.labels, strict=True):
        sets.setdefault(letters(t), set()).add(y)
    assert len(copies.conflicts) == sum(len(y) > 1 for y in sets.values())
    named = {f.kind: f for f in copies.findings()}
    assert ("test_in_train" in named) == bool(overlap.same_letters)
    assert all(len(f.files) == len(f.details) for f in named.values())


def test_one_is_one():
    assert (n_texts(1), n_texts(2)) == ("1 text", "2 texts")
