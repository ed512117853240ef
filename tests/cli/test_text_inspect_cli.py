"""`text inspect` and where the text verbs get their texts, as a person and as a machine would call them."""

import io
import json
import sys

import pytest

from conv1d_kit.cli.main import main
from conv1d_kit.cli.text_source import bad_rows, check_folds, check_labels, read_source
from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.labelled import LabelledTexts

ROWS = "".join(
    f"{'good' if i % 2 else 'bad'} {'fine' if i % 2 else 'dull'} film number {i}\n" for i in range(24)
)


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["text", "inspect", *map(str, arguments)])
        streams = capsys.readouterr()
        assert "Traceback" not in streams.err
        return stop.value.code, streams.out, streams.err

    return run


@pytest.fixture
def data(tmp_path):
    (tmp_path / "train.txt").write_text(ROWS + "good a fine film\nbad a fine film\ngood\n")
    (tmp_path / "test.txt").write_text("good A fine film !\nbad unheard of\n")
    return tmp_path


def test_one_json_object_says_all(call, data):
    code, out, _ = call(data / "train.txt", "--test", data / "test.txt", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["train"]["n_rows"], result["train"]["n_bad"], result["conflicts"]) == (27, 1, 1)
    assert result["overlap"]["same_letters"] == 1
    assert result["skipped"] == [{"path": str(data / "train.txt"), "line": 27, "error": "no text"}]
    assert {f["kind"] for f in result["findings"]} >= {"conflict", "test_in_train", "bad_rows"}
    conflict = next(f for f in result["findings"] if f["kind"] == "conflict")
    assert conflict["files"] == [[f"{data / 'train.txt'}: line 25", f"{data / 'train.txt'}: line 26"]]
    assert "word_tells" in {f["kind"] for f in result["findings"]}


def test_a_person_is_told_the_figures_and_each_finding_with_cases(call, data):
    code, out, _ = call(data / "train.txt", "--test", data / "test.txt")
    assert code == 0
    for words in (
        "27 (1 bad)",
        "test texts in training: 1 of 2",
        "goes with bad: dull (12:0)",
        "error: 1 of 2 test",
    ):
        assert words in out
    (data / "one.txt").write_text("good [red]fine[/red] film\nbad dull\n")
    assert "[red]fine[/red]" in call(data / "one.txt", "--test", data / "one.txt")[1]


def test_a_set_without_flaws_says_so(call, tmp_path):
    (tmp_path / "d.txt").write_text(
        "".join(f"{'ab'[i % 2]} w{i} v{i * 7 % 24} u{i * 5 % 24}\n" for i in range(24))
    )
    assert "nothing found" in call(tmp_path / "d.txt")[1]


def test_every_kind_of_source_can_be_named(call, tmp_path, monkeypatch):
    (tmp_path / "p.txt").write_text("so fine\nfine\n")
    (tmp_path / "n.txt").write_text("so dull\ndull\n")
    code, out, _ = call(
        "--class", f"pos={tmp_path / 'p.txt'}", "--class", f"neg={tmp_path / 'n.txt'}", "--json"
    )
    assert (code, json.loads(out)["train"]["classes"]) == (0, {"neg": 2, "pos": 2})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text,label\nso,a\nit,b\n")))
    result = json.loads(call("-", "--format", "csv", "--json")[1])
    assert (result["file"], result["train"]["classes"]) == ("standard input", {"a": 1, "b": 1})
    (tmp_path / "m.csv").write_text("text,tags\nso,a;b\nit,b\n")
    options = ["--label-column", "tags", "--label-separator", ";", "--json"]
    assert json.loads(call(tmp_path / "m.csv", *options)[1])["train"]["classes"] == {"b": 2, "a": 1}
    (tmp_path / "plain.txt").write_text("so it goes\n")
    result = json.loads(call(tmp_path / "plain.txt", "--format", "plain", "--json")[1])
    assert (result["train"]["n_rows"], result["train"]["classes"]) == (1, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FILE must be given, or --class NAME=FILE for each class, got neither"),
        (["x.txt", "--class", "a=b"], "FILE and --class must not be given both"),
        (["--class", "pos"], "--class must be NAME=FILE, got 'pos'; try --class pos=pos.txt"),
        (["--class", "a=x", "--class", "a=y"], "--class a must be given once"),
        (["none.txt"], "none.txt cannot be opened"),
        (["none.txt", "--near", "2"], "--near must be a number in (0, 1], got 2.0"),
        (["none.txt", "--format", "xml"], "format must be one of lines, plain, csv"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line_and_exit_code_2(call, arguments, message):
    code, out, err = call(*arguments, "--json")
    assert (code, message in json.loads(out)["error"]) == (2, True)
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1


def test_reading_to_train_says_what_is_left_out(data, capsys):
    (data / "train.txt").write_bytes(ROWS.encode() + b"good caf\xe9\n" + b"bad\n" * 7)
    texts = read_source(data / "train.txt")
    said = capsys.readouterr().err
    assert (len(texts), len(texts.bad)) == (25, 7)
    assert "read as cp1252: byte 0xe9" in said
    assert "line 26: no text; left out" in said
    assert "2 more rows left out, 7 in all" in said
    assert len(bad_rows(texts)) == 7
    assert read_source(data / "train.txt", encoding="auto").texts == texts.texts


def test_a_class_with_one_text_is_named_with_its_line_and_the_cure():
    data = LabelledTexts("d", ["a", "b", "c"], ["x", "x", "y"], [1, 2, 5], places=[""] * 3)
    with pytest.raises(
        DataError, match=r"d: line 5: the class 'y' has this text only .*; add texts of it, join it"
    ):
        check_folds(data, 2)
    data = LabelledTexts("d", ["a"] * 5, list("xxxyy"), [1, 2, 3, 4, 5], places=[""] * 5)
    with pytest.raises(
        DataError, match="--folds must be at most the size of the smallest class, got 3 folds and 2"
    ):
        check_folds(data, 3)
    check_folds(data, 2)


def test_labels_that_were_never_trained_on_are_named_where_they_stand():
    train = LabelledTexts("train", ["a", "b"], [("x",), ("y", "x")], [1, 2], places=["", ""])
    test = LabelledTexts("test", ["a", "b"], [("x",), ("z",)], [1, 2], places=["", "row 2"])
    with pytest.raises(DataError, match="test: row 2: the label 'z' does not stand in train"):
        check_labels(train, test)
    check_labels(train, train)


def test_neither_a_file_nor_classes_is_refused():
    with pytest.raises(InputError, match="FILE must be given"):
        read_source(None)
