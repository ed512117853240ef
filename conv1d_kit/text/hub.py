"""Rows of Hugging Face data sets, by name (`hf:NAME`) or from a folder that `save_to_disk` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError
from .encoding import Encoding
from .records import column_index, record_row
from .rows import Columns, Row, TextFile, checked

__all__ = ["is_saved_dataset", "open_hub"]

_BATCH = 1000
_PREFIX = "hf:"


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` of the package datasets wrote the folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def open_hub(source: str, columns: Columns) -> TextFile:
    """Open `hf:NAME`, `hf:NAME:SPLIT`, `hf:NAME#CONFIGURATION:SPLIT`, or a folder, and stream its rows.

    A split is needed where there are several and none is "train". A column of class numbers with names gives
    the names, and −1, which says "not labelled" there, no label.

    Raises
    ------
    DataError
        If it cannot be loaded, or the split or a column is unknown.
    InputError
        If the package datasets is not installed.
    """
    name, _, split = source.removeprefix(_PREFIX).partition(":")
    if Path(source).is_dir():  # a folder's name may hold a colon
        name, split = source, ""
    data = _load(source, name)
    if hasattr(data, "keys"):  # splits
        splits = list(data.keys())
        chosen = split or ("train" if "train" in splits else splits[0] if len(splits) == 1 else "")
        if chosen not in splits:
            got = f"no split {split!r}" if split else "several splits"
            first = f"hf:{name}:{splits[0]}" if splits else ""
            raise DataError(f"{source} has {got}, it has {', '.join(splits)}; name one, such as {first}")
        data = data[chosen]
        label = source if split or Path(source).is_dir() else f"{source}:{chosen}"
    else:
        if split and str(getattr(data, "split", split)) != split:
            raise DataError(f"{source} has no split {split!r}: it is one table; leave the split out")
        label = source
    rows = checked(_rows(source, data, columns), columns)
    return TextFile(label, "datasets", Encoding("utf-8", None), rows)


def _load(source: str, name: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f"{source}: Hugging Face data sets need the package datasets, which is not installed; "
            "pip install conv1d_kit[datasets]"
        ) from error
    if not name:
        raise DataError(f"{source} names no data set; try hf:NAME or hf:NAME:SPLIT")
    try:
        if Path(name).is_dir():
            return datasets.load_from_disk(name)
        path, _, configuration = name.partition("#")
        return datasets.load_dataset(path, configuration or None)
    except Exception as error:  # the package raises whatever its parts raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source} cannot be loaded: {reason}") from error


def _rows(source: str, data: Any, columns: Columns) -> Iterator[Row]:
    wanted = [c for c in (columns.text, columns.label) if c is not None]
    for column in wanted:
        column_index(source, column, data.column_names)
    names = _class_names(data, columns.label)
    number = 0
    for batch in data.select_columns(wanted).iter(batch_size=_BATCH):
        for values in zip(*(batch[c] for c in wanted), strict=True):
            number += 1
            record = dict(zip(wanted, values, strict=True))
            if names is not None and columns.label is not None:
                record[columns.label] = _named(record[columns.label], names)
            yield record_row(number, record, columns, f"row {number}")


def _class_names(data: Any, column: str | None) -> list[str] | None:
    feature = data.features.get(column) if column is not None and data.features else None
    feature = getattr(feature, "feature", feature)  # of a list of labels, its entry
    return getattr(feature, "names", None)


def _named(label: Any, names: list[str]) -> Any:
    if isinstance(label, list):
        return [_named(part, names) for part in label]
    return names[label] if isinstance(label, int) and 0 <= label < len(names) else None
