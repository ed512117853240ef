"""The windows of words that filters slide over: where they stand, which ones differ, and which one wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..layers import Conv1d
from .batches import inference_batches, pad
from .projected import slide, tap_responses
from .tokens import Token
from .vocabulary import PAD

__all__ = [
    "LayerResponses",
    "distinct_windows",
    "layer_responses",
    "strongest_windows",
    "text_windows",
    "window_source",
]


class LayerResponses(NamedTuple):
    """How the filters of one width answer to a batch of N texts, before bias and activation.

    z : Tensor [shape=(N, F, W)]
        Response to window j, which begins K − 1 tokens before token j; beyond `n_windows` it is not defined.
    taps : Tensor [shape=(K, U, F)]
        What each of the batch's U words gives at each slot: z sums K of them.
    places : Tensor [shape=(N, W + K − 1), int64]
        Words as row numbers below U; window j of text n holds the words places[n, j : j + K].
    n_windows : Tensor [shape=(N,), int64]
        L + K − 1, or 0 for a text of no tokens.
    """

    z: torch.Tensor
    taps: torch.Tensor
    places: torch.Tensor
    n_windows: torch.Tensor


def layer_responses(net: Any, layer: Conv1d, ids: Sequence[np.ndarray]) -> LayerResponses:
    """Responses of one layer of a TextCNN by the net's own way: each word meets each slot once.

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> net = TextClassifier(epochs=1, widths=(3,), filters=5).fit(["so good", "so bad"], [1, 0]).net_
    >>> found = layer_responses(net, net.layers[0], [np.array([2, 3])])
    >>> found.z.shape, found.n_windows.tolist()
    (torch.Size([1, 5, 4]), [4])
    """
    k = layer.weight.shape[-1]
    cells, lengths = pad(ids)
    used, places = torch.nn.functional.pad(cells, (k - 1, k - 1), value=PAD).unique(return_inverse=True)
    with torch.inference_mode():
        taps = tap_responses(net.embedding(used), layer.weight)
        z = slide(taps, places)
    return LayerResponses(z, taps, places, torch.where(lengths > 0, lengths + (k - 1), 0))


def strongest_windows(net: Any, layer: Conv1d, ids: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Each filter's strongest window in each text, the first of equals.

    Returns
    -------
    starts : array [shape=(N, F), int64]
        Its first token; from −(K − 1), where all but the last slot hang over the border.
    responses : array [shape=(N, F), float64]
        ReLU of its response. In a text of no tokens the start is 0 and the response ReLU of the bias.
    """
    k, bias = layer.weight.shape[-1], _bias(layer)
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    starts = np.zeros((len(ids), len(bias)), np.int64)
    responses = np.tile(np.maximum(bias, 0.0), (len(ids), 1))
    for rows in inference_batches(lengths, extra=k - 1):
        found = layer_responses(net, layer, [ids[i] for i in rows])
        outside = torch.arange(found.z.shape[-1]) >= found.n_windows[:, None]
        z = found.z.masked_fill(outside[:, None], -torch.inf)
        best = z.argmax(-1)  # the first of equals
        top = z.gather(-1, best[..., None])[..., 0].double().numpy()
        filled = lengths[rows] > 0
        starts[rows[filled]] = best.numpy()[filled] - (k - 1)
        responses[rows[filled]] = np.maximum(top[filled] + bias, 0.0)
    return starts, responses


def text_windows(ids: Sequence[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Every window that the net sees [shape=(W, k)], and its (text, first token) [shape=(W, 2)].

    Examples
    --------
    >>> windows, places = text_windows([np.array([5, 6])], 2)
    >>> windows.tolist(), places.tolist()
    ([[0, 5], [5, 6], [6, 0]], [[0, -1], [0, 0], [0, 1]])
    """
    windows, places = [np.empty((0, k), np.int64)], [np.empty((0, 2), np.int64)]
    for i, row in enumerate(ids):
        if len(row):
            view = np.lib.stride_tricks.sliding_window_view(np.pad(row, k - 1, constant_values=PAD), k)
            windows.append(view)
            places.append(np.stack([np.full(len(view), i), np.arange(len(view)) - (k - 1)], 1))
    return np.concatenate(windows), np.concatenate(places)


def distinct_windows(windows: np.ndarray, n_words: int) -> tuple[np.ndarray, np.ndarray]:
    """Row of the first of each distinct window, and how many there are of it.

    Examples
    --------
    >>> distinct_windows(np.array([[5, 6], [0, 5], [5, 6]]), 9)
    (array([1, 0]), array([1, 2]))
    """
    key = windows[:, 0]
    for column in windows.T[1:]:
        key = np.unique(key * n_words + column, return_inverse=True)[1]
    return np.unique(key, return_index=True, return_counts=True)[1:]


def window_source(text: str, tokens: Sequence[Token], start: int, k: int) -> tuple[tuple[str, ...], str]:
    """The words of a window, <pad> beyond the border, and the stretch of the text that they come from.

    A character that only some of the window's tokens belong to is shown whole.

    Examples
    --------
    >>> window_source("Not bad!", [Token("not", 0, 3), Token("bad", 4, 7), Token("!", 7, 8)], -1, 3)
    (('<pad>', 'not', 'bad'), 'Not bad')
    """
    inside = range(max(0, start), min(len(tokens), start + k))
    words = tuple(tokens[j].word if j in inside else "<pad>" for j in range(start, start + k))
    _, first, end = tokens[inside[0]]
    return words, text[first - (first == end) : tokens[inside[-1]].end]  # an empty range stands behind its own


def _bias(layer: Conv1d) -> np.ndarray:
    if layer.bias is None:
        return np.zeros(layer.weight.shape[0])
    return layer.bias.detach().double().numpy()
