"""The live room hears a file and a sound card (one made of a thread), and counts its blocks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).parents[2] / "audio_demos" / "06_live.py"
CARD = """
import threading, time, numpy as np
class Stream:
    def __init__(self, *, samplerate, blocksize, channels, dtype, callback):
        self.wait, self.call = blocksize / samplerate, callback
        self.block = np.ones((blocksize, channels), dtype)
    def __enter__(self):
        self.plays, self.thread = True, threading.Thread(target=self.run)
        self.thread.start()
    def run(self):
        while self.plays:
            self.call(self.block, np.zeros_like(self.block), len(self.block), None, 0)
            time.sleep(self.wait)
    def __exit__(self, *_):
        self.plays = False
        self.thread.join()
"""


@pytest.mark.parametrize("source", ["file", "microphone"])
def test_blocks_are_heard_and_late_ones_counted(source, tmp_path):
    (tmp_path / "sounddevice.py").write_text(CARD)
    soundfile.write(tmp_path / "x.flac", np.random.default_rng(0).standard_normal((16_000, 2)) * 0.1, 16_000)
    given = ["--file", str(tmp_path / "x.flac")] if source == "file" else ["--microphone"]
    run = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            str(SCRIPT),
            str(tmp_path),
            *given,
            "--block",
            "160",
            "--seconds",
            "0.5",
        ],
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr[-2000:]
    blocks = int(re.search(r"^(\d+) blocks of 160", run.stdout, re.M)[1])
    assert blocks == 50 if source == "file" else blocks > 5
    assert re.search(r"^late: \d+ blocks", run.stdout, re.M)
    assert (tmp_path / "live.png").stat().st_size > 10_000
