"""How much memory a call takes at its peak, as torch's profiler counts it."""

from __future__ import annotations

import torch


def peak_bytes(run) -> int:
    """The most that was allocated at once during `run`, its result included."""
    with torch.profiler.profile(
        profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]
    ) as profile:
        run()
    level = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            level += event.nbytes()
            peak = max(peak, level)
    return peak
