"""Sounds of any length as mono stretches at one rate, in order, while threads decode what comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, groupby, islice
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import DataError
from .clip import pieces
from .trim import heard_of

__all__ = ["STRETCH_S", "Reading", "Stretch", "rounds", "samples_of", "stretches"]

STRETCH_S = 30.0
_ROUND_S, _ROUND_ITEMS = 240.0, 64  # of sound, and items that end, in one round


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
    """What was read of an item, and the sum of what was made of its stretches, each with a weight.

    n_samples : int
    silent : bool
        Whether all of them are 0.
    error : str
        Why not all of it was read; empty where it was.
    """

    n_samples: int = 0
    silent: bool = True
    error: str = ""
    total: Any = 0.0
    mass: int = 0

    def add(self, value: np.ndarray, weight: int) -> None:
        self.total, self.mass = self.total + value * weight, self.mass + weight

    @property
    def mean(self) -> np.ndarray:
        """Of what was made of its stretches."""
        return self.total / max(self.mass, 1)


R = TypeVar("R", bound=Reading)


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


def rounds(
    items: Iterable, sample_rate: int, begin: Callable[[int], R], *, trim: bool, n_threads: int = 2
) -> Iterator[tuple[list[tuple[R, np.ndarray]], list[R]]]:
    """What a model hears of the items, some minutes at a time: (pieces, ended).

    Pieces are an item's reading, `begin(number)`, and samples (T,); the readings that ended have all their
    pieces in this round or before. Some sounds are read first, by all threads, and then heard, by all threads
    of who takes the round: both at a time would be more threads than cores, which wait for each other.
    """
    waiting: list[tuple[R, np.ndarray]] = []
    ended: list[R] = []
    for number, parts in groupby(stretches(items, sample_rate, n_threads=n_threads), lambda part: part.number):
        reading = begin(number)
        for wave in heard_of(samples_of(parts, reading), sample_rate, trim=trim):
            waiting.append((reading, wave))
            if sum(len(w) for _, w in waiting) >= _ROUND_S * sample_rate:
                yield waiting, ended
                waiting, ended = [], []
        ended.append(reading)
        if len(ended) >= _ROUND_ITEMS:
            yield waiting, ended
            waiting, ended = [], []
    if ended:
        yield waiting, ended


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
