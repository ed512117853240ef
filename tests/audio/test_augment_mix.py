"""Mixing: the papers' formulae by hand, levels against scipy, librosa and IEC's table."""

import math

import librosa
import numpy as np
import pytest
import torch
from scipy import stats

from conv1d_kit.audio.augment_mix import a_weighting, mix, mixup, sound_level
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw

MEL, RAW = LogMel(8000, 20), Raw(16000)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_mixing_log_mels_adds_their_powers_with_weights_that_sum_to_the_energy():
    """Two steady clips of equal level: the power of the mix is theirs, whatever the ratio."""
    x = torch.full((2, 20, 10), 2.0)
    batch = Batch(x, torch.tensor([10, 10]), torch.eye(2))
    mixed = mix(batch, MEL, _generator(), share=1.0)
    torch.testing.assert_close(mixed.x, x)
    assert ((mixed.targets > 0) & (mixed.targets < 1)).all()


def test_mixing_matches_the_levels_of_loud_and_quiet_clips():
    """Eq. 2 of the paper: where both shares are one half, so are both powers; checked through the shares."""
    loud, quiet = 6.0, -2.0
    x = torch.zeros(2, 20, 10)
    x[0, :10], x[0, 10:] = loud, -9.0  # each clip has half of the bands to itself
    x[1, :10], x[1, 10:] = -9.0, quiet
    mixed = mix(Batch(x, torch.tensor([10, 10]), torch.eye(2)), MEL, _generator(0), share=1.0)
    for row, share in zip(mixed.x, mixed.targets, strict=True):
        power = row.double().exp().mean(1)
        ratio = math.sqrt(float(power[0] / power[-1]))  # amplitude of the loud over that of the quiet
        r = float(share[0])
        assert ratio == pytest.approx(r / (1 - r), rel=0.02)


def test_beyond_the_shorter_clip_the_mix_is_the_longer_one_and_never_below_the_floor():
    x = torch.zeros(2, 20, 10)
    mixed = mix(Batch(x, torch.tensor([10, 3]), torch.eye(2)), MEL, _generator(), share=1.0)
    assert mixed.lengths.tolist() == [10, 10]
    assert mixed.x.min() >= math.log(1e-5) - 1e-5
    assert (mixed.x[:, :, :3] >= mixed.x[:, :, 3:].amax(2, keepdim=True) - 1e-6).all()


def _two_sounds():
    t = torch.arange(16000, dtype=torch.float64) / 16000
    loud = 0.9 * torch.sin(2 * torch.pi * 1000 * t)
    quiet = 0.01 * torch.randn(16000, generator=_generator(9), dtype=torch.float64)
    quiet[9000:] = 0
    return Batch(
        torch.stack([loud, quiet])[:, None], torch.tensor([16000, 9000]), torch.eye(2, dtype=torch.float64)
    )


@pytest.mark.parametrize("level", ["a", "rms"])
def test_mixing_waveforms_is_equation_2_by_hand(level):
    batch = _two_sounds()
    one, two = batch.x[:, 0].numpy()
    if level == "rms":
        g1, g2 = 20 * np.log10(np.sqrt((one**2).mean())), 20 * np.log10(np.sqrt((two[:9000] ** 2).mean()))
    else:
        g1, g2 = sound_level(batch.x[:, 0], batch.lengths, 16000).tolist()
    mixed = mix(batch, RAW, _generator(2), share=1.0, level=level)
    for row, (share, _), is_first in zip(
        mixed.x[:, 0].numpy(), mixed.targets.tolist(), (True, False), strict=True
    ):
        r, (x1, x2), gap = (share, (one, two), g1 - g2) if is_first else (1 - share, (two, one), g2 - g1)
        p = 1 / (1 + 10 ** (gap / 20) * (1 - r) / r)
        np.testing.assert_allclose(row, (p * x1 + (1 - p) * x2) / math.sqrt(p**2 + (1 - p) ** 2), atol=1e-9)
        assert 0 < share < 1
    assert mixed.lengths.tolist() == [16000, 16000]


def test_the_level_is_the_loudest_a_weighted_window():
    """Against librosa's frames and weighting; 1 kHz of full scale is −3 dB, as its mean square is."""
    x = _two_sounds().x[:, 0]
    got = sound_level(x, torch.tensor([16000, 9000]), 16000)
    assert float(got[0]) == pytest.approx(20 * math.log10(0.9) - 3.01, abs=0.02)
    window = np.hanning(2049)[:-1]
    frames = (
        librosa.util.frame(np.pad(x[1].numpy(), 1024), frame_length=2048, hop_length=1024) * window[:, None]
    )
    power = np.abs(np.fft.rfft(frames, axis=0)) ** 2
    weight = librosa.db_to_power(librosa.A_weighting(np.fft.rfftfreq(2048, 1 / 16000)[1:], min_db=None))
    level = 10 * np.log10(2 * (weight[:, None] * power[1:]).sum(0).max() / (2048 * (window**2).sum()))
    assert float(got[1]) == pytest.approx(level, abs=1e-3)


def test_a_weighting_is_the_standards_table():
    hz = 10 ** torch.arange(1.5, 4, 0.3)  # octaves as the standard has them: 31.6, 63.1, … 7943 Hz
    table = torch.tensor([-39.4, -26.2, -16.1, -8.6, -3.2, 0.0, 1.2, 1.0, -1.1])
    torch.testing.assert_close(a_weighting(hz), table, atol=0.1, rtol=0)


@pytest.mark.parametrize("mixing", [mix, mixup])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_rows_is_mixed_and_the_rest_left_whole(mixing, share):
    x = torch.randn(400, 1, 64, generator=_generator())
    lengths = torch.randint(1, 65, (400,), generator=_generator(1))
    for row, n in zip(x, lengths.tolist(), strict=True):
        row[:, n:] = 0
    batch = Batch(x, lengths, torch.eye(8)[torch.arange(400) % 8])
    options = {} if mixing is mix else {"alpha": 2.0}
    y = mixing(batch, RAW, _generator(), share=share, **options)
    whole = (y.x == x).all(2)[:, 0]
    assert abs(float(whole.float().mean()) - (1 - share)) < 0.08
    assert torch.equal(y.lengths[whole], lengths[whole])
    assert torch.equal(y.targets[whole], batch.targets[whole])


def test_partners_are_of_another_class():
    batch = Batch(
        torch.randn(64, 1, 9, generator=_generator()), torch.full((64,), 9), torch.eye(8).repeat(8, 1)
    )
    same = (mix(batch, RAW, _generator(), share=1.0).targets.amax(1) == 1).float().mean()
    assert same < 0.03


def test_a_silent_clip_is_not_mixed():
    x = torch.zeros(2, 1, 100)
    x[0] = 0.1
    batch = Batch(x, torch.full((2,), 100), torch.eye(2))
    y = mix(batch, RAW, _generator(), share=1.0)
    assert torch.equal(y.x, x)
    assert torch.equal(y.targets, batch.targets)


def test_mixup_weights_follow_beta_and_mix_features_as_targets():
    x = torch.eye(2)[torch.arange(4000) % 2][:, None]  # (B, 1, 2): the features are the targets
    batch = Batch(x, torch.full((4000,), 2), x[:, 0].clone())
    y = mixup(batch, RAW, _generator(), alpha=0.4)
    torch.testing.assert_close(y.x[:, 0], y.targets)
    own = (y.targets * batch.targets).sum(1)
    weights = own[(own > 0) & (own < 1)].double().numpy()
    assert stats.kstest(weights, stats.beta(0.4, 0.4).cdf).pvalue > 0.01


def test_mixup_of_log_mels_hears_silence_beyond_the_shorter_clip():
    x = torch.ones(2, 20, 10)
    y = mixup(Batch(x, torch.tensor([10, 3]), torch.eye(2)), MEL, _generator(1), alpha=1.0)
    assert y.lengths.tolist() == [10, 10]
    for row, share in zip(y.x, y.targets, strict=True):
        torch.testing.assert_close(row[:, 3:], (share[0] + share[1] * math.log(1e-5)).expand(20, 7))
