"""TextClassifier: texts in, labels out; a scikit-learn estimator around nets, baselines and blends of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import InputError, InputTypeError, ModelError, check_whole, is_number, is_whole
from ..training.calibration import fit_temperature
from ..training.folds import held_out
from ..training.loop import Epoch, History
from ..training.losses import balanced_weights
from ..training.model_folder import load_model_folder, save_model_folder
from ..training.targets import as_rows, class_targets, label_sets, said_labels
from .bulk import stream_scores
from .linear import check_ngrams
from .model import TextTask
from .models import MODELS
from .net_model import OPTIMIZERS, NetModel, n_epochs, net_options
from .net_options import EMBEDDING_SCALE
from .nets import TEXT_NETS, TextCNN, TextNet
from .ngrams import FilterNgrams, strongest_ngrams
from .tokens import LEARNED, TOKENIZERS, Tokenizer, make_tokenizer, tokenize
from .vocabulary import Vocabulary

__all__ = ["TextClassifier"]

T = TypeVar("T")


class TextClassifier(ClassifierMixin, BaseEstimator):
    """Classifier of texts: the convolutional n-gram net (Kim 2014), its relatives, baselines, or a blend.

    All that is learned, the vocabulary too, comes from the training texts. Each model reads the options that
    concern it: nets from `widths` to `n_threads`, linear models of n-grams `ngrams` and `C`.

    Parameters
    ----------
    model : a key of MODELS
        A net ("cnn", …), a baseline ("majority", "nb", "nb_svm", "tfidf_logreg", "nb_words", "nb_characters")
        or "blend".
    members : sequence of keys of MODELS
        The models that "blend" averages, all kinds alike; one that stands there twice is trained from two
        seeds, which are averaged first.
    widths : sequence of int >= 1
        Filter widths in tokens; (1,) sees words without their order.
    filters : int
        Filters of each width.
    dim : int
        Length of a token's embedding.
    pooling : "max", "2-max" …, "mean", "attention" or "log_sum_exp"
        What is kept of a filter's responses.
    embedding : "rand", "static", "nonstatic" or "multichannel"
        Learned from chance; or from `vectors`: left as they are, learned on, or one copy of each.
    embedding_scale : float > 0
        Standard deviation of embeddings that start by chance.
    vectors : path or None
        Word vectors (word2vec, GloVe, fastText) of `dim` numbers to start from; words without one start by
        chance. A saved model holds them.
    depth : int >= 1 or None
        Layers of a deep net; None: its own.
    activation : "relu", "tanh", "identity", "sigmoid", "softplus" or "cube"
    dropout : float in [0, 1)
        On the filters' responses.
    embedding_dropout : float in [0, 1)
        On the embeddings, word by word.
    word_dropout : float in [0, 1)
        Share of the training tokens read as <unk>.
    max_norm : float > 0 or None
        Bound on the L2 norm of each class's output weights.
    epochs : int >= 1 or None
        Passes over the training texts; None: as many as make about 1,000 steps, from 5 to 50.
    batch_size : int >= 1
    optimizer : a key of OPTIMIZERS
        "adam" with a warm-up and half a cosine to 0, or "adadelta" at a constant rate, as Kim had it.
    lr : float > 0 or None
        Peak learning rate; None: 0.002 for "adam", 1 for "adadelta".
    average_decay : float in [0, 1) or None
        Ends on a moving average of the weights.
    label_smoothing : float in [0, 1)
        This share of each target is spread over the classes.
    adversarial : float >= 0
        Each step also learns from embeddings moved by this length to where they mislead the net most; 0: not.
        It doubles the work of a step.
    ngrams : (low, high) or None
        Lengths of the n-grams of a linear model; None: its own.
    C : float > 0 or None
        Inverse strength of a linear model's penalty; None: its own.
    tokenizer : a key of TOKENIZERS or LEARNED
        A learned one ("bpe") is made from the training texts, for nets.
    min_count : int >= 1
        Words seen less often in training become <unk>; a linear model leaves out n-grams of fewer texts.
    multi_label : bool
        Each label is a collection of labels, also none; probabilities are then each class's own.
    class_weight : "balanced", a dict label → number > 0, or None
        How much the rows of each class count.
    calibration_share : float in (0, 0.5] or None
        With it the model is trained twice: first without this share of the rows, on which the temperature is
        fitted that makes its probabilities honest, then on all.
    seed : int from 0 to 2**32 − 1
        Same seed, data and number of threads: same model.
    n_threads : int >= 1 or None
        Threads of torch while it trains; None leaves them as they are.

    Attributes
    ----------
    classes_ : array of the labels, sorted
    model_ : TextModel
    temperature_ : float
        Logits are divided by it; 1 without calibration.
    training_ : dict
        Rows, rows of each class, and what else a model card says of the training.
    tokenizer_ : function text → list of Token
    net_, vocabulary_, history_ : of a net only

    Source: Kim (2014), Convolutional Neural Networks for Sentence Classification; Wang & Manning (2012),
    Baselines and Bigrams: Simple, Good Sentiment and Topic Classification.

    Examples
    --------
    >>> texts, labels = ["good", "very good", "bad", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, seed=1).fit(texts, labels)
    >>> model.predict(["good film", "bad film"]).tolist()
    [1, 0]
    >>> TextClassifier(model="nb").fit(texts, labels).predict(["good film", "bad film"]).tolist()
    [1, 0]
    """

    def __init__(
        self,
        *,
        model: str = "cnn",
        members: Sequence[str] = ("nb_words", "nb_characters", "cnn", "cnn", "cnn"),
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        dim: int = 200,
        pooling: str = "max",
        embedding: str = "rand",
        embedding_scale: float = EMBEDDING_SCALE,
        vectors: str | os.PathLike | None = None,
        depth: int | None = None,
        activation: str = "relu",
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        max_norm: float | None = 3.0,
        epochs: int | None = None,
        batch_size: int = 50,
        optimizer: str = "adam",
        lr: float | None = None,
        average_decay: float | None = None,
        label_smoothing: float = 0.0,
        adversarial: float = 0.0,
        ngrams: tuple[int, int] | None = None,
        C: float | None = None,
        tokenizer: str = "word",
        min_count: int = 1,
        multi_label: bool = False,
        class_weight: str | Mapping | None = None,
        calibration_share: float | None = None,
        seed: int = 0,
        n_threads: int | None = 1,
    ):
        self.model = model
        self.members = members
        self.widths = widths
        self.filters = filters
        self.dim = dim
        self.pooling = pooling
        self.embedding = embedding
        self.embedding_scale = embedding_scale
        self.vectors = vectors
        self.depth = depth
        self.activation = activation
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout
        self.word_dropout = word_dropout
        self.max_norm = max_norm
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.average_decay = average_decay
        self.label_smoothing = label_smoothing
        self.adversarial = adversarial
        self.ngrams = ngrams
        self.C = C
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.multi_label = multi_label
        self.class_weight = class_weight
        self.calibration_share = calibration_share
        self.seed = seed
        self.n_threads = n_threads

    def fit(
        self,
        X: Sequence[str],
        y: Sequence,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: str | os.PathLike | None = None,
    ):
        """Learn from the texts.

        Parameters
        ----------
        X : sequence of str, length N
        y : sequence of int or str, length N
            At least two distinct labels; with `multi_label` a collection of labels each.
        on_epoch : function(Epoch), optional
            For nets.
        checkpoint : path, optional
            File that keeps a net's training after every epoch (of a blend's members PATH.0 …); where it
            stands, training goes on from it. Linear models begin anew.

        Raises
        ------
        InputError, InputTypeError
            If an option cannot be used, a text is no str, the lengths differ, or there is one class only.
        """
        self.check_options()
        texts = _texts(X)
        several = bool(self.multi_label)
        self.classes_, targets = class_targets(y, len(texts), multi_label=several, of="text")
        if len(self.classes_) < 2 and not several:
            raise InputError(f"y must hold at least two classes, got only {self.classes_.tolist()[0]!r}")
        options = self.get_params()
        kind = MODELS[self.model]
        weights = self._class_weights(targets)

        def task(rows: np.ndarray | None = None) -> TextTask:
            some = texts if rows is None else [texts[i] for i in rows]
            own = targets if rows is None else targets[rows]
            return TextTask(some, own, len(self.classes_), bool(self.multi_label), weights)

        self.temperature_ = 1.0
        if self.calibration_share is not None:
            share = float(self.calibration_share)
            rest, held = held_out(
                targets, share, classes=self.classes_.tolist(), seed=int(self.seed), name="calibration_share"
            )
            first = kind.learn(task(rest), options)
            logits = first.scores([texts[i] for i in held])
            self.temperature_ = fit_temperature(_probabilities(logits, False), targets[held])
        self.model_ = kind.learn(task(), options, on_epoch=on_epoch, checkpoint=checkpoint)
        counts = targets.sum(0) if self.multi_label else np.bincount(targets, minlength=len(self.classes_))
        self.training_ = {
            "rows": len(texts),
            "class_rows": [int(n) for n in counts],
            "weights": int(self.model_.n_weights),
        }
        return self

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """Most probable label of each text [shape=(N,)]; with `multi_label` a tuple of those above one half."""
        p = self.predict_proba(X)
        return said_labels(self.classes_, p, multi_label=bool(self.multi_label))

    def predict_proba(self, X: Sequence[str]) -> np.ndarray:
        """Probability of each class, columns in the order of `classes_` [shape=(N, n_classes), float64]."""
        return _probabilities(self.logits(X), bool(self.multi_label))

    def decision_function(self, X: Sequence[str]) -> np.ndarray:
        """`logits`; of two classes the second's less the first's [shape=(N,)], as scikit-learn has it."""
        z = self.logits(X)
        return z if self.multi_label or len(self.classes_) != 2 else z[:, 1] - z[:, 0]

    def logits(self, X: Sequence[str]) -> np.ndarray:
        """The calibrated logit of each class [shape=(N, n_classes), float64], columns as `classes_`."""
        check_is_fitted(self, "model_")
        return self.model_.scores(_texts(X)) / self.temperature_

    def stream_proba(
        self, chunks: Iterable[Sequence[T]], text: Callable[[T], str]
    ) -> Iterator[tuple[Sequence[T], np.ndarray]]:
        """(chunk, probabilities) of chunks of anything that holds a text, in order and in constant memory.

        Parameters
        ----------
        chunks : iterable of sequences, some thousands long
        text : function item → str

        Examples
        --------
        >>> model = TextClassifier(model="nb").fit(["so good", "so bad"], ["+", "-"])
        >>> [(chunk, p.shape) for chunk, p in model.stream_proba([["good", "so"], ["bad"]], str)]
        [(['good', 'so'], (2, 2)), (['bad'], (1, 2))]
        """
        check_is_fitted(self, "model_")
        for chunk, logits in stream_scores(self.model_, chunks, text):
            yield chunk, _probabilities(logits / self.temperature_, bool(self.multi_label))

    def score(self, X: Sequence[str], y: Sequence, sample_weight=None) -> float:
        """Share of texts whose label (with `multi_label`: whose whole set of labels) is right."""
        if not self.multi_label:
            return super().score(X, y, sample_weight)
        said = self.predict(X)
        truth = label_sets(y, len(said), of="text")
        right = [set(map(str, a)) == set(map(str, b)) for a, b in zip(said, truth, strict=True)]
        return float(np.average(right, weights=sample_weight))

    def filter_ngrams(self, texts: Sequence[str], n: int = 5) -> list[FilterNgrams]:
        """For every filter the `n` strongest distinct n-grams of the texts and its say for each class."""
        check_is_fitted(self, "model_")
        net = getattr(self, "net_", None)
        if not isinstance(net, TextCNN):
            raise InputError(f"model must be 'cnn' for filters to have n-grams, got {self.model!r}")
        tokens = [tokenize(t, self.tokenizer_) for t in _texts(texts)]
        return strongest_ngrams(net, self.vocabulary_, texts, tokens, n)

    def n_epochs(self, n_texts: int) -> int:
        """Passes that the training of one net makes over so many texts.

        Examples
        --------
        >>> TextClassifier(batch_size=50).n_epochs(5000), TextClassifier(epochs=3).n_epochs(5000)
        (10, 3)
        """
        return n_epochs(self.epochs, n_texts, int(self.batch_size))

    def save(self, path) -> None:
        """Write a model folder (safetensors + JSON).

        Raises
        ------
        ModelError
            If the folder cannot be written or holds something else.
        """
        check_is_fitted(self, "model_")
        facts, tensors = self.model_.state()
        config = {
            "classes": self.classes_.tolist(),
            "options": _plain(self.get_params()),
            "temperature": self.temperature_,
            "training": self.training_,
            "model": facts,
        }
        save_model_folder(path, "text", config, tensors)

    @classmethod
    def load(cls, path) -> TextClassifier:
        """Read the model folder that `save` wrote.

        Raises
        ------
        ModelError
            If it is missing, damaged, or no text model.
        """
        config, tensors = load_model_folder(path, "text")
        try:
            given: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in config["options"].items()
            }
            model = cls(**given)
            model.check_options()
            model.classes_ = np.asarray(config["classes"])
            model.temperature_, model.training_ = float(config["temperature"]), dict(config["training"])
            if not 0 < model.temperature_ < math.inf:
                raise ValueError(f"its temperature is {model.temperature_}")
            options = model.get_params()
            model.model_ = MODELS[model.model].restore(config["model"], tensors, options, len(model.classes_))
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or repr(error)
            raise ModelError(
                f"{path} does not fit this version's TextClassifier: {reason}; train it again"
            ) from error
        return model

    @property
    def net_(self) -> TextNet:
        """The net, in eval mode; only a net has one."""
        return self._net_model("net_").net

    @property
    def vocabulary_(self) -> Vocabulary:
        """A net's words, those of the training texts."""
        return self._net_model("vocabulary_").vocabulary

    @property
    def history_(self) -> History:
        """How a net's training went; a model that was loaded has none."""
        history = self._net_model("history_").history
        if history is None:
            raise AttributeError("history_ is known where the model was trained, it is not saved")
        return history

    @property
    def tokenizer_(self) -> Tokenizer:
        """Function text → list of Token."""
        check_is_fitted(self, "model_")
        models = getattr(self.model_, "members", (self.model_,))
        of_net = next((model.cut for model in models if isinstance(model, NetModel)), None)
        return of_net or make_tokenizer(self.tokenizer)[0]

    def unread_options(self, names: Iterable[str]) -> list[str]:
        """Those of the options `names` that have no say in this model.

        Examples
        --------
        >>> TextClassifier(model="nb").unread_options(["filters", "seed", "min_count"])
        ['filters']
        """
        read = {"model", "multi_label", "class_weight", "calibration_share", "seed"}
        for name in {self.model, *self._kinds()}:
            read |= MODELS[name].reads(name)
        return [name for name in names if name not in read]

    def check_options(self) -> None:
        """Refuse arguments that cannot be used; `fit` does so too, scikit-learn's way, not `__init__`.

        Raises
        ------
        InputError
        """
        for name, table in (
            ("model", MODELS),
            ("tokenizer", {**TOKENIZERS, **LEARNED}),
            ("optimizer", OPTIMIZERS),
        ):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in table:
                raise InputError(f"{name} must be one of {', '.join(table)}, got {value!r}")
        single = [name for name in MODELS if name != "blend"]
        several = (
            () if isinstance(self.members, str) or not isinstance(self.members, Iterable) else self.members
        )
        if not list(several) or not all(name in single for name in several):
            raise InputError(f"members must be one or more of {', '.join(single)}, got {self.members!r}")
        chosen = net_options(self.get_params())
        for name in (self.model, *several):
            if name in TEXT_NETS:
                TEXT_NETS[name].check(chosen)
        if not isinstance(self.vectors, str | os.PathLike | None):
            raise InputError(f"vectors must be a path or None, got {self.vectors!r}")
        if not any(name in TEXT_NETS for name in self._kinds()):
            if self.vectors is not None:
                raise InputError(f"vectors must be None for the model {self.model!r}, which has no embeddings")
            if self.tokenizer in LEARNED:
                raise InputError(
                    f"tokenizer must be a fixed one for the model {self.model!r}, got {self.tokenizer!r}"
                )
        for name in ("min_count", "batch_size", "epochs", "n_threads"):
            check_whole(name, getattr(self, name), or_none=name in ("epochs", "n_threads"))
        if not is_whole(self.seed) or not 0 <= self.seed < 2**32:
            raise InputError(f"seed must be an int from 0 to {2**32 - 1}, got {self.seed!r}")
        for name in ("average_decay", "label_smoothing"):
            value = getattr(self, name)
            if value is None and name == "average_decay":
                continue
            if not is_number(value) or not 0 <= value < 1:
                raise InputError(f"{name} must be a number in [0, 1), got {value!r}")
        for name, cure in (("lr", "try 0.002"), ("C", "try 1")):
            value = getattr(self, name)
            if value is not None and not (is_number(value) and 0 < value < math.inf):
                raise InputError(f"{name} must be a finite number > 0 or None, got {value!r}; {cure}")
        if not is_number(self.adversarial) or not 0 <= self.adversarial < math.inf:
            raise InputError(f"adversarial must be a finite number >= 0, got {self.adversarial!r}; try 1")
        check_ngrams(self.ngrams)
        if not isinstance(self.multi_label, bool | np.bool_):
            raise InputError(f"multi_label must be True or False, got {self.multi_label!r}")
        share = self.calibration_share
        if share is not None and not (is_number(share) and 0 < share <= 0.5):
            raise InputError(f"calibration_share must be a number in (0, 0.5] or None, got {share!r}; try 0.1")
        if share is not None and self.multi_label:
            raise InputError(
                "calibration_share must be None with multi_label: one temperature fits one class a row"
            )
        weight = self.class_weight
        if weight is not None and weight != "balanced" and not isinstance(weight, Mapping):
            raise InputError(
                f"class_weight must be 'balanced', a dict label → number > 0, or None, got {weight!r}"
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags

    def _kinds(self) -> tuple[str, ...]:
        """The models that are trained."""
        return tuple(self.members) if self.model == "blend" else (self.model,)

    def _net_model(self, name: str) -> NetModel:
        model = self.__dict__.get("model_")
        if not isinstance(model, NetModel):
            why = "it is not fitted" if model is None else f"the model {self.model!r} is no net"
            raise AttributeError(f"there is no {name}: {why}")
        return model

    def _class_weights(self, targets: np.ndarray) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str):
            return balanced_weights(targets)
        given = {str(label): value for label, value in self.class_weight.items()}
        names = [str(label) for label in self.classes_.tolist()]
        strange = next((label for label in given if label not in names), None)
        if strange is not None:
            raise InputError(f"class_weight must name classes ({', '.join(names[:12])}), got {strange!r}")
        for label, value in given.items():
            if not is_number(value) or not 0 < value < math.inf:
                raise InputError(f"class_weight must hold finite numbers > 0, got {value!r} for {label!r}")
        return np.array([float(given.get(label, 1.0)) for label in names])


def _probabilities(logits: np.ndarray, multi_label: bool) -> np.ndarray:
    from scipy.special import expit, softmax

    return expit(logits) if multi_label else softmax(logits, 1)


def _plain(options: dict) -> dict:
    """Options as JSON holds them."""
    plain = {k: list(v) if isinstance(v, tuple | np.ndarray) else v for k, v in options.items()}
    return {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in plain.items()}


def _texts(X) -> list[str]:
    texts = as_rows(X, of="texts")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputTypeError(
                f"X must hold str only, got {type(text).__name__} in X[{i}]; leave missing texts out"
            )
    return texts
