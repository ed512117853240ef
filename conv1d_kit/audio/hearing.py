"""What a trained net says of clips and files, as they come, in memory bounded by seconds of sound."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch

from .clip import Clip
from .frontends import Frontend, Raw
from .net import AudioNet
from .net_training import logits_of
from .stretches import Reading, samples_of, stretches
from .trim import heard_of

__all__ = ["Heard", "Hearing", "features_of", "flaws_of", "name_of"]

_WINDOW_S, _WINDOW_ITEMS = 240.0, 64  # between two yields of answers


@dataclass
class Heard(Reading):
    """What has been heard of one item: probabilities summed over its stretches, weighted by their frames."""

    name: str = ""
    total: Any = 0.0
    mass: int = 0

    @property
    def probabilities(self) -> np.ndarray:
        """The mean over what was heard [shape=(n_classes,)]."""
        return self.total / max(self.mass, 1)


class Hearing:
    """A net behind its front-end, which hears items in order; threads decode those ahead.

    Parameters
    ----------
    frontend : Frontend
    net : AudioNet
    n_threads : int
    trim : bool
        Whether silence at the ends of clips is cut off.
    """

    def __init__(self, frontend: Frontend, net: AudioNet, n_threads: int, *, trim: bool):
        self.frontend, self.net, self.n_threads, self.trim = frontend, net, n_threads, trim

    def each(self, items: Iterable) -> Iterator[Heard]:
        """What was heard of each item, in order; a bad file has its error and the rest goes on.

        Some sounds are read first, by all threads, and then heard by all threads: both at a time would be more
        threads than cores, which wait for each other.
        """
        rate, names = self.frontend.sample_rate, deque[str]()
        waiting: list[tuple[Heard, np.ndarray]] = []
        ended: list[Heard] = []
        found = stretches(_named(items, names), rate, n_threads=self.n_threads)
        for _, parts in groupby(found, lambda part: part.number):
            heard = Heard(name=names.popleft())
            for wave in heard_of(samples_of(parts, heard), rate, trim=self.trim):
                waiting.append((heard, wave))
                if sum(len(w) for _, w in waiting) >= _WINDOW_S * rate:
                    self._add(waiting)
                    waiting = []
            ended.append(heard)
            if len(ended) >= _WINDOW_ITEMS:
                self._add(waiting)
                yield from ended
                waiting, ended = [], []
        self._add(waiting)
        yield from ended

    def _add(self, waiting: list[tuple[Heard, np.ndarray]]) -> None:
        if not waiting:
            return
        pieces = [features_of(wave, self.frontend) for _, wave in waiting]
        shares = self.net.probabilities(logits_of(self.net, self.frontend, pieces)).numpy()
        for (heard, _), piece, p in zip(waiting, pieces, shares, strict=True):
            heard.total = heard.total + p * piece.shape[-1]
            heard.mass += piece.shape[-1]


def _named(items: Iterable, names: deque[str]) -> Iterator:
    """The items, their names put down as they go."""
    for item in items:
        names.append(name_of(item))
        yield item


def features_of(wave: np.ndarray, frontend: Frontend) -> torch.Tensor:
    """Features (F, L), in half precision but for samples, whose quiet parts need all bits."""
    with torch.no_grad():
        found = frontend(torch.tensor(wave)[None])[0]
    return found if isinstance(frontend, Raw) else found.half()


def flaws_of(silent: bool, n_samples: int, frontend: Frontend) -> str:
    """What makes an answer about a clip doubtful: "silent", "shorter than one window of 64 ms", or ""."""
    short = n_samples < frontend.window_length
    window_ms = 1000 * frontend.window_length / frontend.sample_rate
    return "; ".join(["silent"] * silent + [f"shorter than one window of {window_ms:.0f} ms"] * short)


def name_of(item) -> str:
    """A path as a person writes it; a Clip by what it is."""
    return repr(item) if isinstance(item, Clip) else os.fsdecode(item)
