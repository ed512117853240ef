"""Probabilities of many texts by a fixed net: a word meets the filters once, however often it turns up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from .batches import EncodedTexts, inference_batches
from .nets import TextCNN
from .projected import framed, fused_taps, strongest_of_width

__all__ = ["Predictor", "WordResponses"]

TABLE_BYTES = 1 << 28  # of responses of words that are kept
CELLS = 1 << 12  # tokens of a batch: what they need stays in the processor's cache
LONG = 1 << 13  # window positions looked at in one go: a text of ten million words takes no more memory
T = TypeVar("T")

_BEFORE, _AFTER = 0, 1  # rows of the table that are no word


class Predictor:
    """Texts → probabilities by a net that no longer changes.

    Memory grows with the vocabulary and the longest text, not with the number of texts: give it any number,
    some thousands at a time.

    Parameters
    ----------
    net : torch.nn.Module
        In eval mode; ids (B, L), lengths (B,) → logits. A TextCNN is computed word by word (`WordResponses`),
        any other net in batches of like length.
    encode : function text → ids
        Such as `ids_of_pieces` gives.
    extra : int >= 0
        Windows of a text beyond its tokens, for the size of the other nets' batches.

    Examples
    --------
    >>> net = TextCNN(9, 2, dim=4, widths=(1, 2), filters=3).eval()
    >>> p = Predictor(net, lambda text: [len(word) for word in text.split()])
    >>> p(["it is good", ""]).shape
    (2, 2)
    """

    def __init__(self, net: torch.nn.Module, encode: Callable[[str], Sequence[int]], *, extra: int = 0):
        self.net, self.encode, self.extra = net, encode, extra
        self._seen = _versions(net)
        self._responses = WordResponses(net) if isinstance(net, TextCNN) else None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each class [shape=(N, n_classes), float64]."""
        return self.of_encoded(self.encoded(texts))

    def encoded(self, texts: Sequence[str]) -> EncodedTexts:
        """The texts as ids; its `lengths` tell which of them have no token."""
        return EncodedTexts.cut(texts, self.encode)

    def of_encoded(self, texts: EncodedTexts) -> np.ndarray:
        """The same for texts that are ids already."""
        out: torch.nn.Linear = self.net.out  # type: ignore[assignment]
        logits = torch.empty(len(texts), out.out_features, dtype=torch.float64)
        with torch.inference_mode():
            if self._responses is None:
                for rows in inference_batches(texts.lengths, extra=self.extra):
                    logits[rows] = self.net(*texts.batch(rows)).double()
            else:
                border = max(self._responses.widths) - 1
                for rows in inference_batches(texts.lengths, extra=border, positions=CELLS):
                    logits[rows] = self._responses.logits(*texts.batch(rows)).double()
            return torch.softmax(logits, 1).numpy()

    def stream(
        self, chunks: Iterable[Sequence[T]], text: Callable[[T], str]
    ) -> Iterator[tuple[Sequence[T], np.ndarray, np.ndarray]]:
        """(chunk, tokens of each text, probabilities) of chunks of anything that holds a text, in order.

        While one chunk is computed, the next is read and cut, and the one before is used by the caller.

        Parameters
        ----------
        chunks : iterable of sequences, some thousands long
        text : function item → str

        Examples
        --------
        >>> net = TextCNN(9, 2, dim=4, widths=(1, 2), filters=3).eval()
        >>> p = Predictor(net, lambda text: [len(word) for word in text.split()])
        >>> [(c, n.tolist(), q.shape) for c, n, q in p.stream([["it is", ""], ["so"]], str)]
        [(['it is', ''], [2, 0], (2, 2)), (['so'], [1], (1, 2))]
        """
        with ThreadPoolExecutor(1) as pool:
            before: tuple[Sequence[T], EncodedTexts, Future[np.ndarray]] | None = None
            for chunk in chunks:
                encoded = self.encoded([text(item) for item in chunk])
                future = pool.submit(self.of_encoded, encoded)
                if before is not None:
                    yield before[0], before[1].lengths, before[2].result()
                before = chunk, encoded, future
            if before is not None:
                yield before[0], before[1].lengths, before[2].result()

    def serves(self, net: torch.nn.Module) -> bool:
        """Whether it was made for this net as it is now."""
        return self.net is net and self._seen == _versions(net)

    def __getstate__(self) -> dict:  # responses can be computed again
        return {"net": self.net, "encode": self.encode, "extra": self.extra}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["net"], state["encode"], extra=state["extra"])  # type: ignore[misc]


class WordResponses:
    """A TextCNN's logits from a table of what each word gives at each tap of each filter.

    A word's row is computed when it first turns up and kept while there is room; the words that find none are
    computed anew for each batch. A window's response is the sum of K entries: no multiplication is left.

    Parameters
    ----------
    net : TextCNN, in eval mode; later changes of its weights are not seen
    table_bytes : int
        Room for the words that are kept.
    """

    def __init__(self, net: TextCNN, *, table_bytes: int = TABLE_BYTES):
        self.net = net
        weights = [layer.weight.detach() for layer in net.layers]
        self.widths = [w.shape[2] for w in weights]
        self.taps = fused_taps(weights)  # (ΣK · filters, E)
        n_words, row_bytes = len(net.embedding.weight), self.taps.element_size() * max(1, len(self.taps))
        self.room = min(n_words, table_bytes // row_bytes)
        self.kept = 0
        self.table = self.taps.new_empty(2 + self.room, len(self.taps))  # pages are taken as they are filled
        self.table[:2] = 0.0
        first = 0
        for k in self.widths:
            self.table[_AFTER].view(sum(self.widths), -1)[first] = -torch.inf  # no window begins after the text
            first += k
        self.row = torch.full((n_words + 2,), -1, dtype=torch.int32)  # of each id, moved up by two
        self.row[:2] = torch.tensor([_BEFORE, _AFTER])

    def logits(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits [shape=(B, n_classes)] of ids [shape=(B, L)] and lengths [shape=(B,)]."""
        widest, size = max(self.widths), ids.shape[1]
        frame = framed(ids + 2, lengths, widest, 2)  # ids moved up by two: 0 before, 1 after a text
        pooled: list[torch.Tensor] | None = None
        for c in range(0, widest + size - 1, LONG):
            stop = min(c + LONG, widest + size - 1)
            table, rows = self._rows(frame[:, c : stop + widest - 1])
            tops, tap = [], 0
            for k in self.widths:  # of width K, no window begins before column widest − K
                span = max(c, widest - k) - c, stop - c
                tops.append(strongest_of_width(table, rows, k, tap, sum(self.widths), span, where=False)[0])
                tap += k
            pooled = (
                tops if pooled is None else [torch.maximum(a, b) for a, b in zip(pooled, tops, strict=True)]
            )
        assert pooled is not None
        response = torch.cat(pooled, 1)
        biases = [layer.bias for layer in self.net.layers if layer.bias is not None]
        return self.net.out(torch.relu(response + torch.cat(biases) if biases else response))

    def _rows(self, frame: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The table to look into, and `frame` [shape=(B, C)] as rows of it."""
        rows = self.row.index_select(0, frame.reshape(-1)).view(frame.shape)
        if int(rows.min()) >= 0:
            return self.table, rows
        new = frame[rows < 0].unique().long()
        stay = new[: self.room - self.kept]
        table = self.table
        self._fill(table, self.kept + 2, stay)
        self.kept += len(stay)
        passing = new[len(stay) :]
        if len(passing):  # for this batch only
            used, places = torch.unique(frame, return_inverse=True)
            table = self.table.new_empty(len(used) + 2, self.table.shape[1])
            table[:2] = self.table[:2]
            known = self.row.index_select(0, used)
            table[2:][known >= 0] = self.table.index_select(0, known[known >= 0])
            missing = (known < 0).nonzero()[:, 0]
            table[2 + missing] = self._responses(used[missing])
            return table, (places + 2).to(torch.int32)
        return table, self.row.index_select(0, frame.reshape(-1)).view(frame.shape)

    def _fill(self, table: torch.Tensor, first: int, ids: torch.Tensor) -> None:
        """Write the rows of ids (moved up by two) from row `first` on, some thousands at a time."""
        if len(ids):
            table[first : first + len(ids)] = self._responses(ids)
            self.row[ids] = torch.arange(first, first + len(ids), dtype=torch.int32)

    def _responses(self, ids: torch.Tensor) -> torch.Tensor:
        return self.net.embedding(ids.long() - 2) @ self.taps.T


def _versions(net: torch.nn.Module) -> list[tuple[int, int]]:
    """What changes when a weight is written to or replaced."""
    return [(id(t), -1 if t.is_inference() else t._version) for t in net.state_dict(keep_vars=True).values()]
