"""Every front-end leaves as ONNX, in its convolution form, for any batch and any length."""

from __future__ import annotations

import pytest
import torch

from conv1d_kit.audio.frontends import FRONTENDS

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

SMALL = {
    "gabor": {"n_filters": 6, "compression": "pcen"}, "log_mel": {"n_mels": 10, "causal": True},
    "pcen": {"n_mels": 10}, "mfcc": {"n_mels": 20}, "cqt": {"n_bins": 24, "f_min": 220.0},
}  # fmt: skip


class ByConvolution(torch.nn.Module):
    """The front-end, method="conv"."""

    def __init__(self, frontend):
        super().__init__()
        self.frontend = frontend

    def forward(self, x):
        return self.frontend(x, method="conv")


@pytest.mark.filterwarnings("ignore")  # the exporter's own, of its own calls
@pytest.mark.parametrize("name", FRONTENDS)
def test_onnxruntime_gives_the_same_for_any_batch_and_length(name, tmp_path):
    torch.manual_seed(0)
    net = ByConvolution(FRONTENDS[name](8000, **SMALL.get(name, {}))).eval()
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.onnx.export(
            net, (torch.randn(2, 1500),), dynamo=True, dynamic_shapes=({0: free, 1: free},), verbose=False
        )
        program.save(tmp_path / "frontend.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "frontend.onnx")
        for shape in ((1, 1), (2, 160), (3, 2000)):
            x = 0.1 * torch.randn(shape)
            (ours,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
            torch.testing.assert_close(torch.from_numpy(ours), net(x), atol=1e-4, rtol=0)
