"""What a verb reads is never written over, two outputs are two files, and a place is tried before the work."""

import json
import os

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit import TextClassifier
from conv1d_kit.training.predictions import Predictions

RATE = 4000


@pytest.fixture
def clips(tmp_path):
    """A table of twelve clips of two classes."""
    r = np.random.default_rng(0)
    rows = ["path,label,fold"]
    for i in range(12):
        sf.write(tmp_path / f"{i}.wav", 0.1 * r.normal(size=RATE // 4), RATE)
        rows.append(f"{i}.wav,{'ab'[i % 2]},{i // 6}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "clips.csv"


@pytest.fixture
def kept(tmp_path):
    paths = tuple(f"{i}.wav" for i in range(8))
    shares = np.tile([0.7, 0.3], (8, 1)).astype(np.float32)
    said = Predictions(("a", "b"), paths, tuple("abababab"), shares, paths, (0, 0, 0, 0, 1, 1, 1, 1), (0,) * 8)
    return said.save(tmp_path / "kept.jsonl")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["cv", "CLIPS", "--folds", "2", "--epochs", "1", "--results", "CLIPS"], "--results"),
        (["cv", "CLIPS", "--folds", "2", "--epochs", "1", "--predictions", "CLIPS"], "--predictions"),
        (["cv", "CLIPS", "--folds", "2", "--epochs", "1", "--html", "CLIPS"], "--html"),
        (["inspect", "CLIPS", "--html", "CLIPS"], "--html"),
        (["rates", "CLIPS", "--steps", "10", "--svg", "CLIPS"], "--svg"),
        (["report", "KEPT", "--out", "KEPT", "--no-inspect"], "--out"),
    ],
)
def test_audio_verbs_do_not_write_over_what_they_read(call, clips, kept, words, option):
    places = {"CLIPS": clips, "KEPT": kept}
    before = {place: place.read_bytes() for place in places.values()}
    code, _, err = call("audio", *(places.get(w, w) for w in words))
    assert code == 2
    assert err.splitlines()[-1].startswith(f"error: {option} must not be what is read")
    assert {place: place.read_bytes() for place in places.values()} == before


@pytest.mark.parametrize("read", ["texts.csv", "test.csv", "mine.toml"])
def test_a_sweep_does_not_write_over_what_it_reads(call, tmp_path, read):
    for name in ("texts.csv", "test.csv"):
        (tmp_path / name).write_text("text,label\n" + "good film,pos\nbad film,neg\n" * 4)
    (tmp_path / "mine.toml").write_text('name = "mine"\n[base]\nmodel = "nb_words"\n')
    before = (tmp_path / read).read_bytes()
    code, _, err = call(
        "text", "sweep", tmp_path / "mine.toml", "--data", tmp_path / "texts.csv", "--test",
        tmp_path / "test.csv", "--out", tmp_path / read, "--workers", 1,
    )  # fmt: skip
    assert code == 2
    assert "error: --out must not be what is read" in err
    assert (tmp_path / read).read_bytes() == before


def test_results_are_not_added_to_a_file_of_another_kind(call, clips, tmp_path):
    (tmp_path / "notes.txt").write_text("my notes\nand more")
    code, _, err = call("audio", "cv", clips, "--folds", 2, "--epochs", 1, "--results", tmp_path / "notes.txt")
    assert code == 2
    assert "notes.txt: holds no results (line 1 is not a JSON object); choose another file" in err
    assert (tmp_path / "notes.txt").read_text() == "my notes\nand more"


def test_two_outputs_of_one_name_are_refused(call, clips, tmp_path):
    one = tmp_path / "x"
    code, _, err = call(
        "audio", "cv", clips, "--epochs", 1, "--predictions", one, "--html", tmp_path / "." / "x"
    )
    assert code == 2
    assert f"error: --predictions and --html must be two files, got {one} for both" in err
    assert not one.exists()


@pytest.mark.parametrize("option", ["--predictions", "--results", "--html"])
def test_cv_says_before_the_training_that_a_place_cannot_be_written(call, clips, tmp_path, option):
    (tmp_path / "file").touch()
    for place, words in ((tmp_path, "folder"), (tmp_path / "file" / "x", "Not a directory|File exists")):
        code, _, err = call("audio", "cv", clips, "--folds", 2, "--epochs", 1, option, place)
        assert code == 2
        assert any(w in err.splitlines()[-1] for w in words.split("|")), err
        assert "fold 1" not in err


def test_a_device_takes_an_output_and_stays_a_device(call, tmp_path):
    texts, labels = ["good", "bad", "good good", "bad bad"], ["p", "n", "p", "n"]
    TextClassifier(model="nb_words").fit(texts, labels).save(tmp_path / "m")
    (tmp_path / "in.txt").write_text("good\nbad\n")
    (tmp_path / "null").symlink_to(os.devnull)
    code, out, _ = call(
        "text", "predict", tmp_path / "m", tmp_path / "in.txt", "--out", tmp_path / "null", "--json"
    )
    assert (code, json.loads(out)["rows"]) == (0, 2)
    assert (tmp_path / "null").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["in.txt", "m", "null"]
