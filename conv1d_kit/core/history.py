"""The last samples of a signal that never ends: appended at one side, forgotten at the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["History"]

SHARED = (torch.float32, torch.float64, torch.complex64, torch.complex128)
ROOM = 4096  # samples more than twice what is kept, so that moving that to the front is rare


class History:
    """Samples first to last of a stream along the last axis; older ones are forgotten.

    Examples
    --------
    >>> h = History(torch.zeros(1, 0))
    >>> h.append(torch.tensor([[1.0, 2.0, 3.0]]))
    >>> h.forget(before=1)
    >>> h.first, h.last, h.read(1, 3)
    (1, 3, tensor([[2., 3.]]))
    """

    def __init__(self, samples: torch.Tensor, first: int = 0):
        self.first, self.last = first, first + samples.shape[-1]
        self._take(samples, first)

    def _take(self, memory: torch.Tensor, offset: int) -> None:
        self._memory, self._offset = memory, offset  # sample i stands at place i − offset
        self._array: Any = None  # the same memory for NumPy, whose calls take less time
        if memory.is_cpu and memory.dtype in SHARED:
            self._array = memory.numpy()

    def append(self, samples: torch.Tensor | np.ndarray) -> None:
        """More samples at the end; arrays where `read_array` gives them."""
        n = samples.shape[-1]
        if n == 0:
            return
        if not self.has_room(n):
            self._make_room(n)
        place = self.last - self._offset
        if isinstance(samples, np.ndarray):
            self._array[..., place : place + n] = samples
        else:
            self._memory[..., place : place + n] = samples
        self.last += n

    def has_room(self, n: int) -> bool:
        """Whether n more samples fit without a move of those that are kept."""
        return self.last - self._offset + n <= self._memory.shape[-1]

    def reserve(self, n: int) -> None:
        """Room for n more, touched, so that no later call has to wait for the memory."""
        self._make_room(n)
        self._memory[..., self.last - self._offset :] = 0

    def read(self, start: int, stop: int) -> torch.Tensor:
        """Samples start to stop, a view that the next `append` may overwrite."""
        return self._memory[..., start - self._offset : stop - self._offset]

    def read_array(self, start: int, stop: int) -> np.ndarray:
        """`read` for NumPy, where it knows the dtype."""
        return self._array[..., start - self._offset : stop - self._offset]

    def forget(self, before: int) -> None:
        """Samples before that index, if there are any, are not needed any more."""
        if self.first < before:
            self.first = min(before, self.last)

    def _make_room(self, n: int) -> None:
        kept, old = self.read(self.first, self.last), self._memory
        size = kept.shape[-1] + n
        memory = old
        if old.shape[-1] < 2 * size:  # else what is kept lies beyond the place it moves to
            with torch.inference_mode(False):  # for pushes in any mode to write to
                memory = old.new_empty((*old.shape[:-1], 2 * size + ROOM))
        n, start = kept.shape[-1], self.first - self._offset
        if memory is old and self._array is not None:  # by one thread: to wake others would take longer
            self._array[..., :n] = self._array[..., start : start + n]
        else:
            memory[..., :n] = kept
        self._take(memory, self.first)
