"""Exercise 4: the layer for audio: time with microphones as channels, or time and frequency, not alike."""

from __future__ import annotations

import numpy as np
import pytest

from conv1d_kit import conv, correlate

RATE = 8000  # Hz


def test_waveform_a_delay_in_is_the_same_delay_out():
    rng = np.random.default_rng(0)
    x, w = rng.integers(-99, 100, (1, 2, 400)), rng.integers(-99, 100, (3, 2, 31))
    y = conv(x, w, padding="causal")
    for delay in (1, 7, 100):
        late = np.concatenate([np.zeros((1, 2, delay), int), x], -1)
        assert np.array_equal(conv(late, w, padding="causal")[..., delay:], y)


def test_waveform_stride_keeps_only_delays_by_whole_strides():
    rng = np.random.default_rng(1)
    x, w = rng.integers(-99, 100, (1, 1, 400)), rng.integers(-99, 100, (3, 1, 16))
    y = conv(x, w, stride=4)
    assert np.array_equal(conv(x[..., 4:], w, stride=4), y[..., 1:])
    assert not np.array_equal(conv(x[..., 1:], w, stride=4)[..., : y.shape[-1] - 1], y[..., 1:])


def test_channels_are_microphones_and_one_filter_aligns_them():
    """Delay and sum: a wave that reaches four microphones 0, 3, 6, 9 samples late comes out whole."""
    rng = np.random.default_rng(2)
    source = rng.standard_normal(500)
    microphones = np.stack([np.concatenate([np.zeros(d), source])[:500] for d in (0, 3, 6, 9)])
    w = np.zeros((1, 4, 10))
    w[0, range(4), [0, 3, 6, 9]] = 1 / 4  # cross-correlation: tap k reads k samples ahead
    assert conv(microphones, w)[0] == pytest.approx(source[:491], abs=1e-12)
    elsewhere = conv(microphones[::-1].copy(), w)[0]  # a source on the other side is weakened
    assert elsewhere.std() < 0.6 * source.std()


def _spectrogram(x, size=256, hop=64):
    """Magnitudes (F, L) as a convolution: windowed cosines and sines are the filters, the hop is the stride."""
    n = np.arange(size)
    phase = 2 * np.pi * np.arange(size // 2 + 1)[:, None] * n / size
    window = np.hanning(size)
    filters = np.concatenate([np.cos(phase) * window, np.sin(phase) * window])[:, None]
    real, imaginary = np.split(conv(x[None], filters, stride=hop), 2)
    return np.hypot(real, imaginary)


def test_spectrogram_time_is_equivariant_by_whole_hops():
    x = np.random.default_rng(3).standard_normal(4000)
    late = np.concatenate([np.zeros(5 * 64), x])
    assert _spectrogram(late)[:, 5:] == pytest.approx(_spectrogram(x), abs=1e-9)


def test_spectrogram_as_a_convolution_is_the_short_time_fourier_transform():
    x = np.random.default_rng(4).standard_normal(1000)
    frames = np.lib.stride_tricks.sliding_window_view(x, 256)[::64] * np.hanning(256)
    assert _spectrogram(x) == pytest.approx(np.abs(np.fft.rfft(frames)).T, abs=1e-9)


def _tone(f0):
    """One second of six harmonics, each half as loud as the one before."""
    t = np.arange(RATE) / RATE
    return sum(0.5**h * np.sin(2 * np.pi * f0 * (h + 1) * t) for h in range(6))


def _bands(x, centres, cycles=None):
    """The magnitude in each band (Hz): Gaussian-windowed waves, of equal length or of equally many cycles."""
    t = (np.arange(RATE // 2) - RATE // 4) / RATE
    width = 0.04 if cycles is None else cycles / centres[:, None]  # seconds
    wave = np.exp(-0.5 * (t / width) ** 2) / width
    phase = 2 * np.pi * centres[:, None] * t
    filters = np.concatenate([wave * np.cos(phase), wave * np.sin(phase)])[:, None]
    real, imaginary = np.split(conv(x[None], filters, stride=RATE)[:, 0], 2)
    return np.hypot(real, imaginary)


def _best_shift(a, b):
    """The shift of a (bins up) that fits b best, and how well: 1 is a perfect copy."""
    scores = correlate(b, a) / (np.linalg.norm(a) * np.linalg.norm(b))
    return int(scores.argmax()) - (len(a) - 1), scores.max()


def test_a_pitch_shift_is_a_shift_on_a_logarithmic_axis_only():
    """Four semitones up (f × 1.26): 8 bins of 24 an octave; in Hz each harmonic moves by another amount."""
    low, high = _tone(200.0), _tone(200.0 * 2 ** (4 / 12))
    log_axis = 100.0 * 2 ** (np.arange(24 * 5) / 24)  # 100 to 3,100 Hz
    linear_axis = np.linspace(100.0, 3100.0, 24 * 5)
    shift, fit = _best_shift(_bands(low, log_axis, cycles=8), _bands(high, log_axis, cycles=8))
    assert shift == 8
    assert fit > 0.995
    _, fit_linear = _best_shift(_bands(low, linear_axis), _bands(high, linear_axis))
    assert fit_linear < 0.9


def test_even_on_a_logarithmic_axis_frequency_is_only_nearly_equivariant():
    """The axis ends: what is shifted over its top is gone, so the invariance is an approximation."""
    axis = 100.0 * 2 ** (np.arange(24 * 3) / 24)  # ends at 777 Hz: harmonics of 200 Hz leave it at the top
    shift, fit = _best_shift(_bands(_tone(200.0), axis, cycles=8), _bands(_tone(378.0), axis, cycles=8))
    assert shift == 22
    assert fit < 0.99


def test_causal_layer_does_not_see_the_future():
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((1, 1, 300)), rng.standard_normal((4, 1, 15))
    future = x.copy()
    future[..., 200:] = rng.standard_normal(100)
    past = slice(None, 200)
    for dilation in (1, 4):
        before, after = (conv(v, w, padding="causal", dilation=dilation)[..., past] for v in (x, future))
        assert np.array_equal(before, after)
    assert not np.array_equal(conv(x, w, padding="same")[..., past], conv(future, w, padding="same")[..., past])


def test_causal_layer_runs_on_a_stream_with_k_minus_1_samples_of_memory():
    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((1, 1, 1000)), rng.standard_normal((2, 1, 33))
    memory, out = np.zeros((1, 1, 32)), []
    for chunk in np.split(x, [1, 2, 50, 51, 400, 999], -1):
        memory = np.concatenate([memory, chunk], -1)
        out.append(conv(memory, w))
        memory = memory[..., -32:]
    assert np.concatenate(out, -1) == pytest.approx(conv(x, w, padding="causal"), abs=1e-12)


def test_dilated_causal_layers_hear_exactly_their_receptive_field():
    """Five layers of 2 taps, dilation 1, 2, 4, 8, 16: 32 samples of past, no more, no less."""
    x = np.zeros((1, 1, 100))
    x[..., 50] = 1.0
    for dilation in (1, 2, 4, 8, 16):
        x = conv(x, np.ones((1, 1, 2)), padding="causal", dilation=dilation)
    assert np.flatnonzero(x[0, 0]).tolist() == list(range(50, 82))
