"""What `audio events` and `audio listen` ask for alike, and their errors by the names of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConvKitError

__all__ = ["ClassesOption", "HopOption", "ModelArgument", "OnOption", "SilenceOption", "WindowOption",
           "by_option_names", "class_names", "silence_db"]  # fmt: skip

ModelArgument = Annotated[Path, typer.Argument(help="A model folder that `audio train` wrote.")]
WindowOption = Annotated[
    float | None, typer.Option(help="Seconds that the net hears at once; default the model's own, else 3.")
]
HopOption = Annotated[
    float | None, typer.Option(help="Seconds from one window to the next; default half a window.")
]
OnOption = Annotated[float, typer.Option(help="A window that scores this much, 0 to 1, begins an event.")]
ClassesOption = Annotated[
    list[str] | None, typer.Option("--classes", help="Only these: repeat it, or separate names by commas.")
]
SilenceOption = Annotated[
    float, typer.Option(help="dBFS: a window that stays this quiet belongs to no class; -inf hears all.")
]


@contextmanager
def by_option_names() -> Iterator[None]:
    """Errors by the names of the command: min_duration_s is --min-duration."""
    try:
        yield
    except ConvKitError as error:
        name, must, rest = str(error).partition(" must ")
        option = re.sub(r"_(s|db)$", "", name)
        if not must or option not in _OPTIONS:
            raise
        raise type(error)(f"--{option.replace('_', '-')} must {rest}") from error


def class_names(classes: list[str] | None, known: Sequence[str]) -> list[str] | None:
    """The words after every --classes, taken apart at commas where they are not the name of one class.

    Examples
    --------
    >>> class_names(["rain, heavy", "dog,cat"], ["cat", "dog", "rain, heavy"])
    ['rain, heavy', 'dog', 'cat']
    """
    if classes is None:
        return None
    return [n.strip() for part in classes for n in ([part] if part in known else part.split(","))]


def silence_db(silence: float) -> float | None:
    """None, which hears all, for -inf."""
    return None if silence == float("-inf") else silence


_OPTIONS = ("window", "hop", "on", "off", "gap", "min_duration", "min_score", "mode", "classes", "silence",
            "format", "out", "resume")  # fmt: skip
