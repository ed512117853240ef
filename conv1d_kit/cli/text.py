"""`conv1d-kit text …`: the verbs of texts, a file each."""

from __future__ import annotations

import typer

from .text_compare import compare
from .text_cv import cv
from .text_explain import explain
from .text_export import card, export
from .text_filters import filters
from .text_inspect import inspect
from .text_nets import nets
from .text_predict import predict
from .text_probe import probe
from .text_sweep import sweep
from .text_train import train

__all__ = ["app"]

app = typer.Typer(
    help="Train, predict, cross-validate texts; sweep and compare models; see why.", no_args_is_help=True
)
app.command()(train)
app.command()(predict)
app.command()(cv)
app.command()(sweep)
app.command()(compare)
app.command()(inspect)
app.command()(explain)
app.command()(filters)
app.command()(probe)
app.command()(nets)
app.command()(export)
app.command()(card)
