"""What stands before and after a signal of which only the present is at hand."""

from __future__ import annotations

from typing import Any

import torch

from .padding import PADDINGS, pad

__all__ = ["Border"]

# samples beside the border that a mode copies from, for a pad of n: outside the first and the last one of these
REACH = {
    "reflect": lambda n: n + 1,
    "symmetric": lambda n: n,
    "replicate": lambda n: 1,
    "circular": lambda n: n,
}


class Border:
    """`low` samples before the first and `high` after the last, invented by `mode` (`padding.PADDINGS`).

    Examples
    --------
    >>> border = Border(2, 1, "reflect")
    >>> border.before(torch.tensor([1.0, 2.0]))                      # what comes third decides, too
    >>> border.before(torch.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2.])
    >>> border.after(torch.tensor([7.0, 8.0, 9.0]), 100)
    tensor([8.])
    """

    def __init__(self, low: int, high: int, mode: Any):
        self.low, self.high, self.mode = low, high, mode
        copies = mode in PADDINGS
        self.needs_end = copies and mode == "circular" and low > 0  # what stands first depends on the last
        self._ahead = REACH[mode](low) if copies and low else 0
        self.kept = REACH[mode](high) if copies and high else 0  # last samples that `after` wants
        self.wants_first = copies and mode == "circular" and high > 0
        self._first: torch.Tensor | None = None  # the first samples, where they stand after the last, too

    def before(self, x: torch.Tensor) -> torch.Tensor | None:
        """The pad before x, the samples so far; None where more must come first."""
        if x.shape[-1] < self._ahead:
            return None
        return pad(x[..., : self._ahead], ((self.low, 0),), self.mode)[..., : self.low]

    def see(self, x: torch.Tensor) -> None:
        """Remember of the next samples what `after` will want."""
        if self.wants_first:
            first = x[..., :0] if self._first is None else self._first
            missing = self.high - first.shape[-1]
            self._first = torch.cat([first, x[..., :missing]], -1) if missing else first

    def after(self, last: torch.Tensor, size: int) -> torch.Tensor:
        """The pad after a signal of `size` samples, of which `last` are at least the last `kept`."""
        if self._first is not None:  # the whole signal, or as much of it as is wanted
            return pad(self._first, ((0, self.high),), "circular")[..., self._first.shape[-1] :]
        last = last[..., last.shape[-1] - min(size, self.kept) :]
        return pad(last, ((0, self.high),), self.mode)[..., last.shape[-1] :]

    @property
    def state(self) -> torch.Tensor | None:
        """What `see` remembers."""
        return self._first

    @state.setter
    def state(self, first: torch.Tensor | None) -> None:
        self._first = first
