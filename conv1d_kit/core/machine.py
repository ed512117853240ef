"""What a machine takes for the parts that convolutions are made of: the constants of the cost model.

`MACHINE` is this one: as `conv1d-kit bench --tune` measured and kept it, or else a small server, below.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["MACHINE", "SMALLEST", "Machine", "load", "save", "wisdom_path"]

SMALLEST = 6  # log2 of the points of the first entry of `points`
PLACE = "CONV1D_KIT_WISDOM"  # names the file; empty: none is read


class Machine(NamedTuple):
    """Seconds by all threads together; pairs are for numbers of up to four bytes, and for wider ones."""

    threads: int = 2
    # FFT and what is moved for it: a real point at 64, 128, … points, a call, a point of a call's tables
    points: tuple[tuple[float, ...], tuple[float, ...]] = (
        (4.4e-10, 4.4e-10, 3.4e-10, 6.5e-10, 5.8e-10, 6.6e-10, 7.8e-10, 9.2e-10, 1e-9, 1e-9, 1.1e-9, 9e-10,
         6e-10, 6.5e-10, 7.5e-10, 8.5e-10),
        (2.9e-10, 2.9e-10, 5.1e-10, 7.6e-10, 7.8e-10, 9e-10, 1e-9, 1.8e-9, 2.4e-9, 2.7e-9, 3.3e-9, 2.3e-9,
         3e-9, 3.4e-9, 3.6e-9, 4.1e-9),
    )  # fmt: skip
    fft_call: tuple[float, float] = (1.8e-05, 2.3e-05)
    fft_table: tuple[float, float] = (1.6e-08, 5e-09)
    alone: float = 8e-9  # more a point where one row alone has 64 KiB or more
    part_call: tuple[float, float] = (3.4e-06, 9.3e-06)  # a part of a kernel, a round
    product: tuple[float, float] = (3.5e-10, 4e-10)  # a point and part, where no channels mix
    moved: tuple[float, float] = (2.9e-10, 8.5e-10)  # a number of a block or of an output
    # spectra of channels that mix: a complex multiply-add, a number brought into their order and back
    mix: tuple[float, float] = (3.3e-11, 8e-11)
    reorder: tuple[float, float] = (2.6e-09, 3.1e-09)
    # direct: torch's kernel by one output channel, a depthwise multiply-add, an output of a depthwise sum
    direct_call: float = 1.4e-05
    multiply_add: tuple[float, float] = (2.3e-10, 1.5e-09)
    lanes: tuple[int, int] = (20, 64)  # output channels that torch's kernel works on at a time
    depthwise: tuple[float, float] = (1.7e-11, 2e-10)
    depthwise_output: float = 2.7e-10
    # gradients by torch's kernels: those of x and w ÷ the sum, a multiply-add of a depthwise w's on one thread
    backward: tuple[float, float] = (1.3, 1.5)
    depthwise_weight: tuple[float, float] = (8e-10, 8e-10)
    lone_column: tuple[float, float] = (4e-09, 4e-09)  # x's, of one channel: a tap and position
    # transposed, by phases: a call, an output laid in its place, a weight; by torch's kernel: of few taps a
    # column and its multiply-add on one thread, of many a multiply-add by one output channel
    phase_call: float = 4e-05
    phase_output: tuple[float, float] = (6e-10, 1.2e-09)
    phase_weight: tuple[float, float] = (1.3e-09, 2.6e-09)
    column: tuple[float, float] = (1.5e-09, 3e-09)
    column_add: tuple[float, float] = (8e-12, 1.6e-11)
    transposed_add: tuple[float, float] = (1.9e-10, 4e-10)
    # few output channels by diagonals: a call, a multiply-add of the product, a number of it, an input
    diagonal_call: float = 5e-05
    diagonal_add: tuple[float, float] = (1.4e-11, 3e-11)
    diagonal_number: tuple[float, float] = (2.9e-10, 6e-10)
    diagonal_input: tuple[float, float] = (1.1e-10, 2.2e-10)
    # one channel to many, float32; a multiply-add, a number of its windows, an output: by torch's kernel, whose
    # lanes are 16 channels, more for an output that gets fresh memory, torch's gradient of w, by windows
    lone: tuple[float, float, float] = (1e-11, 4.4e-11, 1.8e-10)
    lone_fresh: float = 1.9e-9
    lone_weight: tuple[float, float, float] = (7.8e-12, 6e-10, 1.35e-10)
    windows: tuple[float, float, float] = (8.65e-12, 2.8e-10, 6e-11)
    windows_call: float = 3.6e-05
    # one channel as Toeplitz products: a call, an output, a multiply-add of the matrix product
    toeplitz_call: float = 2.9e-05
    toeplitz_output: tuple[float, float] = (4.3e-10, 6.5e-10)
    toeplitz_add: tuple[float, float] = (9e-12, 1.6e-11)


def wisdom_path() -> Path | None:
    """Where this machine's constants are kept: $CONV1D_KIT_WISDOM, else the user's cache; None where empty."""
    named = os.environ.get(PLACE)
    if named is not None:
        return Path(named) if named else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "conv1d_kit" / f"wisdom-{platform.node() or 'machine'}.json"


def save(machine: Machine, path: Path) -> None:
    """Written under a temporary name and then moved, so that a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(machine._asdict(), indent=1) + "\n", "utf-8")
    part.replace(path)


def load(path: Path | None) -> Machine:
    """The constants kept at `path`; those of a server core where there are none, or none that make sense."""
    try:
        given = json.loads(path.read_text("utf-8")) if path is not None else None
    except (OSError, ValueError):
        return Machine()
    return _checked(given) if isinstance(given, dict) else Machine()


def _checked(given: dict[str, Any]) -> Machine:
    like, found = Machine(), {}
    for name, value in given.items():
        model = getattr(like, name, None) if name in Machine._fields else None
        frozen = _frozen(value)
        if model is None or not _alike(frozen, model):
            return like
        found[name] = frozen
    return Machine(**found)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _alike(value: Any, model: Any) -> bool:
    if isinstance(model, tuple):
        pairs = isinstance(value, tuple) and len(value) == len(model)
        return pairs and all(map(_alike, value, model))
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e6


def _this_machine() -> Machine:
    try:
        return load(wisdom_path())
    except RuntimeError:  # no home directory
        return Machine()


MACHINE = _this_machine()
