"""What `audio nets` says of a net: counts by hand, closed forms of its reach, and what its stream waits for."""

import json

import pytest
import torch
from torch import nn

from conv1d_kit import Conv1d, Conv2d
from conv1d_kit.audio.describe import Reach, describe, describe_nets, multiply_adds, reach
from conv1d_kit.audio.filterbank import FilterBankCNN
from conv1d_kit.audio.frontends import FRONTENDS
from conv1d_kit.audio.nets import AUDIO_NETS
from conv1d_kit.cli.main import main
from conv1d_kit.errors import InputError
from conv1d_kit.streaming.net import stream

RATE = 8000


@pytest.fixture(scope="module")
def rows():
    return {row.name: row for row in describe_nets(sample_rate=RATE)}


def test_multiply_adds_are_those_counted_by_hand():
    net = nn.Sequential(
        Conv2d(1, 8, 5, stride=2, padding=2),  # (8, 10, 20) outputs of 25
        nn.BatchNorm2d(8),
        Conv2d(8, 8, 3, padding=1, groups=8),  # of 9
        Conv2d(8, 16, 1),  # (16, 10, 20) of 8
        nn.Flatten(2),  # (16, 200)
        Conv1d(16, 4, 3, dilation=2),  # (4, 196) of 48
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).eval()
    by_hand = 8 * 200 * 25 + 8 * 200 * 9 + 16 * 200 * 8 + 4 * 196 * 48 + 3 * 4
    assert multiply_adds(net, torch.zeros(1, 1, 20, 40)) == by_hand
    assert not any(m._forward_hooks for m in net.modules())


def test_the_filter_bank_of_samples_is_counted_too():
    net = FilterBankCNN(1, 3, n_filters=6, n_taps=32, width=4).eval()
    steps, frames = 1600 // 16 + 9, 1600 // 160  # 9 fill the last frame up
    by_hand = 6 * steps * 32 + 4 * frames * (6 * 5) + 4 * frames * (4 * 5) + 3 * 8
    assert multiply_adds(net, torch.zeros(1, 1, 1600)) == by_hand


@pytest.mark.parametrize(
    "layers",
    [
        [(5, 1, 1, 2)],
        [(5, 2, 1, 2), (3, 1, 4, 4), (3, 3, 1, 0)],
        [(80, 4, 1, 38), "pool", (3, 1, 1, 1), "pool"],
        [(7, 1, 1, 6), (7, 1, 2, 12), (7, 1, 4, 24)],  # causal
    ],
)
def test_the_reach_of_a_stack_is_its_closed_form(layers):
    """r = 1 + Σ (kernel − 1) · dilation · jump; Araujo et al., Receptive Fields (2019), eq. 2."""
    parts, field, jump, start = [], 1, 1, 0
    for layer in layers:
        kernel, stride, dilation, low = (4, 4, 1, 0) if layer == "pool" else layer
        parts.append(
            nn.MaxPool1d(4)
            if layer == "pool"
            else Conv1d(1, 1, kernel, stride=stride, dilation=dilation, padding=((low, kernel * dilation),))
        )
        field, start = field + (kernel - 1) * dilation * jump, start - low * jump
        jump *= stride
    net = nn.Sequential(*parts)
    ahead = max(0, start + field - jump)  # beyond the samples 0 … jump − 1 of frame 0
    assert reach(lambda x: net(x[:, None]), sample_rate=2000) == Reach(jump, field, ahead)


def test_reach_of_a_front_end_alone():
    front = FRONTENDS["log_mel"](RATE, n_mels=8, n_fft=256, hop_length=100)
    assert reach(front, sample_rate=RATE) == Reach(100, 256, 256 - 128 - 100)
    causal = FRONTENDS["log_mel"](RATE, n_mels=8, n_fft=256, hop_length=100, causal=True)
    assert reach(causal, sample_rate=RATE) == Reach(100, 256, 0)


def test_a_net_that_hears_everything_is_refused():
    with pytest.raises(InputError, match="no end in sight"):
        reach(lambda x: x[:, None] + x.mean(), sample_rate=100)


def test_receptive_fields_of_the_table_are_the_closed_forms(rows):
    hop, window = 160, 512  # 20 ms and the power of two nearest to 60 ms at 8 kHz
    frames = {
        "spectrogram": 1 + 4 + 2 + 2 * 4 + 4 + 2 * 8 + 8 + 2 * 16,  # 5/2, pool, 3, pool, 3, pool, 3
        "speech": 1 + 4 + 1 + 2 * 2 + 2 + 2 * 4 + 4 + 2 * 8,  # 5/1, and half as many frames apart behind it
        "residual": 1 + 4 + (2 + 4 * 4) + (4 + 4 * 8) + (8 + 4 * 16),
        "bc_resnet": 1 + 4 + 2 * (2 * 1 + 2 * 2 + 4 * 4 + 4 * 8) + 4,
        "depthwise": 1 + 2 + 6 * (1 + 1 + 2 + 2 + 4 + 4),
        "dilated": 1 + 2 + 2 * 63,
    }
    for name, n in frames.items():
        assert rows[name].receptive_field_ms == pytest.approx(1000 * ((n - 1) * hop + window) / RATE), name
    samples = {
        "wave": 33 + 8 * 4 + 15 * 16 + 256 * (4 + 2 + 2 * 4 + 4 + 2 * 8 + 8 + 2 * 16),
        "m5": 80 + 3 * 4 + 16 * (2 + 3) + 64 * (2 + 3) + 256 * (2 + 3),
        "filterbank": 128 + 9 * 16 + 160 * (4 + 4),
    }
    for name, n in samples.items():
        assert rows[name].receptive_field_ms == pytest.approx(1000 * n / RATE), name


@pytest.mark.parametrize(
    "name", [name for name in AUDIO_NETS if name not in ("bc_resnet", "texture")]
)  # torch.fx cannot trace the one, and the other's statistics are of a whole
def test_look_ahead_is_what_the_stream_waits_for(rows, name):
    row = AUDIO_NETS[name]
    front = FRONTENDS[row.frontend](RATE, **({"causal": True} if row.causal else {}))
    net = nn.Sequential(front, row(front.n_features, 2, width=8)).eval()
    waits = stream(net, latency="any").latency
    assert rows[name].look_ahead_ms == pytest.approx(1000 * waits / RATE)
    assert (waits == 0) == row.causal


def test_weights_are_those_of_the_net(rows):
    for name, row in rows.items():
        n_features = 1 if row.frontend == "raw" else 64
        assert row.weights == sum(p.numel() for p in AUDIO_NETS[name](n_features, 10).parameters())


def test_a_front_end_with_weights_is_counted_with_its_net():
    front = FRONTENDS["learned"](RATE, n_filters=16, hop_length=160)
    net = AUDIO_NETS["depthwise"](16, 2, width=4).eval()
    row = describe(net, front.eval(), duration_s=0.5, name="ours")
    assert (row.name, row.frontend) == ("ours", "learned")
    assert row.weights == sum(p.numel() for p in [*front.parameters(), *net.parameters()])
    frames, steps = 1 + 4000 // 160, 160 // front.energy.stride
    assert row.frontend_multiply_adds == frames * (
        front.kernels().numel() * steps + 16 * front.energy.lowpass.n_taps
    )


def test_the_front_end_of_log_mels_is_counted_as_its_convolution(rows):
    frames, bins = 1 + RATE // 160, 257
    assert rows["spectrogram"].frontend_multiply_adds == frames * (2 * bins * 512 + 64 * bins)
    assert rows["wave"].frontend_multiply_adds == 0


def test_multiply_adds_grow_with_the_clip_and_weights_do_not(rows):
    net = AUDIO_NETS["m5"](1, 10).eval()
    longer = describe(net, FRONTENDS["raw"](RATE), duration_s=2.0)
    assert longer.multiply_adds == pytest.approx(
        2 * rows["m5"].multiply_adds, rel=5e-3
    )  # but for the last pools, rounded up
    assert longer.weights == rows["m5"].weights


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_verb_prints_a_row_a_net(rows, flags, capsys, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "conv1d_kit.audio.describe.describe_nets",
        lambda **options: asked.update(options) or list(rows.values()),
    )
    with pytest.raises(SystemExit) as end:
        main(["audio", "nets", "--sample-rate", "8000", "--n-classes", "4", "--duration", "2.5", *flags])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert asked == {"sample_rate": 8000, "n_classes": 4, "duration_s": 2.5}
    assert all(name in said for name in AUDIO_NETS)
    if flags:
        assert [row["weights"] for row in json.loads(said)["nets"]] == [row.weights for row in rows.values()]


@pytest.mark.parametrize("arguments", [["--duration", "0"], ["--n-classes", "0"], ["--sample-rate", "1"]])
def test_the_verb_refuses_what_makes_no_net(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(["audio", "nets", *arguments])
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
