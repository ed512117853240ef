"""`--set NAME=VALUE`: any option of an estimator, beside those that have a flag of their own."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from ..errors import InputError

__all__ = ["with_settings"]


def with_settings(options: dict[str, Any], settings: Sequence[str] | None, kind: type) -> dict[str, Any]:
    """The options given by flags and by `--set`, checked.

    Parameters
    ----------
    options : dict
        Those given by flags; the flag is --NAME with dashes.
    settings : sequence of "NAME=VALUE", or None
    kind : class
        The estimator: `get_params` and `check_options` say what it takes.

    Raises
    ------
    InputError
        Under the option's name on the command line.
    """
    options, own = dict(options), set()
    known = kind().get_params()
    for setting in settings or []:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"--set must be NAME=VALUE, got {setting!r}; try --set dropout=0.3")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; allowed are {', '.join(known)}"
            raise InputError(f"--set must name an option of {kind.__name__}, got {name!r}{hint}")
        if name == "seed":
            raise InputError("--set must not name seed: it has an option of its own, --seed N")
        if name in options:
            raise InputError(
                f"--set {name}=… must not stand beside --{name.replace('_', '-')} or itself; give one"
            )
        options[name] = _value(text)
        own.add(name)
    try:
        kind(**options).check_options()
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
