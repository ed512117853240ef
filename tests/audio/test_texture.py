"""Texture statistics: each against its definition as a loop; what a net makes of them learns and is kept."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from conv1d_kit.audio.classifier import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.frontends import Mfcc
from conv1d_kit.audio.texture import (
    TextureNet,
    correlations,
    modulations,
    recurrences,
    texture_statistics,
)

LENGTHS = [1, 2, 3, 9, 40, 257]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(LENGTHS), 5, 300, generator=generator, dtype=torch.float64)
    for row, n in zip(x, LENGTHS, strict=True):
        row[:, n:] = 0
    return x, torch.tensor(LENGTHS)


def test_modulations_are_the_powers_of_haar_wavelets(batch):
    x, lengths = batch
    found = modulations(x, lengths)
    for row, n, got in zip(x.numpy(), LENGTHS, found.numpy(), strict=True):
        for octave in range(8):
            half = 2**octave
            details = [
                (row[:, t : t + half].mean(1) - row[:, t + half : t + 2 * half].mean(1)) / 2
                for t in range(0, n - 2 * half + 1, 2 * half)
            ]
            power = np.square(details).mean(0) if details else np.zeros(5)
            np.testing.assert_allclose(got[:, octave], np.log(power + 1e-4), atol=1e-9)


def test_correlations_are_numpys(batch):
    x, lengths = batch
    found = correlations(x, lengths)
    for row, n, got in zip(x.numpy(), LENGTHS, found.numpy(), strict=True):
        if n > 3:
            np.testing.assert_allclose(got, np.corrcoef(row[:, :n])[np.triu_indices(5, 1)], atol=1e-3)
    assert not found[0].any()  # one frame does not vary


def test_recurrences_are_the_highest_autocorrelations(batch):
    x, lengths = batch
    found = recurrences(x, lengths)
    edges = np.round(2 * 250 ** (np.arange(25) / 24)).astype(int)
    for row, n, got in zip(x.numpy(), LENGTHS, found.numpy(), strict=True):
        for band, ours in zip(row[:, :n], got, strict=True):
            centred = np.concatenate([band - band.mean(), np.zeros(501)])
            r = np.array([centred[:n] @ centred[lag : lag + n] for lag in range(501)])
            r /= r[0] + 1e-3
            tops = [r[a : max(b, a + 1)].max() for a, b in pairwise(edges)]
            np.testing.assert_allclose(ours, tops, atol=1e-9)


def test_a_beat_recurs_after_its_period():
    x = torch.zeros(1, 1, 400)
    x[..., ::50] = 1.0
    found = recurrences(x, torch.tensor([400]))[0, 0]
    edges = [round(2 * 250 ** (i / 24)) for i in range(25)]
    beat = next(i for i in range(24) if edges[i] <= 50 < edges[i + 1])
    assert int(found.argmax()) == beat
    assert found[beat] > 0.8
    assert found[: beat - 1].max() < 0.1


@pytest.mark.parametrize("n_features", [1, 3, 16, 40, 257])
def test_statistics_do_not_see_padding_and_are_finite(n_features):
    torch.manual_seed(0)
    x = torch.randn(4, n_features, 50)
    lengths = torch.tensor([50, 1, 8, 23])
    together = texture_statistics(torch.where(torch.arange(50) < lengths[:, None, None], x, 0.0), lengths)
    assert together.isfinite().all()
    for i, n in enumerate(lengths.tolist()):
        torch.testing.assert_close(together[i : i + 1], texture_statistics(x[i : i + 1, :, :n]))


def test_a_gain_changes_nothing_but_the_means():
    torch.manual_seed(0)
    x = torch.randn(1, 8, 100)
    quiet, loud = texture_statistics(x), texture_statistics(x + 3)
    torch.testing.assert_close(loud[:, :8], quiet[:, :8] + 3)
    torch.testing.assert_close(loud[:, 8:], quiet[:, 8:], atol=2e-4, rtol=1e-4)


def test_it_learns_from_crops_and_not_from_mixtures_whatever_it_hears_through():
    model = AudioClassifier(net="texture")
    names = [name for name, _ in model._augments(model.make_frontend_at(8000))]
    assert names == ["speed", "crop", "gain"]
    assert [name for name, _ in model._augments(Mfcc(8000))] == ["crop"]
    assert [name for name, _ in AudioClassifier(net="texture", augment=["roll"])._augments(Mfcc(8000))] == [
        "roll"
    ]


def test_training_statistics_are_standardised():
    torch.manual_seed(0)
    clips = [torch.randn(8, n) * 3 + 1 for n in (30, 50, 70, 90)]
    net = TextureNet(8, 2)
    net.fit_input(clips)
    found = torch.cat([texture_statistics(net.maps(c[None])[0][:, 0]) for c in clips])
    y = (found - net.centre) / net.spread
    torch.testing.assert_close(y.mean(0), torch.zeros_like(net.centre), atol=1e-4, rtol=0)
    assert float((y.std(0, correction=0) - 1).abs().median()) < 1e-3


def test_noises_that_differ_only_in_how_they_flutter_are_told_apart(tmp_path):
    def flutter(hz, seed):
        r = np.random.default_rng(seed)
        t = np.arange(8000) / 8000
        return Clip(0.1 * r.standard_normal(8000) * (1 + 0.9 * np.sin(2 * np.pi * (hz * t + r.random()))), 8000)

    train = [flutter(hz, seed) for seed in range(8) for hz in (4, 11)]
    test = [flutter(hz, seed) for seed in range(20, 30) for hz in (4, 11)]
    model = AudioClassifier(net="texture", epochs=10, augment=("crop",)).fit(train, ["slow", "fast"] * 8)
    assert (model.predict(test) == np.array(["slow", "fast"] * 10)).mean() >= 0.9
    model.save(tmp_path / "model")
    again = AudioClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(test), model.predict_proba(test))
