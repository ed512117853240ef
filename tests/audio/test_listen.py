"""Live windows equal the file's, however the blocks come; a made-up sound card is heard; Ctrl-C ends it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from tones import RATE, recording, sound, tone_model

from conv1d_kit.audio.event_options import EventOptions
from conv1d_kit.audio.events import Scorer
from conv1d_kit.audio.listen import Listener, LiveBlock, LiveSession, Microphone, PlayedFile
from conv1d_kit.audio.windows import WindowBatch
from conv1d_kit.errors import DataError, InputError

OPTIONS = EventOptions(window_s=1.0, hop_s=0.25)
SOUND = recording([("silence", 1.0), ("low", 1.5), ("high", 1.5)]).astype(np.float32)

CARD = """
import threading, time, numpy as np
class PortAudioError(Exception):
    pass
def query_devices(kind):
    assert kind == "input"
    return {"default_samplerate": 16000.0}
class InputStream:
    def __init__(self, *, samplerate, blocksize, channels, dtype, callback):
        self.n, self.rate, self.call = blocksize, samplerate, callback
    def __enter__(self):
        self.plays, self.thread = True, threading.Thread(target=self.run, daemon=True)
        self.thread.start()
    def run(self):
        t, n_calls = np.arange(self.n), 0
        while self.plays:
            x = (0.3 * np.sin(2 * np.pi * 300 / self.rate * (t + n_calls * self.n))).astype(np.float32)
            self.call(x[:, None], self.n, None, n_calls == 3)
            n_calls += 1
            time.sleep(self.n / self.rate)
    def __exit__(self, *_):
        self.plays = False
        self.thread.join()
"""


@pytest.mark.parametrize("size", [1_000, 2_000, 733, 32_000])
def test_moments_are_those_of_the_last_window_for_any_blocks(size):
    listener = Listener(tone_model(), RATE, OPTIONS)
    found = [m for i in range(0, len(SOUND), size) for m in listener.push(SOUND[i : i + size])]
    found += listener.finish()
    scorer, window = Scorer(tone_model(), OPTIONS), RATE
    assert [m.time for m in found] == [Fraction(k, 4) for k in range(1, 17)]
    for moment in found:
        end = int(moment.time * RATE)
        heard = SOUND[max(0, end - window) : end]
        padded = np.concatenate([heard, np.zeros(window - len(heard), np.float32)])
        (row,) = scorer.scores(WindowBatch(0, padded[None], np.array([len(heard)])))
        assert moment.score == row.max()
        assert moment.label == (scorer.labels[row.argmax()] if row.max() >= 0.5 else None)
    assert found[3].label is None  # silence
    assert (found[9].label, found[15].label) == ("low", "high")


def test_other_rates_are_resampled_and_the_rest_after_the_last_hop_is_heard():
    x = sound("low", 1.1, 44_100).astype(np.float32)
    listener = Listener(tone_model(), 44_100, EventOptions(window_s=1.0, hop_s=0.5))
    found = listener.push(x) + listener.finish()
    assert [m.label for m in found] == ["low"] * 3
    assert [m.time for m in found] == [Fraction(1, 2), 1, Fraction(11, 10)]


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_after_its_end_a_sound_takes_no_more(rate):
    listener = Listener(tone_model(), rate, EventOptions(window_s=1.0, hop_s=0.5))
    listener.push(np.zeros(100, np.float32))
    assert len(listener.finish()) == 1
    assert listener.finish() == []
    with pytest.raises(InputError, match="has ended: after finish, samples are for a new Listener"):
        listener.push(np.zeros(100, np.float32))


def test_behind_time_only_the_newest_hop_is_heard():
    listener = Listener(tone_model(), RATE, OPTIONS)
    assert [m.time for m in listener.push(SOUND, latest_only=True)] == [4]


def test_late_blocks_are_counted():
    class Source:
        sample_rate, n_gaps = RATE, 0

        def __iter__(self):
            for k, late_s in enumerate((0.0, 5.0, 0.0)):
                yield LiveBlock(SOUND[k * RATE : (k + 1) * RATE], time.perf_counter() - late_s)

    session = LiveSession(tone_model(), Source(), OPTIONS)
    times = [m.time for m in session]
    assert (session.n_blocks, session.n_late) == (3, 1)
    assert times == [Fraction(k, 4) for k in range(1, 9)] + [3]  # three hops were skipped to catch up


def test_a_file_is_played_in_its_own_time(tmp_path):
    sf.write(tmp_path / "x.wav", np.stack([SOUND, SOUND], 1), RATE)
    now, waits = [100.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    blocks = list(PlayedFile(tmp_path / "x.wav", block_s=0.5, clock=lambda: now[0], sleep=sleep))
    assert waits == pytest.approx([0.5] * 8)
    assert [b.heard_at for b in blocks] == pytest.approx([100.5 + 0.5 * k for k in range(8)])
    assert np.concatenate([b.samples for b in blocks]) == pytest.approx(SOUND, abs=1e-4)
    with pytest.raises(DataError, match="no such file"):
        PlayedFile(tmp_path / "none.wav")


def test_a_microphone_without_its_package_says_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(InputError, match=r"pip install 'conv1d_kit\[live\]', or give a file"):
        Microphone()


@pytest.fixture
def card(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text(CARD)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("sounddevice", None)


def test_a_microphone_is_heard(card):
    source = Microphone(block_s=0.05)
    session = LiveSession(tone_model(), source, EventOptions(window_s=0.5, hop_s=0.25), duration_s=0.75)
    found = list(session)
    assert [m.time for m in found] == [Fraction(k, 4) for k in (1, 2, 3)]
    assert [m.label for m in found] == ["low"] * 3
    assert (session.n_blocks, source.n_gaps) == (15, 1)


def test_no_microphone_is_one_clear_error(card, monkeypatch):
    import sounddevice

    def none(kind):
        raise sounddevice.PortAudioError("Error querying device -1")

    monkeypatch.setattr(sounddevice, "query_devices", none)
    with pytest.raises(DataError, match=r"none can be heard \(Error querying device -1\); plug one in, or"):
        Microphone()


@pytest.fixture
def model(tmp_path):
    tone_model().save(tmp_path / "m")
    return tmp_path / "m"


def test_listen_prints_a_row_a_hop(call, model, tmp_path):
    sf.write(tmp_path / "x.wav", SOUND[RATE // 2 :], RATE)
    given = ["audio", "listen", model, "--file", tmp_path / "x.wav", "--window", 0.5, "--hop", 0.5]
    code, out, err = call(*given, "--seconds", 1.5)
    assert code == 0
    rows = [re.fullmatch(r" +(\d+\.\d\d) s  (\d\.\d{3})  (.+)", line).groups() for line in out.splitlines()]
    assert [(t, label) for t, _, label in rows] == [("0.50", "–"), ("1.00", "low"), ("1.50", "low")]
    assert re.search(r"15 blocks heard, \d+ late", err)
    code, out, _ = call(*given, "--seconds", 0.6, "--json")
    *rows, summary = [json.loads(line) for line in out.splitlines()]
    assert [r["time_s"] for r in rows] == [0.5, 0.6]
    assert rows[0] == {"time_s": 0.5, "label": None, "score": 0.0}
    assert (summary["rows"], summary["blocks"], summary["gaps"]) == (2, 6, 0)


def test_bad_words_are_one_line_and_exit_code_2(call, model, tmp_path):
    sf.write(tmp_path / "x.wav", SOUND, RATE)
    (tmp_path / "zero.wav").touch()
    for arguments, words in (
        ([tmp_path / "no", "--file", tmp_path / "x.wav"], "not a model folder"),
        ([model, "--file", tmp_path / "none.wav"], "no such file"),
        ([model, "--file", tmp_path / "zero.wav"], "zero-length"),
        ([model, "--file", tmp_path / "x.wav", "--window", 0], "--window must be > 0"),
        ([model, "--file", tmp_path / "x.wav", "--hop", 9], "--hop must be from 1 sample"),
        ([model, "--file", tmp_path / "x.wav", "--on", 2], "--on must be > 0 and at most 1"),
        ([model, "--file", tmp_path / "x.wav", "--classes", "lwo"], "--classes must be of the model's"),
        ([model, "--file", tmp_path / "x.wav", "--seconds", -1], "--seconds must be > 0"),
    ):
        code, out, err = call("audio", "listen", *arguments)
        assert (code, out) == (2, "")
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert words in line


def test_ctrl_c_ends_it_with_exit_code_130(model, tmp_path):
    (tmp_path / "sounddevice.py").write_text(CARD)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "conv1d_kit", "audio", "listen", model, "--window", "0.5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}",
             "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    rows = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert rows[0].split()[:2] == ["0.25", "s"]
    assert rows[1].split()[-1] == "low"
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted"
    assert re.search(r"\d+ blocks heard, \d+ late, 1 gaps", err)
