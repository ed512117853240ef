"""Labels to numbers: against scikit-learn's encoders, and every wrong y by name."""

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

from conv1d_kit.errors import InputError, InputTypeError
from conv1d_kit.training.folds import held_out
from conv1d_kit.training.targets import class_targets, said_labels


@pytest.mark.parametrize("y", [["b", "a", "b"], [3, 1, 3], np.array(["x", "y"])])
def test_one_label_a_row_as_scikit_learn_has_it(y):
    encoder = LabelEncoder().fit(y)
    classes, targets = class_targets(y, len(y), of="clip")
    assert classes.tolist() == encoder.classes_.tolist()
    assert targets.tolist() == encoder.transform(y).tolist()


def test_several_labels_a_row_as_scikit_learn_has_them():
    y = [("rain", "dog"), (), ("dog",), ("dog", "dog")]
    encoder = MultiLabelBinarizer()
    classes, targets = class_targets(y, 4, multi_label=True, of="clip")
    np.testing.assert_array_equal(targets, encoder.fit_transform(y))
    assert classes.tolist() == encoder.classes_.tolist()


@pytest.mark.parametrize(
    ("y", "several", "kind", "words"),
    [
        (["a"], False, InputError, r"one label a clip \(2\)"),
        (["a", None], False, InputError, r"got None in y\[1\]; leave that clip out"),
        (["a", 1.0], False, InputTypeError, "labels of one kind"),
        (["ab", "c"], True, InputTypeError, r"collections of labels, got 'ab' in y\[0\]"),
        ([["a"]], True, InputError, r"one collection of labels a clip \(2\), got 1"),
        ([[], []], True, InputError, "at least one label"),
    ],
)
def test_a_wrong_y_is_said(y, several, kind, words):
    with pytest.raises(kind, match=words):
        class_targets(y, 2, multi_label=several, of="clip")


def test_held_out_rows_keep_class_shares_and_groups():
    r = np.random.default_rng(0)
    targets, groups = np.repeat([0, 1], [60, 30]), np.arange(90) // 3
    shuffled = r.permutation(90)
    rest, held = held_out(targets[shuffled], 0.2, groups=groups[shuffled].tolist())
    assert sorted([*rest, *held]) == list(range(90))
    assert 12 <= len(held) <= 24
    assert not set(groups[shuffled][rest]) & set(groups[shuffled][held])
    assert abs(targets[shuffled][held].mean() - 1 / 3) < 0.1


def test_held_out_rows_of_several_labels_spread_by_the_rarest():
    targets = np.zeros((40, 3), np.float32)
    targets[:, 0] = 1
    targets[:10, 1] = 1
    targets[5, 2] = 1  # too rare to be spread
    _, held = held_out(targets, 0.2)
    assert len(held) == 8
    assert targets[held, 1].sum() in (2, 3)


def test_rows_that_cannot_be_cut_in_two_are_said():
    with pytest.raises(
        InputError, match=r"share must leave a row of each class, got 0.2 with 1 rows of class 'b'"
    ):
        held_out(np.array([0] * 9 + [1]), 0.2, classes=["a", "b"])
    with pytest.raises(InputError, match=r"must leave a group on both sides, got 0.2 with 2 groups"):
        held_out(np.array([0, 1] * 5), 0.2, groups=["x", "y"] * 5)
    with pytest.raises(InputError, match=r"all rows of class 1 stand in groups that are held out"):
        held_out(np.array([0] * 5 + [1] * 5), 0.5, groups=[*"abcde", *"zzzzz"])


def test_labels_said_of_each_row_stay_one_tuple_a_row_whatever_their_lengths():
    """As many labels in each row as there are, none or one: no second axis."""
    classes = np.array(["a", "b"])
    for p, said in (
        ([[0.9, 0.1], [0.2, 0.7]], [("a",), ("b",)]), ([[0.9, 0.8], [0.6, 0.7]], [("a", "b"), ("a", "b")]),
        ([[0.1, 0.5], [0.2, 0.3]], [(), ()]),
    ):  # fmt: skip
        found = said_labels(classes, np.array(p), multi_label=True)
        assert found.shape == (2,)
        assert found.tolist() == said
    assert said_labels(classes, np.array([[0.9, 0.1], [0.2, 0.7]]), multi_label=False).tolist() == ["a", "b"]
