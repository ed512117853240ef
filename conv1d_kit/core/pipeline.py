"""A thread that reads ahead and one that writes behind, so that decode, convolution and encode overlap."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["ReadAhead", "WriteBehind"]

_WAIT_S = 0.05  # how often a thread at a full queue looks whether the other side is there still


class ReadAhead:
    """The items of an iterable, taken by a thread `depth` items before they are asked for.

    `seconds` is the time its own work took, waiting left out.

    Examples
    --------
    >>> ahead = ReadAhead(iter("abc"))
    >>> list(ahead)
    ['a', 'b', 'c']
    >>> ahead.stop()
    """

    def __init__(self, items: Iterable, depth: int = 2):
        self.seconds = 0.0
        self._items = iter(items)
        self._error: BaseException | None = None
        self._queue: queue.Queue = queue.Queue(depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator:
        while (found := self._queue.get()) is not None:
            yield found[0]
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End after the item at hand; what was read ahead is dropped."""
        self._unwanted.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            start = time.perf_counter()
            for item in self._items:
                self.seconds += time.perf_counter() - start
                if not self._put((item,)):
                    return
                start = time.perf_counter()
        except BaseException as error:  # raised where the next item is asked for
            self._error = error
        self._put(None)

    def _put(self, item: Any) -> bool:
        while not self._unwanted.is_set():
            try:
                self._queue.put(item, timeout=_WAIT_S)
                return True
            except queue.Full:
                pass
        return False


class WriteBehind:
    """Calls done in order by a thread; an error of one is raised by the next `call` or by `finish`.

    `seconds` is the time the calls took.

    Examples
    --------
    >>> done = []
    >>> behind = WriteBehind()
    >>> behind.call(done.append, 1)
    >>> behind.finish()
    >>> done
    [1]
    """

    def __init__(self, depth: int = 2):
        self.seconds = 0.0
        self._error: BaseException | None = None
        self._queue: queue.Queue = queue.Queue(depth)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def call(self, function: Callable, *arguments: Any) -> None:
        """Queue function(*arguments); waits while the queue is full."""
        self._put((function, arguments))
        self._raise()

    def offer(self, function: Callable, *arguments: Any) -> None:
        """As `call` where nothing is queued or under way; else nothing is done."""
        self._raise()
        if not self._queue.unfinished_tasks:
            self.call(function, *arguments)

    def finish(self) -> None:
        """Wait until all is done, or raise what went wrong."""
        self.stop()
        self._raise()

    def stop(self) -> None:
        """Wait until what is queued is done, whatever went wrong."""
        self._put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (job := self._queue.get()) is not None:
                function, arguments = job
                start = time.perf_counter()
                function(*arguments)
                self.seconds += time.perf_counter() - start
                del job, function, arguments  # memory that the next wait need not hold
                self._queue.task_done()
        except BaseException as error:
            self._error = error

    def _put(self, item: Any) -> None:
        while self._thread.is_alive():
            try:
                return self._queue.put(item, timeout=_WAIT_S)
            except queue.Full:
                pass

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
