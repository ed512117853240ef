"""How well one property alone tells the class: an alarm for Clever Hans, who read the asker, not the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .bootstrap import bootstrap_interval, class_scores_of, grouped_tallies, recall_of
from .folds import stratified_folds

__all__ = ["Clue", "class_clue"]

_N_FOLDS = 5
_MIN_LEAF = 5  # rows: a rule needs that many to stand on


@dataclass(frozen=True)
class Clue:
    """What guessing the class from one property gives on rows (and groups) that the guesser has not seen.

    Attributes
    ----------
    accuracy : float
        Balanced (the mean of the classes' recalls), so that a frequent class is no help.
    low, high : float
        95 % interval, whole groups resampled.
    chance : float
        1 / n_classes.
    n_rows : int
    best_class : str
        The class it tells best (by F1), with `best_f1` and the low end of its interval.
    best_chance : float
        F1 of who answers that class always.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    n_rows: int
    best_class: str
    best_f1: float
    best_low: float
    best_chance: float

    @property
    def tells(self) -> bool:
        """Whether the property gives the classes away, or one of them.

        Even the low end of the interval removes a tenth of chance's errors, or a third of them for one class.
        """
        all_of_them = self.low - self.chance > 0.1 * (1 - self.chance)
        return all_of_them or self.best_low - self.best_chance > (1 - self.best_chance) / 3


def class_clue(
    values: Sequence, labels: Sequence[str], *, groups: Sequence[str] | None = None, seed: int = 0
) -> Clue | None:
    """Guess the class from a single number or word a row, cross-validated, by a small decision tree.

    Parameters
    ----------
    values : numbers or words [shape=(N,)]
        Rows with NaN are left out; words are told apart one by one.
    labels : sequence of str, length N
    groups : sequence of str, length N, optional
        Rows of one group are never on both sides.
    seed : int
        Of the folds.

    Returns
    -------
    Clue or None
        None where there is nothing to learn from: one value for all, or fewer than two classes with two rows
        (and groups) each. Classes of fewer rows are left out.

    Raises
    ------
    InputError
        If the lengths differ.

    Examples
    --------
    >>> rate = [44100, 48000] * 20  # one class was recorded with another device
    >>> clue = class_clue(rate, ["dog", "cat"] * 20)
    >>> clue.accuracy, clue.chance, clue.tells
    (1.0, 0.5, True)
    >>> class_clue([44100] * 40, ["dog", "cat"] * 20) is None
    True
    """
    y, g = np.asarray(labels, dtype=str), None if groups is None else np.asarray(groups, dtype=str)
    x = np.asarray(values)
    if not len(x) == len(y) == (len(y) if g is None else len(g)):
        raise InputError(f"values, labels and groups must have one length, got {len(x)} and {len(y)}")
    x = _columns(x)
    keep = np.isfinite(x).all(1)
    names, counts = np.unique(y[keep], return_counts=True)
    keep &= np.isin(y, names[counts >= 2])
    x, y, g = x[keep], y[keep], None if g is None else g[keep]
    classes, t = np.unique(y, return_inverse=True)
    if len(classes) < 2 or len(np.unique(x, axis=0)) < 2:
        return None
    n_groups = len(y) if g is None else len(np.unique(g))
    n_folds = min(_N_FOLDS, int(np.bincount(t).min()), n_groups)
    if n_folds < 2:
        return None
    said = np.zeros(len(t), np.int64)
    for train, test in stratified_folds(
        y.tolist(), n_folds, groups=None if g is None else g.tolist(), seed=seed
    ):
        said[test] = _guess(x[train], t[train], x[test])
    counts_of = grouped_tallies(t, said, len(classes), g)
    found = bootstrap_interval(_scores, counts_of, n_resamples=1000, seed=seed)
    best = int(np.nan_to_num(found.estimate[1:]).argmax())
    share = float((t == best).mean())
    return Clue(
        accuracy=float(found.estimate[0]),
        low=float(found.low[0]),
        high=float(found.high[0]),
        chance=1 / len(classes),
        n_rows=len(y),
        best_class=str(classes[best]),
        best_f1=float(found.estimate[1 + best]),
        best_low=float(found.low[1 + best]),
        best_chance=2 * share / (1 + share),
    )


def _scores(tallies: np.ndarray) -> np.ndarray:
    """Balanced accuracy, then F1 of each class [shape=(R, 1 + n)]."""
    return np.concatenate([recall_of(tallies)[:, None], class_scores_of(tallies)[:, 2]], 1)


def _guess(x: np.ndarray, t: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.tree import DecisionTreeClassifier

    leaf = max(1, min(_MIN_LEAF, int(np.bincount(t)[np.unique(t)].min())))
    tree = DecisionTreeClassifier(min_samples_leaf=leaf, max_depth=6, class_weight="balanced", random_state=0)
    return tree.fit(x, t).predict(asked)


def _columns(x: np.ndarray) -> np.ndarray:
    """Numbers as one column, words as a column of 0 and 1 a word [shape=(N, n)]."""
    if x.dtype.kind in "fiub":
        return x.astype(np.float64)[:, None]
    words = x.astype(str)
    return (words[:, None] == np.unique(words)).astype(np.float64)
