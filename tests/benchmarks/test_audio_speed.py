"""What audio_speed compares is the same work: the same features, and the same classes from one net."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf
import torch

from benchmarks.audio_speed import FORMS, KIT, measure, page, spread
from benchmarks.plain_audio import Sizes
from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.dataset import read_dataset
from conv1d_kit.audio.frontends import LogMel

# librosa's reader imports modules that Python 3.13 has dropped
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and slated for removal:DeprecationWarning")


@pytest.fixture
def folder(tmp_path):
    rng, t = np.random.default_rng(0), np.arange(8000) / 32000
    for name, frequency in (("high", 4000), ("low", 400)):
        (tmp_path / name).mkdir()
        for i in range(5):
            wave = 0.3 * np.sin(2 * np.pi * frequency * t) + 0.01 * rng.standard_normal(t.size)
            sf.write(tmp_path / name / f"{i}.wav", wave, 32000)
    return tmp_path


def test_both_sides_learn_from_the_same_features(folder):
    path = folder / "low" / "0.wav"
    front = LogMel(32000, n_mels=64)
    ours = front(torch.tensor(Clip.read(path).samples))[0].numpy()
    plain = Sizes(32000, front.n_fft, front.hop_length, 64, front.floor, duration_s=0.25).log_mel(str(path))
    np.testing.assert_allclose(ours, plain, atol=1e-3)


def test_rows_are_spread_evenly_over_the_classes(folder):
    table = read_dataset(folder)
    assert spread(table, 4).labels == ("high", "high", "low", "low")
    assert len(spread(table, 100)) == len(table)


def test_every_form_is_measured_and_shown(folder):
    found = measure(spread(read_dataset(folder), 8), [1], 1, workers=0)
    assert [row["form"] for row in found["training"]] == list(FORMS)[:3]
    predictions = found["prediction"] + found["prediction_wav"]
    assert all(row["clips_per_s"] > 0 for row in found["training"] + predictions)
    assert [row["same_class"] for row in predictions if row["form"] == KIT] == [1.0, 1.0]
    told = {"command": "-", "processor": "-", "load": 0.0, "versions": {}, "date": "-"}
    shown = page({"conditions": told, "forms": FORMS, **found})
    assert all(f"| {form} |" in shown for form in FORMS)
    assert set(found["alone"]) == {"decoding", "net"}
    slower = min(found["alone"].values())
    ours = next(row["clips_per_s"] for row in found["prediction"] if row["form"] == KIT)
    assert f"reaches {100 * ours / slower:.0f} % of the slower" in shown
