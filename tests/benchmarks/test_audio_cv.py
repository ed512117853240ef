"""What several seeds and folds say together, against figures worked out by hand."""

import numpy as np
import pytest

from benchmarks import audio_cv as module
from benchmarks.audio_cv import STUDIES, judged
from conv1d_kit.audio.crossval import CrossValidation, FoldResult
from conv1d_kit.training.metrics import mean_interval, wilson_interval


def _study(rights, n_test=10, n_train=40):
    folds = [
        FoldResult(i, n_train, n_test, right, 1.0, tuple(range(n_test)), (0,) * n_test, ((1.0, 0.0),) * n_test)
        for i, right in enumerate(rights)
    ]
    return CrossValidation(["a", "b"], folds, np.eye(2, dtype=int), [], 8000, 3, 1.0)


def test_seeds_are_averaged_before_the_interval_over_folds():
    found = judged(STUDIES["ESC-10"], [_study([8, 10]), _study([6, 10])], ["1", "2"], ["a"] * 10)
    assert found["accuracy"] == pytest.approx(0.85)
    assert found["by_seed"] == pytest.approx([0.9, 0.8])
    assert found["folds"] == pytest.approx({"1": 0.7, "2": 1.0})
    mean, half = mean_interval([0.7, 1.0], test_share=0.25)
    assert found["interval"] == [max(0, mean - half), min(1, mean + half)]
    assert found["confusion"] == [[2, 0], [0, 2]]


def test_seeds_joined_are_one_model_that_says_the_mean_of_their_probabilities():
    def one(probabilities, n_correct):
        fold = FoldResult(0, 40, 3, n_correct, 1.0, (2, 0, 1), (0, 0, 0), probabilities)
        return CrossValidation(["a", "b"], [fold], np.eye(2, dtype=int), [], 8000, 3, 1.0)

    sure = one(((0.9, 0.1), (0.9, 0.1), (0.2, 0.8)), 1)
    unsure = one(((0.4, 0.6), (0.4, 0.6), (0.6, 0.4)), 2)
    found = judged(STUDIES["FSDD"], [sure, unsure], ["test"], ["b", "b", "a"])  # rows 2, 0, 1: a, b, b
    assert found["seeds_joined"]["accuracy"] == pytest.approx(2 / 3)
    assert found["seeds_joined"]["interval"] == list(wilson_interval(2, 3))
    assert found["accuracy"] == pytest.approx(0.5)


def test_a_fixed_split_has_wilsons_interval():
    found = judged(STUDIES["FSDD"], [_study([9])], ["test"], ["a"] * 10)
    assert found["interval"] == list(wilson_interval(9, 10))
    assert found["folds"] == {"test": 0.9}


def test_studies_read_the_sets_they_name(shared_data, monkeypatch):
    monkeypatch.setattr(module, "DATA", shared_data)
    assert len(STUDIES["ESC-10"].table()) == 400
    speakers = STUDIES["FSDD/speakers"].table()
    assert len(speakers.classes) == 10
    assert set(speakers.folds) >= {"george", "jackson"}
    assert STUDIES["FSDD"].table().folds.count("test") == 300
