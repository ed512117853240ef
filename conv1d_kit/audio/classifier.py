"""AudioClassifier: a scikit-learn estimator from clips or files to classes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError, InputError, one_line
from ..training.calibration import fit_temperature, tempered
from ..training.devices import open_accelerator
from ..training.folds import held_out
from ..training.loop import Epoch, History
from ..training.rate_finder import RateSearch
from ..training.rejection import surest_threshold
from ..training.targets import class_targets, label_sets, said_labels
from .augment import AUGMENTS, check_augments
from .batch import kind_of
from .choices import Choices, choose_for, epochs_for
from .classifier_folder import read_classifier, write_classifier
from .classifier_options import MAX_SEED, check_options
from .clip import as_items, check_rate
from .composite_nets import CentredNet, Ensemble, HeardNet
from .dataset import load_waves
from .feature_store import FeatureStore, clip_key, opened_store
from .frontends import FRONTENDS, Frontend, Raw
from .hearing import Heard, Hearing, features_of, flaws_of, name_of
from .members import MEMBERS, TRIMMED
from .net import AudioNet
from .net_training import CROP_S, NetTraining, logits_of
from .nets import AUDIO_NETS
from .trim import heard_of

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["AudioClassifier", "Prediction", "split_flaws"]

_RANGE_DB = 40.0  # below a clip's loudest cell, which is all that a centred net hears
_LEAST_ANSWERED = 0.1  # share of the held-out clips that a threshold must answer: fewer would be luck
_PLAIN_AUGMENTS: dict[str, tuple[str, ...]] = {
    "waveform": ("speed", "crop", "gain", "mix"), "log_mel": ("speed", "crop", "gain", "mix"),
    "log_power": ("crop", "gain", "mix"), "other": ("crop", "masks"),
}  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """What `predict_each` says of one item: label, score and probabilities, or the error that prevents them.

    `label` is None where the model has a threshold and no class reaches it; of several labels a clip it is the
    tuple of those above one half. `score` is the largest probability. `note` says what makes an answer doubtful
    or why there is none: "silent", "shorter than one window of 64 ms", "none of these (below 0.71)".
    """

    path: str
    label: Any = None
    score: float = float("nan")
    probabilities: np.ndarray | None = None
    error: str = ""
    note: str = ""


class AudioClassifier(ClassifierMixin, BaseEstimator):
    """Clips of any length and rate → classes, by a convolutional net trained from scratch.

    Parameters
    ----------
    net : a key of AUDIO_NETS or MEMBERS
        "spectrogram" (log-mel and a 2-D CNN), "speech" (one for words by voices not heard in training),
        "residual" (a deeper one), "depthwise" or "dilated" (never look ahead; small), "bc_resnet", "wave" and
        "m5" (samples; slower), "filterbank" (learned filters on the samples and a small 1-D CNN; for short
        clips), "texture" (statistics; for sounds of seconds); `audio nets` shows them all. "ensemble": the
        mean of "residual" and "spectrogram"; "environment": of "residual", a centred "spectrogram" and
        "texture", for rain, engines and the like; "voices": of two "speech", one centred; "two_view": of
        "residual" and "wave".
    frontend : a key of FRONTENDS, optional
        Default: the net's own, log_mel or raw. One with weights (learned, sinc, gabor) is trained with the net.
        Of an ensemble: before each member that does not hear samples.
    frontend_options : dict, optional
        Of its class, such as {"hop_length": 80, "n_fft": 256} (samples).
    sample_rate : int, Hz, optional
        Everything is resampled to it. Default: the lowest that keeps what the files hold, at most 32000.
    n_mels : int, optional
        Bands of log_mel and pcen. Default, as for their windows and hops: by the clips (`audio.choices`).
    centred : bool, optional
        Each feature relative to its mean over the clip (cepstral mean normalisation), of log powers only the
        upper 40 dB: for voices, microphones, rooms or backgrounds that training has not heard. Not where the
        spectrum's shape is what tells the classes apart. Default: as the net has it, True for "speech" alone.
    trim : bool, optional
        Silence of more than 0.1 s at either end of a clip (below -80 dB of full scale) is cut off, in training
        and prediction alike: how much of it a recorder or an editor left tells of a set's making, not of the
        sound. Windows of a long recording (`audio events`, `audio listen`) are heard as they are. Default: as
        the net has it, True for "environment" alone.
    epochs : int, optional
        Default: about 32000 clips heard in all, 20 to 100 epochs; 30 at least for "speech" and "voices".
    batch_size, learning_rate, weight_decay, dropout, width
        Of the optimisation (AdamW, warm-up and cosine) and the net; a batch is at most an eighth of the clips.
    augment : sequence of keys of AUGMENTS or of (key, options), optional
        Default: the net's or the member's own, or speed, crop, gain and mix where the features have them.
    label_smoothing : float in [0, 1)
        Share of the target that is spread over all classes.
    class_weight : "balanced" or None
        "balanced": every class counts alike, however many clips it has.
    multi_label : bool
        Any number of labels a clip: y holds a collection of labels each, every class has a probability of its
        own, and a label is said where it is above one half.
    patience : int >= 1, optional
        Early stopping: a share of the training clips is held out, training ends after this many epochs in
        which their loss did not fall, and the weights of the best epoch are kept.
    validation_share : float in (0, 0.5]
        Of the clips, held out for `patience`.
    calibration_share : float in (0, 0.5], optional
        With it the model is trained twice: first without this share of the clips, on which a temperature is
        fitted (and the threshold found), then on all. The temperature goes into the weights.
    min_accuracy : float in (0, 1], optional
        "None of these": the score below which no label is said, the lowest that keeps this accuracy on the
        clips of `calibration_share`, which it needs.
    precision : "float32" or "bfloat16"
        Of the forward pass in training; bfloat16 (through accelerate) pays where the processor has it.
    average_decay : float in [0, 1)
        Of the average of weights the model ends on.
    n_seeds : int
        So many nets like this one (of an ensemble: of each member) are trained, from seeds of their own, and
        the mean of their probabilities is said: surer, for as many times the work. Several do not stream.
    n_threads : int
        Threads that decode files (not those of torch).
    seed : int
        The same seed, data and number of torch threads give the same model.

    Attributes
    ----------
    classes_ : array, sorted
    history_ : training.loop.History
    net_, frontend_ : torch.nn.Module
        `net_(frontend_(x), frontend_.lengths(n))` for samples x (B, T) of lengths n gives logits.
    sample_rate_, epochs_ : int
    temperature_ : float
        What the logits were divided by; 1 without `calibration_share`.
    threshold_ : training.rejection.Threshold or None
        Below its value a clip is none of these; its coverage and accuracy are those of the clips held out.
    choices_ : audio.choices.Choices or None
        What was chosen from the clips, and why; None after `load`.
    frames_ : dict
        Window, hop and bands that were chosen, for log_mel and pcen.
    window_s_ : float
        The median length of the training clips, 0.5 to 10 s.
    n_skipped_, skipped_ : int, list of (path, reason)
        Files that could not be used in training.
    silent_, short_ : list of str
        Clips whose every sample is 0, or that are shorter than a front-end window; trained on all the same.

    Notes
    -----
    The log-mel runs by FFT, which is many times faster than the same front-end as one strided convolution of
    this kit (`frontend_(x, method="conv")`); tests/audio/test_frontends.py holds the two equal.

    Examples
    --------
    >>> from conv1d_kit import Clip
    >>> t = np.arange(4000) / 8000
    >>> clips = [Clip(np.sin(2 * np.pi * f * t), 8000) for f in (300, 310, 2000, 2100)]
    >>> model = AudioClassifier(epochs=8, n_mels=32, width=8, augment=())
    >>> model = model.fit(clips, ["low", "low", "high", "high"])
    >>> model.predict(clips).tolist()
    ['low', 'low', 'high', 'high']
    """

    def __init__(
        self,
        *,
        net: str = "spectrogram",
        frontend: str | None = None,
        frontend_options: Mapping[str, Any] | None = None,
        sample_rate: int | None = None,
        n_mels: int | None = None,
        centred: bool | None = None,
        trim: bool | None = None,
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.02,
        dropout: float = 0.3,
        width: int = 32,
        augment: Sequence | None = None,
        label_smoothing: float = 0.0,
        class_weight: str | None = None,
        multi_label: bool = False,
        patience: int | None = None,
        validation_share: float = 0.2,
        calibration_share: float | None = None,
        min_accuracy: float | None = None,
        precision: str = "float32",
        average_decay: float = 0.99,
        n_seeds: int = 1,
        n_threads: int = 2,
        seed: int = 0,
    ):
        self.net = net
        self.frontend = frontend
        self.frontend_options = frontend_options
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.centred = centred
        self.trim = trim
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.width = width
        self.augment = augment
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.multi_label = multi_label
        self.patience = patience
        self.validation_share = validation_share
        self.calibration_share = calibration_share
        self.min_accuracy = min_accuracy
        self.precision = precision
        self.average_decay = average_decay
        self.n_seeds = n_seeds
        self.n_threads = n_threads
        self.seed = seed

    # --- scikit-learn's verbs ---

    def fit(
        self,
        X,
        y,
        *,
        groups: Sequence | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint=None,
        cache=None,
        accelerator: Accelerator | None = None,
    ) -> AudioClassifier:
        """Train on Clips or paths X and their labels y; a file that cannot be read is left out and told.

        Parameters
        ----------
        X : sequence of Clips or paths, length N
        y : sequence of length N
            A label each, or with `multi_label` a collection of labels.
        groups : sequence of length N, optional
            Source recording, speaker, site…: clips of one group are held out together, where any are.
        on_epoch : function(Epoch), optional
        checkpoint : path, optional
            A file that keeps the run after every epoch; where it stands, training goes on from it to the same
            weights (an ensemble's members have files beside it). It is left there when all is done.
        cache : path, optional
            A folder that keeps the decoded clips' features for the next fit. Without it they lie in a temporary
            file, mapped into memory, until the fit ends.
        accelerator : from `training.devices.open_accelerator`, optional
            To train by several processes, each in a script of torchrun; `precision` is then its own.

        Raises
        ------
        InputError
            If X and y differ in length or a parameter cannot be used.
        DataError
            If no two classes are left to learn from.
        """
        self.check_options()
        items = as_items(X)
        n = len(items)
        class_targets(y, n, multi_label=bool(self.multi_label), of="clip")  # refused now, not after decoding
        labels = list(y)
        if groups is not None and len(groups) != n:
            raise InputError(f"groups must be one a clip ({n}), got {len(groups)}")
        frontend = self.make_frontend(items, _words(labels))
        flaws: dict[int, str] = {}
        with opened_store(cache, frontend) as store:
            features = self.extract(items, frontend, store=store, on_flaw=flaws.__setitem__)
            good = [i for i, f in enumerate(features) if not isinstance(f, DataError)]
            skipped = [(name_of(items[i]), str(f)) for i, f in enumerate(features) if isinstance(f, DataError)]
            if not good:
                raise DataError(f"none of the {n} files can be used; the first: {skipped[0][1]}" if skipped
                                else "X must hold at least one clip, got none")  # fmt: skip
            kept = [labels[i] for i in good]
            left = sorted(set(_words(kept)))
            if len(left) < 2 and skipped:
                raise DataError(
                    f"only clips of the class {left[0]!r} can be used, training needs at least two classes; "
                    f"{len(skipped)} file{'s' * (len(skipped) > 1)} left out, the first: {skipped[0][1]}"
                )
            silent, short = split_flaws((name_of(items[i]), flaws[i]) for i in sorted(flaws))
            if len(silent) == len(good):
                raise DataError(
                    f"every clip is silent (all samples 0), {silent[0]} the first; "
                    "there is nothing to learn from"
                )
            self.fit_features(
                [features[i] for i in good], kept, frontend, on_epoch=on_epoch, checkpoint=checkpoint,
                groups=None if groups is None else [groups[i] for i in good], accelerator=accelerator,
            )  # fmt: skip
        self.skipped_, self.n_skipped_ = skipped, len(skipped)
        self.silent_, self.short_ = silent, short
        return self

    def predict(self, X) -> np.ndarray:
        """The most probable class of each clip; with `multi_label` a tuple of those above one half.

        A threshold has no say here, so that scikit-learn's scores count every clip; `predict_each` goes by it.
        """
        check_is_fitted(self, "net_")
        return said_labels(self.classes_, self.predict_proba(X), multi_label=bool(self.multi_label))

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities [shape=(N, n_classes)], columns as `classes_`.

        Raises
        ------
        DataError
            If a file cannot be read; `predict_each` goes on instead.
        """
        check_is_fitted(self, "net_")
        rows = []
        for heard in self._hearing().each(as_items(X)):
            if heard.error:
                raise DataError(heard.error)
            rows.append(heard.probabilities)
        return np.stack(rows) if rows else np.zeros((0, len(self.classes_)), np.float32)

    def predict_each(self, items: Iterable) -> Iterator[Prediction]:
        """One Prediction an item, in order, as they come; a bad file gives its error and the rest goes on.

        What stands in memory is bounded by seconds of sound, whatever the number and the length of the files.
        """
        check_is_fitted(self, "net_")
        return map(self._prediction, self._hearing().each(items))

    def score(self, X, y, sample_weight=None) -> float:
        """Share of clips whose label (with `multi_label`: whose whole set of labels) is right."""
        if not self.multi_label:
            return super().score(X, y, sample_weight)
        said = self.predict(X)
        truth = label_sets(y, len(said), of="clip")
        right = [set(a) == b for a, b in zip(said, truth, strict=True)]
        return float(np.average(right, weights=sample_weight))

    def find_learning_rate(self, X, y, *, cache=None, **options) -> RateSearch:
        """A range test on these clips: which learning rates learn and which diverge; nothing is kept of it.

        Parameters
        ----------
        X, y, cache
            As `fit` takes them.
        **options
            low, high, n_steps, smoothing of `training.rate_finder.find_learning_rate`.

        Raises
        ------
        InputError
            As `fit`, or if `net` is an ensemble, whose members are trained one by one.
        """
        self.check_options()
        if self.net in MEMBERS:
            raise InputError(f"net must be one of {', '.join(AUDIO_NETS)} for a range test, got {self.net!r}")
        if self.n_seeds > 1:
            raise InputError(f"n_seeds must be 1 for a range test, got {self.n_seeds!r}")
        items = as_items(X)
        classes, targets = class_targets(y, len(items), multi_label=bool(self.multi_label), of="clip")
        frontend = self.make_frontend(items, _words(list(y)))
        with opened_store(cache, frontend) as store:
            found = self.extract(items, frontend, store=store)
            good = [i for i, f in enumerate(found) if not isinstance(f, DataError)]
            if not good:
                raise DataError(f"none of the {len(items)} files can be used; the first: {found[0]}")
            run = self._training([found[i] for i in good], targets[good], classes.tolist(), frontend)
            return run.find_rate(self._fresh_net(frontend, len(classes)), **options)

    # --- the same on features that are already there (cross-validation computes them once) ---

    def make_frontend(self, items: Sequence, labels: Sequence | None = None) -> Frontend:
        """The front-end for these clips or files; rate and frames are chosen from them where none are given."""
        self.check_options()
        rate = None if self.sample_rate is None else check_rate(self.sample_rate)
        known = [""] * len(items) if labels is None else labels
        chosen = choose_for(
            items, known, sample_rate=rate, least_epochs=self._least_epochs, n_threads=int(self.n_threads)
        )
        self.choices_: Choices | None = chosen
        self.frames_ = dict(chosen.frontend_options)
        return self.make_frontend_at(chosen.sample_rate)

    def make_frontend_at(self, rate: int) -> Frontend:
        """What makes the features that training starts from; raw samples where the net learns its own."""
        if self._own_settings:
            for member in self._members():
                member.make_frontend_at(rate)  # refused now, not after others have been trained
            return Raw(rate)
        front = self._front(rate)
        return Raw(rate) if _learns(front) else front

    def make_net(self, fronts: Sequence[Frontend], n_classes: int) -> Any:
        """A fresh net behind these front-ends: one, or one for each member of an ensemble."""
        if self._own_settings:
            nets = [m.make_net([f], n_classes) for m, f in zip(self._members(), fronts, strict=True)]
            return Ensemble([Raw(f.sample_rate) if _learns(f) else f for f in fronts], nets)
        (front,) = fronts
        row = AUDIO_NETS[self.net]
        net: AudioNet = row(front.n_features, n_classes, width=int(self.width), dropout=float(self.dropout))
        if row.centred if self.centred is None else self.centred:
            is_power = kind_of(front) in ("log_mel", "log_power")
            net = CentredNet(net, range_db=_RANGE_DB if is_power else None)
        net = HeardNet(front, net) if _learns(front) else net
        net.multi_label = bool(self.multi_label)
        return net

    def choose_epochs(self, n_clips: int) -> int:
        """`epochs`, or by default as many as let the net hear about 32000 clips: 20 to 100."""
        return int(self.epochs) if self.epochs is not None else epochs_for(n_clips, least=self._least_epochs)[0]

    @property
    def trims(self) -> bool:
        """Whether clips are heard without the silence at their ends."""
        return self.net in TRIMMED if self.trim is None else bool(self.trim)

    @property
    def n_trainings(self) -> int:
        """Nets that are trained one after the other: an ensemble's members, and all again to calibrate."""
        return max(1, len(self._own_settings)) * (1 if self.calibration_share is None else 2)

    def count_epochs(self, n_clips: int) -> int:
        """Epochs that are told of in all, at most."""
        return self.n_trainings * self.choose_epochs(n_clips)

    def extract(
        self,
        items: Sequence,
        frontend: Frontend,
        *,
        store: FeatureStore | None = None,
        on_file: Callable[[], None] | None = None,
        on_flaw: Callable[[int, str], Any] | None = None,
    ) -> list[Any]:
        """Features (F, L) of each clip or file, or its DataError; `on_flaw(i, words)`: silence, too short.

        With a store nothing is decoded that it has, and the features are views of its file.
        """

        def features(wave: np.ndarray) -> tuple[torch.Tensor, str]:
            (kept,) = heard_of([wave], frontend.sample_rate, trim=self.trims)
            return features_of(kept, frontend), flaws_of(not wave.any(), len(wave), frontend)

        if store is None:
            found = self._decoded(items, frontend, lambda _, wave: features(wave), on_file)
        else:
            keys = [self._key_or_error(item) for item in items]
            fresh = {i: k for i, k in enumerate(keys) if isinstance(k, str) and store.get(k) is None}
            key_of = {id(items[i]): key for i, key in fresh.items()}
            with store.written():
                some = [items[i] for i in fresh]
                done = self._decoded(
                    some, frontend, lambda item, wave: store.put(key_of[id(item)], *features(wave)), on_file
                )
            errors = {i: d for i, d in zip(fresh, done, strict=True) if isinstance(d, DataError)}
            found = [errors.get(i) or (store.get(k) if isinstance(k, str) else k) for i, k in enumerate(keys)]
            if on_file is not None:
                for _ in range(len(items) - len(some)):
                    on_file()
        for i, f in enumerate(found):
            if on_flaw is not None and not isinstance(f, DataError) and f[1]:
                on_flaw(i, f[1])
        return [f if isinstance(f, DataError) else f[0] for f in found]

    def store_key(self, item) -> str:
        """Under what word a store keeps the features that `extract` makes of a clip or file.

        Raises
        ------
        DataError
            If the file is missing.
        """
        return f"{clip_key(item)}{' trimmed' * self.trims}"

    def fit_features(
        self,
        features: Sequence[torch.Tensor],
        y,
        frontend: Frontend,
        *,
        groups: Sequence | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint=None,
        accelerator: Accelerator | None = None,
    ) -> AudioClassifier:
        """Train on features (F, L) that `extract` gave; the rest as in `fit`."""
        self.check_options()
        n, several = len(features), bool(self.multi_label)
        classes, targets = class_targets(y, n, multi_label=several, of="clip")
        if len(classes) < 2 and not several:
            raise DataError(f"training needs clips of at least two classes, got only {classes.tolist()}")
        if accelerator is None and self.precision != "float32":
            accelerator = open_accelerator(precision=self.precision)
        self.temperature_, self.threshold_ = 1.0, None
        epochs = self.choose_epochs(n)
        learn = partial(self._trained, classes=classes.tolist(), frontend=frontend, accelerator=accelerator)
        if self.calibration_share is not None:
            rest, held = held_out(
                targets, float(self.calibration_share), classes=classes.tolist(), groups=groups,
                seed=int(self.seed), name="calibration_share",
            )  # fmt: skip
            net, _ = learn(
                [features[i] for i in rest], targets[rest], on_epoch=on_epoch,
                groups=None if groups is None else [groups[i] for i in rest],
                checkpoint=None if checkpoint is None else f"{os.fspath(checkpoint)}.0",
            )  # fmt: skip
            said = net.probabilities(logits_of(net, frontend, [features[i] for i in held])).numpy()
            self.temperature_ = fit_temperature(said, targets[held])
            if self.min_accuracy is not None:
                said = tempered(said, self.temperature_)
                self.threshold_ = surest_threshold(
                    said, targets[held], min_accuracy=float(self.min_accuracy), min_coverage=_LEAST_ANSWERED
                )
            on_epoch = _shifted(on_epoch, self.count_epochs(n) // 2)
        net, self.history_ = learn(features, targets, on_epoch=on_epoch, groups=groups, checkpoint=checkpoint)
        net.temper(self.temperature_)
        seconds = sorted(f.shape[-1] * frontend.hop_length / frontend.sample_rate for f in features)
        self.window_s_ = min(CROP_S, max(0.5, seconds[len(seconds) // 2]))
        self.net_: Any = net.eval()
        self.classes_, self.frontend_ = classes, frontend
        self.sample_rate_, self.epochs_ = frontend.sample_rate, epochs
        self.skipped_, self.n_skipped_, self.silent_, self.short_ = [], 0, [], []
        return self

    def predict_proba_features(self, features: Sequence[torch.Tensor]) -> np.ndarray:
        """Probabilities of features (F, L), in padded batches of clips of similar length."""
        check_is_fitted(self, "net_")
        if not features:
            return np.zeros((0, len(self.classes_)), np.float32)
        return self.net_.probabilities(logits_of(self.net_, self.frontend_, features)).numpy()

    # --- keep and open ---

    def save(self, path) -> None:
        """Write the model folder (safetensors and JSON)."""
        check_is_fitted(self, "net_")
        write_classifier(self, path)

    @classmethod
    def load(cls, path) -> AudioClassifier:
        """Open a model folder; nothing in it is run.

        Raises
        ------
        ModelError
            If the folder is missing, damaged or of another kind.
        """
        return read_classifier(cls, path)

    def check_options(self) -> None:
        """Refuse a parameter that cannot be used, by an InputError that names it."""
        check_options(self.get_params())

    # --- inside ---

    def _front(self, rate: int) -> Frontend:
        """The front-end that the net hears through, at this rate."""
        row = AUDIO_NETS[self.net]
        name = self.frontend or row.frontend
        if (row.frontend == "raw") != (name == "raw"):
            takes = "samples: frontend 'raw'" if name != "raw" else "features, not samples: another frontend"
            raise InputError(f"net {self.net!r} takes {takes}, got frontend {name!r}")
        options: dict[str, Any] = {}
        if name in ("log_mel", "pcen"):
            options = dict(getattr(self, "frames_", {}))
            options |= {} if self.n_mels is None else {"n_mels": self.n_mels}
        if name != "raw" and row.causal:
            options["causal"] = True
        options |= self.frontend_options or {}
        known = [k for k in inspect.signature(FRONTENDS[name]).parameters if k != "sample_rate"]
        if unknown := [k for k in options if k not in known]:
            raise InputError(
                f"frontend_options must be those of {FRONTENDS[name].__name__} ({', '.join(known) or 'none'}), "
                f"got {one_line(unknown[0])}"
            )
        front = FRONTENDS[name](sample_rate=rate, **options)
        if self.centred and (name == "raw" or row.causal):
            why = "looks ahead to no frame" if name != "raw" else "hears samples"
            raise InputError(f"centred must be False for the net {self.net!r}, which {why}; try 'spectrogram'")
        return front

    def _augments(self, frontend: Frontend) -> list[tuple[str, dict[str, Any]]]:
        names: Sequence | None = self.augment
        kind = kind_of(frontend)
        if names is None:
            own = AUDIO_NETS[self.net].augments
            names = _fitting(_PLAIN_AUGMENTS[kind] if own is None else own, kind)
        return check_augments(names, frontend)

    def _fresh_net(self, frontend: Frontend, n_classes: int) -> AudioNet:
        """One with the seed's weights; torch's global generator stays as it is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.seed))
            front = self._front(frontend.sample_rate) if isinstance(frontend, Raw) else frontend
            return self.make_net([front], n_classes)

    @property
    def _own_settings(self) -> tuple[dict[str, Any], ...]:
        """What each of several nets has of its own, beside a seed; empty where one net is all."""
        if self.net not in MEMBERS and self.n_seeds == 1:
            return ()
        return MEMBERS.get(self.net, ({},)) * int(self.n_seeds)

    @property
    def _least_epochs(self) -> int:
        nets = [own.get("net", self.net) for own in self._own_settings] or [self.net]
        return max(AUDIO_NETS[net].least_epochs for net in nets)

    def _members(self) -> list[AudioClassifier]:
        """An ensemble's members as estimators of their own, each with another seed."""
        made, params = [], self.get_params()
        asked = {k: params[k] for k in ("frontend", "centred", "augment") if params[k] is not None}
        for i, own in enumerate(self._own_settings):
            seed = (int(self.seed) + i * 7919) % (MAX_SEED + 1)
            hears = {"frontend": "raw", "frontend_options": None} if own.get("frontend") == "raw" else {}
            settings = {**params, **own, **asked, **hears, "seed": seed, "n_seeds": 1}
            made.append(AudioClassifier(**settings))
            made[-1].frames_ = getattr(self, "frames_", {})
        return made

    def _training(self, features, targets, classes, frontend, groups=None) -> NetTraining:
        return NetTraining(
            features, targets, classes, frontend, self._augments(frontend), self.choose_epochs(len(features)),
            self.get_params(), groups,
        )  # fmt: skip

    def _trained(
        self, features, targets, *, classes, frontend, groups, on_epoch, checkpoint, accelerator
    ) -> tuple[AudioNet, History]:
        """A net that has learned; of an ensemble each member, on what its own front-end makes of samples."""
        if not self._own_settings:
            net = self._fresh_net(frontend, len(classes))
            run = self._training(features, targets, classes, frontend, groups)
            history = run.run(net, on_epoch=on_epoch, checkpoint=checkpoint, accelerator=accelerator)
            return net, history
        fronts, nets, epochs = [], [], []
        for i, member in enumerate(self._members()):
            front = member.make_frontend_at(frontend.sample_rate)
            if self.augment is None and member.augment is not None:  # the row's, which were meant for log-mels
                member.augment = tuple(_fitting(member.augment, kind_of(front)))
            with opened_store(None, front) as store:
                heard = features if isinstance(front, Raw) else _through(features, front, store)
                net, history = member._trained(
                    heard, targets, classes=classes, frontend=front, groups=groups, accelerator=accelerator,
                    on_epoch=_shifted(on_epoch, i * member.choose_epochs(len(features))),
                    checkpoint=None if checkpoint is None else f"{os.fspath(checkpoint)}.{i + 1}",
                )  # fmt: skip
            fronts.append(front)
            nets.append(net)
            epochs += history.epochs
        return Ensemble(fronts, nets).eval(), History(epochs)

    def _key_or_error(self, item) -> str | DataError:
        try:
            return self.store_key(item)
        except DataError as error:
            return error

    def _decoded(self, items, frontend, then, on_file) -> list[Any]:
        return load_waves(
            items, frontend.sample_rate, n_threads=int(self.n_threads), then=then, on_file=on_file
        )

    def _hearing(self) -> Hearing:
        return Hearing(self.frontend_, self.net_, int(self.n_threads), trim=self.trims)

    def _prediction(self, heard: Heard) -> Prediction:
        if heard.error:
            return Prediction(heard.name, error=heard.error)
        p = heard.probabilities
        note, score = flaws_of(heard.silent, heard.n_samples, self.frontend_), float(p.max())
        (label,) = said_labels(self.classes_, p[None], multi_label=bool(self.multi_label))
        if self.threshold_ is not None and score < self.threshold_.value:
            none = f"none of these (below {self.threshold_.value:.2f})"
            label, note = None, f"{note}; {none}" if note else none
        return Prediction(heard.name, label, score, p, note=note)


def split_flaws(flaws: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The silent and the short of (name, words), the words as `extract` and Prediction.note give them."""
    pairs = list(flaws)
    return [name for name, words in pairs if "silent" in words], [n for n, words in pairs if "shorter" in words]


def _words(labels: Iterable) -> list[str]:
    """A word a row; several labels as one."""
    return [", ".join(sorted(map(str, x))) if isinstance(x, set | list | tuple) else str(x) for x in labels]


def _through(waves: Sequence[torch.Tensor], front: Frontend, store: FeatureStore) -> list[torch.Tensor]:
    """What a front-end makes of samples (1, T), each a view of the store's file."""
    with store.written():
        for i, wave in enumerate(waves):
            store.put(str(i), features_of(wave[0].numpy(), front))
    return [store.features(str(i)) for i in range(len(waves))]


def _fitting(augments: Sequence, kind: str) -> list:
    """Those of the augmentations that features of this kind can take."""
    return [a for a in augments if kind in AUGMENTS[a if isinstance(a, str) else a[0]].kinds]


def _learns(frontend: Frontend) -> bool:
    return any(p.requires_grad for p in frontend.parameters())


def _shifted(on_epoch: Callable[[Epoch], None] | None, by: int) -> Callable[[Epoch], None] | None:
    """Tells of an ensemble's epochs as if they were one run."""
    if on_epoch is None or by == 0:
        return on_epoch
    return lambda epoch: on_epoch(replace(epoch, number=epoch.number + by))
