"""A case of the bench in a process of its own, so that nothing an earlier one did is counted."""

from __future__ import annotations

import json
import subprocess
import sys

__all__ = ["in_fresh_process"]


def in_fresh_process(module: str, *arguments: str, limit_s: float) -> dict:
    """What `python -m module arguments` prints as JSON, or {"error": why it did not}."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit_s)
        return json.loads(run.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"over {limit_s:.0f} s"}
    except subprocess.CalledProcessError as error:
        return {"error": (error.stderr.strip().splitlines() or ["failed"])[-1][:200]}
