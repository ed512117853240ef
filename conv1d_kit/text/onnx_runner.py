"""OnnxTextClassifier: an exported model from texts to probabilities by onnxruntime alone, without torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import InputError, InputTypeError, ModelError
from ..training.onnx_file import open_session
from ..training.targets import as_rows, said_labels
from .tokens import LEARNED, TOKENIZERS, Tokenizer, make_tokenizer, words_of
from .vocabulary import PAD, Vocabulary

__all__ = ["OnnxTextClassifier", "TextDescription", "read_words"]

FORMAT = 1  # raised when an older reader could no longer understand the metadata
CELLS = 1 << 13  # tokens run at once: bounds memory whatever the texts' lengths


@dataclass(frozen=True)
class TextDescription:
    """What an ONNX file of a text model says of itself in its metadata.

    Attributes
    ----------
    classes : list
        Columns of the probabilities, in order.
    words : str
        Name of the JSON file beside it, with the tokenizer and the vocabulary.
    words_hash : str
        SHA-256 of that file's content.
    multi_label : bool
        Each class has a probability of its own.
    version : str
        Of this package, when it was written.
    quantized : str
        "" for float weights, else how they were made int8.
    """

    classes: list
    words: str
    words_hash: str
    multi_label: bool = False
    version: str = __version__
    quantized: str = ""

    def metadata(self) -> dict[str, str]:
        """As the file holds it.

        Examples
        --------
        >>> said = TextDescription(["bad", "good"], "model.json", "00")
        >>> TextDescription.read(said.metadata(), "model.onnx") == said
        True
        """
        return {"format": str(FORMAT), "kind": "text", **asdict(self), "classes": json.dumps(self.classes),
                "multi_label": json.dumps(self.multi_label)}  # fmt: skip

    @classmethod
    def read(cls, metadata: Mapping[str, str], name) -> TextDescription:
        """From the metadata of the file `name`.

        Raises
        ------
        ModelError
            If `text export` has not written them, or a newer version has.
        """
        try:
            version = int(metadata["format"])
            if version > FORMAT:
                raise ModelError(
                    f"{name} has format {version}, this version reads up to {FORMAT}; upgrade conv1d_kit"
                )
            if metadata["kind"] != "text":
                raise ValueError
            return cls(
                list(json.loads(metadata["classes"])), metadata["words"], metadata["words_hash"],
                bool(json.loads(metadata["multi_label"])), metadata["version"], metadata["quantized"],
            )  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(
                f"{name} does not say its classes and words; give a file that `text export` has written"
            ) from error

    def as_quantized(self, how: str) -> TextDescription:
        """The same with int8 weights."""
        return replace(self, quantized=how)


class OnnxTextClassifier:
    """Texts → probabilities, by a file that `conv1d-kit text export` wrote and the JSON file beside it.

    Needs NumPy and onnxruntime. Texts are cut and looked up as TextClassifier does it.

    Parameters
    ----------
    path : str or path
    n_threads : int, optional
        Of onnxruntime; default as many as it likes.

    Attributes
    ----------
    classes_ : array
        Columns of the probabilities.
    vocabulary_ : Vocabulary
    tokenizer : a key of TOKENIZERS or LEARNED
    description_ : TextDescription
        All that the file says of itself.

    Raises
    ------
    ModelError
        If a file is missing, not an ONNX model, not one of this package, or the two do not belong together.

    Examples
    --------
    >>> OnnxTextClassifier("missing.onnx")
    Traceback (most recent call last):
    conv1d_kit.errors.ModelError: missing.onnx: no such file
    """

    def __init__(self, path, *, n_threads: int | None = None):
        self.session = open_session(path, n_threads)
        name = os.fspath(path)
        self.description_ = TextDescription.read(self.session.get_modelmeta().custom_metadata_map, name)
        self.classes_ = np.asarray(self.description_.classes)
        self.tokenizer, self._cut, self.vocabulary_ = read_words(
            Path(name).parent / Path(self.description_.words).name, self.description_.words_hash
        )

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """The most probable label of each text [shape=(N,)]; with several labels a tuple of those above 1/2."""
        return said_labels(self.classes_, self.predict_proba(X), multi_label=self.description_.multi_label)

    def predict_proba(self, X: Sequence[str]) -> np.ndarray:
        """Probabilities [shape=(N, n_classes), float32], columns as `classes_`.

        Raises
        ------
        InputTypeError
            If X is one text or holds anything but texts.
        """
        rows = []
        for i, text in enumerate(as_rows(X, of="texts")):
            if not isinstance(text, str):
                raise InputTypeError(f"X must hold str only, got {type(text).__name__} in X[{i}]")
            rows.append(self.vocabulary_.encode(words_of(text, self._cut)))
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        result = np.zeros((len(rows), len(self.classes_)), np.float32)
        for batch in _batches(lengths):
            ids = np.full((len(batch), max(1, int(lengths[batch].max()))), PAD, dtype=np.int64)
            for row, i in enumerate(batch):
                ids[row, : lengths[i]] = rows[i]
            result[batch] = self.run(ids, lengths[batch])
        return result

    def run(self, ids: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """The graph alone: ids (B, L), row b of length lengths[b] → (B, n_classes)."""
        x = np.ascontiguousarray(ids)
        if x.ndim != 2 or x.size == 0 or x.dtype.kind not in "iu":
            raise InputError(f"ids must be ints (B, L) and not empty, got {x.dtype} of shape {x.shape}")
        if x.min() < 0 or x.max() >= len(self.vocabulary_):
            raise InputError(f"ids must be from 0 to {len(self.vocabulary_) - 1}, got {x.min()} to {x.max()}")
        n = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
        if n.shape != (len(x),) or n.dtype.kind not in "iu" or n.min() < 0 or n.max() > x.shape[1]:
            raise InputError(f"lengths must be {len(x)} ints from 0 to {x.shape[1]}, got {n.tolist()}")
        given = {"ids": x.astype(np.int64), "lengths": n.astype(np.int64)}
        return self.session.run(["probabilities"], given)[0]


def read_words(path, words_hash: str | None = None) -> tuple[str, Tokenizer, Vocabulary]:
    """Tokenizer (its name, and as a function) and vocabulary of the JSON file beside an exported model.

    Raises
    ------
    ModelError
        If it is missing, damaged, or not the one of that hash.
    InputError
        If its tokenizer needs a package that is not installed.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); keep it beside the ONNX file that it was written with"
        ) from error
    if words_hash is not None and hashlib.sha256(content).hexdigest() != words_hash:
        raise ModelError(f"{path} is not the file that the ONNX model was written with; export the model again")
    try:
        said: Any = json.loads(content)
        tokenizer, words = said["tokenizer"], said["vocabulary"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} must say a tokenizer and a vocabulary; export the model again") from error
    known = [*TOKENIZERS, *LEARNED]
    if tokenizer not in known or (tokenizer in LEARNED and said.get("tokenizer_state") is None):
        raise ModelError(f"{path} asks for the tokenizer {tokenizer!r}, known are {', '.join(known)}")
    cut, _ = make_tokenizer(tokenizer, state=said.get("tokenizer_state"))
    return tokenizer, cut, Vocabulary.from_json(words)


def _batches(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Rows by length, each batch of at most CELLS padded tokens, or of one row."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * (int(lengths[order[stop]]) + 1) > CELLS:
            yield order[start:stop]
            start = stop
