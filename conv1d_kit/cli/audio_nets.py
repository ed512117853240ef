"""`conv1d-kit audio nets`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import JsonFlag, emit, table

__all__ = ["nets"]

_Rate = Annotated[int, typer.Option(min=2000, max=1_000_000, help="Hz.")]
_Classes = Annotated[int, typer.Option(min=1, max=100_000, help="Of the last layer.")]
_Duration = Annotated[
    float, typer.Option(min=0.001, max=60, help="Seconds of the clip whose multiply-adds are counted.")
]


def nets(
    sample_rate: _Rate = 16000, n_classes: _Classes = 10, duration: _Duration = 1.0, json: JsonFlag = False
) -> None:
    """Show what each net costs and hears: weights, multiply-adds, receptive field, look-ahead."""
    from ..audio.describe import describe_nets

    rows = describe_nets(sample_rate=sample_rate, n_classes=n_classes, duration_s=duration)
    result = {
        "sample_rate": sample_rate, "n_classes": n_classes, "duration_s": duration,
        "nets": [asdict(row) for row in rows],
    }  # fmt: skip

    def show(console) -> None:
        cells = [
            (
                row.name, row.weights, row.multiply_adds / 1e6, round(row.receptive_field_ms),
                round(row.look_ahead_ms), row.frontend, row.frontend_multiply_adds / 1e6,
            )
            for row in rows
        ]  # fmt: skip
        title = f"{sample_rate} Hz, {n_classes} classes, a clip of {duration:g} s"
        columns = ["net", "weights", "multiply-adds", "hears", "ahead", "front-end", "its own"]
        console.print(table(title, columns, cells))
        console.print(
            "multiply-adds: millions in the clip; the front-end's own as a convolution, fewer by FFT\n"
            "hears: ms of sound that a frame before the pooling depends on; ahead: ms of it beyond the frame"
        )

    emit(result, show, as_json=json)
