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
    found = judged(STUDIES["ESC-10"], [_study([8, 10]), _study([6, 10])], ["1", "2"])
    assert found["accuracy"] == pytest.approx(0.85)
    assert found["by_seed"] == pytest.approx([0.9, 0.8])
    assert found["folds"] == pytest.approx({"1": 0.7, "2": 1.0})
    mean, half = mean_interval([0.7, 1.0], test_share=0.25)
    assert found["interval"] == [max(0, mean - half), min(1, mean + half)]
    assert found["confusion"] == [[2, 0], [0, 2]]


def test_a_fixed_split_has_wilsons_interval():
    found = judged(STUDIES["FSDD"], [_study([9])], ["test"])
    assert found["interval"] == list(wilson_interval(9, 10))
    assert found["folds"] == {"test": 0.9}


def test_studies_read_the_sets_they_name(shared_data, monkeypatch):
    monkeypatch.setattr(module, "DATA", shared_data)
    assert len(STUDIES["ESC-10"].table()) == 400
    speakers = STUDIES["FSDD/speakers"].table()
    assert len(speakers.classes) == 10
    assert set(speakers.folds) >= {"george", "jackson"}
    assert STUDIES["FSDD"].table().folds.count("test") == 300
