"""TextClassifier: an estimator like any other, the same net for the same seed, a folder that brings it back."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from conv1d_kit import TextClassifier
from conv1d_kit.errors import InputError, InputTypeError, ModelError
from conv1d_kit.text.explain import explain_text

SMALL = {
    "dim": 16,
    "filters": 8,
    "widths": (1, 2),
    "epochs": 30,
    "lr": 1e-2,
    "batch_size": 16,
}


def corpus(n=60, seed=0):
    """Word order decides: "not bad" is good and "bad not" is bad, in random company."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(n):
        filler = rng.choice(["film", "plot", "cast", "score", "scene"], 4).tolist()
        at = int(rng.integers(0, 4))
        texts.append(" ".join(filler[:at] + (["not", "bad"] if i % 2 else ["bad", "not"]) + filler[at:]))
        labels.append("good" if i % 2 else "bad")
    return texts, labels


@pytest.fixture(scope="module")
def fitted():
    return TextClassifier(**SMALL).fit(*corpus())


def test_filters_of_two_words_learn_an_order_that_single_words_cannot(fitted):
    texts, labels = corpus(seed=1)
    assert fitted.score(texts, labels) == 1.0
    blind = TextClassifier(**{**SMALL, "widths": (1,)}).fit(*corpus())
    assert blind.score(texts, labels) < 0.7


def test_probabilities_are_shares_in_the_order_of_the_classes(fitted):
    texts, _ = corpus(seed=1)
    shares = fitted.predict_proba(texts)
    assert shares.shape == (60, 2)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert fitted.classes_.tolist() == ["bad", "good"]
    assert (fitted.predict(texts) == fitted.classes_[shares.argmax(1)]).all()


def test_a_prediction_does_not_change_with_its_batch(fitted):
    texts = ["", "not", "bad", *corpus(seed=1)[0], "film " * 50 + "not bad"]
    together = fitted.predict_proba(texts)
    alone = np.concatenate([fitted.predict_proba([t]) for t in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_texts_give_no_rows(fitted):
    assert fitted.predict_proba([]).shape == (0, 2)
    assert fitted.predict([]).shape == (0,)


def test_the_same_seed_gives_the_same_net_and_another_seed_another():
    texts, labels = corpus()
    a, b = (TextClassifier(**SMALL, seed=3).fit(texts, labels) for _ in range(2))
    c = TextClassifier(**SMALL, seed=4).fit(texts, labels)
    assert all(torch.equal(x, y) for x, y in zip(a.net_.parameters(), b.net_.parameters(), strict=True))
    assert a.history_.losses == b.history_.losses != c.history_.losses


def test_training_leaves_the_callers_generators_and_threads_alone():
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002  # the legacy generator is what must not move
    before = torch.get_rng_state(), np.random.get_state()[2], torch.get_num_threads()  # noqa: NPY002
    TextClassifier(**SMALL).fit(*corpus(10))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[2] == before[1]  # noqa: NPY002
    assert torch.get_num_threads() == before[2]


def test_it_clones_cross_validates_and_stands_in_a_pipeline():
    texts, labels = corpus()
    model = TextClassifier(**SMALL)
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(model, texts, labels, cv=3).mean() > 0.9
    upper = make_pipeline(FunctionTransformer(lambda x: [t.upper() for t in x]), model)
    assert upper.fit(texts, labels).score(texts, labels) == 1.0


def test_the_vocabulary_is_that_of_the_training_texts_only():
    model = TextClassifier(**{**SMALL, "epochs": 1}).fit(["a b", "a c", "a a d"], [0, 1, 1])
    model.predict(["unseen words"])
    assert model.vocabulary_.words == ["a", "b", "c", "d"]
    rare = TextClassifier(**{**SMALL, "epochs": 1}, min_count=2).fit(["a b", "a c"], [0, 1])
    assert rare.vocabulary_.words == ["a"]


def test_history_and_callback_tell_of_every_epoch():
    seen = []
    model = TextClassifier(**SMALL).fit(*corpus(), on_epoch=seen.append)
    assert [e.number for e in seen] == list(range(1, 31))
    assert model.history_.epochs == seen
    assert seen[-1].loss < seen[0].loss


@pytest.mark.parametrize("labels", [[1, 0, 1], ["b", "a", "b"], [True, False, True], [0.5, 1.5, 0.5]])
def test_a_saved_model_gives_the_same_probabilities_and_classes(tmp_path, labels):
    model = TextClassifier(**{**SMALL, "epochs": 1}).fit(["x y", "z", "x ü"], labels)
    model.save(tmp_path / "m")
    back = TextClassifier.load(tmp_path / "m")
    assert back.get_params() == model.get_params()
    assert back.classes_.tolist() == model.classes_.tolist()
    assert (back.predict(["x", "ü z"]) == model.predict(["x", "ü z"])).all()
    assert np.array_equal(back.predict_proba(["x", "", "ü z"]), model.predict_proba(["x", "", "ü z"]))


def test_a_damaged_or_foreign_folder_is_a_model_error(tmp_path, fitted):
    with pytest.raises(ModelError, match="is not a model folder"):
        TextClassifier.load(tmp_path / "none")
    fitted.save(tmp_path / "m")
    path = tmp_path / "m/config.json"
    good = json.loads(path.read_text())
    for key, value in (
        ("options", {"colour": 1}),
        ("options", {"model": "rnn"}),
        ("model", {"vocabulary": ["a", "a"], "tokenizer": "word"}),
        ("model", {"vocabulary": ["a"], "tokenizer": "word"}),
        ("classes", ["only"]),
    ):
        path.write_text(json.dumps({**good, key: value}))
        with pytest.raises(ModelError, match=str(tmp_path / "m")):
            TextClassifier.load(tmp_path / "m")
    path.write_text(json.dumps({k: v for k, v in good.items() if k != "classes"}))
    with pytest.raises(ModelError, match="classes"):
        TextClassifier.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ("one text", ["a"], InputTypeError, r"X must be a sequence of texts, got one str; try \[X\]"),
        (["a", None], [0, 1], InputTypeError, r"X must hold str only, got NoneType in X\[1\]"),
        (["a", "b"], [0], InputError, "y must hold one label a text"),
        ([], [], InputError, "got no texts"),
        (["a", "b"], [1, 1], InputError, "at least two classes, got only 1"),
    ],
)
def test_unusable_input_is_refused(X, y, error, message):
    with pytest.raises(error, match=message):
        TextClassifier(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "rnn"},
        {"model": []},
        {"members": "cnn"},
        {"members": ("cnn", "blend")},
        {"optimizer": "sgd"},
        {"ngrams": (2, 1)},
        {"ngrams": 2},
        {"C": 0},
        {"label_smoothing": 1},
        {"adversarial": -1},
        {"calibration_share": 0.6},
        {"class_weight": "heavy"},
        {"multi_label": "yes"},
        {"tokenizer": "spacy"},
        {"epochs": 0},
        {"batch_size": 2.5},
        {"n_threads": 0},
        {"lr": 0},
        {"lr": "x"},
        {"lr": math.inf},
        {"lr": math.nan},
        {"widths": 3},
        {"widths": ()},
        {"widths": "3"},
        {"widths": (1, 2.5)},
        {"widths": (0,)},
        {"seed": -1},
        {"seed": 10**23},
        {"seed": "x"},
        {"dim": 0},
        {"filters": 1.5},
        {"min_count": 0},
        {"dropout": 1},
        {"word_dropout": "x"},
        {"average_decay": 1},
        {"max_norm": 0},
        {"max_norm": "x"},
    ],
)
def test_unusable_options_are_refused_by_name(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))} must be"):
        TextClassifier(**options).fit(["a", "b"], [0, 1])


def test_numbers_of_numpy_are_numbers(tmp_path):
    numbers = {"epochs": np.int64(2), "dim": np.int32(8), "filters": np.uint8(4), "widths": np.array([1, 2]),
               "batch_size": np.int64(4), "min_count": np.int64(1), "seed": np.int64(3),
               "n_threads": np.int64(1), "lr": np.float64(1e-2), "dropout": np.float32(0.5)}  # fmt: skip
    plain = {k: v.tolist() for k, v in numbers.items()}
    a, b = (TextClassifier(**o).fit(*corpus(12)) for o in (numbers, plain))
    a.save(tmp_path / "m")
    for model in (b, TextClassifier.load(tmp_path / "m")):
        assert np.array_equal(a.predict_proba(["not bad"]), model.predict_proba(["not bad"]))


@pytest.mark.parametrize("lr", [1e30, 1e38])
def test_a_training_that_diverges_is_refused(lr):
    with pytest.raises(InputError, match=r"finite.* training has diverged; try a smaller learning rate"):
        TextClassifier(**{**SMALL, "epochs": 1, "lr": lr}).fit(*corpus())


def test_words_that_utf_8_cannot_hold_are_saved(tmp_path):
    model = TextClassifier(**{**SMALL, "epochs": 1}).fit(["\ud800 a", "b"], [0, 1])
    model.save(tmp_path / "m")
    assert TextClassifier.load(tmp_path / "m").vocabulary_ == model.vocabulary_


def test_a_model_whose_weights_do_not_fit_says_which(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    config = json.loads((tmp_path / "m/config.json").read_text())
    config["options"]["dim"] = 3
    (tmp_path / "m/config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"size mismatch for embedding\.weight.*train it again$"):
        TextClassifier.load(tmp_path / "m")


def test_an_unfitted_model_says_so():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        TextClassifier().predict(["a"])


def test_texts_without_any_token_train_and_predict():
    model = TextClassifier(**{**SMALL, "epochs": 1}).fit(["", "word", ""], [0, 1, 0])
    assert np.isfinite(model.predict_proba(["", "word"])).all()


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (["0", "1", None, "1"], InputError, r"y must hold a label for each text, got None in y\[2\]"),
        ([0.0, 1.0, math.nan, 1.0], InputError, r"got nan in y\[2\]"),
        (["0", 1, "0", 1], InputTypeError, r"labels of one kind, got '0' and 1 in y\[1\]"),
    ],
)
def test_missing_and_mixed_labels_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        TextClassifier(model="nb").fit(["a", "b", "c", "d"], y)


def test_scorers_of_scikit_learn_rank_by_the_decision_function():
    from sklearn.metrics import get_scorer

    texts, labels = corpus(40)
    model = TextClassifier(model="nb").fit(texts, labels)
    z = model.decision_function(texts)
    assert z.shape == (len(texts),)
    np.testing.assert_allclose(z, np.diff(model.logits(texts))[:, 0])
    assert 0.5 < get_scorer("roc_auc")(model, texts, labels) <= 1


def test_sizes_beyond_the_memory_are_one_clear_line():
    with pytest.raises(InputError, match="dim must fit the memory"):
        TextClassifier(dim=2**31 - 1, epochs=1).fit(*corpus(8))


@pytest.mark.parametrize(("key", "value"), [("options", [1]), ("temperature", 0), ("training", 3)])
def test_a_damaged_config_is_a_model_error(tmp_path, fitted, key, value):
    fitted.save(tmp_path / "m")
    path = tmp_path / "m/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ModelError, match="train it again"):
        TextClassifier.load(tmp_path / "m")


def test_vectors_are_refused_where_there_are_no_embeddings():
    with pytest.raises(InputError, match="vectors must be None for the model 'nb'"):
        TextClassifier(model="nb", vectors="v.txt").fit(*corpus(8))


def test_a_learned_tokenizer_serves_a_net_also_within_a_blend_and_is_refused_without_one(tmp_path):
    pytest.importorskip("tokenizers")
    texts, labels = corpus()
    model = TextClassifier(model="blend", members=("nb_characters", "cnn"), tokenizer="bpe", **SMALL)
    model.fit(texts, labels).save(tmp_path / "m")
    again = TextClassifier.load(tmp_path / "m")
    assert "".join(token.word for token in again.tokenizer_("bad plot")) == "badĠplot"
    found = explain_text(again, texts[0])
    np.testing.assert_allclose(found.logits, again.logits(texts[:1])[0], atol=1e-5)
    with pytest.raises(
        InputError, match="tokenizer must be a fixed one for the model 'nb_characters', got 'bpe'"
    ):
        TextClassifier(model="nb_characters", tokenizer="bpe").fit(texts, labels)
