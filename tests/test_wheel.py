"""The wheel holds all that the program needs, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's file names → a reader, built offline from a copy so that the working tree stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("conv1d_kit", "tests", "benchmarks"):  # the last two must stay out of it
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(folder),
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    (path,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_holds_every_module_and_nothing_else(wheel):
    source = {
        str(p.relative_to(ROOT).as_posix())
        for p in (ROOT / "conv1d_kit").rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == source
    assert "conv1d_kit/py.typed" in inside


def test_wheel_has_entry_point_licence_and_readme(wheel):
    info = {name.split(".dist-info/")[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "conv1d-kit = conv1d_kit.cli.main:main" in wheel.read(info["entry_points.txt"]).decode()
    assert wheel.read(info["licenses/LICENSE"]).decode() == (ROOT / "LICENSE").read_text("utf-8")
    metadata = wheel.read(info["METADATA"]).decode()
    assert "Name: conv1d_kit" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.10" in metadata
    assert "# conv1d_kit" in metadata


def test_version_is_the_same_in_package_and_wheel(wheel):
    import conv1d_kit

    assert Path(wheel.filename).name.startswith(f"conv1d_kit-{conv1d_kit.__version__}-")
