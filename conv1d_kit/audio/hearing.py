"""What a trained net says of clips and files, as they come, in memory bounded by seconds of sound."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .clip import Clip, as_item
from .frontends import Frontend, Raw
from .net import AudioNet
from .net_training import logits_of
from .stretches import Reading, rounds

__all__ = ["Heard", "Hearing", "features_of", "flaws_of", "name_of"]


@dataclass
class Heard(Reading):
    """What has been heard of one item: probabilities summed over its stretches, weighted by their frames."""

    name: str = ""

    @property
    def probabilities(self) -> np.ndarray:
        """The mean over what was heard [shape=(n_classes,)]."""
        return self.mean


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
        names = deque[str]()
        found = rounds(
            _named(items, names), self.frontend.sample_rate, lambda _: Heard(name=names.popleft()),
            trim=self.trim, n_threads=self.n_threads,
        )  # fmt: skip
        for pieces, ended in found:
            self._add(pieces)
            yield from ended

    def _add(self, waiting: list[tuple[Heard, np.ndarray]]) -> None:
        if not waiting:
            return
        pieces = [features_of(wave, self.frontend) for _, wave in waiting]
        shares = self.net.probabilities(logits_of(self.net, self.frontend, pieces)).numpy()
        for (heard, _), piece, p in zip(waiting, pieces, shares, strict=True):
            heard.add(p, piece.shape[-1])


def _named(items: Iterable, names: deque[str]) -> Iterator:
    """The items, their names put down as they go."""
    for item in items:
        names.append(name_of(as_item(item)))
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
