"""On what, with what and when the bench was run."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

__all__ = ["conditions"]

LIBRARIES = {
    "NumPy": "numpy", "SciPy": "scipy", "torch": "torch", "julius": "julius",
    "fft-conv-pytorch": "fft-conv-pytorch", "pedalboard": "pedalboard", "conv1d_kit": "conv1d_kit",
}  # fmt: skip


def conditions(command: str, libraries: dict[str, str] = LIBRARIES) -> dict:
    """Processor, threads, versions (of shown name → package), date and the command.

    Ask before measuring, for the load is the others'.
    """
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # another process slows threads most
        "python": platform.python_version(),
        "versions": {name: _version(package) for name, package in libraries.items()},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        text = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout
        lines = (line.split(":", 1) for line in text.splitlines())
        return next(value.strip() for name, value in lines if name == "Model name")
    except (OSError, subprocess.CalledProcessError, StopIteration):
        return platform.processor() or platform.machine()
