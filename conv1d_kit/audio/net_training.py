"""How one net learns from features: augmented batches, the optimizer, and the inner rows that stop it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..training.ahead import ahead
from ..training.folds import held_out
from ..training.loop import Epoch, History, train, warmup_cosine
from ..training.losses import Loss, balanced_weights, make_loss
from ..training.rate_finder import RateSearch, find_learning_rate
from .augment import augment
from .batch import Batch
from .frontends import Frontend
from .net import AudioNet

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["BATCH_S", "CROP_S", "NetTraining", "alike", "logits_of", "padded", "plain"]

CROP_S = 10.0  # longest stretch heard at once in training
BATCH_S, _BATCH_ITEMS = 80.0, 16  # most sound in one pass of the net where nothing is learned, and most pieces


@dataclass(frozen=True)
class NetTraining:
    """Everything that decides what a net learns but the net itself.

    Parameters
    ----------
    features : sequence of tensor [shape=(F, L)]
    targets : (N,) int classes, or (N, n_classes) 0 or 1
        The latter: any number of labels a clip.
    classes : sequence of length n_classes
        Their names.
    frontend : Frontend
        That made the features.
    augments : as `check_augments` gives them
    epochs : int
    options : mapping
        AudioClassifier's parameters.
    groups : sequence of length N, optional
        Clips of one group are held out together.
    held : NetTraining, optional
        The clips that say which epoch's weights are kept, and so are part of what a checkpoint is of.
    """

    features: Sequence[torch.Tensor]
    targets: np.ndarray
    classes: Sequence
    frontend: Frontend
    augments: Sequence[tuple[str, Mapping[str, Any]]]
    epochs: int
    options: Mapping[str, Any]
    groups: Sequence | None = None
    held: NetTraining | None = None

    def run(
        self,
        net: AudioNet,
        *,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Any = None,
        accelerator: Accelerator | None = None,
    ) -> History:
        """Train the net; with the option `patience` a share of the rows says which epoch's weights are kept."""
        if self.options["patience"] is None:
            return self._train(net, on_epoch, checkpoint, accelerator)
        rest, held = map(self._some, held_out(
            self.targets, float(self.options["validation_share"]), classes=self.classes, groups=self.groups,
            seed=int(self.options["seed"]), name="validation_share",
        ))  # fmt: skip
        said, loss = held._targets(), self._loss()

        def score(net: AudioNet) -> float:
            return -float(loss(logits_of(net, self.frontend, held.features), said))

        return replace(rest, held=held)._train(net, on_epoch, checkpoint, accelerator, score)

    def find_rate(self, net: AudioNet, **options) -> RateSearch:
        """A range test on a copy of the net; options as `find_learning_rate` takes them."""
        net.fit_input(self.features)
        return find_learning_rate(
            net, self.batches(), self._loss(), self._optimizer(net), seed=int(self.options["seed"]), **options
        )

    def batches(self) -> Callable[[int], Iterator]:
        """Epoch (from 0) → ((x, lengths), targets) of each batch, the next one made while one is used."""
        targets, n_batches = self._targets(), self.n_batches
        return lambda epoch: ahead(self._epoch(epoch, targets, n_batches))

    @property
    def n_batches(self) -> int:
        """Of an epoch: a batch is at most an eighth of the clips, so that an epoch has several steps."""
        n = len(self.features)
        return max(1, n // min(int(self.options["batch_size"]), max(2, n // 8)))

    def _some(self, rows: np.ndarray) -> NetTraining:
        """The same on some of the rows."""
        return replace(self, features=[self.features[i] for i in rows], targets=self.targets[rows], groups=None)

    def _train(self, net, on_epoch, checkpoint, accelerator, validate=None) -> History:
        net.fit_input(self.features)
        patience = self.options["patience"]
        return train(
            net, self.batches(), epochs=self.epochs, loss=self._loss(), optimizer=self._optimizer(net),
            n_steps=self.epochs * self.n_batches, schedule=warmup_cosine,
            average_decay=float(self.options["average_decay"]), on_epoch=on_epoch,
            seed=int(self.options["seed"]), checkpoint=checkpoint, validate=validate,
            patience=None if patience is None else int(patience), accelerator=accelerator,
            run_id="" if checkpoint is None else self._run_id(),
        )  # fmt: skip

    def _targets(self) -> torch.Tensor:
        """Shares of the classes [shape=(N, n_classes)]."""
        t = torch.from_numpy(self.targets)
        return torch.eye(len(self.classes))[t] if t.ndim == 1 else t

    def _loss(self) -> Loss:
        several = self.targets.ndim == 2
        weights = None
        if self.options["class_weight"] == "balanced":
            weights = balanced_weights(self.targets).tolist()
        return make_loss(
            "multi" if several else "single", class_weights=weights,
            label_smoothing=float(self.options["label_smoothing"]),
        )  # fmt: skip

    def _optimizer(self, net: AudioNet) -> torch.optim.Optimizer:
        """AdamW; biases and the weights of norms do not decay."""
        decayed = [p for p in net.parameters() if p.ndim > 1]
        rest = [p for p in net.parameters() if p.ndim <= 1]
        decay = float(self.options["weight_decay"])
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}],
            lr=float(self.options["learning_rate"]),
        )

    def _epoch(self, epoch: int, targets: torch.Tensor, n_batches: int) -> Iterator:
        """Shuffled and augmented; decided by the epoch alone.

        Clips of similar length are not batched together, which would pad less: batches of long words or slow
        speakers alone are learned from less well.
        """
        features, longest = self.features, _frames(self.frontend, CROP_S)
        generator = torch.Generator().manual_seed(1_000_003 * int(self.options["seed"]) + epoch)
        order = torch.randperm(len(features), generator=generator)
        parts = order.tensor_split(n_batches)
        # turns an order that is random already, but what a seed draws stays what it was
        for b in torch.randperm(n_batches, generator=generator).tolist():
            rows = parts[b]
            chosen = [_crop(features[i], longest, generator) for i in rows.tolist()]
            batch = Batch(*padded(chosen), targets[rows])
            x, lengths, shares = augment(batch, self.augments, self.frontend, generator)
            yield (x, lengths), shares

    def _run_id(self) -> str:
        """What decides a training run, as one word: parameters, front-end, data and labels."""
        front = [type(self.frontend).__name__, self.frontend.options()]
        digest = hashlib.sha256(json.dumps([plain(self.options), *front], sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.targets).tobytes())
        for f in self.features:
            digest.update(f.contiguous().numpy().tobytes())
        if self.held is not None:
            digest.update(self.held._run_id().encode())
        return digest.hexdigest()[:16]


def logits_of(net: AudioNet, frontend: Frontend, features: Sequence[torch.Tensor]) -> torch.Tensor:
    """Logits [shape=(N, n_classes)] of features (F, L), in padded batches of clips of similar length."""
    sizes, limit = [f.shape[-1] for f in features], _frames(frontend, BATCH_S)
    with torch.no_grad():
        found = [(rows, net(*padded([features[i] for i in rows]))) for rows in alike(sizes, limit)]
    out = torch.cat([part for _, part in found])
    back = torch.empty(len(features), dtype=torch.long)
    back[torch.tensor([i for rows, _ in found for i in rows])] = torch.arange(len(features))
    return out[back]


def alike(sizes: Sequence[int], limit: float) -> Iterator[list[int]]:
    """Indices of things of similar size in batches: as many as fill `limit` with the longest, 16 at most.

    Examples
    --------
    >>> list(alike([5, 1, 9, 1], limit=10))
    [[1, 3], [0], [2]]
    """
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    while order:
        n = 1
        while n < min(_BATCH_ITEMS, len(order)) and (n + 1) * sizes[order[n]] <= limit:
            n += 1
        yield order[:n]
        order = order[n:]


def padded(features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (F, L) as one float32 batch with zeros behind them, and the length of each."""
    lengths = torch.tensor([f.shape[-1] for f in features])
    x = torch.zeros(len(features), features[0].shape[0], int(lengths.max()))
    for row, f in zip(x, features, strict=True):
        row[:, : f.shape[-1]] = f
    return x, lengths


def plain(value: Any) -> Any:
    """As JSON takes it: NumPy's numbers as Python's, sequences as lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return [plain(v) for v in value] if isinstance(value, list | tuple | np.ndarray) else value


def _frames(frontend: Frontend, seconds: float) -> int:
    return int(frontend.lengths(torch.tensor(int(seconds * frontend.sample_rate))))


def _crop(f: torch.Tensor, longest: int, generator: torch.Generator) -> torch.Tensor:
    if f.shape[-1] <= longest:
        return f
    start = int(torch.randint(f.shape[-1] - longest + 1, (), generator=generator))
    return f[:, start : start + longest]
