"""`conv1d-kit demo`"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import JsonFlag, emit, note, progress, table

__all__ = ["demo"]

Out = Annotated[
    Path, typer.Option("--out", help="Where the page goes: an .html file, or a folder for report.html.")
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=2**32 - 1, help="Decides the data, the split and the nets.")
]


def demo(out: Out = Path("report.html"), seed: Seed = 0, as_json: JsonFlag = False) -> None:
    """Train both classifiers on data the kit makes itself and write report.html."""
    from ..report.demo import run_demo
    from ..report.demo_page import demo_page, summary_rows
    from ..report.page import check_target, write_page

    start = time.perf_counter()
    target = out if out.suffix.lower() in (".html", ".htm") else out / "report.html"
    check_target(target)
    with progress() as bars:
        tasks: dict[str, Any] = {}

        def on_step(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                if bars.disable:  # no terminal, no bars
                    note(f"{stage} …")
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        result = run_demo(seed, on_step=on_step)
        on_step("Drawing the page", 0, 1)
        path = write_page(demo_page(result), target).resolve()
        on_step("Drawing the page", 1, 1)
    seconds = time.perf_counter() - start

    def show(console) -> None:
        columns = ("Model", "Held-out accuracy", "95 % interval", "Trained on", "Held out")
        console.print(table("Demo", columns, summary_rows(result)))
        console.print(f"Pictures, sounds and filters: {path}", soft_wrap=True, markup=False)
        console.print(f"{seconds:.0f} s")

    models = {
        key: {
            "accuracy": outcome.accuracy,
            "interval": outcome.interval,
            "n_test": len(outcome.true),
            "final_loss": outcome.losses[-1] if outcome.losses else None,
        }
        for key, outcome in zip(("spectrogram", "wave", "text", "bag_of_words"), result.outcomes, strict=True)
    }
    emit({"seed": seed, **models, "report": str(path), "seconds": round(seconds, 1)}, show, as_json=as_json)
