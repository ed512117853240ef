"""Learning-rate schedules: functions (step, n_steps) → a factor on the peak rate."""

from __future__ import annotations

import math

__all__ = ["warmup_cosine"]


def warmup_cosine(step: int, n_steps: int, *, warmup: float = 0.05) -> float:
    """Learning-rate factor 0–1: linear over the first `warmup` share of the steps, then a half cosine to 0.

    Examples
    --------
    >>> [round(warmup_cosine(s, 100, warmup=0.1), 2) for s in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    n_warm = max(1, round(warmup * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))
