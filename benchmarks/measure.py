"""A cell's rows: everyone's least time in turn, the best peer, the ratio, our error."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from .cell import Cell, Contest
from .clock import in_turn

__all__ = ["LIMIT_S", "OVERHEAD_S", "SHORT_S", "counted_ratio", "measure"]

LIMIT_S = 3.0  # seconds a call above which a peer is left out
SHORT_S = 50e-6  # below it a call's overhead rules, and the bound is an overhead, not a ratio
OVERHEAD_S = {"NumPy": 2e-6, "torch": 10e-6}
TORCH_PEERS = ("torch", "julius", "fft-conv-pytorch")


def measure(cell: Cell, contest: Contest, earlier: Iterable[dict], *, budget_s: float) -> list[dict]:
    """A row for each of our calls; `earlier` rows tell which peers would be too slow to be asked."""
    peers: dict[str, float | str] = {n: run for n, run in contest.peers.items() if isinstance(run, str)}
    peers |= _too_slow(cell, earlier)
    rivals = {n: run for n, run in contest.peers.items() if n not in peers and not isinstance(run, str)}
    failures: dict[str, str] = {}
    times = in_turn({**contest.ours, **rivals}, budget_s=budget_s, limit_s=LIMIT_S, failures=failures)
    for grid in contest.ours:
        if grid in failures:
            raise RuntimeError(failures[grid])
    peers |= failures | {name: times[name] for name in rivals if name in times}
    peers = {name: peers[name] for name in contest.peers}
    truth, rows = contest.truth(), []
    for grid, run in contest.ours.items():
        compared = {n: t for n, t in peers.items() if isinstance(t, float) and n not in contest.aside}
        best = min(compared, key=compared.__getitem__)
        rows.append(
            {
                "grid": grid, "cell": cell.name, **cell.facts, "method": contest.method, "ours": times[grid],
                "best": best, "best_s": compared[best], "plain_ratio": compared[best] / times[grid],
                "ratio": counted_ratio(times[grid], compared, "NumPy" if "NumPy" in grid else "torch"),
                "error": _relative_error(run(), truth), "peers": peers, "aside": list(contest.aside),
            }
        )  # fmt: skip
    return rows


def counted_ratio(ours: float, peers: dict[str, float], kind: str) -> float:
    """Best peer ÷ ours, and at least 1.0 for a short call that stays within the overhead allowed."""
    best = min(peers.values())
    ratio = best / ours
    if best >= SHORT_S:
        return ratio
    if kind == "NumPy":
        within = ours - peers.get("np.convolve", best) <= OVERHEAD_S["NumPy"]
    else:
        torch_best = min((t for name, t in peers.items() if name.startswith(TORCH_PEERS)), default=best)
        within = ours - torch_best <= OVERHEAD_S["torch"] or ours - best <= OVERHEAD_S["NumPy"]
    return max(ratio, 1.0) if within else ratio


def _too_slow(cell: Cell, earlier: Iterable[dict]) -> dict[str, str]:
    """Peers that would need over LIMIT_S, judged by the same kernel on a shorter signal."""
    found = {}
    for row in earlier:
        if not cell.facts or any(row.get(key) != cell.facts[key] for key in ("k", "dtype")):
            continue
        for name, seconds in row["peers"].items():
            expected = seconds * cell.facts["n"] / row["n"] if isinstance(seconds, float) else 0.0
            if expected > LIMIT_S and row["n"] >= cell.facts["n"] / 10:
                found[name] = f"left out: about {expected:.0f} s"
            elif isinstance(seconds, str) and "about" in seconds:
                found[name] = "left out: too slow on a shorter signal"
    return found


def _relative_error(result: object, truth: Iterable[np.ndarray]) -> float:
    """The largest |result − truth| / max |truth| over all results."""
    results = result if isinstance(result, tuple) else (result,)
    worst = 0.0
    for y, t in zip(results, truth, strict=True):
        y = y.detach().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
        if y.size:
            worst = max(worst, float(np.abs(y.reshape(t.shape) - t).max() / max(np.abs(t).max(), 1e-300)))
    return worst
