"""Every planned run is made once, whatever ended the sweep, and says what a lone training would give."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from conv1d_kit.cli.main import main
from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.classifier import TextClassifier
from conv1d_kit.text.dataset import LabelledTexts, read_texts
from conv1d_kit.text.grammar import make_reviews
from conv1d_kit.text.runs import RunRecord, read_runs
from conv1d_kit.text.sweep import SweepTexts, plan_runs, remaining_seconds, run_sweep
from conv1d_kit.text.sweep_file import parse_sweep, read_sweep
from conv1d_kit.training.folds import stratified_folds

DOCUMENT = {
    "name": "small",
    "study": {"folds": 2, "repeats": 2, "seeds": [0, 4]},
    "base": {"dim": 6, "filters": 3, "epochs": 2},
    "grid": {"widths": [[1], [1, 2]]},
    "runs": [{"name": "diverges", "lr": 1e30}],
}
DATA = SweepTexts("reviews", *make_reviews(40, seed=0))


@pytest.fixture(scope="module")
def sweep():
    return parse_sweep(DOCUMENT)


@pytest.fixture(scope="module")
def whole(sweep, tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "runs.jsonl"
    return run_sweep(sweep, DATA, path), read_runs([path])[0]


def figures(runs):
    """What must not depend on when, where and beside what a run was made."""
    return {r.key: {k: v for k, v in r.to_json().items() if "seconds" not in k} for r in runs}


def test_all_runs_of_the_plan_are_kept(sweep, whole):
    outcome, runs = whole
    planned, _ = plan_runs(sweep, DATA)
    assert len(planned) == 3 * 2 * 2 * 2
    assert [r.key for r in runs] == [p.key for p in planned]
    assert (outcome.planned, outcome.made, outcome.kept, outcome.failed, outcome.left) == (24, 24, 0, 8, 0)


def test_a_run_is_what_a_lone_training_gives(whole):
    for run in [r for r in whole[1] if r.ok][:5]:
        train, test = stratified_folds(DATA.labels, 2, seed=run.repeat)[run.fold]
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in run.config.items()}
        model = TextClassifier(**options, seed=run.seed)
        model.fit([DATA.texts[i] for i in train], [DATA.labels[i] for i in train])
        said = model.predict([DATA.texts[i] for i in test])
        assert [run.classes[i] for i in run.answers] == said.tolist()
        assert [run.classes[i] for i in run.targets] == [DATA.labels[i] for i in test]
        assert run.n_right == sum(s == DATA.labels[i] for s, i in zip(said, test, strict=True))
        assert run.accuracy == run.n_right / run.n_test
        assert run.loss == model.history_.losses[-1]
        assert (run.epochs, run.n_train, run.n_test) == (2, 20, 20)
        assert run.weights == sum(p.numel() for p in model.net_.parameters())
        assert run.cpu_seconds > 0


def test_a_run_that_fails_is_kept_with_its_reason_and_ends_nothing(whole):
    failed = [r for r in whole[1] if not r.ok]
    assert {r.name for r in failed} == {"diverges"}
    assert all("training has diverged" in r.reason and r.accuracy is None for r in failed)


def test_wherever_it_ends_every_configuration_has_been_run_equally_often(sweep):
    planned, _ = plan_runs(sweep, DATA)
    for n in range(1, len(planned) + 1):
        counts = Counter(p.hash for p in planned[:n])
        assert max(counts.values()) - min(counts.get(p.hash, 0) for p in planned) <= 1


def test_stops_in_between_change_nothing(sweep, whole, tmp_path):
    path, made = tmp_path / "runs.jsonl", []
    for n in (5, 4, 100):
        made.append(run_sweep(sweep, DATA, path, max_runs=n).made)
    assert made == [5, 4, 15]
    again = run_sweep(sweep, DATA, path)
    assert (again.made, again.kept, again.left) == (0, 24, 0)
    runs = read_runs([path])[0]
    assert figures(runs) == figures(whole[1])
    assert len(path.read_text().splitlines()) == 24


def test_a_torn_last_line_is_run_again_and_set_aside(sweep, whole, tmp_path):
    path = tmp_path / "runs.jsonl"
    lines = [json.dumps(r.to_json()) + "\n" for r in whole[1]]
    path.write_text("".join(lines[:20]) + lines[20][:77])
    notes, made = [], []
    run_sweep(sweep, DATA, path, on_note=notes.append, on_run=made.append)
    assert [r.key for r in made] == [r.key for r in whole[1][20:]]
    assert notes == [f"{path}: line 21 is cut short by a kill; it is left out"]
    assert (tmp_path / "runs.jsonl.torn").read_text() == lines[20][:77] + "\n"
    assert figures(read_runs([path])[0]) == figures(whole[1])


def test_failed_runs_are_made_again_only_when_asked(sweep, whole, tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(json.dumps(r.to_json()) + "\n" for r in whole[1]))
    assert run_sweep(sweep, DATA, path).made == 0
    assert run_sweep(sweep, DATA, path, retry_failed=True).made == 8
    assert len(read_runs([path])[0]) == 24


def test_the_key_changes_with_all_that_decides_the_figures_and_with_nothing_else():
    def keys(document=None, data=DATA, **study):
        changed = {**DOCUMENT, **(document or {}), "study": {**DOCUMENT["study"], **study}}
        return {p.key for p in plan_runs(parse_sweep(changed), data)[0]}

    plain = keys()
    assert keys({"name": "another"}) == plain
    assert keys({"base": {**DOCUMENT["base"], "dropout": 0.5}}) == plain  # the default, said
    assert plain < keys(repeats=3)
    assert plain < keys(seeds=[0, 4, 5])
    for other in (
        keys({"base": {**DOCUMENT["base"], "dropout": 0.4}}),
        keys(seed=1),
        keys(folds=3),
        keys(data=SweepTexts("reviews", DATA.texts[::-1], DATA.labels[::-1])),
        keys(data=SweepTexts("reviews", DATA.texts, DATA.labels, n_test=8)),
    ):
        assert not other & plain
    moved = SweepTexts("elsewhere", list(DATA.texts), list(DATA.labels))
    assert keys(data=moved) == plain


def test_the_same_model_under_two_names_is_run_once():
    document = {**DOCUMENT, "runs": [{"name": "again", "widths": [1]}]}
    planned, notes = plan_runs(parse_sweep(document), DATA)
    assert len({p.hash for p in planned}) == 2
    assert notes == ["'again' is the same model as 'widths=1': it is run once"]


def test_a_fixed_test_part_takes_the_place_of_folds(sweep, tmp_path):
    texts, labels = make_reviews(30, seed=1)
    train = LabelledTexts("train.csv", texts[:20], labels[:20], list(range(20)))
    test = LabelledTexts("test.csv", texts[20:], labels[20:], list(range(10)))
    data = SweepTexts.of(train, test)
    run_sweep(sweep, data, tmp_path / "runs.jsonl")
    runs, _ = read_runs([tmp_path / "runs.jsonl"])
    assert len(runs) == 3 * 2  # configurations and seeds; no repeats
    assert {(r.n_train, r.n_test, r.fold, r.repeat) for r in runs} == {(20, 10, 0, 0)}
    assert runs[0].targets.tolist() == [runs[0].classes.index(label) for label in labels[20:]]
    test.labels[3] = "mixed"
    with pytest.raises(DataError, match=r"test.csv: line 3: the label 'mixed' does not stand in train.csv"):
        SweepTexts.of(train, test)


def test_time_left_is_by_configuration(sweep, whole):
    planned, _ = plan_runs(sweep, DATA)
    slow, fast = planned[0].hash, planned[1].hash
    done = [
        _with(whole[1][0], configuration=slow, seconds=10.0),
        _with(whole[1][1], configuration=fast, seconds=2.0),
    ]
    left = remaining_seconds(planned[:3], done, 1)
    assert left == pytest.approx(10 + 2 + 6)  # the third was never run: the mean of the others
    assert remaining_seconds(planned[:3], done, 2) == pytest.approx(9)
    assert remaining_seconds(planned, [], 1) is None


def test_what_cannot_be_run_is_refused(sweep, tmp_path):
    with pytest.raises(InputError, match="max_runs must be an int >= 1 or None, got 0"):
        run_sweep(sweep, DATA, tmp_path / "r", max_runs=0)
    with pytest.raises(InputError, match="workers must be an int >= 1, got 0"):
        run_sweep(sweep, DATA, tmp_path / "r", workers=0)
    (tmp_path / "reviews.txt").write_text("1 good film\n")
    with pytest.raises(DataError, match="holds no results"):
        run_sweep(sweep, DATA, tmp_path / "reviews.txt")
    assert (tmp_path / "reviews.txt").read_text() == "1 good film\n"
    few = SweepTexts("few.csv", ["a", "b", "c"], ["x", "x", "y"])
    with pytest.raises(
        DataError, match=r"few.csv: folds must be at most the size of the smallest class, got 2"
    ):
        run_sweep(sweep, few, tmp_path / "r")


def _with(run, **changes):
    return RunRecord(**{**run.to_json(), **changes})


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([*map(str, arguments), "--workers", "1"])
        streams = capsys.readouterr()
        return stop.value.code, streams.out, streams.err

    return run


@pytest.fixture
def study(tmp_path):
    """Files of a sweep, and the command that runs it."""
    texts, labels = make_reviews(300, seed=2)
    lines = "".join(f"{label} {text}\n" for label, text in zip(labels, texts, strict=True))
    (tmp_path / "reviews.txt").write_text(lines)
    (tmp_path / "sweep.toml").write_text(
        '[data]\nfile = "reviews.txt"\n[study]\nfolds = 4\nseeds = 3\n[base]\ndim = 8\nepochs = 6\n'
        "[grid]\nfilters = [4, 8]\n"
    )

    def command(*more):
        return [sys.executable, "-m", "conv1d_kit", "text", "sweep", str(tmp_path / "sweep.toml"),
                "--out", str(tmp_path / "runs.jsonl"), "--json", *more]  # fmt: skip

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    return tmp_path / "runs.jsonl", command, environment


def _lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_two_kills_lose_no_run_and_repeat_none(study, call):
    path, command, environment = study
    kept = []
    for more in (3, 3):
        before = _lines(path)
        process = subprocess.Popen(command("--workers", "1"), env=environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        end = time.monotonic() + 60
        while _lines(path) < before + more and time.monotonic() < end:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept.append(_lines(path))
    assert 3 <= kept[0] < kept[1] < 24
    code, out, _ = call("text", *command()[4:])
    result = json.loads(out)
    assert (code, result["kept"], result["made"], result["left"]) == (0, kept[1], 24 - kept[1], 0)
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 24


def test_ctrl_c_ends_at_once_and_a_second_sweep_on_the_file_is_refused(study, call):
    path, command, environment = study
    process = subprocess.Popen(command("--workers", "2"), env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, text=True)  # fmt: skip
    end = time.monotonic() + 60
    while _lines(path) < 2 and time.monotonic() < end:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGSTOP)  # it holds the file and cannot finish meanwhile
    code, out, _ = call("text", *command()[4:])
    assert code == 2
    assert "runs.jsonl: another run writes to it; wait for its end" in json.loads(out)["error"]
    os.kill(process.pid, signal.SIGCONT)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - start < 8
    assert process.returncode == 130
    assert json.loads(out) == {"error": "interrupted"}
    assert f"they stand in {path}, and the same command goes on from there" in err
    assert "Traceback" not in err
    runs, notes = read_runs([path])
    assert len(runs) >= 2
    assert notes == []
    alone = path.with_name("alone.jsonl")  # one process gives what two gave
    found = read_sweep(path.with_name("sweep.toml"))
    run_sweep(found, SweepTexts.of(read_texts(found.data["file"])), alone, max_runs=len(runs) + 4)
    assert figures(runs).items() <= figures(read_runs([alone])[0]).items()
