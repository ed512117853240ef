"""`conv1d-kit bench`"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, emit, note, progress, table

__all__ = ["bench"]

Tune = Annotated[bool, typer.Option("--tune", help="Measure this machine (some 15 s) and keep what was found.")]
Reset = Annotated[bool, typer.Option("--reset", help="Forget what was kept.")]
SHAPES = (  # x, w, dtype
    ((1, 1, 10_000), (1, 1, 63), "float32"),
    ((1, 1, 100_000), (1, 1, 1_023), "float32"),
    ((1, 1, 100_000), (1, 1, 1_023), "float64"),
    ((1, 1, 1_000_000), (1, 1, 16_383), "float32"),
    ((8, 16, 4_000), (16, 16, 9), "float32"),
    ((8, 16, 4_000), (32, 16, 64), "float32"),
    ((4, 16, 8_000), (16, 16, 255), "float32"),
    ((8, 1, 16_000), (32, 1, 251), "float32"),
)
MOST_PREDICTED_S = 5.0  # a method that would take longer is left out


def bench(tune: Tune = False, reset: Reset = False, as_json: JsonFlag = False) -> None:
    """Time each method on a few shapes beside what is chosen; --tune measures the machine first."""
    from ..core.machine import MACHINE, PLACE, save, shipped, wisdom_path
    from ..report.page import check_target

    if tune and reset:
        raise InputError("--tune and --reset must not come together, got both; choose one")
    path = wisdom_path()
    if path is None and (tune or reset):
        raise InputError(
            "CONV1D_KIT_WISDOM must name a file to keep the constants in, got an empty name; unset it"
        )
    if path is not None and (tune or reset):
        check_target(path, "wisdom.json", f"name another place with {PLACE}")
    if reset:
        assert path is not None
        existed = path.exists()
        path.unlink(missing_ok=True)
        words = f"forgotten: {path}" if existed else f"nothing was kept at {path}"
        return emit(
            {"wisdom": str(path), "forgotten": existed}, lambda console: console.print(words), as_json=as_json
        )
    if tune:
        assert path is not None
        machine = _measured()
        save(machine, path)

        def show(console) -> None:
            rows = [
                [name, _short(getattr(shipped(), name)), _short(getattr(machine, name))]
                for name in machine._fields
            ]
            console.print(table("Constants (seconds)", ("name", "as shipped", "measured"), rows))
            console.print(f"kept in {path}; the next process uses them", soft_wrap=True, markup=False)

        return emit({"wisdom": str(path), **machine._asdict()}, show, as_json=as_json)
    found = [_compared(*shape) for shape in SHAPES]
    kept = str(path) if path is not None and path.exists() and shipped() != MACHINE else None

    def show_methods(console) -> None:
        rows = [
            [f"{row['x']} ∗ {row['w']} {row['dtype']}", row["chosen"], f"{row['share']:.2f}",
             ", ".join(f"{name} {1e3 * s:.2f}" for name, s in row["seconds"].items())]
            for row in found
        ]  # fmt: skip
        console.print(table("Methods", ("x ∗ w", "chosen", "÷ quickest", "milliseconds"), rows))
        console.print(
            f"constants: {kept or 'as shipped; --tune measures this machine'}", soft_wrap=True, markup=False
        )

    emit({"wisdom": kept, "shapes": found}, show_methods, as_json=as_json)


def _measured():
    from ..core.tune import measure

    with progress() as bars:
        if bars.disable:
            note("Measuring this machine …")
        task = bars.add_task("Measuring this machine", total=6)
        return measure(lambda done, total: bars.update(task, completed=done, total=total))


def _compared(x_shape: tuple[int, ...], w_shape: tuple[int, ...], dtype: str) -> dict:
    """Least seconds by each method, and the chosen one's share of the quickest."""
    import torch

    from ..core.conv import conv
    from ..core.planned import plan_conv
    from ..core.tune import least_seconds

    x, w = (torch.randn(shape, dtype=getattr(torch, dtype)) for shape in (x_shape, w_shape))
    plan, seconds = plan_conv(x_shape, w, x.dtype), {}
    for method, predicted in plan.predicted().items():
        if predicted > MOST_PREDICTED_S:
            continue
        seconds[method] = least_seconds(partial(conv, x, w, method=method), budget_s=0.15)
    return {
        "x": x_shape, "w": w_shape, "dtype": dtype, "chosen": plan.method, "seconds": seconds,
        "share": seconds[plan.method] / min(seconds.values()),
    }  # fmt: skip


def _short(value) -> str:
    return ", ".join(map(_short, value)) if isinstance(value, tuple) else f"{value:.2g}"
