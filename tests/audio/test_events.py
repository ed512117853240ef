"""Events of made recordings are where their sounds are; scores are each window's alone; faults are told."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import torch
from tones import RATE, recording, sound, tone_model

from conv1d_kit import Clip
from conv1d_kit.audio.event_options import EventOptions
from conv1d_kit.audio.events import Event, EventSearch, Heard, Scorer, find_events
from conv1d_kit.audio.frontends import Raw
from conv1d_kit.audio.net import AudioNet
from conv1d_kit.audio.recording import Recording
from conv1d_kit.audio.windows import cut_windows
from conv1d_kit.errors import ConvKitError, InputError, InputTypeError

PARTS = [("silence", 3.0), ("low", 4.0), ("silence", 3.0), ("high", 2.5), ("silence", 1.5), ("low", 2.0)]
TRUTH = [("low", 3.0, 7.0), ("high", 10.0, 12.5), ("low", 14.0, 16.0)]
ONE_S = EventOptions(window_s=1.0, hop_s=0.5)


def events_of(path, options=ONE_S):
    found = list(find_events(tone_model(), [path], options))
    assert isinstance(found[-1], Heard)
    return found[:-1], found[-1]


def assert_truth(events):
    assert [e.label for e in events] == [label for label, _, _ in TRUTH]
    for event, (_, start, end) in zip(events, TRUTH, strict=True):
        assert start - 1 <= event.start <= start + 0.5
        assert end - 0.5 <= event.end <= end + 1  # a window with a few samples of it may still count


def test_sounds_are_found_where_they_are_and_silence_is_no_event(tmp_path):
    sf.write(tmp_path / "x.wav", recording(PARTS), RATE)
    events, heard = events_of(tmp_path / "x.wav")
    assert_truth(events)
    assert events[-1].end == heard.duration == 16
    assert heard.n_windows == 31
    assert not heard.error
    sf.write(tmp_path / "still.wav", np.full(5 * RATE, 0.25), RATE)  # a constant is no sound either
    assert events_of(tmp_path / "still.wav")[0] == []


FORMATS = {
    "upper.WAV": {"rate": RATE, "subtype": "PCM_16", "format": "WAV"},
    "stereo.flac": {"rate": 44_100, "channels": 2},
    "high.wav": {"rate": 192_000, "subtype": "PCM_16"},
    "8-bit.wav": {"rate": 16_000, "subtype": "PCM_U8"},
    "24-bit.wav": {"rate": 48_000, "subtype": "PCM_24"},
    "a-law.wav": {"rate": RATE, "subtype": "ALAW"},
    "odd.mp3": {"rate": 22_050},
}


@pytest.mark.parametrize("name", FORMATS)
def test_any_format_rate_and_channels_give_the_same_events(name, tmp_path):
    how = FORMATS[name]
    x = recording(PARTS, how["rate"])
    wave = np.stack([1.5 * x, 0.5 * x], 1) if how.get("channels") else x
    sf.write(tmp_path / name, wave, how["rate"], subtype=how.get("subtype"), format=how.get("format"))
    events, heard = events_of(tmp_path / name, EventOptions(window_s=1.0, hop_s=0.5, silence_db=-40))
    assert_truth(events)
    assert not heard.error
    if name != "odd.mp3":
        assert heard.duration == Fraction(len(x), how["rate"])


def test_stamps_are_whole_hops_and_the_last_ends_with_the_file(tmp_path):
    n = 44_100 * 5 + 17
    sf.write(tmp_path / "x.wav", sound("low", 10, 44_100)[:n], 44_100)
    options = EventOptions(window_s=0.7, hop_s=0.3)
    (event,), heard = events_of(tmp_path / "x.wav", options)
    assert event.start == 0
    assert event.end == heard.duration == Fraction(n, 44_100)
    sf.write(tmp_path / "y.wav", recording([("silence", 1.3), ("low", 2.0)], 44_100), 44_100)
    (event,), _ = events_of(tmp_path / "y.wav", options)
    assert (event.start / Fraction(3, 10)).denominator == 1
    assert event.end == Fraction(33, 10)


@pytest.mark.parametrize("rate", [RATE, 44_100, 11_025, 192_000])
def test_what_is_heard_is_bit_equal_for_any_block(rate, tmp_path):
    r = np.random.default_rng(1)
    sf.write(tmp_path / "x.wav", r.uniform(-0.5, 0.5, (rate + 37, 2)), rate, subtype="FLOAT")
    expected = Clip.read(tmp_path / "x.wav").mono().resample(RATE).samples[0]
    for block_s in (0.01, 0.0377, 0.5, 60.0):
        blocks = list(Recording(tmp_path / "x.wav", RATE, block_s=block_s).blocks())
        assert np.array_equal(np.concatenate(blocks), expected)


@pytest.mark.parametrize("n", [1, 2, 700, 7_999, 8_000, 8_001, 30_000])
def test_scores_are_those_of_each_window_alone(n):
    model = tone_model()
    x = recording([("low", 1.4), ("noise", 1.0), ("high", 2.0)])[:n].astype(np.float32)
    options = EventOptions(window_s=1.0, hop_s=0.375, silence_db=None)
    scorer = Scorer(model, options)
    grid = options.grid(model)
    rows = np.concatenate([scorer.probabilities(b) for b in cut_windows([x], grid, 4)])
    alone = [Clip(x[i * grid.hop : i * grid.hop + grid.window], RATE) for i in range(grid.count(n))]
    assert rows == pytest.approx(model.predict_proba(alone), abs=5e-3)  # whose features are float16
    for row, clip in zip(rows, alone, strict=True):
        samples, length = torch.tensor(clip.samples), torch.tensor([clip.n_samples])
        with torch.no_grad():
            logits = model.net_(model.frontend_(samples), model.frontend_.lengths(length))
        assert row == pytest.approx(logits.softmax(1).numpy()[0], abs=1e-5)


def test_a_file_shorter_than_a_window_is_one_masked_window(tmp_path):
    sf.write(tmp_path / "x.wav", sound("low", 0.4), RATE)
    (event,), heard = events_of(tmp_path / "x.wav", EventOptions(window_s=5.0))
    assert (event.label, event.start, event.end, heard.n_windows) == ("low", 0, Fraction(2, 5), 1)
    for n in (1, 3):  # less than a sample at the model's rate
        sf.write(tmp_path / "s.wav", np.ones(n) / 2, 192_000)
        events, heard = events_of(tmp_path / "s.wav")
        assert (events, heard.n_windows, heard.error) == ([], 1, "")


def test_windows_that_fit_no_class_well_are_no_events(tmp_path):
    sf.write(tmp_path / "x.wav", recording(PARTS), RATE)
    events, _ = events_of(tmp_path / "x.wav", EventOptions(window_s=1.0, on=1.0, off=1.0, min_score=1.0))
    assert all(e.score == 1 for e in events)
    strict = EventOptions(window_s=1.0, min_duration_s=4.0)
    assert [e.label for e in events_of(tmp_path / "x.wav", strict)[0]] == ["low"]


def test_modes_and_classes(tmp_path):
    sf.write(tmp_path / "x.wav", recording(PARTS), RATE)
    both = EventOptions(window_s=1.0, hop_s=0.5, mode="each", on=1e-6, off=1e-6)
    events, _ = events_of(tmp_path / "x.wav", both)
    assert {e.label for e in events} == {"low", "high", "noise"}
    assert events == sorted(events, key=lambda e: (e.start, e.label))
    only = EventOptions(window_s=1.0, hop_s=0.5, classes=["high"])
    events, _ = events_of(tmp_path / "x.wav", only)
    assert [e.label for e in events] == ["high"]
    best = EventOptions(window_s=1.0, hop_s=1.0, on=1e-6)
    events, _ = events_of(tmp_path / "x.wav", best)
    for a, b in itertools.pairwise(events):
        assert a.end <= b.start  # a window has one class


def test_files_that_cannot_be_heard_say_why_and_the_rest_goes_on(tmp_path):
    x = recording(PARTS)
    sf.write(tmp_path / "good.wav", x, RATE)
    (tmp_path / "zero.wav").touch()
    sf.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    bad = x.astype(np.float32)
    bad[12 * RATE] = np.nan
    sf.write(tmp_path / "nan.wav", bad, RATE, subtype="FLOAT")
    sf.write(tmp_path / "cut.mp3", x, RATE)
    whole = (tmp_path / "cut.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) * 4 // 10])
    names = ["good.wav", "zero.wav", "empty.wav", "nan.wav", "cut.mp3", "none.wav", "good.wav"]
    found = list(find_events(tone_model(), [tmp_path / n for n in names], ONE_S))
    ends = [f for f in found if isinstance(f, Heard)]
    assert [os.path.basename(h.path) for h in ends] == names
    for heard, words in zip(
        ends, ("", "zero-length", "zero-length", "NaN", "truncated", "no such file", ""), strict=True
    ):
        assert words in heard.error
        assert bool(words) == bool(heard.error)
        assert heard.error == "" or heard.path in heard.error
    labels = [[e.label for e in found if isinstance(e, Event) and e.path.endswith(n)] for n in names]
    assert labels[0] == ["low", "high", "low"] * 2  # it is there twice
    assert labels[1:6] == [[], [], ["low"], ["low"], []]  # up to where the fault is
    nan = ends[3]
    assert nan.duration == 10
    assert "sample 96000" in nan.error


def test_ten_hours_of_a_made_source_have_exact_stamps(monkeypatch):
    """No decoding: a beep of 40 ms every 1000 s at 500 Hz; the net says how loud it is."""
    rate, hop = 500, 167
    n = 36_000 * rate

    class Loud(AudioNet):
        def forward(self, x, lengths):
            loud = x.abs().amax((1, 2))
            return torch.stack([40 * loud - 20, 20 - 40 * loud], 1)

    def blocks(self):
        for start in range(0, n, 1 << 20):
            t = np.arange(start, min(n, start + (1 << 20)))
            self.duration += Fraction(len(t), rate)
            yield np.where(t % 500_000 < 20, (t % 2) * 2.0 - 1, 0.001 * (t % 2)).astype(np.float32)

    monkeypatch.setattr(Recording, "blocks", blocks)
    model = SimpleNamespace(
        classes_=np.array(["beep", "none"]), sample_rate_=rate, frontend_=Raw(rate), net_=Loud()
    )
    options = EventOptions(window_s=0.5, hop_s=hop / rate, classes=["beep"])
    found = list(find_events(model, ["ten hours"], options))
    assert found[-1].duration == 36_000
    assert len(found) == 37
    for k, event in enumerate(found[:-1]):
        beep = k * 500_000
        first = max(0, -(-(beep - 249) // hop))
        last = (beep + 19) // hop
        assert (event.start, event.end) == (Fraction(first * hop, rate), Fraction(last * hop + 250, rate))


def test_a_model_may_say_its_window():
    model = SimpleNamespace(sample_rate_=8000, window_s_=2.0)
    assert EventOptions().grid(model).window == 16_000
    assert EventOptions(window_s=1.0).grid(model).window == 8_000
    assert EventOptions().grid(SimpleNamespace(sample_rate_=8000)).window == 24_000
    assert EventSearch(tone_model(), EventOptions()).batch_size == 16


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window_s": 0}, "window_s must be > 0"),
        ({"window_s": float("nan")}, "window_s must be finite"),
        ({"hop_s": -1}, "hop_s must be > 0"),
        ({"on": 0.0}, "on must be > 0"),
        ({"on": 1.5}, "on must be > 0 and at most 1"),
        ({"on": 0.4, "off": 0.5}, "off must be > 0 and at most on = 0.4, got 0.5"),
        ({"gap_s": -0.1}, "gap_s must be >= 0"),
        ({"min_duration_s": -1}, "min_duration_s must be >= 0"),
        ({"min_score": 2}, "min_score must be from 0 to 1"),
        ({"mode": "loud"}, "mode must be one of best, each"),
        ({"silence_db": 3}, "silence_db must be < 0"),
        ({"on": "0.5"}, "on must be a number"),
        ({"classes": "low"}, "classes must be a sequence"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises((InputError, InputTypeError), match=words):
        EventOptions(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window_s": 1e-6}, "window must be at least one sample"),
        ({"window_s": 1.0, "hop_s": 1.5}, "hop must be from 1 sample to the window's 8000"),
        ({"classes": ["lwo"]}, "classes must be of the model's high, low, noise, got 'lwo'"),
        ({"classes": []}, "got none"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(options, words):
    with pytest.raises(ConvKitError, match=words):
        list(find_events(tone_model(), [], EventOptions(**options)))


MEMORY = """
import resource, sys
from conv1d_kit import AudioClassifier
from conv1d_kit.audio.event_options import EventOptions
from conv1d_kit.audio.events import find_events
model, folder = AudioClassifier.load(sys.argv[1] + "/m"), sys.argv[1]
options = EventOptions(window_s=3.0, hop_s=3.0, silence_db=None)
def hear(name):
    *events, heard = find_events(model, [f"{folder}/{name}"], options)
    assert not heard.error, heard.error
    return float(heard.duration), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
hear("minutes.wav")
before = hear("minutes.wav")[1]
seconds, after = hear("hour.wav")
print(seconds, (after - before) // 1024)
"""


def test_an_hour_takes_no_more_memory_than_minutes(tmp_path):
    tone_model().save(tmp_path / "m")
    for name, seconds in (("minutes.wav", 180), ("hour.wav", 3600)):
        sf.write(tmp_path / name, np.zeros(0), 16_000, subtype="PCM_16")
        header = bytearray((tmp_path / name).read_bytes()[:44])
        n_bytes = 2 * 16_000 * seconds
        header[4:8], header[40:44] = ((n_bytes + k).to_bytes(4, "little") for k in (36, 0))
        (tmp_path / name).write_bytes(header)
        os.truncate(tmp_path / name, 44 + n_bytes)  # zeros that take no disk
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    seconds, grown = run.stdout.split()
    assert float(seconds) == 3600
    assert int(grown) < 20  # MB; the samples have 230
