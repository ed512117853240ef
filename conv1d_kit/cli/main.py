"""The command `conv1d-kit`: verbs, one line an error, exit code 2 for what the user can mend."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

from ..errors import ConvKitError
from . import audio, demo, text
from .output import note

__all__ = ["app", "main"]

_UsageError: Any = typer.BadParameter.__mro__[2]  # typer brings its own click since 0.26; older ones import it

app = typer.Typer(
    name="conv1d-kit",
    help="Convolution for audio and text: train, predict and cross-validate classifiers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.add_typer(audio.app, name="audio")
app.add_typer(text.app, name="text")
app.command("demo")(demo.demo)


@app.command()
def version() -> None:
    """Print the version."""
    from .. import __version__

    typer.echo(__version__)


def main(argv: list[str] | None = None) -> None:
    """Entry point: run the verb; errors made for the user become one line and exit code 2."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = app(arguments, standalone_mode=False) or 0
    except ConvKitError as error:
        code = _fail(str(error), arguments)
    except _UsageError as error:
        code = _fail(error.format_message(), arguments)
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, arguments: list[str]) -> int:
    note(f"error: {message}")
    if "--json" in arguments:
        typer.echo(json.dumps({"error": message}, ensure_ascii=False))
    return 2
