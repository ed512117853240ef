"""Filters: scipy's frequency response, and samples and log-mels that agree."""

import numpy as np
import pytest
import torch
from scipy import signal

from conv1d_kit.audio.augment_filter import FILTERS, filter_taps, filtering
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw

RATE = 16000


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _response(kind, n=50, most_db=9.0):
    """Gain in dB (n, bins) by scipy, and the frequencies."""
    taps = filter_taps(n, RATE, _generator(), kinds=[kind], most_db=most_db).numpy()
    hz = signal.freqz(taps[0], worN=2048, fs=RATE)[0]
    return 20 * np.log10(np.abs([signal.freqz(h, worN=2048)[1] for h in taps]) + 1e-6), hz


def test_low_and_high_passes_pass_and_stop():
    low, hz = _response("low_pass")
    assert np.abs(low[:, hz < 100]).max() < 1.5
    assert (low[:, -20:].max(1) < -5).all()
    assert low[:, -20:].min() < -50
    corners = [hz[np.flatnonzero(row < -3)[0]] for row in low]
    assert 0.03 * RATE / 2 < min(corners) < 0.1 * RATE / 2
    assert 0.5 * RATE / 2 < max(corners) < 0.75 * RATE / 2
    high, hz = _response("high_pass")
    assert np.abs(high[:, hz > 4000]).max() < 1.5
    assert np.median(high[:, 0]) < -20


def test_a_band_stop_has_one_notch_and_an_equaliser_its_bounds():
    notch, _ = _response("band_stop")
    assert (notch.min(1) < -8).all()
    assert (notch.max(1) < 1).all()
    assert np.median(notch.min(1)) < -20
    equalized, _ = _response("equalize", most_db=6.0)
    assert np.abs(equalized).max() < 18.5
    assert np.abs(equalized).max(1).mean() > 2


def test_samples_are_filtered_without_delay_as_numpy_does():
    x = torch.randn(2, 1, 4000, generator=_generator(1), dtype=torch.float64)
    x[1, :, 900:] = 0
    batch = Batch(x, torch.tensor([4000, 900]), torch.eye(2))
    y = filtering(batch, Raw(RATE), _generator(3), share=1.0).x
    g = _generator(3)
    torch.rand(2, generator=g)
    taps = filter_taps(2, RATE, g, kinds=list(FILTERS), most_db=9.0).numpy()
    for old, new, h, n in zip(x[:, 0].numpy(), y[:, 0].numpy(), taps, (4000, 900), strict=True):
        half = len(h) // 2
        np.testing.assert_allclose(new[:n], np.convolve(old[:n], h)[half : half + n], atol=1e-9)
        assert not new[n:].any()


@pytest.mark.parametrize("kind", sorted(FILTERS))
def test_log_mels_are_filtered_as_samples_are(kind):
    """White noise: filtered and then seen by the front-end, or the other way round."""
    frontend, n = LogMel(RATE, 40), 4 * RATE
    x = torch.randn(8, n, generator=_generator(2))
    raw = Batch(x[:, None], torch.full((8,), n), torch.eye(8))
    heard = frontend(filtering(raw, Raw(RATE), _generator(5), kinds=[kind], share=1.0).x[:, 0])
    mels = Batch(frontend(x), frontend.lengths(raw.lengths), raw.targets)
    direct = filtering(mels, frontend, _generator(5), kinds=[kind], share=1.0).x
    a, b = (10 * part.exp().mean(2).log10() for part in (heard, direct))
    audible = b > b.amax(1, keepdim=True) - 25
    assert audible.float().mean() > 0.4
    assert (a - b)[audible].abs().max() < 1.0


def test_a_tone_has_the_same_level_by_both_ways():
    frontend = LogMel(RATE, 40)
    tone = torch.sin(2 * torch.pi * 1500 * torch.arange(RATE) / RATE)
    raw = Batch(tone[None, None].expand(6, 1, -1), torch.full((6,), RATE), torch.eye(6))
    heard = frontend(filtering(raw, Raw(RATE), _generator(1), kinds=["equalize"], share=1.0).x[:, 0])
    mels = Batch(frontend(raw.x[:, 0]), frontend.lengths(raw.lengths), raw.targets)
    direct = filtering(mels, frontend, _generator(1), kinds=["equalize"], share=1.0).x
    gap = (heard[:, :, 5:-5].amax(1) - direct[:, :, 5:-5].amax(1)) * 10 / np.log(10)
    assert gap.abs().max() < 1.0
