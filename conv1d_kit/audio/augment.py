"""Augmentations of a whole batch of features at once, by name; each row of AUGMENTS says what it can work on.

A row is a plain function (batch, frontend, generator, *, options) → batch, decided by the generator alone.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch

from ..errors import InputError, one_line
from .augment_filter import filtering
from .augment_level import gain, polarity
from .augment_mix import mix, mixup
from .augment_noise import noise
from .augment_pitch import pitch
from .augment_room import room
from .augment_speed import speed
from .augment_tempo import tempo
from .augment_time import crop, masks, roll, shift
from .batch import KINDS, Batch, kind_of
from .frontends import LogMel, Raw

__all__ = [
    "AUGMENTS", "Augment", "Batch", "augment", "check_augments", "crop", "filtering", "gain", "masks", "mix",
    "mixup", "noise", "pitch", "polarity", "roll", "room", "shift", "speed", "tempo",
]  # fmt: skip


class Augment(NamedTuple):
    """A row of AUGMENTS: the function, and which of batch.KINDS of features it is for."""

    function: Callable[..., Batch]
    kinds: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """Its keyword options and their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def augment(
    batch: Batch, names: Iterable[str | tuple[str, Mapping]], frontend: Any, generator: torch.Generator
) -> Batch:
    """Apply rows of AUGMENTS in order: names, or pairs (name, options).

    Raises
    ------
    InputError
        As `check_augments`.

    Examples
    --------
    >>> batch = Batch(torch.ones(2, 1, 4), torch.tensor([4, 2]), torch.eye(2))
    >>> generator = torch.Generator().manual_seed(0)
    >>> augment(batch, ["roll", ("polarity", {"share": 1.0})], Raw(8000), generator).x[:, 0]
    tensor([[-1., -1., -1., -1.],
            [-1., -1.,  1.,  1.]])
    """
    for name, options in check_augments(names, frontend):
        batch = AUGMENTS[name].function(batch, frontend, generator, **options)
    return batch


def check_augments(
    names: Iterable[str | tuple[str, Mapping]], frontend: Any | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """(name, options) of each, checked: names and keys known, values allowed, all of it fit for JSON.

    Parameters
    ----------
    names : sequence of names, or of pairs (name, options)
    frontend : Frontend, optional
        Then a row that is not for its features is refused too.

    Raises
    ------
    InputError
        An unknown name or option, with the nearest known one; a value that the row refuses or that JSON cannot
        hold; a row that cannot work on the front-end's features.

    Examples
    --------
    >>> check_augments(["roll", ("gain", {"most_db": 3.0})])
    [('roll', {}), ('gain', {'most_db': 3.0})]
    >>> check_augments(["rol"])
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: augment has no 'rol'; did you mean 'roll'?
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"augment must be a sequence of {', '.join(AUGMENTS)}, got {one_line(names)}")
    checked = []
    for entry in names:
        name, options = (entry, {}) if isinstance(entry, str) else _pair(entry)
        if name not in AUGMENTS:
            raise InputError(f"augment has no {one_line(name)}{_nearest(name, AUGMENTS)}")
        row = AUGMENTS[name]
        _check_options(name, row, options)
        if frontend is not None and kind_of(frontend) not in row.kinds:
            raise InputError(
                f"augment {name!r} is for {' and '.join(row.kinds)} features, got a front-end "
                f"{type(frontend).__name__} ({kind_of(frontend)}); leave it out or choose another front-end"
            )
        checked.append((name, dict(options)))
    return checked


def _pair(entry: Any) -> tuple[str, Mapping]:
    if (
        not isinstance(entry, tuple | list)
        or len(entry) != 2
        or not isinstance(entry[0], str)
        or not isinstance(entry[1], Mapping)
    ):
        raise InputError(
            f"augment must hold names of {', '.join(AUGMENTS)} or pairs (name, options), got {one_line(entry)}"
        )
    return entry[0], entry[1]


def _check_options(name: str, row: Augment, options: Mapping) -> None:
    known = row.options()
    for key in options:
        if key not in known:
            raise InputError(f"augment {name!r} has no option {one_line(key)}{_nearest(key, known)}")
    if not options:
        return
    try:
        json.dumps(dict(options), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"augment {name!r} must have options that JSON can hold, got {one_line(dict(options))} ({error})"
        ) from None
    try:  # the row's own checks, on a batch of none
        row.function(*_NOTHING[row.kinds[0]](), torch.Generator(), **options)
    except InputError as error:
        raise InputError(f"augment {name!r}: {error}") from None


def _nearest(word: Any, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(word), list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known) or 'none'}"


def _no_waves() -> tuple[Batch, Any]:
    return Batch(torch.zeros(0, 1, 0), torch.zeros(0, dtype=torch.long), torch.zeros(0, 2)), Raw(16000)


def _no_mels() -> tuple[Batch, Any]:
    return Batch(torch.zeros(0, 8, 0), torch.zeros(0, dtype=torch.long), torch.zeros(0, 2)), LogMel(16000, 8)


_NOTHING = {"waveform": _no_waves, "log_mel": _no_mels}
_BOTH = ("waveform", "log_mel")
_POWERS = (*_BOTH, "log_power")

AUGMENTS: dict[str, Augment] = {
    "speed": Augment(speed, _BOTH),
    "roll": Augment(roll, KINDS),
    "gain": Augment(gain, _POWERS),
    "mix": Augment(mix, _POWERS),
    "masks": Augment(masks, KINDS),
    "mixup": Augment(mixup, KINDS),
    "shift": Augment(shift, _POWERS),
    "crop": Augment(crop, KINDS),
    "pitch": Augment(pitch, _BOTH),
    "noise": Augment(noise, _BOTH),
    "tempo": Augment(tempo, _BOTH),
    "filtering": Augment(filtering, _BOTH),
    "room": Augment(room, _BOTH),
    "polarity": Augment(polarity, ("waveform",)),
}
