"""What each n-gram adds to the logits of a linear model or fastText's net, and of a blend word by word."""

from __future__ import annotations

import numpy as np
import torch

from .contributions import Parts
from .fasttext_net import AveragingNet
from .linear import LinearModel
from .tokens import Token, tokenize

__all__ = ["averaging_parts", "linear_parts", "units_of", "word_parts"]


def units_of(model: LinearModel, text: str) -> list[Token]:
    """What the model's n-grams are made of: words, or characters with each run of white space as one."""
    ngrams = model.bag.ngrams
    if ngrams.unit == "word":
        return tokenize(text, ngrams.tokenizer)
    found, gap = list[Token](), None
    for i, character in enumerate(text):
        if character.isspace():
            gap = i if gap is None else gap
            continue
        if gap is not None and found:
            found.append(Token(" ", gap, i))
        gap = None
        found.append(Token(character, i, i + 1))
    return found


def linear_parts(model: LinearModel, text: str, n_units: int) -> Parts:
    """The logits of a text as a sum over the known n-grams of its units.

    An n-gram that stands several times in the text counts once to the model: its share is spread evenly over
    its places, and over the units of each place. What stands between the borders alone goes to the bias.

    Parameters
    ----------
    model : LinearModel
    text : str
    n_units : int
        As many as `units_of` gives.
    """
    bag = model.bag
    keys, _, places = bag.ngrams.places([text])
    widths = np.concatenate([np.full(len(start), n) for n, start in places])
    starts = np.concatenate([start for _, start in places]) - 1  # the border stands before unit 0
    columns, here = bag.columns(keys)
    columns, starts, widths = columns[here], starts[here], widths[here]
    row = model.valued([text])
    value = np.zeros(len(bag), dtype=np.float64)
    value[row.indices] = row.data
    counts = np.bincount(columns, minlength=len(bag))
    values = model.weights[:, columns].T.astype(np.float64) * (value / np.maximum(counts, 1))[columns, None]
    logits = model.scores([text])[0]
    first, last = np.maximum(starts, 0), np.minimum(starts + widths, n_units)
    inside = last > first
    bias = model.bias + values[~inside].sum(0)
    order = np.flatnonzero(inside)[np.lexsort((widths[inside], starts[inside]))]
    starts, widths, values, first, last = starts[order], widths[order], values[order], first[order], last[order]
    shares = values / (last - first)[:, None]
    steps = np.zeros((n_units + 1, len(bias)))
    np.add.at(steps, first, shares)
    np.add.at(steps, last, -shares)
    token_values = steps.cumsum(0)[:n_units]
    gap = max(float(np.abs(bias + v.sum(0) - logits).max()) for v in (values, token_values))
    return Parts(logits, starts, widths, values, bias, token_values, bias, gap)


@torch.no_grad()
def averaging_parts(net: AveragingNet, ids: np.ndarray) -> Parts:
    """The logits of fastText's net as a sum over words and pairs; a pair's share is half its words' each."""
    n = len(ids)
    row = torch.as_tensor(ids, dtype=torch.int64)[None]
    weights, bias = net.out.weight.double(), net.out.bias.double().numpy()
    pairs = net.pair_rows(row)[0] if n else torch.empty(0, dtype=torch.int64)
    count = max(1, n + int((pairs != 0).sum()))
    words = (net.embedding(row)[0].double() @ weights.T / count).numpy()
    both = (net.pairs(pairs).double() @ weights.T / count).numpy()
    values = np.concatenate([words, both])
    starts = np.concatenate([np.arange(n), np.arange(len(both))])
    widths = np.concatenate([np.full(n, 1), np.full(len(both), 2)])
    order = np.lexsort((widths, starts))
    token_values = words.copy()
    token_values[:-1] += both / 2
    token_values[1:] += both / 2
    logits = net(row, torch.tensor([n]))[0].double().numpy() if n else bias.copy()
    gap = max(float(np.abs(bias + v.sum(0) - logits).max()) for v in (values, token_values))
    return Parts(logits, starts[order], widths[order], values[order], bias, token_values, bias, gap)


def word_parts(units: list[Token], parts: Parts, words: list[Token]) -> tuple[np.ndarray, np.ndarray]:
    """The shares of a model's units as shares of words [shape=(len(words), C)], and what stands in none."""
    values, rest = np.zeros((len(words), len(parts.bias))), parts.token_bias.copy()
    at = 0
    for unit, share in zip(units, parts.token_values, strict=True):
        while at < len(words) and words[at].end <= unit.start and words[at].end < unit.end:
            at += 1
        if at < len(words) and words[at].start <= unit.start and unit.end <= words[at].end:
            values[at] += share
        else:
            rest += share
    return values, rest
