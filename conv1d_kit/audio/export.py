"""An audio model as one ONNX graph from samples to probabilities, of any batch and any length."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..core.pooling import masked
from ..errors import ModelError
from ..training.onnx_trace import name_nodes as _name_nodes
from ..training.onnx_trace import trace_onnx
from .onnx_file import Description, describe, extra, written_whole
from .onnx_runner import OnnxAudioClassifier

__all__ = ["TOLERANCE", "WaveToProbabilities", "export_onnx", "largest_difference"]

TOLERANCE = 1e-4  # most that a probability may differ from torch's


class WaveToProbabilities(torch.nn.Module):
    """samples (B, T) of which row b counts `lengths[b]`, the rest is padding → probabilities (B, n_classes).

    Parameters
    ----------
    frontend, net : modules
        `frontend_` and `net_` of a trained model.
    """

    def __init__(self, frontend: Any, net: Any):
        super().__init__()
        self.frontend, self.net = frontend, net

    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        heard = self.frontend(masked(samples, lengths))
        return self.net.probabilities(self.net(heard, self.frontend.lengths(lengths)))


def export_onnx(model: Any, path) -> float:
    """Write a trained model as ONNX and hold it to torch in onnxruntime.

    Inputs `samples` (batch, time) float32 at `sample_rate_` and `lengths` (batch,) int64, output
    `probabilities` (batch, classes) float32; what stands beyond a row's length never reaches its probabilities.
    The metadata are those of onnx_file.Description.

    Parameters
    ----------
    model : AudioClassifier
        Or anything with its classes_, sample_rate_, frontend_ and net_.
    path : str or path
        An ONNX file that stands there is replaced.

    Returns
    -------
    float
        The largest difference of a probability from torch's over `largest_difference`'s clips.

    Raises
    ------
    InputError
        If a package of the export extra is missing.
    ModelError
        If `path` cannot be written, or the graph cannot be traced or differs by more than TOLERANCE.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        extra(name)
    with written_whole(path) as part:
        graph = WaveToProbabilities(model.frontend_, model.net_).eval()
        document = _traced(graph, int(model.sample_rate_))
        _name_nodes(document)
        describe(document, _description(model))
        part.write_bytes(document.SerializeToString())
        difference = largest_difference(graph, OnnxAudioClassifier(part, n_threads=1))
        if not difference <= TOLERANCE:
            raise ModelError(
                f"the exported graph differs from torch by {difference:.1e} in a probability, allowed is "
                f"{TOLERANCE:.0e}; nothing is written to {os.fspath(path)}"
            )
    return difference


def largest_difference(graph: WaveToProbabilities, runner: OnnxAudioClassifier) -> float:
    """The largest difference of a probability between onnxruntime, batch by batch, and torch, clip by clip.

    Clips of noise from 1 sample to over a second, alone and in padded batches of mixed lengths whose padding
    is loud, so that padding that reaches a result shows.
    """
    rate, window = runner.sample_rate_, int(getattr(graph.frontend, "window_length", 1))
    rng = np.random.default_rng(0)
    largest = 0.0
    for lengths in (
        (1,),
        (2, 1),
        (window, max(1, window // 3)),
        (rate // 2 + 1,),
        (rate + 7, 1, rate // 3, rate),
    ):
        x = rng.standard_normal((len(lengths), max(lengths))).astype(np.float32) / 10
        got = runner.run(x, np.array(lengths))
        with torch.no_grad():
            alone = [
                graph(torch.from_numpy(row[None, :n]), torch.tensor([n]))
                for row, n in zip(x, lengths, strict=True)
            ]
        largest = max(largest, float(np.abs(got - torch.cat(alone).numpy()).max()))
    return largest


class _FreeLengths(TorchFunctionMode):
    """max_pool1d as max_pool2d of height 1: of the former a trace keeps the length of its example."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is functional.max_pool1d:
            return _max_pool1d(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    if return_indices:
        raise ModelError("a net whose max_pool1d returns indices cannot be exported")

    def wide(value, other: int):
        return (other, value[0] if isinstance(value, tuple | list) else value)

    y = functional.max_pool2d(
        x[..., None, :], wide(kernel_size, 1), wide(kernel_size if stride is None else stride, 1),
        wide(padding, 0), wide(dilation, 1), ceil_mode,
    )  # fmt: skip
    return y[..., 0, :]


class _Traced(WaveToProbabilities):
    def forward(self, samples: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        with _FreeLengths():
            return super().forward(samples, lengths)


def _traced(graph: WaveToProbabilities, sample_rate: int) -> Any:
    """The graph as an onnx.ModelProto."""
    size = max(40_000, 2 * sample_rate)  # long enough for two frames in the deepest layer: one is a constant
    example = (torch.zeros(2, size), torch.tensor([size, size // 2]))
    return trace_onnx(
        _Traced(graph.frontend, graph.net), example, ["samples", "lengths"], ["probabilities"],
        ({0: "batch", 1: "time"}, {0: "batch"}), name=type(graph.net).__name__,
    )  # fmt: skip


def _description(model: Any) -> Description:
    frontend = model.frontend_
    return Description(
        np.asarray(model.classes_).tolist(),
        int(model.sample_rate_),
        {
            "name": type(frontend).__name__,
            "options": frontend.options(),
            "hop_length": int(frontend.hop_length),
            "first_frames": int(frontend.lengths(torch.tensor(0))),
        },
        multi_label=bool(model.net_.multi_label),
        trim=bool(getattr(model, "trims", False)),
        threshold=None if getattr(model, "threshold_", None) is None else model.threshold_.value,
    )
