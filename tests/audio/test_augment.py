"""Augmentations: only the generator decides, lengths stay true, mixing adds powers."""

import math

import pytest
import torch

from conv1d_kit.audio.augment import AUGMENTS, Batch, augment, gain, masks, mix, roll, speed
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _batch(n_features, lengths=(30, 12, 1, 30)):
    g = _generator(5)
    x = torch.randn(len(lengths), n_features, max(lengths), generator=g)
    lengths = torch.tensor(lengths)
    for row, n in zip(x, lengths, strict=True):
        row[:, n:] = 0
    return Batch(x, lengths, torch.eye(4)[torch.arange(len(lengths)) % 4])


FRONT = {"log_mel": LogMel(8000, 20), "raw": Raw(8000)}


@pytest.mark.parametrize("kind", sorted(FRONT))
@pytest.mark.parametrize("name", sorted(AUGMENTS))
def test_each_augmentation_repeats_for_a_seed_and_leaves_its_input_alone(name, kind):
    batch = _batch(FRONT[kind].n_features)
    before = batch.x.clone()
    a = AUGMENTS[name](batch, FRONT[kind], _generator(1))
    b = AUGMENTS[name](batch, FRONT[kind], _generator(1))
    c = AUGMENTS[name](batch, FRONT[kind], _generator(2))
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.lengths, b.lengths)
    assert a.x.shape != c.x.shape or not torch.equal(a.x, c.x)
    assert torch.equal(batch.x, before)
    assert torch.isfinite(a.x).all()
    assert int(a.lengths.max()) <= a.x.shape[2]
    torch.testing.assert_close(a.targets.sum(1), torch.ones(4))


def test_roll_only_turns_the_valid_part():
    batch = _batch(3)
    y = roll(batch, FRONT["log_mel"], _generator()).x
    for old, new, n in zip(batch.x, y, batch.lengths, strict=True):
        torch.testing.assert_close(old[:, :n].sort(1).values, new[:, :n].sort(1).values)
        assert torch.equal(old[:, n:], new[:, n:])


def test_gain_adds_decibels_to_logs_and_multiplies_samples():
    batch = _batch(20)
    shift = gain(batch, FRONT["log_mel"], _generator(3)).x - batch.x
    raw = _batch(1)
    factor = gain(raw, FRONT["raw"], _generator(3)).x[:, 0, 0] / raw.x[:, 0, 0]
    torch.testing.assert_close(20 * factor.log10(), shift[:, 0, 0] * 10 / math.log(10), atol=1e-3, rtol=1e-3)
    assert shift.abs().max() <= 6 * math.log(10) / 10 + 1e-6


def test_mixing_log_mels_adds_their_powers_with_weights_that_sum_to_the_energy():
    """Two steady clips of equal level: the power of the mix is theirs, whatever the ratio."""
    x = torch.full((2, 20, 10), 2.0)
    batch = Batch(x, torch.tensor([10, 10]), torch.eye(2))
    mixed = mix(batch, FRONT["log_mel"], _generator(), share=1.0)
    torch.testing.assert_close(mixed.x, x)
    assert ((mixed.targets > 0) & (mixed.targets < 1)).all()


def test_mixing_matches_the_levels_of_loud_and_quiet_clips():
    """Eq. 2 of the paper: where both shares are one half, so are both powers; checked through the shares."""
    loud, quiet = 6.0, -2.0
    x = torch.zeros(2, 20, 10)
    x[0, :10], x[0, 10:] = loud, -9.0  # each clip has half of the bands to itself
    x[1, :10], x[1, 10:] = -9.0, quiet
    mixed = mix(Batch(x, torch.tensor([10, 10]), torch.eye(2)), FRONT["log_mel"], _generator(0), share=1.0)
    for row, share in zip(mixed.x, mixed.targets, strict=True):
        power = row.double().exp().mean(1)
        ratio = math.sqrt(float(power[0] / power[-1]))  # amplitude of the loud over that of the quiet
        r = float(share[0])
        assert ratio == pytest.approx(r / (1 - r), rel=0.02)


def test_beyond_the_shorter_clip_the_mix_is_the_longer_one_and_never_below_the_floor():
    x = torch.zeros(2, 20, 10)
    mixed = mix(Batch(x, torch.tensor([10, 3]), torch.eye(2)), FRONT["log_mel"], _generator(), share=1.0)
    assert mixed.lengths.tolist() == [10, 10]
    assert mixed.x.min() >= math.log(1e-5) - 1e-5
    assert (mixed.x[:, :, :3] >= mixed.x[:, :, 3:].amax(2, keepdim=True) - 1e-6).all()


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


def test_masks_hide_at_most_a_half_and_only_with_the_mean():
    batch = Batch(torch.randn(4, 32, 64, generator=_generator()), torch.full((4,), 64), torch.eye(4))
    y = masks(batch, FRONT["log_mel"], _generator(1)).x
    changed = y != batch.x
    assert 0 < changed.float().mean() < 0.5
    means = batch.x.mean((1, 2))
    for row, where, mean in zip(y, changed, means, strict=True):
        torch.testing.assert_close(row[where], mean.expand(int(where.sum())), atol=1e-5, rtol=1e-5)


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="speed"):
        augment(_batch(20), ["reverse"], FRONT["log_mel"], _generator())
