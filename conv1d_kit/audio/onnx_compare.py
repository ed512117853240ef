"""Two exported models side by side on labelled clips: how often right, how often of one mind, how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError
from ..training.metrics import wilson_interval
from .onnx_runner import OnnxAudioClassifier

__all__ = ["Comparison", "Score", "check_labels", "compare"]


@dataclass
class Score:
    """One model: right answers out of `n`, and the seconds its graph ran, decoding left out."""

    n_correct: int = 0
    n: int = 0
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        return self.n_correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 %."""
        return wilson_interval(self.n_correct, self.n)

    @property
    def clips_per_second(self) -> float:
        return self.n / self.seconds


@dataclass
class Comparison:
    """All models on the same clips.

    Attributes
    ----------
    scores : list of Score, as the models
    n_agree : int
        Clips on which every model names the same class.
    largest_difference : float
        Of a probability from the first model's.
    skipped : list of (path, reason)
    """

    scores: list[Score]
    n_agree: int = 0
    largest_difference: float = 0.0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        return self.n_agree / self.scores[0].n


def compare(
    models: Sequence[OnnxAudioClassifier],
    paths: Sequence[str],
    labels: Sequence[str],
    *,
    on_file: Callable[[], None] | None = None,
) -> Comparison:
    """Every model on every clip in turn; a clip stands in memory one stretch at a time.

    For speeds that can be compared give models opened with the same `n_threads`.

    Raises
    ------
    DataError
        If a label is not a class of the models, or no file can be read.
    """
    check_labels(models[0], labels)
    found = Comparison([Score() for _ in models])
    classes = [str(c) for c in models[0].classes_]
    for model in models:  # the first run of a graph takes its memory
        model.run(np.zeros((1, model.sample_rate_), np.float32))
    for path, label in zip(paths, labels, strict=True):
        try:
            rows = _probabilities(models, path, found.scores)
        except DataError as error:
            found.skipped.append((str(path), str(error)))
        else:
            best = rows.argmax(1)
            for score, i in zip(found.scores, best, strict=True):
                score.n += 1
                score.n_correct += classes[i] == str(label)
            found.n_agree += bool((best == best[0]).all())
            found.largest_difference = max(found.largest_difference, float(np.abs(rows - rows[0]).max()))
        if on_file is not None:
            on_file()
    if found.scores[0].n == 0:
        raise DataError(f"none of the {len(paths)} files can be read; the first: {found.skipped[0][1]}")
    return found


def check_labels(model: OnnxAudioClassifier, labels: Sequence[str]) -> None:
    """Refuse labels that are not among the model's classes: no answer to them could be right.

    Raises
    ------
    DataError
    """
    classes = [str(c) for c in model.classes_]
    unknown = sorted({str(label) for label in labels} - set(classes))
    if unknown:
        more = f" and {len(unknown) - 1} more" * (len(unknown) > 1)
        raise DataError(
            f"the model does not know the label {unknown[0]!r}{more}; its classes are "
            f"{', '.join(classes[:10])}{'…' * (len(classes) > 10)}; give clips of these only"
        )


def _probabilities(models: Sequence[OnnxAudioClassifier], path, scores: Sequence[Score]) -> np.ndarray:
    """Rows (n_models, n_classes) of one file; the time of each graph goes to its score if the file is whole."""
    rows, seconds = np.zeros((len(models), len(models[0].classes_))), np.zeros(len(models))
    mass = 0
    for wave in models[0].waves(path):
        weight = models[0].description_.frames(wave.shape[1])
        for i, model in enumerate(models):
            start = time.perf_counter()
            rows[i] += weight * model.run(wave)[0]
            seconds[i] += time.perf_counter() - start
        mass += weight
    for score, spent in zip(scores, seconds, strict=True):
        score.seconds += float(spent)
    return rows / mass
