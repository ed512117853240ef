"""Gain and polarity: decibels where they belong."""

import math

import torch

from conv1d_kit.audio.augment_level import gain, polarity
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_gain_adds_decibels_to_logs_and_multiplies_samples():
    x = torch.randn(4, 1, 50, generator=_generator())
    batch = Batch(x, torch.full((4,), 50), torch.eye(4))
    shift = gain(batch._replace(x=x.expand(4, 20, 50)), LogMel(8000, 20), _generator(3)).x - x
    factor = gain(batch, Raw(8000), _generator(3)).x[:, 0, 0] / x[:, 0, 0]
    torch.testing.assert_close(20 * factor.log10(), shift[:, 0, 0] * 10 / math.log(10), atol=1e-3, rtol=1e-3)
    assert shift.abs().max() <= 6 * math.log(10) / 10 + 1e-6


def test_gain_reaches_both_ends_of_its_range():
    batch = Batch(torch.ones(2000, 1, 1), torch.ones(2000, dtype=torch.long), torch.ones(2000, 1))
    db = 20 * gain(batch, Raw(8000), _generator(), most_db=12).x.log10()
    assert -12 <= db.min() < -11.9
    assert 11.9 < db.max() <= 12 + 1e-4
    assert abs(float(db.mean())) < 0.5


def test_polarity_turns_a_share_of_the_rows():
    batch = Batch(torch.ones(2000, 1, 3), torch.full((2000,), 3), torch.ones(2000, 1))
    y = polarity(batch, Raw(8000), _generator(), share=0.25).x
    assert torch.equal(y.abs(), batch.x)
    assert abs(float((y[:, 0, 0] < 0).float().mean()) - 0.25) < 0.03
