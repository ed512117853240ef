"""`text sweep` and `text compare` as a person and as a machine would call them."""

import json

import pytest

from conv1d_kit.cli.main import main
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.sweep_file import ready_sweeps

SWEEP = """
[data]
file = "reviews.csv"
[study]
folds = 3
[base]
dim = 8
epochs = 5
lr = 0.01
[grid]
widths = [[1], [2]]
filters = [4, 8]
[[runs]]
name = "diverges"
lr = 1e30
"""


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
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("sweep")
    rows = zip(*make_reviews(90, seed=0), strict=True)
    (root / "reviews.csv").write_text(
        "text,label\n" + "".join(f'"{t}",{label}\n' for t, label in rows) + '"",x\n'
    )
    (root / "sweep.toml").write_text(SWEEP)
    return root


@pytest.fixture(scope="module")
def runs(folder):
    path = folder / "runs.jsonl"
    with pytest.raises(SystemExit) as stop:
        main(["text", "sweep", str(folder / "sweep.toml"), "--out", str(path), "--workers", "1", "--json"])
    assert stop.value.code == 0
    return path


def test_sweep_says_what_it_made_and_makes_nothing_twice(call, folder, runs):
    code, out, err = call("sweep", folder / "sweep.toml", "--out", runs, "--workers", 1, "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["planned"], result["kept"], result["made"], result["left"]) == (15, 15, 0, 0)
    assert [c["runs"] for c in result["configurations"]] == [3, 3, 3, 3, 0]
    assert len(result["failures"]) == 3
    assert "diverges, repeat 0, fold 0, seed 0: " in err
    assert "line 92: no text; left out" in err
    assert "sweep: 0 runs on reviews.csv; 15 stand in" in err


def test_sweep_for_a_person(call, folder, tmp_path):
    code, out, _ = call(
        "sweep",
        folder / "sweep.toml",
        "--out",
        tmp_path / "r.jsonl",
        "--workers",
        1,
        "--max-runs",
        4,
        "--folds",
        2,
    )
    assert code == 0
    assert "4 runs made, 0 kept from before, 0 failed, 6 left" in out
    assert f"next: conv1d-kit text compare {tmp_path / 'r.jsonl'}" in out


def test_data_on_the_command_line_takes_the_place_of_the_files(call, folder, tmp_path):
    rows = list(zip(*make_reviews(60, seed=1), strict=True))
    for name, part in (("train.tsv", rows[:40]), ("test.tsv", rows[40:])):
        (tmp_path / name).write_text("review\tmood\n" + "".join(f"{t}\t{label}\n" for t, label in part))
    columns = ["--text-column", "review", "--label-column", "mood", "--workers", 1, "--json"]
    files = ["--data", tmp_path / "train.tsv", "--test", tmp_path / "test.tsv", "--out", tmp_path / "r.jsonl"]
    code, out, _ = call("sweep", folder / "sweep.toml", *files, *columns)
    result = json.loads(out)
    assert code == 0
    assert (result["data"], result["rows"], result["planned"]) == ("train.tsv → test.tsv", 60, 5)


def test_a_dry_run_names_its_file_as_it_is_called(call, tmp_path):
    code, out, _ = call("sweep", "kim2014", "--dry-run", "--out", tmp_path / "runs [b]" / "r.jsonl")
    assert code == 0
    assert f"0 kept in {tmp_path / 'runs [b]' / 'r.jsonl'}, " in out


def test_dry_run_writes_nothing(call, folder, runs, tmp_path):
    code, out, _ = call("sweep", folder / "sweep.toml", "--out", tmp_path / "r.jsonl", "--dry-run", "--json")
    result = json.loads(out)
    assert (code, result["planned"], result["kept"], result["left"]) == (0, 15, 0, 15)
    assert result["configurations"][0]["options"]["widths"] == [1]
    assert list(tmp_path.iterdir()) == []
    result = json.loads(
        call("sweep", folder / "sweep.toml", "--out", runs, "--dry-run", "--folds", 2, "--json")[1]
    )
    assert (result["kept"], result["left"]) == (0, 10)
    assert result["seconds_of_one_worker"] > 0
    code, out, _ = call("sweep", "kim2014", "--dry-run")
    assert (code, "10 runs, 0 kept" in out) == (0, True)


def test_ready_sweeps_are_listed_and_shown(call, tmp_path):
    code, out, _ = call("sweep", "--list", "--json")
    assert code == 0
    assert [s["name"] for s in json.loads(out)["sweeps"]] == list(ready_sweeps())
    for name in ("--list", "--show"):
        assert call("sweep", name, *(["quick"] if name == "--show" else []))[0] == 0
    shown = json.loads(call("sweep", "--show", "quick", "--json")[1])["toml"]
    (tmp_path / "mine.toml").write_text(shown)
    assert call("sweep", tmp_path / "mine.toml", "--dry-run")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "SWEEP must be a TOML file or the name of a ready sweep, got none; see --list"),
        (["kim"], "there is no sweep 'kim'"),
        (["--show", "kim2015"], "there is no sweep 'kim2015'; did you mean 'kim2014'?"),
        (["kim2014"], "the sweep 'kim2014' names no file of texts; add --data FILE"),
        (["kim2014", "--workers", 0], "--workers must be an int >= 1, got 0"),
        (["kim2014", "--data", "none.csv"], "none.csv cannot be opened"),
    ],
)
def test_mistakes_of_sweep_are_one_line(call, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("sweep", *arguments, "--json")
    assert code == 2
    assert words in json.loads(out)["error"]
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_of_nothing_but_failures_ends_with_2(call, folder, tmp_path):
    (tmp_path / "bad.toml").write_text("[study]\nfolds = 2\n[base]\nlr = 1e30\n")
    arguments = ["--data", folder / "reviews.csv", "--out", tmp_path / "r.jsonl", "--workers", 1]
    assert call("sweep", tmp_path / "bad.toml", *arguments)[0] == 2


def test_compare_writes_every_table_and_a_page(call, runs, tmp_path):
    names = {"--markdown": "t.md", "--csv": "t.csv", "--latex": "t.tex", "--html": "p.html"}
    options = [w for flag, name in names.items() for w in (flag, tmp_path / name)]
    code, out, err = call("compare", runs, "--baseline", "widths=1 filters=4", *options, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["written"] == [str(tmp_path / n) for n in ("t.md", "t.csv", "t.tex", "p.html")]
    assert all((tmp_path / n).stat().st_size > 300 for n in names.values())
    assert (result["baseline"], result["baseline_is_best"]) == ("widths=1 filters=4", False)
    assert len(result["configurations"]) == 5
    assert {c["option"] for c in result["curves"]} == {"filters", "width"}
    assert len(result["budget"][0]["expected_best"]) == 4
    assert "diverges: 0 of 3 runs, 3 failed" in err


def test_compare_for_a_person_and_by_macro_f1(call, runs):
    code, out, _ = call("compare", runs, runs, "--metric", "macro_f1", "--sweep", "sweep")
    assert code == 0
    assert "macro_f1" in out
    assert "baseline" in out
    assert "intervals: 95 %: Student's t over folds" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jsonl"], "none.jsonl does not exist"),
        (["RUNS", "--baseline", "widths=1 filters=5"], "did you mean 'widths=1 filters="),
        (["RUNS", "--metric", "f1"], "metric must be one of accuracy, macro_f1, got 'f1'"),
        (["RUNS", "--sweep", "other"], "no run is of the sweep 'other'; there is sweep"),
        (["RUNS", "--csv", "RUNS"], "is a file of runs; write to another"),
        (["RUNS", "--html", "FOLDER"], "is a folder, a file name is needed"),
        (["EMPTY"], "no run stands there yet"),
    ],
)
def test_mistakes_of_compare_are_one_line(call, runs, tmp_path, arguments, words):
    (tmp_path / "empty").write_text("")
    places = {"RUNS": runs, "FOLDER": tmp_path, "EMPTY": tmp_path / "empty"}
    code, out, _ = call("compare", *[places.get(a, a) for a in arguments], "--json")
    assert code == 2
    assert words in json.loads(out)["error"]
    assert runs.read_text().count("\n") == 15
