"""Cross-validation: features once, folds side by side with one thread each, so that the figures repeat."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.base
import torch

from ..errors import DataError, InputError, check_whole
from ..training.folds import Fold
from ..training.loop import Epoch
from ..training.metrics import confusion_matrix, mean_interval, wilson_interval
from ..training.processes import WorkerPool, n_cores
from ..training.records import RecordFile
from .classifier import AudioClassifier, split_flaws
from .dataset import AudioTable, common_folder, short_name
from .feature_store import FeatureStore, opened_store
from .frontends import FRONTENDS
from .members import MEMBERS

__all__ = ["CrossValidation", "FoldResult", "cross_validate", "interval_over"]


@dataclass(frozen=True)
class FoldResult:
    """One fold: its number (from 0), right answers out of `n_test`, seconds, predicted class indices by row."""

    number: int
    n_train: int
    n_test: int
    n_correct: int
    seconds: float
    rows: tuple[int, ...]
    predicted: tuple[int, ...]
    probabilities: tuple[tuple[float, ...], ...]  # of the test rows, columns as the classes of the whole set

    @property
    def accuracy(self) -> float:
        return self.n_correct / self.n_test


@dataclass(frozen=True)
class KeptFolds:
    """The folds of one study in a file of JSON lines; a line torn by a kill is left out and run again."""

    path: str | os.PathLike
    key: str

    def read(self) -> dict[int, FoldResult]:
        """The folds of this study that are done, by number.

        Raises
        ------
        DataError
            If the file cannot be read.
        """
        found: dict[int, FoldResult] = {}
        for entry in RecordFile(self.path).read().records:
            try:
                if entry.pop("study") == self.key:
                    fold = FoldResult(**{k: _tuple(v) for k, v in entry.items()})
                    found[fold.number] = fold
            except (KeyError, TypeError):  # a line of another program
                continue
        return found

    def add(self, fold: FoldResult) -> None:
        """Append a fold that is done.

        Raises
        ------
        DataError
            If the file cannot be written.
        """
        RecordFile(self.path).append({"study": self.key, **asdict(fold)})


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class CrossValidation:
    """All folds, with what was left out.

    Attributes
    ----------
    classes : list of str, sorted
    folds : list of FoldResult
    confusion : array [shape=(n_classes, n_classes)], rows = true class
    skipped : list of (path, reason)
    silent, short : list of str
        As AudioClassifier's silent_ and short_.
    sample_rate : int, Hz
    epochs : int
    seconds : float
    """

    classes: list[str]
    folds: list[FoldResult]
    confusion: np.ndarray
    skipped: list[tuple[str, str]]
    sample_rate: int
    epochs: int
    seconds: float
    silent: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """Mean of the folds' accuracies, 0–1."""
        return float(np.mean([f.accuracy for f in self.folds]))

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: over folds, corrected for shared training rows (Nadeau & Bengio); Wilson's for one split."""
        return interval_over([f.accuracy for f in self.folds], self.folds)


def interval_over(accuracies: Sequence[float], folds: Sequence[FoldResult]) -> tuple[float, float]:
    """95 % interval of accuracies on these folds: Nadeau & Bengio's over folds, Wilson's for one split."""
    if len(folds) == 1:
        return wilson_interval(round(accuracies[0] * folds[0].n_test), folds[0].n_test)
    share = float(np.mean([f.n_test / f.n_train for f in folds]))
    mean, half = mean_interval(accuracies, test_share=share)
    return max(0.0, mean - half), min(1.0, mean + half)


def cross_validate(
    estimator: AudioClassifier,
    table: AudioTable,
    folds: Sequence[Fold],
    *,
    n_jobs: int | None = None,
    on_file: Callable[[], None] | None = None,
    on_features: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[int, Epoch], None] | None = None,
    on_fold: Callable[[FoldResult], None] | None = None,
    results: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
) -> CrossValidation:
    """Train on each fold's train rows with fresh weights and test on its test rows, last weights.

    Parameters
    ----------
    estimator : AudioClassifier
        Its parameters are used, it is not changed.
    table : AudioTable
    folds : list of (train, test) row indices
    n_jobs : int, optional
        Processes; default one a processor, at most one a fold. The figures do not depend on it.
    on_file, on_features(sample_rate, n_epochs), on_epoch(fold, Epoch), on_fold(FoldResult)
        For progress; on_fold comes as folds end.
    results : path, optional
        JSON lines, one a fold that is done. What stands there of the same set, folds and parameters is not run
        again, so that a study can be spread over many runs, or go on after a kill; other lines stay.
    cache : path, optional
        A folder that keeps the decoded clips' features for the next study; default a temporary one.

    Returns
    -------
    CrossValidation

    Raises
    ------
    DataError
        If no file can be read, or a fold is left without training or test rows.
    """
    check_whole("n_jobs", n_jobs, or_none=True)
    start = time.perf_counter()
    estimator = sklearn.base.clone(estimator)
    if estimator.multi_label:
        raise InputError("multi_label must be False: cross-validation judges one label a clip")
    frontend = estimator.make_frontend(table.paths, table.labels)
    flaws: dict[int, str] = {}
    with opened_store(cache, frontend) as store:
        features = estimator.extract(
            table.paths, frontend, store=store, on_file=on_file, on_flaw=flaws.__setitem__
        )
        skipped = [(p, str(f)) for p, f in zip(table.paths, features, strict=True) if isinstance(f, DataError)]
        readable = np.array([not isinstance(f, DataError) for f in features])
        del features
        classes = sorted({label for label, good in zip(table.labels, readable, strict=True) if good})
        parts = [(train[readable[train]], test[readable[test]]) for train, test in folds]
        first = f"; {len(skipped)} files left out, the first: {skipped[0][1]}" if skipped else ""
        for number, (train, test) in enumerate(parts):
            if len(train) == 0 or len(test) == 0:
                raise DataError(
                    f"{table.source}: fold {number + 1} has no readable file to train on or to test on{first}"
                )
            left = sorted({table.labels[i] for i in train})
            if len(left) < 2:
                raise DataError(
                    f"{table.source}: fold {number + 1} leaves only the class {left[0]!r} to train on, "
                    f"training needs at least two{first}"
                )
        silent, short = split_flaws((table.paths[i], flaws[i]) for i in sorted(flaws))
        if len(silent) == readable.sum():
            raise DataError(
                f"{table.source}: every clip is silent (all samples 0); there is nothing to learn from"
            )
        epochs = estimator.choose_epochs(max(len(train) for train, _ in parts))
        if on_features is not None:
            on_features(frontend.sample_rate, epochs)

        setting = {
            "parameters": estimator.get_params(),
            "frames": estimator.frames_,
            "frontend": (type(frontend).__name__, frontend.options()),
            "labels": table.labels,
            "groups": table.sources,
            "classes": classes,
            "store": os.fspath(store.path.parent),
            "keys": [
                estimator.store_key(p) if good else None for p, good in zip(table.paths, readable, strict=True)
            ],
        }
        kept = None if results is None else KeptFolds(results, _study_key(table, parts, setting))
        done = {} if kept is None else kept.read()
        if on_fold is not None:
            for found in done.values():
                on_fold(found)

        def tell(found: FoldResult) -> None:
            if kept is not None:
                kept.add(found)
            if on_fold is not None:
                on_fold(found)

        todo = {number: part for number, part in enumerate(parts) if number not in done}
        n_jobs = max(1, min(len(todo), n_jobs or n_cores()))
        with tempfile.TemporaryDirectory(prefix="conv1d_kit-cv-") as folder:
            run = _run_beside if n_jobs > 1 else _run_in_turn
            fresh = run(folder, setting, todo, n_jobs, on_epoch, tell)
        every = [done[i] if i in done else fresh[i] for i in range(len(parts))]
    index = {name: i for i, name in enumerate(classes)}
    confusion = sum(
        confusion_matrix([index[table.labels[r]] for r in f.rows], f.predicted, len(classes)) for f in every
    )
    return CrossValidation(
        classes, every, np.asarray(confusion), skipped, frontend.sample_rate, epochs,
        time.perf_counter() - start, silent, short,
    )  # fmt: skip


def run_fold(folder: str, setting: dict, number: int, part: Fold, on_epoch=None) -> FoldResult:
    """Train and test one fold from the stored features, with one torch thread; its epochs told in `folder`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        start = time.perf_counter()
        name, options = setting["frontend"]
        frontend = next(f for f in FRONTENDS.values() if f.__name__ == name)(**options)
        store, keys = FeatureStore(setting["store"], frontend), setting["keys"]
        train, test = part
        groups = setting["groups"]
        labels = np.asarray(setting["labels"])
        report = on_epoch if on_epoch is not None else _Log(Path(folder, f"fold{number}.jsonl"))
        model = AudioClassifier(**setting["parameters"])
        model.frames_ = setting["frames"]
        model.fit_features(
            [store.features(keys[i]) for i in train], labels[train], frontend, on_epoch=report,
            groups=None if groups is None else [groups[i] for i in train],
        )  # fmt: skip
        shares = model.predict_proba_features([store.features(keys[i]) for i in test])
        best = shares.argmax(1)
        right = int((model.classes_[best] == labels[test]).sum())
        index = {c: i for i, c in enumerate(setting["classes"])}
        predicted = tuple(index[c] for c in model.classes_[best])
        spread = np.zeros((len(test), len(index)))
        spread[:, [index[c] for c in model.classes_]] = shares
        said = tuple(tuple(float(f"{p:.6g}") for p in row) for row in spread)
        seconds = time.perf_counter() - start
        return FoldResult(number, len(train), len(test), right, seconds, tuple(map(int, test)), predicted, said)
    finally:
        torch.set_num_threads(threads)


class _Log:
    """Epochs as lines of a file: the way a fold in another process tells of its progress."""

    def __init__(self, path: Path):
        self.path = path

    def __call__(self, epoch: Epoch) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(epoch)) + "\n")


def _run_in_turn(folder, setting, parts: dict[int, Fold], n_jobs, on_epoch, on_fold) -> dict[int, FoldResult]:
    results = {}
    for number, part in parts.items():
        tell = None if on_epoch is None else (lambda epoch, number=number: on_epoch(number, epoch))
        results[number] = run_fold(folder, setting, number, part, tell)
        on_fold(results[number])
    return results


def _run_beside(folder, setting, parts: dict[int, Fold], n_jobs, on_epoch, on_fold) -> dict[int, FoldResult]:
    results: dict[int, FoldResult] = {}
    told = dict.fromkeys(parts, 0)
    with WorkerPool(n_jobs) as pool:
        waiting: set[Future] = {pool.submit(run_fold, folder, setting, i, p) for i, p in parts.items()}
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            if on_epoch is not None:
                for number in parts:
                    lines = _lines(Path(folder, f"fold{number}.jsonl"))
                    for line in lines[told[number] :]:
                        on_epoch(number, Epoch(**json.loads(line)))
                    told[number] = len(lines)
            for future in done:
                result = future.result()
                results[result.number] = result
                on_fold(result)
    return results


def _study_key(table: AudioTable, parts: Sequence[Fold], setting: dict) -> str:
    """What decides the figures of a study, as one word: files and labels, folds, parameters, versions.

    What is as usual is left out: so a study keeps its word when there is more to ask for.
    """
    from .. import __version__

    root, usual = common_folder(table.paths), AudioClassifier().get_params()
    words = {
        "files": [short_name(p, root) for p in table.paths],
        "bytes": [os.path.getsize(p) if os.path.isfile(p) else -1 for p in table.paths],
        "labels": setting["labels"],
        "folds": [[int(i) for i in test] for _, test in parts],
        "parameters": {k: v for k, v in setting["parameters"].items() if k != "n_threads" and v != usual[k]},
        "members": MEMBERS.get(setting["parameters"]["net"]),
        "frontend": setting["frontend"],
        "frames": setting["frames"],
        "versions": [__version__, torch.__version__.partition("+")[0]],
    }
    if any(setting["parameters"][option] is not None for option in ("patience", "calibration_share")):
        words["groups"] = setting["groups"]  # what they hold out together
    readable = [i for i, key in enumerate(setting["keys"]) if key is not None]
    if any(not np.array_equal(train, np.setdiff1d(readable, test)) for train, test in parts):
        words["train"] = [[int(i) for i in train] for train, _ in parts]
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return path.read_text("utf-8").split("\n")[:-1]  # what follows the last newline is still being written
