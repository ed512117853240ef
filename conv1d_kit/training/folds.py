"""Folds: who is trained on and who is tested, decided once, before anything is learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError, check_whole

__all__ = ["Fold", "folds_from_values", "held_out", "stratified_folds"]

Fold = tuple[np.ndarray, np.ndarray]  # (train indices, test indices)


def stratified_folds(
    labels: Sequence,
    n_folds: int,
    *,
    groups: Sequence | None = None,
    seed: int = 0,
    source: str | None = None,
) -> list[Fold]:
    """Shuffled folds with the class shares of the whole set; a group never stands on both sides.

    Parameters
    ----------
    labels : sequence of str or int, length N
    n_folds : int >= 2, at most the size of the smallest class (or the number of groups)
    groups : sequence of length N, optional
        Source recording, speaker, site…: rows of one group stay together.
    seed : int from 0 to 2**32 − 1
    source : str, optional
        The file that messages name, where its rows are to blame.

    Returns
    -------
    list of (train, test)
        Two sorted int arrays a fold, neither empty; every row is in exactly one test part.

    Raises
    ------
    InputError
        If there are fewer rows of a class, or fewer groups, than folds.

    Examples
    --------
    >>> folds = stratified_folds(["a", "b"] * 4, 2)
    >>> [len(test) for train, test in folds]
    [4, 4]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    check_whole("n_folds", n_folds, least=2)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be an int from 0 to {2**32 - 1}, got {seed!r}")
    where = "" if source is None else f"{source}: "
    names, counts = np.unique(np.asarray(labels, dtype=str), return_counts=True)
    if len(names) < 2:
        raise InputError(f"{where}labels must hold at least two classes, got {names.tolist()}")
    if counts.min() < n_folds:
        raise InputError(
            f"{where}n_folds must be at most the size of the smallest class, got {n_folds} folds and "
            f"{counts.min()} of class {str(names[counts.argmin()])!r}; ask for fewer folds"
        )
    y = np.asarray(labels, dtype=str)
    if groups is None:
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(y, y)
    else:
        g = np.asarray(groups, dtype=str)
        if len(g) != len(y):
            raise InputError(f"{where}groups must have one entry a label ({len(y)}), got {len(g)}")
        n_groups = len(np.unique(g))
        if n_groups < n_folds:
            raise InputError(
                f"{where}n_folds must be at most the number of groups ({n_groups}), got {n_folds}; "
                "ask for fewer folds"
            )
        splits = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(y, y, g)
    fold = np.empty(len(y), np.int64)  # of each row
    for i, (_, test) in enumerate(splits):
        fold[test] = i
    for i in np.setdiff1d(np.arange(n_folds), fold):  # scikit-learn may leave a fold without a group
        names, first, sizes = np.unique(g, return_index=True, return_counts=True)
        in_company = np.bincount(fold[first])[fold[first]] > 1
        fold[g == names[in_company][sizes[in_company].argmin()]] = i
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(n_folds)]


def held_out(
    targets: np.ndarray,
    share: float,
    *,
    classes: Sequence | None = None,
    groups: Sequence | None = None,
    seed: int = 0,
    name: str = "share",
) -> Fold:
    """Training rows cut in two: those to learn from, and a share that chooses (a temperature, an epoch).

    Parameters
    ----------
    targets : (N,) int classes, or (N, n_classes) shares of which several may be there
    share : float in (0, 0.5]
        One of round(1 / share) stratified folds is held out. Rows of several labels are spread by the rarest
        of them; what is rarer than there are folds is spread as one class. A label that would be held out
        alone is learned from: its rows stay, and their groups.
    classes : sequence of length n_classes, optional
        Their names, for messages.
    groups : sequence of length N, optional
        Rows of one group stay together.
    seed : int from 0 to 2**32 − 1
    name : str
        What messages call `share`.

    Returns
    -------
    rest, held : sorted int arrays

    Raises
    ------
    InputError
        If a class of single-label rows, the rows, or the groups, are too few for both parts.

    Examples
    --------
    >>> rest, held = held_out(np.array([0, 1] * 5), 0.2)
    >>> len(rest), len(held)
    (8, 2)
    """
    n_folds = max(2, round(1 / share))
    shown = [str(c) for c in classes] if classes is not None else None
    if targets.ndim == 2:
        strata = _rarest(targets)
        names, counts = np.unique(strata, return_counts=True)
        strata = np.where(np.isin(strata, names[counts < n_folds]), -2, strata)
    else:
        strata = targets
        counts = np.bincount(targets)
        if counts.min() < n_folds:
            raise InputError(
                f"{name} must leave a row of each class, got {share!r} with {counts.min()} rows of class "
                f"{_named(counts.argmin(), shown)}; {_cure(counts.min())}"
            )
    if groups is not None and len(set(groups)) < n_folds:
        raise InputError(
            f"{name} must leave a group on both sides, got {share!r} with {len(set(groups))} groups; "
            f"{_cure(len(set(groups)))}"
        )
    names, counts = np.unique(strata, return_counts=True)
    if len(names) < 2 or counts.min() < n_folds:  # nothing to stratify by
        strata = np.arange(len(strata)) % 2
    rest, held = stratified_folds(strata.tolist(), n_folds, groups=groups, seed=seed)[0]
    if targets.ndim == 1 and len(set(targets[rest].tolist())) < len(set(targets.tolist())):
        lost = sorted(set(targets.tolist()) - set(targets[rest].tolist()))
        raise InputError(
            f"{name} must leave a row of each class to learn from, but all rows of class "
            f"{_named(lost[0], shown)} stand in groups that are held out; leave the class out, or take a "
            "smaller share"
        )
    if targets.ndim == 2:
        alone = targets[held][:, ~targets[rest].any(0)].any(1)  # rows of a label that none of the rest has
        if groups is not None:
            kept = {groups[i] for i in held[alone]}
            alone = np.array([groups[i] in kept for i in held], bool)
        rest, held = np.sort(np.concatenate([rest, held[alone]])), held[~alone]
        if len(held) == 0:
            raise InputError(
                f"{name} must leave a row to hold out, got {share!r}, each has a label that no other row has; "
                "leave such labels out"
            )
    return rest, held


def _cure(n: int) -> str:
    """What to do where `n` are too few for a share; it goes up to one half, which needs two."""
    return "take a larger share" if n > 1 else "two are needed"


def _named(i, shown: list[str] | None) -> str:
    return str(int(i)) if shown is None else repr(shown[int(i)])


def _rarest(targets: np.ndarray) -> np.ndarray:
    """The rarest label of each row [shape=(N,)], −1 where it has none."""
    counts = np.where(targets > 0, targets.sum(0), np.inf)
    return np.where(targets.max(1) > 0, counts.argmin(1), -1)


def folds_from_values(values: Sequence, *, source: str | None = None) -> list[Fold]:
    """One fold a distinct value (the fold column of a table, the first digit of an ESC file name).

    Parameters
    ----------
    values : sequence of length N
    source : str, optional
        The file or column that the message names.

    Returns
    -------
    list of (train, test), in the order of the sorted values

    Raises
    ------
    InputError
        If there is only one distinct value.

    Examples
    --------
    >>> [test.tolist() for train, test in folds_from_values([1, 2, 1])]
    [[0, 2], [1]]
    """
    v = np.asarray(values)
    distinct = np.unique(v)
    if len(distinct) < 2:
        where = "" if source is None else f"{source}: "
        raise InputError(f"{where}fold values must hold at least two distinct values, got {distinct.tolist()}")
    return [(np.flatnonzero(v != d), np.flatnonzero(v == d)) for d in distinct]
