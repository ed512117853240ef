"""A thread that reads ahead and one that writes behind, so that decode, convolution and encode overlap."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["ReadAhead", "WriteBehind"]

_WAIT_S = 0.05  # how often a thread that waits looks whether it is wanted no more


class _Thread:
    """A daemon with a queue of few places: what stands in it is all the memory the overlap takes."""

    def __init__(self, depth: int):
        self.seconds = 0.0  # that its own work took, waiting left out
        self.error: BaseException | None = None
        self._queue: queue.Queue = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self._thread.start()

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # raised where the caller asks next
            self.error = error

    def _run(self) -> None:
        raise NotImplementedError

    def _put(self, item: Any) -> bool:
        """False where the other side has ended."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_WAIT_S)
                return True
            except queue.Full:
                if not self._thread.is_alive():
                    return False
        return False

    def stop(self) -> None:
        """Ends the thread after the piece it is at; what is queued is dropped."""
        self._stop.set()
        self._thread.join()


class ReadAhead(_Thread):
    """The items of an iterable, taken by a thread `depth` items before they are asked for.

    Examples
    --------
    >>> ahead = ReadAhead(iter("abc"))
    >>> list(ahead)
    ['a', 'b', 'c']
    >>> ahead.stop()
    """

    def __init__(self, items: Iterable, depth: int = 2):
        self._items = iter(items)
        super().__init__(depth)

    def _run(self) -> None:
        end = object()
        while True:
            start = time.perf_counter()
            item = next(self._items, end)
            self.seconds += time.perf_counter() - start
            if item is end or not self._put((item,)):
                return

    def __iter__(self) -> Iterator:
        while True:
            try:
                yield self._queue.get(timeout=_WAIT_S)[0]
            except queue.Empty:
                if not self._thread.is_alive() and self._queue.empty():
                    if self.error is not None:
                        raise self.error from None
                    return


class WriteBehind(_Thread):
    """Calls done in order by a thread; an error of one is raised by the next `call` or by `finish`.

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
        super().__init__(depth)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                job = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            if job is None:
                return
            function, arguments = job
            start = time.perf_counter()
            function(*arguments)
            self.seconds += time.perf_counter() - start

    def call(self, function: Callable, *arguments: Any) -> None:
        """Queue function(*arguments); waits while the queue is full."""
        if not self._put((function, arguments)) or self.error is not None:
            self._raise()

    def finish(self) -> None:
        """Wait until all is done."""
        self._put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error
