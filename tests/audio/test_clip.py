"""Clips: the rate is never guessed, integers are scaled, every broken file has one clear reason."""

import os
import pathlib

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.clip import Clip, as_items, read_blocks
from conv1d_kit.errors import DataError, InputError, InputTypeError


def _tone(n=16000, rate=16000, f=440.0):
    return (0.5 * np.sin(2 * np.pi * f * np.arange(n) / rate)).astype(np.float32)


def test_an_array_without_a_rate_is_refused():
    with pytest.raises(InputError, match=r"sample_rate \(Hz\) must be given"):
        Clip(np.zeros(10, np.float32))


@pytest.mark.parametrize("rate", [0, -1, 44100.5, float("nan"), float("inf")])
def test_a_rate_that_is_no_whole_number_of_hz_is_refused(rate):
    with pytest.raises((InputError, OverflowError), match=r"sample_rate|infinity"):
        Clip(np.zeros(10, np.float32), rate)


@pytest.mark.parametrize("rate", ["16000", True, [1]])
def test_a_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(InputTypeError, match="sample_rate"):
        Clip(np.zeros(10, np.float32), rate)


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int16", -32768, -1.0),
        ("int16", 16384, 0.5),
        ("int32", 2**30, 0.5),
        ("uint8", 128, 0.0),
        ("uint8", 0, -1.0),
    ],
)
def test_integer_samples_are_scaled_to_one(dtype, value, expected):
    assert Clip(np.array([value], dtype), 8000).samples[0, 0] == expected


def test_floats_keep_their_values_even_beyond_one():
    assert Clip(np.array([3.5]), 8000).samples.tolist() == [[3.5]]


@pytest.mark.parametrize("bad", [np.array([1j]), np.array(["a"]), np.array([True])])
def test_samples_that_are_not_real_numbers_are_refused(bad):
    with pytest.raises(InputTypeError, match="real numbers"):
        Clip(bad, 8000)


def test_shapes_that_are_not_channels_by_samples_are_refused_with_a_cure():
    with pytest.raises(InputError, match=r"samples\.T"):
        Clip(np.zeros((16000, 2)), 8000)
    with pytest.raises(InputError, match="at least one sample"):
        Clip(np.zeros((1, 0)), 8000)
    with pytest.raises(InputError, match=r"\(C, T\)"):
        Clip(np.zeros((1, 2, 3)), 8000)


def test_nan_samples_are_named_by_place():
    x = np.zeros((2, 100), np.float32)
    x[1, 50] = np.nan
    with pytest.raises(InputError, match=r"channel 1, sample 50 \(0\.050 s\)"):
        Clip(x, 1000)


def test_a_clip_cannot_be_changed_and_does_not_follow_the_callers_array():
    x = np.zeros(10, np.float32)
    clip = Clip(x, 8000)
    x[0] = 1
    assert clip.samples[0, 0] == 0
    with pytest.raises(ValueError):
        clip.samples[0, 0] = 1
    with pytest.raises(AttributeError):
        clip.sample_rate = 1


def test_non_contiguous_and_read_only_arrays_are_taken():
    x = np.arange(20, dtype=np.float64)[::-2]
    x.flags.writeable = False
    np.testing.assert_array_equal(Clip(x, 8000).samples[0], x)


def test_mono_is_the_mean_of_the_channels():
    x = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    np.testing.assert_allclose(Clip(x, 8000).mono().samples[0], x.mean(0), atol=1e-6)


def test_resampling_keeps_the_tone_and_the_duration():
    clip = Clip(_tone(16000, 16000), 16000).resample(8000)
    assert clip.sample_rate == 8000
    assert clip.n_samples == 8000
    inner = slice(200, -200)
    np.testing.assert_allclose(clip.samples[0, inner], _tone(8000, 8000)[inner], atol=1e-3)


def test_resampling_a_single_sample_leaves_one_sample():
    assert Clip(np.ones(1), 44100).resample(8000).n_samples == 1


@pytest.mark.parametrize(
    ("ending", "options", "tolerance"),
    [
        ("wav", {"subtype": "PCM_16"}, 1e-4),
        ("wav", {"subtype": "PCM_24"}, 1e-6),
        ("wav", {"subtype": "PCM_U8"}, 1e-2),
        ("wav", {"subtype": "FLOAT"}, 0),
        ("flac", {}, 1e-4),
        ("aiff", {}, 1e-4),
    ],
)
def test_lossless_formats_come_back(tmp_path, ending, options, tolerance):
    x = np.stack([_tone(), _tone(f=880)])
    sf.write(tmp_path / f"a.{ending}", x.T, 16000, **options)
    clip = Clip.read(tmp_path / f"a.{ending}")
    assert (clip.sample_rate, clip.n_channels) == (16000, 2)
    np.testing.assert_allclose(clip.samples, x, atol=tolerance)


@pytest.mark.parametrize("ending", ["ogg", "mp3"])
def test_lossy_formats_come_back_with_their_duration(tmp_path, ending):
    sf.write(tmp_path / f"a.{ending}", _tone(), 16000)
    clip = Clip.read(tmp_path / f"a.{ending}")
    assert clip.duration_s == pytest.approx(1.0, abs=0.1)
    assert np.abs(clip.samples).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "aiff", "mp3"])
def test_blocks_joined_are_the_file(tmp_path, ending):
    sf.write(tmp_path / f"a.{ending}", _tone(20000), 16000)
    whole = Clip.read(tmp_path / f"a.{ending}").samples
    parts = list(read_blocks(tmp_path / f"a.{ending}", block_s=0.3))
    assert max(p.duration_s for p in parts) <= 0.3
    np.testing.assert_array_equal(np.concatenate([p.samples for p in parts], 1), whole)


def test_max_duration_reads_only_the_start(tmp_path):
    sf.write(tmp_path / "a.wav", _tone(), 16000)
    assert Clip.read(tmp_path / "a.wav", max_duration_s=0.25).n_samples == 4000


@pytest.mark.parametrize("ending", ["wav", "flac", "aiff", "ogg"])
def test_a_truncated_file_is_said_to_be_so(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    sf.write(path, _tone(32000), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"a\.\w+: (truncated|damaged|not a readable)"):
        Clip.read(path)


def test_broken_files_each_have_one_reason_with_the_path(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    sf.write(tmp_path / "header.wav", np.zeros(0, np.float32), 8000)
    x = _tone(100)
    x[7] = np.nan
    sf.write(tmp_path / "nan.wav", x, 8000, subtype="FLOAT")
    for name, reason in [
        ("empty.wav", "zero-length file"),
        ("text.wav", "not a readable audio file"),
        ("header.wav", "zero-length file"),
        ("nan.wav", "sample 7"),
        ("missing.wav", "no such file"),
        (".", "a folder"),
    ]:
        with pytest.raises(DataError, match=reason) as caught:
            Clip.read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_rate_that_no_sound_has_is_refused_before_memory_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="from 1 to 10000000"):
        Clip([0.0], float("inf"))
    sf.write(tmp_path / "huge.wav", _tone(100), 2_000_000_000)
    with pytest.raises(DataError, match=r"huge\.wav: its header says 2000000000 Hz"):
        Clip.read(tmp_path / "huge.wav")


def test_a_block_is_bounded_by_its_samples_too(tmp_path):
    sf.write(tmp_path / "fast.wav", np.zeros(2**24 + 5, np.float32), 9_000_000, subtype="PCM_U8")
    assert [b.n_samples for b in read_blocks(tmp_path / "fast.wav", block_s=60)] == [2**24, 5]


def test_no_more_is_asked_for_than_a_header_says_and_a_second(tmp_path, monkeypatch):
    """libsndfile would write zeros over all that was asked for beyond the end: 10 MB for a short file."""
    asked, read = [], sf.SoundFile.read
    monkeypatch.setattr(sf.SoundFile, "read", lambda self, n, **k: asked.append(n) or read(self, n, **k))
    sf.write(tmp_path / "a.ogg", np.zeros(3000), 8000)
    assert Clip.read(tmp_path / "a.ogg").n_samples == 3000
    assert asked == [3000, 8000]
    asked.clear()
    assert Clip.read(tmp_path / "a.ogg", max_duration_s=0.25).n_samples == 2000
    assert asked == [2000]
    asked.clear()
    assert [b.n_samples for b in read_blocks(tmp_path / "a.ogg", block_s=0.25)] == [2000, 1000]
    assert asked == [2000, 1000, 2000]


def test_names_that_are_no_utf_8_are_read_and_those_too_long_have_a_reason(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(name, "wb") as file:
        sf.write(file, _tone(100), 8000, format="WAV")
    for path in (name, os.fsdecode(name), pathlib.Path(os.fsdecode(name))):
        assert Clip.read(path).n_samples == 100
    with open(name, "wb") as file:
        file.write(b"no sound")
    with pytest.raises(DataError, match=r"not a readable audio file \(Format not recognised\)"):
        Clip.read(name)
    with pytest.raises(DataError, match=r"xxx\.wav: cannot be opened \(File name too long\)") as caught:
        Clip.read("x" * 5000 + ".wav")
    assert len(str(caught.value)) < 500
    with pytest.raises(DataError, match="not the name of a file"):
        Clip.read("a\0b.wav")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(DataError, match="not a regular file"):
        Clip.read(tmp_path / "pipe.wav")


def test_samples_or_a_mapping_in_place_of_clips_are_refused_with_a_cure():
    for X, got in ((np.zeros((3, 800)), r"ndarray of shape \(3, 800\)"), ({"path": ["a.wav"]}, "dict")):
        with pytest.raises(
            InputTypeError, match=f"X must be a sequence of Clips or paths, got {got}; try Clip"
        ):
            as_items(X)
    assert as_items(np.array(["a.wav", "b.wav"])) == ["a.wav", "b.wav"]
