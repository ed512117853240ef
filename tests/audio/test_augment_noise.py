"""Noise: the ratio measured over the valid samples, the slope of each colour by Welch's method."""

import numpy as np
import pytest
import torch
from scipy import signal

from conv1d_kit.audio.augment_noise import COLORS, colored_noise, noise
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _tones(lengths=(16000, 9000, 100)):
    t = torch.arange(max(lengths), dtype=torch.float64) / 16000
    x = torch.sin(2 * torch.pi * torch.tensor([300.0, 900.0, 2000.0], dtype=torch.float64)[:, None] * t)
    x = 10.0 ** torch.tensor([0, -1, -3])[:, None] * x
    for row, n in zip(x, lengths, strict=True):
        row[n:] = 0
    return Batch(x[:, None], torch.tensor(lengths), torch.eye(3))


@pytest.mark.parametrize("color", sorted(COLORS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ratio_is_as_asked_to_a_hundredth_of_a_decibel(color, dtype):
    batch = _tones()
    batch = batch._replace(x=batch.x.to(dtype))
    y = noise(batch, Raw(16000), _generator(), snr_db=(12.5, 12.5), colors=(color,), share=1.0)
    for old, new, n in zip(batch.x[:, 0].double(), y.x[:, 0].double(), batch.lengths.tolist(), strict=True):
        added = (new - old)[:n]
        ratio = 10 * float((old[:n].square().sum() / added.square().sum()).log10())
        assert ratio == pytest.approx(12.5, abs=0.01)


def test_ratios_are_drawn_from_the_range_for_each_row():
    x = torch.randn(300, 1, 400, generator=_generator(7))
    y = noise(
        Batch(x, torch.full((300,), 400), torch.ones(300, 1)),
        Raw(8000),
        _generator(),
        snr_db=(5, 30),
        share=1.0,
    )
    ratio = 10 * (x.square().sum((1, 2)) / (y.x - x).square().sum((1, 2))).log10()
    assert 4.99 < ratio.min() < 6
    assert 29 < ratio.max() < 30.01
    assert abs(float(ratio.mean()) - 17.5) < 1.5


@pytest.mark.parametrize(("color", "db_per_octave"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
def test_colours_fall_as_they_should(color, db_per_octave):
    sound = colored_noise(1, 1 << 18, 16000, torch.tensor([COLORS[color]]), _generator())[0].numpy()
    hz, power = signal.welch(sound, 16000, nperseg=4096)
    inside = (hz > 60) & (hz < 7000)
    slope = np.polyfit(np.log2(hz[inside]), 10 * np.log10(power[inside]), 1)[0]
    assert slope == pytest.approx(db_per_octave, abs=0.1)


def test_log_mels_get_powers_of_noise_at_the_ratio():
    frontend = LogMel(16000, 40)
    batch = _tones()
    x = frontend(batch.x[:, 0].float())
    mels = Batch(x, frontend.lengths(batch.lengths), batch.targets)
    y = noise(mels, frontend, _generator(), snr_db=(10, 10), colors=("white",), share=1.0)
    for old, new, n in zip(x.double(), y.x.double(), mels.lengths.tolist(), strict=True):
        added = (new.exp() - old.exp())[:, :n]
        power = (old.exp() - frontend.floor)[:, :n].clamp(min=0)
        assert 10 * float((power.sum() / added.sum()).log10()) == pytest.approx(10, abs=0.1)
        assert torch.equal(old[:, n:], new[:, n:])


def test_white_noise_in_log_mels_is_what_the_front_end_hears():
    """Mean mel powers, noise added as samples or as powers of the front-end: within 1.5 dB."""
    frontend, n = LogMel(16000, 20), 64000
    t = torch.arange(n) / 16000
    sound = 1e-3 * torch.sin(2 * torch.pi * 1000 * t) + 0.1 * torch.randn(n, generator=_generator(4))
    raw = Batch(sound[None, None], torch.tensor([n]), torch.ones(1, 1))
    heard = frontend(noise(raw, Raw(16000), _generator(), snr_db=(0, 0), colors=("white",), share=1.0).x[:, 0])
    mels = Batch(frontend(sound[None]), torch.tensor([1 + n // frontend.hop_length]), torch.ones(1, 1))
    added = noise(mels, frontend, _generator(), snr_db=(0, 0), colors=("white",), share=1.0).x
    gap = 10 * (heard.exp().mean(2) / added.exp().mean(2)).log10()
    assert gap.abs().max() < 1.5


def test_colours_that_are_not_there_are_refused():
    with pytest.raises(InputError, match="white, pink, brown, got 'white'"):
        noise(_tones(), Raw(16000), _generator(), colors="white")
