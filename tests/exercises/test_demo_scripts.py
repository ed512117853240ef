"""The scripts that answer the exercises run from anywhere, stay short, and make the pictures they name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*ROOT.glob("audio_demos/*.py"), *ROOT.glob("text_demos/*.py")])


def test_there_are_scripts_for_audio_and_text():
    assert {path.parent.name for path in SCRIPTS} == {"audio_demos", "text_demos"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_script_runs_and_makes_the_picture_it_names(path, tmp_path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= 80
    pictures = set(re.findall(r"writes (\S+\.png)", source))
    assert pictures, "the first lines say: writes NAME.png"
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path), "made/here"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert {p.name for p in (tmp_path / "made" / "here").iterdir()} == pictures
    for name in pictures:
        head = (tmp_path / "made" / "here" / name).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(head[16:20], "big") >= 800, "pixels across"
    assert len(run.stdout.splitlines()) >= 4, "a table, and where the picture is"
