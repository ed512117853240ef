"""What a machine takes for the parts that convolutions are made of: the constants of the cost model.

`MACHINE` is this one: as `conv1d-kit bench --tune` measured and kept it, or else a small server like it, below.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["MACHINE", "SMALLEST", "Machine", "load", "save", "shipped", "wisdom_path"]

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
    near_passes: float = 1.6  # over spectra of kernels that stay near the cores, and over those that do not
    far_passes: float = 5.0
    # direct: torch's kernel by one output channel, a depthwise multiply-add, an output of a depthwise sum
    direct_call: float = 1.4e-05
    multiply_add: tuple[float, float] = (2.3e-10, 1.5e-09)
    lanes: tuple[int, int] = (20, 64)  # output channels that torch's kernel works on at a time
    single_output: float = 2.6e-9  # of one channel from one, more than its multiply-adds
    # by oneDNN on 512-bit registers, float32: a multiply-add, a number that goes in or out; where its quick
    # kernels end a sum takes times as much, a gradient so many multiply-adds more for a window's number
    laned: float = 8.3e-12
    laned_backward: tuple[float, float] = (1.1, 1.25)  # gradients of x and w ÷ the sum
    laid: float = 2e-10
    grouped: float = 7.5e-10  # a multiply-add of groups that fill no lanes, by one channel of a group
    one_tap: float = 7e-12  # a multiply-add of one tap as a matrix product instead
    many_taps: float = 1.7
    far_column: float = 64.0
    depthwise: tuple[float, float] = (1.7e-11, 2e-10)
    depthwise_output: float = 2.7e-10
    # gradients by torch's kernels: those of x and w ÷ the sum, a multiply-add of a depthwise w's on one thread
    backward: tuple[float, float] = (1.3, 1.5)
    depthwise_weight: tuple[float, float] = (8e-10, 8e-10)
    # the same by products at all lags: a call, a multiply-add of the products, a number of them
    lag_call: float = 3e-04
    lag_add: tuple[float, float] = (3.5e-11, 7e-11)
    lag_number: tuple[float, float] = (2e-10, 4e-10)
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
    # the same, of few taps, as moved copies: a tap of a stretch, a tap and number
    shift_call: float = 3e-06
    shifted: tuple[float, float] = (7.5e-11, 2.4e-10)
    # the same by NumPy alone, up to so many seconds; np.convolve: a call, a tap of up to 8, an output of more
    # than 11 (at first, more a tap, at most) and a multiply-add of it
    short: float = 1.25e-04
    rows_call: float = 9.2e-06
    rows_output: tuple[float, float] = (1.3e-09, 2.4e-09)
    rows_add: tuple[float, float] = (2.4e-11, 4.5e-11)
    numpy_call: float = 1.5e-06
    numpy_tap: tuple[float, float] = (2.7e-10, 1.1e-10)
    numpy_output: tuple[float, float, float] = (6e-09, 5e-10, 2.1e-08)
    numpy_add: tuple[float, float] = (4.5e-11, 7e-11)


# fmt: off
AMD = Machine(  # of AMD's with 512-bit registers: matrix products take as long, oneDNN's kernels half
    points=(
        (2.3e-10, 2.3e-10, 2.7e-10, 2.9e-10, 2.9e-10, 3.2e-10, 3.2e-10, 3.7e-10,
         4.3e-10, 3.6e-10, 5.1e-10, 4.9e-10, 5.6e-10, 6.1e-10, 7e-10, 8e-10),
        (5.1e-10, 5.1e-10, 5.2e-10, 6.7e-10, 7.2e-10, 7.8e-10, 9e-10, 9.5e-10,
         1e-09, 1.1e-09, 1.3e-09, 1.7e-09, 1.6e-09, 1.8e-09, 1.9e-09, 2.1e-09),
    ),
    fft_call=(1.3e-05, 1.6e-05),
    fft_table=(4e-09, 2.8e-09),
    part_call=(5.6e-06, 1.2e-05),
    product=(2e-10, 3e-10),
    moved=(1.8e-10, 3.6e-10),
    mix=(5.6e-11, 1.1e-10),
    reorder=(1.6e-09, 2.5e-09),
    near_passes=0.7,
    far_passes=1.5,
    direct_call=8e-06,
    multiply_add=(9e-11, 7.6e-10),
    depthwise=(4.5e-12, 1.5e-10),
    depthwise_output=1.8e-10,
    laned=4.2e-12,
    laned_backward=(1.05, 1.15),
    laid=1e-10,
    grouped=3.8e-10,
    one_tap=1.05e-11,
    many_taps=1.85,
    depthwise_weight=(2.2e-10, 3.7e-10),
    lag_number=(1.2e-10, 2.4e-10),
    phase_output=(2e-10, 4e-10),
    column=(5.5e-10, 1.1e-09),
    column_add=(2.5e-12, 5e-12),
    transposed_add=(8.5e-11, 1.8e-10),
    diagonal_add=(8.4e-12, 1.8e-11),
    diagonal_number=(1.7e-10, 3.6e-10),
    diagonal_input=(7e-11, 1.4e-10),
    lone=(3.6e-12, 1e-13, 2.1e-10),
    lone_weight=(4e-12, 3.2e-10, 8e-11),
    windows=(1.3e-11, 2.2e-10, 9e-11),
    toeplitz_call=2.2e-05,
    toeplitz_output=(3.7e-10, 1.2e-09),
    toeplitz_add=(1.1e-11, 2.6e-11),
    shifted=(6e-11, 2e-10),
    short=4.5e-05,
    rows_call=5e-06,
    rows_output=(5e-10, 6e-10),
    rows_add=(2.5e-11, 5.8e-11),
    numpy_call=8e-07,
    numpy_tap=(9e-11, 4e-11),
    numpy_output=(4e-09, 2.5e-10, 1.2e-08),
    numpy_add=(3e-11, 6.5e-11),
)
# fmt: on


@cache
def shipped(place: str = "/proc/cpuinfo") -> Machine:
    """The constants for processors like this one, as Linux describes it at `place`."""
    try:
        with open(place, encoding="ascii", errors="replace") as lines:
            about = lines.read(4096)  # of the first core
    except OSError:
        return Machine()
    return AMD if "AuthenticAMD" in about and " avx512f " in about else Machine()


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
    """The constants kept at `path`; those shipped where there are none, or none that make sense."""
    try:
        given = json.loads(path.read_text("utf-8")) if path is not None else None
    except (OSError, ValueError):
        return shipped()
    return _checked(given) if isinstance(given, dict) else shipped()


def _checked(given: dict[str, Any]) -> Machine:
    like, found = shipped(), {}
    for name, value in given.items():
        model = getattr(like, name, None) if name in Machine._fields else None
        frozen = _frozen(value)
        if model is None or not _alike(frozen, model):
            return like
        found[name] = frozen
    return like._replace(**found)


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
        return shipped()


MACHINE = _this_machine()
