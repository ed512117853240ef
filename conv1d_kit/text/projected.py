"""Convolution over tokens by the batch's words: each distinct word meets every tap once, sums are gathered.

A convolution is linear in what it slides over: every tap is a dense layer on the words, a convolution of
width 1. A batch of texts repeats its words, so one product of its distinct words with all taps of all widths
replaces the convolutions; a window's response is a sum of K rows of that product, and of all windows only the
strongest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..core.conv import conv
from ..errors import InputError

__all__ = [
    "best_windows",
    "distinct",
    "framed",
    "fused_taps",
    "respond",
    "slide",
    "strongest",
    "strongest_of_width",
    "tap_responses",
]

SUMS = 1 << 19  # most responses of one width held at once: bounds memory whatever the texts' lengths


def tap_responses(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What each word gives at each tap of each filter [shape=(K, U, filters)].

    From rows (U, E) and weight (filters, E, K).
    """
    filters, dim, k = weight.shape
    taps = conv(rows.T[None], weight.permute(2, 0, 1).reshape(k * filters, dim, 1))  # (1, K * filters, U)
    return taps[0].view(k, filters, -1).transpose(1, 2).contiguous()


def slide(taps: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Cross-correlation of texts with filters [shape=(B, filters, L - K + 1)], the sum of words' tap responses.

    From taps (K, U, filters) and places (B, L): each text's words as row numbers below U.
    """
    n = places.shape[1] - len(taps) + 1
    z = torch.nn.functional.embedding(places[:, :n], taps[0])  # (B, n, filters)
    for a in range(1, len(taps)):
        z = z + torch.nn.functional.embedding(places[:, a : a + n], taps[a])
    return z.transpose(1, 2)


def best_windows(
    rows: torch.Tensor, weights: Sequence[torch.Tensor], places: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """Response of every filter to its best window of each text [shape=(B, len(weights) · filters)].

    The same as convolving each text between K − 1 zero rows on either side and taking the maximum over its
    n + K − 1 windows; a text of no tokens gives 0. The gradient goes to the first of the best windows and to
    nothing else, so the backward pass costs a fraction of a convolution's.

    Parameters
    ----------
    rows : Tensor [shape=(U, E)]
        The words' embeddings, each word once.
    weights : sequence of Tensor [shape=(filters, E, K)], with K of its own each
    places : int Tensor [shape=(B, L)]
        Each text's words as row numbers below U; what stands beyond a text's length is not read.
    lengths : int Tensor [shape=(B,)]

    Raises
    ------
    InputError
        If the weights differ in their number of filters; in the backward pass, if it is asked for a graph
        (`create_graph=True`): there is no second derivative.

    Examples
    --------
    >>> rows = torch.tensor([[1.0], [-2.0], [3.0]])
    >>> places, lengths = torch.tensor([[0, 2, 1], [1, 0, 0]]), torch.tensor([3, 1])
    >>> best_windows(rows, [torch.ones(1, 1, 1), torch.ones(1, 1, 2)], places, lengths)
    tensor([[ 3.,  4.],
            [-2., -2.]])
    """
    if len({len(w) for w in weights}) != 1:
        raise InputError(f"weights must have as many filters each, got {[len(w) for w in weights]}")
    with torch.autocast(rows.device.type, enabled=False):
        return _BestWindows.apply(rows, places, lengths, *weights)


def distinct(ids: torch.Tensor, n_words: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids that occur, ascending [shape=(U,)], and where each id of `ids` stands among them (int32).

    Few ids of a large vocabulary are sorted; otherwise a mark for each of the `n_words` ids takes less time.

    Examples
    --------
    >>> used, places = distinct(torch.tensor([[7, 2], [7, 9]]), 10)
    >>> used.tolist(), places.tolist()
    ([2, 7, 9], [[1, 0], [1, 2]])
    """
    if n_words > 16 * ids.numel():
        used, places = ids.unique(return_inverse=True)
        return used, places.to(torch.int32)
    seen = torch.zeros(n_words, dtype=torch.bool, device=ids.device)
    seen[ids.reshape(-1)] = True
    used = seen.nonzero()[:, 0]
    place = torch.empty(n_words, dtype=torch.int32, device=ids.device)
    place[used] = torch.arange(len(used), dtype=torch.int32, device=ids.device)
    return used, place[ids]


def fused_taps(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """All taps of all filters as the rows of one matrix [shape=(ΣK · filters, E)]: by width, tap, filter."""
    return torch.cat([w.permute(2, 0, 1).reshape(-1, w.shape[1]) for w in weights])


def respond(
    rows: torch.Tensor, taps: torch.Tensor, widths: Sequence[int], out: torch.Tensor | None = None
) -> torch.Tensor:
    """Responses of words to all taps [shape=(U, ΣK · filters)]; the last two rows are no words.

    Row U − 2, of zeros, stands before a text, row U − 1 after it: it is 0 too, but −∞ to the first tap, so that
    no window can begin there. `rows` (U, E) end in two rows of zeros, `taps` come from `fused_taps`.
    """
    table = torch.mm(rows, taps.T, out=out) if out is not None else rows @ taps.T
    end = table[-1].view(sum(widths), -1)
    first = 0
    for k in widths:
        end[first] = -torch.inf
        first += k
    return table


def framed(places: torch.Tensor, lengths: torch.Tensor, widest: int, n_rows: int) -> torch.Tensor:
    """Texts with `widest` − 1 border rows on either side, int32 [shape=(B, L + 2 · widest − 2)].

    Rows n_rows − 2 and n_rows − 1 stand for what is before and after a text.
    """
    border, size = widest - 1, max(1, places.shape[1])
    after = torch.where(lengths > 0, n_rows - 1, n_rows - 2).to(torch.int32)[
        :, None
    ]  # a text of no tokens gives 0
    frame = after.repeat(1, size + 2 * border)
    frame[:, :border] = n_rows - 2
    inside = torch.arange(places.shape[1], device=places.device) < lengths[:, None]
    frame[:, border : border + places.shape[1]] = torch.where(inside, places.to(torch.int32), after)
    return frame


def strongest(
    table: torch.Tensor, frame: torch.Tensor, widths: Sequence[int], *, where: bool = False
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Each filter's largest response [shape=(B, len(widths) · filters)] and, if asked, where its window begins.

    From what `respond` and `framed` gave; the place is a column of `frame`, the first of equals (int32).
    """
    size = frame.shape[1] - 2 * (max(widths) - 1)
    tops, begins, tap = [], [], 0
    for k in widths:
        span = max(widths) - k, max(widths) + size - 1
        top, begin = strongest_of_width(table, frame, k, tap, sum(widths), span, where=where)
        tops.append(top)
        begins.append(begin)
        tap += k
    return torch.cat(tops, 1), torch.cat(begins, 1) if where else None  # type: ignore[arg-type]


def strongest_of_width(
    table: torch.Tensor,
    frame: torch.Tensor,
    k: int,
    tap: int,
    n_taps: int,
    span: tuple[int, int],
    *,
    where: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`strongest` of one width K, its first tap number `tap`, among windows that begin in columns `span`."""
    n_texts, filters = len(frame), table.shape[1] // n_taps
    values = table.view(-1, filters)  # a row for every word and tap
    steps = torch.arange(tap, tap + k, dtype=torch.int32, device=frame.device)
    begin, stop = span
    block = max(1, min(stop - begin, SUMS // max(1, n_texts * filters), 1 << 20))
    top = place = None
    for c in range(begin, stop, block):
        n = min(block, stop - c)
        index = (frame[:, c : c + n + k - 1] * n_taps).unfold(1, k, 1) + steps  # (B, n, K)
        z = torch.nn.functional.embedding_bag(index.reshape(-1, k), values, mode="sum").view(n_texts, n, -1)
        high = z.amax(1)
        at = _first_equal(z, high) + c if where else None
        if top is None:
            top, place = high, at
            continue
        if at is not None and place is not None:
            place = torch.where(high > top, at, place)
        top = torch.maximum(top, high)
    return table.new_full((n_texts, filters), -torch.inf) if top is None else top, place


def _first_equal(z: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """The first n at which z (B, n, C) is `top` (B, C), int32; 0 where nothing is (NaN). `z` is overwritten."""
    n = z.shape[1]
    rank = torch.arange(n, 0, -1, device=z.device).to(z.dtype)[:, None]
    hits = z.eq_(top[:, None]).mul_(rank).amax(1)  # in floats: five times as quick as z.max(1)
    return (n - hits.to(torch.int32)) % n


class _BestWindows(torch.autograd.Function):
    """`best_windows`: in the backward pass each text and filter has K words that count, and no others."""

    @staticmethod
    def forward(ctx: Any, rows, places, lengths, *weights) -> torch.Tensor:
        widths = [w.shape[2] for w in weights]
        n_rows = len(rows) + 2
        words = torch.cat([rows, rows.new_zeros(2, rows.shape[1])])
        taps = fused_taps(weights)
        frame = framed(places, lengths, max(widths), n_rows)
        learns = any(ctx.needs_input_grad)
        pooled, begins = strongest(respond(words, taps, widths), frame, widths, where=learns)
        if learns:
            ctx.widths = widths
            ctx.save_for_backward(words, taps, frame, begins)
        return pooled

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple:
        if torch.is_grad_enabled():  # what it gives is no part of a graph: a second derivative would be wrong
            raise InputError("create_graph must be False: best_windows has no second derivative")
        words, taps, frame, begins = ctx.saved_tensors
        n_texts, widths, filters = len(grad), ctx.widths, grad.shape[1] // len(ctx.widths)
        by_filter = grad.t().reshape(-1)
        alive = by_filter.nonzero()[:, 0].to(torch.int32)  # half were dropped out, or are negative
        index = alive.div(n_texts, rounding_mode="floor")
        value = by_filter.index_select(0, alive)
        row = (alive - index * n_texts) * frame.shape[1]
        begin = begins.t().reshape(-1).index_select(0, alive) + row  # of the window, in the flat frame
        counts = torch.bincount(index, minlength=grad.shape[1])
        stops = counts.cumsum(0)
        starts, bounds = stops - counts, [0, *stops[filters - 1 :: filters].tolist()]
        cells, columns, groups, first, tap = [], [], [], 0, 0
        for i, k in enumerate(widths):  # each window is K cells: (K · m,) by tap, filter, text
            low, high = bounds[i], bounds[i + 1]
            steps = torch.arange(k, dtype=torch.int32, device=grad.device)[:, None]
            cells.append((begin[low:high] + steps).view(-1))
            columns.append((index[low:high] + (steps + (tap - i)) * filters).view(-1))
            groups.append(
                (starts[i * filters : (i + 1) * filters] + steps * (high - low) + (first - low)).view(-1)
            )
            first, tap = first + k * (high - low), tap + k
        word = frame.view(-1).index_select(0, torch.cat(cells))
        scale = torch.cat([value[low:high].repeat(k) for k, low, high in zip(widths, bounds, bounds[1:])])  # noqa: B905
        d_rows, d_weights = None, [None] * len(widths)
        if any(ctx.needs_input_grad[3:]):
            d_taps = _weighted_sums(words, word, torch.cat(groups), scale)
            parts = d_taps.split([k * filters for k in widths])
            d_weights = [d.view(k, filters, -1).permute(1, 2, 0) for d, k in zip(parts, widths, strict=True)]
        if ctx.needs_input_grad[0]:
            order, starts = _grouped(word, len(words))
            column = torch.cat(columns).index_select(0, order)
            d_rows = _weighted_sums(taps, column, starts, scale.index_select(0, order))
        return d_rows, None, None, *d_weights


def _grouped(word: torch.Tensor, n_rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells in the order of their words, those of the border left out, and where each word's cells begin."""
    counts = torch.bincount(word, minlength=n_rows)[:-2]
    stops = counts.cumsum(0)
    if word.device.type == "cpu" and n_rows <= 2**16:  # NumPy sorts 16 bits by radix: six times as fast
        order = torch.from_numpy(np.argsort(word.numpy().astype(np.uint16), kind="stable"))
    else:
        order = word.sort(stable=True)[1]
    return order[: int(stops[-1]) if len(stops) else 0], stops - counts


def _weighted_sums(
    rows: torch.Tensor, index: torch.Tensor, starts: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Sums of scale · rows[index] over the groups that begin at `starts`."""
    return torch.nn.functional.embedding_bag(
        index.to(torch.int32), rows, starts.to(torch.int32), mode="sum", per_sample_weights=scale
    )
