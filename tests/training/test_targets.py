"""Labels to numbers: against scikit-learn's encoders, and every wrong y by name."""

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

from conv1d_kit.errors import InputError, InputTypeError
from conv1d_kit.training.folds import held_out
from conv1d_kit.training.targets import as_rows, class_targets, said_labels


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
        (["a", 1.0], False, InputTypeError, r"labels of one kind, got 'a' and 1.0 in y\[1\]"),
        ([1, b"a"], False, InputTypeError, r"words or numbers, got bytes in y\[1\]; make all str"),
        (np.array(["2020", "2021"], "M8[D]"), False, InputTypeError, "got datetime64 in y"),
        ([1j, 2j], False, InputTypeError, "got complex in y"),
        ([["a"], ["b", 1]], True, InputTypeError, r"of one kind, got 'a' and 1 in y\[1\]"),
        ([["a", None], []], True, InputError, r"got None in y\[0\]; leave that clip out"),
        ([[("a",)], []], True, InputTypeError, r"got tuple in y\[0\]"),
        ([[["a"]], []], True, InputTypeError, r"got list in y\[0\]"),
        (["ab", "c"], True, InputTypeError, r"collections of labels, got 'ab' in y\[0\]"),
        ([["a"]], True, InputError, r"one collection of labels a clip \(2\), got 1"),
        ([[], []], True, InputError, "at least one label"),
        (np.eye(2), True, InputTypeError, r"got ndarray of shape \(2, 2\); of a matrix of 0 and 1 .* row in y"),
        ([["a"], ["b", None]], True, InputError, r"got None in y\[1\]; leave that clip out"),
        ([["a"], ["b", 1]], True, InputTypeError, "labels of one kind, got 'a' and 1"),
    ],
)
def test_a_wrong_y_is_said(y, several, kind, words):
    with pytest.raises(kind, match=words):
        class_targets(y, 2, multi_label=several, of="clip")


@pytest.mark.parametrize("make", [tuple, iter, np.array, lambda rows: dict.fromkeys(rows).keys()])
def test_rows_come_from_any_sequence(make):
    assert as_rows(make(["a", "b"]), of="texts") == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ("a", r"X must be a sequence of texts, got one str; try \[X\]"),
        ({"text": ["a"]}, "got dict; of a table give one column"),
        ({"a", "b"}, "got set"),
        (None, "got NoneType"),
        (np.array("a"), r"got ndarray of shape \(\)"),
        (np.array([["a"], ["b"]]), r"got ndarray of shape \(2, 1\); of a table give one column"),
    ],
)
def test_what_a_loop_would_take_apart_is_no_sequence_of_rows(X, words):
    with pytest.raises(InputTypeError, match=words):
        as_rows(X, of="texts")


def test_a_column_serves_and_a_table_or_a_missing_label_does_not():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    assert as_rows(table["text"], of="texts") == ["a", "b"]
    with pytest.raises(InputTypeError, match=r"got DataFrame of shape \(2, 2\); of a table give one column"):
        as_rows(table, of="texts")
    with pytest.raises(InputError, match=r"got <NA> in y\[1\]; leave that text out"):
        class_targets(["x", pd.NA], 2, of="text")


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


@pytest.mark.parametrize("grouped", [False, True])
def test_a_label_that_would_only_be_held_out_is_learned_from(grouped):
    """Else the net would never hear it, and say it all the same."""
    targets = np.zeros((40, 7), np.float32)
    targets[:, 0], targets[:10, 1] = 1, 1
    for label, row in enumerate((0, 3, 11, 17, 29), start=2):  # whichever rows are held out, some would be lost
        targets[row, label] = 1
    groups = [i // 2 for i in range(40)] if grouped else None
    for seed in range(5):
        rest, held = held_out(targets, 0.2, groups=groups, seed=seed)
        assert targets[rest].any(0).all()
        assert sorted([*rest, *held]) == list(range(40))
        assert (np.diff(rest) > 0).all()
        assert 0 < len(held) <= 8
        if groups is not None:
            assert not {groups[i] for i in rest} & {groups[i] for i in held}
    with pytest.raises(
        InputError, match=r"share must leave a row to hold out, got 0.2, .*; leave such labels out"
    ):
        held_out(np.eye(10, dtype=np.float32), 0.2)


def test_rows_that_cannot_be_cut_in_two_are_said():
    with pytest.raises(
        InputError, match=r"share must leave a row of each class, got 0.2 with 1 rows of class 'b'"
    ):
        held_out(np.array([0] * 9 + [1]), 0.2, classes=["a", "b"])
    with pytest.raises(InputError, match=r"must leave a group on both sides, got 0.2 with 2 groups"):
        held_out(np.array([0, 1] * 5), 0.2, groups=["x", "y"] * 5)
    with pytest.raises(InputError, match=r"got 0.2 with 3 rows of class 1; take a larger share$"):
        held_out(np.array([0] * 9 + [1] * 3), 0.2)
    for share in (0.2, 0.5):  # where there is one, no share is large enough
        with pytest.raises(InputError, match=r"with 1 rows of class 1; two are needed$"):
            held_out(np.array([0] * 9 + [1]), share)
        with pytest.raises(InputError, match=r"with 1 groups; two are needed$"):
            held_out(np.array([0, 1] * 5), share, groups=["x"] * 10)
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
