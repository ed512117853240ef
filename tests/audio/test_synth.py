"""Synthesised sounds against what physics says they are."""

import numpy as np
import pytest
import scipy.signal

from conv1d_kit.audio import synth
from conv1d_kit.errors import InputError

RATE = 16_000


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("pitch", [98.0, 220.0, 441.3, 660.0])
def test_plucked_string_has_the_asked_pitch(pitch):
    x = synth.pluck(rng(), 2.0, RATE, pitch_hz=pitch)
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 18))
    hz = np.fft.rfftfreq(1 << 18, 1 / RATE)
    near = (hz > pitch * 0.7) & (hz < pitch * 1.4)
    assert hz[near][spectrum[near].argmax()] == pytest.approx(pitch, rel=0.005)


def test_plucked_string_equals_the_textbook_delay_loop():
    x = synth.pluck(rng(3), 0.3, RATE, pitch_hz=RATE / 50.5)  # a delay of 50 + ½: no interpolation
    start = np.flatnonzero(x)[0]
    y = x[start:]
    ratio = y[60:1000] / (0.5 * (y[10:950] + y[9:949]))
    assert ratio == pytest.approx(ratio[0])
    assert 0.97 < ratio[0] < 1


def test_bell_rings_at_its_hum_prime_tierce_and_octave():
    x = synth.bell(rng(1), 2.0, RATE, pitch_hz=500.0)
    hz, power = scipy.signal.periodogram(x, RATE, window="hann")
    peaks = hz[scipy.signal.find_peaks(power, height=power.max() * 1e-4)[0]]
    for ratio in (0.5, 1.0, 1.2, 2.0):
        assert np.abs(peaks - 500 * ratio).min() < 2


def test_siren_sweeps_between_the_asked_frequencies_once_a_period():
    x = synth.siren(rng(2), 2.0, RATE, low_hz=500.0, high_hz=1000.0, period_s=0.5)
    band = scipy.signal.sosfiltfilt(scipy.signal.butter(6, 1200, fs=RATE, output="sos"), x)
    # the fundamental alone stands out when only 450–1200 Hz is searched
    hz, t, z = scipy.signal.stft(band, RATE, nperseg=512, noverlap=448)
    rows = (hz > 400) & (hz < 1200)
    track = hz[rows][np.abs(z[rows]).argmax(0)][8:-8]
    assert track.min() == pytest.approx(500, abs=60)
    assert track.max() == pytest.approx(1000, abs=60)
    swing = np.abs(np.fft.rfft(track - track.mean()))
    assert np.fft.rfftfreq(len(track), t[1] - t[0])[swing.argmax()] == pytest.approx(2.0, abs=0.6)


def test_clock_ticks_at_its_period():
    x = synth.clock(rng(4), 2.0, RATE, period_s=0.25)
    envelope = np.convolve(np.abs(x), np.ones(160) / 160, "same")
    peaks, _ = scipy.signal.find_peaks(envelope, height=envelope.max() * 0.4, distance=1600)
    assert len(peaks) in (7, 8)
    assert np.diff(peaks) / RATE == pytest.approx(np.full(len(peaks) - 1, 0.25), abs=0.004)


def test_engine_fires_at_its_rate():
    x = synth.engine(rng(5), 2.0, RATE, firing_hz=40.0)
    lags = scipy.signal.correlate(x, x, "full", method="fft")[len(x) - 1 :]
    lag = 200 + lags[200:700].argmax()  # 80 to 23 Hz
    assert RATE / lag == pytest.approx(40.0, rel=0.02)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("bird", 1600, 6600), ("engine", 0, 2500), ("knock", 0, 3500), ("clock", 900, 6500)],
)
def test_energy_lies_in_the_band_that_the_docstring_says(name, low, high):
    for seed in range(5):
        hz, power = scipy.signal.periodogram(synth.SOUNDS[name](rng(seed), 1.0, RATE), RATE)
        assert power[(hz >= low) & (hz <= high)].sum() > 0.9 * power.sum()


def test_rain_is_spread_over_time_and_knocks_are_not():
    def crest(x):  # peak over mean of the energy in 10 ms frames
        energy = (x[: len(x) // 160 * 160].reshape(-1, 160) ** 2).sum(1)
        return energy.max() / energy.mean()

    for seed in range(5):
        assert crest(synth.rain(rng(seed), 1.5)) < crest(synth.knock(rng(seed), 1.5))


@pytest.mark.parametrize("name", synth.SOUNDS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_every_sound_has_the_asked_length_and_is_finite_and_heard(name, rate):
    x = synth.SOUNDS[name](rng(7), 0.6, rate)
    assert x.shape == (round(0.6 * rate),)
    assert np.isfinite(x).all()
    assert x.std() > 0


def test_room_equals_scipy_fftconvolve():
    x, h = synth.pluck(rng(), 1.0), synth.room_response(rng(1))
    wanted = scipy.signal.fftconvolve(x, h)[: len(x)]
    assert synth.add_room(x, h) == pytest.approx(wanted, abs=1e-9)


def test_room_response_starts_with_the_direct_sound_and_falls_by_60_db():
    h = np.stack([synth.room_response(rng(seed), reverberation_s=0.4) for seed in range(200)])
    assert (h[:, 0] == 1).all()
    assert (h[:, 1:48] == 0).all()  # nothing before 3 ms
    level = np.sqrt((h**2).mean(0))
    start, end = level[800:1000].mean(), level[5600:5800].mean()  # 50 and 350 ms, 0.3 s apart
    assert 20 * np.log10(start / end) == pytest.approx(60 * 0.3 / 0.4, abs=1.5)


def test_make_sounds_gives_every_class_in_float32_within_full_scale():
    clips, labels = synth.make_sounds(2, seed=0)
    assert labels == [name for name in synth.SOUNDS for _ in range(2)]
    for clip in clips:
        assert clip.sample_rate == 16_000
        assert clip.samples.dtype == np.float32
        assert clip.samples.shape[0] == 1
        assert 0.6 * RATE <= clip.samples.shape[1] <= 2.0 * RATE
        assert 0.05 < np.abs(clip.samples).max() < 1


def test_one_seed_gives_one_set_and_a_larger_set_begins_with_the_smaller():
    small, _ = synth.make_sounds(1, seed=3)
    large, _ = synth.make_sounds(2, seed=3)
    other, _ = synth.make_sounds(1, seed=4)
    for a, b, c in zip(small, large[::2], other, strict=True):
        np.testing.assert_array_equal(a.samples, b.samples)
        assert a.samples.shape != c.samples.shape or (a.samples != c.samples).any()


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_wrong_count_is_refused(n):
    with pytest.raises(InputError, match="n_per_class must be an int >= 1"):
        synth.make_sounds(n, seed=0)
