"""Sounds made by small physical and spectral models, so that the demo needs no recording.

A row of SOUNDS is a function (generator, duration in s, sample rate in Hz) → samples (T,), float64; what is not
asked for by keyword is drawn from the generator. `make_sounds` adds a room, noise and a random level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.signal import convolve
from ..errors import check_whole
from .clip import Clip

__all__ = ["SOUNDS", "add_room", "bell", "bird", "clock", "engine", "knock", "make_sounds", "pluck", "rain",
           "room_response", "siren"]  # fmt: skip

SAMPLE_RATE = 16_000  # Hz


def make_sounds(n_per_class: int, *, seed: int, sample_rate: int = SAMPLE_RATE) -> tuple[list[Clip], list[str]]:
    """`n_per_class` clips of every row of SOUNDS: 0.6–2 s, each in its own room, with noise and a random level.

    Clip i of a class depends on the seed and i alone: a larger set begins with the smaller one.

    Parameters
    ----------
    n_per_class : int >= 1
    seed : int >= 0
    sample_rate : int, Hz

    Returns
    -------
    clips, labels : list of Clip [shape=(1, T), float32, within ±1], list of str
        Class after class, in the order of SOUNDS.

    Raises
    ------
    InputError
        If `n_per_class` is not a positive int.

    Examples
    --------
    >>> clips, labels = make_sounds(1, seed=0)
    >>> labels[:3], clips[0].samples.dtype, clips[0].sample_rate
    (['pluck', 'bell', 'siren'], dtype('float32'), 16000)
    """
    check_whole("n_per_class", n_per_class)
    clips, labels = [], []
    for number, (name, sound) in enumerate(SOUNDS.items()):
        for i in range(n_per_class):
            rng = np.random.default_rng([seed, number, i])
            duration_s = rng.uniform(0.6, 2.0)
            dry = sound(rng, duration_s, sample_rate)
            wet = add_room(dry, room_response(rng, sample_rate))
            noisy = wet + _noise(rng, len(wet), wet.std() * 10 ** (-rng.uniform(3, 30) / 20))
            level = 10 ** (rng.uniform(-24, -1) / 20)  # peak, −24 to −1 dB of full scale
            samples = level * noisy / max(np.abs(noisy).max(), 1e-12)
            clips.append(Clip(samples[None].astype(np.float32), sample_rate))
            labels.append(name)
    return clips, labels


def pluck(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate: int = SAMPLE_RATE,
    *,
    pitch_hz: float | None = None,
) -> np.ndarray:
    """Plucked string: a burst of noise runs round a delay line with a two-point average; pitch 90–700 Hz.

    The loop delays by sample_rate / pitch samples exactly: a whole part, ½ from the average, and the rest
    by linear interpolation. Source: Karplus & Strong (1983); tuning after Jaffe & Smith (1983), CMJ 7(2).
    """
    from scipy.signal import lfilter

    pitch = _log_uniform(rng, 90, 700) if pitch_hz is None else pitch_hz
    delay = sample_rate / pitch - 0.5
    whole = int(delay)
    rest = delay - whole
    decay = 0.001 ** (1 / (pitch * rng.uniform(1.0, 3.0)))  # −60 dB after that many seconds
    loop = decay * np.array([0.5 * (1 - rest), 0.5, 0.5 * rest])  # average, then interpolation
    burst = np.zeros(_n(duration_s, sample_rate))
    start = min(int(rng.uniform(0, 0.08) * sample_rate), len(burst))
    n = min(whole, len(burst) - start)
    burst[start : start + n] = rng.uniform(-1, 1, whole)[:n]
    return lfilter([1.0], np.concatenate([[1.0], np.zeros(whole - 1), -loop]), burst)


def bell(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate: int = SAMPLE_RATE,
    *,
    pitch_hz: float | None = None,
) -> np.ndarray:
    """Struck bell: decaying modes in a church bell's ratios to the prime (250–1200 Hz), high ones die first.

    Source: Fletcher & Rossing, The Physics of Musical Instruments, table 21.1 (hum ½, prime 1, tierce 1.2, …).
    """
    pitch = _log_uniform(rng, 250, 1200) if pitch_hz is None else pitch_hz
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 2.66, 3.0, 4.0])
    weights = np.array([0.5, 1.0, 0.8, 0.4, 1.0, 0.3, 0.4, 0.3, 0.25]) * rng.uniform(0.4, 1.0, len(ratios))
    times = rng.uniform(0.5, 1.5) / ratios**0.8  # time constants, s
    start_s = rng.uniform(0, 0.08)
    return _modes(
        duration_s, sample_rate, start_s, pitch * ratios, weights, times, rng.uniform(0, 6.28, len(ratios))
    )


def siren(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate: int = SAMPLE_RATE,
    *,
    low_hz: float | None = None,
    high_hz: float | None = None,
    period_s: float | None = None,
) -> np.ndarray:
    """Siren: a tone with two overtones whose pitch wails between `low_hz` and `high_hz` once a `period_s`."""
    low = rng.uniform(400, 800) if low_hz is None else low_hz
    high = low * rng.uniform(1.6, 2.6) if high_hz is None else high_hz
    period = rng.uniform(0.3, 1.6) if period_s is None else period_s
    t = np.arange(_n(duration_s, sample_rate)) / sample_rate
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * (t / period + rng.uniform()))
    phase = 2 * np.pi * np.cumsum(low + (high - low) * swing) / sample_rate
    overtones = rng.uniform(0.1, 0.5, 2)
    return np.sin(phase) + overtones[0] * np.sin(2 * phase) + overtones[1] * np.sin(3 * phase)


def bird(rng: np.random.Generator, duration_s: float, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Bird: 2–6 syllables of 40–160 ms that sweep between 1.8 and 6 kHz, with a flutter."""
    out = np.zeros(_n(duration_s, sample_rate))
    base, bend, flutter = rng.uniform(2500, 5000), rng.uniform(-1500, 1500), rng.uniform(15, 45)
    for start_s in _beats(rng, duration_s, int(rng.integers(2, 7)), 0.6):
        n = int(rng.uniform(0.04, 0.16) * sample_rate)
        u = np.linspace(0, 1, n)
        wobble = rng.uniform(0, 250) * np.sin(2 * np.pi * flutter * u * n / sample_rate)
        hz = np.clip(base * rng.uniform(0.9, 1.1) + bend * (u - 0.5) + wobble, 1800, 6000)
        syllable = np.sin(np.pi * u) ** 1.5 * np.sin(2 * np.pi * np.cumsum(hz) / sample_rate)
        _add(out, syllable * rng.uniform(0.5, 1.0), start_s, sample_rate)
    return out


def engine(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate: int = SAMPLE_RATE,
    *,
    firing_hz: float | None = None,
) -> np.ndarray:
    """Engine: one pressure pulse a firing (18–70 Hz, slowly revving) through the exhaust's resonances."""
    from scipy.signal import lfilter

    n = _n(duration_s, sample_rate)
    firing = rng.uniform(18, 70) if firing_hz is None else firing_hz
    rev = 1 + rng.uniform(-0.2, 0.2) * np.linspace(0, 1, n) if firing_hz is None else np.ones(n)
    turns = np.cumsum(firing * rev) / sample_rate + rng.uniform()
    fire = np.flatnonzero(np.diff(np.floor(turns), prepend=np.floor(turns[0])))
    pulses = np.zeros(n)
    pulses[fire] = rng.uniform(0.6, 1.0, len(fire))
    out = lfilter([1.0], [1, -0.9], pulses) + 0.02 * rng.standard_normal(n) * (0.3 + turns % 1.0)
    for hz, width in (
        (rng.uniform(80, 160), 60.0),
        (rng.uniform(250, 500), 120.0),
        (rng.uniform(700, 1200), 250.0),
    ):
        b, a = _resonance(hz, width, sample_rate)
        out = out + lfilter(b, a, out)
    return out - out.mean()


def rain(rng: np.random.Generator, duration_s: float, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Rain: a soft hiss with some hundred drops a second, each a tiny damped tone of 1–7 kHz."""
    n = _n(duration_s, sample_rate)
    hiss = _noise(rng, n, 1.0, slope=rng.uniform(0.0, 0.5))
    out = rng.uniform(0.1, 0.6) * hiss
    n_taps = int(0.006 * sample_rate)
    t = np.arange(n_taps) / sample_rate
    for hz in rng.uniform(1000, 7000, 8):  # eight kinds of drop, each heard many times
        drop = np.sin(2 * np.pi * hz * t) * np.exp(-t / rng.uniform(0.0005, 0.002))
        hits = np.zeros(n)
        where = rng.integers(0, n, rng.poisson(rng.uniform(5, 50) * duration_s))
        hits[where] = rng.exponential(2.0, len(where))
        out += convolve(hits, drop, mode="full")[:n]
    return out


def knock(rng: np.random.Generator, duration_s: float, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Knock on wood: 2–5 uneven blows, each a few low modes (90–900 Hz) that die within 50 ms, and a click."""
    out = np.zeros(_n(duration_s, sample_rate))
    hz = rng.uniform(90, 220) * np.array([1.0, 1.9, 2.7, 4.1]) * rng.uniform(0.95, 1.05, 4)
    times = rng.uniform(0.01, 0.03) / np.array([1.0, 1.3, 1.7, 2.5])
    click = rng.uniform(0.1, 0.5)
    for start_s in _beats(rng, duration_s, int(rng.integers(2, 6)), 0.3):
        blow = _modes(0.15, sample_rate, 0.0, hz, rng.uniform(0.4, 1.0, 4), times, np.zeros(4))
        blow[: int(0.002 * sample_rate)] += click * rng.standard_normal(int(0.002 * sample_rate))
        _add(out, blow * rng.uniform(0.6, 1.0), start_s, sample_rate)
    return out


def clock(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate: int = SAMPLE_RATE,
    *,
    period_s: float | None = None,
) -> np.ndarray:
    """Clock: even ticks 0.12–0.4 s apart, every second one (the tock) lower; damped modes of 1.2–6 kHz."""
    out = np.zeros(_n(duration_s, sample_rate))
    period = rng.uniform(0.12, 0.4) if period_s is None else period_s
    modes = rng.uniform(1200, 2200) * np.array([1.0, 1.7, 2.6])
    times = rng.uniform(0.003, 0.01) / np.array([1.0, 1.5, 2.0])
    tock = rng.uniform(0.75, 0.95)
    first = rng.uniform(
        0, max(0.0, min(period, duration_s - 1.1 * period))
    )  # two ticks at least, where they fit
    starts = np.arange(first, duration_s, period)
    for i, start_s in enumerate(starts):
        tick = _modes(
            0.05, sample_rate, 0.0, modes * (tock if i % 2 else 1.0), np.array([1, 0.6, 0.4]), times, None
        )
        _add(out, tick, float(start_s), sample_rate)
    return out


def room_response(
    rng: np.random.Generator, sample_rate: int = SAMPLE_RATE, *, reverberation_s: float | None = None
) -> np.ndarray:
    """Impulse response of a room: direct sound, six early reflections within 40 ms, a tail of decaying noise.

    Parameters
    ----------
    rng : numpy Generator
    sample_rate : int, Hz
    reverberation_s : float, optional
        Time in which the tail falls by 60 dB; 0.08–0.5 s where not given.

    Returns
    -------
    ndarray [shape=(K,), float64], K = the reverberation time; the direct sound is sample 0, of height 1
    """
    reverb = rng.uniform(0.08, 0.5) if reverberation_s is None else reverberation_s
    t = np.arange(_n(reverb, sample_rate)) / sample_rate
    response = rng.standard_normal(len(t)) * 10 ** (-3 * t / reverb) * (t > 0.01) * rng.uniform(0.01, 0.06)
    late = rng.uniform(0.003, 0.04, 6)
    where = (late * sample_rate).astype(int)
    inside = where < len(t)
    response[where[inside]] += (rng.choice([-1, 1], 6) * rng.uniform(0.1, 0.4, 6) * (0.003 / late) ** 0.5)[
        inside
    ]
    response[0] = 1.0
    return response


def add_room(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The sound as heard in the room: the first T samples of samples ∗ response, by this kit's convolution."""
    return convolve(samples, response, mode="full")[: len(samples)]


def _n(duration_s: float, sample_rate: int) -> int:
    return round(duration_s * sample_rate)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _noise(rng: np.random.Generator, n: int, level: float, *, slope: float | None = None) -> np.ndarray:
    """Gaussian noise of RMS `level`, amplitude falling as frequency^−slope (0 white, ½ pink, None draws)."""
    size = 1 << (n - 1).bit_length()  # a fast FFT length; the end is cut
    spectrum = np.fft.rfft(rng.standard_normal(size))
    shape = np.maximum(np.arange(len(spectrum)), 1) ** -(rng.uniform(0, 0.8) if slope is None else slope)
    noise = np.fft.irfft(spectrum * shape, size)[:n]
    return level * noise / max(noise.std(), 1e-12)


def _modes(duration_s, sample_rate, start_s, hz, weights, times, phases) -> np.ndarray:
    """Σ weight · exp(−t / time) · sin(2π hz t + phase) from `start_s` on; modes above Nyquist are left out."""
    t = np.arange(_n(duration_s, sample_rate)) / sample_rate - start_s
    out = np.zeros(len(t))
    for i in np.flatnonzero(hz < sample_rate / 2):
        phase = 0.0 if phases is None else phases[i]
        out += weights[i] * np.exp(-np.maximum(t, 0) / times[i]) * np.sin(2 * np.pi * hz[i] * t + phase)
    return out * (t >= 0)


def _beats(rng: np.random.Generator, duration_s: float, count: int, unevenness: float) -> np.ndarray:
    """`count` start times in the first 90 % of the duration, none earlier than the one before."""
    gaps = 1 + unevenness * rng.uniform(-1, 1, count)
    return np.cumsum(gaps) / (gaps.sum() + 1) * 0.9 * duration_s


def _resonance(hz: float, width_hz: float, sample_rate: int):
    """Two-pole band-pass of gain 1 at `hz`. Source: the Audio EQ Cookbook, constant 0 dB peak gain."""
    w = 2 * np.pi * hz / sample_rate
    alpha = np.sin(w) * width_hz / (2 * hz)
    return np.array([alpha, 0, -alpha]) / (1 + alpha), np.array(
        [1, -2 * np.cos(w) / (1 + alpha), (1 - alpha) / (1 + alpha)]
    )


def _add(out: np.ndarray, sound: np.ndarray, start_s: float, sample_rate: int) -> None:
    """Add a sound into `out` at a time; what reaches past the end is cut."""
    start = round(start_s * sample_rate)
    n = max(0, min(len(sound), len(out) - start))
    out[start : start + n] += sound[:n]


SOUNDS: dict[str, Callable[..., np.ndarray]] = {
    "pluck": pluck, "bell": bell, "siren": siren, "bird": bird, "engine": engine, "rain": rain, "knock": knock,
    "clock": clock,
}  # fmt: skip
