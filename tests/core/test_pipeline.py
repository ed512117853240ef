"""The two threads beside the caller: order, errors raised where one asks next, and no thread left behind."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from conv1d_kit.core.pipeline import ReadAhead, WriteBehind


def failing(after):
    yield from range(after)
    raise OSError("broken")


def test_items_come_in_order_and_an_error_after_those_before_it():
    ahead, got = ReadAhead(failing(5)), []
    with pytest.raises(OSError, match="broken"):
        got.extend(x for x in ahead if got.append(x))
    ahead.stop()
    assert got == [0, 1, 2, 3, 4]


def test_no_more_is_read_ahead_than_was_asked():
    taken = []
    ahead = ReadAhead((taken.append(i) or i for i in range(100)), depth=2)
    assert next(iter(ahead)) == 0
    time.sleep(0.1)
    assert len(taken) <= 4  # one given, two queued, one in hand
    ahead.stop()


def test_calls_are_done_in_order_and_none_after_an_error():
    done = []

    def call(i):
        if i == 3:
            raise OSError("full")
        done.append(i)

    behind = WriteBehind()
    with pytest.raises(OSError, match="full"):
        list(map(partial(behind.call, call), range(1000)))
    behind.stop()
    assert done == [0, 1, 2]
    with pytest.raises(OSError, match="full"):
        behind.finish()


def test_what_is_queued_is_done_at_the_end_and_no_thread_is_left():
    before, done = threading.active_count(), []
    behind = WriteBehind(depth=50)
    for i in range(50):
        behind.call(lambda i: (time.sleep(0.001), done.append(i)), i)
    behind.finish()
    assert done == list(range(50))
    assert behind.seconds >= 0.05
    assert threading.active_count() == before


def test_an_offer_is_taken_only_where_nothing_is_under_way():
    done, go = [], threading.Event()
    behind = WriteBehind()
    behind.offer(go.wait)
    behind.offer(done.append, 1)
    go.set()
    while behind._queue.unfinished_tasks:
        time.sleep(0.001)
    behind.offer(done.append, 2)
    behind.finish()
    assert done == [2]
