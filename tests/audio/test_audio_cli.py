"""`conv1d-kit audio`: whole verbs, and for each bad input one clear line, exit code 2 and no traceback."""

import csv
import json

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.cli.main import main

RATE = 4000
QUICK = ["--epochs", "2", "--n-mels", "16"]


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


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


def test_train_predict_and_cv_from_end_to_end(run, sounds, tmp_path):
    (sounds / "low/empty.wav").touch()
    (sounds / "README.md").write_text("stray")
    code, out, err = run("audio", "train", sounds, "--out", tmp_path / "m", *QUICK, "--json")
    result = json.loads(out)
    assert (code, result["n_trained"], result["n_skipped"]) == (0, 12, 1)
    assert result["classes"] == ["high", "low"]
    assert "empty.wav: zero-length" in err

    (sounds / "high/short.WAV").write_bytes((sounds / "high/1.wav").read_bytes()[:46])
    code, out, err = run("audio", "predict", tmp_path / "m", sounds, "--out", tmp_path / "p.csv", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["n_files"], result["n_errors"]) == (14, 2)
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "score", "p_high", "p_low", "error"]
    assert len(rows) == 14
    assert sum(bool(row["error"]) for row in rows) == 2
    for row in rows:
        if not row["error"]:
            assert float(row["p_high"]) + float(row["p_low"]) == pytest.approx(1, abs=1e-4)
            assert float(row["score"]) == pytest.approx(float(row[f"p_{row['label']}"]))
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []

    code, out, err = run("audio", "cv", sounds, "--folds", 2, "--jobs", 1, *QUICK, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["accuracy"] == pytest.approx(np.mean(result["folds"]))
    assert len(result["folds"]) == 2
    assert result["seconds"] > 0
    assert result["n_skipped"] == 2
    assert np.sum(result["confusion"]) == 12


def test_a_fixed_split_and_a_fold_column_from_a_table(run, sounds, tmp_path):
    files = sorted(sounds.rglob("*.wav"))
    lines = [f"{p},{p.parent.name},{'test' if i % 3 == 0 else 'train'},s{i % 4}" for i, p in enumerate(files)]
    (tmp_path / "t.csv").write_text("path,label,split,speaker\n" + "\n".join(lines))
    code, out, _ = run(
        "audio", "cv", tmp_path / "t.csv", "--folds", "split", "--test-fold", "test", *QUICK, "--json"
    )
    assert code == 0
    assert json.loads(out)["n_test"] == [4]
    code, out, err = run(
        "audio", "cv", tmp_path / "t.csv", "--folds", 2, "--group", "speaker", "--jobs", 1, *QUICK
    )
    assert code == 0
    assert "groups kept together" in err
    assert "confusion" in out


def test_without_json_the_results_are_for_people_on_standard_output(run, sounds, tmp_path):
    code, out, _ = run("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    assert code == 0
    assert "trained on 12 of 12 clips" in out
    code, out, _ = run("audio", "predict", tmp_path / "m", sounds / "low", "--out", tmp_path / "p.csv")
    assert code == 0
    assert "6 files, 0 errors" in out.replace("\n", " ").replace("  ", " ")


def test_silence_and_clips_shorter_than_a_window_are_predicted(run, sounds, tmp_path):
    run("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    sf.write(tmp_path / "silence.wav", np.zeros(RATE, np.float32), RATE)
    sf.write(tmp_path / "one.wav", np.ones(1, np.float32), RATE)
    code, out, _ = run(
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


def test_bad_data_sets_give_one_line_and_exit_code_2(run, tmp_path, sounds):
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
            _refused(run("audio", *verb), place, *words)
    assert not (tmp_path / "m").exists()
    _refused(run("audio", "cv", sounds, "--folds", "esc"), "not named like ESC")
    _refused(run("audio", "cv", sounds, "--group", "speaker"), "no column 'speaker'")
    _refused(run("audio", "cv", sounds, "--folds", 50), "n_folds must be at most")
    _refused(run("audio", "cv", sounds, "--folds", 1), "n_folds must be")
    _refused(run("audio", "cv", sounds, "--folds", 2, "--test-fold", "x"), "test_fold")


def test_bad_options_give_one_line_and_exit_code_2(run, sounds, tmp_path):
    _refused(run("audio", "train", sounds, "--out", tmp_path / "m", "--net", "resnet"), "--net must be one of")
    (tmp_path / "taken").mkdir()
    _refused(run("audio", "train", sounds, "--out", tmp_path / "taken"), "not a model folder")
    _refused(run("audio", "train", sounds), "--out")
    _refused(run("audio", "train", sounds, "--out", tmp_path / "m", "--epochs", 0), "epochs")
    _refused(run("audio", "predict", tmp_path / "none", sounds), "not a model folder")
    code, out, _ = run("audio", "cv", tmp_path / "nowhere", "--json")
    assert code == 2
    assert "no such folder" in json.loads(out)["error"]


def test_predictions_where_nothing_can_be_read_end_with_exit_code_2(run, sounds, tmp_path):
    run("audio", "train", sounds, "--out", tmp_path / "m", *QUICK)
    (tmp_path / "none").mkdir()
    (tmp_path / "x.wav").touch()
    _refused(
        run("audio", "predict", tmp_path / "m", tmp_path / "none", "--out", tmp_path / "p.csv"), "no audio file"
    )
    code, _, err = run("audio", "predict", tmp_path / "m", tmp_path / "x.wav", "--out", tmp_path / "p.csv")
    assert code == 2
    assert "zero-length" in err
    assert "zero-length" in (tmp_path / "p.csv").read_text()


@pytest.mark.slow
def test_fsdd_official_split_reaches_98_percent(run, shared_data, tmp_path):
    """About five minutes: python benchmarks/fsdd_manifest.py writes the same table."""
    files = sorted((shared_data / "fsdd/recordings").glob("*.wav"))
    split = ["test" if int(p.stem.split("_")[2]) < 5 else "train" for p in files]
    lines = [f"{p},{p.stem[0]},{s}" for p, s in zip(files, split, strict=True)]
    (tmp_path / "fsdd.csv").write_text("path,label,split\n" + "\n".join(lines))
    _, out, _ = run("audio", "cv", tmp_path / "fsdd.csv", "--folds", "split", "--test-fold", "test", "--json")
    assert json.loads(out)["accuracy"] >= 0.98


def test_esc_10_is_read_with_its_folds(shared_data):
    from conv1d_kit.audio.dataset import make_folds, read_dataset

    table = read_dataset(shared_data / "esc10")
    described, folds = make_folds(table)
    assert (len(table), len(table.classes)) == (400, 10)
    assert "ESC" in described
    assert [len(test) for _, test in folds] == [80] * 5
