"""What a stranger ran into: outputs over inputs, several labels, mixed ends of lines, lone classes."""

import json
import os

import pytest

from conv1d_kit import TextClassifier
from conv1d_kit.text.grammar import make_reviews

TEXTS, LABELS = make_reviews(40, seed=8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("walk") / "m"
    TextClassifier(epochs=1, dim=8, filters=4, widths=(1, 2)).fit(TEXTS, LABELS).save(place)
    return place


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    place = tmp_path_factory.mktemp("walk") / "m"
    labels = [["a", "b"] if "not" in t else ["a"] if "was" in t else [] for t in TEXTS]
    TextClassifier(model="nb_words", multi_label=True).fit(TEXTS, labels).save(place)
    return place


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["predict", "MODEL", "FILE", "--out", "FILE"], "--out"),
        (["explain", "MODEL", "--file", "FILE", "--row", "1", "--html", "FILE"], "--html"),
        (["filters", "MODEL", "FILE", "--html", "FILE"], "--html"),
        (["probe", "MODEL", "FILE", "--html", "LINK"], "--html"),
    ],
)
def test_nothing_is_written_over_what_is_read(call, model, tmp_path, words, option):
    file, link = tmp_path / "texts.txt", tmp_path / "link.txt"
    file.write_text("".join(f"{label} {text}\n" for label, text in zip(LABELS, TEXTS, strict=True)))
    os.symlink(file, link)
    before = file.read_bytes()
    named = {"MODEL": model, "FILE": file, "LINK": link}
    code, _, err = call("text", *(named.get(w, w) for w in words))
    assert code == 2
    assert f"{option} must not be what is read" in err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "words", [["predict", "MODEL", "FILE", "--out"], ["explain", "MODEL", "good", "--html"]]
)
@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_the_model_that_is_read_is_not_written_over(call, model, tmp_path, words, name):
    file, own = tmp_path / "texts.txt", model / name
    file.write_text("good\nbad\n")
    before = own.read_bytes()
    code, _, err = call("text", *({"MODEL": model, "FILE": file}.get(w, w) for w in words), own)
    assert code == 2
    assert f"error: {own} belongs to the model in its folder, it is not replaced" in err
    assert own.read_bytes() == before


def test_rows_of_several_labels_are_predicted_and_scored(call, several, tmp_path):
    file = tmp_path / "t.jsonl"
    rows = [{"text": TEXTS[0], "label": ["a", "b"]}, {"text": TEXTS[1], "label": []}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "p.csv"
    code, printed, _ = call("text", "predict", several, file, "--label-column", "label", "--out", out, "--json")
    result = json.loads(printed)
    assert code == 0
    assert (result["rows"], result["bad_rows"]) == (2, 0)
    assert 0 <= result["accuracy"] <= 1


def test_labels_that_hold_a_semicolon_are_scored_as_they_are(call, tmp_path):
    rows = [{"text": "good film", "label": ["x;y"]}, {"text": "bad film", "label": ["z"]}] * 10
    texts, labels = [r["text"] for r in rows], [r["label"] for r in rows]
    model = TextClassifier(model="nb_words", multi_label=True).fit(texts, labels)
    model.save(tmp_path / "m")
    file = tmp_path / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "p.csv"
    code, printed, _ = call(
        "text", "predict", tmp_path / "m", file, "--label-column", "label", "--out", out, "--json"
    )
    result = json.loads(printed)
    assert (code, result["labels"], result["accuracy"]) == (0, {"x;y": 10, "z": 10}, 1.0)


def test_true_labels_that_the_model_does_not_know_are_told(call, tmp_path):
    TextClassifier(model="nb").fit(["good film", "bad film"] * 5, ["pos", "neg"] * 5).save(tmp_path / "m")
    file = tmp_path / "t.csv"
    file.write_text("label,text\npositive,good film\npos,good film\nnegative,bad film\n")
    options = ["--label-column", "label", "--out", tmp_path / "p.csv", "--json"]
    code, printed, err = call("text", "predict", tmp_path / "m", file, *options)
    result = json.loads(printed)
    assert (code, result["unknown_labels"]) == (0, {"positive": 1, "negative": 1})
    assert result["accuracy"] == pytest.approx(1 / 3)
    assert "2 true labels are no class of the model and count as wrong: 'positive', 'negative'" in err


def test_filters_and_probe_say_that_they_are_for_one_label_a_text(call, tmp_path):
    labels = [["a", "b"] if "not" in t else ["a"] if "was" in t else [] for t in TEXTS]
    options = {"epochs": 1, "dim": 8, "filters": 4, "widths": (1, 2)}
    TextClassifier(multi_label=True, **options).fit(TEXTS, labels).save(tmp_path / "m")
    file = tmp_path / "t.jsonl"
    file.write_text(
        "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in zip(TEXTS, labels, strict=True))
    )
    for verb in ("filters", "probe"):
        code, _, err = call("text", verb, tmp_path / "m", file)
        assert code == 2
        assert err == "error: MODEL must give one label a text for this verb, got one of several labels\n"


def test_one_label_a_text_is_asked_where_runs_are_judged(call, several, tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("1 good\n0 bad\n" * 6)
    code, _, err = call("text", "cv", file, "--folds", "2", "--set", "multi_label=true")
    assert code == 2
    assert "multi_label must be false for cv" in err
    (tmp_path / "s.toml").write_text("[base]\nmulti_label = true\n[[runs]]\nname = 'a'\n")
    code, _, err = call("text", "sweep", tmp_path / "s.toml", "--data", file, "--dry-run")
    assert code == 2
    assert "multi_label must be False" in err
    pytest.importorskip("onnxruntime")
    code, _, err = call("text", "export", several, "--out", tmp_path / "o", "--check", file)
    assert code == 2


def test_an_interval_of_accuracies_ends_at_0_and_1(call, tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("1 good film\n0 bad film\n1 good\n0 good\n1 nice\n0 bad\n1 fine bad\n0 awful\n")
    code, printed, _ = call("text", "cv", file, "--model", "nb", "--folds", 2, "--workers", 1, "--json")
    said = json.loads(printed)
    assert code == 0
    assert said["folds"][0] != said["folds"][1]  # else there is no spread
    assert said["interval"] == [0.0, 1.0]


def test_a_carriage_return_within_a_line_is_told_with_its_line(call, tmp_path):
    file = tmp_path / "mixed.txt"
    file.write_bytes(b"1 good film\r\n0 bad film\r1 nice\n0 awful\r\n1 fine\n")
    code, _, err = call("text", "train", file, "--model", "nb", "--out", tmp_path / "m")
    assert code == 0
    assert "line 2: a carriage return stands within the line" in err


def test_a_class_of_one_text_is_named_with_its_line_by_sweep_too(call, tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("1 good\n0 bad\n" * 6 + "z lone\n")
    code, _, err = call("text", "sweep", "quick", "--data", file, "--out", tmp_path / "r.jsonl")
    assert code == 2
    assert "line 13: the class 'z' has this text only" in err


def test_an_export_stays_out_of_the_models_folder(call, model):
    pytest.importorskip("onnxruntime")
    code, _, err = call("text", "export", model, "--out", model)
    assert code == 2
    assert "would stand in a model's folder" in err


def test_seed_has_an_option_of_its_own(call, tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("1 good\n0 bad\n" * 6)
    code, _, err = call("text", "cv", file, "--set", "seed=5")
    assert code == 2
    assert "--seed N" in err
