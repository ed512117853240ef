"""TextClassifier: texts in, labels out; a scikit-learn estimator around the n-gram CNN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import InputError, InputTypeError, ModelError
from ..training.loop import Epoch, train, warmup_cosine
from ..training.model_folder import load_model_folder, save_model_folder
from .batches import EncodedTexts, training_batches
from .nets import TEXT_NETS, TextCNN
from .ngrams import FilterNgrams, strongest_ngrams
from .optimizer import RowAdam
from .pieces import ids_of_pieces, words_of_pieces
from .prediction import Predictor
from .tokens import TOKENIZERS, tokenize
from .vocabulary import Vocabulary

__all__ = ["TextClassifier"]

STEPS = 1000  # updates, where the epochs are not given


class TextClassifier(ClassifierMixin, BaseEstimator):
    """Convolutional n-gram classifier of texts (Kim 2014) with a vocabulary of its training texts only.

    Parameters
    ----------
    net : a key of TEXT_NETS
    widths : sequence of int >= 1
        Filter widths in tokens; (1,) sees words without their order.
    filters : int
        Filters of each width.
    dim : int
        Length of a token's embedding.
    dropout : float in [0, 1)
        On the filters' responses.
    embedding_dropout : float in [0, 1)
        On the embeddings, word by word.
    word_dropout : float in [0, 1)
        Share of the training tokens read as <unk>.
    max_norm : float > 0 or None
        Bound on the L2 norm of each class's output weights.
    tokenizer : a key of TOKENIZERS
    min_count : int >= 1
        Words seen less often in training become <unk>.
    epochs : int >= 1 or None
        Passes over the training texts; None: as many as make about 1,000 steps, from 5 to 50.
    batch_size : int >= 1
    lr : float > 0
        Peak learning rate of Adam; a short warm-up, then a half cosine to 0.
    average_decay : float in [0, 1) or None
        Ends on a moving average of the weights.
    seed : int from 0 to 2**32 − 1
        Same seed, data and number of threads: same net.
    n_threads : int >= 1 or None
        Threads of torch while it trains; None leaves them as they are.

    Attributes
    ----------
    classes_ : array of the labels, sorted
    vocabulary_ : Vocabulary
    net_ : torch.nn.Module
    history_ : History

    Source: Kim (2014), Convolutional Neural Networks for Sentence Classification.

    Examples
    --------
    >>> texts, labels = ["good", "very good", "bad", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, seed=1).fit(texts, labels)
    >>> model.predict(["good film", "bad film"]).tolist()
    [1, 0]
    """

    def __init__(
        self,
        *,
        net: str = "cnn",
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        dim: int = 200,
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        max_norm: float | None = 3.0,
        tokenizer: str = "word",
        min_count: int = 1,
        epochs: int | None = None,
        batch_size: int = 50,
        lr: float = 2e-3,
        average_decay: float | None = None,
        seed: int = 0,
        n_threads: int | None = 1,
    ):
        self.net = net
        self.widths = widths
        self.filters = filters
        self.dim = dim
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout
        self.word_dropout = word_dropout
        self.max_norm = max_norm
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.average_decay = average_decay
        self.seed = seed
        self.n_threads = n_threads

    def fit(self, X: Sequence[str], y: Sequence, *, on_epoch: Callable[[Epoch], None] | None = None):
        """Build the vocabulary from `X` and train.

        Parameters
        ----------
        X : sequence of str, length N
        y : sequence of int or str, length N
            At least two distinct labels.
        on_epoch : function(Epoch), optional

        Raises
        ------
        InputError, InputTypeError
            If an option cannot be used, a text is no str, the lengths differ, or there is one class only.
        """
        self.check_options()
        texts, labels = _texts(X), np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(texts):
            raise InputError(f"y must hold one label a text ({len(texts)}), got shape {labels.shape}")
        if len(texts) == 0:
            raise InputError("X must hold at least one text a class, got no texts")
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y must hold at least two classes, got only {self.classes_.tolist()[0]!r}")
        words = self._words(texts)
        self.vocabulary_ = Vocabulary.from_tokens(words, min_count=int(self.min_count))
        ids = [self.vocabulary_.encode(w) for w in words]
        with _threads(self.n_threads):
            self.net_ = self._make_net(torch.Generator().manual_seed(int(self.seed)))
            self.history_ = self._train(ids, torch.from_numpy(targets.astype(np.int64)), on_epoch)
        return self

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """Most probable label of each text [shape=(N,)]."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def predict_proba(self, X: Sequence[str]) -> np.ndarray:
        """Probability of each class, columns in the order of `classes_` [shape=(N, n_classes), float64]."""
        check_is_fitted(self, "net_")
        return self.predictor()(_texts(X))

    def predictor(self) -> Predictor:
        """What computes the probabilities, for bulk work; it is kept as long as the net stays as it is."""
        check_is_fitted(self, "net_")
        known = getattr(self, "_predictor", None)
        if known is None or not known.serves(self.net_.eval()):
            encode = ids_of_pieces(self.tokenizer, self.vocabulary_)
            self._predictor = known = Predictor(self.net_, encode, extra=max(self.widths) - 1)
        return known

    def filter_ngrams(self, texts: Sequence[str], n: int = 5) -> list[FilterNgrams]:
        """For every filter the `n` strongest distinct n-grams of the texts and its say for each class."""
        check_is_fitted(self, "net_")
        tokens = [tokenize(t, self.tokenizer) for t in _texts(texts)]
        return strongest_ngrams(self.net_, self.vocabulary_, texts, tokens, n)

    def n_epochs(self, n_texts: int) -> int:
        """Passes that `fit` makes over so many texts.

        Examples
        --------
        >>> TextClassifier(batch_size=50).n_epochs(5000), TextClassifier(epochs=3).n_epochs(5000)
        (10, 3)
        """
        if self.epochs is not None:
            return int(self.epochs)
        return min(50, max(5, round(STEPS * int(self.batch_size) / max(1, n_texts))))

    def save(self, path) -> None:
        """Write a model folder (safetensors + JSON).

        Raises
        ------
        ModelError
            If the folder cannot be written or holds something else.
        """
        check_is_fitted(self, "net_")
        config = {
            "classes": self.classes_.tolist(),
            "options": {**self.get_params(), "widths": [int(k) for k in self.widths]},
            "vocabulary": self.vocabulary_.to_json(),
        }
        save_model_folder(path, "text", config, self.net_.state_dict())

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
            model = cls(**config["options"])
            model.check_options()
            model.classes_ = np.asarray(config["classes"])
            model.vocabulary_ = Vocabulary.from_json(config["vocabulary"])
            model.net_ = model._make_net(None)
            model.net_.load_state_dict(tensors)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or repr(error)
            raise ModelError(
                f"{path} does not fit this version's TextClassifier: {reason}; train it again"
            ) from error
        model.net_.eval()
        return model

    def check_options(self) -> None:
        """Refuse arguments that cannot be used; `fit` does so too, scikit-learn's way, not `__init__`.

        Raises
        ------
        InputError
        """
        for name, table in (("net", TEXT_NETS), ("tokenizer", TOKENIZERS)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in table:
                raise InputError(f"{name} must be one of {', '.join(table)}, got {value!r}")
        if isinstance(self.widths, str) or not isinstance(self.widths, Iterable):
            raise InputError(f"widths must be one or more ints >= 1, got {self.widths!r}; try (3, 4, 5)")
        widths = list(self.widths)
        if not widths or not all(_is_int(k) and k >= 1 for k in widths):
            raise InputError(f"widths must be one or more ints >= 1, got {self.widths!r}; try (3, 4, 5)")
        for name in ("filters", "dim", "min_count", "batch_size", "epochs", "n_threads"):
            value = getattr(self, name)
            if value is None and name in ("epochs", "n_threads"):
                continue
            if not _is_int(value) or value < 1:
                raise InputError(f"{name} must be an int >= 1, got {value!r}")
        if not _is_int(self.seed) or not 0 <= self.seed < 2**32:
            raise InputError(f"seed must be an int from 0 to {2**32 - 1}, got {self.seed!r}")
        for name in ("dropout", "embedding_dropout", "word_dropout", "average_decay"):
            value = getattr(self, name)
            if value is None and name == "average_decay":
                continue
            if not _is_number(value) or not 0 <= value < 1:
                raise InputError(f"{name} must be a number in [0, 1), got {value!r}")
        if not _is_number(self.lr) or not 0 < self.lr < math.inf:
            raise InputError(f"lr must be a finite number > 0, got {self.lr!r}; try 0.002")
        if self.max_norm is not None and (not _is_number(self.max_norm) or not self.max_norm > 0):
            raise InputError(f"max_norm must be a number > 0 or None, got {self.max_norm!r}")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        return list(map(words_of_pieces(self.tokenizer), texts))

    def _make_net(self, generator: torch.Generator | None) -> TextCNN:
        with torch.random.fork_rng(
            devices=[]
        ):  # torch's layers draw from the global generator when they are made
            return TEXT_NETS[self.net](
                len(self.vocabulary_), len(self.classes_), dim=int(self.dim),
                widths=tuple(map(int, self.widths)), filters=int(self.filters), dropout=self.dropout,
                embedding_dropout=self.embedding_dropout, word_dropout=self.word_dropout,
                max_norm=self.max_norm, generator=generator,
            )  # fmt: skip

    def _train(self, ids: list[np.ndarray], targets: torch.Tensor, on_epoch):
        texts, batch_size = EncodedTexts.of(row.tolist() for row in ids), int(self.batch_size)

        def batches(epoch: int) -> Iterator[tuple[tuple, torch.Tensor]]:
            rng = np.random.default_rng((int(self.seed), epoch))  # of the epoch alone: a killed run can go on
            for rows in training_batches(texts.lengths, batch_size, rng):
                yield texts.batch(rows), targets[rows]

        epochs = self.n_epochs(len(ids))
        return train(
            self.net_,
            batches,
            epochs=epochs,
            loss=torch.nn.functional.cross_entropy,
            optimizer=RowAdam(self.net_.parameters(), lr=self.lr),
            n_steps=epochs * -(-len(ids) // batch_size),
            schedule=warmup_cosine,
            average_decay=self.average_decay,
            after_step=lambda _: self.net_.constrain(),
            on_epoch=on_epoch,
            seed=int(self.seed),
        )


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if n is not None:
        torch.set_num_threads(int(n))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _texts(X) -> list[str]:
    if isinstance(X, str | bytes):
        raise InputTypeError(f"X must be a sequence of texts, got one {type(X).__name__}; try [X]")
    texts = list(X)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputTypeError(
                f"X must hold str only, got {type(text).__name__} in X[{i}]; leave missing texts out"
            )
    return texts
