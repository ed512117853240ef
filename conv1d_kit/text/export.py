"""A text model as one ONNX graph from ids to probabilities, of any batch and length, and its words as JSON."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ModelError
from ..training.onnx_file import (
    check_onnx_target,
    dynamic_int8,
    extra,
    read_model,
    set_metadata,
    written_whole,
)
from ..training.onnx_trace import name_nodes, trace_onnx
from .batches import pad
from .nets import TEXT_NETS, TextNet
from .onnx_runner import OnnxTextClassifier, TextDescription

__all__ = [
    "TOLERANCE",
    "TokensToProbabilities",
    "check_export_target",
    "export_onnx",
    "largest_difference",
    "quantize_onnx",
    "words_path",
]

TOLERANCE = 1e-4  # most that a probability may differ from torch's
_LAYERS = ("Conv", "Gemm", "MatMul", "Gather")


class TokensToProbabilities(torch.nn.Module):
    """ids (B, L) of which row b counts `lengths[b]` → probabilities (B, n_classes), by plain layers.

    Parameters
    ----------
    net : TextNet
        `net_` of a trained model.
    temperature : float > 0
        Divides the logits.
    multi_label : bool
        Each class has a probability of its own.
    """

    def __init__(self, net: Any, *, temperature: float = 1.0, multi_label: bool = False):
        super().__init__()
        self.net, self.temperature, self.multi_label = net, temperature, multi_label

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.probabilities(self.net.out(self.net.plain_features(ids, lengths)))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Of logits (B, n_classes)."""
        logits = logits if self.temperature == 1 else logits / self.temperature
        return logits.sigmoid() if self.multi_label else logits.softmax(1)


def export_onnx(model: Any, path) -> float:
    """Write a trained model as ONNX, its words as JSON beside it, and hold it to torch in onnxruntime.

    Inputs `ids` (batch, tokens) and `lengths` (batch,), both int64, output `probabilities` (batch, classes)
    float32; what stands beyond a row's length never reaches its probabilities. The metadata are those of
    TextDescription, the JSON file is `words_path(path)`.

    Parameters
    ----------
    model : TextClassifier
        Of a net. Or anything with its classes_, vocabulary_, net_ and tokenizer, and where they are not 1 and
        False its temperature_ and multi_label.
    path : str or path
        A file of this verb's that stands there is replaced.

    Returns
    -------
    float
        The largest difference of a probability from torch's over `largest_difference`'s texts.

    Raises
    ------
    InputError
        If a package of the export extra is missing.
    ModelError
        If a file cannot be written, or the graph cannot be traced or differs by more than TOLERANCE.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        extra(name)
    check_export_target(path)
    net = getattr(model, "net_", None)
    if not isinstance(net, TextNet):
        raise ModelError(
            f"only a net of its own ({', '.join(TEXT_NETS)}) can be exported, not a baseline or blend"
        )
    multi_label = bool(getattr(model, "multi_label", False))
    facts = {"kind": "words", "tokenizer": model.tokenizer, "vocabulary": model.vocabulary_.to_json()}
    state = getattr(getattr(model, "model_", None), "tokenizer_state", None)
    if state is not None:
        facts["tokenizer_state"] = state  # of one that was learned
    words = json.dumps(facts, ensure_ascii=True, indent=0).encode()
    said = TextDescription(
        np.asarray(model.classes_).tolist(), words_path(path).name, hashlib.sha256(words).hexdigest(),
        multi_label,
    )  # fmt: skip
    temperature = float(getattr(model, "temperature_", 1.0))
    graph = TokensToProbabilities(net, temperature=temperature, multi_label=multi_label).eval()
    with written_whole(path) as part:
        document = _traced(graph)
        name_nodes(document)
        set_metadata(document, said.metadata(), said.version)
        part.write_bytes(document.SerializeToString())
        beside = part.with_name(said.words)
        beside.write_bytes(words)
        difference = largest_difference(graph, OnnxTextClassifier(part, n_threads=1))
        if not difference <= TOLERANCE:
            raise ModelError(
                f"the exported graph differs from torch by {difference:.1e} in a probability, allowed is "
                f"{TOLERANCE:.0e}; nothing is written to {os.fspath(path)}"
            )
        os.replace(beside, words_path(path))
    return difference


def quantize_onnx(path, out) -> list[str]:
    """Write the model at `path` with int8 embeddings, convolutions and linear layers.

    Weights have one scale a channel, activations one a batch, found as the graph runs. Both files keep one
    JSON file of words: write `out` beside `path`.

    Returns
    -------
    list of str
        The nodes that became int8.

    Raises
    ------
    InputError
        If a package of the export extra is missing.
    ModelError
        If the file is no text model of this package or `out` is not beside it.

    Source: Jacob et al. (2018), Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, section 2.
    """
    if Path(os.path.abspath(path)).parent != Path(os.path.abspath(out)).parent:
        raise ModelError(f"{os.fspath(out)} must stand beside {os.fspath(path)}, whose words it shares")
    document = read_model(path)
    said = TextDescription.read({p.key: p.value for p in document.metadata_props}, os.fspath(path))
    sizes = {t.name: list(t.dims) for t in document.graph.initializer}
    nodes = [
        node.name
        for node in document.graph.node
        if node.op_type in _LAYERS and len(sizes.get(node.input[0 if node.op_type == "Gather" else 1], ())) > 1
    ]
    products = [
        f"{name}_MatMul" for name in nodes
    ]  # what onnxruntime calls a Gemm before it looks for its name
    with written_whole(out) as part:
        how = dynamic_int8(document, part, nodes + products, _LAYERS)
        small = read_model(part)
        set_metadata(small, said.as_quantized(how).metadata(), said.version)
        part.write_bytes(small.SerializeToString())
    return nodes


def words_path(path) -> Path:
    """Where the words of the model at `path` stand: model.onnx → model.json."""
    return Path(path).with_suffix(".json")


def check_export_target(path) -> None:
    """Refuse a place where `export_onnx` must not write; what it wrote itself before is replaced.

    Raises
    ------
    ModelError
    """
    check_onnx_target(path)
    beside = words_path(path)
    if not os.path.lexists(beside):
        return
    try:
        ours = json.loads(beside.read_bytes())["kind"] == "words"
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise ModelError(f"{beside} is not a file of text export, it is not replaced; choose another name")


def largest_difference(graph: TokensToProbabilities, runner: OnnxTextClassifier) -> float:
    """The largest difference of a probability between onnxruntime, batch by batch, and torch, text by text.

    Random texts of none to some hundred tokens, alone and in batches whose padding holds words, so that
    padding that reaches a result shows.
    """
    rng, n_words = np.random.default_rng(0), len(runner.vocabulary_)
    largest = 0.0
    for lengths in ((0,), (1,), (2, 0, 1), (3,) * 3, (50, 7, 0, 1, 49), (211, 20)):
        rows = [rng.integers(1, n_words, n) for n in lengths]
        ids = rng.integers(0, n_words, (len(rows), max(1, *lengths)))
        for row, text in enumerate(rows):
            ids[row, : len(text)] = text
        got = runner.run(ids, np.array(lengths))
        with torch.no_grad():
            alone = [graph.probabilities(graph.net(*pad([text]))) for text in rows]
        largest = max(largest, float(np.abs(got - torch.cat(alone).numpy()).max()))
    return largest


def _traced(graph: TokensToProbabilities) -> Any:
    """The graph as an onnx.ModelProto."""
    example = (torch.ones(2, 64, dtype=torch.int64), torch.tensor([64, 30]))
    shapes = ({0: "batch", 1: "tokens"}, {0: "batch"})
    return trace_onnx(
        graph, example, ["ids", "lengths"], ["probabilities"], shapes, name=type(graph.net).__name__
    )
