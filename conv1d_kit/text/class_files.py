"""Labels by where a text stands: a file a class (`pos.txt`, `neg.txt`), or a folder a class, a text a file."""

from __future__ import annotations

import io
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..errors import DataError
from .encoding import Encoding, detect_encoding, first_bad_byte, line_at, named_encoding
from .rows import Columns, Row, TextFile, checked, make_row

__all__ = ["open_class_files", "open_class_folders", "polarity_pair"]

_NAMED = 5  # stray files named one by one


def polarity_pair(path: Path) -> dict[str, Path] | None:
    """Both files of a set by Pang & Lee (`rt-polarity.pos` and `.neg`), given one of them; else None."""
    if path.suffix not in (".pos", ".neg"):
        return None
    pair = {"pos": path.with_suffix(".pos"), "neg": path.with_suffix(".neg")}
    return pair if all(p.is_file() for p in pair.values()) else None


def open_class_files(files: Mapping[str, str | Path], open_file: Callable[[str | Path], TextFile]) -> TextFile:
    """Stream the texts of several files, each a class of its own; `open_file` opens one.

    Blank lines at a file's end are no rows.

    Raises
    ------
    DataError
        If a file cannot be opened, or a class or a file is named twice.
    """
    opened = {label: open_file(path) for label, path in files.items()}
    names = [str(Path(f.name).resolve()) for f in opened.values()]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f"{list(opened.values())[i].name} is named for two classes; a file has one class")
    first = next((f for f in opened.values() if f.encoding.reason is not None), None)
    notes = [n for f in opened.values() for n in ([f.note] if f.note else []) + f.notes]
    encodings = {f.encoding.name for f in opened.values()}
    encoding = Encoding(" and ".join(sorted(encodings)) or "utf-8", None)
    if first is not None and len(encodings) == 1:
        encoding = Encoding(first.encoding.name, None)
    name = ", ".join(f.name for f in opened.values())
    return TextFile(name, "class files", encoding, _of_files(opened), notes)


def _of_files(opened: Mapping[str, TextFile]) -> Iterator[Row]:
    for label, file in opened.items():
        short = Path(file.name).name
        blank: list[Row] = []
        for row in file.rows:
            placed = row._replace(label=label, place=f"{short}: {row.where}")
            if row.error == "no label and no text":
                placed = placed._replace(error="no text")
            if row.blank:
                blank.append(placed)
                continue
            yield from blank
            blank = []
            yield placed


def open_class_folders(root: Path, columns: Columns, encoding: str | None = None) -> TextFile:
    """Stream the files of `root/CLASS/`, a text each, in the order of their names.

    Files beside the folders, hidden ones and folders inside a class are left out and named in `notes`; a file
    that cannot be read or decoded is a bad row. Encodings are detected file by file, and what they were stands
    in `notes` at the end.

    Raises
    ------
    DataError
        If there is no folder in it, or folders hold folders only: the classes may stand one level deeper.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}") from error
    folders = [p for p in entries if p.is_dir() and not p.name.startswith(".")]
    if not folders:
        raise DataError(
            f"{root} is a folder without folders; name a file of texts in it, or a folder of class folders"
        )
    deeper = [next((c for c in sorted(p.iterdir()) if c.is_dir()), None) for p in folders if _readable(p)]
    if deeper and all(d is not None for d in deeper):
        raise DataError(
            f"{root}: its folders hold folders themselves; name the one with the classes: {folders[0]}"
        )
    notes: list[str] = []
    stray = [p.name for p in entries if p not in folders]
    if stray:
        notes.append(f"{root}: {_listed(stray)} beside the class folders left out")
    file = TextFile(str(root), "folder", Encoding("utf-8", None), iter(()), notes)
    if encoding is not None:
        file.encoding = Encoding(named_encoding(io.BytesIO(), encoding, source=str(root)).name, None)
    file.rows = checked(_of_folders(root, folders, encoding, notes), columns)
    return file


def _of_folders(root: Path, folders: list[Path], encoding: str | None, notes: list[str]) -> Iterator[Row]:
    number = 0
    foreign: dict[str, list[str]] = {}
    for folder in folders:
        beside: list[str] = []
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            number += 1
            why = f"the folder cannot be read: {error.strerror}"
            yield Row(number, folder.name, None, why, place=folder.name)
            continue
        for path in paths:
            place = f"{folder.name}/{path.name}"
            if path.name.startswith(".") or not _is_file(path):
                beside.append(place)
                continue
            number += 1
            text, used, reason = _text(path, encoding)
            if used.reason is not None:
                foreign.setdefault(used.name, []).append(place)
            yield make_row((number, folder.name, text, reason, False, None, place))
        if beside:
            notes.append(f"{root}: {_listed(beside)} left out: no file of text")
    for name, places in sorted(foreign.items()):
        notes.append(f"{root}: {_listed(places)} read as {name}: not UTF-8; another encoding can be named")


def _text(path: Path, encoding: str | None) -> tuple[str | None, Encoding, str | None]:
    try:
        data = path.read_bytes()
    except OSError as error:
        return None, Encoding("utf-8", None), f"cannot be opened: {error.strerror}"
    file = io.BytesIO(data)
    if encoding is None:
        used = detect_encoding(file)
    else:
        try:
            used = named_encoding(file, encoding, source=str(path))
        except DataError as error:
            return None, Encoding(encoding, None), str(error)
    try:
        return data.decode(used.name).replace("\r\n", "\n").strip("\r\n"), used, None
    except UnicodeError:
        place = first_bad_byte(file, used.name)
        where = "" if place is None else f"line {line_at(file, used.name, place[0])}: byte 0x{place[1]:02x} "
        return None, Encoding(used.name, None), f"{where}is not {used.name}; name another encoding"


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a link to nowhere: reading it says why


def _readable(folder: Path) -> bool:
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
