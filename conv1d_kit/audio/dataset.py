"""Data sets of sounds: a folder a class, or a table; who is tested by which fold; decoding by threads."""

from __future__ import annotations

import csv
import difflib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError, InputError
from ..training.folds import Fold, folds_from_values, stratified_folds
from .clip import AUDIO_ENDINGS, Clip

__all__ = ["AudioTable", "common_rate", "find_audio", "load_waves", "make_folds", "read_dataset"]

_ESC = re.compile(r"^(\d)-(\d+)-[A-Z]")
_PATH_COLUMNS, _LABEL_COLUMNS = ("path", "file", "filename"), ("label", "class", "category")


@dataclass(frozen=True)
class AudioTable:
    """Paths with labels, and where known the fold and the group (source, speaker…) of each.

    Attributes
    ----------
    source : str
        The folder or table it was read from, for messages.
    paths, labels : tuple of str, length N
    folds, groups : tuple of str, length N, or None
    notes : tuple of str
        What a person should hear: files beside the class folders, empty classes.
    """

    source: str
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels))

    def subset(self, keep: Iterable[int]) -> AudioTable:
        """The rows `keep`, in that order."""
        rows = list(keep)
        return replace(
            self,
            paths=tuple(self.paths[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
            folds=None if self.folds is None else tuple(self.folds[i] for i in rows),
            groups=None if self.groups is None else tuple(self.groups[i] for i in rows),
        )


def find_audio(path) -> list[Path]:
    """Every audio file under a folder, nested folders included, sorted; hidden files and folders are left out.

    Raises
    ------
    DataError
        If the folder is missing.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith("."))
        found += [Path(folder, f) for f in files if not f.startswith(".") and f.lower().endswith(AUDIO_ENDINGS)]
    return sorted(found)


def read_dataset(
    path,
    *,
    fold_column: str | None = None,
    group_column: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
) -> AudioTable:
    """A folder whose sub-folders are classes, or a CSV/TSV table with a path and a label column.

    Parameters
    ----------
    path : folder or table
    fold_column, group_column : str, optional
        Table columns to keep as folds and groups.
    path_column, label_column : str, optional
        Default: path, file or filename; label, class or category. Paths are relative to the table.

    Raises
    ------
    DataError
        If nothing can be trained on: no such place, no audio, fewer than two classes, an unknown column,
        a row without a label.
    """
    place = Path(path)
    if place.is_dir():
        named = [c for c in (fold_column, group_column, path_column, label_column) if c]
        if named:
            raise DataError(
                f"{place}: a folder has no column {named[0]!r}; "
                f"give a CSV table with the columns path,label,{named[0]}"
            )
        table = _read_folder(place)
    elif place.is_file():
        if place.suffix.lower() in AUDIO_ENDINGS:
            raise DataError(
                f"{place}: one audio file has no labels; give a folder of class folders or a CSV table"
            )
        table = _read_table(place, fold_column, group_column, path_column, label_column)
    else:
        raise DataError(f"{place}: no such folder or table")
    if len(table.classes) < 2:
        raise DataError(
            f"{place}: holds one class ({table.classes[0]!r}), training needs at least two; "
            "put each class in a folder of its own"
        )
    return table


def make_folds(
    table: AudioTable, rule: str | int | None = None, *, seed: int = 0, test_fold: str | None = None
) -> tuple[str, list[Fold]]:
    """Choose the folds of a table and say how.

    Parameters
    ----------
    table : AudioTable
    rule : "esc", "column", an int >= 2, or None
        "esc": the first digit of the file name (1-100032-A.ogg), whose next number is the source recording.
        "column": the table's folds. An int: stratified folds, groups kept together.
        None: "column" if the table has folds, "esc" if every file is named so, else 5.
    seed : int
        For stratified folds.
    test_fold : str, optional
        Keep only the fold with this value (a fixed split).

    Returns
    -------
    description, folds
    """
    esc = [_ESC.match(Path(p).name) for p in table.paths]
    if rule is None:
        rule = "column" if table.folds is not None else "esc" if all(esc) else 5
    if rule == "esc":
        wrong = next((p for p, m in zip(table.paths, esc, strict=True) if m is None), None)
        if wrong is not None:
            raise DataError(
                f"{wrong}: is not named like ESC (fold-source-take, 1-100032-A.ogg); give --folds 5"
            )
        values = [m[1] for m in esc if m]
        groups: Sequence[str] = [m[2] for m in esc if m]
        described = "first digit of the file name (ESC)"
    elif rule == "column":
        if table.folds is None:
            raise DataError(f"{table.source}: has no fold column; name one, or ask for a number of folds")
        values, described = list(table.folds), "fold column"
        groups = table.groups or ()
    elif isinstance(rule, int):
        if test_fold is not None:
            raise InputError(
                "test_fold must go with a fold column or ESC names; stratified folds have no values"
            )
        together = "" if table.groups is None else ", groups kept together"
        try:
            folds = stratified_folds(table.labels, rule, groups=table.groups, seed=seed)
        except InputError as error:
            raise DataError(f"{table.source}: {error}") from error
        return f"{rule} stratified folds, seed {seed}{together}", folds
    else:
        raise InputError(f"rule must be 'esc', 'column', an int >= 2 or None, got {rule!r}")
    _refuse_leak(table, values, groups)
    if test_fold is None:
        return described, folds_from_values(values)
    v = np.asarray(values, dtype=str)
    if test_fold not in v:
        raise DataError(f"{table.source}: no row has fold {test_fold!r}; there are {', '.join(sorted(set(v)))}")
    fixed = (np.flatnonzero(v != test_fold), np.flatnonzero(v == test_fold))
    if len(fixed[0]) == 0:
        raise DataError(f"{table.source}: every row has fold {test_fold!r}, none is left to train on")
    return f"{described}, tested on {test_fold!r}", [fixed]


def common_rate(items: Sequence, *, most: int = 32000) -> int:
    """The most frequent sample rate of the clips or files, at most `most` Hz.

    Raises
    ------
    DataError
        If no file can be read.
    """
    import soundfile as sf

    counts: dict[int, int] = {}
    for item in items:
        if isinstance(item, Clip):
            rate = item.sample_rate
        else:
            try:
                rate = int(sf.info(os.fspath(item)).samplerate)
            except (sf.LibsndfileError, TypeError, ValueError):
                continue
        counts[rate] = counts.get(rate, 0) + 1
    if not counts:
        raise DataError(f"none of the {len(items)} files can be read" + _first_reason(items))
    return min(most, max(counts, key=lambda r: (counts[r], r)))


def load_waves(
    items: Sequence,
    sample_rate: int,
    *,
    max_duration_s: float = 60.0,
    n_threads: int = 2,
    on_file: Callable[[], None] | None = None,
) -> list[np.ndarray | DataError]:
    """Mono float32 samples of each clip or file at one rate, or the DataError that says why not.

    Files are decoded by threads (never by forked processes); of a long one the first `max_duration_s` seconds.
    """

    def load(item) -> np.ndarray | DataError:
        try:
            clip = item if isinstance(item, Clip) else Clip.read(item, max_duration_s=max_duration_s)
            return clip.mono().resample(sample_rate).samples[0]
        except DataError as error:
            return error
        finally:
            if on_file is not None:
                on_file()

    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        return list(pool.map(load, items))


def _read_folder(root: Path) -> AudioTable:
    paths: list[str] = []
    labels: list[str] = []
    notes: list[str] = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        found = find_audio(folder)
        if not found:
            notes.append(f"{folder}: no audio file in it, left out")
        paths += map(str, found)
        labels += [folder.name] * len(found)
    loose = [
        p for p in sorted(root.iterdir())
        if p.is_file() and not p.name.startswith(".") and p.name.lower().endswith(AUDIO_ENDINGS)
    ]  # fmt: skip
    if not paths and loose:
        raise DataError(
            f"{root}: its {len(loose)} audio files have no labels ({loose[0].name}, …); "
            "put each class in a folder of its own, or give a CSV table with the columns path,label"
        )
    if not paths:
        raise DataError(
            f"{root}: no audio file under it (looked for {', '.join(AUDIO_ENDINGS[:6])}…); "
            "give a folder whose sub-folders are the classes"
        )
    if loose:
        notes.append(f"{root}: {len(loose)} audio files beside the class folders have no label, left out")
    return AudioTable(str(root), tuple(paths), tuple(labels), notes=tuple(notes))


def _read_table(
    place: Path,
    fold_column: str | None,
    group_column: str | None,
    path_column: str | None,
    label_column: str | None,
) -> AudioTable:
    try:
        text = place.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not UTF-8 text (byte {error.start}); save the table as UTF-8 CSV") from error
    head = text.split("\n", 1)[0]
    delimiter = max("\t;,", key=head.count) if any(d in head for d in "\t;,") else ","
    rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
    names = [n for n in (csv.DictReader([head], delimiter=delimiter).fieldnames or []) if n]
    if not rows:
        raise DataError(
            f"{place}: no rows; the first line names the columns (path,label), each other line is a file"
        )

    def column(asked: str | None, usual: tuple[str, ...]) -> str:
        wanted = [asked] if asked else [u for u in usual if u in names] or [usual[0]]
        if wanted[0] not in names:
            near = difflib.get_close_matches(wanted[0].lower(), [n.lower() for n in names], 3, 0.5)
            hint = [n for n in names if n.lower() in near]
            raise DataError(
                f"{place}: no column {wanted[0]!r}; "
                + (f"nearest: {', '.join(hint)}" if hint else f"there are {', '.join(names)}")
            )
        return wanted[0]

    path_of, label_of = column(path_column, _PATH_COLUMNS), column(label_column, _LABEL_COLUMNS)
    fold_of = column(fold_column, ()) if fold_column else "fold" if "fold" in names else None
    group_of = column(group_column, ()) if group_column else "group" if "group" in names else None
    for number, row in enumerate(rows, 2):
        for key in filter(None, (path_of, label_of, fold_of, group_of)):
            if not (row[key] or "").strip():
                shown = (row[path_of] or "").strip() or "?"
                raise DataError(
                    f"{place}: line {number} ({shown}) has no {key}; fill it in or take the line out"
                )

    def values(key: str | None) -> tuple[str, ...] | None:
        return None if key is None else tuple(row[key].strip() for row in rows)

    paths = tuple(str(place.parent / row[path_of].strip()) for row in rows)
    labels = values(label_of) or ()
    return AudioTable(str(place), paths, labels, values(fold_of), values(group_of))


def _refuse_leak(table: AudioTable, values: Sequence[str], groups: Sequence[str]) -> None:
    home: dict[str, str] = {}
    for path, fold, group in zip(table.paths, values, groups, strict=False):
        if home.setdefault(group, fold) != fold:
            raise DataError(
                f"{path}: its group {group!r} stands in folds {home[group]!r} and {fold!r}, so the test "
                "would hear what was trained on; keep a group in one fold"
            )


def _first_reason(items: Sequence) -> str:
    for item in items:
        try:
            Clip.read(item, max_duration_s=1)
        except DataError as error:
            return f"; the first: {error}"
    return ""
