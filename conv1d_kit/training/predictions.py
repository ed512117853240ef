"""What a model said of rows it was not trained on, kept so that every figure can be worked out again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, InputError
from .whole_file import whole_file

__all__ = ["Predictions"]

_KEYS = ("path", "label", "group", "fold", "seed", "probabilities")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Held-out probabilities, one row a file, fold and seed.

    Attributes
    ----------
    classes : tuple of str
        The columns of `probabilities`.
    paths, labels : tuple of str, length N
        `labels` are the true ones, each one of `classes`.
    probabilities : array [shape=(N, n_classes), float32]
    groups : tuple of str, length N
        Source, speaker, site…: rows that are not independent. By default each path is its own.
    folds, seeds : tuple of int, length N
        By default 0.

    Raises
    ------
    InputError
        If lengths differ, a label is no class, or a row of probabilities is no distribution.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> said = Predictions(("cat", "dog"), ("a.wav", "b.wav"), ("cat", "cat"), p)
    >>> said.targets.tolist(), said.predicted.tolist(), said.accuracy
    ([0, 0], [0, 1], 0.5)
    """

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: np.ndarray
    groups: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()

    def __post_init__(self):
        n = len(self.paths)
        put = object.__setattr__
        put(self, "classes", tuple(self.classes))
        put(self, "groups", tuple(self.groups) if len(self.groups) or not n else self.paths)
        put(self, "folds", tuple(self.folds) if len(self.folds) else (0,) * n)
        put(self, "seeds", tuple(self.seeds) if len(self.seeds) else (0,) * n)
        for name in ("labels", "groups", "folds", "seeds", "probabilities"):
            if len(getattr(self, name)) != n:
                raise InputError(f"{name} must have one entry a path ({n}), got {len(getattr(self, name))}")
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise InputError(f"classes must be at least two different names, got {list(self.classes)[:5]}")
        if n == 0:
            raise InputError("predictions must hold at least one row, got none")
        p = np.array(self.probabilities, np.float32)
        if p.shape != (n, len(self.classes)):
            raise InputError(f"probabilities must be ({n}, {len(self.classes)}), got shape {p.shape}")
        bad = ~(np.isfinite(p).all(1) & (p >= 0).all(1) & (np.abs(p.sum(1) - 1) < 1e-3))
        if bad.any():
            i = int(bad.argmax())
            raise InputError(
                f"probabilities must be >= 0 and sum to 1, got {p[i].sum():g} in row {i} ({self.paths[i]})"
            )
        unknown = sorted(set(self.labels) - set(self.classes))
        if unknown:
            raise InputError(f"labels must be among the classes, got {unknown[0]!r} besides them")
        p.flags.writeable = False
        put(self, "probabilities", p)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def targets(self) -> np.ndarray:
        """The true classes as indices [shape=(N,)]."""
        number = {c: i for i, c in enumerate(self.classes)}
        return np.array([number[label] for label in self.labels], dtype=np.int64)

    @property
    def predicted(self) -> np.ndarray:
        """The most probable classes as indices [shape=(N,)]."""
        return self.probabilities.argmax(1)

    @property
    def accuracy(self) -> float:
        """Share of rows that are right, 0–1."""
        return float((self.predicted == self.targets).mean())

    def fold_accuracies(self) -> list[float]:
        """The accuracy of each fold, in the order of their numbers; seeds pooled."""
        folds, right = np.asarray(self.folds), self.predicted == self.targets
        return [float(right[folds == f].mean()) for f in np.unique(folds)]

    def subset(self, keep: Sequence[int]) -> Predictions:
        """The rows `keep`, in that order."""
        rows = [int(i) for i in keep]
        picked = {
            name: tuple(getattr(self, name)[i] for i in rows)
            for name in ("paths", "labels", "groups", "folds", "seeds")
        }
        return replace(self, probabilities=self.probabilities[rows], **picked)

    def save(self, path: Any) -> Path:
        """Write JSON lines, one a row; they appear under the name when all are written.

        Raises
        ------
        DataError
            If the file cannot be written.
        """
        target = Path(path)
        with whole_file(target) as file:
            for i in range(len(self)):
                file.write(self._line(i) + "\n")
        return target

    def _line(self, i: int) -> str:
        said = {c: float(f"{v:.7g}") for c, v in zip(self.classes, self.probabilities[i].tolist(), strict=True)}
        values = (self.paths[i], self.labels[i], self.groups[i], int(self.folds[i]), int(self.seeds[i]), said)
        return json.dumps(dict(zip(_KEYS, values, strict=True)))

    @classmethod
    def load(cls, path: Any) -> Predictions:
        """Read what `save` wrote; files of several runs may be joined with `cat`.

        Raises
        ------
        DataError
            If the file is missing or a line cannot be used; the message says which line and why.
        """
        place = Path(path)
        try:
            text = place.read_text("utf-8")
        except OSError as error:
            raise DataError(f"{place}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{place}: not UTF-8 text; give the .jsonl file that `audio cv` wrote") from error
        rows: list[dict] = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                rows.append(_row(place, number, line, rows[0] if rows else None))
        if not rows:
            raise DataError(
                f"{place}: holds no predictions; each line is one JSON object with {', '.join(_KEYS)}"
            )
        classes = tuple(rows[0]["probabilities"])
        try:
            return cls(
                classes,
                tuple(r["path"] for r in rows),
                tuple(r["label"] for r in rows),
                np.array([[r["probabilities"][c] for c in classes] for r in rows], np.float32),
                tuple(r["group"] for r in rows),
                tuple(r["fold"] for r in rows),
                tuple(r["seed"] for r in rows),
            )
        except InputError as error:
            raise DataError(f"{place}: {error}") from error


def _row(place: Path, number: int, line: str, first: dict | None) -> dict:
    """One line as a dict with every key, or a DataError that says the line."""
    where = f"{place}: line {number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where} is not JSON ({error}); it may be cut short, take it out") from error
    if not isinstance(row, dict) or any(key not in row for key in ("path", "label", "probabilities")):
        raise DataError(f"{where} must be a JSON object with path, label and probabilities")
    row = {"group": row["path"], "fold": 0, "seed": 0, **row}
    said = row["probabilities"]
    numbers = isinstance(said, dict) and all(type(v) in (int, float) for v in said.values())
    if not numbers or not said:
        raise DataError(f"{where}: probabilities must be an object of class names and numbers")
    if first is not None and said.keys() != first["probabilities"].keys():
        other = sorted(said.keys() ^ first["probabilities"].keys())
        raise DataError(f"{where}: its classes are not those of line 1 ({other[0]!r} is in one only)")
    for key, kind in (("path", str), ("label", str), ("group", str), ("fold", int), ("seed", int)):
        if type(row[key]) is not kind:
            raise DataError(f"{where}: {key} must be {kind.__name__}, got {row[key]!r}")
    return row
