"""Data sets of sounds: a folder a class, or a table; who is tested by which fold; decoding by threads."""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..core.sound_file import shown_path
from ..errors import DataError, InputError
from ..training.folds import Fold, folds_from_values, stratified_folds
from .clip import AUDIO_ENDINGS, Clip

__all__ = [
    "AudioTable",
    "common_folder",
    "esc_names",
    "find_audio",
    "load_waves",
    "make_folds",
    "read_dataset",
    "short_name",
]

_ESC = re.compile(r"^(\d)-(\d+)-[A-Z]")
_AT_A_TIME = 32  # files that are decoded, before what is to be done with them
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
        What a person should hear: files beside the class folders, empty classes, repeats.
    left_out : tuple of (path, reason)
        Rows of the table that cannot be used.
    fold_name : str
        The column of the folds, for messages.
    label_separator : str or None
        Stands between the labels of one row; None: a label is one label.
    """

    source: str
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    folds: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    fold_name: str = "fold"
    label_separator: str | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def classes(self) -> list[str]:
        rows = [(label,) for label in self.labels] if self.label_separator is None else self.targets
        return sorted(set().union(*rows))

    @property
    def targets(self) -> list:
        """What AudioClassifier takes as y: a label each, or a tuple of labels each."""
        mark = self.label_separator
        if mark is None:
            return list(self.labels)
        return [tuple(p.strip() for p in label.split(mark) if p.strip()) for label in self.labels]

    @property
    def sources(self) -> tuple[str, ...] | None:
        """Who stays together: the groups, else the recordings of files named as ESC names them."""
        named = None if self.groups is not None else esc_names(self.paths)
        return self.groups if named is None else tuple(source for _, source in named)

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
        If the folder is missing, or one in it cannot be read.
    """
    root = Path(path)
    if not os.path.isdir(root):
        raise DataError(f"{root}: no such folder")
    found = []
    for folder, names, files in os.walk(root, onerror=_refuse_folder):
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
    with_folds: bool = True,
    label_separator: str | None = None,
) -> AudioTable:
    """A folder whose sub-folders are classes, or a CSV/TSV table with a path and a label column.

    Parameters
    ----------
    path : folder or table
    fold_column, group_column : str, optional
        Table columns to keep as folds and groups.
    path_column, label_column : str, optional
        Default: path, file or filename; label, class or category. Paths are relative to the table.
    with_folds : bool
        Read a column named fold or group without being asked.
    label_separator : str, optional
        A row may have several labels with this between, or none.

    Raises
    ------
    DataError
        If nothing can be trained on: no such place, no audio, fewer than two classes, an unknown column,
        one file with two labels. A row without path or label is left out.
    """
    place = Path(path)
    if os.path.isdir(place):
        named = [c for c in (fold_column, group_column, path_column, label_column) if c]
        if named:
            raise DataError(
                f"{place}: a folder has no column {named[0]!r}; "
                f"give a CSV table with the columns path,label,{named[0]}"
            )
        table = _read_folder(place)
    elif os.path.isfile(place):
        if place.suffix.lower() in AUDIO_ENDINGS:
            raise DataError(
                f"{place}: one audio file has no labels; give a folder of class folders or a CSV table"
            )
        table = _read_table(
            place, fold_column, group_column, path_column, label_column, with_folds, label_separator is not None
        )
    else:
        raise DataError(f"{place}: no such folder or table")
    table = replace(table, label_separator=label_separator)
    if label_separator is not None and not table.classes:
        raise DataError(f"{place}: no row has a label; fill in the labels, {label_separator!r} between them")
    if label_separator is None and len(table.classes) < 2:
        raise DataError(
            f"{place}: holds one class ({table.classes[0]!r}), training needs at least two; "
            "put each class in a folder of its own" + _first_left_out(table.left_out)
        )
    return _without_two_labels(table)


def make_folds(
    table: AudioTable, rule: str | int | None = None, *, seed: int = 0, test_fold: str | None = None
) -> tuple[str, list[Fold]]:
    """Choose the folds of a table and say how.

    Parameters
    ----------
    table : AudioTable
    rule : "esc", "column", an int >= 2, or None
        "esc": the first digit of the file name (1-100032-A.ogg), whose next number is the source recording.
        "column": the table's folds. An int: stratified folds; groups, and repeats of a file, kept together.
        None: "column" if the table has folds, "esc" if every file is named so, else 5.
    seed : int
        For stratified folds.
    test_fold : str, optional
        Keep only the fold with this value (a fixed split).

    Returns
    -------
    description, folds

    Raises
    ------
    DataError
        If a file or group would stand on both sides, or a fold leaves fewer than two classes to train on.
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
        files = _identities(table.paths)
        kept, together = table.groups, "" if table.groups is None else ", groups kept together"
        if len(set(files)) < len(files):
            if kept is None:
                kept, together = tuple(files), ", repeats of a file kept together"
            else:
                _refuse_leak(table, files, kept, kept, what="file")
        try:
            folds = stratified_folds(table.labels, rule, groups=kept, seed=seed)
        except InputError as error:
            raise DataError(f"{table.source}: {error}") from error
        _refuse_one_class(table, folds, [str(i + 1) for i in range(len(folds))])
        return f"{rule} stratified folds, seed {seed}{together}", folds
    else:
        raise InputError(f"rule must be 'esc', 'column', an int >= 2 or None, got {rule!r}")
    if len(set(values)) < 2:
        what = f"the column {table.fold_name!r}" if rule == "column" else "the first digit of every file name"
        raise DataError(
            f"{table.source}: {what} holds one value ({values[0]!r}), folds need at least two; "
            "give --folds 5 or another column"
        )
    _refuse_leak(table, groups, values, groups)
    _refuse_leak(table, _identities(table.paths), values, table.paths, what="file")
    names = sorted(set(values))
    if test_fold is None:
        folds = folds_from_values(values)
        _refuse_one_class(table, folds, names)
        return described, folds
    v = np.asarray(values, dtype=str)
    if test_fold not in v:
        raise DataError(f"{table.source}: no row has fold {test_fold!r}; there are {', '.join(names)}")
    fixed = (np.flatnonzero(v != test_fold), np.flatnonzero(v == test_fold))
    _refuse_one_class(table, [fixed], [test_fold])
    return f"{described}, tested on {test_fold!r}", [fixed]


def esc_names(paths: Sequence[str]) -> list[tuple[str, str]] | None:
    """(fold, source recording) of each file named as ESC names them, or None where one is not.

    Examples
    --------
    >>> esc_names(["rain/1-17367-A.ogg"]), esc_names(["rain/01.ogg"])
    ([('1', '17367')], None)
    """
    found = [_ESC.match(Path(p).name) for p in paths]
    named = [(m[1], m[2]) for m in found if m]
    return named if named and len(named) == len(found) else None


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths lie in, or "" where they have none in common but the root.

    Examples
    --------
    >>> common_folder(["set/a/1.wav", "set/b/2.wav"]), common_folder(["/x/1.wav", "y/2.wav"])
    ('set', '')
    """
    try:
        folder = os.path.commonpath([os.path.dirname(p) for p in paths])
    except ValueError:  # relative and absolute ones, or two drives
        return ""
    return folder if folder.strip(os.sep) else ""


def short_name(path: str, folder: str) -> str:
    """The path below `folder`, or the whole where it lies elsewhere or no folder is given.

    Examples
    --------
    >>> short_name("set/a/1.wav", "set"), short_name("other/1.wav", "set")
    ('a/1.wav', 'other/1.wav')
    """
    name = shown_path(path)
    if not folder or os.path.isabs(name) != os.path.isabs(folder):
        return name
    below = os.path.relpath(name, folder)
    return name if below.startswith("..") else below


def load_waves(
    items: Sequence,
    sample_rate: int,
    *,
    max_duration_s: float = 60.0,
    n_threads: int = 2,
    then: Callable[[Any, np.ndarray], Any] | None = None,
    on_file: Callable[[], None] | None = None,
) -> list[Any]:
    """Mono float32 samples of each clip or file at one rate, or its DataError.

    With `then`, what `then(item, samples)` gives instead of the samples.

    Files are decoded by threads (never by forked processes); of a long one the first `max_duration_s` seconds.
    `then` is called in the caller's thread, after some files are read: it may have threads of its own.
    """

    def load(item) -> Any:
        try:
            clip = item if isinstance(item, Clip) else Clip.read(item, max_duration_s=max_duration_s)
            return clip.mono().resample(sample_rate).samples[0]
        except DataError as error:
            return error
        finally:
            if on_file is not None:
                on_file()

    def done(item, wave) -> Any:
        if then is None or isinstance(wave, DataError):
            return wave
        try:
            return then(item, wave)
        except DataError as error:
            return error

    found: list[Any] = []
    source = iter(items)
    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        while some := list(islice(source, _AT_A_TIME)):
            waves = list(pool.map(load, some))
            found += map(done, some, waves)
    return found


def _read_folder(root: Path) -> AudioTable:
    paths: list[str] = []
    labels: list[str] = []
    notes: list[str] = []
    try:
        inside = sorted(p for p in root.iterdir() if not p.name.startswith("."))
    except OSError as error:
        _refuse_folder(error)
    for folder in filter(os.path.isdir, inside):
        found = find_audio(folder)
        if not found:
            notes.append(f"{folder}: no audio file in it, left out")
        paths += map(str, found)
        labels += [folder.name.encode("utf-8", "backslashreplace").decode("utf-8")] * len(found)
    loose = [p for p in inside if os.path.isfile(p) and p.name.lower().endswith(AUDIO_ENDINGS)]
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
    with_folds: bool,
    label_optional: bool,
) -> AudioTable:
    names, rows = _cells(place)
    if not rows:
        raise DataError(
            f"{place}: no rows; the first line names the columns (path,label), each other line is a file"
        )

    def column(asked: str | None, usual: tuple[str, ...]) -> int:
        wanted = [asked] if asked else [u for u in usual if u in names] or [usual[0]]
        if wanted[0] not in names:
            near = difflib.get_close_matches(wanted[0].lower(), [n.lower() for n in names], 3, 0.5)
            hint = [n for n in names if n.lower() in near]
            raise DataError(
                f"{place}: no column {wanted[0]!r}; "
                + (f"nearest: {', '.join(hint)}" if hint else f"there are {', '.join(filter(None, names))}")
            )
        if names.count(wanted[0]) > 1:
            raise DataError(f"{place}: two columns are named {wanted[0]!r}; rename or remove one")
        return names.index(wanted[0])

    def perhaps(asked: str | None, name: str) -> int | None:
        return column(asked or name, ()) if asked or (with_folds and name in names) else None

    columns = [column(path_column, _PATH_COLUMNS), column(label_column, _LABEL_COLUMNS)]
    fold_of, group_of = perhaps(fold_column, "fold"), perhaps(group_column, "group")
    needed = columns[: 1 if label_optional else 2] + [c for c in (fold_of, group_of) if c is not None]
    good: list[list[str]] = []
    left_out: list[tuple[str, str]] = []
    for number, row in rows:
        cells = [(row[c] if c < len(row) else "").strip() for c in range(len(names))]
        missing = next((names[c] for c in needed if not cells[c]), None)
        if missing is None:
            good.append(cells)
        else:
            path = cells[columns[0]]
            reason = f"{place}: line {number} ({path or '?'}) has no {missing}; fill it in or take the line out"
            left_out.append((str(place.parent / path) if path else f"{place}, line {number}", reason))
    if not good:
        raise DataError(left_out[0][1] + f" (as in all {len(rows)} rows)" * (len(rows) > 1))

    def values(key: int | None) -> tuple[str, ...] | None:
        return None if key is None else tuple(cells[key] for cells in good)

    return AudioTable(
        str(place),
        tuple(str(place.parent / cells[columns[0]]) for cells in good),
        values(columns[1]) or (),
        values(fold_of),
        values(group_of),
        left_out=tuple(left_out),
        fold_name="fold" if fold_of is None else names[fold_of],
    )


def _cells(place: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and each row that is not blank with the number of the line it begins on."""
    try:
        text = place.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{place}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not UTF-8 text (byte {error.start}); save the table as UTF-8 CSV") from error
    head = text.lstrip("\r\n").partition("\n")[0].partition("\r")[0]
    delimiter = max("\t;,", key=head.count) if any(d in head for d in "\t;,") else ","
    # newline="": the csv module ends a row at CR, LF or CRLF only, and keeps those that stand in quotes
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{place}: line {start} is not CSV ({error}); "
            "double each quote inside quotes, close each that is open"
        ) from error
    return ([name.strip() for name in rows[0][1]] if rows else []), rows[1:]


def _identities(paths: Iterable[str]) -> list[str]:
    """The same word for two paths that lead to the same file."""
    found = []
    for path in paths:
        try:
            found.append(os.path.realpath(path))
        except (OSError, ValueError):  # a NUL in the name, or one too long
            found.append(path)
    return found


def _without_two_labels(table: AudioTable) -> AudioTable:
    """The table with a note on repeats; a file with two labels is refused."""
    first: dict[str, int] = {}
    repeats: list[int] = []
    for i, file in enumerate(_identities(table.paths)):
        j = first.setdefault(file, i)
        if table.labels[i] != table.labels[j]:
            raise DataError(
                f"{table.paths[i]}: one file with two labels in {table.source}, "
                f"{table.labels[j]!r} and {table.labels[i]!r}; keep one of them"
            )
        if j != i:
            repeats.append(i)
    if not repeats:
        return table
    more = f" and {len(repeats) - 1} more" * (len(repeats) > 1)
    return replace(
        table, notes=(*table.notes, f"{table.source}: lists {table.paths[repeats[0]]}{more} more than once")
    )


def _refuse_leak(
    table: AudioTable, keys: Sequence[str], values: Sequence[str], shown: Sequence[str], *, what: str = "group"
) -> None:
    """No key (a group, a file) may have two values (a fold, a group)."""
    home: dict[str, str] = {}
    for path, key, value, name in zip(table.paths, keys, values, shown, strict=False):
        if home.setdefault(key, value) == value:
            continue
        if what == "group":
            raise DataError(
                f"{path}: its group {name!r} stands in folds {home[key]!r} and {value!r}, so the test "
                "would hear what was trained on; keep a group in one fold"
            )
        raise DataError(
            f"{path}: {table.source} lists it more than once, under {home[key]!r} and {value!r}, so the test "
            "would hear what was trained on; keep one row of a file"
        )


def _refuse_one_class(table: AudioTable, folds: Sequence[Fold], names: Sequence[str]) -> None:
    for name, (train, _) in zip(names, folds, strict=True):
        left = sorted({table.labels[i] for i in train})
        if len(left) < 2:
            raise DataError(
                f"{table.source}: testing on fold {name!r} leaves only the class {left[0]!r} to train on, "
                "training needs at least two; choose folds that each hold every class"
            )


def _refuse_folder(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename}: the folder cannot be read ({error.strerror})") from error


def _first_left_out(left_out: Sequence[tuple[str, str]]) -> str:
    return f" ({len(left_out)} rows left out; the first: {left_out[0][1]})" if left_out else ""
