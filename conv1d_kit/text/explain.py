"""Why a text got its label: exact where the net is a sum over n-grams, by integrated gradients elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError
from ..training.targets import as_rows
from .blend import Blend
from .contributions import Parts, decompose, why_not_exact
from .explanation import TextExplanation
from .fasttext_net import AveragingNet
from .gradients import WordGradients
from .linear import LinearModel
from .linear_shares import averaging_parts, linear_parts, units_of, word_parts
from .net_model import NetModel
from .scoring import logits as net_logits
from .tokens import Token, Tokenizer, tokenize

__all__ = ["METHODS", "GradientCheck", "check_gradients", "explain_text", "explain_texts"]

METHODS = ("auto", "exact", "gradients")
_Found = tuple[Sequence[Token], np.ndarray, Parts]  # tokens, which of them are known, and the shares


@dataclass(frozen=True)
class GradientCheck:
    """How exact shares of words and integrated gradients compare in one text.

    Attributes
    ----------
    correlation : float
        Spearman's rank correlation of the two rows of word scores; NaN for fewer than three words, or where
        all scores of a row are equal.
    change, gap : float
        What integrated gradients share out, and how far their sum is from it.
    n_steps : int
    scores : array [shape=(L,)]
        Integrated gradients of the words.
    """

    correlation: float
    change: float
    gap: float
    n_steps: int
    scores: np.ndarray


def explain_text(model: Any, text: str, *, method: str = "auto") -> TextExplanation:
    """Every logit of a text as a sum over its n-grams, and over its words.

    Parameters
    ----------
    model : TextClassifier, fitted
    text : str
    method : "exact", "gradients" or "auto"
        "exact" takes the net apart (max, k-max and mean pooling); "gradients" are integrated gradients, one
        n-gram a word, for any net; "auto" is exact where it can be. Linear models are always exact, in words or
        characters; a blend is told word by word.

    Raises
    ------
    InputError, InputTypeError
        If the method is unknown, or "exact" for a net that is no sum over n-grams.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> texts, labels = ["good film", "very good", "bad film", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, seed=1).fit(texts, labels)
    >>> found = explain_text(model, "A good film")
    >>> found.label, found.tokens[int(found.word_scores().argmax())].word
    (1, 'good')
    >>> bool(abs(found.bias + found.values.sum(0) - found.logits).max() < 1e-5)
    True
    """
    if not isinstance(text, str):
        raise InputTypeError(f"text must be a str, got {type(text).__name__}; for several: explain_texts")
    return explain_texts(model, [text], method=method)[0]


def explain_texts(model: Any, texts: Sequence[str], *, method: str = "auto") -> list[TextExplanation]:
    """`explain_text` of many texts, in batches.

    Raises
    ------
    InputError, InputTypeError
        As `explain_text`; or one text instead of several came.
    """
    from sklearn.utils.validation import check_is_fitted

    texts = as_rows(texts, of="texts", name="texts")
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_is_fitted(model, "model_")
    fitted = model.model_
    if isinstance(fitted, NetModel):
        if method == "auto":
            method = "exact" if why_not_exact(model.net_) is None else "gradients"
        found = _of_net(fitted, texts, method)
    elif method == "gradients":
        raise InputError(f"method must be 'exact' or 'auto' for the model {model.model!r}: it is no net")
    elif isinstance(fitted, LinearModel):
        method = "linear"
        found = [_of_linear(fitted, text) for text in texts]
    else:
        estimated = [m for m in fitted.members if isinstance(m, NetModel) and why_not_exact(m.net) is not None]
        method = "gradients" if estimated else "blend"
        found = _of_blend(fitted, texts, model.tokenizer_)
    return [
        TextExplanation(
            text, tuple(tokens), known, tuple(model.classes_.tolist()), p.logits, chances(p.logits, model),
            p.starts, p.widths, p.values, p.bias, p.token_values, p.token_bias, method, p.gap,
            bool(model.multi_label),
        )
        for text, (tokens, known, p) in zip(texts, found, strict=True)
    ]  # fmt: skip


def chances(logits: np.ndarray, model: Any) -> np.ndarray:
    """Probabilities of the classes from logits [shape=(C,)], as the classifier gives them."""
    from scipy.special import expit, softmax

    calibrated = logits / model.temperature_
    return expit(calibrated) if model.multi_label else softmax(calibrated)


def check_gradients(
    model: Any, explanation: TextExplanation, label: Any = None, against: Any = None, *, max_steps: int = 1024
) -> GradientCheck:
    """Compare the words' scores with integrated gradients, which know nothing of filters and windows.

    They need not agree: exact shares speak of the windows that won, integrated gradients of all that won
    anywhere between silence and the text. Where they order the words alike, neither misleads.

    Parameters
    ----------
    model : the TextClassifier that was explained
    explanation : TextExplanation
    label, against : as in TextExplanation.pair
    max_steps : int
        Gradients, at most; `gap` says what is left open then.
    """
    target, other = explanation.pair(label, against)
    ids = model.vocabulary_.encode(t.word for t in explanation.tokens)
    found = WordGradients(model.net_).integrated(ids, target, other, max_steps=max_steps)
    scores = explanation.word_scores(label, against)
    return GradientCheck(
        _rank_correlation(scores, found.values), found.change, found.gap, found.n_steps, found.values
    )


def _of_net(model: NetModel, texts: Sequence[str], method: str) -> list[_Found]:
    tokens = [tokenize(text, model.cut) for text in texts]
    ids = [model.vocabulary.encode(t.word for t in row) for row in tokens]
    if isinstance(model.net, AveragingNet) and method == "exact":
        parts = [averaging_parts(model.net, row) for row in ids]
    else:
        parts = _by_gradients(model.net, ids) if method == "gradients" else decompose(model.net, ids)
    known = [np.array([t.word in model.vocabulary for t in row], dtype=bool) for row in tokens]
    return list(zip(tokens, known, parts, strict=True))


def _of_linear(model: LinearModel, text: str) -> _Found:
    units = units_of(model, text)
    return units, np.ones(len(units), dtype=bool), linear_parts(model, text, len(units))


def _of_blend(blend: Blend, texts: Sequence[str], cut: Tokenizer) -> list[_Found]:
    """Word by word, since members cut a text differently: each word has the mean of what it has in each."""
    result: list[_Found] = []
    members: list[list[_Found]] = []
    for member in blend.members:
        if isinstance(member, NetModel):
            exact = why_not_exact(member.net) is None
            members.append(_of_net(member, texts, "exact" if exact else "gradients"))
        else:
            assert isinstance(member, LinearModel)
            members.append([_of_linear(member, text) for text in texts])
    for i, text in enumerate(texts):
        words = cut(text)
        logits = np.tensordot(blend.shares, [found[i][2].logits for found in members], 1)
        values, bias = np.zeros((len(words), len(logits))), np.zeros(len(logits))
        for share, found in zip(blend.shares, members, strict=True):
            units, _, parts = found[i]
            own, rest = word_parts(list(units), parts, words)
            values, bias = values + share * own, bias + share * rest
        gap = float(np.abs(bias + values.sum(0) - logits).max())
        starts, widths = np.arange(len(words)), np.ones(len(words), np.int64)
        parts = Parts(logits, starts, widths, values, bias, values, bias, gap)
        result.append((words, np.ones(len(words), dtype=bool), parts))
    return result


def _by_gradients(net: Any, ids: Sequence[np.ndarray]) -> list[Parts]:
    gradients, result = WordGradients(net), []
    for row, true in zip(ids, net_logits(net, ids), strict=True):
        found = [gradients.integrated(row, c) for c in range(len(true))]
        values = np.stack([f.values for f in found], 1)
        bias = np.array([f.baseline for f in found])
        gap = float(np.abs(bias + values.sum(0) - true).max())
        starts, widths = np.arange(len(row)), np.ones(len(row), np.int64)
        result.append(Parts(true, starts, widths, values, bias, values, bias, gap))
    return result


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)
