"""What a trained net says of clips and files, as they come, in memory bounded by seconds of sound."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..errors import DataError
from .clip import Clip, pieces
from .frontends import Frontend, Raw
from .net import AudioNet
from .net_training import logits_of
from .trim import heard_of

__all__ = ["Heard", "Hearing", "features_of", "flaws_of", "name_of"]

_PIECE_S = 30.0  # longest stretch heard at once
_WINDOW_S, _WINDOW_ITEMS = 240.0, 64  # between two yields of answers
_AHEAD = 8  # first pieces a thread that wait for the net, so that threads decode while it is busy


@dataclass
class Heard:
    """What has been heard of one item: probabilities summed over its stretches, weighted by their frames."""

    name: str
    total: Any = 0.0
    mass: int = 0
    n_samples: int = 0
    silent: bool = True
    error: str = ""

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
        """What was heard of each item, in order; a bad file has its error and the rest goes on."""
        limit = int(self.frontend.lengths(torch.tensor(int(_WINDOW_S * self.frontend.sample_rate))))
        waiting: list[tuple[Heard, torch.Tensor]] = []
        ended: list[Heard] = []
        for heard, piece in self._stream(items):
            if piece is None:
                ended.append(heard)
            else:
                waiting.append((heard, piece))
            if len(ended) >= _WINDOW_ITEMS or sum(f.shape[-1] for _, f in waiting) >= limit:
                self._add(waiting)
                yield from ended
                waiting, ended = [], []
        self._add(waiting)
        yield from ended

    def _add(self, waiting: list[tuple[Heard, torch.Tensor]]) -> None:
        if not waiting:
            return
        logits = logits_of(self.net, self.frontend, [f for _, f in waiting])
        for (heard, piece), p in zip(waiting, self.net.probabilities(logits).numpy(), strict=True):
            heard.total = heard.total + p * piece.shape[-1]
            heard.mass += piece.shape[-1]

    def _stream(self, items: Iterable) -> Iterator[tuple[Heard, torch.Tensor | None]]:
        """Each item's stretches of features in order, then None; threads read the first ones of those ahead."""
        source, waiting = iter(items), deque[Any]()
        with ThreadPoolExecutor(self.n_threads) as pool:
            while True:
                for item in islice(source, _AHEAD * self.n_threads - len(waiting)):
                    waiting.append(pool.submit(self._open, item))
                if not waiting:
                    return
                heard, first, rest = waiting.popleft().result()
                if first is not None:
                    yield heard, first
                for piece in rest:
                    yield heard, piece
                yield heard, None

    def _open(self, item) -> tuple[Heard, torch.Tensor | None, Iterator[torch.Tensor]]:
        heard = Heard(name_of(item))
        rest = self._pieces(item, heard)
        return heard, next(rest, None), rest

    def _pieces(self, item, heard: Heard) -> Iterator[torch.Tensor]:
        """Features of an item in stretches of at most _PIECE_S s, so that an hour never stands in memory."""
        waves = self._waves(item, heard)
        try:
            for wave in heard_of(waves, self.frontend.sample_rate, trim=self.trim):
                yield features_of(wave, self.frontend)
        except DataError as error:
            heard.error = str(error)

    def _waves(self, item, heard: Heard) -> Iterator[np.ndarray]:
        for part in pieces(item, piece_s=_PIECE_S):
            wave = part.mono().resample(self.frontend.sample_rate).samples[0]
            heard.n_samples += len(wave)
            heard.silent = heard.silent and not wave.any()
            yield wave


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
