"""Predictions come back from their file as they were, and a damaged file says its line."""

import json

import numpy as np
import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.training.predictions import Predictions


def _said(n=7, seed=0):
    r = np.random.default_rng(seed)
    return Predictions(
        ("cat", "dög"), tuple(f"clips/{i} é\udce9.wav" for i in range(n)), ("cat", "dög", "cat") * 2 + ("dög",),
        r.dirichlet([1, 1], n), tuple("aabbccd"), tuple(i % 3 for i in range(n)), (1,) * n,
    )  # fmt: skip


def test_saved_and_loaded_is_the_same(tmp_path):
    said = _said()
    back = Predictions.load(said.save(tmp_path / "new" / "p.jsonl"))
    for name in ("classes", "paths", "labels", "groups", "folds", "seeds"):
        assert getattr(back, name) == getattr(said, name)
    np.testing.assert_allclose(back.probabilities, said.probabilities, rtol=1e-6)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["p.jsonl"]
    first = json.loads((tmp_path / "new/p.jsonl").read_text("utf-8").splitlines()[0])
    assert list(first) == ["path", "label", "group", "fold", "seed", "probabilities"]


def test_two_runs_join_by_joining_their_files(tmp_path):
    a, b = (_said(seed=s).save(tmp_path / f"{s}.jsonl") for s in (0, 1))
    (tmp_path / "both.jsonl").write_bytes(a.read_bytes() + b.read_bytes())
    assert len(Predictions.load(tmp_path / "both.jsonl")) == 14


def test_figures_are_those_of_a_loop():
    said = _said()
    right = [
        said.classes[int(p.argmax())] == label for p, label in zip(said.probabilities, said.labels, strict=True)
    ]
    assert said.accuracy == pytest.approx(np.mean(right))
    folds = [np.mean([r for r, f in zip(right, said.folds, strict=True) if f == k]) for k in range(3)]
    assert said.fold_accuracies() == pytest.approx(folds)
    part = said.subset([2, 0])
    assert (part.paths, part.folds) == ((said.paths[2], said.paths[0]), (2, 0))


def test_without_groups_each_path_is_its_own():
    said = Predictions(("a", "b"), ("x", "y"), ("a", "b"), np.eye(2))
    assert (said.groups, said.folds, said.seeds) == (("x", "y"), (0, 0), (0, 0))


GOOD = '{"path": "x", "label": "a", "probabilities": {"a": 0.5, "b": 0.5}}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no predictions"),
        (GOOD + "\n" + GOOD[:30], "line 2 is not JSON"),
        ('["x"]', "line 1 must be a JSON object"),
        ('{"path": "x", "label": "a", "probabilities": [0.5, 0.5]}', "object of class names"),
        ('{"path": "x", "label": "a", "probabilities": {"a": "1", "b": 0}}', "object of class names"),
        ('{"path": "x", "label": 3, "probabilities": {"a": 1, "b": 0}}', "label must be str, got 3"),
        (GOOD + "\n" + GOOD.replace('"b"', '"c"'), "not those of line 1"),
        (GOOD.replace("0.5}", "0.9}"), "sum to 1"),
        (GOOD.replace('"label": "a"', '"label": "z"'), "labels must be among the classes"),
        (GOOD.replace("0.5}", "NaN}"), "sum to 1"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, text, words):
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(DataError, match=words) as error:
        Predictions.load(tmp_path / "p.jsonl")
    assert "p.jsonl" in str(error.value)


def test_a_missing_or_binary_file_and_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Predictions.load(tmp_path / "none.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        Predictions.load(tmp_path / "b.jsonl")
    with pytest.raises(DataError, match="cannot write"):
        _said().save(tmp_path / "b.jsonl" / "p.jsonl")


def test_lengths_are_checked():
    with pytest.raises(InputError, match="labels must have one entry a path"):
        Predictions(("a", "b"), ("x", "y"), ("a",), np.eye(2))
    with pytest.raises(InputError, match="two different names"):
        Predictions(("a", "a"), ("x", "y"), ("a", "a"), np.eye(2))
    with pytest.raises(InputError, match="at least one row"):
        Predictions(("a", "b"), (), (), np.zeros((0, 2)))
