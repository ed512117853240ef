"""Roll, shift, crop and masks move or hide what is there and invent nothing."""

import numpy as np
import pytest
import torch

from conv1d_kit.audio.augment_time import crop, masks, roll, shift
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw

RAW, MEL = Raw(8000), LogMel(8000, 20)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _ramps(n_features=1, lengths=(30, 12, 1, 30)):
    """Every cell differs from every other, and none is 0."""
    x = 1 + torch.arange(float(len(lengths) * n_features * max(lengths))).reshape(len(lengths), n_features, -1)
    for row, n in zip(x, lengths, strict=True):
        row[:, n:] = 0
    return Batch(x, torch.tensor(lengths), torch.eye(4)[: len(lengths)])


def test_roll_is_numpys_roll_of_the_valid_part():
    batch = _ramps(3)
    y = roll(batch, MEL, _generator()).x
    for old, new, n in zip(batch.x.numpy(), y.numpy(), batch.lengths.tolist(), strict=True):
        turn = int(np.flatnonzero(new[0, :n] == old[0, 0])[0])
        np.testing.assert_array_equal(new[:, :n], np.roll(old[:, :n], turn, 1))
        np.testing.assert_array_equal(new[:, n:], old[:, n:])


@pytest.mark.parametrize(("frontend", "quiet"), [(RAW, 0.0), (MEL, float(np.log(1e-5)))])
def test_shift_moves_and_lets_silence_in(frontend, quiet):
    batch = _ramps(lengths=(40,) * 50)
    y = shift(batch._replace(targets=torch.ones(50, 1)), frontend, _generator(), most=0.25).x
    moves = set()
    for old, new in zip(batch.x[:, 0], y[:, 0], strict=True):
        heard = new != torch.tensor(quiet)
        move = int(heard.nonzero()[0]) if not heard[0] else -int((~heard).sum())
        expected = torch.full((40,), quiet)
        expected[max(0, move) : 40 + min(0, move)] = old[max(0, -move) : 40 - max(0, move)]
        assert torch.equal(new, expected)
        moves.add(move)
    assert -10 <= min(moves) < -5
    assert 5 < max(moves) <= 10


def test_crop_keeps_a_stretch_and_its_length():
    batch = _ramps(lengths=(40, 20, 1))
    for seed in range(20):
        y = crop(batch, RAW, _generator(seed), share=(0.5, 0.8))
        assert y.x.shape[2] == int(y.lengths.max())
        for old, new, n, k in zip(
            batch.x[:, 0], y.x[:, 0], batch.lengths.tolist(), y.lengths.tolist(), strict=True
        ):
            assert k == 1 if n == 1 else 0.5 * n <= k <= 0.8 * n
            start = int((old == new[0]).nonzero()[0])
            assert torch.equal(new[:k], old[start : start + k])
            assert start + k <= n


def test_crop_to_a_duration_counts_frames():
    batch = _ramps(lengths=(40, 20, 1))
    assert crop(batch, RAW, _generator(), duration_s=0.003).lengths.tolist() == [24, 20, 1]
    assert crop(batch, MEL, _generator(), duration_s=0.2).lengths.tolist() == [10, 10, 1]
    starts = {float(crop(batch, RAW, _generator(s), duration_s=0.003).x[0, 0, 0]) for s in range(200)}
    assert starts == set(range(1, 18))  # every place, the first and the last too


def test_masks_hide_at_most_a_half_and_only_with_the_mean():
    batch = Batch(torch.randn(4, 32, 64, generator=_generator()), torch.full((4,), 64), torch.eye(4))
    y = masks(batch, MEL, _generator(1)).x
    changed = y != batch.x
    assert 0 < changed.float().mean() < 0.5
    means = batch.x.mean((1, 2))
    for row, where, mean in zip(y, changed, means, strict=True):
        torch.testing.assert_close(row[where], mean.expand(int(where.sum())), atol=1e-5, rtol=1e-5)


def test_masks_of_a_waveform_are_of_time_and_as_wide_as_asked():
    batch = _ramps(lengths=(1000,) * 4)
    y = masks(batch, RAW, _generator(), n=1, widest=0.1).x
    hidden = (y != batch.x)[:, 0].sum(1)
    assert 0 < int(hidden.max()) <= 101
