"""Events of any scores equal those of a plain loop over the whole list; nothing is lost, kept twice or late."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv1d_kit.audio.hysteresis import EventFinder, Rule
from conv1d_kit.audio.windows import WindowGrid

RATE = 10


def events_by_loop(scores, rule, window, hop, end):
    """Class by class: runs of the two thresholds, then merged, then sifted, all in seconds as fractions."""
    found = []
    n = len(scores)
    for number in range(scores.shape[1]):
        runs, is_on = [], False
        for i in range(n):
            s = scores[i, number]
            is_on = s >= (rule.off if is_on else rule.on)
            if is_on and runs and runs[-1][-1] == i - 1:
                runs[-1].append(i)
            elif is_on:
                runs.append([i])
        parts = []
        for run in runs:
            start = Fraction(run[0] * hop, RATE)
            stop = end if run[-1] == n - 1 else Fraction(run[-1] * hop + window, RATE)
            if parts and start - Fraction(parts[-1][2][-1] * hop + window, RATE) <= rule.gap:
                parts[-1] = (parts[-1][0], stop, parts[-1][2] + run)
            else:
                parts.append((start, stop, run))
        for start, stop, run in parts:
            values = [float(scores[i, number]) for i in run]
            if stop - start >= rule.min_duration and max(values) >= rule.min_score:
                found.append((start, number, stop, max(values), sum(values) / len(values)))
    return sorted(found)


@st.composite
def cases(draw):
    n, k = draw(st.integers(0, 24)), draw(st.integers(1, 3))
    level = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0])
    scores = np.array(draw(st.lists(level, min_size=n * k, max_size=n * k)), np.float64).reshape(n, k)
    off = draw(st.sampled_from([0.1, 0.3, 0.5]))
    on = draw(st.sampled_from([s for s in (0.1, 0.3, 0.5, 0.6, 1.0) if s >= off]))
    tenths = st.integers(0, 40).map(lambda t: Fraction(t, 20))
    rule = Rule(on, off, draw(tenths), draw(tenths), draw(st.sampled_from([0.0, 0.6, 0.95])))
    window = draw(st.integers(1, 9))
    hop = draw(st.integers(1, window))
    short = draw(st.integers(0, hop - 1))  # by how much the recording ends before the last window would
    return scores, rule, window, hop, short, draw(st.lists(st.integers(0, n), max_size=5))


def _tuples(events):
    return [(e.start, e.number, e.end, e.score, pytest.approx(e.mean_score)) for e in events]


@settings(max_examples=500, deadline=None)
@given(cases())
def test_events_equal_the_loop_for_any_scores_and_any_cuts(case):
    scores, rule, window, hop, short, cuts = case
    end = Fraction(max(0, (len(scores) - 1) * hop + window - short), RATE)
    finder, found = EventFinder(rule, WindowGrid(RATE, window, hop)), []
    for part in np.split(scores, sorted(cuts)):
        found += finder.push(part)
        state = json.loads(json.dumps(finder.state))  # as a journal keeps it
        finder = EventFinder(rule, WindowGrid(RATE, window, hop))
        finder.state = state
    found += finder.finish(end)
    assert _tuples(found) == events_by_loop(scores, rule, window, hop, end)


def test_the_last_event_is_kept_and_closes_at_the_true_end():
    finder = EventFinder(Rule(0.5, 0.5), WindowGrid(10, 10, 5))
    assert finder.push(np.array([[0.0], [0.0], [0.0], [0.9]])) == []
    (event,) = finder.finish(Fraction(17, 10))
    assert (event.start, event.end) == (Fraction(3, 2), Fraction(17, 10))


def test_an_event_is_told_as_soon_as_nothing_can_change_it():
    finder = EventFinder(Rule(0.5, 0.5, gap=Fraction(2)), WindowGrid(1, 1, 1))
    assert finder.push(np.array([[1.0], [0.0], [0.0]])) == []  # window 3 would still be merged
    assert len(finder.push(np.array([[0.0]]))) == 1
    assert finder.finish(Fraction(4)) == []


def test_what_waits_does_not_grow_with_the_recording():
    finder = EventFinder(Rule(0.5, 0.5), WindowGrid(1, 1, 1))
    scores = np.tile(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), (500, 1))
    sizes = []
    n = 0
    for _ in range(4):
        n += len(finder.push(scores))
        sizes.append(len(json.dumps(finder.state)))
    assert n >= 3990
    assert max(sizes) < 200


def test_no_score_is_no_event():
    finder = EventFinder(Rule(0.5, 0.3), WindowGrid(1, 1, 1))
    assert finder.push(np.full((50, 3), np.nan)) == []
    assert finder.push(np.zeros((0, 3))) == []
    assert finder.finish(Fraction(50)) == []
