"""Events in recordings of any length: what sounds when, by windows that slide over them in constant memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.pipeline import ReadAhead
from ..errors import InputError
from .event_options import MODES, EventOptions
from .hysteresis import EventFinder
from .recording import Recording
from .windows import WindowBatch, cut_windows

__all__ = ["Event", "EventSearch", "Heard", "Scorer", "Step", "find_events"]

_BATCH_S, _BATCH_ITEMS = 80.0, 16  # the most that one pass of the net hears


class Event(NamedTuple):
    """A sound of a class.

    path : str
    start, end : Fraction, s
        From whole samples of the model's rate, so that they do not drift; an event that touches the end of its
        recording ends with it.
    label : str
    score, mean_score : float
        The best and the mean of its windows' probabilities.
    """

    path: str
    start: Fraction
    end: Fraction
    label: str
    score: float
    mean_score: float


class Heard(NamedTuple):
    """The end of a recording.

    path : str
    duration : Fraction, s
        Of what could be decoded.
    n_windows : int
    error : str
        Why not all of it was heard; empty where it was.
    """

    path: str
    duration: Fraction
    n_windows: int
    error: str = ""


class Scorer:
    """Windows of samples → a score for each class, by the model's net.

    Parameters
    ----------
    model : AudioClassifier, fitted
    options : EventOptions

    Raises
    ------
    InputError
        If options name a class that the model does not know.

    Attributes
    ----------
    labels : list of str
    """

    def __init__(self, model, options: EventOptions):
        self.labels = [str(c) for c in model.classes_]
        self._frontend, self._net = model.frontend_, model.net_
        self._left_out = _left_out(self.labels, options.classes)
        self._only = MODES[options.mode]
        db = options.silence_db
        self._floor = 0.0 if db is None else 10 ** (db / 20)

    def scores(self, batch: WindowBatch) -> np.ndarray:
        """Scores [shape=(B, n_classes), float64]; rows of zeros for silence."""
        silent = self._silent(batch)
        if silent.all():
            return np.zeros((len(silent), len(self.labels)))
        scores = self._only(self.probabilities(batch))
        scores[silent] = 0.0
        scores[:, self._left_out] = 0.0
        return scores

    def probabilities(self, batch: WindowBatch) -> np.ndarray:
        """Of each class [shape=(B, n_classes), float64]."""
        with torch.no_grad():
            features = self._frontend(torch.from_numpy(batch.samples))
            lengths = self._frontend.lengths(torch.from_numpy(batch.lengths))
            return self._net.probabilities(self._net(features, lengths).double()).numpy()

    def _silent(self, batch: WindowBatch) -> np.ndarray:
        """Rows whose samples all lie within ± floor of the middle between their least and their greatest."""
        low, high = batch.samples.min(1), batch.samples.max(1)
        for i in np.flatnonzero(batch.lengths < batch.samples.shape[1]):  # not what pads
            part = batch.samples[i, : batch.lengths[i]]
            low[i], high[i] = part.min(), part.max()
        return (high - low) / 2 < self._floor


class Step(NamedTuple):
    """One batch of windows, or the end of a recording.

    file : int
        Which path it is of.
    events : list of Event
        That are sure by now.
    heard : Heard or None
        At the end.
    finder : EventFinder
        Of this recording: `finder.state` and `file` are what a later search goes on from.
    """

    file: int
    events: list[Event]
    heard: Heard | None
    finder: EventFinder


class EventSearch:
    """Recordings one after the other; a thread decodes the next windows while the net hears these.

    Parameters
    ----------
    model : AudioClassifier, fitted
    options : EventOptions

    Attributes
    ----------
    grid : WindowGrid
    batch_size : int
        Windows in one pass of the net.
    seconds_read, seconds_net : float
        Work of the two, which run side by side.
    """

    def __init__(self, model, options: EventOptions):
        self.grid = options.grid(model)
        self.scorer = Scorer(model, options)
        self.rule = options.rule()
        window_s = self.grid.window / self.grid.sample_rate
        self.batch_size = max(1, min(_BATCH_ITEMS, int(_BATCH_S / window_s)))
        self.seconds_read = self.seconds_net = 0.0

    def steps(self, paths: Sequence, *, file: int = 0, state: dict[str, Any] | None = None) -> Iterator[Step]:
        """Every step from `file` on, whose finder begins with `state`: what that heard is decoded, not scored.

        A recording that cannot be read, or not to its end, says so in Heard.error; the rest goes on.
        """
        finder = self._new_finder()
        if state is not None:
            finder.state = state
        ahead = ReadAhead(self._read(paths, file, finder.n_windows))
        try:
            for number, batch, recording in ahead:
                path = os.fsdecode(paths[number])
                if recording is None:
                    start = time.perf_counter()
                    scores = self.scorer.scores(batch)
                    self.seconds_net += time.perf_counter() - start
                    yield Step(number, self._events(path, finder.push(scores)), None, finder)
                else:
                    found = self._events(path, finder.finish(recording.duration))
                    heard = Heard(path, recording.duration, finder.n_windows, recording.error)
                    yield Step(number, found, heard, finder)
                    finder = self._new_finder()
        finally:
            ahead.stop()
            self.seconds_read += ahead.seconds

    def _new_finder(self) -> EventFinder:
        return EventFinder(self.rule, self.grid)

    def _read(self, paths: Sequence, file: int, skip: int) -> Iterator[tuple]:
        """(file, batch, None) for each batch, and at the end of a recording (file, None, Recording)."""
        for number in range(file, len(paths)):
            recording = Recording(paths[number], self.grid.sample_rate)
            for batch in cut_windows(recording.blocks(), self.grid, self.batch_size):
                if number > file or batch.first >= skip:
                    yield number, batch, None
            yield number, None, recording

    def _events(self, path: str, found) -> list[Event]:
        labels = self.scorer.labels
        return [Event(path, e.start, e.end, labels[e.number], e.score, e.mean_score) for e in found]


def find_events(model, paths: Iterable, options: EventOptions | None = None) -> Iterator[Event | Heard]:
    """The events of each recording as they are found, and after them the Heard that ends it.

    Parameters
    ----------
    model : AudioClassifier, fitted
    paths : iterable of str or path
        Sound files of any length, rate and number of channels.
    options : EventOptions, optional

    Raises
    ------
    InputError
        If the options do not fit the model. A file that cannot be read gives a Heard with its error.

    Examples
    --------
    >>> from conv1d_kit import AudioClassifier, Clip
    >>> t = np.arange(4000) / 8000
    >>> clips = [Clip(np.sin(2 * np.pi * f * t), 8000) for f in (300, 310, 2000, 2100)]
    >>> model = AudioClassifier(epochs=8, n_mels=32, width=8, augment=())
    >>> model = model.fit(clips, ["low", "low", "high", "high"])
    >>> for found in find_events(model, ["nowhere.wav"], EventOptions(window_s=0.5)):
    ...     print(found.error)
    nowhere.wav: no such file
    """
    search = EventSearch(model, options or EventOptions())
    for step in search.steps(list(paths)):
        yield from step.events
        if step.heard is not None:
            yield step.heard


def _left_out(labels: list[str], classes: Sequence[str] | None) -> list[int]:
    """Numbers of the classes that are not looked for."""
    if classes is None:
        return []
    unknown = [c for c in classes if c not in labels]
    if unknown or len(classes) == 0:
        got = repr(unknown[0]) if unknown else "none"
        raise InputError(f"classes must be of the model's {', '.join(labels[:20])}, got {got}")
    return [i for i, label in enumerate(labels) if label not in classes]
