"""Who the filters are: each one's class, best n-grams slot by slot, where it begins to inform, what stops it.

Source: Jacovi, Sar Shalom & Goldberg (2018), Understanding Convolutional Neural Networks for Text
Classification. A filter's class is the one whose output weight is largest; an n-gram that a filter passes on
from a text is right if the text is of that class. The purity of a threshold is the share of right n-grams among
those with at least that activation; the filter informs from the smallest threshold on whose purity is at least
p, and what it passes on below is there because the maximum has to pass on something. A negative n-gram differs
from one of the filter's best in one word, and that word's slot holds the response down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .contributions import output_weights
from .nets import TextCNN
from .ngrams import top_windows
from .projected import tap_responses
from .tokens import tokenize
from .vocabulary import PAD
from .windows import distinct_windows, strongest_windows, text_windows, window_source

__all__ = [
    "FilterFacts", "FilterNgram", "FilterReport", "NegativeNgram", "filter_report", "purity_threshold",
]  # fmt: skip


@dataclass(frozen=True)
class FilterNgram:
    """An n-gram: its words, the text it stands in first, its response, what each slot gives to it, its count.

    response = sum(slots) + the filter's bias.
    """

    words: tuple[str, ...]
    source: str
    response: float
    slots: tuple[float, ...]
    count: int


@dataclass(frozen=True)
class NegativeNgram:
    """An n-gram that differs at `slot` from one of the best (`like`), and how far the response falls."""

    words: tuple[str, ...]
    source: str
    response: float
    like: tuple[str, ...]
    slot: int
    fall: float


@dataclass(frozen=True)
class FilterFacts:
    """One filter.

    Attributes
    ----------
    index, width : int
        Column of the net's features (before pooling's own copies), width in tokens.
    label : a class
        The one whose output weight is largest.
    say : float
        That weight less the largest of the other classes'.
    ngrams : tuple of FilterNgram, strongest first
    best, worst : tuple of K tuples of (word, response)
        The words of the texts that each slot answers to most and least, <unk> among them.
    ceiling : float
        Response if every slot held its best word; seldom does an n-gram of real texts come near it.
    threshold : float or None
        The smallest activation from which on the filter informs; None where no threshold is pure enough.
    purity : float
        Share of right n-grams at the threshold; NaN where there is none.
    informs : float
        Share of the texts whose n-gram reaches the threshold.
    fires : float
        Share of the texts in which the filter answers at all.
    negatives : tuple of NegativeNgram, largest fall first
    """

    index: int
    width: int
    label: Any
    say: float
    ngrams: tuple[FilterNgram, ...]
    best: tuple[tuple[tuple[str, float], ...], ...]
    worst: tuple[tuple[tuple[str, float], ...], ...]
    ceiling: float
    threshold: float | None
    purity: float
    informs: float
    fires: float
    negatives: tuple[NegativeNgram, ...]


@dataclass(frozen=True)
class FilterReport:
    """All filters, which of them never answer, and which say the same.

    Attributes
    ----------
    filters : list of FilterFacts
    n_texts : int
    purity : float
        The purity that was asked for.
    dead : list of int
        Filters whose activation is 0 in every text.
    twins : list of (int, int, float)
        Pairs of living filters whose activations correlate over the texts at `twin` or more, closest first.
    """

    filters: list[FilterFacts]
    n_texts: int
    purity: float
    dead: list[int]
    twins: list[tuple[int, int, float]]


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
        If the net has further layers after its convolutions, or an argument cannot be used.

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
    net, vocabulary = model.net_, model.vocabulary_
    net.eval()
    tokens = [tokenize(text, model.tokenizer) for text in texts]
    ids = [vocabulary.encode(t.word for t in row) for row in tokens]
    used = np.unique(np.concatenate([*ids, np.zeros(0, np.int64)]))
    filters: list[FilterFacts] = []
    pooled: list[np.ndarray] = []
    for layer, weight in zip(net.layers, output_weights(net), strict=True):
        k = layer.weight.shape[-1]
        responses = strongest_windows(net, layer, ids)[1]
        pooled.append(responses)
        windows, places = text_windows(ids, k)
        first, counts = distinct_windows(windows, len(vocabulary))
        windows, places = windows[first], places[first]
        _, rows = top_windows(net, layer, windows, n)
        with torch.inference_mode():  # what each word of the texts gives at each slot [shape=(K, V, F)]
            known = torch.from_numpy(np.concatenate([[PAD], used]))
            taps = tap_responses(net.embedding(known), layer.weight).double().numpy()
        cells = np.searchsorted(used, windows) + 1
        cells[windows == PAD] = 0
        neighbours = [_Neighbours(cells, a) for a in range(k)] if k > 1 else []
        bias = np.zeros(len(weight[0])) if layer.bias is None else layer.bias.detach().double().numpy()
        words = [vocabulary.word(int(i)) for i in used]

        def shown(row: int, k=k, places=places) -> tuple[tuple[str, ...], str]:
            text, start = places[row]
            return window_source(texts[text], tokens[text], int(start), k)

        for f in range(len(bias)):
            slots = taps[:, :, f]  # (K, V)
            own = weight[:, f].sum(-1)  # (C,)
            c = int(own.argmax())
            found = []
            for row in rows[f].tolist():
                each = slots[np.arange(k), cells[row]]
                found.append(FilterNgram(*shown(row), float(each.sum() + bias[f]), tuple(each.tolist()),
                                         int(counts[row])))  # fmt: skip
            threshold, share = purity_threshold(responses[:, f], truth == c, purity)
            limit = 0.0 if threshold is None else threshold
            filters.append(FilterFacts(
                len(filters), k, model.classes_.tolist()[c], float(own[c] - np.delete(own, c).max()),
                tuple(found),
                tuple(_extremes(words, slots[a, 1:], n) for a in range(k)),
                tuple(_extremes(words, slots[a, 1:], n, lowest=True) for a in range(k)),
                float(slots[:, 1:].max(1).sum() + bias[f]) if len(used) else float(bias[f]),
                threshold, share,
                0.0 if threshold is None else float(np.mean(responses[:, f] >= threshold)),
                float(np.mean(responses[:, f] > 0)),
                _negatives(neighbours, cells, slots, float(bias[f]), rows[f].tolist(), limit, n, shown),
            ))  # fmt: skip
    everything = np.concatenate(pooled, 1)
    dead = np.flatnonzero(~(everything > 0).any(0)).tolist()
    return FilterReport(filters, len(texts), purity, dead, _twins(everything, twin))


def purity_threshold(activations: Any, right: Any, purity: float) -> tuple[float | None, float]:
    """The smallest activation > 0 at and above which a share of at least `purity` is right, and that share.

    Parameters
    ----------
    activations : array [shape=(N,)]
        Of the n-gram that a filter passes on from each text.
    right : array of bool [shape=(N,)]
        Whether the text is of the filter's class.
    purity : float

    Returns
    -------
    threshold, share : (None, NaN) where there is no such threshold

    Source: Jacovi, Sar Shalom & Goldberg (2018), section 4 (purity).

    Examples
    --------
    >>> purity_threshold([4, 3, 2, 1], [True, True, False, False], 0.6)
    (2.0, 0.6666666666666666)
    """
    x, y = np.asarray(activations, dtype=np.float64), np.asarray(right, dtype=bool)
    order = np.argsort(-x, kind="stable")
    x, y = x[order], y[order]
    share = np.cumsum(y) / np.arange(1, len(x) + 1)
    last = np.append(x[1:] != x[:-1], True)[: len(x)]  # equal activations pass together
    good = np.flatnonzero(last & (share >= purity) & (x > 0))
    if len(good) == 0:
        return None, float("nan")
    return float(x[good[-1]]), float(share[good[-1]])


class _Neighbours:
    """Windows that differ in one slot: those that agree in all others, in groups."""

    def __init__(self, cells: np.ndarray, slot: int):
        key = np.zeros(len(cells), np.int64)
        for column in np.delete(cells, slot, 1).T:
            key = np.unique(key * (int(cells.max(initial=0)) + 1) + column, return_inverse=True)[1]
        self._key, self._order = key, np.argsort(key, kind="stable")
        self._sorted = key[self._order]

    def of(self, row: int) -> np.ndarray:
        """Rows that differ from `row` at most in the slot."""
        low, high = np.searchsorted(self._sorted, [self._key[row], self._key[row] + 1])
        return self._order[low:high]


def _negatives(neighbours, cells, slots, bias, best, limit, n, shown) -> tuple[NegativeNgram, ...]:
    """The n-grams one word off from the best whose response falls below `limit`, largest falls first."""
    found: dict[int, tuple[float, float, int, int]] = {}
    for row in best:
        response = float(slots[np.arange(len(slots)), cells[row]].sum() + bias)
        for a, near in enumerate(neighbours):
            others = near.of(row)
            falls = slots[a, cells[row, a]] - slots[a, cells[others, a]]
            for other, fall in zip(others.tolist(), falls.tolist(), strict=True):
                if other != row and response - fall < limit and fall > found.get(other, (0.0,))[0]:
                    found[other] = (fall, response - fall, row, a)
    order = sorted(found, key=lambda other: -found[other][0])[:n]
    result = []
    for other in order:
        fall, response, row, a = found[other]
        words, source = shown(other)
        result.append(NegativeNgram(words, source, response, shown(row)[0], a, fall))
    return tuple(result)


def _extremes(words: list[str], values: np.ndarray, n: int, *, lowest: bool = False):
    keys = values if lowest else -values
    few = np.argpartition(keys, n - 1)[:n] if n < len(keys) else np.arange(len(keys))
    order = few[np.argsort(keys[few], kind="stable")]
    return tuple((words[i], float(values[i])) for i in order)


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
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InputError(f"n must be an int >= 1, got {n!r}")
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
