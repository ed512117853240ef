"""Fair timing: rivals in turn within one process, the least of many rounds each."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["in_turn"]


def in_turn(
    runs: dict[str, Callable[[], object]], *, budget_s: float = 0.6, rounds: int = 200
) -> dict[str, float]:
    """Least seconds of each run. They take turns, so that a slow moment of the machine meets all alike.

    A run that alone would use up the budget is timed once after its warm-up call.
    """
    least, calls = {}, {}
    for name, run in runs.items():
        start = time.perf_counter()
        run()
        once = time.perf_counter() - start
        least[name] = once
        calls[name] = max(
            1, min(20, int(200e-6 / max(once, 1e-7)))
        )  # very short runs are timed in small bundles
    spent, round_number = 0.0, 0
    while round_number < 2 or (round_number < rounds and spent < budget_s):
        for name, run in runs.items():
            if round_number >= 2 and least[name] * len(runs) > budget_s:
                continue
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            took = time.perf_counter() - start
            least[name], spent = min(least[name], took / calls[name]), spent + took
        round_number += 1
    return least
