"""What is measured of a file is what was put into it, whatever its format; faults are told apart."""

import os

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio import facts as module
from conv1d_kit.audio.facts import measure_file

RATE = 8000


@pytest.fixture
def noise():
    return 0.2 * np.random.default_rng(0).normal(size=RATE).clip(-3, 3)


def _measured(tmp_path, x, name="a.wav", rate=RATE, **format):
    sf.write(tmp_path / name, x, rate, **format)
    return measure_file(tmp_path / name)


def test_level_silence_offset_and_length(tmp_path, noise):
    x = np.concatenate([np.zeros(800), noise + 0.05, np.zeros(1600)])
    f = _measured(tmp_path, x, subtype="FLOAT")
    assert (f.sample_rate, f.n_channels, f.codec, f.error, f.silent) == (RATE, 1, "WAV FLOAT", "", False)
    assert f.duration_s == 1.3
    assert f.leading_s == pytest.approx(0.1)
    assert f.trailing_s == pytest.approx(0.2)
    assert f.level_db == pytest.approx(20 * np.log10(np.sqrt((x**2).mean())), abs=1e-3)
    assert f.dc_offset == pytest.approx(x.mean(), abs=1e-6)
    assert f.peak == pytest.approx(np.abs(x).max(), abs=1e-6)
    assert f.clipped == 0


def test_blocks_do_not_change_what_is_measured(tmp_path, noise, monkeypatch):
    x = np.stack([np.concatenate([np.zeros(5000), noise, np.zeros(3000)])] * 2, 1)
    whole = _measured(tmp_path, x)
    monkeypatch.setattr(module, "_BLOCK_S", 0.31)
    parts = measure_file(tmp_path / "a.wav")
    for name in ("digest", "duration_s", "peak", "leading_s", "trailing_s", "n_channels"):
        assert getattr(parts, name) == getattr(whole, name), name
    for name in ("level_db", "dc_offset"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), abs=1e-6)


def test_the_digest_is_of_the_samples_not_of_the_file(tmp_path, noise):
    noise = (32768 * noise).astype(np.int16)
    a = _measured(tmp_path, noise, "a.wav", subtype="PCM_16")
    b = _measured(tmp_path, noise, "b.flac", subtype="PCM_16")
    c = _measured(tmp_path, noise, "c.wav", subtype="PCM_16", rate=16000)
    d = _measured(tmp_path, noise // 2, "d.wav", subtype="PCM_16")
    assert a.digest == b.digest
    assert len({a.digest, c.digest, d.digest}) == 3
    assert b.codec == "FLAC PCM_16"


def test_bandwidth_is_where_the_spectrum_ends(tmp_path):
    r = np.random.default_rng(1)
    spectrum = np.fft.rfft(r.normal(size=2 * RATE))
    spectrum[np.fft.rfftfreq(2 * RATE, 1 / RATE) > 1500] = 0
    x = np.fft.irfft(spectrum)
    f = _measured(tmp_path, 0.5 * x / np.abs(x).max(), subtype="FLOAT")
    assert f.bandwidth_hz == pytest.approx(1500, abs=25)
    full = _measured(tmp_path, 0.1 * r.normal(size=RATE))
    assert full.bandwidth_hz == pytest.approx(RATE / 2, abs=10)


def test_clipping_is_told_from_loudness(tmp_path):
    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 50 * t)
    assert _measured(tmp_path, 0.99 * tone, subtype="FLOAT").clipped == 0
    assert _measured(tmp_path, np.clip(2 * tone, -1, 1)).clipped > 0.3
    assert _measured(tmp_path, np.clip(tone, -0.7, 0.7)).clipped > 0.3  # clipped, then turned down
    assert _measured(tmp_path, 1.5 * tone, subtype="FLOAT").clipped > 0.3  # beyond full scale


def test_silence_has_no_level_and_no_ends(tmp_path):
    f = _measured(tmp_path, np.zeros(100))
    assert f.silent
    assert np.isnan([f.level_db, f.leading_s, f.trailing_s, f.bandwidth_hz]).all()


def test_faults_are_told_apart(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    os.symlink(tmp_path / "round.wav", tmp_path / "circle.wav")
    os.symlink(tmp_path / "circle.wav", tmp_path / "round.wav")
    os.symlink(tmp_path / "nowhere.wav", tmp_path / "broken.wav")
    assert _measured(tmp_path, np.array([0.1, np.nan]), "nan.wav", subtype="FLOAT").fault == "not_finite"
    for name, fault in (
        ("text", "unreadable"), ("empty", "unreadable"), ("round", "link"), ("broken", "missing"),
    ):  # fmt: skip
        f = measure_file(tmp_path / f"{name}.wav")
        assert f.fault == fault, name
        assert f"{name}.wav" in f.error


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_refused_permission_is_said(tmp_path, noise):
    sf.write(tmp_path / "a.wav", noise, RATE)
    (tmp_path / "a.wav").chmod(0)
    assert measure_file(tmp_path / "a.wav").fault == "permission"


def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path, monkeypatch):
    held = []
    real = module.read_blocks

    def watched(path, **options):
        for block in real(path, **options):
            held.append(block.n_samples)
            yield block

    monkeypatch.setattr(module, "read_blocks", watched)
    f = _measured(tmp_path, np.random.default_rng(0).normal(size=150 * 1000) * 0.1, rate=1000)
    assert f.duration_s == 150
    assert held == [60000, 60000, 30000]
    assert f.print.shape[1] == pytest.approx(60 / 0.016, abs=4)
