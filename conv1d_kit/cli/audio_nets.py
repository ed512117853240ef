"""`conv1d-kit audio nets`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import JsonFlag, emit, table

__all__ = ["nets"]

_Rate = Annotated[int, typer.Option(min=100, max=1_000_000, help="Hz.")]
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
                row.name, row.frontend, f"{row.weights:,}", f"{row.multiply_adds / 1e6:.1f} M",
                f"{row.frontend_multiply_adds / 1e6:.1f} M", f"{row.receptive_field_ms:.0f}",
                f"{row.look_ahead_ms:.0f}",
            )
            for row in rows
        ]  # fmt: skip
        title = f"{sample_rate} Hz, {n_classes} classes, multiply-adds of a clip of {duration:g} s"
        columns = [
            "net", "front-end", "weights", "multiply-adds", "front-end's", "hears (ms)", "looks ahead (ms)"
        ]  # fmt: skip
        console.print(table(title, columns, cells))
        console.print(
            "hears: what a frame before the pooling depends on; looks ahead: how far beyond the frame.\n"
            "The front-end's multiply-adds are those of a convolution; by FFT it takes far fewer."
        )

    emit(result, show, as_json=json)
