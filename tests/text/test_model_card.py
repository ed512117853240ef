"""The model card says what the folder and the figures say, in Markdown whose front matter is YAML."""

import hashlib
import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from conv1d_kit.cli.text_export import card
from conv1d_kit.errors import DataError, InputError, ModelError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.model_card import ModelFacts, model_card, read_scores, write_card
from conv1d_kit.training.model_folder import save_model_folder
from conv1d_kit.training.predictions import Predictions

CLASSES = ["a|b", "it's *good*\n", "🙂"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("card") / "model"
    labels = [CLASSES[i % 3] for i in range(12)]
    TextClassifier(dim=4, filters=2, widths=(1,), epochs=1).fit([f"word{i}" for i in range(12)], labels).save(
        path
    )
    return path


@pytest.fixture(scope="module")
def facts(folder):
    return ModelFacts(folder)


def held_out(classes, n=40, seeds=1):
    rng = np.random.default_rng(0)
    rows = n * seeds
    targets = np.tile(rng.integers(0, len(classes), n), seeds)
    p = rng.dirichlet(np.ones(len(classes)), rows)
    p[np.arange(rows), targets] += 1
    return Predictions(
        tuple(classes), tuple(f"row{i % n}" for i in range(rows)), tuple(classes[t] for t in targets),
        p / p.sum(1, keepdims=True), seeds=tuple(i // n for i in range(rows)),
    )  # fmt: skip


def front_matter(text):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(text.split("---\n")[1])


def test_it_says_what_the_model_folder_says(folder, facts):
    text = model_card(facts, name="my model")
    model = TextClassifier.load(folder)
    assert facts.n_weights == sum(p.numel() for p in model.net_.parameters())
    assert facts.n_words == len(model.vocabulary_.words)
    assert facts.weights_hash == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert f"{facts.n_weights:,} weights, a vocabulary of 12 words" in text
    assert facts.weights_hash in text
    for option in model.get_params():
        assert f"| {option.replace('_', chr(92) + '_')} |" in text
    assert "version of torch" in text
    assert "None were given" in text


def test_names_of_classes_break_no_table(facts):
    text = model_card(facts, name="m")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert r"| a\|b |" in text
    assert "it's \\*good\\*" in text
    for line in table:
        bars = line.replace(r"\|", "").count("|")
        assert bars in (3, 6), line


def test_the_front_matter_is_yaml_with_the_figures(facts):
    scores = {
        "accuracy": 0.875, "interval": [0.8, 0.95], "interval_kind": "95 %, Wilson", "file": "x/rev: iews.txt",
        "folds": [0.8, 0.95], "rows": 1234,
    }  # fmt: skip
    held = held_out(facts.classes)
    text = model_card(facts, name='a "name": x', predictions=held, scores=scores, license="mit", language="en")
    said = front_matter(text)
    assert said["library_name"] == "conv1d_kit"
    assert said["pipeline_tag"] == "text-classification"
    assert (said["license"], said["language"]) == ("mit", "en")
    (index,) = said["model-index"]
    assert index["name"] == 'a "name": x'
    found = {(r["dataset"]["name"], m["type"]): m["value"] for r in index["results"] for m in r["metrics"]}
    assert found["rev: iews.txt", "accuracy"] == 0.875
    assert found["predictions", "accuracy"] == pytest.approx(held_out(facts.classes).accuracy, abs=1e-6)
    assert ("predictions", "calibration_error") in found
    assert "0.8000 to 0.9500" in text
    assert "2 folds, 1,234 rows" in text


def test_without_figures_the_front_matter_has_none(facts):
    assert "model-index" not in front_matter(model_card(facts, name="m"))


def test_seeds_do_not_narrow_the_interval(facts):
    one, three = held_out(facts.classes), held_out(facts.classes, seeds=3)

    def width(text):
        line = next(x for x in text.splitlines() if x.startswith("| accuracy"))
        low, high = line.split("|")[3].split(" to ")
        return float(high) - float(low)

    cards = [model_card(facts, name="m", predictions=p) for p in (one, three)]
    assert width(cards[1]) == pytest.approx(width(cards[0]), abs=0.05)
    assert "3 seeds" in cards[1]


def test_what_the_training_recorded_is_shown(tmp_path):
    import torch

    config = {
        "classes": ["bad", "good"], "options": {"model": "nb_svm", "C": 1.0}, "temperature": 1.3,
        "training": {"rows": 110, "class_rows": [100, 10], "weights": 5, "file": "r.csv", "sha256": "ab12"},
        "model": {"words": 3},
    }  # fmt: skip
    save_model_folder(tmp_path / "m", "text", config, {"w": torch.ones(5)})
    text = model_card(ModelFacts(tmp_path / "m"), name="m")
    assert "nb\\_svm of conv1d_kit, 2 classes, 5 weights." in text
    for line in (
        "| rows | 110 |",
        "| file | r.csv |",
        "| sha256 | ab12 |",
        "| bad | 100 |",
        "| good | 10 |",
    ):
        assert line in text
    assert "Few training rows: good (10)." in text
    assert "The most frequent class is 90.9% of the training rows: as much is right by chance." in text
    assert "not calibrated" not in text


def test_of_several_labels_a_text_shares_are_those_of_rows_and_none_is_right_by_chance(tmp_path):
    sets = [("a", "b"), ("a",), (), ("a", "b")] * 5
    TextClassifier(model="nb", multi_label=True).fit(["so it is"] * 20, sets).save(tmp_path / "m")
    text = model_card(ModelFacts(tmp_path / "m"), name="m")
    assert "The most frequent class stands in 75.0% of the training rows." in text
    assert "by chance" not in text


@pytest.mark.parametrize("accuracy", [None, "0.9", 1.5, True, float("nan")])
def test_scores_without_an_accuracy_are_refused(facts, accuracy):
    with pytest.raises(InputError, match="scores must hold an accuracy from 0 to 1, got"):
        model_card(facts, name="m", scores={"accuracy": accuracy})


def test_predictions_of_other_classes_are_refused(facts):
    with pytest.raises(InputError, match="predictions must be of the model's classes"):
        model_card(facts, name="m", predictions=held_out(["x", "y"]))


def test_a_file_that_is_no_card_is_not_replaced(facts, tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# mine")
    with pytest.raises(DataError, match="is no model card of conv1d_kit, it is not replaced"):
        write_card(path, model_card(facts, name="m"))
    assert path.read_text() == "# mine"
    write_card(tmp_path / "new/card.md", model_card(facts, name="one"))
    write_card(tmp_path / "new/card.md", model_card(facts, name="two"))
    assert "# two" in (tmp_path / "new/card.md").read_text("utf-8")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["card.md"]


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[1]", "must hold one JSON object")])
def test_scores_are_one_json_object(tmp_path, text, message):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_scores(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path / "none")


def test_the_verb_writes_the_card(folder, facts, tmp_path):
    held_out(facts.classes).save(tmp_path / "p.jsonl")
    (tmp_path / "s.json").write_text(json.dumps({"accuracy": 0.5, "file": "r.txt"}))
    app = typer.Typer()
    app.command()(card)
    call = [str(folder), "--out", str(tmp_path / "card.md"), "--predictions", str(tmp_path / "p.jsonl")]
    done = CliRunner().invoke(app, [*call, "--scores", str(tmp_path / "s.json"), "--name", "Reviews", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["words"] == 12
    assert result["accuracy"] == pytest.approx(held_out(facts.classes).accuracy)
    text = (tmp_path / "card.md").read_text("utf-8")
    assert "# Reviews" in text
    assert "| accuracy | 0.5000 |" in text
    refused = CliRunner().invoke(app, [str(tmp_path), "--out", str(tmp_path / "x.md")])
    assert isinstance(refused.exception, ModelError)
