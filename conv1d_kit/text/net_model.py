"""A net as a text model: a tokenizer, the vocabulary of the training texts, and the training of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InputError
from ..training.loop import Epoch, History, train, warmup_cosine
from ..training.losses import make_loss
from .adadelta import RowAdadelta
from .adversarial import misled
from .batches import EncodedTexts, training_batches
from .model import TextModel, TextTask
from .nets import TEXT_NETS, NetOptions, TextNet
from .optimizer import RowAdam
from .pieces import ids_of_pieces, words_of_pieces
from .prediction import Predictor
from .tokens import make_tokenizer
from .vectors import embedding_matrix, load_vectors
from .vocabulary import Vocabulary

__all__ = ["OPTIMIZERS", "NetModel", "n_epochs", "net_options"]

_TRAINING = frozenset({  # options of how any net is trained
    "vectors", "epochs", "batch_size", "optimizer", "lr", "average_decay", "label_smoothing", "adversarial",
    "tokenizer", "min_count", "n_threads",
})  # fmt: skip
STEPS = 1000  # updates, where the epochs are not given


class NetModel(TextModel):
    """A net of TEXT_NETS with its vocabulary and the tokenizer that cuts its words.

    `state` is what a learned tokenizer was made of, `history` is None in a model that was loaded.
    """

    def __init__(
        self,
        net: TextNet,
        vocabulary: Vocabulary,
        tokenizer: str,
        state: str | None,
        history: History | None = None,
    ):
        self.net, self.vocabulary, self.tokenizer, self.history = net, vocabulary, tokenizer, history
        self.cut, self.tokenizer_state = make_tokenizer(tokenizer, state=state)
        self._predictor: Predictor | None = None

    @classmethod
    def reads(cls, name: str) -> frozenset[str]:
        return TEXT_NETS[name].reads | _TRAINING

    @classmethod
    def learn(
        cls, task: TextTask, options: Mapping[str, Any], *, on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Any = None,
    ) -> NetModel:  # fmt: skip
        name = options["tokenizer"]
        cut, state = make_tokenizer(name, task.texts)
        words = list(map(words_of_pieces(cut), task.texts))
        vocabulary = Vocabulary.from_tokens(words, min_count=int(options["min_count"]))
        texts = EncodedTexts.of(vocabulary.encode(w).tolist() for w in words)
        with _threads(options["n_threads"]):
            try:
                net = _make_net(options, len(vocabulary), task.n_classes, int(options["seed"]))
            except (MemoryError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and "alloc" not in str(error):
                    raise
                raise InputError(
                    f"dim must fit the memory with widths and filters, got {options['dim']}, "
                    f"{options['widths']} and {options['filters']} for {len(vocabulary)} words; take smaller"
                ) from error
            if options["vectors"] is not None:
                table = load_vectors(options["vectors"], vocabulary.words, dim=int(options["dim"]))
                net.set_vectors(embedding_matrix(table, seed=int(options["seed"])))
            history = _train(net, texts, task, options, on_epoch, checkpoint)
        return cls(net, vocabulary, name, state, history)

    def prepared(self, texts: Sequence[str]) -> EncodedTexts:
        return self._computer().encoded(texts)

    def scores_of(self, prepared: EncodedTexts) -> np.ndarray:
        return self._computer().of_encoded(prepared)

    def _computer(self) -> Predictor:
        """What computes the logits, kept as long as the net stays as it is."""
        if self._predictor is None or not self._predictor.serves(self.net.eval()):
            encode = ids_of_pieces(self.cut, self.vocabulary)
            self._predictor = Predictor(self.net, encode, extra=max(self.net.options.widths) - 1)
        return self._predictor

    @property
    def n_weights(self) -> int:
        return sum(p.numel() for p in self.net.parameters())

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        facts = {"vocabulary": self.vocabulary.to_json(), "tokenizer": self.tokenizer}
        if self.tokenizer_state is not None:
            facts["tokenizer_state"] = self.tokenizer_state
        return facts, self.net.state_dict()

    @classmethod
    def restore(cls, facts, tensors, options, n_classes) -> NetModel:
        vocabulary = Vocabulary.from_json(facts["vocabulary"])
        net = _make_net(options, len(vocabulary), n_classes, None)
        net.load_state_dict(tensors)
        return cls(net.eval(), vocabulary, facts["tokenizer"], facts.get("tokenizer_state"))


def net_options(options: Mapping[str, Any]) -> NetOptions:
    """Those of a classifier's options that a net takes.

    Raises
    ------
    InputError
        If one cannot be used.
    """
    return NetOptions(**{field.name: options[field.name] for field in fields(NetOptions)})


def n_epochs(epochs: int | None, n_texts: int, batch_size: int) -> int:
    """Passes over so many texts: those asked for, or as many as make about 1,000 steps, from 5 to 50.

    Examples
    --------
    >>> n_epochs(None, 5000, 50), n_epochs(3, 5000, 50)
    (10, 3)
    """
    if epochs is not None:
        return int(epochs)
    return min(50, max(5, round(STEPS * batch_size / max(1, n_texts))))


def _make_net(options: Mapping[str, Any], n_words: int, n_classes: int, seed: int | None) -> TextNet:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator when they are made
        return TEXT_NETS[options["model"]](n_words, n_classes, net_options(options), generator=generator)


def _train(net: TextNet, texts: EncodedTexts, task: TextTask, options, on_epoch, checkpoint) -> History:
    batch_size, seed = int(options["batch_size"]), int(options["seed"])
    targets = torch.from_numpy(task.targets)

    def batches(epoch: int) -> Iterator[tuple[tuple, torch.Tensor]]:
        rng = np.random.default_rng((seed, epoch))  # of the epoch alone: a killed run can go on
        for rows in training_batches(texts.lengths, batch_size, rng):
            yield texts.batch(rows), targets[rows]

    epochs = n_epochs(options["epochs"], len(texts), batch_size)
    make, schedule, lr = OPTIMIZERS[options["optimizer"]]
    return train(
        net,
        batches,
        epochs=epochs,
        loss=make_loss(
            "multi" if task.multi_label else "single",
            class_weights=None if task.class_weights is None else task.class_weights.tolist(),
            label_smoothing=options["label_smoothing"],
        ),
        optimizer=make(net.parameters(), lr=lr if options["lr"] is None else options["lr"]),
        n_steps=epochs * -(-len(texts) // batch_size),
        schedule=schedule,
        average_decay=options["average_decay"],
        after_step=lambda _: net.constrain(),
        on_epoch=on_epoch,
        seed=seed,
        checkpoint=checkpoint,
        perturb=partial(misled, size=options["adversarial"]) if options["adversarial"] else None,
        run_id="" if checkpoint is None else _run_id(texts, task, options),
    )


def _run_id(texts: EncodedTexts, task: TextTask, options: Mapping[str, Any]) -> str:
    """What decides a training beside the seed and the epochs: the ids, the targets and all options."""
    digest = sha256(repr(sorted((k, str(v)) for k, v in options.items())).encode())
    for values in (texts.ids, texts.lengths, task.targets):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if n is not None:
        torch.set_num_threads(int(n))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class OptimizerRow(NamedTuple):
    """How an optimizer is made, how its rate moves (None: not at all), and the rate where none is given."""

    make: Callable[..., torch.optim.Optimizer]
    schedule: Callable[[int, int], float] | None
    lr: float


OPTIMIZERS: dict[str, OptimizerRow] = {
    "adam": OptimizerRow(RowAdam, warmup_cosine, 2e-3),
    "adadelta": OptimizerRow(RowAdadelta, None, 1.0),
}
