"""What the filters have learned: for each, the n-grams of given texts that it answers to most strongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import check_whole
from ..layers import Conv1d
from .nets import TextCNN
from .projected import slide, tap_responses
from .tokens import Token
from .vocabulary import Vocabulary
from .windows import distinct_windows, text_windows, window_source

__all__ = ["FilterNgrams", "Ngram", "strongest_ngrams"]

CELLS = 1 << 15  # tokens convolved at once


@dataclass(frozen=True)
class Ngram:
    """A window of words and what a filter makes of it.

    `words` hold <pad> beyond the text's border; `source` is the text where it stands first, `activation` the
    filter's response (>= 0) and `count` the number of its places.
    """

    words: tuple[str, ...]
    source: str
    activation: float
    count: int


@dataclass(frozen=True)
class FilterNgrams:
    """A filter: width in tokens, index in the net's features, output weight per class, strongest n-grams."""

    width: int
    index: int
    class_weights: np.ndarray
    ngrams: tuple[Ngram, ...]


def strongest_ngrams(
    net: TextCNN,
    vocabulary: Vocabulary,
    texts: Sequence[str],
    tokens: Sequence[Sequence[Token]],
    n: int = 5,
) -> list[FilterNgrams]:
    """For every filter of a TextCNN the `n` strongest distinct n-grams of the texts.

    Every distinct window is convolved once, however often it stands in the texts.

    Parameters
    ----------
    net : TextCNN
    vocabulary : the net's
    texts : sequence of str, length N
    tokens : sequence of token lists, length N
    n : int >= 1

    Returns
    -------
    list of FilterNgrams, in the order of the net's features
        Fewer n-grams than `n` where the texts hold fewer; words outside the vocabulary are one word to the net,
        so n-grams that differ only in them count as one.
    """
    check_whole("n", n)
    ids = [vocabulary.encode(t.word for t in row) for row in tokens]
    weights = net.out.weight.detach().numpy()
    result: list[FilterNgrams] = []
    for layer in net.layers:
        k = layer.weight.shape[-1]
        windows, places = text_windows(ids, k)
        first, counts = distinct_windows(windows, len(vocabulary))
        values, best = _top(net, layer, windows[first], n)
        for f in range(layer.weight.shape[0]):
            found = []
            for value, j in zip(values[f].tolist(), best[f].tolist(), strict=True):
                text, start = places[first[j]]
                words, source = window_source(texts[text], tokens[text], int(start), k)
                found.append(Ngram(words, source, value, int(counts[j])))
            result.append(FilterNgrams(k, len(result), weights[:, len(result)].copy(), tuple(found)))
    return result


@torch.inference_mode()
def _top(net: TextCNN, layer: Conv1d, windows: np.ndarray, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The n largest responses of each filter and their rows in `windows` [shape=(filters, <= n)]."""
    filters, _, k = layer.weight.shape
    values, rows = torch.empty(filters, 0), torch.empty(filters, 0, dtype=torch.int64)
    if len(windows) == 0:
        return values, rows
    used, places = torch.from_numpy(windows).unique(return_inverse=True)
    taps = tap_responses(net.embedding(used), layer.weight)
    bias = 0.0 if layer.bias is None else layer.bias[:, None]
    step = max(1, CELLS // k)
    for i in range(0, len(windows), step):
        z = torch.relu(slide(taps, places[i : i + step])[:, :, 0].T + bias)  # (filters, W)
        top = z.topk(min(n, z.shape[1]), 1)
        values, rows = torch.cat([values, top.values], 1), torch.cat([rows, top.indices + i], 1)
        keep = values.topk(min(n, values.shape[1]), 1)
        values, rows = keep.values, rows.gather(1, keep.indices)
    return values, rows
