"""How the text verbs are told which model to train: the usual options by name, every other by --set."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import InputError
from .output import note
from .settings import with_settings

__all__ = [
    "BatchSize", "Dim", "Epochs", "Filters", "Members", "MinCount", "Model", "Rate", "Seed", "Set", "Tokenizer",
    "Widths", "classifier_options",
]  # fmt: skip

Model = Annotated[
    str | None,
    typer.Option(
        "--model", help="A net, a baseline or blend; `conv1d-kit text nets` lists them. By default cnn."
    ),
]
Members = Annotated[
    str | None, typer.Option("--members", help="Models that blend averages, such as nb_words,cnn,cnn.")
]
Tokenizer = Annotated[
    str | None,
    typer.Option("--tokenizer", help="word, kim, space, character, character_space, byte or bpe (learned)."),
]
Widths = Annotated[str | None, typer.Option("--widths", help="Filter widths in tokens, such as 3,4,5.")]
Filters = Annotated[int | None, typer.Option("--filters", help="Filters of each width.")]
Dim = Annotated[int | None, typer.Option("--dim", help="Length of an embedding.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the training texts.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Texts a step.")]
Rate = Annotated[float | None, typer.Option("--lr", help="Peak learning rate.")]
MinCount = Annotated[int | None, typer.Option("--min-count", help="Rarer words are unknown.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same figures.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any other option of TextClassifier, such as dropout=0.3; may stand several times."
    ),
]


def classifier_options(
    *, settings: list[str] | None = None, widths: str | None = None, members: str | None = None, **given: Any
) -> dict[str, Any]:
    """The classifier's arguments that were given, checked; its own defaults serve for the others.

    Raises
    ------
    InputError
        Under the option's name on the command line.
    """
    options = {k: v for k, v in given.items() if v is not None}
    if widths is not None:
        options["widths"] = _ints(widths)
    if members is not None:
        options["members"] = tuple(name.strip() for name in members.split(","))
    from ..text.classifier import TextClassifier

    options = with_settings(options, settings, TextClassifier)
    classifier = TextClassifier(**options)
    unread = classifier.unread_options(options)
    if unread:
        named = ", ".join(unread)
        note(f"note: {named} {'has' if len(unread) == 1 else 'have'} no say in the model {classifier.model}")
    return options


def _ints(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--widths must be ints >= 1 with commas between, got {text!r}; try 3,4,5") from error
