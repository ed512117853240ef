"""Who the filters are: each one's class, best n-grams slot by slot, where it begins to inform, what stops it.

Source: Jacovi, Sar Shalom & Goldberg (2018), Understanding Convolutional Neural Networks for Text
Classification. A filter's class is the one whose output weight is largest; an n-gram that a filter passes on
from a text is right if the text is of that class. The purity of a threshold is the share of right n-grams among
those with at least that activation; the filter informs from the smallest threshold on whose purity is at least
p, and what it passes on below is there because the maximum has to pass on something. A negative n-gram stays
below the threshold by one word: with another one at that slot it stands in the texts at or above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InputError, check_whole
from ..layers import Conv1d
from .contributions import output_weights
from .filter_facts import FilterFacts, FilterNgram, FilterReport, purity_threshold
from .negative_ngrams import Neighbours, negative_ngrams
from .nets import TextCNN
from .projected import tap_responses
from .tokens import Token, tokenize
from .vocabulary import PAD
from .windows import distinct_windows, strongest_windows, text_windows, window_source

__all__ = ["filter_report"]


def filter_report(
    model: Any,
    texts: Sequence[str],
    labels: Sequence[Any],
    *,
    n: int = 5,
    purity: float = 0.75,
    twin: float = 0.95,
) -> FilterReport:
    """What each filter of an n-gram CNN has become, judged on labelled texts.

    Parameters
    ----------
    model : TextClassifier, fitted, whose net is a TextCNN
    texts, labels : sequences of length N >= 1
        Better not those that it was trained on: there every filter is pure.
    n : int >= 1
        N-grams, words of a slot and negative n-grams, at most.
    purity : float in (0, 1]
    twin : float in (0, 1]
        Correlation from which two filters count as one.

    Raises
    ------
    InputError
        If the net has further layers after its convolutions, other poolings than max and k-max or another
        activation than ReLU, or if an argument cannot be used.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> texts, labels = ["good film", "very good", "bad film", "so bad"] * 5, [1, 1, 0, 0] * 5
    >>> model = TextClassifier(epochs=8, widths=(1,), filters=8, seed=1).fit(texts, labels)
    >>> report = filter_report(model, texts, labels, n=1)
    >>> strongest = max(report.filters, key=lambda f: f.say * f.fires)
    >>> strongest.ngrams[0].words[0] in ("good", "very", "bad", "so")
    True
    """
    texts, truth = _checked(model, texts, labels, n, purity, twin)
    net, classes = model.net_, model.classes_.tolist()
    net.eval()
    tokens = [tokenize(text, model.tokenizer_) for text in texts]
    filters: list[FilterFacts] = []
    pooled: list[np.ndarray] = []
    for layer, weight in zip(net.layers, output_weights(net), strict=True):
        seen = _Seen(model, layer, texts, tokens)
        pooled.append(seen.pooled)
        for f, own in enumerate(weight.sum(-1).T):  # (C,)
            c = int(own.argmax())
            activations = seen.pooled[:, f]
            threshold, share = purity_threshold(activations, truth == c, purity)
            slots, responses = seen.slots(f), seen.responses(f)
            filters.append(FilterFacts(
                index=len(filters),
                width=seen.width,
                label=classes[c],
                say=float(own[c] - np.delete(own, c).max()),
                ngrams=tuple(seen.ngrams(f, responses, n)),
                best=tuple(_extremes(seen.words, row[1:], n) for row in slots),
                worst=tuple(_extremes(seen.words, row[1:], n, lowest=True) for row in slots),
                ceiling=float(slots[:, 1:].max(1, initial=-np.inf).sum() + seen.bias[f]) if seen.words else 0.0,
                threshold=threshold,
                purity=share,
                informs=0.0 if threshold is None else float(np.mean(activations >= threshold)),
                fires=float(np.mean(activations > 0)),
                negatives=negative_ngrams(seen.neighbours, responses, threshold or 0.0, n, seen.shown),
            ))  # fmt: skip
    everything = np.concatenate(pooled, 1)
    dead = np.flatnonzero(~(everything > 0).any(0)).tolist()
    return FilterReport(filters, len(texts), purity, dead, _twins(everything, twin))


class _Seen:
    """What the filters of one width see in the texts: distinct windows, and each word's answer at each slot."""

    def __init__(self, model: Any, layer: Conv1d, texts: Sequence[str], tokens: Sequence[Sequence[Token]]):
        net, vocabulary = model.net_, model.vocabulary_
        self._texts, self._tokens, self.width = texts, tokens, layer.weight.shape[-1]
        ids = [vocabulary.encode(t.word for t in row) for row in tokens]
        self.pooled = strongest_windows(net, layer, ids)[1]  # (N, F)
        windows, places = text_windows(ids, self.width)
        first, self._counts = distinct_windows(windows, len(vocabulary))
        windows, self._places = windows[first], places[first]
        used = np.unique(np.concatenate([*ids, np.zeros(0, np.int64)]))
        self._readable = getattr(model.tokenizer_, "readable", str)
        self.words = [self._readable(vocabulary.word(int(i))) for i in used]
        with torch.inference_mode():  # <pad> and the words of the texts [shape=(K, V + 1, F)]
            rows = net.embedding(torch.from_numpy(np.concatenate([[PAD], used])))
            self._taps = tap_responses(rows, layer.weight).double().numpy()
        self._cells = np.where(windows == PAD, 0, np.searchsorted(used, windows) + 1)  # (W, K), rows of _taps
        self.neighbours = [Neighbours(self._cells, a) for a in range(self.width)] if self.width > 1 else []
        n_filters = layer.weight.shape[0]
        self.bias = np.zeros(n_filters) if layer.bias is None else layer.bias.detach().double().numpy()

    def slots(self, f: int) -> np.ndarray:
        """What <pad> and each word give at each slot [shape=(K, V + 1)]."""
        return self._taps[:, :, f]

    def responses(self, f: int) -> np.ndarray:
        """Response to every distinct window, before the activation [shape=(W,)]."""
        slots = self.slots(f)
        total = np.full(len(self._cells), self.bias[f])
        for a in range(self.width):
            total += slots[a, self._cells[:, a]]
        return total

    def ngrams(self, f: int, responses: np.ndarray, n: int) -> Iterator[FilterNgram]:
        """The n strongest windows."""
        slots = self.slots(f)
        for row in _first(-responses, n).tolist():
            words, source = self.shown(row)
            own = slots[np.arange(self.width), self._cells[row]]
            yield FilterNgram(words, source, float(responses[row]), tuple(own.tolist()), int(self._counts[row]))

    def shown(self, row: int) -> tuple[tuple[str, ...], str]:
        """Words of a distinct window, and the text of its first place."""
        text, start = self._places[row]
        words, source = window_source(self._texts[text], self._tokens[text], int(start), self.width)
        return tuple(map(self._readable, words)), source


def _extremes(words: list[str], values: np.ndarray, n: int, *, lowest: bool = False):
    order = _first(values if lowest else -values, n)
    return tuple((words[i], float(values[i])) for i in order)


def _first(keys: np.ndarray, n: int) -> np.ndarray:
    """Places of the n smallest keys, in order."""
    few = np.argpartition(keys, n - 1)[:n] if n < len(keys) else np.arange(len(keys))
    return few[np.argsort(keys[few], kind="stable")]


def _twins(activations: np.ndarray, least: float) -> list[tuple[int, int, float]]:
    alive = np.flatnonzero(np.ptp(activations, 0) > 0) if len(activations) else np.zeros(0, np.int64)
    if len(alive) < 2:
        return []
    r = np.triu(np.corrcoef(activations[:, alive].T), 1)
    i, j = np.nonzero(r >= least)
    pairs = [(int(alive[a]), int(alive[b]), float(r[a, b])) for a, b in zip(i, j, strict=True)]
    return sorted(pairs, key=lambda pair: -pair[2])


def _checked(model: Any, texts, labels, n, purity, twin) -> tuple[list[str], np.ndarray]:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model, "net_")
    if not isinstance(model.net_, TextCNN):
        raise InputError(
            f"model must be an n-gram CNN, whose filters see words, got {type(model.net_).__name__}"
        )
    o = model.net_.options
    if o.activation != "relu" or not all(pool.before_bias for pool in model.net_.pools):
        raise InputError(
            "model must pass on its filters' strongest n-grams, by max or k-max pooling after ReLU, got "
            f"pooling {o.pooling!r} and activation {o.activation!r}; try text explain, which suits any"
        )
    check_whole("n", n)
    for name, value in (("purity", purity), ("twin", twin)):
        if not 0 < value <= 1:
            raise InputError(f"{name} must be in (0, 1], got {value!r}")
    texts = list(texts)
    if len(texts) == 0 or len(labels) != len(texts):
        raise InputError(f"texts and labels must be as many, at least one, got {len(texts)} and {len(labels)}")
    names = [str(c) for c in model.classes_.tolist()]
    rows = {name: i for i, name in enumerate(names)}
    strange = next((label for label in labels if str(label) not in rows), None)
    if strange is not None:
        raise InputError(f"labels must be of {', '.join(names)}, got {str(strange)!r}")
    return texts, np.array([rows[str(label)] for label in labels])
