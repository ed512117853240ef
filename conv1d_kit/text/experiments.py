"""Cross-validation and fixed splits: every fold trains from nothing on its own part, here or in processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..training.folds import Fold
from ..training.processes import WorkerPool

__all__ = ["FoldResult", "run_folds"]


@dataclass(frozen=True)
class FoldResult:
    """One fold: number (from 1), test rows, their predicted labels, last training loss, seconds."""

    number: int
    test: np.ndarray
    predicted: np.ndarray
    n_train: int
    n_weights: int
    loss: float
    seconds: float


def run_folds(
    options: dict[str, Any],
    texts: Sequence[str],
    labels: Sequence[str],
    folds: Sequence[Fold],
    *,
    workers: int = 1,
    on_fold: Callable[[FoldResult], None] | None = None,
) -> list[FoldResult]:
    """Train a TextClassifier on every fold's training rows and predict its test rows.

    Parameters
    ----------
    options : dict
        Arguments of TextClassifier.
    texts, labels : sequences of length N
    folds : sequence of (train, test) index arrays
    workers : int >= 1
        Processes; the results are the same for any number of them, since a fold trains in one thread.
    on_fold : function(FoldResult), optional
        Called as folds end, in any order.

    Returns
    -------
    list of FoldResult, in the order of `folds`
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers must be an int >= 1, got {workers!r}")
    jobs = [
        (options, number, [texts[i] for i in train], [labels[i] for i in train], [texts[i] for i in test], test)
        for number, (train, test) in enumerate(folds, start=1)
    ]
    results: dict[int, FoldResult] = {}

    def ended(result: FoldResult) -> None:
        results[result.number] = result
        if on_fold is not None:
            on_fold(result)

    if min(workers, len(jobs)) == 1:
        for job in jobs:
            ended(_run_fold(job))
    else:
        with WorkerPool(min(workers, len(jobs))) as pool:
            for future in as_completed([pool.submit(_run_fold, job) for job in jobs]):
                ended(future.result())
    return [results[number] for number in sorted(results)]


def _run_fold(job: tuple) -> FoldResult:
    from .classifier import TextClassifier

    options, number, train_texts, train_labels, test_texts, test = job
    start = time.perf_counter()
    try:
        model = TextClassifier(**options).fit(train_texts, train_labels)
        predicted = model.predict(test_texts)
    except InputError as error:
        raise InputError(f"fold {number}: {error}") from error
    return FoldResult(
        number, np.asarray(test), predicted, len(train_texts), model.training_["weights"],
        model.history_.losses[-1] if hasattr(model, "history_") else math.nan, time.perf_counter() - start,
    )  # fmt: skip
