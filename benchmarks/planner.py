"""How well the planner chooses: `method="auto"` beside each method forced."""

from __future__ import annotations

from functools import partial

from .cell import DIRECT_LIMIT, WINDOW_BYTES, Cell, Contest, Run
from .clock import in_turn
from .measure import LIMIT_S, OVERHEAD_S, SHORT_S

__all__ = ["CLOSE", "LONGEST", "judge"]

METHODS = ("direct", "overlap_add", "fft")
LONGEST = 1_000_000  # samples of a signal up to which all methods are tried
CLOSE = 1.15  # auto's time ÷ the best method's that counts as well chosen


def judge(cell: Cell, contest: Contest, *, budget_s: float) -> dict | None:
    """The planner's row of a cell, or None where methods are not forced."""
    call = contest.by_method
    if call is None or cell.facts.get("n", 0) > LONGEST:
        return None
    windows = contest.multiply_adds * 8 if cell.facts.get("dtype") == "float64" else 0.0
    methods = METHODS if contest.multiply_adds <= DIRECT_LIMIT and windows <= WINDOW_BYTES else METHODS[1:]
    runs: dict[str, Run] = {name: partial(call, name) for name in ("auto", *methods)}
    failures: dict[str, str] = {}
    times = in_turn(runs, budget_s=budget_s, limit_s=LIMIT_S, failures=failures)
    auto = times.pop("auto")
    best = min(times, key=times.__getitem__)
    is_numpy = "n" in cell.facts
    short = is_numpy and times[best] < SHORT_S and auto - times[best] <= OVERHEAD_S["NumPy"]
    return {
        "grid": cell.grid, "cell": cell.name, "choice": contest.method, "auto": auto, "best": best,
        "best_s": times[best], "slower": auto / times[best], "within": short or auto <= CLOSE * times[best],
        "methods": failures | times,
    }  # fmt: skip
