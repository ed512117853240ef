"""conv_file against soundfile and scipy: formats, layouts, rates, modes, bad input, and what a kill leaves."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import fftconvolve

from conv1d_kit import Clip, conv_file
from conv1d_kit.core import file_job, sound_writer
from conv1d_kit.core.npy_file import NpyReader
from conv1d_kit.core.sound_file import SoundReader
from conv1d_kit.core.sound_writer import FORMATS
from conv1d_kit.errors import DataError, InputError, InputTypeError

RATE = 8000
ALL = [(f, s) for f in dict.fromkeys(FORMATS.values()) for s in sf.available_subtypes(f) if "DWVW" not in s]
ENDINGS = {format: ending for ending, format in reversed(FORMATS.items())}
BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ALAC_16": 16, "ALAC_20": 20}
BITS |= {"ALAC_24": 24, "ALAC_32": 32, "FLOAT": 24, "DOUBLE": 50}


def sound(frames=5000, channels=2, seed=0):
    """A few slow sines and a little noise, at most 0.4."""
    g = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / RATE
    x = sum(np.sin(2 * np.pi * f * t + g.uniform(0, 6, channels)) for f in (150, 310, 470)) / 9
    return x + 0.002 * g.standard_normal((frames, channels))


def response(taps=300, channels=1, seed=1):
    g = np.random.default_rng(seed)
    h = g.standard_normal((taps, channels)) * np.exp(-np.arange(taps) / 60)[:, None]
    return h / np.abs(h).sum(0)


def convolved(x, h, mode="full"):
    """The oracle, in float64: (T, C) with (K, C), or (K, 1) for every channel."""
    y = fftconvolve(x, np.broadcast_to(h, (len(h), x.shape[1])), axes=0)
    t, k = len(x), len(h)
    start, n = {
        "full": (0, t + k - 1),
        "causal": (0, t),
        "same": ((k - 1) // 2, t),
        "valid": (k - 1, t - k + 1),
    }[mode]
    return y[start : start + n]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def files(tmp_path):
    """x.wav in stereo and h.wav in mono, as floats."""
    sf.write(tmp_path / "x.wav", sound(), RATE, "FLOAT")
    sf.write(tmp_path / "h.wav", response(), RATE, "FLOAT")
    return tmp_path


@pytest.mark.parametrize("mode", ["full", "causal", "same", "valid"])
@pytest.mark.parametrize("block", [1 << 17, 777, 64])
def test_every_mode_is_the_oracle_at_every_block(files, mode, block):
    x, h = (sf.read(files / name, always_2d=True)[0] for name in ("x.wav", "h.wav"))
    result = conv_file(files / "x.wav", files / "y.wav", files / "h.wav", mode=mode, block=block)
    y, rate = sf.read(files / "y.wav")
    expected = convolved(x, h, mode)
    np.testing.assert_allclose(y, expected, atol=2e-7)
    assert (rate, result.frames, result.channels) == (RATE, len(expected), 2)
    assert result.peak == pytest.approx(np.abs(expected).max(), abs=1e-6)
    assert (result.format, result.subtype, result.clipped) == ("WAV", "FLOAT", 0)
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav", "y.wav"]


@pytest.mark.parametrize(("taps", "frames"), [(1, 900), (900, 900), (3000, 900), (1, 1), (5, 1)])
@pytest.mark.parametrize("mode", ["full", "causal", "same"])
def test_kernels_of_one_tap_and_longer_than_the_source(tmp_path, taps, frames, mode):
    x, h = sound(frames).astype(np.float32), response(taps).astype(np.float32)
    sf.write(tmp_path / "x.wav", x, RATE, "FLOAT")
    conv_file(tmp_path / "x.wav", tmp_path / "y.wav", h.T, kernel_rate=RATE, mode=mode, block=100)
    y = sf.read(tmp_path / "y.wav", always_2d=True)[0]
    np.testing.assert_allclose(y, convolved(x.astype(float), h, mode), atol=2e-7)


@pytest.mark.parametrize(("format", "subtype"), ALL)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_and_subtype_is_read_and_written(tmp_path, format, subtype, channels):
    rate = 48000 if format in ("MP3", "OGG") else RATE
    path, out = (tmp_path / f"{name}{ENDINGS[format]}" for name in "xy")
    try:
        with sf.SoundFile(path, "w", rate, channels, subtype, format=format) as file:
            file.write(sound(channels=channels))
    except sf.LibsndfileError:
        np.save(tmp_path / "x.npy", sound(channels=channels).T)
        with pytest.raises(InputError, match=r"cannot hold|subtype"):
            conv_file(
                tmp_path / "x.npy", out, response().T, sample_rate=rate, kernel_rate=rate,
                format=format, subtype=subtype,
            )  # fmt: skip
        return
    x = sf.read(path, always_2d=True)[0] if format != "MP3" else decoded(path)
    h = response()
    result = conv_file(path, out, h.T, kernel_rate=rate, format=format, subtype=subtype)
    assert (result.format, result.subtype) == (format, subtype)
    y = sf.read(out, always_2d=True)[0] if format != "MP3" else decoded(out)
    expected = convolved(x, h if subtype in ("PCM_32", "DOUBLE", "ALAC_32") else h.astype(np.float32))
    if subtype in BITS:
        assert 0 <= len(y) - len(expected) <= (format == "AIFF")  # libsndfile reads an odd AIFF's pad byte
        y = y[: len(expected)]
        np.testing.assert_allclose(
            y, expected, atol=0.51 * 2.0 ** (1 - BITS[subtype]) + 1e-12 + 2e-7 * (BITS[subtype] < 32)
        )
    else:
        n = min(len(y), len(expected))
        assert n >= len(expected) - 1 or format == "MP3"
        error = y[:n] - expected[:n]
        assert (error**2).mean() < 0.06 * (expected**2).mean()
    direct = conv_file(path, tmp_path / "y.npy", h.T, kernel_rate=rate)
    assert direct.frames == len(x) + len(h) - 1
    np.testing.assert_allclose(np.load(tmp_path / "y.npy").T, expected, atol=2e-7)


def decoded(path):
    """In sequence: seeking in an MP3 misses its place."""
    reader = SoundReader(path)
    parts = list(reader.blocks(1000))
    reader.close()
    return np.concatenate(parts, 1).T.astype(float)


@pytest.mark.parametrize(
    ("source", "target", "subtype"),
    [
        (("x.wav", "PCM_16"), "y.flac", "PCM_16"),
        (("x.wav", "PCM_24"), "y.wav", "PCM_24"),
        (("x.wav", "DOUBLE"), "y.wav", "DOUBLE"),
        (("x.wav", "DOUBLE"), "y.flac", "PCM_24"),
        (("x.wav", "FLOAT"), "y.flac", "PCM_24"),
        (("x.flac", "PCM_24"), "y.aiff", "PCM_24"),
        (("x.ogg", "VORBIS"), "y.wav", "FLOAT"),
        (("x.ogg", "VORBIS"), "y.FLAC", "PCM_24"),
        (("x.wav", "PCM_16"), "y.ogg", "VORBIS"),
        (("x.wav", "PCM_16"), "y.opus", "OPUS"),
        (("x.wav", "PCM_16"), "y.mp3", "MPEG_LAYER_III"),
        (("x.wav", "ULAW"), "y.wav", "ULAW"),
    ],
)
def test_the_subtype_is_the_sources_where_it_can_be(tmp_path, source, target, subtype):
    name, own = source
    sf.write(tmp_path / name, sound(), 48000, own)
    result = conv_file(tmp_path / name, tmp_path / target, response().T, kernel_rate=48000)
    assert result.subtype == subtype
    assert sf.info(tmp_path / target).subtype == subtype


def test_doubles_are_computed_in_float64(tmp_path):
    x, h = sound(), response()
    sf.write(tmp_path / "x.wav", x, RATE, "DOUBLE")
    conv_file(tmp_path / "x.wav", tmp_path / "y.wav", h.T, kernel_rate=RATE)
    np.testing.assert_allclose(sf.read(tmp_path / "y.wav")[0], convolved(x, h), atol=1e-15)


def test_layouts_of_channels(tmp_path):
    x, h = sound(2000), response(100, 4)
    sf.write(tmp_path / "x.wav", x, RATE, "DOUBLE")
    sf.write(tmp_path / "mono.wav", x[:, 0], RATE, "DOUBLE")
    sf.write(tmp_path / "h2.wav", h[:, :2], RATE, "DOUBLE")
    sf.write(tmp_path / "h4.wav", h, RATE, "DOUBLE")
    np.save(tmp_path / "h4.npy", h.T.reshape(2, 2, -1))

    def run(src, kernel, **options):
        conv_file(tmp_path / src, tmp_path / "y.wav", kernel, overwrite=True, **options)
        return sf.read(tmp_path / "y.wav", always_2d=True)[0]

    each = fftconvolve(x, h[:, :2], axes=0)
    np.testing.assert_allclose(run("x.wav", tmp_path / "h2.wav"), each, atol=1e-14)
    both = np.stack([fftconvolve(x[:, 0], h[:, c]) for c in (0, 1)], 1)
    np.testing.assert_allclose(run("mono.wav", tmp_path / "h2.wav"), both, atol=1e-14)
    mixed = np.stack(
        [sum(fftconvolve(x[:, i], h[:, 2 * o + i]) for i in (0, 1)) for o in (0, 1)], 1
    )  # (T, C_out)
    np.testing.assert_allclose(run("x.wav", tmp_path / "h4.wav", matrix=(2, 2)), mixed, atol=1e-14)
    np.testing.assert_allclose(run("x.wav", tmp_path / "h4.npy", kernel_rate="source"), mixed, atol=1e-14)
    down = sum(fftconvolve(x[:, i], h[:, i]) for i in (0, 1))[:, None]
    np.testing.assert_allclose(run("x.wav", tmp_path / "h2.wav", matrix=(1, 2)), down, atol=1e-14)
    one = fftconvolve(x, h[:, :1], axes=0)
    np.testing.assert_allclose(run("x.wav", Clip(h[:, 0], RATE)), one, atol=1e-7)
    import torch

    np.testing.assert_allclose(
        run("x.wav", torch.from_numpy(h[:, 0].copy()), kernel_rate=RATE), one, atol=1e-14
    )


@pytest.mark.parametrize(
    ("kernel_rate", "rate"), [(44100, 48000), (48000, 44100), (96000, 48000), (8000, 48000)]
)
def test_a_resampled_response_keeps_its_gain_and_phase(tmp_path, kernel_rate, rate):
    """A sine through the response at its own rate and at the source's: the same complex factor."""
    taps = round(0.05 * kernel_rate)
    h = np.exp(-np.arange(taps) / (0.01 * kernel_rate)) * np.random.default_rng(3).standard_normal(taps) / 50
    n = np.arange(round(0.3 * rate))
    for hz in (50.0, 440.0, 2900.0):
        sf.write(
            tmp_path / "x.wav",
            0.1 * np.exp(2j * np.pi * hz * n / rate).view(float).reshape(-1, 2),
            rate,
            "DOUBLE",
        )
        conv_file(
            tmp_path / "x.wav", tmp_path / "y.wav", h, kernel_rate=kernel_rate, mode="causal", overwrite=True
        )
        y = sf.read(tmp_path / "y.wav")[0] @ [1, 1j]
        middle = slice(len(n) // 2, len(n) // 2 + 100)
        factor = (y[middle] * np.exp(-2j * np.pi * hz * n[middle] / rate)).mean() / 0.1
        own = (h * np.exp(-2j * np.pi * hz * np.arange(taps) / kernel_rate)).sum()
        assert abs(factor - own) < 1e-5 * np.abs(h).sum()


def test_a_resampled_unit_sample_changes_nothing(tmp_path):
    x = np.repeat(sound(8000).mean(1, keepdims=True) * np.hanning(8000)[:, None], 2, 1)
    x = fftconvolve(x, np.kaiser(101, 14)[:, None] / 30, "same", axes=0)  # nothing above the response's band
    sf.write(tmp_path / "x.wav", x, 48000, "DOUBLE")
    result = conv_file(tmp_path / "x.wav", tmp_path / "y.wav", np.eye(1, 10), kernel_rate=44100)
    assert result.frames == len(x) + 11 - 1  # ten samples at 44100 Hz last 10.9 at 48000
    np.testing.assert_allclose(sf.read(tmp_path / "y.wav")[0][: len(x)], x, atol=2e-6)


@pytest.mark.parametrize(("ending", "channels"), [("w64", 13), ("flac", 8), ("ogg", 6), ("aiff", 3)])
def test_any_number_of_channels(tmp_path, ending, channels):
    sf.write(tmp_path / f"x.{ending}", sound(channels=channels), 48000)
    conv_file(tmp_path / f"x.{ending}", tmp_path / "y.wav", response(9).T, kernel_rate=48000, subtype="FLOAT")
    x = sf.read(tmp_path / f"x.{ending}")[0]
    np.testing.assert_allclose(sf.read(tmp_path / "y.wav")[0], convolved(x, response(9)), atol=3e-7)
    if channels > 8:
        with pytest.raises(InputError, match=r"y.flac: FLAC PCM_16 cannot hold 13 channels at 48000 Hz"):
            conv_file(tmp_path / f"x.{ending}", tmp_path / "y.flac", response(9).T, kernel_rate=48000)


def test_gain_wet_and_dry(files):
    x, h = (sf.read(files / name, always_2d=True)[0] for name in ("x.wav", "h.wav"))
    conv_file(files / "x.wav", files / "y.wav", files / "h.wav", gain_db=-6, wet=0.3, dry=0.7)
    expected = 0.3 * convolved(x, h)
    expected[: len(x)] += 0.7 * x
    np.testing.assert_allclose(sf.read(files / "y.wav")[0], 10 ** (-6 / 20) * expected, atol=2e-7)
    options = {"mode": "same", "wet": 0.5, "dry": 0.5, "overwrite": True}
    conv_file(files / "x.wav", files / "y.wav", files / "h.wav", **options)
    expected = 0.5 * convolved(x, h, "same") + 0.5 * x
    np.testing.assert_allclose(sf.read(files / "y.wav")[0], expected, atol=2e-7)


def test_peak_scales_down_in_two_passes_and_up_only_when_asked(files):
    loud = 60 * response()
    x = sf.read(files / "x.wav")[0]
    expected = convolved(x, loud)
    assert np.abs(expected).max() > 1
    result = conv_file(files / "x.wav", files / "y.flac", loud.T, kernel_rate=RATE, peak=-1.0)
    y = sf.read(files / "y.flac")[0]
    target = 10 ** (-1 / 20)
    np.testing.assert_allclose(y, expected * target / np.abs(expected).max(), atol=1e-6)
    assert np.abs(y).max() == pytest.approx(target, abs=1e-6)
    assert result.peak == pytest.approx(target)
    assert result.clipped == 0
    assert result.scale_db == pytest.approx(20 * np.log10(target / np.abs(expected).max()), abs=1e-5)
    quiet = conv_file(files / "x.wav", files / "q.wav", files / "h.wav", peak=-1.0)
    assert quiet.scale_db == 0
    up = conv_file(files / "x.wav", files / "u.wav", files / "h.wav", peak=-1.0, normalize=True)
    assert up.peak == pytest.approx(target)
    assert np.abs(sf.read(files / "u.wav")[0]).max() == pytest.approx(target, abs=1e-6)
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "q.wav", "u.wav", "x.wav", "y.flac"]


def test_a_peak_makes_floats_of_integers(tmp_path):
    x, h = np.array([30, -20, 7, 100], "int16"), np.array([1, -3], "int16")
    np.save(tmp_path / "x.npy", x)
    result = conv_file(tmp_path / "x.npy", tmp_path / "y.npy", h, peak=-6.0)
    expected, target = np.convolve(x, h), 10 ** (-6 / 20)
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), expected * (target / np.abs(expected).max()), rtol=1e-12
    )
    assert result.peak == pytest.approx(target)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_no_factor_of_its_dtype_lifts_to_the_peak_stays(tmp_path, dtype):
    x = np.full(50, np.finfo(dtype).smallest_subnormal * 8, dtype)
    np.save(tmp_path / "x.npy", x)
    result = conv_file(
        tmp_path / "x.npy",
        tmp_path / "y.npy",
        np.array([1.0, 1.0], dtype),
        mode="causal",
        peak=-1.0,
        normalize=True,
    )
    assert result.scale_db == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.convolve(x, [1.0, 1.0])[:50].astype(dtype))


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24), ("PCM_U8", 8)])
def test_limited_samples_are_counted_and_the_rest_is_rounded(files, subtype, bits):
    x, loud = sf.read(files / "x.wav")[0], 60 * response().astype(np.float32)
    result = conv_file(files / "x.wav", files / "y.wav", loud.T, kernel_rate=RATE, subtype=subtype)
    steps = np.rint(convolved(x, loud) * 2.0 ** (bits - 1))
    low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    assert 0 < result.clipped == np.count_nonzero((steps > high) | (steps < low))
    y = sf.read(files / "y.wav")[0] * 2.0 ** (bits - 1)
    assert np.abs(y - np.clip(steps, low, high)).max() <= (1 if bits < 24 else 10)


def test_a_wav_beyond_four_gigabytes_becomes_rf64(files, monkeypatch):
    monkeypatch.setattr(sound_writer, "WAV_BYTES", 10_000)
    result = conv_file(files / "x.wav", files / "y.wav", files / "h.wav")
    assert result.format == "RF64"
    assert sf.info(files / "y.wav").format == "RF64"
    with pytest.raises(InputError, match="AIFF holds at most 4 GB"):
        conv_file(files / "x.wav", files / "y.aiff", files / "h.wav")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "complex64", ">f4", "bool"])
@pytest.mark.parametrize("shape", ["(T,)", "(C, T)", "(C, T) Fortran"])
def test_arrays_of_every_kind(tmp_path, dtype, shape):
    g = np.random.default_rng(0)
    x = g.integers(-9, 9, (1 if shape == "(T,)" else 3, 5000)).astype(dtype)
    if dtype == "complex64":
        x += 1j * g.integers(-9, 9, x.shape)
    stored = x[0] if shape == "(T,)" else np.asfortranarray(x) if "Fortran" in shape else x
    np.save(tmp_path / "x.npy", stored)
    h = g.integers(-9, 9, 40).astype("int16" if dtype in ("int16", "bool") else "float32")
    result = conv_file(tmp_path / "x.npy", tmp_path / "y.npy", h, block=999)
    y = np.load(tmp_path / "y.npy")
    from conv1d_kit import conv

    plain = x.astype(x.dtype.newbyteorder("="))
    expected = conv(plain[:, None], h[None, None], padding="full", flip=True)[:, 0]
    assert y.dtype == expected.dtype
    assert y.shape == ((5039,) if shape == "(T,)" else (3, 5039))
    assert y.flags.c_contiguous
    np.testing.assert_allclose(np.atleast_2d(y), expected, atol=1e-3 if y.dtype.kind in "fc" else 0)
    assert (result.format, result.subtype, result.sample_rate) == ("NPY", y.dtype.name, None)


def test_an_array_becomes_sound_with_a_rate_and_sound_an_array(files):
    x, h = sound().astype(np.float32), response().astype(np.float32)
    np.save(files / "x.npy", x.T)
    conv_file(files / "x.npy", files / "y.wav", files / "h.wav", sample_rate=RATE)
    np.testing.assert_allclose(sf.read(files / "y.wav")[0], convolved(x.astype(float), h), atol=2e-7)
    conv_file(files / "x.wav", files / "y.npy", files / "h.wav")
    np.testing.assert_allclose(np.load(files / "y.npy").T, sf.read(files / "y.wav")[0], atol=1e-7)
    with pytest.raises(InputError, match=r"sample_rate \(Hz\) must be given to write sound"):
        conv_file(files / "x.npy", files / "z.wav", h.T)
    np.save(files / "i.npy", np.arange(9))
    with pytest.raises(InputTypeError, match="must hold float32 or float64"):
        conv_file(files / "i.npy", files / "z.wav", np.array([1]), sample_rate=RATE, kernel_rate=RATE)


def test_nan_in_an_array_reaches_what_sees_it_and_no_sound(tmp_path):
    x = np.ones((2, 5000), np.float32)
    x[1, 3000] = np.nan
    np.save(tmp_path / "x.npy", x)
    conv_file(tmp_path / "x.npy", tmp_path / "y.npy", np.ones(300, np.float32), block=700)
    found = np.argwhere(np.isnan(np.load(tmp_path / "y.npy")))
    assert (found == [[1, t] for t in range(3000, 3300)]).all()
    for options in ({"sample_rate": RATE, "kernel_rate": RATE}, {"peak": -1.0}):
        out = tmp_path / ("z.npy" if "peak" in options else "z.wav")
        with pytest.raises(DataError, match="its result must be finite for sound and for peak, got nan"):
            conv_file(tmp_path / "x.npy", out, np.ones(300, np.float32), block=700, **options)
        assert not out.exists()


def test_a_cut_array_is_read_as_far_as_it_goes(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(1000.0))
    os.truncate(tmp_path / "x.npy", 128 + 8 * 600)
    with pytest.raises(DataError, match=r"x.npy: damaged after sample 600 \(truncated, 600 of the 1000 values"):
        conv_file(tmp_path / "x.npy", tmp_path / "y.npy", np.ones(2))
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.convolve(np.arange(600.0), [1, 1]))
    np.save(tmp_path / "c.npy", np.ones((2, 1000)))
    os.truncate(tmp_path / "c.npy", 128 + 8 * 1500)
    with pytest.raises(DataError, match="1500 of the 2000 values"):
        conv_file(tmp_path / "c.npy", tmp_path / "z.npy", np.ones(2))
    assert not (tmp_path / "z.npy").exists()


KILLED = """
import os, signal, sys
from conv1d_kit import conv_file
from conv1d_kit.core import file_job
file_job.JOURNAL_S = 0
folder, names = sys.argv[1], sys.argv[2].split(",")
def end(done, total):
    if done >= where:
        while not os.path.exists(f"{folder}/.{name}.part/journal.npz"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
for name in names:
    source = "x.npy" if name.endswith("npy") else "x.wav"
    options = {"kernel_rate": 48000} if source == "x.wav" else {}
    peak = {"peak": -12.0} if "peak" in name else {}
    if "loud" in name:
        peak = {"gain_db": 30.0, "subtype": None if name == "loud.ogg" else "PCM_16"}
    for where in (1, 30_000) if name == "y.flac" else (95_000,) if "late" in name else (30_000,):
        if os.fork() == 0:
            conv_file(f"{folder}/{source}", f"{folder}/{name}", f"{folder}/h.npy", block=4096, progress=end,
                      resume=True, **options, **peak)
            os._exit(1)
        assert os.wait()[1] == signal.SIGKILL
"""


def test_a_killed_run_goes_on_to_identical_bytes(tmp_path):
    names = [
        "y.wav",
        "y.flac",
        "y.ogg",
        "y.opus",
        "y.mp3",
        "y.aiff",
        "y.w64",
        "loud.wav",
        "loud.flac",
        "loud.ogg",
        "y.npy",
        "peak.wav",
        "peaklate.wav",
        "peak.npy",
    ]
    x = sound(50_000).astype(np.float32)
    sf.write(tmp_path / "x.wav", x, 48000, "FLOAT")
    np.save(tmp_path / "x.npy", x.T)
    np.save(tmp_path / "h.npy", 9 * response(7000).T.astype(np.float32))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    code = [sys.executable, "-c", KILLED, str(tmp_path), ",".join(names)]
    subprocess.run(code, check=True, env=environment)
    for name in names:
        is_array = name.endswith("npy")
        assert not (tmp_path / name).exists()
        assert (tmp_path / f".{name}.part").is_dir()
        options = {} if is_array else {"kernel_rate": 48000}
        options |= {"peak": -12.0} if "peak" in name else {}
        if "loud" in name:
            options |= {"gain_db": 30.0, "subtype": None if name == "loud.ogg" else "PCM_16"}
        options |= {"block": 4096}
        src, kernel = tmp_path / ("x.npy" if is_array else "x.wav"), tmp_path / "h.npy"
        result = conv_file(src, tmp_path / name, kernel, resume=True, **options)
        assert result.resumed_at >= (50_000 if "late" in name else 1)
        whole = conv_file(src, tmp_path / f"whole-{name}", kernel, **options)
        assert whole.resumed_at == 0
        assert whole.clipped > 0 or "loud" not in name or name == "loud.ogg"
        assert (result.frames, result.peak, result.clipped) == (whole.frames, whole.peak, whole.clipped)
        assert digest(tmp_path / name) == digest(tmp_path / f"whole-{name}"), name
        assert not (tmp_path / f".{name}.part").exists()


class Stopped(Exception):
    pass


def stop(done, total):
    if done > 2000:
        time.sleep(0.1)  # the journal is written beside the work
        raise Stopped


@pytest.fixture
def stopped(files, monkeypatch):
    """A run that ended with a journal kept."""
    monkeypatch.setattr(file_job, "JOURNAL_S", 0)
    with pytest.raises(Stopped):
        conv_file(files / "x.wav", files / "y.flac", files / "h.wav", block=500, progress=stop)
    assert (files / ".y.flac.part" / "journal.npz").exists()
    assert not (files / "y.flac").exists()
    return files


def test_an_exception_leaves_what_resume_needs_and_nothing_else(stopped):
    result = conv_file(stopped / "x.wav", stopped / "y.flac", stopped / "h.wav", block=500, resume=True)
    assert result.resumed_at > 0
    assert not (stopped / ".y.flac.part").exists()


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3", "caf"])
@pytest.mark.parametrize("mode", ["full", "same"])
def test_a_lossy_result_goes_on_to_identical_bytes_whatever_came_at_a_time(files, monkeypatch, ending, mode):
    """An encoder's first portion decides its bytes: in a run as it comes, in a resumed one as it was kept."""
    monkeypatch.setattr(file_job, "JOURNAL_S", 0)
    sf.write(files / "x.wav", sound(20_000), RATE, "FLOAT")
    call = {"block": 5000, "mode": mode}
    conv_file(files / "x.wav", files / f"whole.{ending}", files / "h.wav", **call)
    paths = (files / "x.wav", files / f"y.{ending}", files / "h.wav")
    with pytest.raises(Stopped):
        conv_file(*paths, progress=lambda done, total: stop(done - 10_000, total), **call)
    assert conv_file(*paths, resume=True, **call).resumed_at > 0
    assert digest(paths[1]) == digest(files / f"whole.{ending}")


def test_without_a_journal_nothing_is_left(files):
    for options in ({"journal": False}, {}):  # the second ends before the first journal
        with pytest.raises(Stopped):
            conv_file(files / "x.wav", files / "y.flac", files / "h.wav", block=500, progress=stop, **options)
        assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "causal"}, "resume must have the mode it began with, full, got causal"),
        ({"gain_db": 1.0}, "resume must have the kernel it began with"),
        ({"subtype": "PCM_16"}, "resume must have the target it began with, FLAC PCM_24"),
        ({"peak": -1.0}, "resume must have the peak it began with, None, got -1.0"),
    ],
)
def test_resume_with_other_options_is_refused(stopped, change, words):
    call = {"block": 500, "resume": True, **change}
    with pytest.raises(InputError, match=words):
        conv_file(stopped / "x.wav", stopped / "y.flac", stopped / "h.wav", **call)
    assert (stopped / ".y.flac.part" / "journal.npz").exists()


def test_resume_of_another_source_or_a_spoilt_journal_is_refused(stopped):
    paths = (stopped / "x.wav", stopped / "y.flac", stopped / "h.wav")
    journal = stopped / ".y.flac.part" / "journal.npz"
    kept = journal.read_bytes()
    for spoilt in (kept[:100], b"", b"text"):
        journal.write_bytes(spoilt)
        with pytest.raises(DataError, match="not a readable journal"):
            conv_file(*paths, block=500, resume=True)
    for record in ("[]", "null", '{"identity": 5}'):
        np.savez(journal, record=np.array(record))
        with pytest.raises(DataError, match="not a readable journal"):
            conv_file(*paths, block=500, resume=True)
    journal.write_bytes(kept)
    sf.write(paths[0], sound(seed=5), RATE, "FLOAT")
    with pytest.raises(InputError, match="resume must have the source it began with"):
        conv_file(*paths, block=500, resume=True)
    assert conv_file(*paths, block=500).resumed_at == 0  # begun anew


def test_two_runs_do_not_write_one_file(files):
    def again(done, total):
        with pytest.raises(DataError, match="another run is writing it"):
            conv_file(files / "x.wav", files / "y.wav", files / "h.wav")

    conv_file(files / "x.wav", files / "y.wav", files / "h.wav", progress=again)
    assert sf.info(files / "y.wav").frames == 5299


CUT = ["wav", "flac", "mp3", "ogg", "aiff", "w64", "rf64", "au"]


@pytest.mark.parametrize("format", CUT)
def test_a_cut_source_gives_what_was_decoded_and_says_where_it_ends(tmp_path, format):
    path, rate = tmp_path / f"x.{format}", 48000
    with sf.SoundFile(path, "w", rate, 2, format=format.upper()) as file:
        file.write(sound(40_000))
    os.truncate(path, path.stat().st_size * 6 // 10)
    reader = SoundReader(path)
    there = np.concatenate(list(reader.blocks(64)), 1).T.astype(float)
    reader.close()
    assert 10_000 < len(there) < 30_000
    h = response()
    before = digest(path)
    with pytest.raises(
        DataError, match=rf"x.{format}: damaged after sample {len(there)} \(\d\.\d+ s\).*y.wav holds"
    ):
        conv_file(path, tmp_path / "y.wav", h.T, kernel_rate=rate, subtype="FLOAT", block=5000)
    y = sf.read(tmp_path / "y.wav")[0]
    np.testing.assert_allclose(y, convolved(there, h.astype(np.float32)), atol=2e-7)
    assert digest(path) == before
    assert not (tmp_path / ".y.wav.part").exists()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("missing", [1, 300])
def test_an_ogg_cut_within_its_last_page_is_not_whole(tmp_path, subtype, missing):
    sf.write(tmp_path / "x.ogg", sound(40_000), RATE, format="OGG", subtype=subtype)
    os.truncate(tmp_path / "x.ogg", os.path.getsize(tmp_path / "x.ogg") - missing)
    with pytest.raises(DataError, match="truncated, the page that ends the stream is missing or cut"):
        conv_file(tmp_path / "x.ogg", tmp_path / "y.wav", np.ones(3), kernel_rate=RATE)
    assert (tmp_path / "y.wav").exists()


def test_a_source_damaged_in_the_middle(tmp_path):
    x = sound(40_000)
    sf.write(tmp_path / "x.flac", x, RATE, "PCM_16")
    data = bytearray((tmp_path / "x.flac").read_bytes())
    data[len(data) // 2 :][:1000] = bytes(1000)
    (tmp_path / "x.flac").write_bytes(
        bytes(data[: len(data) // 2]) + bytes(1000) + bytes(data[len(data) // 2 + 1000 :])
    )
    with pytest.raises(DataError, match="damaged after sample") as caught:
        conv_file(tmp_path / "x.flac", tmp_path / "y.flac", np.ones(1), kernel_rate=RATE)
    kept = sf.read(tmp_path / "y.flac")[0]
    assert f"sample {len(kept)} " in str(caught.value)
    assert 15_000 < len(kept) < 21_000
    np.testing.assert_allclose(kept, x[: len(kept)], atol=2.0**-15)


def test_nan_in_the_source_is_an_error_with_its_place(files):
    x = sound().astype(np.float32)
    x[3210, 1] = np.nan
    sf.write(files / "x.wav", x, RATE, "FLOAT")
    with pytest.raises(DataError, match=r"holds nan .* first at sample 3210 \(0.401 s\), channel 1"):
        conv_file(files / "x.wav", files / "y.wav", files / "h.wav", block=1000)
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav"]


@pytest.mark.parametrize("ending", ["wav", "npy"])
def test_a_sound_whose_result_overflows_is_an_error(files, ending):
    """A block with Inf is spoilt as a whole: an array with it would be wrong far from the large values."""
    x = sound()
    x[2000:2002] = 3e38
    sf.write(files / "x.wav", x, RATE, "FLOAT")
    with pytest.raises(DataError, match="its result must be finite"):
        conv_file(files / "x.wav", files / f"y.{ending}", np.ones(9), kernel_rate=RATE)
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav"]


def test_a_failed_write_is_said_with_its_cure_and_leaves_no_file(files, monkeypatch):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limit[1]))
    try:
        with pytest.raises(
            DataError,
            match=r"y.wav: cannot be written beyond sample .*File too large.*mend that, then resume=True",
        ):
            conv_file(files / "x.wav", files / "y.wav", files / "h.wav", block=500)
        with pytest.raises(DataError, match=r"y.flac: cannot be written"):
            conv_file(files / "x.wav", files / "y.flac", files / "h.wav", block=500, journal=False, gain_db=-1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav"]


def test_a_full_disk_is_resumed_after_room_was_made(files, monkeypatch):
    from conv1d_kit.core.npy_file import NpyWriter

    monkeypatch.setattr(file_job, "JOURNAL_S", 0)
    put = NpyWriter._put

    def full(self, at, values):
        if at > 6000:
            while not (files / ".y.flac.part" / "journal.npz").exists():
                time.sleep(0.001)
            raise OSError(28, "No space left on device")
        put(self, at, values)

    with monkeypatch.context() as stub:
        stub.setattr(NpyWriter, "_put", full)
        with pytest.raises(DataError, match=r"No space left on device\); make room, then resume=True"):
            conv_file(files / "x.wav", files / "y.flac", files / "h.wav", block=500)
    assert not (files / "y.flac").exists()
    result = conv_file(files / "x.wav", files / "y.flac", files / "h.wav", block=500, resume=True)
    assert result.resumed_at > 0
    conv_file(files / "x.wav", files / "whole.flac", files / "h.wav", block=500)
    assert digest(files / "y.flac") == digest(files / "whole.flac")


def test_too_little_room_is_said_before_the_work(files, monkeypatch):
    from conv1d_kit.core import files as module

    usage = module.shutil.disk_usage(files)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"needs 0.00 GB of disk .*make room; journal=False"):
        conv_file(files / "x.wav", files / "y.wav", files / "h.wav")
    assert sorted(p.name for p in files.iterdir()) == ["h.wav", "x.wav"]


@pytest.mark.parametrize("ending", ["flac", "npy"])
@pytest.mark.parametrize("spoil", [os.unlink, lambda path: os.truncate(path, 1000)])
def test_resume_without_the_samples_its_journal_counts_is_refused(files, monkeypatch, ending, spoil):
    monkeypatch.setattr(file_job, "JOURNAL_S", 0)
    paths = (files / "x.wav", files / f"y.{ending}", files / "h.wav")

    def late(done, total):
        time.sleep(0.05)  # for a journal each
        stop(done - 2000, total)

    with pytest.raises(Stopped):
        conv_file(*paths, block=500, progress=late)
    spoil(files / f".y.{ending}.part" / ("result" if ending == "npy" else "raw.npy"))
    with pytest.raises(DataError, match=r"bytes that the journal counts, got .*; leave resume out"):
        conv_file(*paths, block=500, resume=True)
    assert not paths[1].exists()
    assert conv_file(*paths, block=500).resumed_at == 0


def test_a_pipe_or_device_is_never_replaced(files):
    os.mkfifo(files / "pipe.wav")
    for overwrite in (False, True):
        with pytest.raises(
            InputError, match="dst must be a regular file or a new name, got the device or pipe"
        ):
            conv_file(files / "x.wav", files / "pipe.wav", files / "h.wav", overwrite=overwrite)
    assert (files / "pipe.wav").is_fifo()


def test_a_link_stays_a_link_and_what_it_names_is_written(files):
    (files / "there").mkdir()
    os.symlink("there/y.wav", files / "link.wav")
    os.symlink("none/y.wav", files / "broken.wav")
    for overwrite in (False, True):
        conv_file(files / "x.wav", files / "link.wav", files / "h.wav", overwrite=overwrite)
        assert (files / "link.wav").is_symlink()
        assert [p.name for p in (files / "there").iterdir()] == ["y.wav"]
    with pytest.raises(InputError, match="dst must be in a folder that exists"):
        conv_file(files / "x.wav", files / "broken.wav", files / "h.wav")


BAD = [
    ({"kernel": np.zeros(9)}, InputError, "kernel must hold a tap other than 0, got 9 zeros"),
    ({"kernel": np.array([1.0, np.nan])}, InputError, "kernel must be finite, got nan at index 1"),
    ({"kernel": np.array([[1.0, np.inf]])}, InputError, r"got inf at index \(0, 1\)"),
    ({"kernel": np.zeros(0)}, InputError, r"at least one tap, got shape \(0,\)"),
    ({"kernel": np.ones((3, 9))}, InputError, "kernel must have 1 or 2 channels, as the source, got 3"),
    ({"kernel": np.ones((9, 2))}, InputError, "got 9; try kernel.T"),
    ({"kernel": np.ones((4, 9))}, InputError, r"got 4; matrix=\(2, 2\) mixes channels"),
    ({"kernel": np.ones((1, 3, 9))}, InputError, "must be for the source's 2 channels"),
    ({"kernel": np.ones((1, 1, 1, 9))}, InputError, r"must be \(K,\), \(C, K\) or \(C_out, C_in, K\)"),
    ({"kernel": [1.0]}, InputTypeError, "kernel must be a path, an array"),
    ({"kernel": np.array(["a"])}, InputTypeError, "must hold integers, floats or complex"),
    ({"kernel": np.array([1j])}, InputTypeError, "kernel must be real for a sound"),
    ({"kernel": np.ones((2, 9)), "matrix": (2, 2)}, InputError, "must have 2·2 channels"),
    ({"matrix": (0, 2)}, InputError, r"matrix must be \(n_out, n_in\), ints >= 1"),
    ({"kernel_rate": None}, InputError, r"kernel_rate \(Hz\) must be given"),
    ({"kernel_rate": "own"}, InputError, "kernel_rate must be an int >= 1"),
    ({"kernel_rate": True}, InputError, "kernel_rate must be an int >= 1"),
    ({"sample_rate": 8000}, InputError, "sample_rate must be left out for a sound file"),
    ({"gain_db": 2000}, InputError, "kernel with gain_db, wet and dry must be within what float32 holds"),
    ({"gain_db": -2000}, InputError, "must be within what float32 holds"),
    ({"src": "a.npy", "dst": "y.npy"}, InputError, r"sample_rate \(Hz\) must be given beside kernel_rate"),
    ({"mode": "circular"}, InputError, "mode must be one of full, causal, same, valid, got 'circular'"),
    ({"mode": "valid", "kernel": np.ones(6000)}, InputError, "got 6000 taps for 5000 samples"),
    ({"gain_db": np.nan}, InputError, "gain_db must be finite, got nan"),
    ({"wet": "1"}, InputTypeError, "wet must be a number, got str"),
    ({"wet": 0}, InputError, "wet and dry must not both be 0"),
    ({"dry": 1, "kernel": np.ones((3, 2, 9))}, InputError, "dry must be 0 where 2 channels become 3"),
    ({"peak": 3}, InputError, r"peak must be <= 0 \(dBFS\), got 3"),
    ({"normalize": True}, InputError, "normalize must come with peak"),
    ({"resume": True, "journal": False}, InputError, "resume must come with journal=True"),
    ({"resume": 1}, InputError, "resume must be True or False, got 1"),
    ({"block": 0}, InputError, "block must be an int >= 1"),
    ({"progress": 5}, InputTypeError, "progress must be a function"),
    ({"format": "XYZ"}, InputError, "format must be one of WAV, FLAC"),
    ({"subtype": "PCM_12"}, InputError, "subtype must be one of PCM_16"),
    ({"dst": "y.xyz"}, InputError, "dst must end in .wav, .flac"),
    ({"dst": "none/y.wav"}, InputError, "dst must be in a folder that exists"),
    ({"dst": "h.wav/y.wav"}, InputError, "dst must be"),
    ({"dst": "."}, InputError, "dst must name a file, got the folder"),
    ({"dst": "x.wav"}, InputError, "dst must be another file than src"),
    ({"dst": "link.wav"}, InputError, "dst must be another file than src"),
    ({"dst": "hard.wav", "overwrite": True}, InputError, "dst must be another file than src"),
    ({"dst": "there.wav"}, InputError, "dst must not exist, got .*there.wav; overwrite=True"),
    ({"dst": "y\0.wav"}, InputError, "dst must be a name that can be written"),
    ({"dst": "y.npy", "subtype": "FLOAT"}, InputError, "subtype must be left out for .npy"),
    ({"dst": 5}, InputTypeError, "dst must be a path, got int"),
    ({"src": "no.wav"}, DataError, "no.wav: no such file"),
    ({"src": "."}, DataError, "a folder, not an audio file"),
    ({"src": "text.wav"}, DataError, "text.wav: not a readable audio file"),
    ({"src": "empty.wav"}, DataError, "zero-length file"),
    ({"src": "silent.wav"}, DataError, "must hold at least 1 sample"),
    ({"src": "no.npy"}, DataError, "no.npy: no such file"),
    ({"src": "text.npy"}, DataError, "text.npy: not a readable .npy file"),
    ({"src": "object.npy"}, DataError, "got dtype object"),
    ({"src": "cube.npy"}, DataError, r"must be of shape \(T,\) or \(C, T\), got \(2, 2, 2\)"),
    ({"src": "none.npy"}, DataError, "must hold at least one sample"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "words"), BAD)
def test_what_cannot_be_is_one_line_and_touches_nothing(files, change, error, words):
    os.symlink("x.wav", files / "link.wav")
    os.link(files / "x.wav", files / "hard.wav")
    (files / "there.wav").write_bytes(b"mine")
    (files / "text.wav").write_text("no sound")
    (files / "text.npy").write_text("no array")
    (files / "empty.wav").write_bytes(b"")
    sf.write(files / "silent.wav", np.zeros((0, 2)), RATE)
    np.save(files / "object.npy", np.array([None, 1]), allow_pickle=True)
    np.save(files / "cube.npy", np.zeros((2, 2, 2)))
    np.save(files / "none.npy", np.zeros((2, 0)))
    np.save(files / "a.npy", np.ones(20))
    before = {p.name: digest(p) for p in files.iterdir()}
    call = {"src": "x.wav", "dst": "y.wav", "kernel": np.ones(9), "kernel_rate": RATE, **change}
    paths = [
        files / call.pop(name) if isinstance(call[name], str) else call.pop(name) for name in ("src", "dst")
    ]
    with pytest.raises(error, match=words) as caught:
        conv_file(*paths, call.pop("kernel"), **call)
    assert "\n" not in str(caught.value)
    assert {p.name: digest(p) for p in files.iterdir()} == before


@pytest.mark.parametrize(("write", "words"), [
    (lambda p: sf.write(p, np.zeros(9), RATE), "must hold a tap other than 0"),
    (lambda p: sf.write(p, np.array([0, np.nan]), RATE, "FLOAT"), "holds nan .* first at sample 1"),
    (lambda p: p.write_bytes(b"RIFF"), "not a readable audio file"),
    (lambda p: (sf.write(p, np.ones(9000), RATE), os.truncate(p, 9000)), "damaged .truncated"),
])  # fmt: skip
def test_kernel_files_that_cannot_be_used(files, write, words):
    write(files / "k.wav")
    with pytest.raises((InputError, DataError), match=words):
        conv_file(files / "x.wav", files / "y.wav", files / "k.wav")
    with pytest.raises(InputError, match="dst must be another file than kernel"):
        conv_file(files / "x.wav", files / "k.wav", files / "k.wav", overwrite=True)
    assert not (files / "y.wav").exists()


def test_overwrite_replaces_and_progress_counts_frames(files):
    (files / "y.wav").write_bytes(b"mine")
    told = []
    conv_file(
        files / "x.wav", files / "y.wav", files / "h.wav", overwrite=True, block=2000,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(2000, 5000), (4000, 5000), (5000, 5000)]
    assert sf.info(files / "y.wav").frames == 5299
    told.clear()
    conv_file(
        files / "x.wav", files / "z.wav", files / "h.wav", peak=-3, block=2000,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1] == (10299, 10299)


def test_the_same_samples_give_the_same_bytes(files):
    """No time of day, no random number stands in the file."""
    for ending in ("wav", "flac", "aiff", "caf"):
        one = conv_file(files / "x.wav", files / f"1.{ending}", files / "h.wav", subtype=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", "UTC")
            conv_file(files / "x.wav", files / f"2.{ending}", files / "h.wav", block=one.frames // 3)
        a, b = ((files / f"{i}.{ending}").read_bytes() for i in (1, 2))
        assert b"PEAK" not in a
        assert len(a) == len(b)


MEMORY = """
import resource, sys
from conv1d_kit import conv_file
import numpy as np
conv_file(sys.argv[1] + "/small.npy", sys.argv[1] + "/s.npy", np.ones(1000, np.float32))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
conv_file(sys.argv[1] + "/x.npy", sys.argv[1] + "/y.npy", np.ones(1000, np.float32), mode="valid")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_long_array_takes_no_more_memory_than_a_short_one(tmp_path):
    np.save(tmp_path / "small.npy", np.ones(1 << 20, np.float32))
    n = 30_000_000
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (n,))[-5:] = 1.0
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert int(run.stdout) < 40  # MB; the array has 120
    reader = NpyReader(tmp_path / "y.npy")
    assert reader.frames == n - 999
    reader.close()
    y = np.load(tmp_path / "y.npy", mmap_mode="r")
    np.testing.assert_allclose(y[-6:], np.arange(0.0, 6.0), atol=1e-5)


def test_a_sound_is_convolved_without_torch(files):
    """Whose import alone would take most of the memory that a file of ten hours may."""
    code = (
        "import sys; from conv1d_kit import conv_file; d = sys.argv[1]; "
        "conv_file(d + '/x.wav', d + '/y.wav', d + '/h.wav'); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(files)], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
