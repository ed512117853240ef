"""Rooms: RT60 by Schroeder's integration, scipy as the oracle of the convolution."""

import numpy as np
import pytest
import torch
from scipy import signal

from conv1d_kit.audio.augment_room import room, room_responses
from conv1d_kit.audio.batch import Batch
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import InputError


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.5])
def test_the_tail_decays_in_the_time_asked(rt60):
    """Schroeder (1965): the energy that is still to come; a line through it from −5 to −25 dB."""
    h = room_responses(4, 16000, _generator(), rt60_s=(rt60, rt60), direct_db=(0, 0))
    for tail in h[:, 1:].double().numpy():
        to_come = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / (tail**2).sum())
        inside = (to_come < -5) & (to_come > -25)
        slope = np.polyfit(np.flatnonzero(inside) / 16000, to_come[inside], 1)[0]
        assert -60 / slope == pytest.approx(rt60, rel=0.08)


def test_times_and_direct_sound_are_drawn_from_their_ranges():
    h = room_responses(200, 4000, _generator(), rt60_s=(0.1, 0.4), direct_db=(3, 9))
    ratio = -10 * h[:, 1:].square().sum(1).log10()
    assert 2.99 < ratio.min() < 3.5
    assert 8.5 < ratio.max() < 9.01


def test_a_row_is_scipys_convolution_at_its_old_level():
    x = torch.randn(3, 1, 3000, generator=_generator(1), dtype=torch.float64)
    x[1, :, 700:] = 0
    batch = Batch(x, torch.tensor([3000, 700, 3000]), torch.eye(3))
    responses = torch.randn(1, 500, generator=_generator(2))
    responses[0, 0] = 9.0
    y = room(batch, Raw(8000), _generator(), responses=responses, share=1.0).x
    for old, new, n in zip(x[:, 0].numpy(), y[:, 0].numpy(), batch.lengths.tolist(), strict=True):
        wet = signal.fftconvolve(old[:n], responses[0].double().numpy())[:n]
        wet *= np.sqrt((old[:n] ** 2).sum() / (wet**2).sum())
        np.testing.assert_allclose(new[:n], wet, atol=1e-9)
        assert not new[n:].any()


def test_the_direct_sound_stays_where_it_is():
    x = torch.zeros(1, 1, 4000)
    x[0, 0, 1000] = 1
    batch = Batch(x, torch.tensor([4000]), torch.ones(1, 1))
    late = torch.zeros(1, 300)
    late[0, 40], late[0, 100] = -1.0, 0.5  # the direct sound 40 samples into the recording
    for options in ({"direct_db": (6, 12)}, {"responses": late}, {"responses": late.tolist()}):
        y = room(batch, Raw(8000), _generator(), share=1.0, **options).x[0, 0]
        assert int(y.abs().argmax()) == 1000
        assert y[:1000].abs().max() < 1e-5
        assert float(y.square().sum()) == pytest.approx(1, rel=1e-4)


def test_every_row_has_a_room_of_its_own():
    x = torch.zeros(2, 1, 1000)
    x[:, :, 0] = 1
    y = room(Batch(x, torch.full((2,), 1000), torch.eye(2)), Raw(8000), _generator(), share=1.0).x
    assert not torch.allclose(y[0], y[1], atol=1e-3)


@pytest.mark.parametrize(
    "responses", [[1.0, 2.0], [[0.0, 0.0]], [[float("nan")]], "hall", [[1.0], [1.0, 2.0]], []]
)
def test_responses_that_are_none_are_refused(responses):
    batch = Batch(torch.ones(1, 1, 9), torch.tensor([9]), torch.ones(1, 1))
    with pytest.raises(InputError, match="responses must be"):
        room(batch, Raw(8000), _generator(), responses=responses)


def test_log_mels_hear_the_room_that_the_samples_are_in():
    """Of noise in bursts, whose phases are random as the rule supposes: the same level to 1 dB in the mean."""
    frontend = LogMel(8000, 40)
    n = 16000
    bursts = (torch.arange(n) % 4000 < 800).float()
    x = torch.randn(6, 1, n, generator=_generator(3)) * bursts
    lengths = torch.full((6,), n)
    options = {"rt60_s": (0.3, 0.6), "direct_db": (0.0, 3.0), "share": 1.0}
    wet = frontend(room(Batch(x, lengths, torch.eye(6)), Raw(8000), _generator(5), **options).x[:, 0])
    dry = Batch(frontend(x[:, 0]), frontend.lengths(lengths), torch.eye(6))
    y = room(dry, frontend, _generator(5), **options).x
    loud = [10 * np.log10(z.exp().mean(1).numpy()) for z in (wet, y, dry.x)]  # (6, L) each
    gap = np.abs(loud[0] - loud[1])[:, 5:-5].mean()
    assert gap < 1
    assert np.abs(loud[0] - loud[2])[:, 5:-5].mean() > 5 * gap


def test_rows_of_log_mels_are_scipys_convolution_of_powers_at_their_old_level():
    frontend = LogMel(8000, 12)
    power = torch.rand(2, 12, 50, generator=_generator(4), dtype=torch.float64)
    lengths = torch.tensor([50, 31])
    power[1, :, 31:] = 7.0  # behind the end: never read
    responses = torch.randn(1, 700, generator=_generator(2))
    responses[0, 0] = 9.0
    hop = frontend.hop_length
    energy = np.pad(responses[0].double().numpy() ** 2, (hop // 2, hop)).tolist()
    h = [sum(energy[i : i + hop]) for i in range(0, len(energy) - hop, hop)]
    batch = Batch((power + frontend.floor).log(), lengths, torch.eye(2))
    y = room(batch, frontend, _generator(), responses=responses, share=1.0).x
    for old, new, n in zip(power.numpy(), y.exp().numpy() - frontend.floor, lengths.tolist(), strict=True):
        wet = np.stack([np.convolve(band[:n], h)[:n] for band in old])
        np.testing.assert_allclose(new[:, :n], wet * old[:, :n].sum() / wet.sum(), rtol=1e-5)
    assert torch.equal(y[1, :, 31:], batch.x[1, :, 31:])
