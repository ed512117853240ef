"""`conv1d-kit text …` as a person and as a machine would call it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from conv1d_kit.cli.main import main

SMALL = ["--dim", "8", "--filters", "4", "--widths", "1,2", "--epochs", "30", "--lr", "0.01"]
ROWS = [("good" if i % 2 else "bad", f"{'fine' if i % 2 else 'dull'} film {i}") for i in range(40)]


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
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "reviews.txt"
    path.write_text("".join(f"{label} {text}\n" for label, text in ROWS))
    return path


@pytest.fixture(scope="module")
def model(data):
    folder = data.parent / "model"
    with pytest.raises(SystemExit) as stop:
        main(["text", "train", str(data), "--out", str(folder), "--json", *SMALL])
    assert stop.value.code == 0
    return folder


def table(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_train_says_what_it_learned_as_one_json_object(call, data, tmp_path):
    code, out, _ = call("train", data, "--out", tmp_path / "m", "--json", *SMALL)
    result = json.loads(out)
    assert code == 0
    assert result["classes"] == ["bad", "good"]
    assert (result["rows"], result["bad_rows"], result["epochs"], result["encoding"]) == (40, 0, 30, "utf-8")
    assert 0.5 < result["train_accuracy"] <= 1
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["config.json", "weights.safetensors"]


def test_an_out_that_cannot_be_written_is_refused_before_anything_is_read(call, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/notes.txt").write_text("mine")
    code, out, _ = call("train", tmp_path / "none.txt", "--out", tmp_path / "m", "--json", *SMALL)
    assert code == 2
    assert f"{tmp_path / 'm'} is not a model folder that may be replaced" in json.loads(out)["error"]
    assert (tmp_path / "m/notes.txt").read_text() == "mine"


def test_predict_writes_a_row_for_every_row(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text('text\nfine film\n"   "\ndull\ntoo,many\nfine\n')
    code, out, err = call("predict", model, path, "--out", tmp_path / "p.csv", "--json")
    result, rows = json.loads(out), table(tmp_path / "p.csv")
    assert code == 0
    assert list(rows[0]) == ["row", "label", "score", "p_bad", "p_good", "error"]
    assert [r["label"] for r in rows] == ["good", "", "bad", "", "good"]
    assert [r["row"] for r in rows] == ["1", "2", "3", "4", "5"]
    assert [r["error"] for r in rows] == [
        "",
        "line 3: no text",
        "",
        "line 5: 2 columns where the header has 1",
        "",
    ]
    assert float(rows[0]["p_bad"]) + float(rows[0]["p_good"]) == pytest.approx(1, abs=1e-5)
    assert rows[0]["score"] == rows[0]["p_good"]
    assert (result["rows"], result["bad_rows"], result["labels"]) == (5, 2, {"good": 2, "bad": 1})
    assert "line 3: no text" in err
    assert result["errors"][0] == {"path": str(path), "line": 3, "error": "no text"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv", "p.csv"]


def test_no_more_than_a_thousand_reasons_are_listed_and_a_run_without_any_label_fails(call, model, tmp_path):
    (tmp_path / "d.txt").write_text("\n" * 1500)
    code, out, err = call("predict", model, tmp_path / "d.txt", "--out", tmp_path / "p.csv", "--json")
    result = json.loads(out)
    assert (code, result["rows"], result["bad_rows"], len(result["errors"])) == (2, 1500, 1500, 1000)
    assert "1495 more rows without a label, 1500 in all" in err
    assert len(table(tmp_path / "p.csv")) == 1500


def test_rows_without_a_token_are_left_out_of_training_and_counted(call, tmp_path):
    (tmp_path / "d.txt").write_text("1 good film\n0 bad film\n0 ...\n1 ---\n1 good\n")
    out = call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--tokenizer", "kim", "--json", *SMALL)[1]
    result = json.loads(out)
    assert (result["rows"], result["bad_rows"]) == (3, 2)
    assert [r["line"] for r in result["skipped"]] == [3, 4]


def test_a_training_that_diverges_leaves_no_model(call, data, tmp_path):
    options = ["--dim", "8", "--epochs", "1", "--lr", "1e30", "--json"]
    code, out, _ = call("train", data, "--out", tmp_path / "m", *options)
    assert (code, "training has diverged" in json.loads(out)["error"]) == (2, True)
    assert not (tmp_path / "m").exists()


def test_an_error_in_a_fold_names_file_and_fold(call, data):
    options = ["--dim", "8", "--epochs", "1", "--lr", "1e30", "--folds", "2", "--workers", "1"]
    code, _, err = call("cv", data, *options)
    assert code == 2
    assert f"error: {data}: fold 1: " in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "1"], "--folds must be an int >= 2, got 1"),
        (["--folds", "30"], ".txt: --folds must be at most the size of the smallest class, got 30"),
        (["--workers", "0"], "--workers must be an int >= 1, got 0"),
    ],
)
def test_options_of_cv_are_refused_by_their_own_names(call, data, options, message):
    code, _, err = call("cv", data, *options)
    assert code == 2
    assert message in err


def test_predict_scores_lines_that_begin_with_the_models_classes(call, model, data, tmp_path):
    code, out, err = call("predict", model, data, "--out", tmp_path / "p.csv", "--json")
    result = json.loads(out)
    assert (code, result["format"], result["accuracy"]) == (0, "lines", 1.0)
    assert "read as `label text`" in err


def test_predict_takes_other_lines_as_texts(call, model, tmp_path):
    (tmp_path / "plain.txt").write_text("fine film\n\ndull\n日本\n")
    code, out, err = call("predict", model, tmp_path / "plain.txt", "--out", tmp_path / "p.csv", "--json")
    assert (code, json.loads(out)["accuracy"]) == (0, None)
    assert [r["label"] for r in table(tmp_path / "p.csv")][:3] == ["good", "", "bad"]
    assert "each line is read as one text" in err


def test_predict_reads_standard_input(call, model, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"fine film\ndull film\n")))
    code, out, _ = call("predict", model, "-", "--out", tmp_path / "p.csv", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 2)
    assert [r["label"] for r in table(tmp_path / "p.csv")] == ["good", "bad"]


def test_rows_on_standard_output_are_all_that_stands_there(capfd, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.txt").write_text("fine film\ndull film\n")
    with pytest.raises(SystemExit) as end:
        main(["text", "predict", str(model), "new.txt", "--out", "-", "--json"])
    out, err = capfd.readouterr()
    assert end.value.code == 0
    assert [r["label"] for r in csv.DictReader(io.StringIO(out))] == ["good", "bad"]
    assert json.loads(err.splitlines()[-1])["rows"] == 2
    assert not (tmp_path / "-").exists()


def test_predict_scores_a_named_label_column(call, model, tmp_path):
    (tmp_path / "d.jsonl").write_text('{"t": "fine", "l": "good"}\n{"t": "dull", "l": "good"}\n')
    code, out, _ = call("predict", model, tmp_path / "d.jsonl", "--out", tmp_path / "p.csv", "--json",
                        "--text-column", "t", "--label-column", "l")  # fmt: skip
    assert (code, json.loads(out)["accuracy"]) == (0, 0.5)


def test_more_rows_than_a_chunk_keep_their_order(call, model, tmp_path, monkeypatch):
    from conv1d_kit.cli import text_predict

    monkeypatch.setattr(text_predict, "CHUNK", 3)
    lines = ["fine", "dull", "", "dull", "fine", "fine", "dull"]
    (tmp_path / "plain.txt").write_text("\n".join(lines))
    assert call("predict", model, tmp_path / "plain.txt", "--out", tmp_path / "p.csv")[0] == 0
    expected = [{"fine": "good", "dull": "bad", "": ""}[line] for line in lines]
    assert [r["label"] for r in table(tmp_path / "p.csv")] == expected


def test_a_text_without_a_token_is_a_row_with_an_error(call, data, tmp_path):
    call("train", data, "--out", tmp_path / "m", "--tokenizer", "kim", *SMALL)
    (tmp_path / "plain.txt").write_text("日本\nfine\n")
    assert call("predict", tmp_path / "m", tmp_path / "plain.txt", "--out", tmp_path / "p.csv")[0] == 0
    rows = table(tmp_path / "p.csv")
    assert rows[0]["error"] == "line 1: no token for the tokenizer 'kim'"
    assert rows[1]["label"] == "good"


def test_a_failed_prediction_leaves_the_old_file(call, model, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    (tmp_path / "d.txt").write_bytes(b"fine\n" * 3000 + b"dull \x97\n")
    options = ["--out", tmp_path / "p.csv", "--encoding", "ascii", "--format", "plain"]
    code, _, err = call("predict", model, tmp_path / "d.txt", *options)
    assert code == 2
    assert "byte 0x97 is not ascii" in err
    assert (tmp_path / "p.csv").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.txt", "p.csv"]


def test_cv_gives_accuracy_folds_and_seconds(call, data):
    code, out, _ = call("cv", data, "--folds", "2", "--workers", "1", "--json", *SMALL)
    result = json.loads(out)
    assert code == 0
    assert result["accuracy"] == pytest.approx(sum(result["folds"]) / 2)
    assert result["folds"] == [f["accuracy"] for f in result["fold_details"]]
    assert [f["fold"] for f in result["fold_details"]] == [1, 2]
    assert result["seconds"] > 0
    low, high = result["interval"]
    assert low <= result["accuracy"] <= high


def test_cv_on_a_test_file_trains_on_the_first(call, data, tmp_path):
    (tmp_path / "test.txt").write_text("good fine new\nbad dull\nbad fine\nbad\n")
    code, out, err = call("cv", data, "--test", tmp_path / "test.txt", "--json", *SMALL)
    result = json.loads(out)
    assert code == 0
    fold = result["fold_details"][0]
    assert (fold["n_train"], fold["n_test"], result["bad_rows"]) == (40, 3, 1)
    assert result["skipped"] == [{"path": str(tmp_path / "test.txt"), "line": 4, "error": "no text"}]
    assert result["folds"] == [result["accuracy"]]
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert "test.txt: line 4: no text; left out" in err


def test_a_person_gets_a_table(call, data):
    code, out, _ = call("cv", data, "--folds", "2", "--workers", "1", *SMALL)
    assert code == 0
    assert "accuracy" in out
    assert "95 % interval" in out


def test_bad_rows_are_named_counted_and_left_out(call, tmp_path):
    path = tmp_path / "d.txt"
    path.write_text("".join(f"{a} {b}\n" for a, b in ROWS) + "good\n" * 7 + "bad end\n")
    code, out, err = call("train", path, "--out", tmp_path / "m", "--json", *SMALL)
    assert (code, json.loads(out)["rows"], json.loads(out)["bad_rows"]) == (0, 41, 7)
    skipped = [{"path": str(path), "line": i, "error": "no text"} for i in range(41, 48)]
    assert json.loads(out)["skipped"] == skipped
    assert "line 41: no text; left out" in err
    assert "2 more rows left out, 7 in all" in err


def test_the_fallback_encoding_is_said_on_standard_error_only(call, tmp_path):
    path = tmp_path / "d.txt"
    path.write_bytes(b"".join(f"{a} {b}\n".encode() for a, b in ROWS) + b"good fine \x97 film\n")
    code, out, err = call("train", path, "--out", tmp_path / "m", "--json", *SMALL)
    assert (code, json.loads(out)["encoding"]) == (0, "cp1252")
    assert "read as cp1252: byte 0x97" in err


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("e.txt", b"", [], "e.txt is empty"),
        ("e.csv", b"review,label\nx,0\ny,1\n", [], "has no column 'text', it has 'review', 'label'; name the"),
        ("e.csv", b"text,label\nx,0\ny,1\n", ["--label-column", "lable"], "did you mean 'label'?"),
        (
            "e.csv",
            b"text,label\nx,\ny,\n",
            [],
            "none of its 2 rows has both a label and a text; line 2: no label",
        ),
        ("e.txt", b"0 a\n0 b\n", [], "one class only, '0' in 2 rows"),
        ("e.txt", b"0 a\n1 \x97\n", ["--encoding", "utf-8"], "byte 0x97 is not utf-8; name another encoding"),
        (
            "e.txt",
            b"0 a\n1 b\n",
            ["--widths", "3;4"],
            "--widths must be ints >= 1 with commas between, got '3;4'",
        ),
        ("e.txt", b"0 a\n1 b\n", ["--tokenizer", "spacy"], "--tokenizer must be one of word, kim"),
        ("e.txt", b"0 a\n1 b\n", ["--seed", "-1"], "--seed must be an int from 0 to 4294967295, got -1"),
        ("e.txt", b"0 a\n1 b\n", ["--seed", "9" * 23], "--seed must be an int from 0"),
        ("e.txt", b"0 a\n1 b\n", ["--lr", "inf"], "--lr must be a finite number > 0 or None, got inf"),
        ("e.txt", b"0 a\n1 b\n", ["--lr", "nan"], "--lr must be a finite number > 0 or None, got nan"),
        ("e.txt", b"0 a\n1 b\n", ["--batch-size", "0"], "--batch-size must be an int >= 1, got 0"),
        (
            "e.txt",
            b"0 a\n1 b\n",
            ["--encoding", "base64"],
            "encoding must be a text encoding that Python knows",
        ),
        ("e.txt", b"0 a\n1 b\n", ["--encoding", "utf-16"], "e.txt has no byte-order mark"),
        ("e.txt", b"0 a\n1 b\n", ["--format", "xml"], "format must be one of lines, plain, csv, tsv, jsonl"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "cv"])
def test_unusable_input_is_one_clear_line_and_exit_code_2(
    call, tmp_path, verb, name, content, options, message
):
    (tmp_path / name).write_bytes(content)
    out = ["--out", tmp_path / "m"] if verb == "train" else ["--workers", "1"]
    code, printed, err = call(verb, tmp_path / name, *out, *options, "--json")
    assert code == 2
    assert message in json.loads(printed)["error"]
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "m").exists()


def test_unusable_prediction_input_is_one_clear_line_and_exit_code_2(call, model, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    for arguments, message in (
        ([tmp_path / "none", tmp_path / "empty.txt"], "is not a model folder"),
        ([model, tmp_path / "empty.txt"], "empty.txt is empty"),
        ([model, tmp_path / "none.txt"], "cannot be opened"),
    ):
        code, _, err = call("predict", *arguments, "--out", tmp_path / "p.csv")
        assert (code, message in err) == (2, True)
    (tmp_path / "a.txt").write_text("a\n")
    code, _, err = call("predict", model, tmp_path / "a.txt", "--out", tmp_path)
    assert (code, "--out must name a file" in err) == (2, True)


def test_more_folds_than_rows_of_a_class_are_refused(call, tmp_path):
    (tmp_path / "d.txt").write_text("0 a\n1 b\n0 c\n1 d\n")
    code, _, err = call("cv", tmp_path / "d.txt", "--workers", "1")
    assert (code, "ask for fewer folds" in err) == (2, True)


def test_a_test_label_that_was_never_trained_on_is_refused(call, data, tmp_path):
    (tmp_path / "t.txt").write_text("good a\nugly b\n")
    code, _, err = call("cv", data, "--test", tmp_path / "t.txt")
    assert (code, "line 2: the label 'ugly'" in err) == (2, True)


def test_texts_of_one_token_train(call, tmp_path):
    (tmp_path / "d.txt").write_text("0 a\n1 b\n" * 5)
    code, out, _ = call("train", tmp_path / "d.txt", "--out", tmp_path / "m", "--json", *SMALL)
    assert (code, json.loads(out)["words"]) == (0, 2)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
def test_one_ctrl_c_ends_a_cross_validation_in_processes(data):
    """As a terminal does it: SIGINT to the whole foreground group, while two workers train."""
    words = ["text", "cv", str(data), "--folds", "4", "--workers", "2", "--epochs", "100000", "--dim", "8"]
    code = f"from conv1d_kit.cli.main import main\nif __name__ == '__main__': main({words!r})"
    run = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        time.sleep(6)
        assert run.poll() is None, run.stderr.read()
        start = time.perf_counter()
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=10)  # until the last worker has closed its end
        assert time.perf_counter() - start < 5
        assert (run.returncode, out) == (130, "")
        assert "Traceback" not in err
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
