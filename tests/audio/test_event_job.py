"""A search that is killed goes on to identical bytes; what must not be written or gone on from is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from tones import RATE, recording, tone_model

from conv1d_kit.audio import event_job
from conv1d_kit.audio.event_job import write_events
from conv1d_kit.audio.event_options import EventOptions
from conv1d_kit.errors import DataError, InputError, InputTypeError

OPTIONS = EventOptions(window_s=0.5, hop_s=0.25)
PARTS = [("low", 3.0), ("silence", 2.0), ("high", 2.5), ("noise", 1.5), ("low", 6.0)]


@pytest.fixture
def files(tmp_path):
    sf.write(tmp_path / "a.wav", recording(PARTS), RATE)
    (tmp_path / "b.wav").touch()
    sf.write(tmp_path / "c.flac", recording(PARTS[::-1], 22_050), 22_050)
    return [tmp_path / name for name in ("a.wav", "b.wav", "c.flac")]


def test_one_result_whatever_happens_and_nothing_beside_it(files, tmp_path):
    result = write_events(tone_model(), files, tmp_path / "x.csv", OPTIONS)
    assert (result.n_files, result.format, len(result.errors)) == (3, "csv", 1)
    assert result.n_events == sum(result.counts.values()) >= 8
    assert result.duration_s == pytest.approx(30)
    assert result.real_time_factor > 1
    assert (result.resumed_files, result.resumed_windows) == (0, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "b.wav", "c.flac", "x.csv"]
    text = (tmp_path / "x.csv").read_text()
    assert text.count("\n") == 1 + result.n_events + 1
    assert "zero-length" in text


KILLED = """
import os, signal, sys
from conv1d_kit import AudioClassifier
from conv1d_kit.audio import event_job
from conv1d_kit.audio.event_job import write_events
from conv1d_kit.audio.event_options import EventOptions
event_job.JOURNAL_S = 0
model, (*paths,) = AudioClassifier.load(sys.argv[1]), sys.argv[3:]
options = EventOptions(window_s=0.5, hop_s=0.25)
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def run(out, progress):
    if os.fork() == 0:
        write_events(model, paths, out, options, resume=True, progress=progress)
        os._exit(0)
    return os.wait()[1]
class Job(event_job._Job):
    def convert(self, format):
        super().convert(format)
        kill()
for out in sys.argv[2].split(","):
    for where in (4, 8, 15, 20, 29):
        assert run(out, lambda done, heard_s: heard_s >= where and kill()) == signal.SIGKILL
        assert not os.path.exists(out)
    event_job._Job, kept = Job, event_job._Job
    assert run(out, None) == signal.SIGKILL
    event_job._Job = kept
    print(write_events(model, paths, out, options, resume=True).resumed_files)
"""


def test_a_killed_search_goes_on_to_identical_bytes(files, tmp_path):
    model = tone_model()
    model.save(tmp_path / "m")
    names = "x.csv", "x.selections.txt"
    for name in names:
        write_events(model, files, tmp_path / f"whole.{name}", OPTIONS)
    outs = ",".join(str(tmp_path / name) for name in names)
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "m"), outs, *map(str, files)],
        capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split() == ["3", "3"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (tmp_path / f"whole.{name}").read_bytes()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


class Stop(Exception):
    pass


def stopped(files, out, monkeypatch, *, at_s=4.0):
    """An ended run that left a journal."""
    monkeypatch.setattr(event_job, "JOURNAL_S", 0)

    def stop(done, heard_s):
        if heard_s >= at_s:
            raise Stop

    with pytest.raises(Stop):
        write_events(tone_model(), files, out, OPTIONS, progress=stop)
    return out.with_name(f".{out.name}.part")


def test_a_resumed_run_scores_only_what_is_left(files, tmp_path, monkeypatch):
    stopped(files, tmp_path / "x.csv", monkeypatch)
    result = write_events(tone_model(), files, tmp_path / "x.csv", OPTIONS, resume=True)
    assert result.resumed_files == 0
    assert result.resumed_windows >= 16
    write_events(tone_model(), files, tmp_path / "y.csv", OPTIONS)
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_a_journal_of_another_search_is_refused_with_the_cure(files, tmp_path, monkeypatch):
    out = tmp_path / "x.csv"
    stopped(files, out, monkeypatch)
    for change, words in (
        ({"options": EventOptions(window_s=0.5, hop_s=0.25, on=0.6)}, "the on it began with, 0.5, got 0.6"),
        ({"options": EventOptions(window_s=1.0, hop_s=0.25)}, "the window it began with, 4000, got 8000"),
        ({"paths": files[:2]}, "the files it began with, 3 files"),
        ({"format": "jsonl"}, "the format it began with, csv, got jsonl"),
    ):
        given = {"paths": files, "options": OPTIONS, "format": None, **change}
        with pytest.raises(InputError, match=f"resume must have {words}.*leave resume out"):
            write_events(
                tone_model(), given["paths"], out, given["options"], format=given["format"], resume=True
            )
    os.utime(files[0], ns=(1, 1))
    with pytest.raises(InputError, match="the files it began with"):
        write_events(tone_model(), files, out, OPTIONS, resume=True)
    result = write_events(tone_model(), files, out, OPTIONS)  # begins anew
    assert result.resumed_windows == 0


def test_a_damaged_journal_is_refused_with_the_cure(files, tmp_path, monkeypatch):
    out = tmp_path / "x.csv"
    folder = stopped(files, out, monkeypatch, at_s=16.0)
    journal = folder / "journal.npz"
    whole = journal.read_bytes()
    rows = (folder / "rows.jsonl").read_bytes()
    assert rows
    (folder / "rows.jsonl").write_bytes(rows[:5])
    with pytest.raises(DataError, match="shorter than its journal says; leave resume out"):
        write_events(tone_model(), files, out, OPTIONS, resume=True)
    for damaged in (b"", b"no zip", whole[: len(whole) // 2]):
        journal.write_bytes(damaged)
        with pytest.raises(DataError, match=r"not a readable journal.*leave resume out"):
            write_events(tone_model(), files, out, OPTIONS, resume=True)
    assert not out.exists()


def test_resume_without_a_journal_begins_at_the_start(files, tmp_path):
    assert write_events(tone_model(), files, tmp_path / "x.csv", OPTIONS, resume=True).resumed_files == 0


def test_what_must_not_be_written_is_refused_before_anything_is_heard(files, tmp_path):
    (tmp_path / "old.csv").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    os.link(files[0], tmp_path / "same.csv")
    for out, words in (
        ("old.csv", "out must not exist"), ("folder.csv", "out must name a file, got the folder"),
        ("same.csv", "out must be another file than the recording"), ("no/x.csv", "make .*no first"),
        ("x.doc", "out must end in"), ("x.txt", "format must hold 3 recordings, got audacity, which holds one"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            write_events(tone_model(), files, tmp_path / out, OPTIONS)
    assert (tmp_path / "old.csv").read_text() == "mine"
    write_events(tone_model(), files[:1], tmp_path / "old.csv", OPTIONS, overwrite=True)
    assert "mine" not in (tmp_path / "old.csv").read_text()
    with pytest.raises(InputError, match="paths must hold at least one file"):
        write_events(tone_model(), [], tmp_path / "x.csv", OPTIONS)
    with pytest.raises(InputTypeError, match="paths must be a sequence"):
        write_events(tone_model(), str(files[0]), tmp_path / "x.csv", OPTIONS)


def test_a_fault_while_writing_is_one_clear_error(files, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(event_job.os, "fsync", full)
    with pytest.raises(DataError, match=r"x\.csv: cannot be written \(No space left on device\).*--resume"):
        write_events(tone_model(), files, tmp_path / "x.csv", OPTIONS)
    assert not (tmp_path / "x.csv").exists()


def test_labels_that_are_numbers_are_written_as_words(files, tmp_path):
    model = tone_model()
    classes = model.classes_
    try:
        model.classes_ = np.array([1, 2, 3])
        result = write_events(model, files[:1], tmp_path / "x.txt", OPTIONS)
        assert set(result.counts) <= {"1", "2", "3"}
    finally:
        model.classes_ = classes
