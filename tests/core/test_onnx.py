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


MODES = ["zeros", "reflect", "symmetric", "replicate", "circular", 2.5]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*NAMED_PADDINGS, ((1, 3),)], ids=str)
@pytest.mark.parametrize(("taps", "stride", "dilation"), [(4, 2, 1), (5, 3, 2)])
def test_every_padding_is_exported_by_torch_for_any_length(name, mode, taps, stride, dilation):
    torch.manual_seed(0)
    layer = Conv1d(2, 3, taps, stride=stride, padding=name, padding_mode=mode, dilation=dilation).eval()
    axes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("time", min=12, max=9999)}
    program = torch.export.export(layer, (torch.zeros(2, 2, 32),), dynamic_shapes=(axes,))
    for length in (12, 13, 14, 33, 41):
        x = torch.randn(3, 2, length)
        torch.testing.assert_close(program.module()(x), layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["zeros", "reflect", 2.5])
@pytest.mark.parametrize("name", ["same", "same_lower", "full"])
def test_every_axis_of_an_image_may_be_of_any_size(name, mode):
    torch.manual_seed(0)
    layer = Conv2d(1, 2, (3, 4), stride=(2, 3), padding=name, padding_mode=mode).eval()
    axes = {2: torch.export.Dim("height", min=8, max=999), 3: torch.export.Dim("width", min=8, max=999)}
    program = torch.export.export(layer, (torch.zeros(1, 1, 32, 30),), dynamic_shapes=(axes,))
    for size in (12, 13, 33):
        x = torch.randn(1, 1, size, size + 4)
        torch.testing.assert_close(program.module()(x), layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*NAMED_PADDINGS, ((1, 3),)], ids=str)
def test_every_padding_is_exported_for_odd_and_even_lengths(name, mode, tmp_path):
    torch.manual_seed(0)
    taps = 4 if mode in ("reflect", 2.5) else 5
    layer = Conv1d(2, 3, taps, stride=2, padding=name, padding_mode=mode).eval()
    path = tmp_path / "layer.onnx"
    axes = {2: torch.export.Dim("time", min=16, max=100_000)}
    torch.onnx.export(layer, (torch.zeros(1, 2, 32),), path, dynamo=True, dynamic_shapes=(axes,), verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for length in (32, 33, 41, 90):
        x = np.random.default_rng(length).standard_normal((1, 2, length)).astype(np.float32)
        (got,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(got, layer(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
