"""The command `conv1d-kit`: verbs, one line an error, exit code 2 for what the user can mend."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import typer

from ..errors import ConvKitError
from . import audio, bench, convolve, demo, text
from .output import JsonFlag, emit, note, visible

__all__ = ["app", "main"]

_UsageError: Any = typer.BadParameter.__mro__[2]  # typer brings its own click since 0.26; older ones import it

app = typer.Typer(
    name="conv1d-kit",
    help="Convolution for audio and text: files with responses; train, predict and cross-validate classifiers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.add_typer(audio.app, name="audio")
app.add_typer(text.app, name="text")
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("convolve")(convolve.convolve)


@app.command()
def version(as_json: JsonFlag = False) -> None:
    """Print the version."""
    from .. import __version__

    emit({"version": __version__}, lambda console: console.print(__version__), as_json=as_json)


def main(argv: list[str] | None = None) -> None:
    """Entry point: run the verb; every failure is one line (and with --json one object), never a traceback.

    Exit codes: 2 for what the user can mend, 130 for Ctrl-C, 1 for a fault of this program.
    """
    arguments = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name need not be text in any encoding
    try:
        code = app(arguments, standalone_mode=False) or 0
        if code == 130:  # some versions of typer make this of Ctrl-C themselves
            raise KeyboardInterrupt
    except ConvKitError as error:
        code = _fail(2, f"error: {error}", arguments)
    except _UsageError as error:
        words = error.format_message()  # none where the help has just been shown
        code = _fail(2, f"error: {words}", arguments) if words else 2
    except (KeyboardInterrupt, typer.Abort):
        code = _fail(130, "interrupted", arguments)
    except BrokenPipeError:  # the reader of our output, `head` say, has what it wanted
        _drop_output()
        code = 1
    except Exception as error:
        if os.environ.get("CONV1D_KIT_TRACEBACK"):
            traceback.print_exc()
        if _is_memory(error):
            words = f" ({error})" if str(error) else ""
            code = _fail(2, f"error: not enough memory{words}; ask for smaller sizes, or free some", arguments)
        else:
            words = f"{type(error).__name__}: {error}".rstrip(": ")
            code = _fail(
                1, f"internal error: {words}; run with CONV1D_KIT_TRACEBACK=1 for the traceback", arguments
            )
    sys.exit(code if isinstance(code, int) else 0)


def _is_memory(error: Exception) -> bool:
    """Whether more was asked for than the machine has; torch says so by a RuntimeError."""
    said = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("allocate memory" in said or "out of memory" in said)
    )


def _fail(code: int, message: str, arguments: list[str]) -> int:
    line = " ".join(message.splitlines())
    note(line)
    try:
        if "--json" in arguments:
            typer.echo(json.dumps({"error": visible(line.removeprefix("error: "))}, ensure_ascii=False))
        sys.stdout.flush()
    except OSError:  # a full disk, say, which may be the very failure
        _drop_output()
    return code


def _drop_output() -> None:
    """Let what standard output still holds go nowhere, or the interpreter stumbles over it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
