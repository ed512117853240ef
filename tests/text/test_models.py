"""What every model of the table must do, and the blend."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from conv1d_kit.errors import DataError, InputError, InputTypeError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.explain import explain_text
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.models import MODELS
from conv1d_kit.training.calibration import negative_log_likelihood

SMALL = {"dim": 16, "filters": 8, "widths": (1, 2), "epochs": 12, "lr": 1e-2}
TRAIN, LABELS = make_reviews(240, seed=3)
TEST, TRUTH = make_reviews(120, seed=4)


def test_a_blend_gives_the_mean_over_kinds_of_the_mean_over_seeds():
    names = ("nb_words", "cnn", "cnn")
    blend = TextClassifier(model="blend", members=names, **SMALL).fit(TRAIN, LABELS)
    alone = [TextClassifier(model=n, seed=i, **SMALL).fit(TRAIN, LABELS) for i, n in enumerate(names)]
    words, one, two = (m.logits(TEST) for m in alone)
    expected = (words + (one + two) / 2) / 2
    np.testing.assert_allclose(blend.logits(TEST), expected, atol=1e-6)
    assert blend.training_["weights"] == sum(m.training_["weights"] for m in alone)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_fits_predicts_saves_and_loads(model, tmp_path):
    fitted = TextClassifier(model=model, **{**SMALL, "epochs": 2}).fit(TRAIN, LABELS)
    p = fitted.predict_proba(TEST)
    assert p.shape == (len(TEST), 2)
    np.testing.assert_allclose(p.sum(1), 1)
    fitted.save(tmp_path / "m")
    np.testing.assert_allclose(TextClassifier.load(tmp_path / "m").predict_proba(TEST), p, atol=1e-6)
    assert fitted.training_["rows"] == len(TRAIN)
    assert sum(fitted.training_["class_rows"]) == len(TRAIN)


@pytest.mark.parametrize("model", ["cnn", "nb_words", "tfidf_logreg", "blend"])
def test_several_labels_a_text_are_learned(model, tmp_path):
    words = ["red", "green", "blue"]
    rng = np.random.default_rng(0)
    sets = [tuple(w for w in words if rng.random() < 0.4) for _ in range(200)]
    texts = [" ".join(["it", "is", *own, "today"]) for own in sets]
    options = {**SMALL, "epochs": 60, "members": ("nb_words", "cnn")}
    fitted = TextClassifier(model=model, multi_label=True, **options).fit(texts, sets)
    assert fitted.classes_.tolist() == sorted(words)
    assert fitted.score(texts, sets) > 0.95
    assert fitted.predict(["it is today", "it is red blue today"]).tolist() == [(), ("blue", "red")]
    with pytest.raises(InputTypeError, match=r"collections of labels, got 'red' in y\[0\]"):
        fitted.score(["it is red"], ["red"])
    fitted.save(tmp_path / "m")
    again = TextClassifier.load(tmp_path / "m")
    np.testing.assert_allclose(again.predict_proba(texts), fitted.predict_proba(texts), atol=1e-6)


@pytest.mark.parametrize("model", ["cnn", "fasttext", "nb_words"])
def test_a_single_label_that_texts_have_or_have_not_is_learned(model):
    sets = [("red",) if i % 2 else () for i in range(40)]
    texts = [f"it is {'red' if own else 'grey'} today" for own in sets]
    fitted = TextClassifier(model=model, multi_label=True, **{**SMALL, "epochs": 60}).fit(texts, sets)
    assert fitted.predict_proba(texts).shape == (40, 1)
    assert fitted.score(texts, sets) == 1
    assert explain_text(fitted, texts[1]).word_scores().argmax() == 2  # "red"


def test_nb_svm_is_refused_for_several_labels():
    with pytest.raises(InputError, match="model 'nb_svm' cannot learn several labels a text"):
        TextClassifier(model="nb_svm", multi_label=True).fit(["x", "y"], [["a"], []])


def test_labels_that_are_no_collections_are_refused_where_several_are_asked_for():
    with pytest.raises(
        InputTypeError, match=r"y must hold collections of labels, got 'a' in y\[0\]; try \['a'\]"
    ):
        TextClassifier(multi_label=True).fit(["x"], ["a"])
    with pytest.raises(InputError, match="at least one label"):
        TextClassifier(multi_label=True).fit(["x"], [[]])


def test_calibration_mends_an_overconfident_model():
    rng = np.random.default_rng(1)
    noisy = [a if rng.random() > 0.25 else "bad" if a != "bad" else "good" for a in LABELS]
    truth = np.unique(TRUTH, return_inverse=True)[1]
    plain = TextClassifier(model="nb_words", C=100.0).fit(TRAIN, noisy)
    mended = TextClassifier(model="nb_words", C=100.0, calibration_share=0.25).fit(TRAIN, noisy)
    assert mended.temperature_ > 1.2
    assert plain.predict(TEST).tolist() == mended.predict(TEST).tolist()
    flipped = np.where(np.random.default_rng(2).random(len(truth)) < 0.25, 1 - truth, truth)
    assert negative_log_likelihood(mended.predict_proba(TEST), flipped) < negative_log_likelihood(
        plain.predict_proba(TEST), flipped
    )


def test_calibration_needs_rows_of_each_class():
    with pytest.raises(
        InputError, match=r"calibration_share must leave a row of each class, got 0.1 with 1 rows"
    ):
        TextClassifier(model="nb", calibration_share=0.1).fit(["a", "b", "c"], ["x", "y", "y"])


def test_class_weights_name_classes():
    with pytest.raises(InputError, match=r"class_weight must name classes .*, got 'fine'"):
        TextClassifier(model="nb", class_weight={"fine": 2}).fit(TRAIN, LABELS)
    with pytest.raises(InputError, match="class_weight must hold finite numbers > 0, got 0"):
        TextClassifier(model="nb", class_weight={LABELS[0]: 0}).fit(TRAIN, LABELS)


def test_balanced_weights_answer_the_rare_class_more_often():
    rare = [i for i, label in enumerate(LABELS) if label == LABELS[0]][:20]
    rows = rare + [i for i, label in enumerate(LABELS) if label != LABELS[0]]
    texts, labels = [TRAIN[i] for i in rows], [LABELS[i] for i in rows]
    for model in ("cnn", "tfidf_logreg"):
        share = [
            (
                TextClassifier(model=model, class_weight=w, **SMALL).fit(texts, labels).predict(TEST)
                == LABELS[0]
            ).mean()
            for w in (None, "balanced")
        ]
        assert share[1] >= share[0]


def test_it_stands_in_pipelines_and_cross_validation():
    pipeline = make_pipeline(
        FunctionTransformer(lambda texts: [t.lower() for t in texts]), TextClassifier(model="nb_words")
    )
    scores = cross_val_score(pipeline, TRAIN, LABELS, cv=3)
    assert scores.min() > 0.6
    copy = clone(TextClassifier(model="blend", members=("nb", "cnn"), C=2.0))
    assert copy.get_params()["members"] == ("nb", "cnn")


def test_a_blend_goes_on_from_its_members_checkpoints(tmp_path):
    options = {**SMALL, "epochs": 3, "members": ("nb_words", "cnn", "cnn")}
    whole = TextClassifier(model="blend", **options).fit(TRAIN, LABELS, checkpoint=tmp_path / "c")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.1", "c.2"]
    seen = []
    again = TextClassifier(model="blend", **options)
    again.fit(TRAIN, LABELS, checkpoint=tmp_path / "c", on_epoch=seen.append)
    assert seen == []  # all epochs came from the files
    np.testing.assert_array_equal(again.predict_proba(TEST), whole.predict_proba(TEST))
    with pytest.raises(DataError, match="checkpoint"):
        TextClassifier(model="blend", **options).fit(TRAIN[::-1], LABELS[::-1], checkpoint=tmp_path / "c")


def test_the_optimizer_of_kim_learns_the_order_of_words():
    texts, labels = make_reviews(800, seed=5)
    model = TextClassifier(optimizer="adadelta", dim=32, filters=30, widths=(2,), epochs=25).fit(texts, labels)
    assert model.score(TEST, TRUTH) > 0.85


@pytest.mark.parametrize("model", [name for name in MODELS if name not in ("majority", "blend")])
def test_options_that_a_model_is_said_not_to_read_leave_it_as_it_was(model):
    """Each option, changed alone, moves the scores only where the table says that the model looks at it."""
    texts, labels = make_reviews(40, seed=0)
    usual = {
        "model": model,
        "filters": 4,
        "dim": 8,
        "epochs": 2,
        "seed": 0,
        "batch_size": 20,
        "word_dropout": 0.2,
    }
    changed = {
        "filters": 5, "dim": 7, "widths": (2,), "pooling": "mean", "activation": "tanh", "dropout": 0.1,
        "embedding_scale": 0.5, "max_norm": 0.01, "epochs": 3, "batch_size": 10, "lr": 0.05,
        "optimizer": "adadelta", "average_decay": 0.5, "label_smoothing": 0.3, "adversarial": 0.5,
        "ngrams": (1, 1), "C": 0.01,
        "tokenizer": "character", "min_count": 3, "members": ("nb",),
    }  # fmt: skip
    told = TextClassifier(model=model)
    plain = TextClassifier(**usual).fit(texts, labels).logits(texts)
    for name, value in changed.items():
        try:
            other = TextClassifier(**{**usual, name: value}).fit(texts, labels).logits(texts)
        except InputError:  # a net that is too deep for the texts' tokens, or an option it refuses
            continue
        if told.unread_options([name]):
            np.testing.assert_array_equal(other, plain, err_msg=name)


def test_a_blend_reads_what_its_members_read():
    blend = TextClassifier(model="blend", members=("nb", "cnn"))
    assert blend.unread_options(["C", "filters", "members", "depth"]) == ["depth"]
    assert TextClassifier(model="cnn").unread_options(["C", "members", "filters"]) == ["C", "members"]
