"""Rows of a batch and stretches of an axis, as many at a time as keep near the cores."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["rounds"]

ROUND = 1 << 20  # numbers at a time that keep near the cores


def rounds(
    n_rows: int, size: int, numbers: int, most: int = ROUND, *, least: int = 1
) -> Iterator[tuple[slice, slice]]:
    """Slices of rows and of positions whose numbers are `most` at a time: many rows, or a stretch of one.

    Parameters
    ----------
    numbers : int
        A position of a row holds so many.
    least : int
        Positions that a stretch is worth.

    Examples
    --------
    >>> list(rounds(3, 10, 2, 40))
    [(slice(0, 2, None), slice(0, 10, None)), (slice(2, 3, None), slice(0, 10, None))]
    >>> list(rounds(1, 10, 2, 12))
    [(slice(0, 1, None), slice(0, 6, None)), (slice(0, 1, None), slice(6, 10, None))]
    """
    count = max(1, least, most // max(1, numbers))
    rows = max(1, count // max(1, size))
    for row in range(0, n_rows, rows):
        for first in range(0, size, count):
            yield slice(row, min(n_rows, row + rows)), slice(first, min(size, first + count))
