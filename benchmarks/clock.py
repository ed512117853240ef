"""Fair timing: rivals in turn within one process, the least of many rounds each."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

__all__ = ["in_turn"]

BUNDLE_S = 200e-6  # very short runs are timed in bundles of about this long
SHORT_S = 5e-3  # a shorter run is called once untimed before each of its turns
SET_UP_S = 1.0  # a first call that takes longer is not mostly set-up


def in_turn(
    runs: dict[str, Callable[[], object]],
    *,
    budget_s: float = 0.6,
    rounds: int = 2000,
    limit_s: float = math.inf,
    failures: dict[str, str] | None = None,
) -> dict[str, float]:
    """Least seconds of each run. They take turns, so that a slow moment of the machine meets all alike.

    First calls load libraries and compile kernels, up to half a second: a run is called twice before its turns
    begin. A run that takes more than its share of the budget has two turns, which cost the others none; none if
    it took over `limit_s`, or three times as long as the quickest run. A run under 5 ms is called once untimed
    before each of its turns: nobody pays for what the run before left in the caches. Calls of microseconds need
    many rounds: in a few, one rival alone may meet the moments at which the processor is quickest. A run that
    raises is left out and its error noted in `failures`, where that is given.
    """
    least, calls = {}, {}
    for name, run in runs.items():
        try:
            least[name] = _seconds(run, 1)
            if least[name] < SET_UP_S:
                least[name] = min(least[name], _seconds(run, 1))
        except Exception as error:
            if failures is None:
                raise
            failures[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            continue
        calls[name] = max(1, min(20, int(BUNDLE_S / max(least[name], 1e-7))))
    spent = 0.0
    for turn in range(rounds):
        if turn >= 2 and spent >= budget_s:
            break
        quickest = min(least.values(), default=0.0)
        for name in random.Random(turn).sample(list(calls), len(calls)):  # nobody always follows the same one
            bundle = calls[name]
            long = least[name] * len(calls) > budget_s
            if least[name] > limit_s or (long and (turn >= 2 or least[name] > 3 * quickest)):
                continue
            if least[name] < SHORT_S:
                runs[name]()
            took = _seconds(runs[name], bundle)
            least[name], spent = min(least[name], took / bundle), spent + (0.0 if long else took)
    return least


def _seconds(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start
