"""Shared by all tests: the loop oracle importable as `reference`, one thread, and where real data lies."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from conv1d_kit.core import machine

# what is chosen in tests, and in processes they start, is not to depend on the processor
machine.MACHINE = machine.Machine()
_kept = tempfile.TemporaryDirectory()
os.environ[machine.PLACE] = str(Path(_kept.name) / "wisdom.json")
machine.save(machine.MACHINE, Path(os.environ[machine.PLACE]))
torch.set_num_threads(1)  # several test processes with several threads each slow one another down tenfold
sys.path.insert(0, str(Path(__file__).parent))
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as shells start background jobs
    signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}")
    return DATA


@pytest.fixture
def call(capsys):
    """call(*words) → (exit code, standard output, standard error) of the command line."""
    from conv1d_kit.cli.main import main

    def run(*words):
        with pytest.raises(SystemExit) as stop:
            main([str(w) for w in words])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run
