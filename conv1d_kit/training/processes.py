"""Worker processes that end with their parent: one Ctrl-C stops a cross-validation, not only its first line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from ..errors import ConvKitError

__all__ = ["WorkerPool", "n_cores"]


class WorkerPool(ProcessPoolExecutor):
    """A ProcessPoolExecutor of spawned processes, for use in a `with` block.

    Ctrl-C reaches only the parent; a block that is left by an exception terminates the workers at once instead
    of waiting for what they do; and workers whose parent was killed end by themselves.

    Parameters
    ----------
    n_workers : int >= 1

    Raises
    ------
    ConvKitError
        On leaving the block, if a worker was killed (most often for want of memory).

    Examples
    --------
    >>> with WorkerPool(1) as pool:
    ...     pool.submit(abs, -2).result()
    2
    """

    def __init__(self, n_workers: int):
        self._others = {p.pid for p in multiprocessing.active_children()}
        # spawned, not forked: a fork of a process with threads can stand still for ever
        super().__init__(n_workers, multiprocessing.get_context("spawn"), initializer=_live_with_parent)

    def submit(self, function, /, *args, **kwargs) -> Future:
        with _interrupts_held():  # a process started now inherits the mask, and is deaf to Ctrl-C from birth
            return super().submit(function, *args, **kwargs)

    def __exit__(self, kind, value, trace) -> None:
        if kind is not None:
            self._terminate()
        super().__exit__(kind, value, trace)
        if kind is not None and issubclass(kind, BrokenProcessPool):
            raise ConvKitError(
                "a worker process was killed from outside, most often because the memory was full; "
                "try fewer processes at a time"
            ) from value

    def _terminate(self) -> None:
        self.shutdown(wait=False, cancel_futures=True)
        workers = [p for p in multiprocessing.active_children() if p.pid not in self._others]
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(1)
            if worker.is_alive():
                worker.kill()


def n_cores() -> int:
    """Cores that this process may use.

    Examples
    --------
    >>> n_cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """SIGINT waits until the block's end; where the system has no signal masks, nothing is held."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent) -> None:
    parent.join()
    os._exit(1)
