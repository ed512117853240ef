"""Embeddings: each sound as the vector that a trained net sums it up in, before its last layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import DataError
from .explain import views
from .hearing import flaws_of
from .net_training import BATCH_S, alike
from .stretches import Reading, rounds

__all__ = ["Embedded", "dimension", "embed", "embed_each", "model_id"]


@dataclass
class Embedded:
    """One sound's vector, or the error that prevents it.

    Attributes
    ----------
    index : int
        Of the item, in the order they came.
    vector : array [shape=(D,), float32] or None
        Of a long sound the mean over the stretches of 30 s that the model hears, each weighted by its length.
    duration_s : float
    error : str
    note : str
        What makes a vector doubtful: "silent", "shorter than one window of 64 ms".
    """

    index: int
    vector: np.ndarray | None = None
    duration_s: float = 0.0
    error: str = ""
    note: str = ""


@dataclass
class _Sum(Reading):
    """A sound's vectors so far, each weighted by its samples."""

    index: int = 0


def embed_each(model, items: Iterable) -> Iterator[Embedded]:
    """One Embedded a Clip or file, in order, as they come; a bad file gives its error and the rest goes on.

    Parameters
    ----------
    model : a trained AudioClassifier
    items : iterable of Clip or path

    Notes
    -----
    What stands in memory is bounded by seconds of sound, whatever the number and the length of the files.
    An ensemble's vector is its members' vectors, each of length 1, side by side.

    Examples
    --------
    >>> from conv1d_kit.audio.clip import Clip
    >>> from conv1d_kit.audio.classifier import AudioClassifier
    >>> clips = [Clip(np.sin(np.arange(2000) * f), 8000) for f in (0.1, 0.11, 1.0, 1.1)]
    >>> model = AudioClassifier(epochs=1, n_mels=16, width=4, augment=()).fit(clips, [0, 0, 1, 1])
    >>> [e.vector.shape for e in embed_each(model, clips[:2])]
    [(32,), (32,)]
    """
    found = rounds(items, model.sample_rate_, lambda number: _Sum(index=number), trim=model.trims)
    for pieces, ended in found:
        _add(model, pieces)
        yield from (_finished(model, e) for e in ended)


def embed(model, items: Iterable) -> np.ndarray:
    """The vectors of a handful of sounds [shape=(N, D), float32]; for more, `embedding_index.make_index`.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    rows = []
    for found in embed_each(model, items):
        if found.vector is None:
            raise DataError(found.error)
        rows.append(found.vector)
    return np.stack(rows) if rows else np.zeros((0, dimension(model)), np.float32)


def dimension(model) -> int:
    """D, the length of the model's vectors."""
    return sum(view.net.head.in_features for view in views(model))


def model_id(model) -> str:
    """A hash of all that the vectors depend on: rate, trimming, front-ends and weights; kept by save and load.

    Examples
    --------
    >>> from conv1d_kit.audio.clip import Clip
    >>> from conv1d_kit.audio.classifier import AudioClassifier
    >>> clips = [Clip(np.sin(np.arange(2000) * f), 8000) for f in (0.1, 0.11, 1.0, 1.1)]
    >>> model = AudioClassifier(epochs=1, n_mels=16, width=4, augment=()).fit(clips, [0, 0, 1, 1])
    >>> len(model_id(model))
    32
    """
    h = hashlib.sha256(b"trimmed" * model.trims)
    for view in views(model):
        said = [type(view.frontend).__name__, view.frontend.options(), type(view.net).__name__]
        h.update(json.dumps([model.sample_rate_, *said], sort_keys=True).encode())
        for part in (view.frontend, view.net):
            for name, tensor in sorted(part.state_dict().items()):
                h.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                h.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return h.hexdigest()[:32]


def _add(model, pieces: list[tuple[_Sum, np.ndarray]]) -> None:
    """Each piece's vector to its item, in padded batches of pieces of similar length."""
    for rows in alike([len(samples) for _, samples in pieces], BATCH_S * model.sample_rate_):
        batch = [pieces[i] for i in rows]
        for (item, samples), row in zip(batch, _vectors(model, [s for _, s in batch]), strict=True):
            item.add(row, len(samples))


def _vectors(model, waves: list[np.ndarray]) -> np.ndarray:
    """Vectors [shape=(B, D), float64] of samples (T,) that may differ in length."""
    with torch.no_grad():
        features = [model.frontend_(torch.tensor(wave)[None])[0] for wave in waves]  # (F, L)
        lengths = torch.tensor([f.shape[-1] for f in features])
        x = torch.nn.utils.rnn.pad_sequence([f.T for f in features], batch_first=True).transpose(1, 2)
        return model.net_.embed(x.contiguous(), lengths).double().numpy()


def _finished(model, item: _Sum) -> Embedded:
    found = Embedded(item.index, duration_s=item.n_samples / model.sample_rate_, error=item.error)
    if item.error or item.n_samples == 0:
        return found
    found.vector = item.mean.astype(np.float32)
    if not np.isfinite(found.vector).all():
        found.vector, found.error = None, "its vector is not finite; is the model sound?"
    found.note = flaws_of(item.silent, item.n_samples, model.frontend_)
    return found
