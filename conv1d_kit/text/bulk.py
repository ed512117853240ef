"""Scores of texts that come in a stream of chunks: while one chunk is computed, the next is read and cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from .model import TextModel

__all__ = ["stream_scores"]

T = TypeVar("T")


def stream_scores(
    model: TextModel, chunks: Iterable[Sequence[T]], text: Callable[[T], str]
) -> Iterator[tuple[Sequence[T], np.ndarray]]:
    """(chunk, logits [shape=(len(chunk), C)]) of chunks of anything that holds a text, in order.

    No more than three chunks are held at a time, however many come.

    Parameters
    ----------
    model : TextModel
    chunks : iterable of sequences, some thousands long
    text : function item → str
    """
    with ThreadPoolExecutor(1) as pool:
        before: tuple[Sequence[T], Future[np.ndarray]] | None = None
        for chunk in chunks:
            future = pool.submit(model.scores_of, model.prepared([text(item) for item in chunk]))
            if before is not None:
                yield before[0], before[1].result()
            before = chunk, future
        if before is not None:
            yield before[0], before[1].result()
