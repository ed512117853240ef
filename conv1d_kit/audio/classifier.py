"""AudioClassifier: a scikit-learn estimator from clips or files to classes."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError, InputError, ModelError
from ..training.loop import Epoch, History, train, warmup_cosine
from ..training.losses import balanced_weights, make_loss
from ..training.model_folder import load_model_folder, save_model_folder
from .augment import augment, check_augments
from .batch import Batch, kind_of
from .choices import Choices, choose_for, epochs_for
from .clip import Clip, as_items, check_rate, pieces
from .composite_nets import Ensemble, HeardNet
from .dataset import load_waves
from .frontends import FRONTENDS, Frontend, Raw
from .nets import AUDIO_NETS

__all__ = ["NETS", "AudioClassifier", "Prediction", "split_flaws"]

_CROP_S, _PIECE_S = 10.0, 30.0  # longest stretch heard at once in training and in prediction
_BATCH_S, _WINDOW_S, _WINDOW_ITEMS = (
    80.0,
    240.0,
    64,
)  # in one pass of the net; between two yields of predictions
_MAX_SEED = 2**32 - 1  # scikit-learn's folds take no larger one
_MEMBERS = {
    "ensemble": (("residual", "log_mel"), ("spectrogram", "log_mel")),
    "two_view": (("residual", "log_mel"), ("wave", "raw")),
}
NETS = (
    *AUDIO_NETS,
    *_MEMBERS,
)  # what `net` may be: one of the table, or an ensemble of rows with their front-ends
_PLAIN_AUGMENTS: dict[str, tuple[str, ...]] = {
    "waveform": ("speed", "roll", "gain", "mix"), "log_mel": ("speed", "roll", "gain", "mix"),
    "log_power": ("roll", "gain", "mix"), "other": ("roll", "masks"),
}  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """What `predict_each` says of one item: label, score and probabilities, or the error that prevents them.

    `note` says what makes an answer doubtful: "silent", "shorter than one window of 64 ms".
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
    net : a key of AUDIO_NETS, "ensemble" or "two_view"
        "spectrogram" (log-mel and a 2-D CNN), "residual" (a deeper one), "depthwise" or "dilated" (never look
        ahead; small), "bc_resnet", "wave" and "m5" (samples; slower), "filterbank" (learned filters on the
        samples and a small 1-D CNN; for short clips); `audio nets` shows them all. "ensemble": the mean of
        "residual" and "spectrogram"; "two_view": of "residual" and "wave".
    frontend : a key of FRONTENDS, optional
        Default: the net's own, log_mel or raw. One with weights (learned, sinc, gabor) is trained with the net.
    frontend_options : dict, optional
        Of its class, such as {"hop_length": 80, "n_fft": 256} (samples).
    sample_rate : int, Hz, optional
        Everything is resampled to it. Default: the lowest that keeps what the files hold, at most 32000.
    n_mels : int, optional
        Bands of log_mel and pcen. Default, as for their windows and hops: by the clips (`audio.choices`).
    epochs : int, optional
        Default: about 32000 clips heard in all, 20 to 100 epochs.
    batch_size, learning_rate, weight_decay, dropout, width
        Of the optimisation (AdamW, warm-up and cosine) and the net; a batch is at most an eighth of the clips.
    augment : sequence of keys of AUGMENTS or of (key, options), optional
        Default: speed, roll, gain and mix where the features have them.
    label_smoothing : float in [0, 1)
        Share of the target that is spread over all classes.
    class_weight : "balanced" or None
        "balanced": every class counts alike, however many clips it has.
    average_decay : float in [0, 1)
        Of the average of weights the model ends on.
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
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.02,
        dropout: float = 0.3,
        width: int = 32,
        augment: Sequence | None = None,
        label_smoothing: float = 0.0,
        class_weight: str | None = None,
        average_decay: float = 0.99,
        n_threads: int = 2,
        seed: int = 0,
    ):
        self.net = net
        self.frontend = frontend
        self.frontend_options = frontend_options
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.width = width
        self.augment = augment
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.average_decay = average_decay
        self.n_threads = n_threads
        self.seed = seed

    # --- scikit-learn's verbs ---

    def fit(self, X, y, *, on_epoch: Callable[[Epoch], None] | None = None, checkpoint=None) -> AudioClassifier:
        """Train on Clips or paths X and their labels y; a file that cannot be read is left out and told.

        `checkpoint`: a file that keeps the run after every epoch; where it stands, training goes on from it to
        the same weights (an ensemble's members have files beside it). It is left there when all is done.

        Raises
        ------
        InputError
            If X and y differ in length or a parameter cannot be used.
        DataError
            If no two classes are left to learn from.
        """
        items, labels = as_items(X), np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(items):
            raise InputError(f"y must be one label a clip ({len(items)}), got shape {labels.shape}")
        frontend = self.make_frontend(items, labels.tolist())
        flaws: dict[int, str] = {}
        features = self.extract(items, frontend, on_flaw=flaws.__setitem__)
        good = [i for i, f in enumerate(features) if not isinstance(f, DataError)]
        skipped = [(_name(items[i]), str(f)) for i, f in enumerate(features) if isinstance(f, DataError)]
        if not good:
            raise DataError(f"none of the {len(items)} files can be used; the first: {skipped[0][1]}" if skipped
                            else "X must hold at least one clip, got none")  # fmt: skip
        left = sorted(set(labels[good].tolist()))
        if len(left) < 2 and skipped:
            raise DataError(
                f"only clips of the class {left[0]!r} can be used, training needs at least two classes; "
                f"{len(skipped)} file{'s' * (len(skipped) > 1)} left out, the first: {skipped[0][1]}"
            )
        silent, short = split_flaws((_name(items[i]), flaws[i]) for i in sorted(flaws))
        if len(silent) == len(good):
            raise DataError(
                f"every clip is silent (all samples 0), {silent[0]} the first; there is nothing to learn from"
            )
        self.fit_features(
            [features[i] for i in good], labels[good], frontend, on_epoch=on_epoch, checkpoint=checkpoint
        )
        self.skipped_, self.n_skipped_ = skipped, len(skipped)
        self.silent_, self.short_ = silent, short
        return self

    def predict(self, X) -> np.ndarray:
        """The most probable class of each clip."""
        check_is_fitted(self, "net_")
        return self.classes_[self.predict_proba(X).argmax(1)]

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities [shape=(N, n_classes)], columns as `classes_`.

        Raises
        ------
        DataError
            If a file cannot be read; `predict_each` goes on instead.
        """
        check_is_fitted(self, "net_")
        rows = []
        for p in self.predict_each(as_items(X)):
            if p.probabilities is None:
                raise DataError(p.error)
            rows.append(p.probabilities)
        return np.stack(rows) if rows else np.zeros((0, len(self.classes_)), np.float32)

    def predict_each(self, items: Iterable) -> Iterator[Prediction]:
        """One Prediction an item, in order, as they come; a bad file gives its error and the rest goes on.

        What stands in memory is bounded by seconds of sound, whatever the number and the length of the files.
        """
        check_is_fitted(self, "net_")
        limit = int(self.frontend_.lengths(torch.tensor(int(_WINDOW_S * self.sample_rate_))))
        heard_pieces: list[tuple[_Heard, torch.Tensor]] = []
        ended: list[_Heard] = []
        for heard, piece in self._stream(items):
            if piece is None:
                ended.append(heard)
            else:
                heard_pieces.append((heard, piece))
            if len(ended) >= _WINDOW_ITEMS or sum(f.shape[-1] for _, f in heard_pieces) >= limit:
                self._add_answers(heard_pieces)
                yield from map(self._prediction, ended)
                heard_pieces, ended = [], []
        self._add_answers(heard_pieces)
        yield from map(self._prediction, ended)

    # --- the same on features that are already there (cross-validation computes them once) ---

    def make_frontend(self, items: Sequence, labels: Sequence | None = None) -> Frontend:
        """The front-end for these clips or files; rate and frames are chosen from them where none are given."""
        self._check()
        rate = None if self.sample_rate is None else check_rate(self.sample_rate)
        known = [""] * len(items) if labels is None else labels
        chosen = choose_for(items, known, sample_rate=rate)
        self.choices_: Choices | None = chosen
        self.frames_ = dict(chosen.frontend_options)
        return self.make_frontend_at(chosen.sample_rate)

    def make_frontend_at(self, rate: int) -> Frontend:
        """What makes the features that training starts from; raw samples where the net learns its own."""
        front = self._front(rate)
        return Raw(rate) if self.net in _MEMBERS or _learns(front) else front

    def choose_epochs(self, n_clips: int) -> int:
        """`epochs`, or by default as many as let the net hear about 32000 clips: 20 to 100."""
        return int(self.epochs) if self.epochs is not None else epochs_for(n_clips)[0]

    @property
    def n_members(self) -> int:
        """Nets that are trained one after the other: 1, or an ensemble's members."""
        return len(_MEMBERS.get(self.net, (self.net,)))

    def count_epochs(self, n_clips: int) -> int:
        """Epochs that are told of in all, those of every member."""
        return self.n_members * self.choose_epochs(n_clips)

    def extract(
        self,
        items: Sequence,
        frontend: Frontend,
        *,
        on_file: Callable[[], None] | None = None,
        on_flaw: Callable[[int, str], Any] | None = None,
    ) -> list[Any]:
        """Features (F, L) float16 of each clip or file, or its DataError; `on_flaw(i, words)`: silence."""
        found = load_waves(
            items, frontend.sample_rate, n_threads=self.n_threads, on_file=on_file,
            then=lambda wave: (_features(wave, frontend), _flaws(not wave.any(), len(wave), frontend)),
        )  # fmt: skip
        for i, f in enumerate(found):
            if on_flaw is not None and not isinstance(f, DataError) and f[1]:
                on_flaw(i, f[1])
        return [f if isinstance(f, DataError) else f[0] for f in found]

    def fit_features(
        self,
        features: Sequence[torch.Tensor],
        y,
        frontend: Frontend,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint=None,
    ) -> AudioClassifier:
        """Train on features (F, L) that `extract` gave; `checkpoint` as in `fit`."""
        self._check()
        if self.net in _MEMBERS:
            return self._fit_members(features, y, frontend, on_epoch, checkpoint)
        augments = self._augments(frontend)
        classes, targets = np.unique(np.asarray(y), return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"training needs clips of at least two classes, got only {classes.tolist()}")
        n = len(features)
        epochs = self.choose_epochs(n)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.seed))
            net = self._make_net(self._fronts(frontend), len(classes))
        net.fit_input(features)
        decayed = [p for p in net.parameters() if p.ndim > 1]
        rest = [p for p in net.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": float(self.weight_decay)},
                {"params": rest, "weight_decay": 0.0},
            ],
            lr=float(self.learning_rate),
        )
        onehot = torch.eye(len(classes))[torch.from_numpy(targets)]
        n_batches = max(1, n // min(int(self.batch_size), max(2, n // 8)))
        longest = int(frontend.lengths(torch.tensor(int(_CROP_S * frontend.sample_rate))))
        batches = partial(self._batches, features, onehot, frontend, augments, n_batches, longest)
        weights = None if self.class_weight is None else balanced_weights(targets).tolist()
        loss = make_loss("single", class_weights=weights, label_smoothing=float(self.label_smoothing))
        self.history_ = train(
            net, batches, epochs=epochs, loss=loss, optimizer=optimizer,
            n_steps=epochs * n_batches, schedule=warmup_cosine, average_decay=float(self.average_decay),
            on_epoch=on_epoch, seed=int(self.seed), checkpoint=checkpoint,
            run_id="" if checkpoint is None else self._run_id(features, targets, frontend),
        )  # fmt: skip
        seconds = sorted(f.shape[-1] * frontend.hop_length / frontend.sample_rate for f in features)
        self.window_s_ = min(_CROP_S, max(0.5, seconds[len(seconds) // 2]))
        self.classes_, self.net_, self.frontend_ = classes, net, frontend
        self.sample_rate_, self.epochs_ = frontend.sample_rate, epochs
        self.skipped_, self.n_skipped_, self.silent_, self.short_ = [], 0, [], []
        return self

    def predict_proba_features(self, features: Sequence[torch.Tensor]) -> np.ndarray:
        """Probabilities of features (F, L), in padded batches of clips of similar length."""
        check_is_fitted(self, "net_")
        out = np.zeros((len(features), len(self.classes_)), np.float32)
        order = sorted(range(len(features)), key=lambda i: features[i].shape[-1])
        limit = int(self.frontend_.lengths(torch.tensor(int(_BATCH_S * self.sample_rate_))))
        with torch.no_grad():
            while order:
                rows = order[:1]  # as many as fill the limit with the longest of them, 16 at most
                while (
                    len(rows) < min(16, len(order))
                    and (len(rows) + 1) * features[order[len(rows)]].shape[-1] <= limit
                ):
                    rows.append(order[len(rows)])
                order = order[len(rows) :]
                x, lengths = _padded([features[i] for i in rows])
                out[rows] = self.net_(x, lengths).softmax(1).numpy()
        return out

    # --- keep and open ---

    def save(self, path) -> None:
        """Write the model folder (safetensors and JSON)."""
        check_is_fitted(self, "net_")
        parameters = {k: _plain(v) for k, v in self.get_params().items()}
        config = {
            "classes": self.classes_.tolist(),
            "sample_rate": self.sample_rate_,
            "frontend": _described(self.frontend_),
            "net": {"name": self.net, "epochs": self.epochs_, "fronts": [_described(f) for f in self._heard()]},
            "window_s": self.window_s_,
            "parameters": parameters,
        }
        save_model_folder(path, "audio", config, self.net_.state_dict())

    @classmethod
    def load(cls, path) -> AudioClassifier:
        """Open a model folder; nothing in it is run.

        Raises
        ------
        ModelError
            If the folder is missing, damaged or of another kind.
        """
        config, tensors = load_model_folder(path, "audio")
        try:
            parameters = dict(config["parameters"])
            if parameters.get("augment") is not None:
                parameters["augment"] = tuple(parameters["augment"])
            model = cls(**parameters)
            model._check()
            frontend = FRONTENDS[config["frontend"]["name"]](**config["frontend"]["options"])
            fronts = [FRONTENDS[f["name"]](**f["options"]) for f in config["net"]["fronts"]]
            net = model._make_net(fronts, len(config["classes"]))
            net.load_state_dict(tensors)
            epochs, window_s = int(config["net"]["epochs"]), float(config.get("window_s", 3.0))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = "; ".join(line.strip() for line in str(error).splitlines())[:400]
            raise ModelError(
                f"{os.fspath(path)}: config.json and weights do not fit together ({reason})"
            ) from error
        model.net_, model.frontend_, model.classes_ = net.eval(), frontend, np.asarray(config["classes"])
        model.sample_rate_, model.epochs_, model.window_s_ = frontend.sample_rate, epochs, window_s
        model.skipped_, model.n_skipped_, model.silent_, model.short_ = [], 0, [], []
        model.choices_, model.frames_ = None, {}
        return model

    # --- inside ---

    def _heard(self) -> list[Frontend]:
        """The front-ends of the trained net, as `_make_net` takes them."""
        pairs = self.net_.members if isinstance(self.net_, Ensemble) else [(self.frontend_, self.net_)]
        return [net.front if isinstance(net, HeardNet) else front for front, net in pairs]

    def _check(self) -> None:
        if self.net not in NETS:
            raise InputError(f"net must be one of {', '.join(NETS)}, got {self.net!r}")
        if self.frontend is not None and self.frontend not in FRONTENDS:
            raise InputError(f"frontend must be one of {', '.join(FRONTENDS)}, got {self.frontend!r}")
        if not isinstance(self.frontend_options, Mapping | None):
            raise InputError(f"frontend_options must be a dict or None, got {self.frontend_options!r}")
        if self.class_weight not in (None, "balanced"):
            raise InputError(f"class_weight must be 'balanced' or None, got {self.class_weight!r}")
        for name in ("batch_size", "n_threads", "width") + (("epochs",) if self.epochs is not None else ()):
            value = getattr(self, name)
            if not _is_int(value) or value < 1:
                raise InputError(f"{name} must be an int >= 1, got {value!r}")
        if not _is_int(self.seed) or not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"seed must be an int from 0 to {_MAX_SEED}, got {self.seed!r}")
        for name, allowed, fits in (
            ("dropout", "in [0, 1)", lambda v: 0 <= v < 1),
            ("average_decay", "in [0, 1)", lambda v: 0 <= v < 1),
            ("label_smoothing", "in [0, 1)", lambda v: 0 <= v < 1),
            ("learning_rate", "> 0 and finite", lambda v: 0 < v < math.inf),
            ("weight_decay", ">= 0 and finite", lambda v: 0 <= v < math.inf),
        ):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not fits(value):
                raise InputError(f"{name} must be a number {allowed}, got {value!r}")
        if self.augment is not None:
            check_augments(self.augment)

    def _front(self, rate: int) -> Frontend:
        """The front-end that the net hears through, at this rate."""
        name = self.frontend or ("raw" if self.net in _MEMBERS else AUDIO_NETS[self.net].frontend)
        options: dict[str, Any] = {}
        if name in ("log_mel", "pcen"):
            options = dict(getattr(self, "frames_", {}))
            options |= {} if self.n_mels is None else {"n_mels": self.n_mels}
        if name != "raw" and self.net in AUDIO_NETS and AUDIO_NETS[self.net].causal:
            options["causal"] = True
        try:
            front = FRONTENDS[name](sample_rate=rate, **{**options, **(self.frontend_options or {})})
        except TypeError as error:  # an option that it does not have
            raise InputError(
                f"frontend_options must be those of {FRONTENDS[name].__name__}: {error}"
            ) from error
        if self.net in AUDIO_NETS and (AUDIO_NETS[self.net].frontend == "raw") != (name == "raw"):
            takes = "samples: frontend 'raw'" if name != "raw" else "features, not samples: another frontend"
            raise InputError(f"net {self.net!r} takes {takes}, got frontend {name!r}")
        return front

    def _augments(self, frontend: Frontend) -> list[tuple[str, dict[str, Any]]]:
        names = _PLAIN_AUGMENTS[kind_of(frontend)] if self.augment is None else self.augment
        return check_augments(names, frontend)

    def _fronts(self, frontend: Frontend) -> list[Frontend]:
        """What the net, or each member of an ensemble, hears through, from what `make_frontend` gave."""
        if self.net in _MEMBERS:
            return [m._front(frontend.sample_rate) for m in self._members()]
        return [self._front(frontend.sample_rate) if isinstance(frontend, Raw) else frontend]

    def _make_net(self, fronts: Sequence[Frontend], n_classes: int) -> Any:
        """A fresh net behind these front-ends."""
        if self.net in _MEMBERS:
            nets = [m._make_net([f], n_classes) for m, f in zip(self._members(), fronts, strict=True)]
            return Ensemble([Raw(f.sample_rate) if _learns(f) else f for f in fronts], nets)
        (front,) = fronts
        row = AUDIO_NETS[self.net]
        net = row(front.n_features, n_classes, width=int(self.width), dropout=float(self.dropout))
        return HeardNet(front, net) if _learns(front) else net

    def _members(self) -> list[AudioClassifier]:
        """An ensemble's members as estimators of their own, each with another seed."""
        settings = self.get_params()
        made = []
        for i, (net, frontend) in enumerate(_MEMBERS[self.net]):
            seed = (int(self.seed) + i * 7919) % (_MAX_SEED + 1)
            made.append(AudioClassifier(**{**settings, "net": net, "frontend": frontend, "seed": seed}))
            made[-1].frames_ = getattr(self, "frames_", {})
        return made

    def _fit_members(self, waves, y, frontend, on_epoch, checkpoint) -> AudioClassifier:
        """Each member on what its own front-end makes of the samples (1, T), one after the other."""
        members = self._members()
        for i, member in enumerate(members):
            front = member.make_frontend_at(frontend.sample_rate)
            features = waves if isinstance(front, Raw) else [_features(w[0].numpy(), front) for w in waves]
            tell = None if on_epoch is None else _Shifted(on_epoch, i * member.choose_epochs(len(waves)))
            path = None if checkpoint is None else f"{os.fspath(checkpoint)}.{i + 1}"
            member.fit_features(features, y, front, on_epoch=tell, checkpoint=path)
        self.classes_, self.frontend_ = members[0].classes_, frontend
        self.net_ = Ensemble([m.frontend_ for m in members], [m.net_ for m in members]).eval()
        self.history_ = History([e for m in members for e in m.history_.epochs])
        self.sample_rate_, self.epochs_ = frontend.sample_rate, members[0].epochs_
        self.window_s_ = members[0].window_s_
        self.skipped_, self.n_skipped_, self.silent_, self.short_ = [], 0, [], []
        return self

    def _run_id(self, features, targets, frontend) -> str:
        """What decides a training run, as one word: parameters, front-end, data and labels."""
        words = json.dumps(
            [_plain(self.get_params()), type(frontend).__name__, frontend.options()], sort_keys=True
        )
        digest = hashlib.sha256(words.encode())
        digest.update(np.asarray(targets, np.int64).tobytes())
        for f in features:
            digest.update(f.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _batches(self, features, onehot, frontend, augments, n_batches, longest, epoch):
        """One epoch: shuffled, neighbours of similar length batched together, augmented."""
        generator = torch.Generator().manual_seed(1_000_003 * int(self.seed) + epoch)
        order = torch.randperm(len(features), generator=generator)
        sizes = torch.tensor([f.shape[-1] for f in features])
        stretches = order.split(8 * int(self.batch_size))  # sorted by length within, so that little is padded
        order = torch.cat([part[sizes[part].argsort(stable=True)] for part in stretches])
        parts = order.tensor_split(n_batches)
        for b in torch.randperm(n_batches, generator=generator).tolist():
            rows = parts[b]
            chosen = [_crop(features[i], longest, generator) for i in rows.tolist()]
            batch = Batch(*_padded(chosen), onehot[rows])
            x, lengths, targets = augment(batch, augments, frontend, generator)
            yield (x, lengths), targets

    def _stream(self, items: Iterable) -> Iterator[tuple[_Heard, torch.Tensor | None]]:
        """Each item's stretches of features in order, then None; threads read the first ones of those ahead."""
        source, waiting = iter(items), deque[Any]()
        n_threads = int(self.n_threads)
        with ThreadPoolExecutor(n_threads) as pool:
            while True:
                for item in islice(source, 2 * n_threads - len(waiting)):
                    waiting.append(pool.submit(self._open, item))
                if not waiting:
                    return
                heard, first, rest = waiting.popleft().result()
                if first is not None:
                    yield heard, first
                for piece in rest:
                    yield heard, piece
                yield heard, None

    def _open(self, item) -> tuple[_Heard, torch.Tensor | None, Iterator[torch.Tensor]]:
        heard = _Heard(_name(item))
        rest = self._pieces(item, heard)
        return heard, next(rest, None), rest

    def _pieces(self, item, heard: _Heard) -> Iterator[torch.Tensor]:
        """Features of an item in stretches of at most _PIECE_S s, so that an hour never stands in memory."""
        try:
            for part in pieces(item, piece_s=_PIECE_S):
                wave = part.mono().resample(self.sample_rate_).samples[0]
                heard.n_samples += len(wave)
                heard.silent = heard.silent and not wave.any()
                yield _features(wave, self.frontend_)
        except DataError as error:
            heard.error = str(error)

    def _add_answers(self, pieces: list[tuple[_Heard, torch.Tensor]]) -> None:
        for (heard, piece), p in zip(pieces, self.predict_proba_features([f for _, f in pieces]), strict=True):
            heard.total = heard.total + p * piece.shape[-1]
            heard.mass += piece.shape[-1]

    def _prediction(self, heard: _Heard) -> Prediction:
        if heard.error:
            return Prediction(heard.name, error=heard.error)
        p = heard.total / max(heard.mass, 1)
        best = int(p.argmax())
        note = _flaws(heard.silent, heard.n_samples, self.frontend_)
        return Prediction(heard.name, self.classes_[best], float(p[best]), p, note=note)


@dataclass
class _Heard:
    """What has been heard of one item: probabilities summed over its stretches, weighted by their frames."""

    name: str
    total: Any = 0.0
    mass: int = 0
    n_samples: int = 0
    silent: bool = True
    error: str = ""


def split_flaws(flaws: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The silent and the short of (name, words), the words as `extract` and Prediction.note give them."""
    pairs = list(flaws)
    return [name for name, words in pairs if "silent" in words], [n for n, words in pairs if "shorter" in words]


def _flaws(silent: bool, n_samples: int, frontend: Frontend) -> str:
    short = n_samples < frontend.window_length
    window_ms = 1000 * frontend.window_length / frontend.sample_rate
    return "; ".join(["silent"] * silent + [f"shorter than one window of {window_ms:.0f} ms"] * short)


def _is_int(value) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _plain(value):
    """As JSON takes it: NumPy's numbers as Python's, sequences as lists."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(v) for v in value] if isinstance(value, Iterable) and not isinstance(value, str) else value


def _name(item) -> str:
    return repr(item) if isinstance(item, Clip) else os.fsdecode(item)


def _features(wave: np.ndarray, frontend: Frontend) -> torch.Tensor:
    """Features (F, L), in half precision but for samples, whose quiet parts need all bits."""
    with torch.no_grad():
        found = frontend(torch.tensor(wave)[None])[0]
    return found if isinstance(frontend, Raw) else found.half()


def _learns(frontend: Frontend) -> bool:
    return any(p.requires_grad for p in frontend.parameters())


def _described(frontend: Frontend) -> dict[str, Any]:
    """What builds it again, for JSON."""
    name = next(name for name, row in FRONTENDS.items() if row is type(frontend))
    return {"name": name, "options": frontend.options()}


@dataclass(frozen=True)
class _Shifted:
    """Tells of an ensemble's epochs as if they were one run."""

    on_epoch: Callable[[Epoch], None]
    by: int

    def __call__(self, epoch: Epoch) -> None:
        self.on_epoch(replace(epoch, number=epoch.number + self.by))


def _padded(features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([f.shape[-1] for f in features])
    x = torch.zeros(len(features), features[0].shape[0], int(lengths.max()))
    for row, f in zip(x, features, strict=True):
        row[:, : f.shape[-1]] = f
    return x, lengths


def _crop(f: torch.Tensor, longest: int, generator: torch.Generator) -> torch.Tensor:
    if f.shape[-1] <= longest:
        return f
    start = int(torch.randint(f.shape[-1] - longest + 1, (), generator=generator))
    return f[:, start : start + longest]
