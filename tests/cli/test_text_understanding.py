"""`conv1d-kit text explain`, `filters` and `probe` as a person and as a machine would call them."""

import json

import numpy as np
import pytest
from reviews_model import reviews_model

from conv1d_kit import TextClassifier
from conv1d_kit.cli.main import main
from conv1d_kit.text.explain import explain_text
from conv1d_kit.text.grammar import make_reviews

TEXT = "The plot was good, not bad."


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["text", *map(str, arguments)])
        streams = capsys.readouterr()
        assert "Traceback" not in streams.err
        return stop.value.code, streams.out, streams.err

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("understanding") / "model"
    reviews_model().save(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("understanding") / "reviews.txt"
    texts, labels = make_reviews(40, seed=3)
    path.write_text("".join(f"{label} {text}\n" for label, text in zip(labels, texts, strict=True)))
    return path


def test_explain_prints_the_text_with_signed_numbers(call, model):
    code, out, _ = call("explain", model, TEXT)
    e = explain_text(reviews_model(), TEXT)
    scores = e.word_scores()
    i = int(np.abs(scores).argmax())
    assert code == 0
    assert f"{e.text[e.tokens[i].start : e.tokens[i].end]}[{scores[i]:+.2f}]".replace("-", "−") in out
    assert f"logit difference {e.logits[1] - e.logits[0]:+.3f}" in out


def test_a_model_of_several_labels_says_them_as_predict_does_and_explains_each_by_itself(call, tmp_path):
    sets = [("red",) if i % 2 else () for i in range(40)]
    texts = [f"it is {'red' if own else 'grey'} today" for own in sets]
    model = TextClassifier(multi_label=True, dim=8, filters=4, widths=(1,), epochs=40, lr=0.01)
    model.fit(texts, sets).save(tmp_path / "m")
    code, out, _ = call("explain", tmp_path / "m", "it is red today", "it is grey today")
    assert code == 0
    red, grey = model.logits(["it is red today", "it is grey today"])[:, 0]
    assert "red (0." in out
    assert "none of these (0." in out
    for logit in (red, grey):
        assert f": logit {logit:+.3f}".replace("-", "−") in out
    code, out, _ = call("explain", tmp_path / "m", "it is red today", "--json")
    found = json.loads(out)["texts"][0]
    assert sum(t["score"] for t in found["tokens"]) + found["token_bias"][0] == pytest.approx(red, abs=1e-4)


def test_a_text_without_a_token_is_told(call, model):
    code, _, err = call("explain", model, TEXT, " ")
    assert code == 0
    assert err == "text 2: no token for the tokenizer 'word'; the answer is to nothing\n"


def test_no_color_is_kept_to_on_a_terminal_too(call, model, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in call("explain", model, TEXT)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    out = call("explain", model, TEXT)[1]
    assert "48;" not in out
    assert "[+" in out


def test_explain_as_json_adds_up(call, model):
    code, out, _ = call("explain", model, TEXT, "", "--json", "--check")
    result = json.loads(out)
    assert code == 0
    first, empty = result["texts"]
    sums = np.array(first["bias"]) + np.sum([g["values"] for g in first["ngrams"]], 0)
    np.testing.assert_allclose(sums, first["logits"], atol=1e-5)
    sums = np.array(first["token_bias"]) + np.sum([t["values"] for t in first["tokens"]], 0)
    np.testing.assert_allclose(sums, first["logits"], atol=1e-5)
    assert (first["label"], first["against"], first["method"]) == ("positive", "negative", "exact")
    assert first["check"]["rank_correlation"] > 0.5
    assert abs(first["check"]["gap"]) <= 0.02 * abs(first["check"]["change"])
    assert [t["word"] for t in first["tokens"]][:2] == ["the", "plot"]
    assert (empty["ngrams"], empty["check"]["rank_correlation"]) == ([], None)
    assert result["mean_rank_correlation"] == first["check"]["rank_correlation"]


def test_gradients_are_not_compared_with_themselves(call, model):
    code, out, err = call("explain", model, "good", "--method", "gradients", "--check", "--json")
    result = json.loads(out)
    assert (code, result["texts"][0]["check"], result["texts"][0]["method"]) == (0, None, "gradients")
    assert "--check left out" in err


def test_rows_of_a_file_are_those_of_its_lines(call, model, data):
    lines = data.read_text().splitlines()
    result = json.loads(call("explain", model, "--file", data, "--row", 3, "--row", 1, "--json")[1])
    assert [t["row"] for t in result["texts"]] == [3, 1]
    assert result["texts"][0]["text"] == lines[2].split(" ", 1)[1]
    assert len(json.loads(call("explain", model, "--file", data, "--json")[1])["texts"]) == 40


def test_texts_without_labels_and_tables_can_be_explained(call, model, tmp_path):
    (tmp_path / "plain.txt").write_text("A fine film.\nNot bad.\n")
    result = json.loads(call("explain", model, "--file", tmp_path / "plain.txt", "--json")[1])
    assert [t["text"] for t in result["texts"]] == ["A fine film.", "Not bad."]
    (tmp_path / "t.csv").write_text('review,stars\n"Good, not bad",5\n,1\nBad,1\n')
    code, out, err = call("explain", model, "--file", tmp_path / "t.csv", "--text-column", "review", "--json")
    assert (code, [t["row"] for t in json.loads(out)["texts"]]) == (0, [1, 3])
    assert "line 3: no text; left out" in err


def test_the_page_is_written(call, model, tmp_path):
    code, out, _ = call("explain", model, TEXT, "--html", tmp_path / "new/page.html", "--class", "negative")
    page = (tmp_path / "new/page.html").read_text("utf-8")
    assert (code, "page: " in out) == (0, True)
    assert "for negative" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give texts, or --file FILE, one of the two"),
        (["a", "--file", "DATA"], "give texts, or --file FILE, one of the two"),
        (["a", "--row", "1"], "--row needs --file FILE"),
        (["--file", "DATA", "--row", "0"], "--row must be an int >= 1, got 0"),
        (["--file", "DATA", "--row", "41"], "has no row 41; its rows are 1 to 40"),
        (["a", "--class", "neutral"], "--class must be one of negative, positive, got 'neutral'"),
        (["a", "--against", "neutral"], "--against must be one of negative, positive, got 'neutral'"),
        (["a", "--class", "negative", "--against", "negative"], "--against must be another class than --class"),
        (["a", "--method", "shap"], "method must be one of auto, exact, gradients, got 'shap'"),
        (["a", "--html", "."], "is a folder, a file name is needed"),
        (["a"] * 101, "at most 100 texts are explained at once, got 101"),
    ],
)
def test_what_explain_cannot_do_is_one_line(call, model, data, arguments, words):
    code, out, err = call("explain", model, *(data if a == "DATA" else a for a in arguments), "--json")
    assert code == 2
    assert words in json.loads(out)["error"]
    assert err.count("\n") == 1


def test_filters_are_listed_and_all_are_in_the_json_object(call, model, data, tmp_path):
    page = tmp_path / "f.html"
    code, out, _ = call("filters", model, data, "--json", "-n", 2, "--html", page)
    result = json.loads(out)
    assert (code, len(result["filters"]), result["rows"]) == (0, 48, 40)
    first = result["filters"][0]
    assert {"label", "say", "threshold", "purity", "ngrams", "best", "worst", "negatives"} <= set(first)
    assert first["label"] in ("negative", "positive")
    assert len(first["ngrams"]) == 2
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    code, out, _ = call("filters", model, data)
    assert (code, "20 of 48 filters" in out, "dead: " in out) == (0, True, True)


def test_probe_gives_every_test_with_its_interval(call, model, data, tmp_path):
    page = tmp_path / "p.html"
    code, out, _ = call("probe", model, data, "--limit", 10, "--shuffles", 2, "--json", "--html", page)
    result = json.loads(out)
    assert code == 0
    areas = result["deletion"]["areas"]
    assert areas["contribution"]["estimate"] < areas["reversed"]["estimate"]
    assert result["deletion"]["texts"] == 10
    assert result["order"]["fall"]["estimate"] > 0.2
    assert [r["pattern"] for r in result["negation"]][-1] == "antonym"
    assert "Deletion" in page.read_text("utf-8")
    code, out, _ = call("probe", model, data, "--limit", 10, "--antonyms", "good:bad, fresh:stale")
    assert (code, "gradient × input" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["filters", "-n", "0"], "-n must be an int >= 1, got 0"),
        (["filters", "--purity", "1.5"], "--purity must be in (0, 1], got 1.5"),
        (["probe", "--limit", "1"], "--limit must be an int >= 2, got 1"),
        (["probe", "--antonyms", "good"], "--antonyms must be pairs with commas between, got 'good'"),
    ],
)
def test_what_filters_and_probe_cannot_do_is_one_line(call, model, data, arguments, words):
    verb, *options = arguments
    code, out, _ = call(verb, model, data, *options, "--json")
    assert (code, words in json.loads(out)["error"]) == (2, True)


def test_a_label_that_the_model_lacks_is_named_with_its_line(call, model, tmp_path):
    (tmp_path / "d.txt").write_text("positive good\nneutral so so\npositive fine\n")
    for verb in ("filters", "probe"):
        code, out, _ = call(verb, model, tmp_path / "d.txt", "--json")
        assert code == 2
        assert (
            "line 2: the label 'neutral' is none of the model's: negative, positive" in json.loads(out)["error"]
        )
