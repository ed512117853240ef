"""`audio inspect` and `audio report`: whole verbs on small sets, and one clear line for what cannot be used."""

import json

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.training.predictions import Predictions

RATE = 8000


@pytest.fixture
def sounds(tmp_path):
    r = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(6):
            x = 0.1 * r.normal(size=RATE) * np.hanning(RATE) ** r.uniform(0.2, 2)
            sf.write(tmp_path / "set" / name / f"{i}.wav", x, RATE)
    copy = (tmp_path / "set/a/0.wav").read_bytes()
    (tmp_path / "set/b/copy.wav").write_bytes(copy)
    (tmp_path / "set/b/empty.wav").touch()
    return tmp_path / "set"


@pytest.fixture
def predictions(sounds, tmp_path):
    r = np.random.default_rng(1)
    paths = sorted(str(p.relative_to(sounds)) for p in sounds.rglob("*.wav"))
    labels = tuple(p[0] for p in paths)
    said = Predictions(("a", "b"), tuple(paths), labels, r.dirichlet([1, 1], len(paths)),
                       folds=tuple(i % 2 for i in range(len(paths))))  # fmt: skip
    return said.save(tmp_path / "p.jsonl")


def test_inspect_says_a_line_a_kind_and_writes_its_page(call, sounds, tmp_path):
    code, out, err = call("audio", "inspect", sounds, "--folds", 2, "--html", tmp_path / "i.html")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("error: 1 set of copies have different labels (a/0.wav = b/copy.wav)")
    assert any(line.startswith("warning: 1 file: damaged, empty") for line in lines)
    assert "folds: by 2 stratified folds" in err
    page = (tmp_path / "i.html").read_text("utf-8")
    assert "a/0.wav = b/copy.wav" in page
    assert "Can the class be told without listening?" in page


def test_inspect_as_json_names_every_case(call, sounds):
    code, out, _ = call("audio", "inspect", sounds, "--folds", 2, "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["n_files"], result["n_unreadable"], result["classes"]) == (14, 1, ["a", "b"])
    kinds = {f["kind"]: f for f in result["findings"]}
    assert kinds["duplicate_across_classes"]["files"] == [["a/0.wav", "b/copy.wav"]]
    assert {"severity", "words", "cure", "details"} <= kinds["unreadable"].keys()
    assert 0 <= result["clues"]["level"]["accuracy"] <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "no such folder or table"),
        (["set", "--folds", "1"], "--folds must be"),
        (["set", "--group", "speaker"], "has no column 'speaker'"),
        (["set", "--html", "set"], "is a folder"),
    ],
)
def test_inspect_refuses_in_one_line(call, sounds, monkeypatch, arguments, words):
    monkeypatch.chdir(sounds.parent)
    code, out, err = call("audio", "inspect", *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_report_from_kept_predictions(call, sounds, predictions, tmp_path):
    code, out, err = call(
        "audio", "report", predictions, "--root", sounds, "--out", tmp_path / "r.html", "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    said = Predictions.load(predictions)
    assert result["pooled_accuracy"] == pytest.approx(said.accuracy)
    assert result["out"] == str(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "<audio" in page
    assert "The data" in page
    assert "a/0.wav = b/copy.wav" in page


def test_report_without_the_sounds_still_stands(call, predictions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("audio", "report", predictions)
    assert code == 0
    assert "no sound file is at its path" in err
    assert "page: report.html" in out
    assert "No sound: a/" in (tmp_path / "report.html").read_text("utf-8")
    code, _, err = call("audio", "report", predictions, "--no-inspect")
    assert code == 0
    assert "no sound file is at its path" not in err


def test_report_refuses_in_one_line(call, predictions, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{")
    for arguments, words in (
        (["nowhere.jsonl"], "cannot be read"),
        ([tmp_path / "bad.jsonl", "--out", tmp_path / "x.html"], "line 1 is not JSON"),
        ([predictions, "--out", tmp_path], "is a folder"),
    ):
        code, _, err = call("audio", "report", *arguments)
        assert code == 2
        assert words in err
        assert "Traceback" not in err
    assert not (tmp_path / "x.html").exists()
