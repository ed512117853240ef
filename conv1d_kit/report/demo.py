"""The demo's experiment: makes sounds and reviews, trains on one part, is judged once on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from ..audio.classifier import AudioClassifier
from ..audio.synth import SOUNDS, make_sounds
from ..errors import InputError
from ..text.classifier import TextClassifier
from ..text.grammar import LABELS, VERDICTS, make_reviews, review
from ..text.ngrams import FilterNgrams
from ..text.tokens import tokenize
from ..training.folds import Fold, stratified_folds
from ..training.loop import Epoch
from ..training.metrics import confusion_matrix, wilson_interval

__all__ = ["FULL", "DemoResult", "DemoSize", "Example", "Outcome", "Twin", "run_demo"]

OnStep = Callable[[str, int, int], None]  # (stage, steps done, steps in all)


@dataclass(frozen=True)
class DemoSize:
    """How much is made and how long is trained; the figures depend on these and the seed alone."""

    clips_per_class: int = 60
    reviews: int = 2400
    spectrogram_epochs: int = 12
    wave_epochs: int = 14
    text_epochs: int = 10
    text_filters: int = 24  # of each width
    ngrams: int = 4  # shown of each filter


FULL = DemoSize()


@dataclass(frozen=True)
class Outcome:
    """What one model said of the held-out part, and its training losses (nats; empty for a linear model)."""

    name: str
    classes: tuple[str, ...]
    true: np.ndarray  # indices into classes
    predicted: np.ndarray
    losses: tuple[float, ...] = ()

    @property
    def n_right(self) -> int:
        return int((self.true == self.predicted).sum())

    @property
    def accuracy(self) -> float:
        return self.n_right / len(self.true)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson_interval(self.n_right, len(self.true))

    @property
    def confusion(self) -> np.ndarray:
        return confusion_matrix(self.true.tolist(), self.predicted.tolist(), len(self.classes))


@dataclass(frozen=True)
class Example:
    """One held-out clip of a class [samples (T,)] and what the spectrogram net calls it."""

    label: str
    predicted: str
    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class Twin:
    """A fresh review, and the probability that it is positive for the CNN and for the bag of words."""

    text: str
    label: str
    cnn: float
    bag: float


@dataclass(frozen=True)
class DemoResult:
    """All that the table, the JSON and the page show."""

    seed: int
    n_train_clips: int
    seconds_of_sound: float
    n_train_reviews: int
    spectrogram: Outcome
    wave: Outcome
    cnn: Outcome
    bag: Outcome
    examples: tuple[Example, ...]
    filters: np.ndarray  # (N, K): the wave net's first layer
    filter_rate: int  # Hz
    ngrams: tuple[FilterNgrams, ...]
    twins: tuple[tuple[Twin, Twin], ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return (self.spectrogram, self.wave, self.cnn, self.bag)


def run_demo(seed: int = 0, *, size: DemoSize = FULL, on_step: OnStep | None = None) -> DemoResult:
    """Make the data, train the three nets and the bag of words, and judge them on the held-out part.

    Parameters
    ----------
    seed : int >= 0
        Decides the data, the split and the nets.
    size : DemoSize
    on_step : function (stage, done, total), optional
        For progress bars.

    Returns
    -------
    DemoResult

    Raises
    ------
    InputError
        If the seed is no int from 0 to 2³² − 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be an int >= 0 and < 2**32, got {seed!r}")
    with _one_thread():
        return _run(seed, size, on_step or (lambda stage, done, total: None))


def _run(seed: int, size: DemoSize, step: OnStep) -> DemoResult:
    step("Making sounds", 0, 1)
    clips, labels = make_sounds(size.clips_per_class, seed=seed)
    step("Making sounds", 1, 1)
    fold = _held_out(labels, seed)
    epochs = size.spectrogram_epochs
    model = AudioClassifier(n_mels=64, width=16, epochs=epochs, augment=("roll", "gain"), seed=seed)
    spectrogram = _judge(
        "Spectrogram CNN", model, clips, labels, fold, _counter(step, "Training on spectrograms", epochs)
    )
    epochs = size.wave_epochs
    wave_model = AudioClassifier(
        net="filterbank", width=64, dropout=0.2, epochs=epochs, augment=("roll", "gain"), seed=seed
    )
    wave = _judge(
        "Waveform CNN", wave_model, clips, labels, fold, _counter(step, "Training on waveforms", epochs)
    )

    texts, sides = make_reviews(size.reviews, seed=seed)
    text_fold = _held_out(sides, seed)
    epochs = size.text_epochs
    cnn_model = TextClassifier(
        widths=(2, 3), filters=size.text_filters, dim=32, epochs=epochs, lr=3e-3, seed=seed
    )
    cnn = _judge(
        "Text CNN, widths 2 and 3",
        cnn_model,
        texts,
        sides,
        text_fold,
        _counter(step, "Training on reviews", epochs),
    )
    bag_model = _BagOfWords()
    bag = _judge("Bag of words", bag_model, texts, sides, text_fold, None)
    return DemoResult(
        seed=seed,
        n_train_clips=len(fold[0]),
        seconds_of_sound=sum(c.samples.shape[1] / c.sample_rate for c in clips),
        n_train_reviews=len(text_fold[0]),
        spectrogram=spectrogram,
        wave=wave,
        cnn=cnn,
        bag=bag,
        examples=_examples(clips, labels, fold[1], spectrogram),
        filters=wave_model.net_.filters().detach().numpy()[:, 0].copy(),
        filter_rate=clips[0].sample_rate,
        ngrams=tuple(cnn_model.filter_ngrams([texts[i] for i in text_fold[0]], size.ngrams)),
        twins=_twins(cnn_model, bag_model, seed),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: the same figures on any number of cores, no slower for nets this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _BagOfWords:
    """Logistic regression on counts of the CNN's own tokens."""

    def fit(self, X, y, *, on_epoch=None):
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        self.counts = CountVectorizer(analyzer=lambda text: [token.word for token in tokenize(text)])
        self.model = LogisticRegression(max_iter=1000).fit(self.counts.fit_transform(X), y)
        return self

    def predict(self, X):
        return self.model.predict(self.counts.transform(X))

    def predict_proba(self, X):
        return self.model.predict_proba(self.counts.transform(X))


def _held_out(labels: Sequence[str], seed: int) -> Fold:
    """Three quarters to learn from, one quarter to be judged on, both with the class shares of the whole."""
    return stratified_folds(labels, 4, seed=seed)[0]


def _judge(name, model, items, labels, fold: Fold, on_epoch) -> Outcome:
    train, test = fold
    model.fit([items[i] for i in train], [labels[i] for i in train], on_epoch=on_epoch)
    classes = tuple(sorted(set(labels)))
    number = {c: i for i, c in enumerate(classes)}
    predicted = model.predict([items[i] for i in test])
    return Outcome(
        name,
        classes,
        np.array([number[labels[i]] for i in test]),
        np.array([number[str(p)] for p in predicted]),
        tuple(model.history_.losses) if hasattr(model, "history_") else (),
    )


def _counter(step: OnStep, stage: str, total: int) -> Callable[[Epoch], None]:
    step(stage, 0, total)
    return lambda epoch: step(stage, epoch.number, total)


def _examples(clips, labels, test: np.ndarray, outcome: Outcome) -> tuple[Example, ...]:
    """The first held-out clip of each class, right or wrong."""
    found = []
    for label in SOUNDS:
        k = next(k for k, i in enumerate(test) if labels[i] == label)
        clip = clips[test[k]]
        found.append(Example(label, outcome.classes[outcome.predicted[k]], clip.samples[0], clip.sample_rate))
    return tuple(found)


def _twins(cnn_model, bag_model, seed: int, n: int = 6) -> tuple[tuple[Twin, Twin], ...]:
    """Fresh reviews, each in both orders of its words, no verdict twice."""
    pairs = []
    for k in np.random.default_rng([seed, 1]).permutation(len(VERDICTS))[:n].tolist():
        texts = [
            review(np.random.default_rng([seed, 1, k]), positive=side == "positive", verdict=k)
            for side in LABELS
        ]
        cnn, bag = (model.predict_proba(texts)[:, LABELS.index("positive")] for model in (cnn_model, bag_model))
        first, second = (
            Twin(text, side, float(c), float(b))
            for text, side, c, b in zip(texts, LABELS, cnn, bag, strict=True)
        )
        pairs.append((first, second))
    return tuple(pairs)
