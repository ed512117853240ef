"""`conv1d-kit audio …`"""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(help="Train, predict, cross-validate.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass
