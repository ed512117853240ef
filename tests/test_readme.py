"""What README.md shows is so: its two commands, its examples, its links."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CHANGELOG.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]


def test_readme_opens_with_two_commands_that_the_makefile_has():
    block = (ROOT / "README.md").read_text("utf-8").split("```")[1]
    commands = [line.split("#")[0].strip() for line in block.strip().splitlines()]
    assert commands == ["make demo", "make test"]
    assert {"demo", "test", "check", "bench"} <= set(
        re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    )


@pytest.mark.parametrize("page", ["README.md", "docs/exercises.md"])
def test_examples_give_what_they_say(page):
    result = doctest.testfile(str(ROOT / page), module_relative=False, encoding="utf-8")
    assert result.attempted >= 6
    assert result.failed == 0


def test_architecture_names_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    package = ROOT / "conv1d_kit"
    for room in package.iterdir():
        if room.name not in ("__pycache__", "py.typed"):
            assert room.name + ("/" if room.is_dir() else "") in text


def test_architecture_names_tables_that_are_there():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"\| `(\w+)` \| `([\w/.]+)` \|", text)
    assert len(rows) > 10
    for table, file in rows:
        assert re.search(rf"^{table}\b.*= *{{", (ROOT / file).read_text("utf-8"), re.M), (
            f"{file} has no {table}"
        )


def test_readme_figures_are_the_recorded_ones():
    rows = re.findall(
        r"^\| ([\w/-]+)[^|]*\| ([\d.]+) \| ([\d.]+)–([\d.]+) \|", (ROOT / "README.md").read_text("utf-8"), re.M
    )
    records = {}
    for file in ("audio_cv.json", "text_cv.json"):
        records |= json.loads((ROOT / "benchmarks" / file).read_text("utf-8"))
    by_name = {name.split()[0]: record for name, record in records.items()}
    assert len(rows) >= 5
    for name, *shown in rows:
        record = by_name[name]
        assert shown == [f"{100 * v:.1f}" for v in (record["accuracy"], *record["interval"])], name


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).exists(), f"{page} links to {link}"
    for path in re.findall(
        r"`((?:tests|audio_demos|text_demos|docs|benchmarks|conv1d_kit)/[\w/.]+\.\w+)`", text
    ):
        assert (ROOT / path).exists(), f"{page} names {path}"


def test_constraints_pin_every_dependency_of_the_project():
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.M))
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    block = re.search(r"^dependencies = \[(.*?)\]", project, re.M | re.S).group(1)
    block += "".join(re.findall(r"^(?:test|check|export|bench) = \[(.*)\]$", project, re.M))
    named = {name.lower().replace("_", "-") for name in re.findall(r'"([\w-]+)', block)} - {"conv1d-kit"}
    assert len(named) > 12
    assert named <= pinned
