"""What `import conv1d_kit` promises: names that resolve, words about each, nothing heavy before it is used."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import conv1d_kit

PACKAGE = Path(conv1d_kit.__file__).parent
MODULES = sorted(
    ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for p in PACKAGE.rglob("*.py")
)
HEAVY = ["torch", "scipy", "sklearn", "librosa", "soundfile", "matplotlib", "numba"]


@pytest.mark.parametrize("name", conv1d_kit.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert getattr(conv1d_kit, name) is not None
    assert name in dir(conv1d_kit)


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'convolv'"):
        _ = conv1d_kit.convolv


@pytest.mark.parametrize("module", MODULES)
def test_every_name_in_all_exists_and_has_a_docstring(module):
    home = import_module(module)
    assert home.__doc__, f"{module} needs a first line that says what and why"
    for name in getattr(home, "__all__", []):
        thing = getattr(home, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert (thing.__doc__ or "").strip(), f"{module}.{name} needs a docstring"


def _loaded_after(code: str) -> list[str]:
    """Which of HEAVY a fresh Python has loaded after the code."""
    show = f"import json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_import_loads_nothing_heavy():
    assert _loaded_after("import conv1d_kit") == []


def test_cli_help_loads_nothing_heavy():
    code = "from conv1d_kit.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert _loaded_after(code) == []
