"""OnnxAudioClassifier: an exported model from files to probabilities by onnxruntime alone, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputError
from ..training.onnx_file import open_session
from ..training.targets import said_labels
from .clip import as_items, pieces
from .onnx_file import Description
from .trim import heard_of

__all__ = ["OnnxAudioClassifier"]


class OnnxAudioClassifier:
    """Clips or files → probabilities, by a file that `conv1d-kit audio export` wrote.

    Needs NumPy, soundfile, soxr and onnxruntime. Files are read, mixed to one channel, resampled and heard in
    stretches of 30 s as AudioClassifier does it.

    Parameters
    ----------
    path : str or path
    n_threads : int, optional
        Of onnxruntime; default as many as it likes.

    Attributes
    ----------
    classes_ : array
        Columns of the probabilities.
    sample_rate_ : int, Hz
    description_ : Description
        All that the file says of itself.

    Raises
    ------
    ModelError
        If the file is missing, not an ONNX model or not one of this package.

    Examples
    --------
    >>> OnnxAudioClassifier("missing.onnx")
    Traceback (most recent call last):
    conv1d_kit.errors.ModelError: missing.onnx: no such file
    """

    def __init__(self, path, *, n_threads: int | None = None):
        self.session = open_session(path, n_threads)
        self.description_ = Description.read(self.session.get_modelmeta().custom_metadata_map, os.fspath(path))
        self.classes_ = np.asarray(self.description_.classes)
        self.sample_rate_ = self.description_.sample_rate

    def predict(self, X) -> np.ndarray:
        """The most probable class of each clip; of several labels a clip the tuple of those above one half."""
        return said_labels(self.classes_, self.predict_proba(X), multi_label=self.description_.multi_label)

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities [shape=(N, n_classes), float32] of Clips or paths, columns as `classes_`.

        Raises
        ------
        DataError
            If a file cannot be read.
        """
        rows = [self._probabilities(item) for item in as_items(X)]
        return np.stack(rows) if rows else np.zeros((0, len(self.classes_)), np.float32)

    def waves(self, item) -> Iterator[np.ndarray]:
        """What the graph hears of a Clip or path: stretches (1, T), without silent ends if the model trims."""
        waves = (part.mono().resample(self.sample_rate_).samples[0] for part in pieces(item))
        for wave in heard_of(waves, self.sample_rate_, trim=self.description_.trim):
            yield wave[None]

    def run(self, samples: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """The graph alone: samples (B, T) at sample_rate_, row b of length lengths[b] → (B, n_classes)."""
        x = np.ascontiguousarray(samples, np.float32)
        if x.ndim != 2 or x.size == 0:
            raise InputError(f"samples must be (B, T) and not empty, got shape {x.shape}; try samples[None]")
        n = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
        if n.shape != (len(x),) or n.dtype.kind not in "iu" or n.min() < 1 or n.max() > x.shape[1]:
            raise InputError(f"lengths must be {len(x)} ints from 1 to {x.shape[1]}, got {n.tolist()}")
        return self.session.run(["probabilities"], {"samples": x, "lengths": n.astype(np.int64)})[0]

    def _probabilities(self, item) -> np.ndarray:
        """The mean over an item's stretches, weighted by their frames."""
        total: Any = 0.0
        mass = 0
        for wave in self.waves(item):
            weight = self.description_.frames(wave.shape[1])
            total = total + weight * self.run(wave)[0]
            mass += weight
        return (total / mass).astype(np.float32)
