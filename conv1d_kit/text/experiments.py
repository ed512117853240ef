"""Runs: a TextClassifier trained from nothing on some rows and asked about others, here or in processes."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConvKitError, InputError, check_whole
from ..training.folds import Fold
from ..training.processes import WorkerPool

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["Job", "RunResult", "run_folds", "run_jobs"]


@dataclass(frozen=True)
class Job:
    """One run to be made: its number, the classifier's arguments, training and test rows."""

    number: int
    options: dict[str, Any]
    train: Sequence[int] | np.ndarray
    test: Sequence[int] | np.ndarray


@dataclass(frozen=True)
class RunResult:
    """One run: its job's number, test rows and their predicted labels, the model's size and last loss, seconds.

    What a model does not have (a loss, epochs) is None. `failure`: why there is no prediction.
    """

    number: int
    test: np.ndarray
    predicted: np.ndarray
    n_train: int
    n_words: int | None
    n_weights: int | None
    epochs: int | None
    loss: float | None
    seconds: float
    cpu_seconds: float
    failure: str | None = None


def run_folds(
    options: dict[str, Any],
    texts: Sequence[str],
    labels: Sequence[str],
    folds: Sequence[Fold],
    *,
    workers: int = 1,
    on_fold: Callable[[RunResult], None] | None = None,
) -> list[RunResult]:
    """Train a TextClassifier on every fold's training rows and predict its test rows.

    Parameters
    ----------
    options : dict
        Arguments of TextClassifier.
    texts, labels : sequences of length N
    folds : sequence of (train, test) index arrays
    workers : int >= 1
        Processes; the results are the same for any number of them, since a fold trains in one thread.
    on_fold : function(RunResult), optional
        Called as folds end, in any order.

    Returns
    -------
    list of RunResult, in the order of `folds`, numbers from 1

    Raises
    ------
    InputError
        If a fold cannot be trained; the message begins with its number.
    """
    jobs = [Job(number, options, train, test) for number, (train, test) in enumerate(folds, start=1)]
    results: dict[int, RunResult] = {}
    with closing(run_jobs(jobs, texts, labels, workers=workers)) as ended:
        for result in ended:
            if result.failure is not None:
                raise InputError(f"fold {result.number}: {result.failure}")
            results[result.number] = result
            if on_fold is not None:
                on_fold(result)
    return [results[number] for number in sorted(results)]


def run_jobs(
    jobs: Iterable[Job],
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    workers: int = 1,
    keep_faults: bool = False,
) -> Generator[RunResult, None, None]:
    """Make the runs and give each result as it ends; with several workers in any order.

    Close the iterator (`contextlib.closing`) to end the workers at once where it is left early.

    Parameters
    ----------
    jobs : iterable of Job
        Drawn as workers become free, one ahead.
    texts, labels : sequences of length N
        Written once for all workers; each reads them once.
    workers : int >= 1
        Processes, each with one thread of torch. With 1 the runs are made in this process.
    keep_faults : bool
        What the user can mend (a training that diverges, say) is always a result with `failure`. True: so is
        any other exception, which otherwise is raised.

    Raises
    ------
    InputError
        If `workers` is no positive int.
    """
    check_whole("workers", workers)
    return _run_jobs(iter(jobs), texts, labels, workers, keep_faults)


def _run_jobs(jobs: Iterator[Job], texts, labels, workers: int, keep_faults: bool):
    first = list(islice(jobs, workers + 1))
    if min(workers, len(first)) <= 1:
        for job in first:
            yield _run(job, texts, labels, keep_faults)
        for job in jobs:
            yield _run(job, texts, labels, keep_faults)
        return
    with tempfile.TemporaryDirectory(prefix="conv1d_kit-runs-") as folder:
        place = Path(folder, "texts.json")
        place.write_text(json.dumps([list(texts), list(labels)]), "ascii")
        with WorkerPool(min(workers, len(first))) as pool:
            waiting: set[Future] = {pool.submit(_run_there, job, str(place), keep_faults) for job in first}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for job in islice(jobs, len(done)):
                    waiting.add(pool.submit(_run_there, job, str(place), keep_faults))
                for future in done:
                    yield future.result()


def _run_there(job: Job, place: str, keep_faults: bool) -> RunResult:
    return _run(job, *_read(place), keep_faults)


@lru_cache(maxsize=1)
def _read(place: str) -> tuple[list[str], list[str]]:
    texts, labels = json.loads(Path(place).read_text("ascii"))
    return texts, labels


def _run(job: Job, texts: Sequence[str], labels: Sequence[str], keep_faults: bool) -> RunResult:
    import torch

    from .classifier import TextClassifier

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order would make another net
    start, cpu_start = time.perf_counter(), time.process_time()
    test = np.asarray(job.test, dtype=np.int64)
    facts: dict[str, Any] = {"n_words": None, "n_weights": None, "epochs": None, "loss": None}
    predicted, failure = np.empty(0, dtype=str), None
    try:
        model = TextClassifier(**job.options).fit([texts[i] for i in job.train], [labels[i] for i in job.train])
        predicted = np.asarray(model.predict([texts[i] for i in test]))
        facts = _facts(model)
    except ConvKitError as error:
        failure = " ".join(str(error).split())
    except Exception as error:
        if not keep_faults:
            raise
        failure = " ".join(f"{type(error).__name__}: {error}".split())
    finally:
        torch.set_num_threads(threads)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return RunResult(
        job.number, test, predicted, len(job.train), **facts, seconds=seconds, cpu_seconds=cpu, failure=failure
    )


def _facts(model: TextClassifier) -> dict[str, Any]:
    """Size and last loss of a fitted model, as far as it has them: a naive Bayes model has no epochs."""
    words = getattr(model, "vocabulary_", None)
    history = getattr(model, "history_", None)
    loss = None if history is None or not history.losses else float(history.losses[-1])
    return {
        "n_words": None if words is None else len(words.words),
        "n_weights": model.training_["weights"],
        "epochs": None if history is None else len(history.epochs),
        "loss": loss if loss is not None and math.isfinite(loss) else None,
    }
