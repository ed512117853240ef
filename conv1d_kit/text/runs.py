"""One run as one JSON line: what was run, on which rows, what came out, and all that comparing needs."""

from __future__ import annotations

import hashlib
import json
import os
import string
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ..errors import DataError
from ..training.records import RecordFile

__all__ = ["RunRecord", "digest", "pack_labels", "parse_runs", "read_runs", "unpack_labels"]

_ALPHABET = string.digits + string.ascii_letters


@dataclass(frozen=True)
class RunRecord:
    """A run that ended.

    Attributes
    ----------
    key : str
        Hash of all that decides the figures: configuration, data, fold rule, repeat, fold, seed, versions.
    configuration : str
        Hash of the model's options and the versions alone.
    name, group, sweep : str
    config : dict
        The options that were named; the others had their defaults.
    data, data_name : str
        Hash of the texts and labels, and the file's name.
    version : str
        Of conv1d_kit.
    rule : dict
        {"folds", "seed"}, or {"test": hash} of a fixed test part.
    study : dict
        What was planned: "repeats", "seeds", how many "configurations"; whether this one was "drawn" at random.
    repeat, fold, seed : int, from 0
    status : "ok" or "failed"; reason says why.
    n_train, n_test, n_right : int
    seconds, cpu_seconds : float
    n_words, weights, epochs : int or None
    loss : float or None, the last epoch's
    classes : list of str
    labels, predicted : str or list of int
        The test rows in the order of the data, as `pack_labels` keeps them; "" where the run failed.
    """

    key: str
    configuration: str
    name: str
    group: str
    sweep: str
    config: dict[str, Any]
    data: str
    data_name: str
    version: str
    rule: dict[str, Any]
    study: dict[str, Any]
    repeat: int
    fold: int
    seed: int
    status: str
    reason: str | None
    n_train: int
    n_test: int
    n_right: int | None
    accuracy: float | None
    seconds: float
    cpu_seconds: float
    n_words: int | None
    weights: int | None
    epochs: int | None
    loss: float | None
    classes: list[str]
    labels: str | list[int]
    predicted: str | list[int]

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def place(self) -> tuple[int, int, int]:
        """(repeat, fold, seed): runs of two configurations are paired by it."""
        return self.repeat, self.fold, self.seed

    @property
    def targets(self) -> np.ndarray:
        """True classes of the test rows [shape=(n_test,)]."""
        return unpack_labels(self.labels)

    @property
    def answers(self) -> np.ndarray:
        """Predicted classes of the test rows [shape=(n_test,)]."""
        return unpack_labels(self.predicted)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def digest(value: Any) -> str:
    """A JSON value as one word of 16 letters; the order of keys does not matter.

    Examples
    --------
    >>> digest({"a": 1, "b": (2, 3)}) == digest({"b": [2, 3], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def pack_labels(numbers: Sequence[int], n_classes: int) -> str | list[int]:
    """Class numbers as a string of one character a row; a list where there are more classes than characters.

    Examples
    --------
    >>> pack_labels([0, 1, 11], 12), pack_labels([0, 1], 100)
    ('01b', [0, 1])
    """
    if n_classes > len(_ALPHABET):
        return [int(i) for i in numbers]
    return "".join(_ALPHABET[i] for i in numbers)


def unpack_labels(packed: str | list[int]) -> np.ndarray:
    """What `pack_labels` packed [shape=(n,), int64].

    Examples
    --------
    >>> unpack_labels("01b").tolist()
    [0, 1, 11]
    """
    if isinstance(packed, str):
        packed = [_ALPHABET.index(letter) for letter in packed]
    return np.asarray(packed, dtype=np.int64)


def parse_runs(file: RecordFile) -> tuple[list[RunRecord], list[str]]:
    """The runs in a file, and what is to be said of its other lines.

    Raises
    ------
    DataError
        If it cannot be read, or holds lines and none is a run: it is another kind of file.
    """
    found, runs, notes = file.read(), [], []
    strange = [(line, reason) for line, reason in found.damaged]
    for line, record in zip(found.lines, found.records, strict=True):
        try:
            runs.append(_run_record(record))
        except (TypeError, ValueError, KeyError):
            strange.append((line, "not a run of `text sweep`"))
    torn_only = all(reason.startswith("cut short") for _, reason in strange)
    if strange and not runs and not torn_only:
        raise DataError(
            f"{file.path} is no file of runs (line {strange[0][0]} is {strange[0][1]}); choose another file"
        )
    for line, reason in sorted(strange):
        notes.append(f"{file.path}: line {line} is {reason}; it is left out")
    return runs, notes


def read_runs(paths: Sequence[str | os.PathLike]) -> tuple[list[RunRecord], list[str]]:
    """The runs of several files together, each once: one that went well before one that failed.

    Raises
    ------
    DataError
        If a file is missing, or none of its lines is a run.
    """
    kept: dict[str, RunRecord] = {}
    notes: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise DataError(f"{path} does not exist; name a file that `text sweep` wrote")
        runs, said = parse_runs(RecordFile(path))
        notes += said
        if not runs:
            notes.append(f"{path}: holds no run yet")
        for run in runs:
            if run.ok or run.key not in kept or not kept[run.key].ok:
                kept[run.key] = run
    return list(kept.values()), notes


def _run_record(record: dict[str, Any]) -> RunRecord:
    run = RunRecord(**record)
    for f in fields(RunRecord):
        kinds = _KINDS[str(f.type)]
        value = getattr(run, f.name)
        if not isinstance(value, kinds) or (isinstance(value, bool)):
            raise TypeError(f.name)
    for said in (run.rule, run.study):
        if not all(_is_known(said[name], kind) for name, kind in _SAID.items() if name in said):
            raise TypeError("rule or study")
    known = run.n_train > 0 and _are_rows(run.targets, run) and _are_rows(run.answers, run) if run.ok else True
    if run.status not in ("ok", "failed") or not known:
        raise ValueError("the answers are not those of the test rows")
    return run


def _are_rows(numbers: np.ndarray, run: RunRecord) -> bool:
    """Whether they are a class of the run for each of its test rows."""
    return len(numbers) == run.n_test and bool(((numbers >= 0) & (numbers < len(run.classes))).all())


def _is_known(value: Any, kind: type) -> bool:
    if isinstance(value, list):
        return kind is list and all(isinstance(v, int) for v in value)
    return isinstance(value, kind)


_SAID = {"folds": int, "seed": int, "test": str, "repeats": int, "seeds": list, "configurations": int}


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "str | None": (str, type(None)), "dict[str, Any]": (dict,), "int": (int,),
    "int | None": (int, type(None)), "float": (int, float), "float | None": (int, float, type(None)),
    "list[str]": (list,), "str | list[int]": (str, list),
}  # fmt: skip
