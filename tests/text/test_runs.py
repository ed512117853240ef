"""A run's line says all of it, and what is no run is left out with its line number."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv1d_kit.errors import DataError
from conv1d_kit.text.runs import RunRecord, digest, pack_labels, read_runs, unpack_labels

RUN = RunRecord(
    key="k1", configuration="c", name="filters=5", group="", sweep="s", config={"filters": 5}, data="d",
    data_name="reviews.csv", version="0.1.0", rule={"folds": 2, "seed": 0}, study={"repeats": 1, "seeds": [0]},
    repeat=0, fold=1, seed=0, status="ok", reason=None, n_train=4, n_test=3, n_right=2, accuracy=2 / 3,
    seconds=1.5, cpu_seconds=1.4, n_words=9, weights=100, epochs=2, loss=0.3, classes=["a", "b"],
    labels="010", predicted="011",
)  # fmt: skip


@given(st.integers(2, 200), st.data())
def test_labels_come_back_as_they_were(n_classes, data):
    numbers = data.draw(st.lists(st.integers(0, n_classes - 1), max_size=50))
    packed = pack_labels(numbers, n_classes)
    assert unpack_labels(json.loads(json.dumps(packed))).tolist() == numbers
    assert isinstance(packed, str) == (n_classes <= 62)


def test_a_run_comes_back_from_its_line(tmp_path):
    (tmp_path / "runs.jsonl").write_text(json.dumps(RUN.to_json()) + "\n")
    (run,), notes = read_runs([tmp_path / "runs.jsonl"])
    assert (run, notes) == (RUN, [])
    assert np.array_equal(run.targets, [0, 1, 0])
    assert run.place == (0, 1, 0)


def test_a_run_that_stands_twice_counts_once_and_one_that_went_well_wins(tmp_path):
    failed = {**RUN.to_json(), "status": "failed", "reason": "diverged", "labels": "", "predicted": ""}
    for name, lines in (("a", [RUN.to_json(), failed]), ("b", [failed, RUN.to_json()])):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    runs, _ = read_runs([tmp_path / "a", tmp_path / "b"])
    assert runs == [RUN]


def test_lines_that_are_no_runs_are_said(tmp_path):
    strange = [{"study": "audio"}, {**RUN.to_json(), "seed": "x"}, {**RUN.to_json(), "predicted": "01"}]
    lines = [*map(json.dumps, [RUN.to_json(), *strange]), '{"key": "torn']
    (tmp_path / "runs.jsonl").write_text("\n".join(lines))
    runs, notes = read_runs([tmp_path / "runs.jsonl"])
    assert runs == [RUN]
    assert [n.split(": ")[1] for n in notes] == [
        "line 2 is not a run of `text sweep`; it is left out",
        "line 3 is not a run of `text sweep`; it is left out",
        "line 4 is not a run of `text sweep`; it is left out",
        "line 5 is cut short by a kill; it is left out",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"n_train": 0}, {"classes": []}, {"classes": ["a"]}, {"predicted": [0, -1, 0]}, {"labels": [5, 5, 5]},
        {"rule": {"folds": "2", "seed": 0}}, {"rule": {"test": 5}}, {"study": {"repeats": "2"}},
        {"study": {"seeds": 5}}, {"study": {"seeds": ["0"]}}, {"study": {"configurations": None}},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_no_comparison_could_use_is_left_out_and_the_others_are_compared(tmp_path, fault):
    lines = [json.dumps(r) for r in (RUN.to_json(), {**RUN.to_json(), "key": "k2", **fault})]
    (tmp_path / "runs.jsonl").write_text("\n".join(lines) + "\n")
    runs, notes = read_runs([tmp_path / "runs.jsonl"])
    assert runs == [RUN]
    assert [n.split(": ")[1] for n in notes] == ["line 2 is not a run of `text sweep`; it is left out"]


def test_files_without_runs_are_refused(tmp_path):
    (tmp_path / "reviews.txt").write_text("1 good film\n0 bad film\n")
    with pytest.raises(DataError, match=r"holds no results \(line 1 is not a JSON object\)"):
        read_runs([tmp_path / "reviews.txt"])
    with pytest.raises(DataError, match="does not exist; name a file that `text sweep` wrote"):
        read_runs([tmp_path / "none"])
    (tmp_path / "empty").write_text("")
    assert read_runs([tmp_path / "empty"])[1] == [f"{tmp_path / 'empty'}: holds no run yet"]


def test_digest_tells_values_apart():
    values = [1, 1.5, "1", [1], [[1]], {"a": 1}, {"a": [1, 2]}, {"a": [2, 1]}, None, True]
    assert len({digest(v) for v in values}) == len(values)
