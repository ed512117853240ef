"""The data doctor on sets whose flaws are known, made up or published."""

import time
from pathlib import Path

import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.text.dataset import collect_texts, open_texts
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.inspect import inspect_texts
from conv1d_kit.text.labelled import LabelledTexts
from conv1d_kit.text.tokens import words_of

DATA = Path(__file__).parents[2].parent / "shared/data/text"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data sets are not at {DATA}")
TEXTS, LABELS = make_reviews(120, seed=5)


def made(texts, labels, name="d.txt", **more):
    n = len(texts)
    return LabelledTexts(name, list(texts), list(labels), list(range(1, n + 1)), places=[""] * n, **more)


def kinds(found):
    return {f.kind: f for f in found.findings}


def test_a_clean_set_has_no_findings_but_what_its_classes_say():
    distinct = list(dict(zip(TEXTS, LABELS, strict=True)).items())
    found = inspect_texts(made([t for t, _ in distinct], [y for _, y in distinct]))
    assert (found.n_copies, found.n_conflicts, found.overlap, found.test) == (0, 0, None, None)
    assert not {f.kind for f in found.findings} - {"near_duplicate", "word_tells"}


def test_copies_and_conflicts_are_shown_with_their_lines():
    texts = ["A fine film", "so dull", "a fine film!", "other words here", "so dull", "another one", "so dull."]
    found = inspect_texts(made(texts, ["p", "n", "p", "n", "p", "p", "n"]))
    assert (found.n_copies, found.n_conflicts) == (3, 1)
    assert kinds(found)["conflict"].files == (("line 2", "line 5", "line 7"),)
    assert kinds(found)["conflict"].details == ("n / p: so dull",)
    assert kinds(found)["duplicate"].files == (("line 1", "line 3"),)


def test_test_texts_that_stand_in_training_are_counted_and_shown():
    train = made(["one two three four five six seven", "so dull", "quite other words", "yes"], "pnpn", "train")
    test = made(
        ["so dull", "So dull !", "one two three four five six eight", "new words only", "quite other words"],
        "npnpn", "test",
    )  # fmt: skip
    found = inspect_texts(train, test, near=0.5)
    o = found.overlap
    assert (o.same_text, o.same_letters, o.near, o.other_label, o.n_test) == (2, 3, 1, 2, 5)
    assert kinds(found)["test_in_train"].severity == "error"
    assert ("test: line 1", "test: line 2", "train: line 2") in kinds(found)["test_in_train"].files
    assert kinds(found)["near_test_in_train"].files == (("test: line 3", "train: line 1"),)
    assert "0.67" in kinds(found)["near_test_in_train"].details[0]
    tokens = words_of(" ".join(test.texts))
    known = set(" ".join(train.texts).split())
    assert o.unknown_tokens == pytest.approx(sum(t not in known for t in tokens) / len(tokens))
    assert o.unknown_words == pytest.approx(len({*tokens} - known) / len({*tokens}))


def test_a_signature_in_one_class_is_named():
    leaky = [t + (" (c) studio" if y == LABELS[0] else "") for t, y in zip(TEXTS, LABELS, strict=True)]
    found = kinds(inspect_texts(made(leaky, LABELS)))
    assert "studio" in [files[0] for files in found["word_tells"].files]


def test_a_class_that_is_told_by_its_length_or_its_capitals_is_named():
    long = [t if y == LABELS[0] else f"{t} {t} {t} {t}" for t, y in zip(TEXTS, LABELS, strict=True)]
    assert ("the number of tokens",) in kinds(inspect_texts(made(long, LABELS)))["form_tells"].files
    loud = [t.upper() if y == LABELS[0] else t.lower() for t, y in zip(TEXTS, LABELS, strict=True)]
    assert ("the share of capitals",) in kinds(inspect_texts(made(loud, LABELS)))["form_tells"].files


def test_small_and_single_classes_and_an_unknown_one_are_named():
    train = made(["a b", "c d", "e f", "g h"], ["x", "x", "x", "y"], "train")
    test = made(["new", "newer"], ["x", "z"], "test")
    found = kinds(inspect_texts(train, test))
    assert "1 of them one ('y')" in found["small_class"].words
    assert found["unknown_class"].files == (("z",),)
    assert kinds(inspect_texts(made(["a b", "c d"], "xx")))["one_class"].severity == "error"
    mostly = made([f"text {i}" for i in range(24)], "x" * 22 + "yy")
    assert "92% of the texts" in kinds(inspect_texts(mostly))["majority"].words


def test_bad_rows_and_the_encoding_are_named(tmp_path):
    (tmp_path / "d.txt").write_bytes(b"0 caf\xe9 society\n1 so dull\n1\n\n0 \0\n1 fine\n")
    data = collect_texts(open_texts(tmp_path / "d.txt"))
    found = inspect_texts(data)
    named = kinds(found)
    assert (found.train.n_rows, found.train.n_bad) == (6, 3)
    assert named["bad_rows"].files == (("line 3",), ("line 4",), ("line 5",))
    assert "1 no label and no text" in named["bad_rows"].words
    assert "read as cp1252: byte 0xe9" in named["encoding"].words
    assert "byte 0xe9" in found.train.encoding_reason


def test_texts_without_labels_or_with_several_are_looked_at_too():
    found = inspect_texts(made(["so it", "so it", "goes"], ["", "", ""]))
    assert (found.train.classes, found.n_copies, found.class_words) == ({}, 1, {})
    several = inspect_texts(made(["so it", "so it", "goes"], [("a", "b"), ("b", "a"), ()]))
    assert (several.train.classes, several.n_copies, several.n_conflicts) == ({"a": 2, "b": 2}, 1, 0)
    assert inspect_texts(made([], [])).findings == []


def test_a_tokenizer_that_learns_does_so_on_the_training_file():
    pytest.importorskip("tokenizers")
    train, test = made(["so it goes"] * 9, "aabbaabba", "train"), made(["so it went"], ["a"], "test")
    found = inspect_texts(train, test, tokenizer="bpe")
    assert found.train.lengths.max == 3
    assert found.overlap.unknown_tokens > 0


def test_options_are_checked():
    with pytest.raises(InputError, match="tokenizer must be one of"):
        inspect_texts(made(["a"], ["x"]), tokenizer="x")
    with pytest.raises(InputError, match="threshold must be a number in"):
        inspect_texts(made(["a"], ["x"]), near=0)


def real(name):
    return collect_texts(open_texts(DATA / name))


@needs_data
def test_ten_questions_of_trec_stand_in_its_training_part_and_an_eleventh_in_other_case():
    o = inspect_texts(real("TREC.train.all"), real("TREC.test.all")).overlap
    assert (o.same_text, o.same_letters, o.n_test) == (10, 11, 500)


@needs_data
def test_1431_sentences_of_the_sst_test_stand_in_mr_and_it_takes_seconds():
    start = time.process_time()
    found = inspect_texts(real("rt-polarity.all"), real("stsa.binary.test"))
    assert time.process_time() - start < 20
    assert (found.overlap.same_letters, found.overlap.n_test) == (1431, 1821)
    assert found.n_crowded == 0
    assert found.train.classes == {"0": 5331, "1": 5331}
