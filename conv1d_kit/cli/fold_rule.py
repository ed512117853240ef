"""What the word after --folds means: ESC names, a column, or a number of folds."""

from __future__ import annotations

import re
from typing import Any

from ..errors import InputError

__all__ = ["fold_rule"]


def fold_rule(folds: str | None) -> tuple[Any, str | None]:
    """The rule for make_folds and the column to read.

    Raises
    ------
    InputError
        If it looks like a number but is not a whole one of at least 2.

    Examples
    --------
    >>> fold_rule("esc"), fold_rule("5"), fold_rule("split")
    (('esc', None), (5, None), ('column', 'split'))
    """
    if folds is None or folds == "esc":
        return folds, None
    if re.fullmatch(r"[+-]?[0-9.]+", folds) is None:
        return "column", folds
    if re.fullmatch(r"[0-9]{1,9}", folds) is None or int(folds) < 2:
        raise InputError(f"--folds must be esc, a column or a whole number >= 2, got {folds!r}; try --folds 5")
    return int(folds), None
