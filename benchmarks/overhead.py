"""What a call costs beside its arithmetic, and what importing the kit costs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

import conv1d_kit

from .clock import in_turn
from .measure import OVERHEAD_S

__all__ = ["call_overhead", "import_cost"]

F = torch.nn.functional
IMPORT = "import sys, time; t = time.perf_counter(); import conv1d_kit; s = time.perf_counter() - t; "
SHORT_CALL = (
    "import sys, numpy as np, conv1d_kit; conv1d_kit.convolve(np.ones(100), np.ones(5)); "
    "print('torch' in sys.modules)"
)


def call_overhead(*, budget_s: float) -> list[dict]:
    """Our shortest calls beside the peers'."""
    a, b = np.random.default_rng(0).standard_normal(100), np.ones(5)
    rows = _beside(
        "100 ∗ 5 float64",
        {"np.convolve": lambda: np.convolve(a, b), "convolve": lambda: conv1d_kit.convolve(a, b)},
        "NumPy",
        budget_s,
    )
    x = torch.randn(1, 1, 16)
    theirs, ours = torch.nn.Conv1d(1, 1, 3), conv1d_kit.Conv1d(1, 1, 3)
    plain = theirs.weight.detach()
    for what, grad in (("(1, 1, 16), K 3, no_grad", False), ("(1, 1, 16), K 3, gradients wanted", True)):
        w = plain.clone().requires_grad_(grad)
        calls = {"F.conv1d": lambda w=w: F.conv1d(x, w), "conv": lambda w=w: conv1d_kit.conv(x, w)}
        layers = {"torch.nn.Conv1d": lambda: theirs(x), "Conv1d": lambda: ours(x)}
        with torch.set_grad_enabled(grad):
            rows += _beside(what, calls | layers, "torch", budget_s)
    return rows


def import_cost(*, times: int) -> dict:
    """Seconds of `import conv1d_kit`, the least of some fresh interpreters, and whether torch comes with it."""
    printed = [_python(IMPORT + "print(s, 'torch' in sys.modules)").split() for _ in range(times)]
    return {
        "seconds": min(float(seconds) for seconds, _ in printed),
        "torch_after_import": printed[0][1] == "True",
        "torch_after_short_numpy_call": _python(SHORT_CALL) == "True",
    }


def _beside(what: str, runs: dict, kind: str, budget_s: float) -> list[dict]:
    """Pairs of a peer's call and ours, all in turn."""
    times = list(in_turn(runs, budget_s=budget_s).items())
    pairs = zip(times[::2], times[1::2], strict=True)
    return [
        {
            "what": what, "peer": peer, "peer_s": peer_s, "call": call, "ours": ours,
            "bound": OVERHEAD_S[kind], "within": ours - peer_s <= OVERHEAD_S[kind],
        }
        for (peer, peer_s), (call, ours) in pairs
    ]  # fmt: skip


def _python(script: str) -> str:
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.strip()
