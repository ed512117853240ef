"""Folders as people have them: an odd file is used rightly or named with its reason, the rest goes on."""

import csv
import json
import os

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit import AudioClassifier
from conv1d_kit.audio.clip import Clip
from conv1d_kit.cli.main import main

QUICK = ["--epochs", "2", "--n-mels", "16", "--set", "width=4", "--set", "augment=[]"]
PITCH = {"low": 200, "high": 1200}  # Hz


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def _tone(label, seconds, rate, *, channels=1, offset=0.0):
    t = np.arange(round(seconds * rate)) / rate
    x = 0.3 * np.sin(2 * np.pi * PITCH[label] * t) + offset
    return np.repeat(x[:, None], channels, 1)


# name → (seconds, rate, channels, subtype, offset): each is a clip like the others
GOOD = {
    "8k.wav": (0.4, 8000, 1, "PCM_16", 0.0),
    "stereo 44.flac": (0.4, 44100, 2, "PCM_16", 0.0),
    "six channels.wav": (0.4, 16000, 6, "PCM_16", 0.0),
    "192k.wav": (0.4, 192_000, 1, "PCM_24", 0.0),
    "eight_bit.wav": (0.4, 8000, 1, "PCM_U8", 0.0),
    "twenty-four.WAV": (0.4, 22050, 1, "PCM_24", 0.0),
    "a-law.wav": (0.4, 8000, 1, "ALAW", 0.0),
    "mu-law.AU": (0.4, 8000, 1, "ULAW", 0.0),
    "float.Aiff": (0.4, 8000, 1, "FLOAT", 0.0),
    "vorbis.OGG": (0.4, 32000, 2, "VORBIS", 0.0),
    "offset.wav": (0.4, 8000, 1, "PCM_16", 0.5),
    "nested/deep/er/n.wav": (0.4, 8000, 1, "PCM_16", 0.0),
    "long.flac": (200.0, 8000, 1, "PCM_16", 0.0),
    "mpeg.MP3": (0.6, 32000, 1, "MPEG_LAYER_III", 0.0),
}


@pytest.fixture
def awkward(tmp_path):
    root = tmp_path / "set"
    for label in PITCH:
        for name, (seconds, rate, channels, subtype, offset) in GOOD.items():
            place = root / label / name
            place.parent.mkdir(parents=True, exist_ok=True)
            kind = {"mp3": "MP3", "aiff": "AIFF"}.get(place.suffix[1:].lower(), place.suffix[1:].upper())
            x = _tone(label, seconds, rate, channels=channels, offset=offset)
            sf.write(place, x, rate, subtype=subtype, format=kind)
        sf.write(root / label / "two.wav", np.array([0.1, -0.1]), 8000)
    (root / "low" / "notes.txt").write_text("not a sound")
    (root / "low" / ".hidden.wav").write_text("not a sound")
    os.symlink(root, root / "low" / "round")  # a circle
    sf.write(root / "low" / "nan.wav", np.full(4000, np.nan), 8000, subtype="FLOAT")
    (root / "high" / "text.wav").write_text("not a sound at all")
    (root / "high" / "empty.wav").touch()
    whole = (root / "high" / "8k.wav").read_bytes()
    (root / "high" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    return root


BAD = {"nan.wav": "NaN", "text.wav": "text.wav", "empty.wav": "zero-length", "cut.wav": "truncated"}


def test_a_set_of_odd_files_trains_and_names_the_bad_ones(awkward, tmp_path, capsys):
    code, out, err = _run(capsys, "audio", "train", awkward, "--out", tmp_path / "m", *QUICK, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["n_trained"] == 2 * len(GOOD) + 2
    reasons = {os.path.basename(s["path"]): s["error"] for s in result["skipped"]}
    assert reasons.keys() == BAD.keys()
    for name, word in BAD.items():
        assert word in reasons[name]
    assert sorted(os.path.basename(p) for p in result["short"]) == ["two.wav", "two.wav"]
    assert "Traceback" not in err


def test_every_odd_file_gets_its_answer(awkward, tmp_path, capsys):
    """A model that tells the tones apart in plain files tells them apart in every coding, rate and length."""
    t = np.arange(4000) / 8000
    r = np.random.default_rng(0)
    clips = [
        Clip(r.uniform(0.05, 0.5) * np.sin(2 * np.pi * hz * r.uniform(0.9, 1.1) * t) + offset, 8000)
        for hz in PITCH.values() for _ in range(10) for offset in (0.0, 0.5)
    ]  # fmt: skip
    labels = [label for label in PITCH for _ in range(20)]
    model = AudioClassifier(epochs=15, n_mels=16, width=8, augment=(), batch_size=8).fit(clips, labels)
    model.save(tmp_path / "m")
    out = tmp_path / "p.csv"
    code, said, err = _run(capsys, "audio", "predict", tmp_path / "m", awkward, "--out", out, "--json")
    assert code == 0, err
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert len(rows) == 2 * (len(GOOD) + 1) + len(BAD)
    for row in rows:
        name = os.path.basename(row["path"])
        if name in BAD:
            assert (row["label"], bool(row["error"])) == ("", True)
            continue
        assert row["error"] == ""
        if name == "two.wav":
            assert "shorter than one window" in row["note"]
        else:
            assert row["label"] == ("low" if "/low/" in row["path"] else "high"), row
    assert json.loads(said)["n_errors"] == len(BAD)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(awkward, tmp_path, capsys):
    os.chmod(awkward / "low" / "8k.wav", 0)
    _, out, _ = _run(capsys, "audio", "train", awkward, "--out", tmp_path / "m", *QUICK, "--json")
    reasons = {os.path.basename(s["path"]): s["error"] for s in json.loads(out)["skipped"]}
    assert "ermission" in reasons["8k.wav"]


def test_an_hour_in_one_file_is_heard_in_bounded_memory(tmp_path, capsys):
    """Training takes its first minute, prediction hears all of it, in stretches."""
    rate = 2000
    for label, hz in (("a", 100), ("b", 500)):
        (tmp_path / "set" / label).mkdir(parents=True)
        t = np.arange(3600 * rate) / rate
        sf.write(tmp_path / "set" / label / "hour.wav", 0.3 * np.sin(2 * np.pi * hz * t), rate)
        sf.write(tmp_path / "set" / label / "short.wav", 0.3 * np.sin(2 * np.pi * hz * t[:rate]), rate)
    code, out, err = _run(capsys, "audio", "train", tmp_path / "set", "--out", tmp_path / "m", *QUICK, "--json")
    assert code == 0, err
    assert json.loads(out)["n_trained"] == 4
    code, out, err = _run(
        capsys, "audio", "predict", tmp_path / "m", tmp_path / "set", "--out", tmp_path / "p.csv", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["n_errors"] == 0


def test_a_thousand_classes_and_one_clip_a_class(tmp_path, capsys):
    r = np.random.default_rng(0)
    for i in range(1000):
        (tmp_path / "set" / f"c{i:04d}").mkdir(parents=True)
        sf.write(tmp_path / "set" / f"c{i:04d}" / "x.wav", 0.1 * r.standard_normal(400), 4000)
    code, out, err = _run(
        capsys,
        "audio",
        "train",
        tmp_path / "set",
        "--out",
        tmp_path / "m",
        *QUICK[2:],
        "--epochs",
        "1",
        "--json",
    )
    assert code == 0, err
    assert len(json.loads(out)["classes"]) == 1000
    code, out, err = _run(
        capsys,
        "audio",
        "predict",
        tmp_path / "m",
        tmp_path / "set" / "c0000",
        "--out",
        tmp_path / "p.csv",
        "--json",
    )
    assert code == 0, err
    (row,) = csv.DictReader((tmp_path / "p.csv").read_text("utf-8").splitlines())
    assert sum(float(v) for k, v in row.items() if k.startswith("p_")) == pytest.approx(1, abs=1e-3)
    code, _, err = _run(capsys, "audio", "cv", tmp_path / "set", "--folds", "5")
    assert code == 2
    assert "size of the smallest class, got 5 folds and 1 of class" in err


@pytest.mark.parametrize("options", [["--patience", "2"], ["--calibration-share", "0.2"]])
def test_one_clip_a_class_leaves_none_to_hold_out(options, tmp_path, capsys):
    for label in PITCH:
        (tmp_path / "set" / label).mkdir(parents=True)
        sf.write(tmp_path / "set" / label / "x.wav", _tone(label, 0.3, 8000), 8000)
    code, _, err = _run(capsys, "audio", "train", tmp_path / "set", "--out", tmp_path / "m", *QUICK, *options)
    assert code == 2
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "must leave a row of each class" in errors[0]
    assert not (tmp_path / "m").exists()
