"""Folds: every row is tested once, groups never stand on both sides, the classes keep their shares."""

import numpy as np
import pytest

from conv1d_kit.errors import InputError
from conv1d_kit.training.folds import folds_from_values, stratified_folds

LABELS = ["a"] * 30 + ["b"] * 15


@pytest.mark.parametrize("groups", [None, [i // 3 for i in range(45)]])
def test_every_row_is_tested_once_and_trained_on_in_all_other_folds(groups):
    folds = stratified_folds(LABELS, 5, groups=groups)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(45))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(45))


def test_a_sorted_file_still_gives_each_fold_the_class_shares():
    for _, test in stratified_folds(LABELS, 5):
        assert sum(LABELS[i] == "b" for i in test) == 3


def test_groups_stay_together_and_the_seed_decides():
    groups = [i // 3 for i in range(45)]
    for train, test in stratified_folds(LABELS, 3, groups=groups):
        assert not {groups[i] for i in train} & {groups[i] for i in test}
    a, b, c = (np.concatenate([t for _, t in stratified_folds(LABELS, 5, seed=s)]) for s in (0, 0, 1))
    assert (a == b).all()
    assert (a != c).any()


def test_values_give_one_fold_each():
    folds = folds_from_values(["x", "y", "x", "z"])
    assert [test.tolist() for _, test in folds] == [[0, 2], [1], [3]]


def test_what_cannot_be_split_is_refused_with_a_cure():
    with pytest.raises(InputError, match="n_folds must be an int >= 2"):
        stratified_folds(LABELS, 1)
    with pytest.raises(InputError, match="16 folds and 15 of class 'b'"):
        stratified_folds(LABELS, 16)
    with pytest.raises(InputError, match="two classes"):
        stratified_folds(["a"] * 9, 3)
    with pytest.raises(InputError, match="one entry a label"):
        stratified_folds(LABELS, 3, groups=[1, 2])
    with pytest.raises(InputError, match="number of groups"):
        stratified_folds(LABELS, 3, groups=[0] * 30 + [1] * 15)
    with pytest.raises(InputError, match="two distinct values"):
        folds_from_values([1, 1])


def test_messages_name_the_source_that_the_caller_gives():
    for call in (
        lambda: stratified_folds(["a", "a", "b"], 2, source="d.csv"),
        lambda: stratified_folds(["a"] * 4, 2, source="d.csv"),
        lambda: folds_from_values([1, 1], source="d.csv"),
    ):
        with pytest.raises(InputError, match=r"^d\.csv: "):
            call()


@pytest.mark.parametrize("seed", [-1, 2**32, "x", True])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(InputError, match="seed must be an int from 0 to 4294967295, got"):
        stratified_folds(["a", "b"] * 4, 2, seed=seed)


def test_no_fold_is_left_without_a_row_however_large_some_groups_are():
    labels = [0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0]
    groups = [3, 3, 3, 2, 1, 1, 1, 2, 1, 1, 2, 2, 4, 2, 2]
    folds = stratified_folds(labels, 4, groups=groups, seed=4)  # scikit-learn gives parts of 6, 5, 0 and 4
    assert sorted(len(test) for _, test in folds) == [1, 3, 5, 6]
    for train, test in folds:
        assert not {groups[i] for i in train} & {groups[i] for i in test}
        assert sorted([*train, *test]) == list(range(15))
