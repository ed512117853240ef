"""The sound files that a verb's arguments name, each once; and a word on those that could not be used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError, InputError
from .output import note

__all__ = ["SoundPaths", "sound_paths", "tell_skipped"]


class SoundPaths(NamedTuple):
    """files : list of Path, each once; empty_folders : list of str; n_repeats : int, paths given again."""

    files: list[Path]
    empty_folders: list[str]
    n_repeats: int


def sound_paths(paths: Iterable[Path], *, out: Path) -> SoundPaths:
    """Files as given, and every audio file under the folders; a note for what is empty or repeated.

    Raises
    ------
    DataError
        If there is no file at all.
    InputError
        If `out` is one of them, or a link to one.
    """
    from ..audio.dataset import find_audio

    files: dict[str, Path] = {}  # by absolute path, so that a file comes once
    empty: list[str] = []
    n_repeats = 0
    for path in paths:
        found = find_audio(path) if os.path.isdir(path) else [path]
        if not found:
            empty.append(str(path))
        for file in found:
            n_repeats += files.setdefault(os.path.abspath(file), file) is not file
    if not files:
        raise DataError(f"{empty[0]}: no audio file under it; give files or a folder that holds some")
    for folder in empty:
        note(f"note: {folder}: no audio file under it")
    if n_repeats:
        note(f"note: {n_repeats} repeat{'s' * (n_repeats > 1)} of a path given before left out")
    named = os.path.isfile(out) and os.fspath(out) != "-"
    if named and any(os.path.samefile(out, file) for file in files if os.path.exists(file)):
        raise InputError(f"--out must not be one of the files to hear, got {out}; choose another name")
    return SoundPaths(list(files.values()), empty, n_repeats)


def tell_skipped(skipped: Sequence[tuple[str, str]], *, what: str = "left out") -> None:
    """A note of (path, reason): how many files, and why the first ten."""
    if skipped:
        note(f"{len(skipped)} file{'s' * (len(skipped) > 1)} {what}:")
        for _, reason in skipped[:10]:
            note(f"  {reason}")
        if len(skipped) > 10:
            note(f"  … and {len(skipped) - 10} more")
