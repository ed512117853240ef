"""From scores, window by window, to events that begin and end: two thresholds, merged gaps, a least length."""

from __future__ import annotations

import heapq
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from .windows import WindowGrid

__all__ = ["EventFinder", "FoundEvent", "Rule"]


class Rule(NamedTuple):
    """What makes an event.

    on, off : float, 0 < off <= on
        An event begins with a window that scores `on` or more and goes on while windows score `off` or more.
    gap : Fraction, s
        Two events of a class that are no further apart are one; those that touch or overlap always are.
    min_duration : Fraction, s
    min_score : float
        Of the event's best window. Both are asked of events that have been merged.
    """

    on: float
    off: float
    gap: Fraction = Fraction(0)
    min_duration: Fraction = Fraction(0)
    min_score: float = 0.0


class FoundEvent(NamedTuple):
    """start, end : Fraction, s; number : int, of the class; score, mean_score : best, mean window."""

    start: Fraction
    end: Fraction
    number: int
    score: float
    mean_score: float


class _Run:
    """Windows first…last of a class; `is_on` while the next window may belong to them."""

    def __init__(self, first: int, last: int, score: float, total: float, count: int, is_on: bool = True):
        self.first, self.last, self.score = first, last, score
        self.total, self.count, self.is_on = total, count, is_on

    def add(self, i: int, score: float) -> None:
        self.last, self.score, self.is_on = i, max(self.score, score), True
        self.total, self.count = self.total + score, self.count + 1

    def plain(self) -> list:
        return [self.first, self.last, self.score, self.total, self.count, self.is_on]


class EventFinder:
    """Scores in, events out as soon as nothing can change them, by start and then by class.

    An event reaches from the beginning of its first window to the end of its last one, so it holds the sound
    that made it; the last window of a recording ends where the recording does.

    Parameters
    ----------
    rule : Rule
    grid : WindowGrid

    Attributes
    ----------
    n_windows : int
        Heard so far.
    state : dict
        JSON-able; setting it makes another finder of the same rule and grid go on from here.

    Examples
    --------
    >>> finder = EventFinder(Rule(on=0.7, off=0.4), WindowGrid(10, window=10, hop=10))
    >>> finder.push(np.array([[0.1], [0.8], [0.5], [0.3], [0.9]]))
    [FoundEvent(start=Fraction(1, 1), end=Fraction(3, 1), number=0, score=0.8, mean_score=0.65)]
    >>> finder.finish(Fraction(49, 10))
    [FoundEvent(start=Fraction(4, 1), end=Fraction(49, 10), number=0, score=0.9, mean_score=0.9)]
    """

    def __init__(self, rule: Rule, grid: WindowGrid):
        self.rule, self.grid = rule, grid
        self.n_windows = 0
        self._gap = int(rule.gap * grid.sample_rate)  # samples; distances are whole, so the floor is exact
        self._runs: dict[int, _Run] = {}
        self._ended: list[tuple[int, int, int, float, float]] = []  # a heap of (first, number, last, scores)

    def push(self, scores: np.ndarray) -> list[FoundEvent]:
        """The next windows' scores [shape=(n, n_classes)]."""
        for row in np.asarray(scores, np.float64):
            starts = np.flatnonzero(row >= self.rule.on).tolist()
            for number in sorted({*self._runs, *starts}):
                self._hear(number, float(row[number]))
            self.n_windows += 1
        return self._released(min([run.first for run in self._runs.values()], default=self.n_windows))

    def finish(self, end: Fraction) -> list[FoundEvent]:
        """The events that were open or waiting; `end` is the recording's, in seconds."""
        for number, run in self._runs.items():
            self._close(number, run, end)
        self._runs = {}
        return self._released(self.n_windows, end)

    @property
    def state(self) -> dict[str, Any]:
        return {
            "n_windows": self.n_windows,
            "runs": {str(number): run.plain() for number, run in self._runs.items()},
            "ended": [list(event) for event in sorted(self._ended)],
        }

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self.n_windows = int(state["n_windows"])
        self._runs = {int(number): _Run(*run) for number, run in state["runs"].items()}
        self._ended = [tuple(event) for event in state["ended"]]  # sorted is a heap

    def _hear(self, number: int, score: float) -> None:
        i, run = self.n_windows, self._runs.get(number)
        if run is not None and run.is_on:
            if score >= self.rule.off:
                run.add(i, score)
            else:
                run.is_on = False
        elif score >= self.rule.on:
            if run is not None:  # within the gap, or it would have been closed
                run.add(i, score)
            else:
                self._runs[number] = _Run(i, i, score, score, 1)
        run = self._runs.get(number)
        if run is not None and not run.is_on and self._distance(run, i + 1) > self._gap:
            self._close(number, self._runs.pop(number))

    def _distance(self, run: _Run, i: int) -> int:
        """Samples from the end of the run to the beginning of window i."""
        return (i - run.last) * self.grid.hop - self.grid.window

    def _close(self, number: int, run: _Run, end: Fraction | None = None) -> None:
        duration = self._end(run.last, end) - self.grid.start(run.first)
        if duration >= self.rule.min_duration and run.score >= self.rule.min_score:
            event = (run.first, number, run.last, run.score, run.total / run.count)
            heapq.heappush(self._ended, event)

    def _end(self, last: int, end: Fraction | None) -> Fraction:
        return end if end is not None and last == self.n_windows - 1 else self.grid.end(last)

    def _released(self, before: int, end: Fraction | None = None) -> list[FoundEvent]:
        """The events that ended and begin before window `before`: one still open may precede the others."""
        found = []
        while self._ended and self._ended[0][0] < before:
            first, number, last, score, mean = heapq.heappop(self._ended)
            found.append(FoundEvent(self.grid.start(first), self._end(last, end), number, score, mean))
        return found
