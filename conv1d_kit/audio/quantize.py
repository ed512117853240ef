"""An exported audio model with int8 weights; what stands before a logarithm stays float."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from ..training.onnx_file import dynamic_int8, quiet_quantizer
from .onnx_file import Description, describe, extra, read_model, written_whole

__all__ = ["layers_to_quantize", "quantize_onnx"]

_LAYERS = ("Conv", "Gemm", "MatMul")
_SHARES = ("Softmax", "Sigmoid")  # end in probabilities, whose logarithm is what they were made of


def quantize_onnx(path, out, waves: Iterable[np.ndarray] | None = None) -> list[str]:
    """Write the model at `path` with int8 weights and activations in its convolutions and linear layers.

    Weights have one scale a channel and 7 bits: on a processor without VNNI, sums of two 8-bit products are cut
    off at 16 bits, which moved probabilities by 0.33 where 7 bits moved them by 0.04 (ESC-10).

    Parameters
    ----------
    path, out : str or path
        What export_onnx wrote, and the file to write.
    waves : arrays [shape=(T,), float32] at the model's sample rate, optional
        Clips whose smallest and largest activations set the scales (static: quantise–dequantise pairs, QDQ).
        None: each activation is scaled by its own batch when the graph runs (dynamic).

    Returns
    -------
    list of str
        The nodes that became int8.

    Raises
    ------
    InputError
        If a package of the export extra is missing.
    ModelError
        If the file is no model of this package or nothing in it can be quantised.
    DataError
        If `waves` holds no clip.

    Source: Jacob et al. (2018), Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference, section 2.
    """
    quantization = extra("onnxruntime.quantization")
    document = read_model(path)
    said = Description.read({p.key: p.value for p in document.metadata_props}, os.fspath(path))
    nodes = layers_to_quantize(document)
    if not nodes:
        raise ModelError(f"{os.fspath(path)} has no layer that can be made int8")
    common: dict[str, Any] = {
        "per_channel": True, "weight_type": quantization.QuantType.QInt8, "nodes_to_quantize": nodes,
        "op_types_to_quantize": list(_LAYERS),
    }  # fmt: skip
    with written_whole(out) as part, quiet_quantizer():
        if waves is None:
            how = dynamic_int8(document, part, nodes, _LAYERS)
        else:
            reader = _Clips(waves)
            quantization.quantize_static(
                document, part, reader, quant_format=quantization.QuantFormat.QDQ, reduce_range=True,
                activation_type=quantization.QuantType.QUInt8, **common,
            )  # fmt: skip
            how = f"static, calibrated on {reader.count} clips, QDQ, 7-bit weights, one scale a channel"
        document = read_model(part)
        describe(document, said.as_quantized(how))
        part.write_bytes(document.SerializeToString())
    return nodes


def layers_to_quantize(document: Any) -> list[str]:
    """Names of the nodes that may become int8: convolutions and linear layers with weights of their own.

    Float stay those that a logarithm depends on (it magnifies what rounding does to quiet bands; not that of
    probabilities, which only undoes their softmax), those of a front-end, and convolutions of a single channel:
    little work, and everything after hears their rounding.

    Parameters
    ----------
    document : onnx.ModelProto
    """
    nodes = document.graph.node
    weights = {t.name: list(t.dims) for t in document.graph.initializer}
    before = _before_a_log(nodes)
    return [
        node.name
        for node in nodes
        if node.op_type in _LAYERS
        and node.name not in before
        and "frontend" not in node.name
        and node.input[1] in weights
        and not (node.op_type == "Conv" and _channels(node, weights[node.input[1]]) == 1)
    ]


class _Clips:
    """What onnxruntime's calibration asks for: one clip's inputs at a time, then None."""

    def __init__(self, waves: Iterable[np.ndarray]):
        self.waves: Iterator[np.ndarray] = iter(waves)
        self.count = 0

    def get_next(self) -> dict[str, np.ndarray] | None:
        wave = next(self.waves, None)
        if wave is None:
            if self.count == 0:
                raise DataError("calibration needs at least one clip that can be read, got none")
            return None
        self.count += 1
        return {"samples": wave[None], "lengths": np.array([len(wave)], np.int64)}


def _before_a_log(nodes: Any) -> set[str]:
    makers = {output: node for node in nodes for output in node.output}
    found: set[str] = set()
    waiting = [name for node in nodes if node.op_type == "Log" for name in node.input]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in found and node.op_type not in _SHARES:
            found.add(node.name)
            waiting.extend(node.input)
    return found


def _channels(node: Any, shape: list[int]) -> int:
    """Input channels of a convolution: those of a group, times the groups."""
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    return shape[1] * groups
