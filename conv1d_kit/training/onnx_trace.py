"""From a torch module to an ONNX graph whose batch and length are free, with nodes named by their modules."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import ModelError

__all__ = ["OPSET", "name_nodes", "trace_onnx"]

OPSET = 20  # the first whose DFT takes its axis as an input


def trace_onnx(
    module: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic_shapes: Any,
    *,
    name: str,
) -> Any:
    """The module as an onnx.ModelProto.

    Parameters
    ----------
    module : torch.nn.Module
        In eval mode.
    example : tuple of Tensor
        Its arguments, of sizes that are no constants of the net.
    inputs, outputs : names
    dynamic_shapes : as torch.export takes it
        Every axis of every argument must be free.
    name : str
        Of the net, for messages.

    Raises
    ------
    ModelError
        If torch cannot trace it, or an axis of the graph is fixed.
    """
    with _quiet():
        try:
            program = torch.onnx.export(
                module, example, dynamo=True, verbose=False, opset_version=OPSET, input_names=list(inputs),
                output_names=list(outputs), dynamic_shapes=dynamic_shapes,
            )  # fmt: skip
        except Exception as error:  # of torch.export, the translation or the optimiser: no common class
            cause = error.__cause__ or error
            reason = str(cause).strip().splitlines()[0][:300]
            raise ModelError(f"torch cannot export the net {name}: {reason}") from error
    assert program is not None
    document = program.model_proto
    for given in document.graph.input:
        fixed = [d.dim_value for d in given.type.tensor_type.shape.dim if not d.dim_param]
        if fixed:
            raise ModelError(f"the net {name} exports for {given.name} of {fixed[0]} only")
    return document


def name_nodes(document: Any) -> None:
    """Nodes named by the module they come from, "net.stem/Conv 12"; the traces' paths and words go."""
    for i, node in enumerate(document.graph.node):
        said = {p.key: p.value for p in node.metadata_props}
        scopes = said.get("pkg.torch.onnx.name_scopes", "").strip("[]").replace("'", "").split(", ")
        module = next((s for s in reversed(scopes[:-1]) if s and not s.startswith("_")), "")
        node.name = f"{module}/{node.op_type} {i}"
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*document.graph.value_info, *document.graph.input, *document.graph.output):
        del value.metadata_props[:]
    for tensor in document.graph.initializer:
        del tensor.metadata_props[:]
    del document.graph.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own deprecations and remarks."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
