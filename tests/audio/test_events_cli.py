"""`conv1d-kit audio events`: the whole verb, and for each bad input one line, exit code 2 and no traceback."""

from __future__ import annotations

import copy
import csv
import json
import os

import numpy as np
import pytest
import soundfile as sf
from tones import RATE, recording, tone_model

from conv1d_kit.cli.main import main

PARTS = [("silence", 2.0), ("low", 3.0), ("silence", 2.0), ("high", 2.0)]
QUICK = ["--window", "1", "--hop", "0.5"]


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["audio", "events", *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


@pytest.fixture
def model(tmp_path):
    tone_model().save(tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def sounds(tmp_path):
    (tmp_path / "day/nested").mkdir(parents=True)
    sf.write(tmp_path / "day/a.wav", recording(PARTS), RATE)
    sf.write(tmp_path / "day/nested/B.WAV", recording(PARTS, 16_000), 16_000, format="WAV")
    return tmp_path / "day"


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table(run, model, sounds, tmp_path):
    (sounds / "zero.wav").touch()
    x = recording(PARTS).astype(np.float32)
    x[-1] = np.inf
    sf.write(sounds / "inf.wav", x, RATE, subtype="FLOAT")
    code, out, err = run(model, sounds, "--out", tmp_path / "x.csv", *QUICK, "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["n_files"], result["n_events"], result["counts"]) == (4, 4, {"low": 2, "high": 2})
    assert {os.path.basename(e["path"]) for e in result["errors"]} == {"zero.wav", "inf.wav"}
    assert (result["window_s"], result["hop_s"]) == (1.0, 0.5)
    assert result["real_time_factor"] > 0
    assert "2 files not heard to the end; their rows say why:" in err
    rows = _rows(tmp_path / "x.csv")
    assert [r["label"] for r in rows if r["path"].endswith("a.wav")] == ["low", "high"]
    assert sum(bool(r["error"]) for r in rows) == 2
    assert rows[1]["end_s"] == "9.000000"


def test_without_json_the_result_is_for_people(run, model, sounds, tmp_path):
    code, out, err = run(model, sounds / "a.wav", "--out", tmp_path / "x.txt", *QUICK, "--classes", "low,high")
    assert (code, err) == (0, "")
    assert "1 file, 9.0 s of sound, 2 events" in out
    assert f"events: {tmp_path / 'x.txt'}" in out
    labels = [line.split("\t")[2] for line in (tmp_path / "x.txt").read_text().splitlines()]
    assert labels == ["low", "high"]


def test_a_class_with_a_comma_in_its_name_can_be_chosen(run, sounds, tmp_path):
    model = copy.copy(tone_model())
    model.classes_ = np.array(["high", "hum, low", "noise"])
    model.save(tmp_path / "commas")
    for classes, words in ((["hum, low"], {"hum, low"}), (["hum, low", "high,noise"], {"hum, low", "high"})):
        given = [word for name in classes for word in ("--classes", name)]
        out = tmp_path / f"{len(classes)}.csv"
        code, _, err = run(tmp_path / "commas", sounds / "a.wav", "--out", out, *QUICK, *given)
        assert (code, err) == (0, "")
        assert {r["label"] for r in _rows(out)} == words


@pytest.mark.parametrize(
    ("name", "more"), [("x.jsonl", []), ("x.Table.1.selections.txt", []), ("x.dat", ["--format", "raven"])]
)
def test_other_formats(name, more, run, model, sounds, tmp_path):
    code, out, _ = run(model, sounds, "--out", tmp_path / name, *QUICK, *more, "--json")
    assert code == 0
    lines = (tmp_path / name).read_text().splitlines()
    assert len(lines) == json.loads(out)["n_events"] + (json.loads(out)["format"] == "raven") >= 4


def test_silence_may_be_heard(run, model, tmp_path):
    sf.write(tmp_path / "s.wav", np.zeros(3 * RATE), RATE)
    for level, n in ((-80, 0), ("-inf", 1)):
        code, out, _ = run(
            model, tmp_path / "s.wav", "--out", tmp_path / "x.csv", "--overwrite", "--silence", level,
            "--on", 0.01, "--json",
        )  # fmt: skip
        assert (code, json.loads(out)["n_events"]) == (0, n)


def test_bad_inputs_give_one_line_and_exit_code_2(run, model, sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.csv").write_text("mine")
    file, out = sounds / "a.wav", ["--out", tmp_path / "x.csv"]
    for arguments, words in (
        ([tmp_path / "no", file, *out], "not a model folder"),
        ([model, *out], "FILE"),
        ([model, file], "--out"),
        ([model, tmp_path / "empty", *out], "no audio file under it"),
        ([model, file, "--out", tmp_path / "empty"], "--out must end in one of"),
        ([model, file, "--out", tmp_path / "empty", "--format", "csv"], "--out must name a file, got the"),
        ([model, file, "--out", file], "--out must not be one of the files"),
        ([model, file, "--out", tmp_path / "old.csv"], "--out must not exist"),
        ([model, file, "--out", tmp_path / "none/x.csv"], "--out must be in a folder that exists"),
        ([model, sounds, "--out", tmp_path / "x.txt"], "--format must hold 2 recordings, got audacity"),
        ([model, file, *out, "--on", 0.3, "--off", 0.5], "--off must be > 0 and at most on = 0.3, got 0.5"),
        ([model, file, *out, "--on", 0], "--on must be > 0"),
        ([model, file, *out, "--window", 0], "--window must be > 0 (s), got 0.0"),
        ([model, file, *out, "--window", "nan"], "--window must be finite"),
        ([model, file, *out, "--window", 1, "--hop", 2], "--hop must be from 1 sample to the window's 8000"),
        ([model, file, *out, "--gap", -1], "--gap must be >= 0"),
        ([model, file, *out, "--min-duration", -1], "--min-duration must be >= 0"),
        ([model, file, *out, "--min-score", 2], "--min-score must be from 0 to 1"),
        ([model, file, *out, "--mode", "all"], "--mode must be one of best, each"),
        ([model, file, *out, "--classes", "lwo"], "--classes must be of the model's high, low, noise, got"),
        ([model, file, *out, "--format", "xml"], "--format must be one of csv"),
        ([model, file, *out, "--silence", 0], "--silence must be < 0"),
    ):  # fmt: skip
        code, _, err = run(*arguments)
        assert code == 2
        assert "Traceback" not in err
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert words in line
    assert (tmp_path / "old.csv").read_text() == "mine"
    assert not (tmp_path / "x.csv").exists()


def test_events_are_not_written_over_a_model(run, model, sounds):
    before = (model / "config.json").read_bytes()
    code, _, err = run(model, sounds, "--out", model / "config.json", "--format", "csv", "--overwrite")
    assert code == 2
    assert "belongs to the model in its folder" in err
    assert (model / "config.json").read_bytes() == before


def test_where_nothing_can_be_heard_the_rows_say_why_and_the_exit_code_is_2(run, model, tmp_path):
    (tmp_path / "zero.wav").touch()
    code, out, _ = run(model, tmp_path / "zero.wav", tmp_path / "no.wav", "--out", tmp_path / "x.csv", "--json")
    assert code == 2
    assert "none of the 2 files could be read; the first:" in json.loads(out)["error"]
    assert [bool(r["error"]) for r in _rows(tmp_path / "x.csv")] == [True, True]


def test_names_that_are_no_utf_8(run, model, sounds, tmp_path):
    name = os.fsdecode(os.fsencode(sounds) + b"/caf\xe9.wav")
    (sounds / "a.wav").rename(name)
    code, out, _ = run(model, name, "--out", tmp_path / "x.csv", *QUICK, "--json")
    assert (code, json.loads(out)["n_events"]) == (0, 2)
    assert _rows(tmp_path / "x.csv")[0]["path"].endswith("caf\\udce9.wav")
