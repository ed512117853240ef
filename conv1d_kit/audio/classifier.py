"""AudioClassifier: a scikit-learn estimator from clips or files to classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import DataError, InputError, InputTypeError, ModelError
from ..training.loop import Epoch, train, warmup_cosine
from ..training.model_folder import load_model_folder, save_model_folder
from .augment import AUGMENTS, Batch, augment
from .clip import Clip, read_blocks
from .dataset import common_rate, load_waves
from .frontends import FRONTENDS, Frontend
from .nets import AUDIO_NETS

__all__ = ["AudioClassifier", "Prediction"]

_CROP_S, _PIECE_S = 10.0, 30.0  # longest stretch heard at once in training and in prediction
_NET_FRONTENDS = {"spectrogram": "log_mel", "wave": "raw", "filterbank": "raw"}


@dataclass(frozen=True)
class Prediction:
    """What `predict_each` says of one item: label, score and probabilities, or the error that prevents them."""

    path: str
    label: Any = None
    score: float = float("nan")
    probabilities: np.ndarray | None = None
    error: str = ""


class AudioClassifier(ClassifierMixin, BaseEstimator):
    """Clips of any length and rate → classes, by a convolutional net trained from scratch.

    Parameters
    ----------
    net : a key of AUDIO_NETS
        "spectrogram" (log-mel and a 2-D CNN), "wave" (the waveform itself; slower) or "filterbank" (learned
        filters on the waveform and a small 1-D CNN; for short clips).
    sample_rate : int, Hz, optional
        Everything is resampled to it. Default: the most common rate of the training files, at most 32000.
    n_mels : int
        For "spectrogram".
    epochs : int, optional
        Default: about 32000 clips heard in all, 20 to 100 epochs.
    batch_size, learning_rate, weight_decay, dropout, width
        Of the optimisation (AdamW, warm-up and cosine) and the net; a batch is at most an eighth of the clips.
    augment : sequence of keys of AUGMENTS
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
    n_skipped_, skipped_ : int, list of (path, reason)
        Files that could not be used in training.

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
        sample_rate: int | None = None,
        n_mels: int = 64,
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.02,
        dropout: float = 0.3,
        width: int = 32,
        augment: Sequence[str] = ("speed", "roll", "gain", "mix"),
        average_decay: float = 0.99,
        n_threads: int = 2,
        seed: int = 0,
    ):
        self.net = net
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.width = width
        self.augment = augment
        self.average_decay = average_decay
        self.n_threads = n_threads
        self.seed = seed

    # --- scikit-learn's verbs ---

    def fit(self, X, y, *, on_epoch: Callable[[Epoch], None] | None = None) -> AudioClassifier:
        """Train on Clips or paths X and their labels y; a file that cannot be read is left out and told.

        Raises
        ------
        InputError
            If X and y differ in length or a parameter cannot be used.
        DataError
            If no two classes are left to learn from.
        """
        items, labels = _items(X), np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(items):
            raise InputError(f"y must be one label a clip ({len(items)}), got shape {labels.shape}")
        frontend = self.make_frontend(items)
        features = self.extract(items, frontend)
        good = [i for i, f in enumerate(features) if not isinstance(f, DataError)]
        skipped = [(_name(items[i]), str(f)) for i, f in enumerate(features) if isinstance(f, DataError)]
        if not good:
            raise DataError(f"none of the {len(items)} files can be used; the first: {skipped[0][1]}" if skipped
                            else "X must hold at least one clip, got none")  # fmt: skip
        self.fit_features([features[i] for i in good], labels[good], frontend, on_epoch=on_epoch)
        self.skipped_, self.n_skipped_ = skipped, len(skipped)
        return self

    def predict(self, X) -> np.ndarray:
        """The most probable class of each clip."""
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
        for p in self.predict_each(_items(X)):
            if p.probabilities is None:
                raise DataError(p.error)
            rows.append(p.probabilities)
        return np.stack(rows) if rows else np.zeros((0, len(self.classes_)), np.float32)

    def predict_each(self, items: Sequence, *, chunk: int = 32) -> Iterator[Prediction]:
        """One Prediction an item, in order, as they come; a bad file gives its error and the rest goes on."""
        from concurrent.futures import ThreadPoolExecutor

        check_is_fitted(self, "net_")
        with ThreadPoolExecutor(max(1, self.n_threads)) as pool:
            for start in range(0, len(items), chunk):
                part = items[start : start + chunk]
                pieces = list(pool.map(self._pieces, part))
                flat = [f for p in pieces if not isinstance(p, DataError) for f in p]
                owners = [i for i, p in enumerate(pieces) if not isinstance(p, DataError) for _ in p]
                table = self._mean_of_pieces(self.predict_proba_features(flat), flat, owners, len(part))
                for i, item in enumerate(part):
                    found = pieces[i]
                    if isinstance(found, DataError):
                        yield Prediction(_name(item), error=str(found))
                        continue
                    best = int(table[i].argmax())
                    yield Prediction(_name(item), self.classes_[best], float(table[i, best]), table[i])

    # --- the same on features that are already there (cross-validation computes them once) ---

    def make_frontend(self, items: Sequence) -> Frontend:
        """The front-end for these clips or files: the given sample rate, or their most common one."""
        self._check()
        rate = self.sample_rate if self.sample_rate is not None else common_rate(items)
        name = _NET_FRONTENDS[self.net]
        options = {"n_mels": self.n_mels} if name == "log_mel" else {}
        return FRONTENDS[name](sample_rate=rate, **options)

    def choose_epochs(self, n_clips: int) -> int:
        """`epochs`, or by default as many as let the net hear about 32000 clips: 20 to 100."""
        return self.epochs if self.epochs is not None else max(20, min(100, round(32000 / n_clips)))

    def extract(
        self, items: Sequence, frontend: Frontend, *, on_file: Callable[[], None] | None = None
    ) -> list[Any]:
        """Features (F, L) float16 of each clip or file, or its DataError."""
        waves = load_waves(items, frontend.sample_rate, n_threads=self.n_threads, on_file=on_file)
        return [w if isinstance(w, DataError) else _features(w, frontend) for w in waves]

    def fit_features(
        self,
        features: Sequence[torch.Tensor],
        y,
        frontend: Frontend,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> AudioClassifier:
        """Train on features (F, L) that `extract` gave."""
        self._check()
        classes, targets = np.unique(np.asarray(y), return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"training needs clips of at least two classes, got only {classes.tolist()}")
        n = len(features)
        epochs = self.choose_epochs(n)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            net = self._make_net(frontend.n_features, len(classes))
        net.input.fit(list(features))
        decayed = [p for p in net.parameters() if p.ndim > 1]
        rest = [p for p in net.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=self.learning_rate,
        )
        onehot = torch.eye(len(classes))[torch.from_numpy(targets)]
        n_batches = max(1, n // min(self.batch_size, max(2, n // 8)))
        longest = int(frontend.lengths(torch.tensor(int(_CROP_S * frontend.sample_rate))))
        batches = partial(self._batches, features, onehot, frontend, n_batches, longest)
        self.history_ = train(
            net, batches, epochs=epochs, loss=torch.nn.functional.cross_entropy, optimizer=optimizer,
            n_steps=epochs * n_batches, schedule=warmup_cosine, average_decay=self.average_decay,
            on_epoch=on_epoch, seed=self.seed,
        )  # fmt: skip
        self.classes_, self.net_, self.frontend_ = classes, net, frontend
        self.sample_rate_, self.epochs_ = frontend.sample_rate, epochs
        self.skipped_, self.n_skipped_ = [], 0
        return self

    def predict_proba_features(self, features: Sequence[torch.Tensor]) -> np.ndarray:
        """Probabilities of features (F, L), in padded batches of clips of similar length."""
        check_is_fitted(self, "net_")
        out = np.zeros((len(features), len(self.classes_)), np.float32)
        order = sorted(range(len(features)), key=lambda i: features[i].shape[-1])
        with torch.no_grad():
            for start in range(0, len(order), 16):
                rows = order[start : start + 16]
                x, lengths = _padded([features[i] for i in rows])
                out[rows] = self.net_(x, lengths).softmax(1).numpy()
        return out

    # --- keep and open ---

    def save(self, path) -> None:
        """Write the model folder (safetensors and JSON)."""
        check_is_fitted(self, "net_")
        parameters = {k: list(v) if isinstance(v, tuple) else v for k, v in self.get_params().items()}
        config = {
            "classes": self.classes_.tolist(),
            "sample_rate": self.sample_rate_,
            "frontend": {"name": _NET_FRONTENDS[self.net], "options": self.frontend_.options()},
            "net": {"name": self.net, "n_features": self.frontend_.n_features, "epochs": self.epochs_},
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
            parameters["augment"] = tuple(parameters["augment"])
            model = cls(**parameters)
            model._check()
            frontend = FRONTENDS[config["frontend"]["name"]](**config["frontend"]["options"])
            net = model._make_net(config["net"]["n_features"], len(config["classes"]))
            net.load_state_dict(tensors)
            epochs = int(config["net"]["epochs"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).split("\n", 1)[0]
            raise ModelError(
                f"{os.fspath(path)}: config.json and weights do not fit together ({reason})"
            ) from error
        model.net_, model.frontend_, model.classes_ = net.eval(), frontend, np.asarray(config["classes"])
        model.sample_rate_, model.epochs_ = frontend.sample_rate, epochs
        model.skipped_, model.n_skipped_ = [], 0
        return model

    # --- inside ---

    def _check(self) -> None:
        if self.net not in AUDIO_NETS:
            raise InputError(f"net must be one of {', '.join(AUDIO_NETS)}, got {self.net!r}")
        for name in ("batch_size", "n_threads", "width") + (("epochs",) if self.epochs is not None else ()):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name} must be an int >= 1, got {value!r}")
        unknown = [a for a in self.augment if a not in AUGMENTS]
        if isinstance(self.augment, str) or unknown:
            raise InputError(f"augment must be a sequence of {', '.join(AUGMENTS)}, got {self.augment!r}")

    def _make_net(self, n_features: int, n_classes: int) -> Any:
        return AUDIO_NETS[self.net](n_features, n_classes, width=self.width, dropout=self.dropout)

    def _batches(self, features, onehot, frontend, n_batches, longest, epoch):
        """One epoch: shuffled, neighbours of similar length batched together, augmented."""
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + epoch)
        order = torch.randperm(len(features), generator=generator)
        sizes = torch.tensor([f.shape[-1] for f in features])
        stretches = order.split(8 * self.batch_size)  # sorted by length within, so that little is padded
        order = torch.cat([part[sizes[part].argsort(stable=True)] for part in stretches])
        parts = order.tensor_split(n_batches)
        for b in torch.randperm(n_batches, generator=generator).tolist():
            rows = parts[b]
            chosen = [_crop(features[i], longest, generator) for i in rows.tolist()]
            batch = Batch(*_padded(chosen), onehot[rows])
            x, lengths, targets = augment(batch, self.augment, frontend, generator)
            yield (x, lengths), targets

    def _pieces(self, item) -> list[torch.Tensor] | DataError:
        """Features of an item in stretches of at most _PIECE_S s, so that an hour never stands in memory."""
        try:
            if isinstance(item, Clip):
                step = max(1, round(_PIECE_S * item.sample_rate))
                parts: Any = (
                    Clip(item.samples[:, i : i + step], item.sample_rate)
                    for i in range(0, item.n_samples, step)
                )
            else:
                parts = read_blocks(item, block_s=_PIECE_S)
            waves = (c.mono().resample(self.sample_rate_).samples[0] for c in parts)
            return [_features(w, self.frontend_) for w in waves]
        except DataError as error:
            return error

    def _mean_of_pieces(self, p: np.ndarray, flat: list[torch.Tensor], owners: list[int], n: int) -> np.ndarray:
        weights = np.array([f.shape[-1] for f in flat], np.float32)
        total, mass = np.zeros((n, len(self.classes_)), np.float32), np.zeros(n, np.float32)
        np.add.at(total, owners, p * weights[:, None])
        np.add.at(mass, owners, weights)
        return total / np.maximum(mass, 1)[:, None]


def _items(X) -> list:
    if isinstance(X, str | os.PathLike | Clip):
        raise InputTypeError(f"X must be a sequence of Clips or paths, got one {type(X).__name__}; try [X]")
    items = list(X)
    for item in items:
        if not isinstance(item, str | os.PathLike | Clip):
            raise InputTypeError(
                f"X must hold Clips or paths, got {type(item).__name__}; try Clip(samples, sample_rate)"
            )
    return items


def _name(item) -> str:
    return repr(item) if isinstance(item, Clip) else os.fspath(item)


def _features(wave: np.ndarray, frontend: Frontend) -> torch.Tensor:
    with torch.no_grad():
        return frontend(torch.tensor(wave)[None])[0].half()


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
