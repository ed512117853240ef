"""What an estimator is given: rows as a list, and labels as numbers, one class a row or any number of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, InputTypeError

__all__ = ["as_rows", "class_targets", "label_sets", "said_labels"]


def as_rows(X: Any, *, of: str, name: str = "X", cure: str = "of a table give one column") -> list:
    """X as a list, a row each; refused is what a loop takes apart otherwise: one str, a table, a dict, a set.

    Parameters
    ----------
    X : sequence, column of a table or one-dimensional array
    of : str
        What the rows are called in messages: "texts".
    name, cure : str
        Of X, and what to give instead of a table, for messages.

    Raises
    ------
    InputTypeError

    Examples
    --------
    >>> as_rows(np.array(["good", "bad"], object), of="texts")
    ['good', 'bad']
    """
    if isinstance(X, str | bytes):
        raise InputTypeError(f"{name} must be a sequence of {of}, got one {type(X).__name__}; try [{name}]")
    ndim = getattr(X, "ndim", 1)
    is_apart = isinstance(X, Mapping | set | frozenset) or hasattr(X, "columns")
    if not isinstance(X, Iterable) or is_apart or ndim != 1:
        shape = f" of shape {tuple(X.shape)}" if ndim != 1 else ""
        raise InputTypeError(f"{name} must be a sequence of {of}, got {type(X).__name__}{shape}; {cure}")
    return list(X)


def class_targets(y: Sequence, n: int, *, multi_label: bool = False, of: str) -> tuple[np.ndarray, np.ndarray]:
    """The classes, sorted, and what each row is of them.

    Parameters
    ----------
    y : sequence of length n
        A label each; with `multi_label` a collection of labels each, which may be empty.
    n : int
        Rows there are.
    multi_label : bool
    of : str
        What a row is called in messages: "text", "clip".

    Returns
    -------
    classes : array, sorted
    targets : (n,) int64 indices of classes; with `multi_label` (n, n_classes) float32, 1 where a label is there

    Raises
    ------
    InputError, InputTypeError
        If there is not one entry a row, a label is missing, words stand beside numbers, a label is neither
        word nor number (a model's file holds no others), or there is no row.

    Examples
    --------
    >>> class_targets(["b", "a", "b"], 3, of="text")
    (array(['a', 'b'], dtype='<U1'), array([1, 0, 1]))
    >>> class_targets([["rain", "dog"], []], 2, multi_label=True, of="clip")[1].tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    if multi_label:
        sets = label_sets(y, n, of=of)
        classes = np.array(sorted(set().union(*sets)))
        if len(classes) < 1:
            raise InputError("y must hold at least one label, got none in any row")
        return classes, np.array([[c in own for c in classes.tolist()] for own in sets], dtype=np.float32)
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != n:
        raise InputError(f"y must hold one label a {of} ({n}), got shape {labels.shape}")
    _check_labels(list(enumerate(y)), of)
    if n == 0:
        raise InputError(f"X must hold at least one {of} a class, got no {of}s")
    classes, targets = np.unique(labels, return_inverse=True)
    return classes, targets.astype(np.int64)


def label_sets(y: Sequence, n: int, *, of: str) -> list[set]:
    """Each row's labels as a set; arguments and errors as `class_targets` with `multi_label`."""
    shape = tuple(getattr(y, "shape", (n,)))
    if len(shape) != 1:
        raise InputTypeError(
            f"y must hold collections of labels, got {type(y).__name__} of shape {shape}; "
            "of a matrix of 0 and 1 try [names[row > 0] for row in y]"
        )
    rows = list(y)
    if len(rows) != n:
        raise InputError(f"y must hold one collection of labels a {of} ({n}), got {len(rows)}")
    for i, row in enumerate(rows):
        if isinstance(row, str | bytes) or not isinstance(row, Iterable):
            raise InputTypeError(f"y must hold collections of labels, got {row!r} in y[{i}]; try [{row!r}]")
    rows = [list(row) for row in rows]
    _check_labels([(i, label) for i, row in enumerate(rows) for label in row], of)
    return [set(row) for row in rows]


def said_labels(classes: np.ndarray, probabilities: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """What each row's probabilities say: the most probable class, or the tuple of those above one half.

    Examples
    --------
    >>> said_labels(np.array(["dog", "rain"]), np.array([[0.9, 0.6], [0.2, 0.7]]), multi_label=True).tolist()
    [('dog', 'rain'), ('rain',)]
    """
    if not multi_label:
        return classes[probabilities.argmax(1)]
    said = np.empty(len(probabilities), dtype=object)
    for i, row in enumerate(probabilities):  # one by one: tuples of one length would become a second axis
        said[i] = tuple(classes[row > 0.5].tolist())
    return said


def _check_labels(labels: Sequence[tuple[int, Any]], of: str) -> None:
    """Refuse what is missing or no label, and words beside numbers, which NumPy would make one kind.

    labels : (row, label) each
    """
    for i, label in labels:
        if _is_missing(label):
            raise InputError(f"y must hold a label for each {of}, got {label!r} in y[{i}]; leave that {of} out")
        if not isinstance(label, str | int | float | np.integer | np.floating | np.bool_):
            raise InputTypeError(
                f"y must hold words or numbers, got {type(label).__name__} in y[{i}]; make all str"
            )
    words = [isinstance(label, str) for _, label in labels]
    if any(words) and not all(words):
        i, label = labels[words.index(not words[0])]
        raise InputTypeError(
            f"y must hold labels of one kind, got {labels[0][1]!r} and {label!r} in y[{i}]; make all str"
        )


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)  # NaN is no equal of itself
    except TypeError:  # pandas.NA answers no question
        return True
