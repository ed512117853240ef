"""A copy is found whatever was done to it, no other clip is taken for one, and the shift is a loop's."""

import io

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.clip import Clip
from conv1d_kit.audio.fingerprint import RATE, best_match, fingerprint, low_wave, near_duplicates


def _coded(clip, **format):
    file = io.BytesIO()
    sf.write(file, clip.samples.T, clip.sample_rate, **format)
    file.seek(0)
    x, rate = sf.read(file, dtype="float32", always_2d=True)
    return Clip(x.T, rate)


def _low_passed(clip):
    spectrum = np.fft.rfft(clip.samples)
    hz = np.fft.rfftfreq(clip.n_samples, 1 / clip.sample_rate)
    return Clip(np.fft.irfft(spectrum / np.sqrt(1 + (hz / 1500) ** 2), clip.n_samples), clip.sample_rate)


def _noisy(clip, snr_db=20):
    own_seed = int(
        1000 * np.abs(clip.samples).sum()
    )  # the same noise in two clips would be something in common
    noise = np.random.default_rng(own_seed).normal(size=clip.samples.shape)
    noise *= np.sqrt((clip.samples**2).mean() / (noise**2).mean()) * 10 ** (-snr_db / 20)
    return Clip(clip.samples + noise, clip.sample_rate)


def _later(clip):
    n = int(0.1 * clip.sample_rate)
    return Clip(np.pad(clip.samples, ((0, 0), (n, 0)))[:, : clip.n_samples], clip.sample_rate)


COPIES = {
    "gain": lambda c: Clip(0.1 * c.samples, c.sample_rate),
    "polarity": lambda c: Clip(-c.samples, c.sample_rate),
    "shift": _later,
    "cut": lambda c: Clip(c.samples[:, int(0.15 * c.n_samples) :], c.sample_rate),
    "stereo": lambda c: Clip(np.concatenate([c.samples, c.samples]), c.sample_rate),
    "rate": lambda c: c.resample(3 * c.sample_rate // 4),
    "vorbis": lambda c: _coded(c, format="OGG", subtype="VORBIS", compression_level=0.9),
    "mp3": lambda c: _coded(c, format="MP3", compression_level=0.9),
    "equaliser": _low_passed,
    "noise 20 dB": _noisy,
    "8 bit": lambda c: _coded(c, format="WAV", subtype="PCM_U8"),
}


def _pairs(clips):
    found = near_duplicates([fingerprint(c) for c in clips], lambda i: low_wave(clips[i]))
    return {(m.first, m.second) for m in found}


def _sounds(n, seconds, seed=0):
    """Noise bursts of random colour and place: like real clips, and each its own."""
    r = np.random.default_rng(seed)
    clips = []
    for _ in range(n):
        x = 0.001 * r.normal(size=int(RATE * seconds))
        for start in r.uniform(0, 0.8 * seconds, 6):
            i, width = int(start * RATE), int(r.uniform(0.05, 0.2) * seconds * RATE)
            burst = r.normal(size=width) * np.hanning(width)
            shape = np.exp(-(((np.fft.rfftfreq(width, 1 / RATE) - r.uniform(200, 3000)) / 400) ** 2))
            burst = np.fft.irfft(np.fft.rfft(burst) * shape, width)
            x[i : i + width] += burst[: len(x) - i] / np.abs(burst).max() * r.uniform(0.1, 0.5)
        clips.append(Clip(x, RATE))
    return clips


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_and_nothing_else(name):
    clips = _sounds(6, 3.0)
    assert _pairs([*clips, COPIES[name](clips[2])]) == {(2, 6)}


def test_an_edited_copy_is_found_and_one_piece_in_common_is_not_a_copy():
    clips = _sounds(4, 5.0)
    x = clips[1].samples
    edited = np.concatenate([x[:, :9000], x[:, 10500:17000], x[:, 18500:]], 1)  # two cuts
    mixed = clips[3].samples.copy()
    mixed[:, 8000:12000] = clips[0].samples[:, 3000:7000]
    assert _pairs([*clips, Clip(edited, RATE), Clip(mixed, RATE)]) == {(1, 4), (3, 5)}


def test_the_offset_is_where_the_second_starts_in_the_first():
    clip = _sounds(1, 4.0)[0]
    cut = Clip(clip.samples[:, 12000:], RATE)
    match = near_duplicates([fingerprint(c) for c in (clip, cut)], lambda i: low_wave((clip, cut)[i]))[0]
    assert match.offset_s == 1.5
    match = near_duplicates([fingerprint(c) for c in (cut, clip)], lambda i: low_wave((cut, clip)[i]))[0]
    assert match.offset_s == -1.5
    assert match.score == pytest.approx(1, abs=0.01)


def test_best_match_is_a_loop_over_shifts():
    r = np.random.default_rng(1)
    a, b = r.normal(size=(2, 9)).astype(np.float32), r.normal(size=(2, 6)).astype(np.float32)
    b[:, :5] += 2 * a[:, 3:8]
    best = -1.0, 0
    for shift in range(-5, 9):  # b starts `shift` after a
        rows = [(i, i - shift) for i in range(9) if 0 <= i - shift < 6]
        x, y = (
            np.concatenate([z[:, k] for k in part])
            for z, part in zip((a, b), zip(*rows, strict=True), strict=True)
        )
        least = 0.5 * min((a**2).sum(), (b**2).sum())
        if len(rows) >= 3 and (x**2).sum() >= least and (y**2).sum() >= least:
            best = max(best, (float(x @ y / np.sqrt((x @ x) * (y @ y))), shift))
    (score, shift), other = best_match(a, [b, a[:, :4]])
    assert (score, shift) == (pytest.approx(best[0], rel=1e-5), best[1])
    assert other[1] == 0 or other[0] < 1
    turned, _ = best_match(a, [-b], either_sign=True)[0]
    assert turned == pytest.approx(score, rel=1e-5)


def test_silence_steady_tones_and_single_samples_match_nothing():
    t = np.arange(8000) / RATE
    tone = [Clip(g * np.sin(2 * np.pi * 440 * t), RATE) for g in (0.1, 0.5)]
    silence = [Clip(np.zeros(8000), RATE)] * 2
    assert _pairs([*tone, *silence, Clip([0.5], RATE), Clip([0.5, -0.5], RATE)]) == set()
    assert near_duplicates([], lambda i: np.zeros((1, 1))) == []
    assert best_match(np.zeros((2, 3), np.float32), []) == []


def test_real_clips_are_told_from_their_copies(shared_data):
    """Every eighth clip of ESC-10, each copied in one of the ways in turn: found, and nothing else is."""
    files = sorted((shared_data / "esc10").glob("*/*.ogg"))[1::8]
    clips = [Clip.read(f) for f in files]
    ways = list(COPIES.values())
    copies = [ways[i % len(ways)](c) for i, c in enumerate(clips)]
    found = _pairs(clips + copies)
    wanted = {(i, i + len(clips)) for i in range(len(clips))}
    assert len(found & wanted) >= 0.95 * len(wanted)
    assert found <= wanted


def test_takes_of_one_word_by_one_speaker_are_no_copies(shared_data):
    clips = [Clip.read(f) for f in sorted((shared_data / "fsdd/recordings").glob("4_george_*.wav"))]
    assert _pairs(clips) == set()
    assert _pairs([*clips, COPIES["gain"](clips[3]), COPIES["vorbis"](clips[9])]) == {(3, 50), (9, 51)}
