"""`conv1d-kit audio rates`: which learning rates learn and which diverge on a set of clips."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .audio_options import (
    Cache,
    Data,
    Frontend,
    LabelColumn,
    Mels,
    Net,
    PathColumn,
    Rate,
    Seed,
    Set,
    make_classifier,
    tell_set,
)
from .output import JsonFlag, check_apart, emit, table

__all__ = ["rates"]

_ROWS = 12  # of the table


def rates(
    data: Data,
    net: Net = "spectrogram",
    frontend: Frontend = None,
    seed: Seed = 0,
    sample_rate: Rate = None,
    n_mels: Mels = None,
    low: Annotated[float, typer.Option(help="First learning rate tried.")] = 1e-5,
    high: Annotated[float, typer.Option(help="Last one.")] = 1.0,
    steps: Annotated[int, typer.Option(min=10, help="Updates in all, the rate growing at each.")] = 100,
    settings: Set = None,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    cache: Cache = None,
    svg: Annotated[Path | None, typer.Option(help="Draw loss over learning rate.")] = None,
    json: JsonFlag = False,
) -> None:
    """Find a learning rate: one short run in which it grows, and where the loss falls fastest."""
    from ..audio.dataset import read_dataset
    from ..report.page import check_target

    start = time.perf_counter()
    if svg is not None:
        check_target(svg, "rates.svg", "choose another place with --svg")
        check_apart("--svg", svg, data)
    model = make_classifier(
        settings, net=net, frontend=frontend, seed=seed, sample_rate=sample_rate, n_mels=n_mels
    )
    data_set = read_dataset(data, path_column=path_column, label_column=label_column, with_folds=False)
    tell_set(data_set)
    try:
        found = model.find_learning_rate(
            list(data_set.paths),
            data_set.targets,
            cache=cache,
            low=low,
            high=high,
            n_steps=steps,
        )
    except InputError as error:
        raise InputError(str(error).replace("low and high must", "--low and --high must")) from error
    if svg is not None:
        from ..report.plots import learning_rates, to_svg

        try:
            svg.write_bytes(to_svg(learning_rates(found)))
        except OSError as error:
            raise InputError(f"--svg cannot be written, {svg}: {error.strerror}") from error
    result = {
        "net": net, "suggestion": found.suggestion, "default": model.learning_rate, "exploded": found.exploded,
        "rates": list(found.rates), "losses": list(found.losses), "seconds": time.perf_counter() - start,
    }  # fmt: skip

    def show(console) -> None:
        every = max(1, len(found.rates) // _ROWS)
        rows = [
            (f"{r:.2g}", f"{loss:.3f}")
            for r, loss in zip(found.rates[::every], found.losses[::every], strict=True)
        ]
        console.print(table(f"{len(found.rates)} steps", ["learning rate", "loss (smoothed)"], rows))
        if found.suggestion is None:
            console.print("no suggestion: the loss never fell; look at the data, or try other --low and --high")
        else:
            console.print(
                f"the loss fell fastest at {found.suggestion:.2g}: --set learning_rate={found.suggestion:.2g} "
                f"(default {model.learning_rate:g})"
            )
        if found.exploded:
            console.print(f"it exploded at about {found.rates[-1]:.2g}")
        if svg is not None:
            console.print(f"picture: {svg}", markup=False, soft_wrap=True)

    emit(result, show, as_json=json)
