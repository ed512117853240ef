"""What a cell of a grid is: a name, and arrays with everyone's call on them, made when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["DIRECT_LIMIT", "WINDOW_BYTES", "Cell", "Contest", "Run"]

Run = Callable[[], object]
DIRECT_LIMIT = 4e9  # multiply-adds of a signal above which a direct sum would take minutes
WINDOW_BYTES = 4e9  # above it the windows that torch's float64 kernel copies would not fit into memory


@dataclass
class Contest:
    """The calls of one cell, all on the same arrays."""

    ours: dict[str, Run]  # by grid: each gives a row
    peers: dict[str, Run | str]  # a call, or why there is none
    truth: Callable[[], Sequence[np.ndarray]]  # float64, what ours returns
    method: str  # that the planner chooses
    by_method: Callable[[str], object] | None = None  # our call with a method forced, for the planner's cells
    multiply_adds: float = 0.0  # of the direct sum
    aside: tuple[str, ...] = ()  # peers timed, but not compared: less precise than the cell's dtype


@dataclass(frozen=True)
class Cell:
    """One line of the bench."""

    grid: str
    name: str
    make: Callable[[], Contest]
    facts: dict[str, Any] = field(default_factory=dict)  # length, kernel, dtype: what charts are drawn over

    @property
    def title(self) -> str:
        return f"{self.grid}: {self.name}"
