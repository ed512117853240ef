"""Pitch: tones go from f to f·r and stay as long and as loud as they were."""

import numpy as np
import pytest
import torch

from conv1d_kit.audio.augment_pitch import pitch, stretch
from conv1d_kit.audio.augment_speed import STEPS, drawn_ratios
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw

RATE = 16000


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _peak_hz(x):
    x = x.double()
    return (
        float(torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), 1 << 20).abs().argmax())
        * RATE
        / (1 << 20)
    )


@pytest.mark.parametrize("hz", [220.0, 1000.0, 3000.0])
def test_a_tone_moves_by_the_factor_and_keeps_duration_and_level(hz):
    n = 2 * RATE
    tone = 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(n) / RATE)
    batch = Batch(tone.expand(4, 1, n), torch.full((4,), n), torch.eye(4))
    y = pitch(batch, Raw(RATE), _generator(2), most=1.25, share=1.0)
    g = _generator(2)
    torch.rand(4, 1, 1, generator=g)
    assert y.x.shape == batch.x.shape
    for row, ratio in zip(y.x[:, 0], drawn_ratios(g, 4, 1.25), strict=True):
        assert _peak_hz(row) == pytest.approx(hz * ratio / STEPS, rel=1e-3)
        middle = row[RATE // 4 : -RATE // 4]
        assert float(middle.square().mean().sqrt()) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
        assert float(row[-800:].square().mean().sqrt()) > 0.2  # to the end


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3, 2.0])
def test_stretching_keeps_the_pitch_and_moves_events(factor):
    t = torch.arange(RATE, dtype=torch.float64) / RATE
    y = stretch(torch.sin(2 * torch.pi * 500 * t) * (t > 0.5), factor, RATE)
    assert len(y) == int(np.ceil(RATE * factor - 1e-9))
    assert _peak_hz(y) == pytest.approx(500, abs=1)
    envelope = y.abs().unfold(0, 160, 160).amax(1)
    onset = int((envelope > 0.5).nonzero()[0]) * 160 / RATE
    assert onset == pytest.approx(0.5 * factor, abs=0.04)


def test_two_tones_stay_two_and_noise_stays_as_loud():
    t = torch.arange(RATE, dtype=torch.float64) / RATE
    two = torch.sin(2 * torch.pi * 400 * t) + torch.sin(2 * torch.pi * 1700 * t)
    spectrum = torch.fft.rfft(stretch(two, 1.2, RATE)[:RATE]).abs()
    assert sorted(spectrum.topk(2).indices.tolist()) == [400, 1700]
    hiss = torch.randn(RATE, generator=_generator())
    batch = Batch(hiss[None, None], torch.tensor([RATE]), torch.ones(1, 1))
    y = pitch(batch, Raw(RATE), _generator(1), share=1.0).x
    assert not torch.allclose(y, batch.x, atol=0.1)
    assert float(y.std() / hiss.std()) == pytest.approx(1, abs=0.01)


def test_a_stretch_by_one_is_the_sound_itself():
    x = torch.randn(5000, generator=_generator(), dtype=torch.float64)
    torch.testing.assert_close(stretch(x, 1.0, RATE), x, atol=1e-9, rtol=0)


def test_log_mels_move_their_rows_and_keep_their_frames():
    frontend = LogMel(RATE, 64)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)
    x = frontend(tone.expand(6, -1))
    batch = Batch(x, torch.full((6,), x.shape[2]), torch.eye(6))
    y = pitch(batch, frontend, _generator(1), most=1.25, share=1.0)
    g = _generator(1)
    torch.rand(6, 1, 1, generator=g)
    factors = 1.25 ** (2 * torch.rand(6, generator=g) - 1)
    for row, factor in zip(y.x, factors.tolist(), strict=True):
        expected = frontend(torch.sin(2 * torch.pi * 1000 * factor * torch.arange(RATE) / RATE)[None])[0]
        assert abs(int(row.mean(1).argmax()) - int(expected.mean(1).argmax())) <= 1
    assert y.x.shape == x.shape
