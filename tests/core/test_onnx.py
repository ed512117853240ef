"""Layers export to ONNX with dynamic batch and time, and onnxruntime gives what torch gives."""

import numpy as np
import pytest
import torch

from conv1d_kit import Conv1d, Conv2d, ConvTranspose1d
from conv1d_kit.core.padding import NAMED_PADDINGS

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

NETS = {
    "causal, dilated, strided": (
        lambda: torch.nn.Sequential(
            Conv1d(2, 4, 9, padding="causal", dilation=2),
            torch.nn.ReLU(),
            Conv1d(4, 3, 80, stride=4, padding=((40, 39),)),
        ),
        (2, 2, 400),
        (3, 2, 777),
    ),
    "same, reflect": (lambda: Conv1d(2, 3, 7, padding=3, padding_mode="reflect"), (2, 2, 60), (1, 2, 91)),
    "transposed": (lambda: ConvTranspose1d(2, 3, 4, stride=2, padding=1), (2, 2, 60), (3, 2, 33)),
    "image": (lambda: Conv2d(1, 3, 3, stride=(2, 1), padding=1, groups=1), (2, 1, 16, 40), (3, 1, 16, 55)),
}


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
@pytest.mark.parametrize("name", NETS)
def test_an_exported_layer_gives_torchs_output_for_other_sizes(name, tmp_path):
    make, given, other = NETS[name]
    torch.manual_seed(0)
    net = make().eval()
    path = tmp_path / "net.onnx"
    axes = {0: torch.export.Dim("batch"), len(given) - 1: torch.export.Dim("time", min=16, max=100_000)}
    torch.onnx.export(net, (torch.zeros(given),), path, dynamo=True, dynamic_shapes=(axes,), verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for shape in (given, other):
        x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        (got,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(got, net(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["zeros", "reflect", "symmetric", "replicate", "circular", 2.5])
@pytest.mark.parametrize("name", [*NAMED_PADDINGS, ((1, 3),)], ids=str)
def test_every_padding_is_exported_for_odd_and_even_lengths(name, mode, tmp_path):
    torch.manual_seed(0)
    layer = Conv1d(2, 3, 5, stride=2, padding=name, padding_mode=mode).eval()
    path = tmp_path / "layer.onnx"
    axes = {2: torch.export.Dim("time", min=16, max=100_000)}
    torch.onnx.export(layer, (torch.zeros(1, 2, 32),), path, dynamo=True, dynamic_shapes=(axes,), verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for length in (32, 33, 41, 90):
        x = np.random.default_rng(length).standard_normal((1, 2, length)).astype(np.float32)
        (got,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(got, layer(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
