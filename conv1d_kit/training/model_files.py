"""The two files of a model folder: what nothing else is to write over or to stand beside."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import DataError

__all__ = ["CONFIG", "WEIGHTS", "holds_model", "refuse_model_file"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"  # all that a model folder holds


def refuse_model_file(path: str | os.PathLike) -> None:
    """Refuse to write over a file of a model folder: the model would be lost.

    Raises
    ------
    DataError
    """
    place = Path(os.path.realpath(path))
    if place.name in (CONFIG, WEIGHTS) and holds_model(place.parent):
        raise DataError(f"{path} belongs to the model in its folder, it is not replaced; choose another name")


def holds_model(folder: Path) -> bool:
    """Whether the files of a model stand in a folder."""
    return all((folder / name).is_file() for name in (CONFIG, WEIGHTS))
