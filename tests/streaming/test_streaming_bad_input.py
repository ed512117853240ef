"""What cannot be streamed is named with its cure, and a bad chunk leaves the stream as if it had not come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from conv1d_kit import Conv1d, Conv2d, ConvTranspose1d, stream
from conv1d_kit.audio.filterbank import FilterBankCNN
from conv1d_kit.audio.frontends import Raw
from conv1d_kit.errors import ConvKitError, InputError, InputTypeError


class Apply(nn.Module):
    def __init__(self, function, layer=None):
        super().__init__()
        self.function = function
        self.body = nn.ModuleList([nn.Sequential(layer or nn.Identity())])

    def forward(self, x):
        return self.function(self.body[0](x))


def _hooked() -> nn.Module:
    layer = Conv1d(2, 2, 3)
    layer.register_forward_hook(lambda module, given, out: 2 * out)
    return layer


def _causal() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        Conv1d(2, 3, 5, padding="causal"), nn.ReLU(), Conv1d(3, 2, 3, dilation=4, padding="causal")
    ).eval()


@pytest.mark.parametrize(
    ("net", "layer", "frames", "needed"),
    [
        (Apply(lambda x: x, Conv1d(2, 2, 5, padding=2)), "body.0.0 (Conv1d)", 2, 2),
        (nn.Sequential(Conv1d(2, 2, 4, stride=4), Conv1d(2, 2, 3, padding=1)), "1 (Conv1d)", 1, 4),
        (
            nn.Sequential(Conv1d(2, 2, 3, stride=4, padding="causal"), Conv1d(2, 2, 3, padding=1)),
            "1 (Conv1d)", 1, 1,
        ),
        (nn.Sequential(nn.MaxPool1d(3, 2), nn.ReLU()), "0 (MaxPool1d)", 1, 1),
        (ConvTranspose1d(2, 2, 4, stride=2, padding=1), "net (ConvTranspose1d)", 1, 1),
        (Apply(lambda x: x[..., 3:]), "getitem", 3, 3),
        (nn.Sequential(Conv1d(2, 2, 3, padding=((4, 0),), padding_mode="reflect")), "0 (Conv1d)", 4, 4),
    ],
)  # fmt: skip
def test_the_first_layer_that_looks_ahead_is_named_and_how_far(net, layer, frames, needed):
    net.eval()
    with pytest.raises(InputError) as caught:
        stream(net)
    message = str(caught.value)
    plural = "s" if frames > 1 else ""
    assert message.startswith(
        f"latency must be >= {needed} for this net, got 0: {layer} looks {frames} frame{plural} "
    )
    assert f"stream(net, latency={needed})" in message
    if isinstance(net, nn.Sequential) and isinstance(net[0], Conv1d) and net[0].stride == (4,):
        assert "looks 1 frame of its input ahead, 4 samples of the net's;" in message
    assert stream(net, latency=needed).latency == stream(net, latency="any").latency == needed
    if needed > 1:
        with pytest.raises(InputError, match=f">= {needed} .* got {needed - 1}"):
            stream(net, latency=needed - 1)


def test_a_pad_on_the_left_makes_up_for_a_look_ahead():
    assert stream(nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), Conv1d(2, 2, 5)).eval()).latency == 0


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (Conv1d(2, 2, 5, padding="same", stride=2), "net (Conv1d) has padding 'same' with stride 2"),
        (Conv1d(2, 2, 5, padding="same", padding_mode="circular"), "'circular'"),
        (nn.InstanceNorm1d(2), "net (InstanceNorm1d) has no streaming form"),
        (Apply(lambda x: x, nn.GroupNorm(1, 2)), "body.0.0 (GroupNorm)"),
        (nn.BatchNorm1d(2, track_running_stats=False), "mean from the whole"),
        (nn.LayerNorm(8), "takes its mean over time"),
        (nn.Linear(8, 2), "is time"),
        (nn.LSTM(8, 2), "net (LSTM) has no streaming form"),
        (nn.AdaptiveAvgPool1d(4), "cuts the whole into 4 parts"),
        (nn.MaxPool1d(2, return_indices=True), "returns indices"),
        (nn.Upsample(scale_factor=2, mode="linear"), "mixes frames"),
        (_hooked(), "has hooks"),
        (nn.Softmax(-1), "all of time"),
        (Apply(lambda x: x.softmax(-1)), "softmax takes all of time"),
        (Apply(lambda x: x.flip(-1)), "flip has no streaming form"),
        (Apply(lambda x: x.flip(-1), Conv1d(2, 2, 1)), "flip has no streaming form"),
        (Apply(lambda x: x * x.mean(-1, keepdim=True)), "mul joins frames with what was pooled"),
        (Apply(lambda x: torch.cat([x, x], -1)), "cat joins signals one behind the other"),
        (Apply(lambda x: x + functional.max_pool1d(x, 2)), "add joins branches of 1 and 2 samples a frame"),
        (Apply(lambda x: x + torch.ones(2, 9)), "add has a constant with 9 values along time"),
        (Apply(lambda x: x.mean()), "mean mixes the rows of a batch"),
        (Apply(lambda x: x.flatten(1)), "flatten folds time"),
        (Apply(lambda x: x[..., 0]), "getitem takes frame 0"),
        (Apply(lambda x: x[..., -4:]), "getitem cuts time by [-4:None:None]"),
        (Apply(lambda x: x[..., :4]), "getitem cuts time by [None:4:None]"),
        (Apply(lambda x: x / x.shape[-1]), "getitem asks for the length"),
        (Apply(lambda x: x.chunk(2, 2)[0]), "chunk cuts time"),
        (Apply(lambda x: x.relu_()), "relu_ has no streaming form"),
        (Apply(lambda x: x @ x.transpose(1, 2)), "matmul multiplies two streams"),
        (Apply(lambda x: x if x.sum() > 0 else -x), "net must be traceable"),
        (Apply(lambda x: torch.ones(3)), "net must return tensors that depend on its input"),
        (Conv2d(2, 2, 3, padding=((1, 1), (2, 0)), padding_mode="circular"), "'circular'"),
        (nn.Sequential(Conv1d(2, 2, 1), Conv2d(2, 2, 1)), "1 (Conv2d) must get 4 axes, got 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_streamed_is_named(net, words):
    with pytest.raises(InputError) as caught:
        stream(net.eval(), latency="any")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value), "a cure"


def test_a_net_in_training_mode_is_refused():
    net = _causal().train()
    with pytest.raises(InputError, match=r"net must be in eval mode, got training mode; call net.eval\(\)"):
        stream(net)
    net.eval()[2].train()
    with pytest.raises(InputError, match="training mode at 2"):
        stream(net)


@pytest.mark.parametrize("latency", [-1, 1.5, "all", True, None])
def test_a_wrong_latency_is_refused(latency):
    with pytest.raises(InputError, match="latency must be an int >= 0"):
        stream(_causal(), latency=latency)


def test_what_is_no_net_is_refused():
    with pytest.raises(InputTypeError, match=r"net must be a torch.nn.Module, got function"):
        stream(lambda x: x)


BAD = [
    (np.zeros((1, 2, 5)), "chunk must be float32, as the net is, got float64"),
    (torch.zeros(1, 2, 5, dtype=torch.float16), "got float16"),
    (np.zeros((1, 2, 5), np.int16), "got int16"),
    (np.zeros((1, 2, 5), ">f4"), "native byte order"),
    (np.array([["a"]]), "numbers"),
    ([[1.0, 2.0]], "chunk must be a NumPy array or a torch tensor, got list"),
    (None, "got NoneType"),
    (np.ma.masked_array(np.zeros((1, 2, 5), np.float32)), "got a masked array"),
    (torch.zeros(1, 2, 5).to_sparse(), "got a tensor of layout torch.sparse_coo"),
    (torch.zeros(2, 5), r"chunk must be \(B, C, T\), got shape \(2, 5\)"),
    (torch.zeros(1, 3, 5), r"3"),
    (torch.zeros(1, 2, 3, 5), r"chunk must be \(B, C, T\)"),
]


@pytest.mark.parametrize(("chunk", "words"), BAD, ids=range(len(BAD)))
def test_a_bad_chunk_says_why_and_nothing_is_lost(chunk, words):
    net = _causal()
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 30)).astype(np.float32))
    s = stream(net, sample_rate=8000)
    outs = []
    for a in (0, 10, 20):
        with pytest.raises(ConvKitError, match=words) as caught:
            s.push(chunk)
        assert "\n" not in str(caught.value)
        outs.append(s.push(x[..., a : a + 10]))
    outs.append(s.flush())
    torch.testing.assert_close(torch.cat(outs, -1), net(x).detach(), rtol=1e-5, atol=1e-6)


def test_another_batch_or_rate_is_refused_and_nothing_is_lost():
    s = stream(_causal(), sample_rate=8000)
    s.push(torch.ones(1, 2, 5), sample_rate=8000)
    before = s.state
    with pytest.raises(InputError, match=r"chunk must be \(1, 2, T\) as the first one, got shape \(3, 2, 5\)"):
        s.push(torch.ones(3, 2, 5))
    with pytest.raises(InputError, match="sample_rate must be the stream's 8000 Hz, got 44100; resample"):
        s.push(torch.ones(1, 2, 5), sample_rate=44100)
    with pytest.raises(InputError, match="sample_rate must be an int >= 1"):
        s.push(torch.ones(1, 2, 5), sample_rate="fast")
    assert all(torch.equal(before[k], v) for k, v in s.state.items())


def test_the_first_rate_given_holds_and_a_front_end_knows_its_own():
    s = stream(_causal())
    s.push(torch.ones(1, 2, 5), sample_rate=8000)
    with pytest.raises(InputError, match="8000 Hz"):
        s.push(torch.ones(1, 2, 5), sample_rate=16000)
    net = nn.Sequential(Raw(16000), FilterBankCNN(1, 2, width=2, n_filters=2)).eval()
    with pytest.raises(InputError, match="sample_rate must be the front-end's 16000 Hz, got 8000"):
        stream(net, latency="any", sample_rate=8000)
    with pytest.raises(InputError, match="sample_rate must be the stream's 16000 Hz, got 8000"):
        stream(net, latency="any").push(torch.zeros(1, 50), sample_rate=8000)


def test_a_chunk_that_only_torch_finds_wrong_becomes_one_line():
    net = Apply(lambda x: x * torch.ones(3, 1)).eval()
    s = stream(net)
    with pytest.raises(InputError, match=r"chunk must fit the net, got shape \(1, 2, 5\)"):
        s.push(torch.ones(1, 2, 5))
    assert s.push(torch.ones(1, 3, 5)).shape == (1, 3, 5)


def test_nothing_comes_after_the_flush_until_reset():
    s = stream(_causal())
    with pytest.raises(InputError, match=r"flush must come after push, got no chunk yet"):
        s.flush()
    s.push(torch.ones(1, 2, 5))
    s.flush()
    with pytest.raises(InputError, match=r"push must come before flush; call reset\(\)"):
        s.push(torch.ones(1, 2, 5))
    with pytest.raises(InputError, match="flush must come once"):
        s.flush()
    s.reset()
    assert s.push(torch.ones(1, 2, 5)).shape[-1] == 5


def test_a_signal_shorter_than_the_kernel_may_go_on_after_the_refused_flush():
    net = nn.Sequential(Conv1d(2, 3, 6)).eval()
    s, x = stream(net, latency="any"), torch.randn(1, 2, 8, generator=torch.Generator().manual_seed(0))
    s.push(x[..., :4])
    with pytest.raises(
        InputError, match=r"0 \(Conv1d\) must hear at least 6 frames, got 4; push more before flush"
    ):
        s.flush()
    out = s.push(x[..., 4:])
    torch.testing.assert_close(torch.cat([out, s.flush()], -1), net(x).detach())


def test_branches_of_different_length_are_found_at_the_flush():
    s = stream(Apply(lambda x: x + x[..., 2:]).eval(), latency="any")
    s.push(torch.ones(1, 2, 9))
    with pytest.raises(InputError, match="add must get branches of one length, got a difference of 2"):
        s.flush()
