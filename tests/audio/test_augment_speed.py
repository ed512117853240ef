"""Speed: a tone's frequency and duration, soxr as the oracle of resampling."""

import math

import numpy as np
import pytest
import soxr
import torch

from conv1d_kit.audio.augment_speed import STEPS, drawn_ratios, speed
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.audio.resample import resample


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_speed_moves_a_tone_by_its_factor_in_time_and_pitch():
    """A click at frame 20 of 41 lands at 20 / factor; the tone's row moves up or down with the pitch."""
    frontend = LogMel(8000, 40)
    x = torch.zeros(1, 40, 41)
    x[:, 20, 20] = 1.0
    for seed in range(5):
        y = speed(Batch(x, torch.tensor([41]), torch.eye(1)), frontend, _generator(seed))
        u = torch.rand(2, generator=_generator(seed))
        factor = 1.25 ** (2 * u - 1)
        n = int(y.lengths[0])
        assert n == y.x.shape[2] == pytest.approx(41 / float(factor[0]), abs=3)  # a few sizes only
        place = int(y.x[0].amax(0).argmax())
        assert place == pytest.approx(20 * (n - 1) / 40, abs=1)
        row = int(y.x[0].amax(1).argmax())
        assert (row - 20) * math.log(float(factor[1])) >= -0.2


@pytest.mark.parametrize("each", [True, False])
def test_speed_of_a_waveform_multiplies_frequency_and_divides_duration(each):
    n, rate = 16000, 16000
    t = torch.arange(n, dtype=torch.float64) / rate
    x = torch.sin(2 * torch.pi * 1000 * t).expand(4, 1, n)
    y = speed(Batch(x, torch.full((4,), n), torch.eye(4)), Raw(rate), _generator(1), each=each)
    factors = set()
    for row, length in zip(y.x[:, 0], y.lengths.tolist(), strict=True):
        spectrum = torch.fft.rfft(row[:length] * torch.hann_window(length, dtype=torch.float64), 1 << 20).abs()
        factor = float(spectrum.argmax()) * rate / (1 << 20) / 1000
        assert length == math.ceil(n / (round(factor * STEPS) / STEPS) - 1e-9)
        assert factor * STEPS == pytest.approx(round(factor * STEPS), abs=0.01)
        factors.add(round(factor, 2))
    assert len(factors) == (1 if not each else len(factors))
    assert len(set(y.lengths.tolist())) > 1 or not each


def test_a_row_gives_in_company_what_it_gives_alone():
    g = _generator(3)
    x = torch.randn(2, 1, 3000, generator=g)
    x[1, :, 1000:] = 0
    batch = Batch(x, torch.tensor([3000, 1000]), torch.eye(2))
    y = speed(batch, Raw(8000), _generator(2))
    ratios = drawn_ratios(_generator(2), 2, 1.25)
    alone = resample(x[1, 0, :1000], STEPS, ratios[1])
    torch.testing.assert_close(y.x[1, 0, : len(alone)], alone)
    assert not y.x[1, 0, len(alone) :].any()


def test_factors_stay_within_most_and_reach_it():
    ratios = drawn_ratios(_generator(), 1000, 1.25)
    assert (min(ratios), max(ratios)) == (40, 62)


@pytest.mark.parametrize(("up", "down"), [(50, 41), (50, 47), (5, 6), (50, 62), (4, 5), (2, 1)])
def test_resampling_agrees_with_soxr_where_both_pass(up, down):
    """Noise below 0.8 of the lower Nyquist: −80 dB between both, away from the ends."""
    rng = np.random.default_rng(0)
    n = 1 << 14
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[int(0.8 * min(1, up / down) * n / 2) :] = 0
    x = np.fft.irfft(spectrum)
    got = resample(torch.from_numpy(x), up, down).numpy()
    theirs = soxr.resample(x, down, up, "VHQ")
    assert len(got) == math.ceil(n * up / down)
    size = min(len(got), len(theirs))
    middle = slice(200, size - 200)
    error = np.sqrt(((got[middle] - theirs[middle]) ** 2).mean() / (theirs[middle] ** 2).mean())
    assert 20 * math.log10(error) < -80


def test_what_lies_above_the_new_nyquist_is_gone():
    t = np.arange(8000)
    x = torch.from_numpy(np.sin(np.pi * 0.95 * t))
    y = resample(x, 4, 5)[200:-200]
    assert 20 * math.log10(float(y.abs().max())) < -75
