"""How the text verbs are told which model to train: the usual options by name, every other by --set."""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any

import typer

from ..errors import InputError

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

    known = TextClassifier().get_params()
    own = set()
    for setting in settings or []:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set must be NAME=VALUE, got {setting!r}; try --set dropout=0.3")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; allowed are {', '.join(known)}"
            raise InputError(f"--set must name an option of TextClassifier, got {name!r}{hint}")
        if name == "seed":
            raise InputError("--set must not name seed: it has an option of its own, --seed N")
        if name in options:
            raise InputError(
                f"--set {name}=… must not stand beside --{name.replace('_', '-')} or itself; give one"
            )
        options[name] = _value(text)
        own.add(name)
    try:
        TextClassifier(**options).check_options()
    except InputError as error:
        name, _, rest = str(error).partition(" ")
        flag = f"--set {name}" if name in own else f"--{name.replace('_', '-')}"
        raise InputError(f"{flag} {rest}") from error
    return options


def _value(text: str) -> Any:
    """A number, true, false, null or a list with commas, as JSON has them; anything else is the word itself.

    Examples
    --------
    >>> _value("0.3"), _value("[1, 2]"), _value("balanced"), _value("none")
    (0.3, (1, 2), 'balanced', None)
    """
    if text.lower() in ("none", "null"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        lowered = text.lower()
        return {"true": True, "false": False}.get(lowered, text)
    return tuple(value) if isinstance(value, list) else value


def _ints(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--widths must be ints >= 1 with commas between, got {text!r}; try 3,4,5") from error
