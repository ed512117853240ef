"""One step of a stream as ONNX: run chunk by chunk with its states, it gives what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_streaming_net import Gated, Heard, build, noise
from torch import nn

from conv1d_kit import Conv1d, ConvTranspose1d, stream
from conv1d_kit.errors import InputError

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class Head(nn.Module):
    """A causal net that ends in logits of all that was heard."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            Conv1d(2, 4, 4, stride=2, padding=((2, 0),)), Gated(4, 2), nn.MaxPool1d(3, 2, 1)
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        y = self.body(x)
        return self.head(torch.cat([y.mean(-1), y.amax(-1)], 1))


class Causal(nn.Module):
    """A causal maximum over three frames, by its pad."""

    def forward(self, x):
        return nn.functional.max_pool1d(x, 2, 2)


def _net(name: str) -> tuple[nn.Module, int]:
    torch.manual_seed(0)
    nets = {
        "TCN": lambda: nn.Sequential(Conv1d(2, 3, 5, padding="causal"), *(Gated(3, d) for d in (1, 2, 4))),
        "strided": lambda: nn.Sequential(
            Conv1d(2, 4, 8, stride=4, padding=((4, 0),)), nn.BatchNorm1d(4), nn.GELU(), Causal(), Gated(4, 3),
            nn.AvgPool1d(2),
        ),
        "transposed": lambda: nn.Sequential(
            Conv1d(2, 3, 4, stride=2, padding="causal"), ConvTranspose1d(3, 2, 5, stride=2), nn.Tanh()
        ),
        "logits": lambda: nn.Sequential(Head()),
        "newest": lambda: Heard(lambda x: x[..., -1], Conv1d(2, 3, 5, padding="causal")),
    }  # fmt: skip
    strides = {"strided": 16, "transposed": 2, "logits": 4}
    return nets[name]().eval(), strides.get(name, 1)


@pytest.mark.parametrize(
    ("name", "strides"),
    [("TCN", 1), ("TCN", 5), ("strided", 3), ("transposed", 4), ("logits", 1), ("newest", 3)],
)
def test_the_exported_step_gives_the_whole_chunk_by_chunk(name, strides, tmp_path):
    net, stride = _net(name)
    chunk, path = stride * strides, tmp_path / "step.onnx"
    states = stream(net).export(path, chunk=chunk, batch=2)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["chunk", *states]
    assert [o.name for o in session.get_outputs()] == ["output", *(f"{name}.next" for name in states)]
    x, outs = noise(2, 2, 7 * chunk).numpy(), []
    whole = net(torch.from_numpy(x)).detach().numpy()
    for a in range(0, x.shape[-1], chunk):
        y, *new = session.run(None, {"chunk": x[..., a : a + chunk], **states})
        states = dict(zip(states, new, strict=True))
        outs.append(y)
    got = outs[-1] if whole.ndim == 2 else np.concatenate(outs, -1)
    np.testing.assert_allclose(got, whole[..., : got.shape[-1]], atol=1e-5)
    assert whole.shape[-1] - got.shape[-1] <= 3  # what a transposed layer's flush adds


def test_states_have_the_layers_names_and_begin_with_zeros(tmp_path):
    net, _ = build("dilated residual TCN")
    states = stream(net).export(tmp_path / "step.onnx", chunk=8)
    assert {name: value.shape for name, value in states.items()} == {
        "state.0.conv": (1, 2, 2), "state.1.conv": (1, 2, 4), "state.2.conv": (1, 2, 8)
    }  # fmt: skip
    assert not any(value.any() for value in states.values())


@pytest.mark.parametrize(
    ("net", "chunk", "words"),
    [
        (Conv1d(2, 2, 3, padding=1), 4, "export takes causal nets, got a latency of 1"),
        (Conv1d(2, 2, 4, stride=4), 6, r"net \(Conv1d\) does not keep its state.*chunks of 6.*chunk=8"),
        (nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), Conv1d(2, 2, 5)), 4, "padding='causal'"),
        (Conv1d(2, 2, 3, padding=((2, 0),), padding_mode="replicate"), 4, "padding='causal'"),
        (Conv1d(2, 2, 3, padding="causal"), 0, "chunk must be an int >= 1"),
        (nn.ReLU(), 4, "push one chunk"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_says_so(net, chunk, words, tmp_path):
    with pytest.raises(InputError, match=words):
        stream(net.eval(), latency="any").export(tmp_path / "step.onnx", chunk=chunk)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="path must be in a folder that exists"):
        stream(Conv1d(2, 2, 3, padding="causal").eval()).export(tmp_path / "nowhere" / "step.onnx", chunk=4)
