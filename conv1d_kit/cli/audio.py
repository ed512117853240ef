"""`conv1d-kit audio …`: the verbs, each in a file of its own."""

from __future__ import annotations

import typer

from .audio_cv import cv
from .audio_embed import embed
from .audio_events import events
from .audio_explain import explain
from .audio_export import export
from .audio_inspect import inspect
from .audio_listen import listen
from .audio_nets import nets
from .audio_predict import predict
from .audio_rates import rates
from .audio_report import report
from .audio_search import search
from .audio_train import train

__all__ = ["app"]

app = typer.Typer(help="Sounds: train, predict, cross-validate, find events.", no_args_is_help=True)
for verb in (
    train, predict, cv, rates, inspect, report, events, listen, embed, search, explain, export, nets,
):  # fmt: skip
    app.command()(verb)
