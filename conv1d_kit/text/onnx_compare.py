"""Exported text models side by side on labelled texts: how often right, how often of one mind, how fast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..training.metrics import wilson_interval
from .onnx_runner import OnnxTextClassifier

__all__ = ["Comparison", "Score", "compare"]


@dataclass(frozen=True)
class Score:
    """One model: right answers out of `n`, and seconds from texts to probabilities."""

    n_correct: int
    n: int
    seconds: float

    @property
    def accuracy(self) -> float:
        return self.n_correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 %."""
        return wilson_interval(self.n_correct, self.n)

    @property
    def texts_per_second(self) -> float:
        return self.n / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Comparison:
    """All models on the same texts.

    Attributes
    ----------
    scores : list of Score, as the models
    agreement : float
        Share of the texts to which every model gives the same label.
    largest_difference : float
        Of a probability from the first model's.
    """

    scores: list[Score]
    agreement: float
    largest_difference: float


def compare(models: Sequence[OnnxTextClassifier], texts: Sequence[str], labels: Sequence) -> Comparison:
    """Run every model on every text.

    Raises
    ------
    DataError
        If there is no text, or a label that is no class of the models.
    """
    if len(texts) == 0 or len(texts) != len(labels):
        raise DataError(
            f"texts must be one or more with a label each, got {len(texts)} and {len(labels)} labels"
        )
    classes = [str(c) for c in models[0].classes_.tolist()]
    strange = sorted({str(label) for label in labels} - set(classes))
    if strange:
        raise DataError(f"the label {strange[0]!r} is no class of the model ({', '.join(classes[:10])})")
    truth = np.array([classes.index(str(label)) for label in labels])
    scores, said = [], []
    for model in models:
        start = time.perf_counter()
        said.append(model.predict_proba(texts))
        seconds = time.perf_counter() - start
        scores.append(Score(int((said[-1].argmax(1) == truth).sum()), len(truth), seconds))
    best = np.stack([p.argmax(1) for p in said])
    return Comparison(
        scores, float((best == best[0]).all(0).mean()), max(float(np.abs(p - said[0]).max()) for p in said)
    )
