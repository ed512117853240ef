"""Linear n-gram models against scikit-learn on strings, and what every row of the table must do."""

import numpy as np
import pytest
import torch
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from conv1d_kit.errors import InputError, ModelError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.linear import LINEAR, LinearModel

TRAIN, LABELS = make_reviews(240, seed=3)
TEST, TRUTH = make_reviews(120, seed=4)
THREE = ["a" if "not" in t else label for t, label in zip(TRAIN, LABELS, strict=True)]


def strings(low, high):
    def analyse(text):
        words = ["<s>", *text.split(), "</s>"]
        return [" ".join(words[i : i + n]) for n in range(low, high + 1) for i in range(len(words) - n + 1)]

    return analyse


def presence(low, high):
    v = CountVectorizer(analyzer=strings(low, high), binary=True)
    return v.fit_transform(TRAIN).astype(np.float64), v.transform(TEST).astype(np.float64)


def ratio(x, yes):
    p, q = 1 + x[yes].sum(0).A1, 1 + x[~yes].sum(0).A1
    return diags(np.log(p / p.sum()) - np.log(q / q.sum()))


def fitted(model, labels=LABELS, **options):
    return TextClassifier(model=model, tokenizer="space", **options).fit(TRAIN, labels)


@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_naive_bayes_is_scikit_learns(labels):
    x, z = presence(1, 2)
    expected = MultinomialNB().fit(x, labels).predict_proba(z)
    np.testing.assert_allclose(fitted("nb", labels).predict_proba(TEST), expected, atol=1e-4)


def test_majority_gives_the_shares_of_the_classes_whatever_the_text():
    p = fitted("majority", THREE).predict_proba(["", "good", *TEST])
    shares = np.unique(THREE, return_counts=True)[1] / len(THREE)
    np.testing.assert_allclose(p, np.tile(shares, (len(p), 1)), atol=1e-12)


def test_weighted_logistic_regression_is_scikit_learns_on_weighted_strings():
    x, z = presence(1, 3)
    yes = np.asarray(LABELS) == sorted(set(LABELS))[1]
    r = ratio(x, yes)
    expected = LogisticRegression(C=1, solver="lbfgs", tol=1e-8, max_iter=5000)
    expected = LogisticRegression(C=1, solver="liblinear", tol=1e-8).fit(x @ r, yes).decision_function(z @ r)
    got = fitted("nb_words").decision_function(TEST)
    np.testing.assert_allclose(got, expected, atol=2e-2)


def test_nb_svm_stands_between_the_svm_and_the_mean_size_of_its_weights():
    x, z = presence(1, 2)
    yes = np.asarray(LABELS) == sorted(set(LABELS))[1]
    r = ratio(x, yes)
    svm = LinearSVC(C=0.1, tol=1e-7, max_iter=100_000).fit(x @ r, yes)
    w = svm.coef_[0]
    expected = z @ r @ (0.75 * np.abs(w).mean() + 0.25 * w) + svm.intercept_[0]
    got = fitted("nb_svm").decision_function(TEST)
    np.testing.assert_allclose(got, expected, atol=2e-2)


def test_tfidf_is_scikit_learns():
    v = TfidfVectorizer(analyzer=strings(1, 2), sublinear_tf=True)
    x, z = v.fit_transform(TRAIN), v.transform(TEST)
    yes = np.asarray(LABELS) == sorted(set(LABELS))[1]
    expected = LogisticRegression(C=10, solver="liblinear", tol=1e-8).fit(x, yes).decision_function(z)
    got = fitted("tfidf_logreg").decision_function(TEST)
    np.testing.assert_allclose(got, expected, atol=2e-2)


@pytest.mark.parametrize("model", LINEAR)
@pytest.mark.parametrize("labels", [LABELS, THREE])
def test_every_row_is_saved_loaded_and_defined_for_any_text(model, labels, tmp_path):
    model = fitted(model, labels)
    model.save(tmp_path / "m")
    again = TextClassifier.load(tmp_path / "m")
    odd = [*TEST, "", "???", "好 😀", "\0"]
    np.testing.assert_array_equal(again.predict_proba(odd), model.predict_proba(odd))
    assert np.isfinite(model.predict_proba(odd)).all()
    np.testing.assert_allclose(model.predict_proba(odd).sum(1), 1)
    assert model.predict_proba([]).shape == (0, len(model.classes_))


@pytest.mark.parametrize("model", [m for m in LINEAR if m != "majority"])
def test_every_row_but_the_majority_learns_pairs_of_words(model):
    model = TextClassifier(model=model, tokenizer="space").fit(*make_reviews(1000, seed=5))
    assert model.score(TEST, TRUTH) > 0.8


def test_a_heavier_class_is_answered_more_often():
    heavy = {sorted(set(LABELS))[0]: 20.0}
    for model in LINEAR:
        plain, weighted = fitted(model, C=0.01), fitted(model, class_weight=heavy, C=0.01)
        assert weighted.predict_proba(TEST)[:, 0].mean() > plain.predict_proba(TEST)[:, 0].mean()


def test_the_ngrams_and_the_penalty_can_be_chosen():
    words, pairs = fitted("nb_words", ngrams=(1, 1)), fitted("nb_words", ngrams=(2, 2))
    assert words.score(TEST, TRUTH) < pairs.score(TEST, TRUTH)  # only the order decides
    assert len(words.model_.bag) < len(pairs.model_.bag)
    weak, strong = (fitted("nb_words", C=c).model_.weights for c in (0.001, 10.0))
    assert np.abs(weak).sum() < np.abs(strong).sum()


def test_damaged_tensors_are_refused():
    facts, tensors = fitted("nb").model_.state()
    with pytest.raises(ValueError, match="for 3 n-grams"):
        LinearModel.restore(facts, {**tensors, "ngrams": torch.zeros(3, dtype=torch.int64)}, {}, 2)


def test_characters_keep_their_case_and_words_do_not():
    texts, labels = ["A B", "a b"] * 6, ["upper", "lower"] * 6
    assert TextClassifier(model="nb_characters", ngrams=(1, 2)).fit(texts, labels).score(texts, labels) == 1
    assert TextClassifier(model="nb_words").fit(texts, labels).score(texts, labels) == 0.5


def test_characters_of_models_from_before_they_kept_their_case_are_refused(tmp_path):
    TextClassifier(model="nb_characters").fit(["A B", "a b"] * 2, ["x", "y"] * 2).save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text("utf-8").replace("cased_character", "character"), "utf-8")
    with pytest.raises(ModelError, match="unit must be one of word, cased_character, got 'character'"):
        TextClassifier.load(tmp_path / "m")


@pytest.mark.parametrize("model", [name for name in LINEAR if name != "majority"])
def test_options_that_leave_no_ngram_are_refused(model):
    texts, labels = ["so good", "so bad"] * 4, [1, 0] * 4
    for options, said in (({"min_count": 9}, "got 9 and"), ({"ngrams": (50, 60)}, r"and \(50, 60\)")):
        with pytest.raises(
            InputError, match=f"min_count and ngrams must leave an n-gram of the 8 texts, .*{said}"
        ):
            TextClassifier(model=model, **options).fit(texts, labels)


@pytest.mark.parametrize("model", [name for name in LINEAR if name != "nb_svm"])
def test_a_label_that_all_texts_have_is_always_given_and_spoils_no_other(model):
    texts = ["so good", "so bad"] * 8
    own = [("film", "+"), ("film",)] * 8
    found = TextClassifier(model=model, multi_label=True).fit(texts, own)
    alone = TextClassifier(model=model, multi_label=True).fit(texts, [row[1:] for row in own])
    assert found.predict_proba(["so good", "who knows"])[:, 1].min() > 0.99
    np.testing.assert_allclose(found.predict_proba(texts)[:, 0], alone.predict_proba(texts)[:, 0])
