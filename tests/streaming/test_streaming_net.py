"""A stream gives what its net gives for the whole, however the whole is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from conv1d_kit import Conv1d, Conv2d, ConvTranspose1d, NetStream, stream
from conv1d_kit.audio.filterbank import FilterBankCNN
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.audio.nets import SpectrogramCNN, WaveCNN
from conv1d_kit.core.conv import conv, depthwise_conv
from conv1d_kit.core.pooling import POOLINGS, pool
from conv1d_kit.core.transpose import conv_transpose
from conv1d_kit.text.nets import NetOptions, TextCNN


class Gated(nn.Module):
    """A residual block of WaveNet: dilated, gated, with a skip."""

    def __init__(self, n: int, dilation: int):
        super().__init__()
        self.conv = Conv1d(n, 2 * n, 3, padding="causal", dilation=dilation)
        self.mix = Conv1d(n, n, 1)

    def forward(self, x):
        a, b = self.conv(x).chunk(2, 1)
        return x + self.mix(a.tanh() * b.sigmoid())


class Chomp(nn.Module):
    """Bai et al.'s temporal block: both sides padded, the right side cut off again."""

    def __init__(self, n: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv1d(n, n, 3, padding=2 * dilation, dilation=dilation)
        self.cut = 2 * dilation

    def forward(self, x):
        return functional.relu(self.conv(x)[:, :, : -self.cut] + x)


class Residual(nn.Module):
    """Branches of different delay, added and concatenated."""

    def __init__(self):
        super().__init__()
        self.a, self.b = Conv1d(2, 3, 5, padding="same"), Conv1d(2, 3, 9, padding=((0, 8),))

    def forward(self, x):
        return torch.cat([self.a(x) + self.b(x), x], 1)


class Heard(nn.Module):
    """A function as a net."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.Sequential(*layers)

    def forward(self, x):
        return self.function(self.layers(x))


class Subclassed(Conv1d):
    """A user's own causal layer: pads, then the layer's own forward."""

    def forward(self, x):
        return super().forward(functional.pad(x, (self.kernel_size[0] - 1, 0)))


class Channels(nn.Module):
    """Layer norm and a dense layer over channels, between two transposes, as in ConvNeXt."""

    def __init__(self):
        super().__init__()
        self.norm, self.dense = nn.LayerNorm(2), nn.Linear(2, 4)
        self.conv = Conv1d(4, 2, 4, padding="causal", groups=2)

    def forward(self, x):
        y = self.dense(self.norm(x.transpose(1, 2))).permute(0, 2, 1)
        return self.conv(functional.gelu(y)) * 0.5 + x


class Picture(nn.Module):
    """Frames seen as a picture, 2-D layers, and frames again."""

    def __init__(self):
        super().__init__()
        self.conv = Conv2d(1, 3, (3, 4), stride=(2, 1), padding=((1, 1), (3, 0)))

    def forward(self, x):
        y = functional.max_pool2d(self.conv(x[:, None]).relu(), (1, 2))
        return y.flatten(1, 2).mean(1, keepdim=True)


WEIGHT = torch.linspace(-1, 1, 10).view(1, 2, 5)
# name → net (a function), input shape before time; all give frames
FRAMES = {
    "one layer": (lambda: Conv1d(2, 3, 5, padding="causal"), (2,)),
    "dilated residual TCN": (lambda: nn.Sequential(*(Gated(2, d) for d in (1, 2, 4))), (2,)),
    "chomped TCN": (lambda: nn.Sequential(*(Chomp(2, d) for d in (1, 2, 4))), (2,)),
    "strided": (
        lambda: nn.Sequential(
            Conv1d(2, 4, 8, stride=4, padding=((4, 0),)), nn.ReLU(), Conv1d(4, 4, 3, padding="causal"),
            nn.MaxPool1d(2), Conv1d(4, 3, 2, stride=3, dilation=2, padding="causal"),
        ), (2,),
    ),
    "stride beyond the kernel": (lambda: Conv1d(2, 3, 2, stride=5), (2,)),
    "valid and full": (lambda: nn.Sequential(Conv1d(2, 3, 4), Conv1d(3, 2, 6, padding="full")), (2,)),
    "same, even": (
        lambda: nn.Sequential(Conv1d(2, 3, 4, padding="same"), Conv1d(3, 3, 6, padding="same_lower")), (2,),
    ),
    "anticausal": (lambda: Conv1d(2, 3, 4, padding="anticausal", stride=2), (2,)),
    "replicate": (lambda: Conv1d(2, 3, 7, padding=((9, 3),), stride=2, padding_mode="replicate"), (2,)),
    "reflect": (lambda: Conv1d(2, 3, 7, padding=((3, 5),), stride=2, padding_mode="reflect"), (2,)),
    "symmetric": (lambda: Conv1d(2, 3, 7, padding=((12, 10),), padding_mode="symmetric"), (2,)),
    "constant": (lambda: Conv1d(2, 3, 7, padding=((4, 5),), padding_mode=1.5), (2,)),
    "torch's own layers": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, padding="same"), nn.BatchNorm1d(4), nn.PReLU(4),
            nn.Conv1d(4, 2, 3, padding=1, padding_mode="reflect"), nn.GLU(1),
        ), (2,),
    ),
    "transposed": (
        lambda: nn.Sequential(
            ConvTranspose1d(2, 3, 4, stride=2, padding=1), nn.ELU(),
            ConvTranspose1d(3, 2, 2, stride=3, padding=1, output_padding=2, dilation=2),
            ConvTranspose1d(2, 2, 2, stride=2, padding=1), Conv1d(2, 1, 5, stride=2, padding="causal"),
        ), (2,),
    ),
    "residual of different delay": (Residual, (2,)),
    "channels": (Channels, (2,)),
    "picture": (Picture, (5,)),
    "subclass": (lambda: Subclassed(2, 3, 4), (2,)),
    "2-D": (
        lambda: nn.Sequential(
            Conv2d(2, 3, 3, padding=1, padding_mode="replicate"), nn.BatchNorm2d(3),
            nn.AvgPool2d((2, 3), (2, 2), 1),
            Conv2d(3, 1, (2, 4), padding=((0, 1), (2, 3)), dilation=(1, 2), stride=(1, 2)),
        ), (2, 6),
    ),
    "pads": (
        lambda: nn.Sequential(nn.ReflectionPad1d((2, 3)), nn.ConstantPad1d((4, 0), 2.0), nn.Conv1d(2, 2, 4)),
        (2,),
    ),
    "crop and skip": (lambda: Heard(lambda x: x[..., 3:][:, 1:, ::3]), (2,)),
    "crop more than comes late": (lambda: Heard(lambda x: x[..., :-3].square() + 1), (2,)),
    "functions over channels": (
        lambda: Heard(lambda x: functional.linear(
            functional.layer_norm(x.transpose(1, 2), (2,), eps=1e-3), WEIGHT[0].T
        ).swapaxes(1, 2)), (2,),
    ),
    "no pads to copy into": (lambda: Conv1d(2, 3, 3, padding_mode="circular"), (2,)),
    "functions of one kernel": (
        lambda: Heard(lambda x: functional.conv_transpose1d(
            conv_transpose(depthwise_conv(x, WEIGHT[0], padding="full"), WEIGHT.reshape(2, 1, 5), stride=2),
            WEIGHT[:, :1], stride=3, padding=2,
        )), (2,),
    ),
    "function": (lambda: Heard(lambda x: conv(x, WEIGHT, padding=((4, 0),), flip=True)), (2,)),
    "stack and softmax": (
        lambda: Heard(lambda x: torch.stack([x, x.relu()], 1).softmax(1)[:, 0].unsqueeze(2).squeeze(2)), (2,),
    ),
    "matmul and log": (lambda: Heard(lambda x: torch.log((WEIGHT[0].T @ x).abs() + 1).clamp(max=1.0)), (2,)),
    "frames repeated": (
        lambda: nn.Sequential(
            Conv1d(2, 3, 4, stride=2), nn.Upsample(scale_factor=3), Conv1d(3, 2, 5, stride=2)
        ), (2,),
    ),
    "what every chunk says alike": (
        lambda: Heard(lambda x: (x + torch.ones(1, dtype=x.dtype)) / x.shape[1] + x.size(0) * x[:, :1]), (2,),
    ),
    "samples": (lambda: LogMel(8000, 8, n_fft=32, hop_length=9), ()),
}  # fmt: skip
# nets that end in what they heard so far
POOLED = {
    "mean over time": (lambda: Heard(lambda x: x.mean(-1), Conv1d(2, 3, 3, padding="causal")), (2,)),
    "adaptive": (
        lambda: nn.Sequential(
            Conv1d(2, 3, 3, padding="causal"), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(3, 4), nn.Softmax(-1),
        ), (2,),
    ),
    "adaptive 2-D maximum": (
        lambda: nn.Sequential(Conv2d(2, 3, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten()), (2, 4),
    ),
    "both axes": (lambda: Heard(lambda x: x.mean((1, 2)) - x.amin((1, 2)) + x.sum(2).amax(1)), (2,)),
    "newest frame": (lambda: Heard(lambda x: x[:, :, -1], Conv1d(2, 3, 3, padding="causal")), (2,)),
    **{
        kind: (lambda kind=kind: Heard(lambda x: pool(x, kind=kind), Conv1d(2, 3, 3, padding="causal")), (2,))
        for kind in POOLINGS
    },
    "SpectrogramCNN": (lambda: SpectrogramCNN(6, 3, width=4), (6,)),
    "WaveCNN": (lambda: WaveCNN(1, 3, width=4, n_filters=6), (1,)),
    "FilterBankCNN": (lambda: FilterBankCNN(1, 3, width=4, n_filters=6), (1,)),
    "log mel and net": (
        lambda: nn.Sequential(LogMel(8000, 6, n_fft=64, hop_length=16), SpectrogramCNN(6, 3, width=4)), (),
    ),
    "waveform and filters": (lambda: nn.Sequential(Raw(8000), FilterBankCNN(1, 3, width=4, n_filters=6)), ()),
}  # fmt: skip
NETS = FRAMES | POOLED


def build(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """The net in eval mode, with batch norms as if trained, and its input's shape before time."""
    torch.manual_seed(0)
    make, lead = NETS[name]
    net = make().eval()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.2, 2.0)
    return net, lead


def heard(s: NetStream, x: torch.Tensor, cuts: list[int]) -> tuple[list, torch.Tensor]:
    """Every output of the chunks between the cuts, and that of the flush."""
    edges = [0, *cuts, x.shape[-1]]
    return [s.push(x[..., a:b]) for a, b in pairwise(edges)], s.flush()


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("name", NETS)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_stream_gives_what_the_whole_gives_for_any_split(name, data):
    net, lead = build(name)
    length = data.draw(st.integers(30, 90) if lead != (1,) else st.integers(300, 900))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=8)))
    x = noise(2, *lead, length)
    with torch.no_grad():
        whole = net(x)
    outs, last = heard(stream(net, latency="any"), x, cuts)
    got = torch.cat([*outs, last], -1) if name in FRAMES else last
    assert got.dtype == whole.dtype
    torch.testing.assert_close(got, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FRAMES)
def test_latency_says_when_a_frame_is_ready(name):
    net, lead = build(name)
    s = stream(net, latency="any")
    rate = s._plan.outputs()[0].rate
    n_ready, length = 0, 120
    x = noise(1, *lead, length)
    late = []
    for t in range(length):
        for _ in range(s.push(x[..., t : t + 1]).shape[-1]):
            end = max(int(n_ready * rate), -int(-(n_ready + 1) * rate // 1) - 1)  # the last sample of its own
            late.append(t - end)
            n_ready += 1
    assert n_ready >= 5
    assert max(late) <= s.latency
    if not any(isinstance(m, ConvTranspose1d) for m in net.modules()):  # there the worst path need not exist
        assert max(0, *late) == s.latency


CAUSAL = [
    "one layer",
    "dilated residual TCN",
    "chomped TCN",
    "strided",
    "channels",
    "picture",
    "subclass",
    "function",
]


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_net_streams_without_latency_a_frame_for_each_stride(name):
    net, lead = build(name)
    s = stream(net)
    assert s.latency == 0
    stride = int(s._plan.outputs()[0].rate)
    for _ in range(5):
        assert s.push(noise(1, *lead, 2 * stride)).shape[-1] == 2


@pytest.mark.parametrize("name", ["mean over time", "adaptive", "newest frame", *POOLINGS])
def test_the_logits_so_far_are_those_of_the_prefix_of_a_causal_net(name):
    net, lead = build(name)
    s, x = stream(net), noise(2, *lead, 50)
    for a, b in [(0, 7), (7, 8), (8, 30), (30, 30), (30, 50)]:
        torch.testing.assert_close(s.push(x[..., a:b]), net(x[..., :b]).detach(), rtol=1e-5, atol=1e-5)


POOLS = st.tuples(
    st.sampled_from(["max", "avg"]), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3),
    st.booleans(), st.booleans(), st.booleans(), st.sampled_from([1, 2]),
)  # fmt: skip


@settings(max_examples=100, deadline=None, derandomize=True)
@given(POOLS, st.integers(13, 25), st.lists(st.integers(0, 25), max_size=4))
def test_pools_with_all_options_as_modules_and_functions(options, length, cuts):
    kind, kernel, stride, padding, dilation, ceil_mode, include, function, axes = options
    padding = min(padding, kernel // 2)
    given = (kernel, stride, padding)
    if kind == "max":
        name, kwargs = "max_pool", {"dilation": dilation, "ceil_mode": ceil_mode}
    else:
        name, kwargs = "avg_pool", {"ceil_mode": ceil_mode, "count_include_pad": include}
    if function:
        rule = getattr(functional, f"{name}{axes}d")
        net = Heard(lambda x: rule(x, *given, **kwargs)).eval()
    else:
        net = getattr(nn, f"{kind.title()}Pool{axes}d")(*given, **kwargs).eval()
    x = noise(1, 2, *(11,) * (axes - 1), length)
    outs, last = heard(stream(net, latency="any"), x, sorted(min(c, length) for c in cuts))
    torch.testing.assert_close(torch.cat([*outs, last], -1), net(x), rtol=1e-5, atol=1e-6)


def test_divisor_override_is_kept():
    net = nn.AvgPool2d((2, 3), 2, 1, ceil_mode=True, divisor_override=5).eval()
    x = noise(1, 2, 7, 20)
    outs, last = heard(stream(net, latency="any"), x, [3, 4, 11])
    torch.testing.assert_close(torch.cat([*outs, last], -1), net(x))


def test_a_mean_beside_the_border_keeps_the_digits_of_double():
    net = nn.AvgPool1d(7, 4, 3, count_include_pad=False).double().eval()
    x = noise(1, 2, 30).double()
    outs, last = heard(stream(net, latency="any"), x, [5, 11])
    torch.testing.assert_close(torch.cat([*outs, last], -1), net(x), rtol=1e-14, atol=1e-14)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 25), st.lists(st.integers(0, 25), max_size=5))
def test_a_text_net_hears_its_tokens_one_by_one(length, cuts):
    torch.manual_seed(0)
    net = TextCNN(20, 3, NetOptions(dim=6, filters=4)).eval()
    ids = torch.from_numpy(np.random.default_rng(length).integers(0, 20, (2, length)))
    _, last = heard(stream(net), ids, sorted(min(c, length) for c in cuts))
    torch.testing.assert_close(last, net(ids, torch.full((2,), length)).detach(), rtol=1e-5, atol=1e-5)


def test_numpy_in_numpy_out_and_double_stays_double():
    net = nn.Sequential(Conv1d(2, 3, 4, padding="causal"), nn.ReLU(inplace=True)).double().eval()
    x = np.random.default_rng(0).standard_normal((1, 2, 20))
    x.flags.writeable = False
    s = stream(net)
    parts = [s.push(x[..., ::-1][..., :7]), s.push(x[..., ::-1][..., 7:]), s.flush()]
    assert all(isinstance(p, np.ndarray) and p.dtype == np.float64 for p in parts)
    whole = net(torch.from_numpy(x[..., ::-1].copy())).detach().numpy()
    np.testing.assert_allclose(np.concatenate(parts, -1), whole, atol=1e-12)


def test_a_layer_in_place_leaves_the_chunk_alone():
    x = noise(1, 2, 9)
    before = x.clone()
    stream(nn.Sequential(nn.ReLU(inplace=True), Conv1d(2, 1, 2, padding="causal")).eval()).push(x)
    assert torch.equal(x, before)


def test_what_is_kept_does_not_change_with_the_callers_buffer():
    net, _ = build("residual of different delay")
    s, x, buffer = stream(net, latency="any"), noise(1, 2, 40), torch.empty(1, 2, 8)
    outs = []
    for i in range(5):
        buffer.copy_(x[..., 8 * i : 8 * i + 8])
        outs.append(s.push(buffer).clone())
        buffer.fill_(torch.nan)
    torch.testing.assert_close(torch.cat([*outs, s.flush()], -1), net(x).detach(), rtol=1e-5, atol=1e-5)


def test_reset_begins_another_stream_of_another_batch():
    net, _ = build("dilated residual TCN")
    s, x = stream(net), noise(3, 2, 20)
    s.push(noise(1, 2, 13))
    s.reset()
    outs, last = heard(s, x, [4])
    torch.testing.assert_close(torch.cat([*outs, last], -1), net(x).detach(), rtol=1e-5, atol=1e-5)


def test_memory_does_not_grow_with_the_stream():
    net, _ = build("strided")
    s, sizes = stream(net), []
    for _ in range(20):
        s.push(noise(1, 2, 240))
        sizes.append(sum(t.numel() for t in s.state.values()))
    assert len(set(sizes)) == 1


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_a_net_of_any_number_of_axes_takes_what_comes_first(lead):
    net = Heard(lambda x: x.square().mean(-1)).eval()
    s, x = stream(net), noise(2, *lead, 20)
    torch.testing.assert_close(s.push(x[..., :9]), net(x[..., :9]))
    other = stream(net)
    other.state = s.state
    torch.testing.assert_close(other.push(x[..., 9:]), net(x))


@pytest.mark.parametrize(
    "function",
    [lambda x: x[..., -1], lambda x: x.sum(-1), lambda x: x[..., :-2], lambda x: x[..., :-2] + x[..., 2:]],
)
def test_what_the_caller_writes_in_an_output_is_not_remembered(function):
    s, x = stream(Heard(function).double().eval(), latency="any"), noise(1, 2, 30).double()
    outs = []
    for a in range(0, 30, 5):
        out = s.push(x[..., a : a + 5])
        outs.append(out.clone())
        out.fill_(torch.nan)
    last, whole = s.flush(), function(x)
    torch.testing.assert_close(last if whole.ndim == 2 else torch.cat([*outs, last], -1), whole)


def test_several_outputs_come_as_the_net_gives_them():
    net = Heard(lambda x: {"frames": x + 1, "mean": x.mean(-1)}, Conv1d(2, 3, 3, padding="causal")).eval()
    s, x = stream(net), noise(1, 2, 12)
    got, whole = s.push(x), net(x)
    torch.testing.assert_close(got["frames"], whole["frames"].detach())
    torch.testing.assert_close(got["mean"], whole["mean"].detach())
