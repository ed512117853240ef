"""Folds train alone, here or in processes, with the same result."""

import numpy as np
import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.text.experiments import run_folds
from conv1d_kit.training.folds import stratified_folds

OPTIONS = {"dim": 8, "filters": 4, "widths": (1, 2), "epochs": 3, "lr": 1e-2}
TEXTS = [f"{'good' if i % 2 else 'bad'} film number{i}" for i in range(24)]
LABELS = [str(i % 2) for i in range(24)]


@pytest.fixture(scope="module")
def results():
    return run_folds(OPTIONS, TEXTS, LABELS, stratified_folds(LABELS, 3))


def test_every_row_is_predicted_once_in_the_order_of_the_folds(results):
    assert [r.number for r in results] == [1, 2, 3]
    assert sorted(np.concatenate([r.test for r in results]).tolist()) == list(range(24))
    assert all(len(r.predicted) == len(r.test) == 8 for r in results)


def test_the_vocabulary_holds_no_word_of_the_test_part_only(results):
    rest = 2 * (4 * (1 + 2) * 8 + 8) // 2 + 2 * 8 + 2  # filters, their biases, the classes' weights and biases
    words = [(r.n_weights - rest) // 8 - 2 for r in results]  # 8 numbers a word, two ids reserved
    assert words == [3 + 16] * 3  # good, bad, film and the training part's numbers


def test_processes_give_what_a_loop_gives(results):
    seen = []
    other = run_folds(OPTIONS, TEXTS, LABELS, stratified_folds(LABELS, 3), workers=2, on_fold=seen.append)
    assert sorted(r.number for r in seen) == [1, 2, 3]
    for a, b in zip(results, other, strict=True):
        assert (a.number, a.loss, a.n_weights) == (b.number, b.loss, b.n_weights)
        assert a.predicted.tolist() == b.predicted.tolist()


def test_workers_are_checked():
    with pytest.raises(InputError, match="workers must be an int >= 1, got 0"):
        run_folds(OPTIONS, TEXTS, LABELS, stratified_folds(LABELS, 3), workers=0)
