"""`audio embed`, `audio search`, `audio explain`: whole; bad input gives one clear line and exit code 2."""

import json
import re

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit import AudioClassifier, Clip
from conv1d_kit.cli.main import main

pytest.importorskip("conv1d_kit.audio.net", reason="nets say their maps")
RATE = 4000


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["audio", *[str(a) for a in arguments]])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return end.value.code, out, err

    return call


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two classes of sounds and two models trained on them."""
    place = tmp_path_factory.mktemp("understanding")
    r = np.random.default_rng(0)
    for i in range(12):
        name = ("low", "high")[i % 2]
        (place / "set" / name).mkdir(parents=True, exist_ok=True)
        t = np.arange(int(RATE * r.uniform(0.1, 0.3))) / RATE
        x = 0.3 * np.sin(2 * np.pi * (200, 1200)[i % 2] * t) + 0.01 * r.standard_normal(len(t))
        sf.write(place / "set" / name / f"{i}.wav", x, RATE)
    for seed in (0, 1):
        with pytest.raises(SystemExit):
            main(["audio", "train", str(place / "set"), "--out", str(place / f"m{seed}"), "--epochs", "6",
                  "--n-mels", "32", "--seed", str(seed)])  # fmt: skip
    return place


def _refused(result, *words):
    code, _, err = result
    assert code == 2
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    for word in words:
        assert str(word) in errors[0]


def test_a_folder_is_embedded_and_searched(run, place, tmp_path):
    (tmp_path / "bad.wav").touch()
    sf.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    code, out, err = run(
        "embed", place / "m0", place / "set", tmp_path, "--out", tmp_path / "i", "--folder-labels", "--json"
    )
    result = json.loads(out)
    assert (code, result["n_files"], result["n_errors"]) == (0, 14, 1)
    assert "bad.wav: zero-length" in err
    assert [n["note"] for n in result["notes"]] == ["silent"]
    assert 0 < result["precision_at_5"] <= 1
    assert 0 < result["mean_average_precision"] <= 1

    code, out, _ = run("search", tmp_path / "i", place / "set/low/0.wav", "-k", 3, "--json")
    result = json.loads(out)
    assert code == 0
    assert len(result["nearest"]) == 3
    assert result["nearest"][0]["path"] == str(place / "set/low/0.wav")
    assert result["nearest"][0]["similarity"] == pytest.approx(1, abs=1e-5)
    assert {n["label"] for n in result["nearest"]} == {"low"}
    code, out, err = run("search", tmp_path / "i", tmp_path / "silent.wav")
    assert code == 0
    assert "nearest to" in out
    assert "silent; what is near it says little" in err


def test_bad_searches_are_refused(run, place, tmp_path):
    run("embed", place / "m0", place / "set", "--out", tmp_path / "i")
    query = place / "set/low/0.wav"
    _refused(run("search", tmp_path / "i", query, "--model", place / "m1"), "with the model that made it", "m0")
    _refused(run("search", tmp_path / "none", query), "is not an index folder")
    _refused(run("search", tmp_path / "i", tmp_path / "none.wav"), "none.wav")
    _refused(run("search", tmp_path / "i", query, "-k", 0), "-k")
    sf.write(tmp_path / "short.wav", np.ones(20) / 2, RATE)
    _refused(
        run("search", tmp_path / "i", tmp_path / "short.wav"), "short.wav: shorter than one window of 32 ms"
    )
    about = json.loads((tmp_path / "i/index.json").read_text())
    (tmp_path / "i/index.json").write_text(json.dumps({**about, "model_path": str(tmp_path / "gone")}))
    _refused(run("search", tmp_path / "i", query), "gone", "with --model")
    assert run("search", tmp_path / "i", query, "--model", place / "m0")[0] == 0


def test_bad_embeddings_are_refused(run, place, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "x.wav").touch()
    _refused(run("embed", place / "m0", tmp_path / "none", "--out", tmp_path / "i"), "no audio file")
    _refused(run("embed", tmp_path / "none", place / "set", "--out", tmp_path / "i"), "not a model folder")
    _refused(run("embed", place / "m0", place / "set", "--out", place / "set"), "may be replaced")
    code, out, _ = run("embed", place / "m0", tmp_path / "x.wav", "--out", tmp_path / "i", "--json")
    assert code == 2
    assert "none of the 1 files could be read" in json.loads(out)["error"]


def test_a_page_explains_files_and_stands_alone(run, place, tmp_path):
    run("embed", place / "m0", place / "set", "--out", tmp_path / "i", "--folder-labels")
    (tmp_path / "bad.wav").write_text("no sound")
    sf.write(tmp_path / "<silent>.wav", np.zeros(RATE), RATE)
    code, out, err = run(
        "explain", place / "m0", place / "set/low/0.wav", tmp_path / "bad.wav", tmp_path / "<silent>.wav",
        "--out", tmp_path / "r.html", "--index", tmp_path / "i", "--json",
    )  # fmt: skip
    result = json.loads(out)
    assert (code, result["n_files"], result["n_errors"]) == (0, 3, 1)
    assert result["files"][0]["gap"] <= 0.01
    assert "bad.wav" in err
    page = (tmp_path / "r.html").read_text("utf-8")
    for words in ("Grad-CAM", "Integrated gradients on the features", "Integrated gradients on the samples",
                  "The nearest clips", "32 mel bands", "not a readable audio file", "&lt;silent&gt;",
                  "Every sample is 0"):  # fmt: skip
        assert words in page
    assert page.count("<audio") == 2 + 3 + 3
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert all(len(alt) > 20 for alt in re.findall(r'<img alt="([^"]*)"', page))


@pytest.mark.parametrize("net", ["wave", "filterbank"])
def test_nets_that_hear_samples_are_explained_with_their_filters(run, place, tmp_path, net):
    code, _, err = run("train", place / "set", "--out", tmp_path / "m", "--net", net, "--epochs", 1)
    assert code == 0, err
    code, _, err = run(
        "explain", tmp_path / "m", place / "set/low/0.wav", "--out", tmp_path / "r.html", "--max-steps", 16
    )
    assert code == 0, err
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "one row a filter" in page
    assert "Integrated gradients on the features" not in page


def test_bad_explanations_are_refused(run, place, tmp_path):
    sound = place / "set/low/0.wav"
    out = ["--out", tmp_path / "r.html"]
    _refused(run("explain", place / "m0", sound, "--label", "mid", *out), "label must be one of high, low")
    _refused(run("explain", place / "m0", sound, "--out", tmp_path), "is a folder")
    _refused(run("explain", place / "m0", tmp_path / "none.wav", *out), "none of the 1 files could be read")
    _refused(run("explain", place / "m0", *[sound.parent] * 2, "--index", tmp_path / "i", *out), "not an index")
    run("embed", place / "m1", sound, "--out", tmp_path / "i")
    _refused(run("explain", place / "m0", sound, "--index", tmp_path / "i", *out), "the model that made it")
    assert not (tmp_path / "r.html").exists()


def test_several_labels_of_a_file_are_shown_as_predict_writes_them(run, place, tmp_path):
    t = np.arange(RATE // 4) / RATE
    clips = [Clip(np.sin(2 * np.pi * f * t), RATE) for f in (200, 210, 1200, 1210)]
    model = AudioClassifier(multi_label=True, epochs=1, n_mels=16, width=4, augment=())
    model.fit(clips, [["low", "sound"]] * 2 + [["high", "sound"]] * 2).save(tmp_path / "m")
    code, out, _ = run("explain", tmp_path / "m", place / "set" / "low" / "0.wav", "--out", tmp_path / "e.html")
    assert code == 0
    assert "('" not in out
    assert "()" not in out
