"""`conv1d-kit text nets`"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ..errors import InputError
from .output import JsonFlag, emit, table

__all__ = ["nets"]

_Classes = Annotated[int, typer.Option("--classes", min=2, max=100_000, help="Of the last layer.")]
_Tokens = Annotated[
    int, typer.Option("--tokens", min=1, max=100_000, help="Of the sentence whose multiply-adds are counted.")
]
_Dim = Annotated[int | None, typer.Option("--dim", min=1, help="Length of an embedding.")]
_Filters = Annotated[
    int | None, typer.Option("--filters", min=1, help="Filters, or channels of the first layers.")
]
_Published = Annotated[bool, typer.Option("--published", help="At the sizes of the papers that have any.")]


def nets(
    classes: _Classes = 2,
    tokens: _Tokens = 20,
    dim: _Dim = None,
    filters: _Filters = None,
    published: _Published = False,
    json: JsonFlag = False,
) -> None:
    """Show the models: what each net costs and how far it hears, which n-grams each baseline weighs."""
    if published and (dim is not None or filters is not None):
        raise InputError("--published brings its own sizes; leave out --dim and --filters")
    from ..text.classifier import TextClassifier
    from ..text.describe import describe_nets
    from ..text.linear import LINEAR
    from ..text.net_options import NetOptions

    own = NetOptions()
    options = NetOptions(
        dim=own.dim if dim is None else dim, filters=own.filters if filters is None else filters
    )
    rows = describe_nets(None if published else options, n_classes=classes, n_tokens=tokens)
    baselines = [
        {"name": name, "unit": row.unit, "low": row.low, "high": row.high, "values": row.values, "C": row.C,
         "source": row.source}
        for name, row in LINEAR.items()
    ]  # fmt: skip
    members = list(TextClassifier().members)
    result = {
        "n_classes": classes, "n_tokens": tokens, "nets": [asdict(row) for row in rows], "baselines": baselines,
        "blend": members,
    }  # fmt: skip

    def show(console) -> None:
        cells = [
            (row.name, row.weights, row.multiply_adds / 1e6, row.receptive_field, row.options.dim,
             row.options.filters, row.source)
            for row in rows
        ]  # fmt: skip
        columns = ["net", "weights", "multiply-adds", "hears", "dim", "filters", "source"]
        console.print(table(f"{classes} classes, a sentence of {tokens} tokens", columns, cells))
        console.print(
            "weights: without the embeddings; multiply-adds: millions, of one sentence\n"
            "hears: tokens that a place before the pooling depends on\n"
        )
        lines = [
            (
                b["name"],
                f"{b['low']} to {b['high']} {b['unit']}s" if b["name"] != "majority" else "none",
                b["source"],
            )
            for b in baselines
        ]
        lines.append(("blend", "of its members", ", ".join(members)))
        console.print(table("models without a net, and the blend", ["model", "n-grams", "what it is"], lines))

    emit(result, show, as_json=json)
