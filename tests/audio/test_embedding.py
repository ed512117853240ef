"""Embeddings: alone as in company, long ones as the mean of their stretches, bad ones as an error."""

import copy

import numpy as np
import pytest
import soundfile as sf
import torch
from tiny_model import N_MELS, RATE, TinyEnsemble, TinyNet, tiny_model, tone

from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.embedding import dimension, embed, embed_each, model_id
from conv1d_kit.audio.frontends import LogMel, Raw
from conv1d_kit.errors import DataError


def _clips(n=12, seed=0):
    r = np.random.default_rng(seed)
    return [Clip(0.1 * r.standard_normal(int(r.integers(300, 9000))), RATE) for _ in range(n)]


def test_a_sound_has_the_vector_alone_that_it_has_in_company():
    model, clips = tiny_model(), _clips()
    together = embed(model, clips)
    assert together.shape == (12, dimension(model)) == (12, 4)
    assert together.dtype == np.float32
    for clip, row in zip(clips, together, strict=True):
        x = model.frontend_(torch.tensor(clip.samples[0])[None])
        with torch.no_grad():
            expected = model.net_.embed(x, torch.tensor([x.shape[-1]]))[0]
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_a_long_sound_has_the_mean_of_its_stretches_by_their_length():
    model = tiny_model()
    samples = 0.1 * np.random.default_rng(1).standard_normal(45 * RATE).astype(np.float32)
    parts = embed(model, [Clip(samples[: 30 * RATE], RATE), Clip(samples[30 * RATE :], RATE)])
    whole = next(embed_each(model, [Clip(samples, RATE)]))
    np.testing.assert_allclose(whole.vector, (2 * parts[0] + parts[1]) / 3, rtol=1e-5)
    assert whole.duration_s == 45.0


def test_a_bad_file_gives_its_error_and_the_rest_goes_on(tmp_path):
    sf.write(tmp_path / "good.wav", tone(500, 0, 1), RATE)
    sf.write(tmp_path / "short.wav", np.ones(10) / 2, RATE)
    sf.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "bad.wav").touch()
    names = ["good", "bad", "short", "silent", "none"]
    found = list(embed_each(tiny_model(), [tmp_path / f"{n}.wav" for n in names]))
    assert [f.index for f in found] == [0, 1, 2, 3, 4]
    assert [f.vector is None for f in found] == [False, True, False, False, True]
    assert "zero-length" in found[1].error
    assert [f.note for f in found] == ["", "", "shorter than one window of 64 ms", "silent", ""]
    with pytest.raises(DataError, match="zero-length"):
        embed(tiny_model(), [tmp_path / "bad.wav"])
    assert embed(tiny_model(), []).shape == (0, 4)


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for i in range(1000):
            taken.append(i)
            yield Clip(np.ones(50, np.float32), RATE)

    next(embed_each(tiny_model(), items()))
    assert len(taken) < 100


def test_an_ensemble_s_vector_is_its_members_side_by_side():
    mel = LogMel(RATE, n_mels=N_MELS, n_fft=512)
    model = tiny_model(
        TinyEnsemble((mel, TinyNet()), (Raw(RATE), TinyNet(slice(0, 1), n_features=1))), Raw(RATE)
    )
    assert dimension(model) == 8
    vector = embed(model, _clips(1))[0]
    np.testing.assert_allclose([np.linalg.norm(vector[:4]), np.linalg.norm(vector[4:])], 1, rtol=1e-5)


def test_the_id_of_a_model_depends_on_weights_front_end_and_rate_alone():
    model = tiny_model()
    other = copy.deepcopy(model)
    assert model_id(other) == model_id(model)
    with torch.no_grad():
        other.net_.head.bias[0] += 1e-6
    assert model_id(other) != model_id(model)
    assert model_id(tiny_model(frontend=LogMel(RATE, n_mels=N_MELS, n_fft=1024))) != model_id(model)
