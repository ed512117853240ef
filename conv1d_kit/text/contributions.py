"""A TextCNN's logits taken apart exactly: which n-gram each filter picked, and what its words gave there.

    logit[c] = out.bias[c] + Σ_f out.weight[c, f] · φ(r_f)         φ: ReLU (or the net's own activation)
    r_f      = Σ_a ⟨weight[f, :, a], embedding of the word at slot a⟩ + bias[f]     of the window that f picked

A maximum passes one window on, so a logit is a sum over filters, each filter's term belongs to one n-gram, and
within it to the words at its slots: nothing is approximated, and no baseline is needed. Mean pooling shares a
filter among all its windows, k-max among k of them; both stay sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..layers import Conv1d
from .batches import inference_batches
from .fasttext_net import AveragingNet
from .nets import TextCNN
from .scoring import logits as net_logits
from .windows import LayerResponses, layer_responses

__all__ = ["Parts", "decompose", "output_weights", "why_not_exact"]

_LARGEST_GAP = 1e-3  # of the logits; float32 leaves 1e-6, so more means that the net computes something else


@dataclass(frozen=True)
class Parts:
    """One text's logits in parts: n-grams by (start, width), words, and what belongs to neither.

    Shapes as in TextExplanation; `gap` is the larger |sum − logit| of both sums.
    """

    logits: np.ndarray
    starts: np.ndarray
    widths: np.ndarray
    values: np.ndarray
    bias: np.ndarray
    token_values: np.ndarray
    token_bias: np.ndarray
    gap: float


def why_not_exact(net: Any) -> str | None:
    """Why a net's logits are no sum over n-grams, or None where they are.

    Examples
    --------
    >>> why_not_exact(torch.nn.Linear(2, 2))
    'Linear passes its convolutions through further layers'
    """
    if isinstance(net, AveragingNet):
        return None
    if not isinstance(net, TextCNN):
        return f"{type(net).__name__} passes its convolutions through further layers"
    if _pooling(net) not in ("max", "k-max", "mean"):
        return f"pooling {_pooling(net)!r} weighs windows by what stands in all of them"
    return None


def decompose(net: Any, ids: Sequence[np.ndarray]) -> list[Parts]:
    """Take the logits of N texts apart, exactly.

    A filter's term goes to the n-gram that it picked: the first of equals; none where its activation is 0. Its
    words share it by their own responses at their slots (times (φ(r) − φ(0))/r, which is 1 for a ReLU that is
    on); a slot that hangs over the border holds <pad>, whose embedding is zeros, and gets 0; the filter's bias
    belongs to no word and is kept in `token_bias`. φ(0), where it is not 0, and the places of a k-max that a
    short text leaves empty are bias. A text of no tokens has no n-gram: all it answers is bias.

    Parameters
    ----------
    net : TextCNN with max, k-max or mean pooling
    ids : sequence of int64 arrays, length N

    Raises
    ------
    InputError
        If the net's logits are no such sum (attention pooling, deep nets).

    Source: Jacovi, Sar Shalom & Goldberg (2018), Understanding Convolutional Neural Networks for Text
    Classification (slot activations).

    Examples
    --------
    >>> from .classifier import TextClassifier
    >>> net = TextClassifier(epochs=1).fit(["so good", "so bad"], [1, 0]).net_
    >>> parts = decompose(net, [np.array([2, 3, 4])])[0]
    >>> bool(np.allclose(parts.bias + parts.values.sum(0), parts.logits, atol=1e-5))
    True
    """
    reason = why_not_exact(net)
    if reason is not None:
        raise InputError(f"the logits are no sum over n-grams: {reason}; use integrated gradients")
    lengths = np.array([len(row) for row in ids], dtype=np.int64)
    true = net_logits(net, ids)
    result: dict[int, Parts] = {}
    for rows in inference_batches(lengths, extra=max(net.widths) - 1):
        batch = [ids[i] for i in rows]
        for i, parts in zip(rows, _batch(net, batch, true[rows]), strict=True):
            result[int(i)] = parts
    return [result[i] for i in range(len(ids))]


def output_weights(net: Any) -> list[np.ndarray]:
    """The output weights of each layer's filters [shape=(C, F, M)]; M: the windows that a filter passes on."""
    n = sum(layer.weight.shape[0] for layer in net.layers)
    m = net.out.in_features // n
    weights, found, at = net.out.weight.detach().double().numpy(), [], 0
    for layer in net.layers:
        f = layer.weight.shape[0]
        found.append(weights[:, at : at + f * m].reshape(-1, f, m))
        at += f * m
    return found


def _batch(net: Any, ids: Sequence[np.ndarray], true: np.ndarray) -> list[Parts]:
    n, c = true.shape
    longest = max((len(row) for row in ids), default=0)
    out_bias = net.out.bias.detach().double().numpy() if net.out.bias is not None else np.zeros(c)
    tokens, bias = np.zeros((n, longest, c)), np.tile(out_bias, (n, 1))
    by_width: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # layers of one width see the same n-grams
    for layer, weight in zip(net.layers, output_weights(net), strict=True):
        k = layer.weight.shape[-1]
        values, picked, words, neither = _layer(net, layer, torch.from_numpy(weight), ids)
        tokens += words
        bias += neither
        if k in by_width:
            values, picked = by_width[k][0] + values, by_width[k][1] | picked
        by_width[k] = values, picked
    found = []
    for i, row in enumerate(ids):
        if len(row) == 0:  # no window: what the filters say to silence is bias
            empty = np.zeros(0, np.int64)
            found.append(Parts(
                true[i], empty, empty, np.zeros((0, c)), true[i], np.zeros((0, c)), true[i], 0.0
            ))  # fmt: skip
            continue
        starts, widths, shares = [], [], []
        for k, (values, picked) in by_width.items():
            at = np.flatnonzero(picked[i])
            starts.append(at - (k - 1))
            widths.append(np.full(len(at), k))
            shares.append(values[i, at])
        order = np.lexsort((np.concatenate(widths), np.concatenate(starts)))
        share = np.concatenate(shares)[order]
        total = bias[i] + share.sum(0)
        own = tokens[i, : len(row)].copy()
        gap = float(np.abs(total - true[i]).max())
        if gap > _LARGEST_GAP * max(1.0, float(np.abs(true[i]).max())):
            raise InputError(
                f"the logits are no sum over n-grams of this {type(net).__name__}: they differ by {gap:.2g}; "
                "use integrated gradients"
            )
        found.append(Parts(
            true[i], np.concatenate(starts)[order], np.concatenate(widths)[order], share, bias[i],
            own, total - own.sum(0), gap,
        ))  # fmt: skip
    return found


@torch.inference_mode()
def _layer(net: Any, layer: Conv1d, weight: torch.Tensor, ids: Sequence[np.ndarray]):
    """Shares of a layer's windows (N, W, C), which it picked (N, W); of words (N, L, C); of neither (N, C)."""
    found = layer_responses(net, layer, ids)
    n, f, w = found.z.shape
    k, c = len(found.taps), weight.shape[0]
    bias = torch.zeros(f).double() if layer.bias is None else layer.bias.double()
    activation = _activation(net)
    if _pooling(net) == "mean":
        return _mean_layer(found, bias, weight[..., 0], activation)
    n_windows = found.n_windows[:, None, None]
    z = found.z.masked_fill(torch.arange(w) >= n_windows, -torch.inf)
    if weight.shape[-1] == 1:
        picks = z.argmax(-1, keepdim=True)  # the first of equals
    else:  # k-max: the first of equals, in the order of the text; where windows are few, some places stay empty
        z = torch.nn.functional.pad(z, (0, max(0, weight.shape[-1] - w)), value=-torch.inf)
        picks = z.sort(stable=True, dim=-1, descending=True).indices[..., : weight.shape[-1]].sort(-1).values
    valid = picks < n_windows
    picks = picks.clamp(max=w - 1)
    filters, text = torch.arange(f)[:, None], torch.arange(n)[:, None, None]
    slots = [found.taps[a][found.places[text, picks + a], filters].double() for a in range(k)]  # (N, F, M)
    response = torch.where(valid, bias[:, None] + torch.stack(slots).sum(0), 0.0)
    gain = torch.where(valid, _gain(activation, response), 0.0)
    silence = activation(torch.where(valid, 0.0, bias[:, None]))  # an empty place hears the bias alone
    neither = torch.einsum("nfm,cfm->nc", silence, weight)
    place = (text * w + picks).reshape(-1)
    picked = torch.zeros(n * w).index_add_(0, place, (gain != 0).reshape(-1).float())
    values = torch.zeros(n * w, c, dtype=torch.float64)
    values.index_add_(0, place, torch.einsum("nfm,cfm->nfmc", gain * response, weight).reshape(-1, c))
    words = torch.zeros(n * (w + k - 1), c, dtype=torch.float64)
    place = (text * (w + k - 1) + picks).reshape(-1)
    for a, slot in enumerate(slots):
        words.index_add_(0, place + a, torch.einsum("nfm,cfm->nfmc", gain * slot, weight).reshape(-1, c))
    words = words.view(n, w + k - 1, c)[:, k - 1 : w]  # without the border
    return values.view(n, w, c).numpy(), picked.view(n, w).numpy() > 0, words.numpy(), neither.numpy()


def _mean_layer(found: LayerResponses, bias: torch.Tensor, weight: torch.Tensor, activation):
    """As `_layer`, where every window has its equal part in the mean; weight (C, F)."""
    n, f, w = found.z.shape
    k, c = len(found.taps), len(weight)
    slots = [found.taps[a][found.places[:, a : a + w]].double() for a in range(k)]  # (N, W, F)
    response = bias + sum(slots[1:], slots[0])
    inside = torch.arange(w) < found.n_windows[:, None]
    part = inside / found.n_windows.clamp(min=1)[:, None].double()  # (N, W)
    gain = _gain(activation, response) * part[..., None]
    values = (gain * response) @ weight.T
    words = torch.zeros(n, w + k - 1, c, dtype=torch.float64)
    for a, slot in enumerate(slots):
        words[:, a : a + w] += (gain * slot) @ weight.T
    neither = (activation(torch.zeros(f).double()) @ weight.T).expand(n, c)
    return values.numpy(), (gain != 0).any(-1).numpy(), words[:, k - 1 : w].numpy(), neither.numpy()


def _pooling(net: Any) -> str:
    """Which windows a net's filters pass on: "max", "k-max", "mean", or the name of what is none of these."""
    name = str(getattr(getattr(net, "options", net), "pooling", "max"))
    return "k-max" if name.endswith("-max") else name


def _activation(net: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    own = getattr(net, "activation", None)
    return own if callable(own) else torch.relu


def _gain(activation: Callable[[torch.Tensor], torch.Tensor], r: torch.Tensor) -> torch.Tensor:
    """(φ(r) − φ(0)) / r: 1 or 0 for a ReLU; where r is 0, any number serves."""
    rise = activation(r) - activation(torch.zeros_like(r))
    return torch.where(r == 0, 0.0, rise / torch.where(r == 0, 1.0, r))
