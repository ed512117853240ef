"""Peaks and widths of first filters against what is known of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from conv1d_kit.audio.explain import View
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.audio.responses import first_filters

RATE = 8000


def _gabor(hz, n=256, sigma=25.0):
    t = np.arange(n) - n / 2
    return np.exp(-(t**2) / (2 * sigma**2)) * np.exp(2j * np.pi * hz / RATE * t)


def test_gabor_filters_have_their_frequency_and_the_width_of_their_gaussian():
    taps = np.stack([_gabor(hz).real for hz in (2500, 400, 1100)])
    net = SimpleNamespace(filters=lambda: torch.tensor(taps)[:, None])
    found = first_filters(View("net", Raw(RATE), net))
    assert [r.peak_hz for r in found.table] == pytest.approx([400, 1100, 2500], abs=2)
    width = 2 * np.sqrt(np.log(2)) / (2 * np.pi * 25.0) * RATE  # |G|² of σ_f = 1 / (2 π σ), at one half
    assert [r.bandwidth_hz for r in found.table] == pytest.approx([width] * 3, rel=0.02)
    assert found.kind == "learned"
    np.testing.assert_allclose(found.power.max(1), 1)


def test_filters_in_quadrature_are_taken_in_pairs():
    taps = np.stack([_gabor(hz) for hz in (1000, 3000)])
    frontend = Raw(RATE)
    frontend.n_features = 2
    frontend.kernels = lambda: torch.tensor(np.concatenate([taps.real, taps.imag]))[:, None]
    found = first_filters(View("net", frontend, None))
    assert [r.peak_hz for r in found.table] == pytest.approx([1000, 3000], abs=2)


def test_a_mel_bank_is_shown_as_its_triangles():
    import librosa

    found = first_filters(View("net", LogMel(RATE, n_mels=20, n_fft=1024), None))
    expected = librosa.mel_frequencies(22, fmin=0, fmax=RATE / 2)
    assert found.kind == "mel"
    assert [r.peak_hz for r in found.table] == pytest.approx(expected[1:-1], abs=RATE / 1024)
    widths = (expected[2:] - expected[:-2]) / 2  # half of a triangle's base at half its height
    assert [r.bandwidth_hz for r in found.table][5:] == pytest.approx(widths[5:], rel=0.15)


def test_filters_that_let_pass_up_to_an_end_are_as_wide_as_that():
    net = SimpleNamespace(filters=lambda: torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]], [[0.0, 1.0]]]))
    widths = [r.bandwidth_hz for r in first_filters(View("net", Raw(RATE), net)).table]
    # |cos|² and |sin|² are one half at a quarter of the rate, and a delay lets all pass
    assert sorted(widths) == pytest.approx([RATE / 4, RATE / 4, RATE / 2], rel=1e-3)


def test_a_net_without_filters_over_samples_has_none():
    assert first_filters(View("net", Raw(RATE), SimpleNamespace())) is None
