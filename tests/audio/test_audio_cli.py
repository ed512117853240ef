"""`conv1d-kit audio`: whole verbs, and for each bad input one clear line, exit code 2 and no traceback."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.cli.main import main

RATE = 4000
QUICK = ["--epochs", "2", "--n-mels", "16"]


@pytest.fixture
def sounds(tmp_path):
    r = np.random.default_rng(0)
    for i in range(12):
        name = ("low", "high")[i % 2]
        (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        t = np.arange(int(RATE * r.uniform(0.05, 0.3))) / RATE
        sf.write(tmp_path / "set" / name / f"{i}.wav", 0.3 * np.sin(2 * np.pi * (200, 1200)[i % 2] * t), RATE)
    return tmp_path / "set"


def _refused(result, *words):
    code, _, err = result
    assert code == 2
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    for word in words:
        assert str(word) in errors[0]


@pytest.mark.parametrize("as_json", [False, True])
def test_rows_on_standard_output_are_all_that_stands_there(capfd, sounds, tmp_path, monkeypatch, as_json):
    def run(*words):
        with pytest.raises(SystemExit) as end:
            main([str(w) for w in words])
        return (end.value.code, *capfd.readouterr())

    monkeypatch.chdir(tmp_path)
    assert run("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)[0] == 0
    code, out, err = run("audio", "predict", tmp_path / "m", sounds, "--out", "-", *["--json"] * as_json)
    assert code == 0
    assert len(list(csv.DictReader(io.StringIO(out)))) == 12
    assert (json.loads(err)["n_files"] == 12) if as_json else ("standard output" in err)
    assert not (tmp_path / "-").exists()


def test_train_predict_and_cv_from_end_to_end(call, sounds, tmp_path):
    (sounds / "low/empty.wav").touch()
    (sounds / "README.md").write_text("stray")
    code, out, err = call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK, "--json")
    result = json.loads(out)
    assert (code, result["n_trained"], result["n_skipped"]) == (0, 12, 1)
    assert result["classes"] == ["high", "low"]
    assert "empty.wav: zero-length" in err

    (sounds / "high/short.WAV").write_bytes((sounds / "high/1.wav").read_bytes()[:46])
    code, out, err = call("audio", "predict", tmp_path / "m", sounds, "--out", tmp_path / "p.csv", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["n_files"], result["n_errors"]) == (14, 2)
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "score", "p_high", "p_low", "error", "note"]
    assert len(rows) == 14
    assert sum(bool(row["error"]) for row in rows) == 2
    for row in rows:
        if not row["error"]:
            assert float(row["p_high"]) + float(row["p_low"]) == pytest.approx(1, abs=1e-4)
            assert float(row["score"]) == pytest.approx(float(row[f"p_{row['label']}"]))
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []

    code, out, err = call("audio", "cv", sounds, "--folds", 2, "--jobs", 1, *QUICK, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["accuracy"] == pytest.approx(np.mean(result["folds"]))
    assert len(result["folds"]) == 2
    assert result["seconds"] > 0
    assert result["n_skipped"] == 2
    assert np.sum(result["confusion"]) == 12


def test_a_fixed_split_and_a_fold_column_from_a_table(call, sounds, tmp_path):
    files = sorted(sounds.rglob("*.wav"))
    lines = [f"{p},{p.parent.name},{'test' if i % 3 == 0 else 'train'},s{i % 4}" for i, p in enumerate(files)]
    (tmp_path / "t.csv").write_text("path,label,split,speaker\n" + "\n".join(lines))
    code, out, _ = call(
        "audio", "cv", tmp_path / "t.csv", "--folds", "split", "--test-fold", "test", *QUICK, "--json"
    )
    assert code == 0
    assert json.loads(out)["n_test"] == [4]
    code, out, err = call(
        "audio", "cv", tmp_path / "t.csv", "--folds", 2, "--group", "speaker", "--jobs", 1, *QUICK
    )
    assert code == 0
    assert "groups kept together" in err
    assert "confusion" in out


def test_without_json_the_results_are_for_people_on_standard_output(call, sounds, tmp_path):
    code, out, _ = call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    assert code == 0
    assert "trained on 12 of 12 clips" in out
    code, out, _ = call("audio", "predict", tmp_path / "m", sounds / "low", "--out", tmp_path / "p.csv")
    assert code == 0
    assert "6 files, 0 errors" in out.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize(
    ("net", "said"),
    [("wave", ["rate"]), ("depthwise", ["rate", "window", "mel"]), ("two_view", ["rate", "window", "mel"])],
)
def test_what_the_net_has_no_use_for_is_not_said_to_be_chosen(call, sounds, tmp_path, net, said):
    code, _, err = call("audio", "train", sounds, "--net", net, "--epochs", 1, "--out", tmp_path / "m")
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("chosen: ")]
    assert [next(w for w in ("window", "mel", "rate") if w in line) for line in lines] == said


def test_what_set_asks_for_is_not_said_to_be_chosen(call, sounds, tmp_path):
    words = "epochs=1", "sample_rate=4000", 'frontend_options={"n_mels": 20, "hop_length": 40}'
    settings = [w for word in words for w in ("--set", word)]
    code, _, err = call("audio", "train", sounds, *settings, "--out", tmp_path / "m")
    assert code == 0
    assert "chosen" not in err


def test_silence_and_clips_shorter_than_a_window_are_predicted(call, sounds, tmp_path):
    call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    sf.write(tmp_path / "silence.wav", np.zeros(RATE, np.float32), RATE)
    sf.write(tmp_path / "one.wav", np.ones(1, np.float32), RATE)
    code, out, _ = call(
        "audio",
        "predict",
        tmp_path / "m",
        tmp_path / "silence.wav",
        tmp_path / "one.wav",
        "--out",
        tmp_path / "p.csv",
        "--json",
    )
    assert code == 0
    assert json.loads(out)["n_errors"] == 0


def test_bad_data_sets_give_one_line_and_exit_code_2(call, tmp_path, sounds):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one/dog").mkdir(parents=True)
    sf.write(tmp_path / "one/dog/1.wav", np.zeros(100), RATE)
    (tmp_path / "flat").mkdir()
    sf.write(tmp_path / "flat/1.wav", np.zeros(100), RATE)
    (tmp_path / "bad/a").mkdir(parents=True)
    (tmp_path / "bad/b").mkdir()
    for i in range(5):
        (tmp_path / f"bad/a/{i}.wav").touch()
        (tmp_path / f"bad/b/{i}.wav").write_text("no sound")
    (tmp_path / "labels.csv").write_text("path,label\na.wav,x\nb.wav,\n")
    (tmp_path / "columns.csv").write_text("path,labels\na.wav,x\nb.wav,y\n")
    for name, words in [
        ("empty", ["no audio file under it"]),
        ("one", ["one class", "'dog'"]),
        ("flat", ["have no labels"]),
        ("bad", ["none of the 10 files can be read", "zero-length"]),
        ("nowhere", ["no such folder or table"]),
        ("labels.csv", ["line 3 (b.wav) has no label"]),
        ("columns.csv", ["no column 'label'", "nearest: labels"]),
    ]:
        place = tmp_path / name
        for verb in (["train", place, "--out", tmp_path / "m"], ["cv", place, "--jobs", 1]):
            _refused(call("audio", *verb), place, *words)
    assert not (tmp_path / "m").exists()
    _refused(call("audio", "cv", sounds, "--folds", "esc"), "not named like ESC")
    _refused(call("audio", "cv", sounds, "--group", "speaker"), "no column 'speaker'")
    _refused(call("audio", "cv", sounds, "--folds", 50), sounds, "--folds must be at most")
    _refused(call("audio", "cv", sounds, "--folds", 1), "--folds must be")
    _refused(call("audio", "cv", sounds, "--folds", 2, "--test-fold", "x"), "--test-fold")


def test_bad_options_give_one_line_and_exit_code_2(call, sounds, tmp_path):
    _refused(call("audio", "train", sounds, "--out", tmp_path / "m", "--net", "resnet"), "--net must be one of")
    (tmp_path / "taken").mkdir()
    _refused(call("audio", "train", sounds, "--out", tmp_path / "taken"), "not a model folder")
    _refused(call("audio", "train", sounds), "--out")
    _refused(call("audio", "train", sounds, "--out", tmp_path / "m", "--epochs", 0), "epochs")
    _refused(call("audio", "predict", tmp_path / "none", sounds), "not a model folder")
    code, out, _ = call("audio", "cv", tmp_path / "nowhere", "--json")
    assert code == 2
    assert "no such folder" in json.loads(out)["error"]


def test_predictions_where_nothing_can_be_read_end_with_exit_code_2(call, sounds, tmp_path):
    call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    (tmp_path / "none").mkdir()
    (tmp_path / "x.wav").touch()
    _refused(
        call("audio", "predict", tmp_path / "m", tmp_path / "none", "--out", tmp_path / "p.csv"),
        "no audio file",
    )
    code, _, err = call("audio", "predict", tmp_path / "m", tmp_path / "x.wav", "--out", tmp_path / "p.csv")
    assert code == 2
    assert "zero-length" in err
    assert "zero-length" in (tmp_path / "p.csv").read_text()
    code, out, _ = call(
        "audio", "predict", tmp_path / "m", tmp_path / "x.wav", "--out", tmp_path / "p.csv", "--json"
    )
    assert code == 2
    assert "none of the 1 files could be read" in json.loads(out)["error"]


@pytest.mark.slow
def test_fsdd_official_split_reaches_98_percent(call, shared_data, tmp_path):
    """About five minutes: python benchmarks/fsdd_manifest.py writes the same table."""
    files = sorted((shared_data / "fsdd/recordings").glob("*.wav"))
    split = ["test" if int(p.stem.split("_")[2]) < 5 else "train" for p in files]
    lines = [f"{p},{p.stem[0]},{s}" for p, s in zip(files, split, strict=True)]
    (tmp_path / "fsdd.csv").write_text("path,label,split\n" + "\n".join(lines))
    _, out, _ = call("audio", "cv", tmp_path / "fsdd.csv", "--folds", "split", "--test-fold", "test", "--json")
    assert json.loads(out)["accuracy"] >= 0.98


def test_esc_10_is_read_with_its_folds(shared_data):
    from conv1d_kit.audio.dataset import make_folds, read_dataset

    table = read_dataset(shared_data / "esc10")
    described, folds = make_folds(table)
    assert (len(table), len(table.classes)) == (400, 10)
    assert "ESC" in described
    assert [len(test) for _, test in folds] == [80] * 5


def _wav(path, samples=None, rate=RATE):
    os.makedirs(os.path.dirname(os.fsencode(path)), exist_ok=True)
    with open(os.fsencode(path), "wb") as file:
        sf.write(file, np.sin(np.arange(800)) / 2 if samples is None else samples, rate, format="WAV")


def _json(result):
    code, out, err = result
    assert "Traceback" not in err
    return code, json.loads(out), err


def test_names_that_are_no_utf_8_go_through_every_verb(call, sounds, tmp_path):
    _wav(os.fsencode(sounds) + b"/low/caf\xe9.wav")
    (sounds / "low").rename(os.fsdecode(os.fsencode(sounds) + b"/l\xf6w"))
    code, result, _ = _json(call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK, "--json"))
    assert (code, result["n_trained"], result["classes"]) == (0, 13, ["high", "l\\udcf6w"])
    code, result, err = _json(
        call("audio", "predict", tmp_path / "m", sounds, "--out", tmp_path / "p.csv", "--json")
    )
    assert (code, result["n_errors"]) == (0, 0)
    assert "/l\\udcf6w/caf\\udce9.wav" in (tmp_path / "p.csv").read_text("utf-8")
    _wav(os.fsencode(sounds) + b"/high/\xff.wav", np.zeros(0))
    code, result, err = _json(call("audio", "cv", sounds, "--folds", 2, "--jobs", 1, *QUICK, "--json"))
    assert (code, result["n_skipped"]) == (0, 1)
    assert "\\udcff.wav: zero-length" in err
    assert result["skipped"][0]["path"].endswith("\\udcff.wav")


def test_one_row_or_argument_that_is_no_file_name_is_one_bad_file(call, sounds, tmp_path):
    long = "x" * 5000 + ".wav"
    rows = [f"{p},{p.parent.name}" for p in sorted(sounds.rglob("*.wav"))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows, f"{long},low", "blank.wav,", ""]))
    code, result, err = _json(
        call("audio", "train", tmp_path / "t.csv", "--out", tmp_path / "m", *QUICK, "--json")
    )
    assert (code, result["n_files"], result["n_trained"], result["n_skipped"]) == (0, 14, 12, 2)
    assert "File name too long" in err
    assert "line 15 (blank.wav) has no label" in err
    code, result, _ = _json(
        call(
            "audio",
            "predict",
            tmp_path / "m",
            long,
            sounds / "low/0.wav",
            "--out",
            tmp_path / "p.csv",
            "--json",
        )
    )
    assert (code, result["n_files"], result["n_errors"]) == (0, 2, 1)


def test_silent_and_short_clips_are_named_in_both_verbs(call, sounds, tmp_path):
    _wav(sounds / "low/silent.wav", np.zeros(900))
    _wav(sounds / "low/short.wav", np.ones(20) / 2)
    code, result, err = _json(call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK, "--json"))
    assert (code, result["n_trained"]) == (0, 14)
    assert result["silent"] == [str(sounds / "low/silent.wav")]
    assert str(sounds / "low/short.wav") in result["short"]
    assert "1 clip silent (all samples 0), used all the same" in err
    code, result, _ = _json(
        call("audio", "predict", tmp_path / "m", sounds, "--out", tmp_path / "p.csv", "--json")
    )
    with open(tmp_path / "p.csv", newline="") as file:
        notes = {os.path.basename(row["path"]): row["note"] for row in csv.DictReader(file)}
    assert notes["silent.wav"] == "silent"
    assert notes["short.wav"] == "shorter than one window of 32 ms"
    assert {n["note"] for n in result["notes"]} >= set(notes.values()) - {""}
    for name in "ab":
        _wav(tmp_path / f"mute/{name}/1.wav", np.zeros(900))
        _wav(tmp_path / f"mute/{name}/2.wav", np.zeros(900))
    _refused(
        call("audio", "train", tmp_path / "mute", "--out", tmp_path / "m2"), "every clip is silent", "a/1.wav"
    )
    _refused(call("audio", "cv", tmp_path / "mute", "--folds", 2), "every clip is silent", tmp_path / "mute")


def test_a_class_lost_to_a_bad_file_is_said_with_path_and_reason(call, tmp_path):
    _wav(tmp_path / "set/b/y.wav")
    (tmp_path / "set/a").mkdir()
    (tmp_path / "set/a/x.wav").write_text("x")
    _refused(
        call("audio", "train", tmp_path / "set", "--out", tmp_path / "m"),
        tmp_path / "set/a/x.wav", "not a readable audio file", "only clips of the class 'b'",
    )  # fmt: skip


@pytest.mark.parametrize("word", ["0", "1", "-3", "2.5", "1e9", "²", "99999999999"])
def test_folds_that_cannot_be_are_refused_by_the_options_name(call, sounds, word):
    code, _, err = call("audio", "cv", sounds, f"--folds={word}")
    assert code == 2
    assert "Traceback" not in err
    assert ("--folds must be" in err) or (f"no column '{word}'" in err)


def test_folds_that_leave_one_class_are_refused_before_a_file_is_read(call, sounds, tmp_path):
    rows = [f"{p},{p.parent.name},{p.parent.name},1" for p in sorted(sounds.rglob("*.wav"))]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,fold,one", *rows]))
    _refused(call("audio", "cv", tmp_path / "t.csv"), tmp_path / "t.csv", "fold 'high' leaves only", "'low'")
    _refused(
        call("audio", "cv", tmp_path / "t.csv", "--folds", "one"),
        tmp_path / "t.csv",
        "column 'one' holds one value",
    )


def test_numbers_too_large_are_refused_by_the_options_name(call, sounds, tmp_path):
    for option in (("--seed", 10**22), ("--sample-rate", 2_000_000), ("--epochs", "x")):
        _refused(call("audio", "train", sounds, "--out", tmp_path / "m", *option), option[0])


def test_empty_folders_and_repeats_are_told_in_prediction(call, sounds, tmp_path):
    call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    (tmp_path / "none").mkdir()
    code, result, err = _json(
        call("audio", "predict", tmp_path / "m", tmp_path / "none", sounds, sounds / "low",
             sounds / "low/0.wav", "--out", tmp_path / "p.csv", "--json")
    )  # fmt: skip
    assert (code, result["n_files"], result["n_repeats"]) == (0, 12, 7)
    assert result["empty_folders"] == [str(tmp_path / "none")]
    assert f"{tmp_path / 'none'}: no audio file under it" in err
    assert "7 repeats" in err
    (tmp_path / "link.wav").symlink_to(sounds / "low/0.wav")
    for out in (sounds / "low/0.wav", tmp_path / "link.wav"):
        before = out.read_bytes()
        _refused(
            call("audio", "predict", tmp_path / "m", sounds, "--out", out), "--out must not be one of the files"
        )
        assert out.read_bytes() == before
    assert "  -: no such file" in call("audio", "predict", tmp_path / "m", "-", "--out", "-")[2]


def test_a_place_that_holds_anything_else_is_refused_before_training(call, sounds, tmp_path):
    call("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    (tmp_path / "m/thesis.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in ("m", "file", "file/m", "link"):
        code, _, err = call("audio", "train", tmp_path / "no such set", "--out", tmp_path / out)
        assert code == 2
        assert "no such folder" not in err  # the place is looked at first
        assert str(tmp_path / out) in err


def test_help_names_every_net():
    from conv1d_kit.audio.members import NETS
    from conv1d_kit.cli.audio_options import Net

    words = Net.__metadata__[0].help
    assert all(name in words for name in NETS)


def test_one_ctrl_c_ends_cross_validation_within_seconds(sounds):
    command = ["audio", "cv", str(sounds), "--folds", "2", "--jobs", "2", "--epochs", "100000"]
    code = f"from conv1d_kit.cli.main import main\nif __name__ == '__main__': main({command!r})"
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    script = sounds.parent / "script.py"
    script.write_text(code)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=environment,
    )  # fmt: skip
    with process:
        while "epochs a fold" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(4)
        os.killpg(process.pid, signal.SIGINT)
        start = time.perf_counter()
        out, err = process.communicate(timeout=30)
        assert time.perf_counter() - start < 6
    assert (process.returncode, out, err.strip()) == (130, "", "interrupted")
