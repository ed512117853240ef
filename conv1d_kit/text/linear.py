"""Linear models of n-grams: the baselines that a convolution has to beat, and half of what beats them all.

Each gives a text's score as a sum over its n-grams plus a bias: what an n-gram says is exact by nature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import InputError
from .model import TextModel, TextTask
from .ngram_bag import NgramBag, Ngrams
from .tokens import LEARNED

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["LINEAR", "LinearModel", "Recipe"]

CHUNK = 4096  # texts counted at once in prediction: bounds memory


@dataclass(frozen=True)
class Recipe:
    """A linear model: its n-grams, how they are valued in a text, and who finds the weights.

    `learner(x, task, C)` gives weights [shape=(n_classes, V)] and biases [shape=(n_classes,)].
    """

    unit: str
    low: int
    high: int
    values: str
    learner: Callable[[csr_matrix, TextTask, float], tuple[np.ndarray, np.ndarray]]
    C: float
    source: str


class LinearModel(TextModel):
    """Weights of n-grams, one row a class; `bag` is None for the model that looks at no text at all."""

    def __init__(self, name: str, bag: NgramBag, weights: np.ndarray, bias: np.ndarray, idf: np.ndarray | None):
        self.name, self.bag, self.weights, self.bias, self.idf = name, bag, weights, bias, idf

    @classmethod
    def reads(cls, name: str) -> frozenset[str]:
        return frozenset() if name == "majority" else frozenset({"ngrams", "C", "tokenizer", "min_count"})

    @classmethod
    def learn(
        cls, task: TextTask, options: Mapping[str, Any], *, on_epoch=None, checkpoint=None
    ) -> LinearModel:
        name = options["model"]
        recipe = LINEAR[name]
        if options["tokenizer"] in LEARNED and recipe.unit == "word":
            raise InputError(
                f"tokenizer must be a fixed one for the model {name!r}, got {options['tokenizer']!r}"
            )
        if task.multi_label and name == "nb_svm":  # what stands between two models has no zero that means "yes"
            raise InputError("model 'nb_svm' cannot learn several labels a text; try 'nb_words'")
        low, high = options.get("ngrams") or (recipe.low, recipe.high)
        strength = options.get("C") or recipe.C
        bag, x = NgramBag.learn(
            Ngrams(recipe.unit, low, high, options["tokenizer"]),
            task.texts,
            min_texts=int(options["min_count"]),
        )
        if len(bag) == 0 and name != "majority":  # which looks at none
            raise InputError(
                f"min_count and ngrams must leave an n-gram of the {len(task.texts)} texts, got "
                f"{options['min_count']} and {(low, high)}; take smaller"
            )
        idf = None
        if recipe.values == "tfidf":
            holds = np.bincount(x.indices, minlength=len(bag))
            idf = (np.log((1 + len(task.texts)) / (1 + holds)) + 1).astype(np.float32)
        x = _valued(x, recipe.values, idf)
        weights, bias = recipe.learner(x, task, strength)
        return cls(name, bag, weights.astype(np.float32), bias, idf)

    def scores_of(self, prepared: Sequence[str]) -> np.ndarray:
        parts = [self._scores(prepared[i : i + CHUNK]) for i in range(0, len(prepared), CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.bias)))

    def _scores(self, texts: Sequence[str]) -> np.ndarray:
        return self.valued(texts).astype(np.float64) @ self.weights.T + self.bias

    def valued(self, texts: Sequence[str]) -> csr_matrix:
        """What each known n-gram counts in each text [shape=(N, V)]."""
        return _valued(self.bag.rows(texts), LINEAR[self.name].values, self.idf)

    @property
    def n_weights(self) -> int:
        return self.weights.size + self.bias.size

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        n = self.bag.ngrams
        facts = {"name": self.name, "unit": n.unit, "low": n.low, "high": n.high, "tokenizer": n.tokenizer}
        tensors = {
            "ngrams": torch.from_numpy(self.bag.known.view(np.int64)),
            "weights": torch.from_numpy(self.weights),
            "bias": torch.from_numpy(self.bias),
        }
        if self.idf is not None:
            tensors["idf"] = torch.from_numpy(self.idf)
        return facts, tensors

    @classmethod
    def restore(cls, facts, tensors, options, n_classes) -> LinearModel:
        name = facts["name"]
        ngrams = Ngrams(facts["unit"], int(facts["low"]), int(facts["high"]), facts["tokenizer"])
        known, weights = tensors["ngrams"].numpy().view(np.uint64), tensors["weights"].numpy()
        if (
            weights.shape != (n_classes, len(known))
            or tensors["bias"].shape != (n_classes,)
            or name not in LINEAR
        ):
            raise ValueError(f"weights of shape {weights.shape} for {len(known)} n-grams of model {name!r}")
        idf = tensors.get("idf")
        return cls(
            name,
            NgramBag(ngrams, known),
            weights,
            tensors["bias"].numpy(),
            None if idf is None else idf.numpy(),
        )


def _valued(x: csr_matrix, values: str, idf: np.ndarray | None) -> csr_matrix:
    """Counts → what the model multiplies: 1 for what is there, or length-normalised (1 + log n) · idf."""
    from sklearn.preprocessing import normalize

    x = x.copy()
    if values == "presence":
        x.data[:] = 1
        return x
    x.data = (1 + np.log(x.data)) * idf[x.indices]  # type: ignore[index]
    return normalize(x, copy=False)


def _log_ratio(x: csr_matrix, yes: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
    """How much more often an n-gram stands in the texts of the class than in the others, as a logarithm.

    Source: Wang & Manning (2012), Baselines and Bigrams, equation 2, α = 1.
    """
    p, q = (1 + x.T @ (row_weights * side) for side in (yes, ~yes))
    return np.log(p / p.sum()) - np.log(q / q.sum())


def _log_odds(yes: np.ndarray, row_weights: np.ndarray) -> Any:
    """Of a row to be of the class, or of each class [shape=(N,) or (N, n_classes)]."""
    share = np.clip((row_weights @ yes) / row_weights.sum(), 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share))


def _nothing(x: csr_matrix, task: TextTask, C: float) -> tuple[np.ndarray, np.ndarray]:
    rows = task.row_weights
    if task.multi_label:
        return np.zeros((task.n_classes, x.shape[1])), _log_odds(task.problems, rows)
    share = np.bincount(task.targets, rows, minlength=task.n_classes) / rows.sum()
    return np.zeros((task.n_classes, x.shape[1])), np.log(np.maximum(share, 1e-12))


def _naive_bayes(x: csr_matrix, task: TextTask, C: float) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial naive Bayes of what is there or not; with several labels one a label, against all else."""
    _, bias = _nothing(x, task, C)
    if task.multi_label:
        return np.stack([_log_ratio(x, yes, task.row_weights) for yes in task.problems.T]), bias
    counts = np.stack([1 + x.T @ (task.row_weights * (task.targets == c)) for c in range(task.n_classes)])
    weights = np.log(counts / counts.sum(1, keepdims=True))
    return weights - weights.mean(0), bias  # what adds to all classes alike decides nothing


def _one_by_one(solve: Callable) -> Callable[[csr_matrix, TextTask, float], tuple[np.ndarray, np.ndarray]]:
    """A learner that asks of each class apart, yes or no: solve(x, yes, row_weights, C) → weights, bias."""

    def learner(x: csr_matrix, task: TextTask, C: float) -> tuple[np.ndarray, np.ndarray]:
        rows, silent = task.row_weights, np.zeros(x.shape[1])  # a label that all rows have leaves no question
        found = [
            (silent, _log_odds(yes, rows)) if yes.all() else solve(x, yes, rows, C) for yes in task.problems.T
        ]
        weights, bias = np.stack([w for w, _ in found]), np.array([b for _, b in found])
        if task.n_classes == 2 and not task.multi_label:  # one question: half for it, half against it
            return np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return weights, bias

    return learner


def _logistic(x, yes, row_weights, C) -> tuple[np.ndarray, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, solver="liblinear", dual=True, max_iter=1000, random_state=0)
    return _solved(model, x, yes, row_weights)


def _weighted_logistic(x, yes, row_weights, C) -> tuple[np.ndarray, float]:
    from scipy.sparse import diags

    ratio = _log_ratio(x, yes, row_weights).astype(np.float32)
    weights, bias = _logistic(x @ diags(ratio), yes, row_weights, C)
    return weights * ratio, bias


def _weighted_svm(x, yes, row_weights, C) -> tuple[np.ndarray, float]:
    """Support vectors between 0.25 and the mean of all weights' sizes.

    Source: Wang & Manning (2012), Baselines and Bigrams, equations 4 and 5.
    """
    from scipy.sparse import diags
    from sklearn.svm import LinearSVC

    ratio = _log_ratio(x, yes, row_weights).astype(np.float32)
    weights, bias = _solved(
        LinearSVC(C=C, dual=True, max_iter=5000, random_state=0), x @ diags(ratio), yes, row_weights
    )
    return (0.25 * weights + 0.75 * np.abs(weights).mean()) * ratio, bias


def _solved(model, x, yes, row_weights) -> tuple[np.ndarray, float]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with (
        warnings.catch_warnings()
    ):  # a hard question may need more rounds than it gets; its answer still serves
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, yes, sample_weight=row_weights)
    return model.coef_[0], float(model.intercept_[0])


def check_ngrams(value: object) -> None:
    """Refuse what is no (low, high) with 1 <= low <= high, or None.

    Raises
    ------
    InputError
    """
    whole = isinstance(value, tuple | list) and len(value) == 2 and all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) for n in value
    )  # fmt: skip
    if value is not None and not (whole and 1 <= value[0] <= value[1]):  # type: ignore[index]
        raise InputError(
            f"ngrams must be (low, high), ints >= 1 with low <= high, or None, got {value!r}; try (1, 2)"
        )


LINEAR: dict[str, Recipe] = {
    "majority": Recipe("word", 1, 1, "presence", _nothing, 1.0, "the share of each class, whatever the text"),
    "nb": Recipe("word", 1, 2, "presence", _naive_bayes, 1.0, "multinomial naive Bayes of words and pairs"),
    "nb_svm": Recipe("word", 1, 2, "presence", _one_by_one(_weighted_svm), 0.1, "Wang & Manning 2012"),
    "tfidf_logreg": Recipe(
        "word", 1, 2, "tfidf", _one_by_one(_logistic), 10.0, "TF-IDF and logistic regression"
    ),
    "nb_words": Recipe(
        "word", 1, 3, "presence", _one_by_one(_weighted_logistic), 1.0, "words, weighted by naive Bayes"
    ),
    "nb_characters": Recipe(
        "cased_character",
        2,
        7,
        "presence",
        _one_by_one(_weighted_logistic),
        1.0,
        "characters and their case, weighted by naive Bayes",
    ),
}
