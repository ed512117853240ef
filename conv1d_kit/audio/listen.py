"""What sounds now: a microphone, or a file played as if live, heard window by window as its blocks come."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ..core.rate import checked_rate
from ..errors import DataError, InputError
from .clip import read_blocks
from .event_options import EventOptions
from .events import Scorer
from .recording import RateStream
from .windows import WindowBatch, exact_seconds

__all__ = ["Listener", "LiveBlock", "LiveSession", "Microphone", "Moment", "PlayedFile"]

BLOCK_S = 0.1  # of a microphone, and of a file that is played


class Moment(NamedTuple):
    """What the last window holds.

    time : Fraction, s
        Where the window ends, counted in samples from the start.
    label : str or None
        The most probable class; None for silence or where no class scores `on`.
    score : float
        Of the most probable class; 0 for silence.
    """

    time: Fraction
    label: str | None
    score: float


class LiveBlock(NamedTuple):
    """samples : array [shape=(n,), float32]; heard_at : when its last sample was there, s."""

    samples: np.ndarray
    heard_at: float


class Listener:
    """The last window of a sound that comes in blocks, given to the net every hop.

    It begins at once: until a whole window has been heard, the rest of it is masked, as at a recording's end.

    Parameters
    ----------
    model : AudioClassifier, fitted
    sample_rate : int, Hz
        Of the blocks.
    options : EventOptions
        Its window_s, hop_s, on, classes and silence_db count.

    Examples
    --------
    >>> from conv1d_kit import AudioClassifier, Clip
    >>> t = np.arange(4000) / 8000
    >>> clips = [Clip(np.sin(2 * np.pi * f * t), 8000) for f in (300, 310, 2000, 2100)]
    >>> model = AudioClassifier(epochs=8, n_mels=32, width=8, augment=())
    >>> model = model.fit(clips, ["low", "low", "high", "high"])
    >>> listener = Listener(model, 8000, EventOptions(window_s=0.5, hop_s=0.25, on=0.1))
    >>> [(float(m.time), m.label) for m in listener.push(clips[0].samples[0])]
    [(0.25, 'low'), (0.5, 'low')]
    """

    def __init__(self, model, sample_rate: int, options: EventOptions | None = None):
        options = options or EventOptions()
        self.grid, self.scorer, self.on = options.grid(model), Scorer(model, options), options.rule().on
        self._resample = RateStream(checked_rate(sample_rate), self.grid.sample_rate)
        self._ring = np.zeros(0, np.float32)  # the last window, or all there is as yet
        self._n_heard, self._since = 0, 0  # samples in all, and since the last hop
        self._has_ended = False

    def push(self, samples: np.ndarray, *, latest_only: bool = False) -> list[Moment]:
        """The next samples [shape=(n,), float32]: a Moment for each hop that they complete, or for the last.

        Raises
        ------
        InputError
            After `finish`.
        """
        if self._has_ended:
            raise InputError("the sound has ended: after finish, samples are for a new Listener")
        return self._heard(self._resample.push(samples), latest_only)

    def finish(self) -> list[Moment]:
        """The sound has ended: a Moment for what came after the last hop, where anything did; later none."""
        if self._has_ended:
            return []
        self._has_ended = True
        found = self._heard(self._resample.flush(), False)
        return [*found, self._moment()] if self._since else found

    def _heard(self, x: np.ndarray, latest_only: bool) -> list[Moment]:
        found = []
        while len(x):
            n = min(len(x), self.grid.hop - self._since)
            self._ring = np.concatenate([self._ring, x[:n]])[-self.grid.window :]
            self._n_heard, self._since, x = self._n_heard + n, self._since + n, x[n:]
            if self._since == self.grid.hop:
                self._since = 0
                if not latest_only or len(x) < self.grid.hop:
                    found.append(self._moment())
        return found

    def _moment(self) -> Moment:
        samples = np.zeros((1, self.grid.window), np.float32)
        samples[0, : len(self._ring)] = self._ring
        row = self.scorer.scores(WindowBatch(0, samples, np.array([len(self._ring)])))[0]
        best = int(row.argmax())
        label = self.scorer.labels[best] if row[best] >= self.on else None
        return Moment(Fraction(self._n_heard, self.grid.sample_rate), label, float(row[best]))


class PlayedFile:
    """A file's blocks, mono at its own rate, each given when its last sample would have been played.

    Parameters
    ----------
    path : str or path
    block_s : float
    clock, sleep : function
        Of the time in seconds, and that waits some.

    Raises
    ------
    DataError
        As `read_blocks`; a fault late in the file when its block is due.
    """

    n_gaps = 0

    def __init__(
        self,
        path,
        *,
        block_s: float = BLOCK_S,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Any] = time.sleep,
    ):
        self._clock, self._sleep = clock, sleep
        self._rest = read_blocks(path, block_s=block_s)
        self._first = next(self._rest)
        self.sample_rate = self._first.sample_rate

    def __iter__(self) -> Iterator[LiveBlock]:
        start, played = self._clock(), 0
        for part in chain([self._first], self._rest):
            played += part.n_samples
            due = start + played / self.sample_rate
            self._sleep(max(0.0, due - self._clock()))
            yield LiveBlock(part.mono().samples[0], due)


class Microphone:
    """The default input's blocks for ever (needs sounddevice).

    Parameters
    ----------
    block_s : float

    Attributes
    ----------
    sample_rate : int, Hz
    n_gaps : int
        Times that the sound card said that samples were lost.

    Raises
    ------
    InputError
        If sounddevice or its library is missing.
    DataError
        If there is no microphone, or it cannot be opened.
    """

    def __init__(self, *, block_s: float = BLOCK_S):
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: the library below it
            raise InputError(
                f"a microphone must have the package sounddevice ({error}); "
                "pip install 'conv1d_kit[live]', or give a file (--file)"
            ) from None
        self._sounddevice = sounddevice
        try:
            device = sounddevice.query_devices(kind="input")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DataError(f"microphone: none can be heard ({error}); plug one in, or give --file") from error
        self.sample_rate, self.n_gaps = int(device["default_samplerate"]), 0
        self._block = max(1, round(block_s * self.sample_rate))

    def __iter__(self) -> Iterator[LiveBlock]:
        heard: queue.SimpleQueue[LiveBlock] = queue.SimpleQueue()

        def hear(samples, frames, when, status) -> None:
            self.n_gaps += bool(status)
            heard.put(LiveBlock(samples[:, 0].copy(), time.perf_counter()))

        try:
            with self._sounddevice.InputStream(
                samplerate=self.sample_rate, blocksize=self._block, channels=1, dtype="float32", callback=hear
            ):
                while True:
                    yield heard.get()
        except self._sounddevice.PortAudioError as error:
            raise DataError(f"microphone: cannot be opened ({error}); try --file") from error


class LiveSession:
    """Moments of a live source as they come; behind time it skips to the newest hop, not to fall further back.

    Parameters
    ----------
    model : AudioClassifier, fitted
    source : PlayedFile or Microphone
    options : EventOptions, optional
    duration_s : float, optional
        End after this much sound.

    Attributes
    ----------
    n_blocks, n_late : int
        Blocks heard, and those whose answer came later than their own length after them.
    """

    def __init__(
        self,
        model,
        source: PlayedFile | Microphone,
        options: EventOptions | None = None,
        *,
        duration_s: float | None = None,
    ):
        self.source, self.listener = source, Listener(model, source.sample_rate, options)
        self._left = None if duration_s is None else round(exact_seconds(duration_s) * source.sample_rate)
        self.n_blocks = self.n_late = 0

    def __iter__(self) -> Iterator[Moment]:
        is_late = False
        for block in self.source:
            samples = block.samples[: self._left]
            found = self.listener.push(samples, latest_only=is_late)
            late_s = time.perf_counter() - block.heard_at
            is_late = late_s > len(block.samples) / self.source.sample_rate
            self.n_blocks, self.n_late = self.n_blocks + 1, self.n_late + is_late
            yield from found
            if self._left is not None:
                self._left -= len(samples)
                if self._left <= 0:
                    break
        yield from self.listener.finish()
