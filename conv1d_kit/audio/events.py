"""Events in recordings of any length: what sounds when, by windows that slide over them in constant memory."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.pipeline import ReadAhead
from ..errors import InputError, InputTypeError, one_line
from .hysteresis import EventFinder, Rule
from .recording import Recording
from .windows import WindowBatch, WindowGrid, cut_windows, exact_seconds

__all__ = ["MODES", "Event", "EventOptions", "EventSearch", "Heard", "Scorer", "Step", "find_events"]

WINDOW_S = 3.0  # where neither the caller nor the model says
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


@dataclass(frozen=True)
class EventOptions:
    """What to look for, and how closely.

    Parameters
    ----------
    window_s : float, optional
        What the model hears at once. Default: `window_s_` of the model where it has one, else 3 s.
    hop_s : float, optional
        From one window to the next, at most a window; default half a window.
    on : float in (0, 1]
        A window that scores this much begins an event.
    off : float in (0, on], optional
        The event goes on while windows score this much; default 0.6 · on.
    gap_s : float >= 0
        Events of a class at most this far apart are one.
    min_duration_s : float >= 0
        Shorter events are left out.
    min_score : float in [0, 1]
        Events whose best window scores less are left out.
    mode : "best" or "each"
        best: a window belongs to its most probable class, or to none. each: every class by itself, so that
        events of different classes may overlap.
    classes : sequence of str, optional
        Look for these only; the others still take part in `best`.
    silence_db : float, dBFS, optional
        A window that stays this quiet, about its own mean level, belongs to no class. None hears all.

    Raises
    ------
    InputError, InputTypeError
        If one of them cannot be used.

    Examples
    --------
    >>> EventOptions(on=0.8).rule().off
    0.48
    >>> EventOptions(on=0.4, off=0.5)
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: off must be > 0 and at most on = 0.4, got 0.5
    """

    window_s: float | None = None
    hop_s: float | None = None
    on: float = 0.5
    off: float | None = None
    gap_s: float = 0.0
    min_duration_s: float = 0.0
    min_score: float = 0.0
    mode: str = "best"
    classes: Sequence[str] | None = None
    silence_db: float | None = -80.0

    def __post_init__(self):
        for name in ("window_s", "hop_s", "on", "off", "gap_s", "min_duration_s", "min_score", "silence_db"):
            value = getattr(self, name)
            if value is None and name in ("window_s", "hop_s", "off", "silence_db"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise InputTypeError(f"{name} must be a number, got {one_line(value)}")
            if not math.isfinite(value):
                raise InputError(f"{name} must be finite, got {value}")
        for name, allowed, fits in (
            ("window_s", "> 0 (s)", lambda v: v is None or v > 0),
            ("hop_s", "> 0 (s)", lambda v: v is None or v > 0),
            ("on", "> 0 and at most 1", lambda v: 0 < v <= 1),
            ("off", f"> 0 and at most on = {self.on:g}", lambda v: v is None or 0 < v <= self.on),
            ("gap_s", ">= 0 (s)", lambda v: v >= 0),
            ("min_duration_s", ">= 0 (s)", lambda v: v >= 0),
            ("min_score", "from 0 to 1", lambda v: 0 <= v <= 1),
            ("mode", f"one of {', '.join(MODES)}", lambda v: isinstance(v, str) and v in MODES),
            ("silence_db", "< 0 (dBFS)", lambda v: v is None or v < 0),
        ):
            if not fits(getattr(self, name)):
                raise InputError(f"{name} must be {allowed}, got {one_line(getattr(self, name))}")
        if isinstance(self.classes, str):
            raise InputTypeError(f"classes must be a sequence of names, got {self.classes!r}; try a list")

    def grid(self, model) -> WindowGrid:
        """Windows at the model's rate."""
        window_s = self.window_s if self.window_s is not None else getattr(model, "window_s_", None) or WINDOW_S
        window = round(exact_seconds(window_s) * model.sample_rate_)
        hop = -(-window // 2) if self.hop_s is None else round(exact_seconds(self.hop_s) * model.sample_rate_)
        return WindowGrid(model.sample_rate_, window, hop)

    def rule(self) -> Rule:
        """What makes an event of scores."""
        off = round(0.6 * self.on, 6) if self.off is None else self.off
        gap, least = exact_seconds(self.gap_s), exact_seconds(self.min_duration_s)
        return Rule(float(self.on), float(off), gap, least, float(self.min_score))


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
            return self._net(features, lengths).double().softmax(1).numpy()

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


def _best_only(p: np.ndarray) -> np.ndarray:
    """The greatest of each row; the first of equals; elsewhere 0."""
    return np.where(np.arange(p.shape[1]) == p.argmax(1)[:, None], p, 0.0)


MODES = {"best": _best_only, "each": lambda p: p}
