"""Sounds of any length as mono stretches at one rate, in order, while threads decode what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .clip import pieces

__all__ = ["STRETCH_S", "Reading", "Stretch", "samples_of", "stretches"]

STRETCH_S = 30.0


class Stretch(NamedTuple):
    """A piece of an item, or word of its end.

    number : int
        Of the item, in the order they came.
    samples : array [shape=(T,), float32] or None
        None where the item ends, by its length or by an error.
    error : str
        At the end: why not all of it was heard; empty where it was.
    """

    number: int
    samples: np.ndarray | None
    error: str = ""


@dataclass
class Reading:
    """What was read of an item: samples, whether all of them are 0, and why there are no more of them."""

    n_samples: int = 0
    silent: bool = True
    error: str = ""


def samples_of(parts: Iterable[Stretch], reading: Reading) -> Iterator[np.ndarray]:
    """The samples of one item's stretches; what is told of them goes to `reading`."""
    for _, samples, error in parts:
        if samples is None:
            reading.error = error
            return
        reading.n_samples += len(samples)
        reading.silent = reading.silent and not samples.any()
        yield samples


def stretches(
    items: Iterable, sample_rate: int, *, stretch_s: float = STRETCH_S, n_threads: int = 2
) -> Iterator[Stretch]:
    """Each Clip's or file's stretches of at most `stretch_s` seconds, then its end.

    A file of an hour never stands in memory whole; a bad one ends with its error, and the rest goes on.

    Examples
    --------
    >>> from conv1d_kit.audio.clip import Clip
    >>> clip = Clip(np.zeros(2500, np.float32), 1000)
    >>> [None if s.samples is None else len(s.samples) for s in stretches([clip], 1000, stretch_s=1.0)]
    [1000, 1000, 500, None]
    """
    source, waiting = iter(items), deque[Any]()
    with ThreadPoolExecutor(n_threads) as pool:
        for number in count():
            for item in islice(source, 2 * n_threads - len(waiting)):
                waiting.append(pool.submit(_opened, item, sample_rate, stretch_s))
            if not waiting:
                return
            first, rest = waiting.popleft().result()
            yield Stretch(number, *first)
            for found in rest:
                yield Stretch(number, *found)


def _opened(item, sample_rate: int, stretch_s: float):
    found = _pieces(item, sample_rate, stretch_s)
    return next(found), found


def _pieces(item, sample_rate: int, stretch_s: float) -> Iterator[tuple[np.ndarray | None, str]]:
    try:
        for part in pieces(item, piece_s=stretch_s):
            yield part.mono().resample(sample_rate).samples[0], ""
    except DataError as error:
        yield None, str(error)
    else:
        yield None, ""
