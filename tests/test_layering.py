"""The rooms stand on each other in one order; this reads every import and holds them to it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "conv1d_kit"
# room → floor: an import may go to a lower floor or stay in its room, never up and never to a neighbour
FLOORS = {
    "errors": 0, "core": 1, "layers": 2, "batch_norm": 2, "training": 3, "streaming": 3, "audio": 4, "text": 4,
    "report": 5, "cli": 6, "web": 6, "__main__": 7,
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def _rooms_imported(tree: ast.AST, module: list[str]) -> set[str]:
    """The rooms that a module (its dotted name in parts, a package ending in __init__) imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module[: -node.level]) if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            names |= {f"{source}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "conv1d_kit" and len(p) > 1 and p[1] in FLOORS}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward_only(path):
    module = ["conv1d_kit", *path.relative_to(PACKAGE).with_suffix("").parts]
    here = module[1]
    if here == "__init__":
        assert not _rooms_imported(ast.parse(path.read_text("utf-8")), module), "public names load on first use"
        return
    assert here in FLOORS, f"{here} has no floor yet: add it to FLOORS here and to docs/architecture.md"
    for other in _rooms_imported(ast.parse(path.read_text("utf-8")), module):
        allowed = other == here or FLOORS[other] < FLOORS[here]
        assert allowed, f"{path.relative_to(ROOT)} ({here}) imports {other}"


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("from ..text import vocabulary", {"text"}),
        ("from .. import errors", {"errors"}),
        ("from . import clip", {"audio"}),
        ("from .clip import Clip", {"audio"}),
        ("import conv1d_kit.web.page", {"web"}),
        ("from conv1d_kit import layers, __version__", {"layers"}),
        ("def f():\n    from ..cli.output import note", {"cli"}),
        ("import numpy, audio", set()),
    ],
)
def test_every_way_of_importing_is_seen(source, rooms):
    assert _rooms_imported(ast.parse(source), ["conv1d_kit", "audio", "nets"]) == rooms


def test_no_convolution_but_the_kit_own():
    """The product convolves through core; other libraries serve inside core and as oracles in the tests."""
    foreign = {"conv1d", "conv2d", "conv3d", "fftconvolve", "oaconvolve", "lfilter"}
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0] in ("core", "layers.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                bad = (node.value.id in ("F", "functional", "signal") and node.attr in foreign) or called in (
                    "np.convolve", "np.correlate", "nn.Conv1d", "nn.Conv2d", "nn.Conv3d"
                )  # fmt: skip
                assert not bad, f"{path.relative_to(ROOT)}:{node.lineno} calls {called}; use conv1d_kit.core"
