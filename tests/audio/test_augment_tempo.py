"""Tempo: events come at another pace, tones stay where they are, on samples as on log-mels."""

import pytest
import torch

from conv1d_kit.audio.augment_speed import STEPS, drawn_ratios
from conv1d_kit.audio.augment_tempo import tempo
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError

RATE, N = 16000, 24000


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _beeps(n_rows):
    """A tone of 1 kHz with a pause from 0.6 to 0.75 s."""
    t = torch.arange(N) / RATE
    sound = torch.sin(2 * torch.pi * 1000 * t) * ((t < 0.6) | (t > 0.75))
    return Batch(sound.expand(n_rows, 1, N), torch.full((n_rows,), N), torch.eye(n_rows))


def test_samples_keep_their_pitch_and_level_and_move_in_time():
    old = _beeps(5)
    y = tempo(old, Raw(RATE), _generator(3), most=1.4)
    ratios = drawn_ratios(_generator(3), 5, 1.4)
    assert len(set(ratios)) > 3
    for row, n, ratio in zip(y.x[:, 0], y.lengths.tolist(), ratios, strict=True):
        assert n == pytest.approx(N * STEPS / ratio, abs=1)
        assert not row[n:].any()
        spectrum = torch.fft.rfft(row[:n].double(), 1 << 18).abs()
        assert int(spectrum.argmax()) * RATE / (1 << 18) == pytest.approx(1000, abs=2)
        loud = row[:n].unfold(0, 80, 80).square().mean(1)
        quiet = (loud < 0.1).nonzero()[:, 0] * 80 / RATE
        assert float(quiet.float().mean()) == pytest.approx(0.675 * STEPS / ratio, abs=0.02)
        assert float(loud[10:60].mean()) == pytest.approx(0.5, rel=0.1)  # half a dB


def test_log_mels_say_what_the_front_end_hears_in_the_stretched_samples():
    frontend = LogMel(RATE, 64)
    waves = _beeps(5)
    mels = Batch(frontend(waves.x[:, 0]), frontend.lengths(waves.lengths), waves.targets)
    seen = tempo(mels, frontend, _generator(3), most=1.4)
    heard = tempo(waves, Raw(RATE), _generator(3), most=1.4)
    expected, lengths = frontend(heard.x[:, 0]), frontend.lengths(heard.lengths)
    assert (seen.lengths - lengths).abs().max() <= 2  # the samples' factors go in steps
    row = int(mels.x[0].mean(1).argmax())
    for a, b, n in zip(seen.x, expected, lengths.tolist(), strict=True):
        near = (a[row, 3 : n - 4] - b[row, 3 : n - 4]).abs()
        assert float(near.median()) < 0.1
        gap = [
            (x[row, 3 : n - 4] < x[row, 3 : n - 4].amax() - 6).nonzero()[:, 0].float().mean() for x in (a, b)
        ]
        assert float(gap[0] - gap[1]) == pytest.approx(0, abs=1.5)


def test_each_row_is_linear_interpolation_of_its_own_frames():
    x = torch.arange(40.0).expand(3, 2, 40).clone()
    lengths = torch.tensor([40, 21, 1])
    x[1, :, 21:], x[2, :, 1:] = 99.0, 99.0  # behind the end
    y = tempo(Batch(x, lengths, torch.eye(3)), LogMel(8000, 2), _generator(1), most=1.5)
    factors = 1.5 ** (2 * torch.rand(3, generator=_generator(1), dtype=torch.float64) - 1)
    assert y.lengths.tolist() == (lengths / factors).round().clamp(min=1).long().tolist()
    for row, n, m in zip(y.x, lengths.tolist(), y.lengths.tolist(), strict=True):
        torch.testing.assert_close(row[0, :m], torch.linspace(0, n - 1, m), atol=1e-3, rtol=0)
        assert float(row.max()) <= n - 1 + 1e-3


@pytest.mark.parametrize("frontend", [Raw(8000), LogMel(8000, 40)])
def test_no_rows_empty_rows_and_a_factor_of_one(frontend):
    f = frontend.n_features
    none = Batch(torch.zeros(0, f, 0), torch.zeros(0, dtype=torch.long), torch.zeros(0, 2))
    assert tempo(none, frontend, _generator()).x.shape == (0, f, 0)
    x = torch.randn(2, f, 30, generator=_generator())
    x[1] = 0
    y = tempo(Batch(x, torch.tensor([30, 0]), torch.eye(2)), frontend, _generator(), most=1.0)
    torch.testing.assert_close(y.x[0, :, :30], x[0], atol=1e-5, rtol=0)
    assert y.lengths.tolist() == [30, 0]
    empty = Batch(torch.zeros(1, f, 4), torch.tensor([0]), torch.ones(1, 1))
    assert tempo(empty, frontend, _generator()).lengths.tolist() == [0]
    with pytest.raises(InputError, match="most must be a number from 1 to 4"):
        tempo(none, frontend, _generator(), most=0.5)
