"""What a job from files to a file may be asked for, looked at before one is opened."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError, is_number, one_line
from .file_job import MODES
from .sound_file import shown_path

__all__ = ["check_options", "check_paths", "check_target"]


def check_options(
    mode, gain_db, wet, dry, peak, normalize, resume, journal, overwrite, progress, block
) -> None:
    """InputError or InputTypeError for the first option that cannot be."""
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {one_line(mode)}")
    for name, value in (("gain_db", gain_db), ("wet", wet), ("dry", dry)):
        _check_number(name, value)
    if wet == 0 and dry == 0:
        raise InputError("wet and dry must not both be 0, got 0 and 0: all would be silence")
    if peak is not None:
        _check_number("peak", peak)
        if peak > 0:
            raise InputError(f"peak must be <= 0 (dBFS), got {peak}")
    options = {"normalize": normalize, "resume": resume, "journal": journal, "overwrite": overwrite}
    for name, value in options.items():
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"{name} must be True or False, got {one_line(value)}")
    if normalize and peak is None:
        raise InputError("normalize must come with peak (dBFS), got peak=None; peak=-1.0 leaves 1 dB")
    if resume and not journal:
        raise InputError(
            "resume must come with journal=True, got False: without one there is nothing to go on from"
        )
    if progress is not None and not callable(progress):
        raise InputTypeError(f"progress must be a function(done, total) or None, got {type(progress).__name__}")
    if block is not None and (isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 1):
        raise InputError(f"block must be an int >= 1 (frames), got {one_line(block)}")


def _check_number(name: str, value: Any) -> None:
    if not is_number(value):
        raise InputTypeError(f"{name} must be a number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value}")


def check_paths(src: Any, dst: Any, kernel: Any, overwrite: bool) -> None:
    """InputError for a dst that must not or cannot be written; src and kernel stay as they are."""
    for name, path in (("src", src), ("dst", dst)):
        if not isinstance(path, str | bytes | os.PathLike):
            raise InputTypeError(f"{name} must be a path, got {type(path).__name__}; save an array as .npy")
    check_target("dst", dst, {"src": src, "kernel": kernel}, overwrite=overwrite)


def check_target(role: str, target: Any, sources: dict[str, Any], *, overwrite: bool) -> None:
    """InputError for a file that must not or cannot be written, beside `sources` (role → path), which stay.

    Examples
    --------
    >>> check_target("out", ".", {}, overwrite=True)
    Traceback (most recent call last):
        ...
    conv1d_kit.errors.InputError: out must name a file, got the folder .
    """
    name = shown_path(target)
    place = Path(os.fsdecode(target))
    if "\0" in os.fsdecode(target):
        raise InputError(f"{role} must be a name that can be written, got {name!r}")
    try:
        for other, path in sources.items():
            is_path = isinstance(path, str | bytes | os.PathLike)
            if is_path and os.path.exists(path) and os.path.exists(target) and os.path.samefile(path, target):
                raise InputError(
                    f"{role} must be another file than {other}, got {name} for both; name a new file"
                )
        if place.is_dir() or not place.name:
            raise InputError(f"{role} must name a file, got the folder {name}")
        if place.exists() and not place.is_file():
            raise InputError(f"{role} must be a regular file or a new name, got the device or pipe {name}")
        if place.exists() and not overwrite:
            raise InputError(f"{role} must not exist, got {name}; overwrite=True (--overwrite) replaces it")
        parent = Path(os.path.realpath(place)).parent if place.is_symlink() else place.parent
        if not parent.is_dir():
            raise InputError(f"{role} must be in a folder that exists, got {name}; make {parent} first")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{role} must be a name that can be written, got {name!r} ({error})") from error
