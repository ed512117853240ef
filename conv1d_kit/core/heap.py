"""Large arrays that come and go, from memory the process keeps: the kernel need not clear it each time."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["is_heap_kept", "kept_heap", "settle"]

_TRIM, _LARGE, _MMAPS = -1, -3, -4  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_MMAP_MAX of glibc's mallopt
_LARGEST = 32 << 20  # bytes that glibc's own rule keeps at hand at most, and up to twice as many of them
# where that rule arrives once arrays were large; what is set by hand it adapts no more
_AFTER = ((_MMAPS, 65536), (_LARGE, _LARGEST), (_TRIM, 2 * _LARGEST))
_lock = threading.Lock()
_users = 0


@contextmanager
def kept_heap() -> Iterator[None]:
    """While it is open glibc hands no freed memory back to the system; at its end all that is free goes back.

    Every layer of a net makes arrays of many megabytes and frees them a moment later. By default each is a
    mapping of its own, whose pages the kernel clears one by one at their first touch: up to half of the time
    of a training step on long clips. Without glibc nothing changes. Afterwards arrays of up to 32 MB are kept.
    """
    global _users
    libc = _glibc()
    if libc is None:
        yield
        return
    with _lock:
        _users += 1
        libc.mallopt(_MMAPS, 0)
        libc.mallopt(_TRIM, 2**31 - 1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for option, value in _AFTER:
                    libc.mallopt(option, value)
                libc.malloc_trim(0)


def settle() -> None:
    """Bring glibc where its own rule arrives in time: freed arrays of up to 32 MB stay at hand, 64 MB in all.

    The rule follows the largest array freed so far. Until one of that size was, what a layer frees is handed
    back to the system after every call, or not, as other arrays happened to be freed before: the same call
    takes its time or three times as much. One such array does it, of which no page is ever touched.
    """
    libc = _glibc()
    if libc is not None:
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
        libc.free(libc.malloc(_LARGEST - (1 << 16)))


def is_heap_kept() -> bool:
    """Whether a `kept_heap` is open, so that large arrays cost no more than others."""
    return _users > 0


@cache
def _glibc() -> ctypes.CDLL | None:
    """The process's C library, if it has glibc's settings."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim  # noqa: B018
    except (OSError, TypeError, AttributeError):
        return None
    return libc
