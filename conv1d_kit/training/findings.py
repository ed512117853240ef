"""What a look at a data set brings up: one kind of flaw with all its cases, what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SEVERITIES", "Finding"]

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One kind of flaw: all its cases, what it means and what to do.

    Attributes
    ----------
    kind : str
        "duplicate_across_folds", "clipped"…
    severity : "error" (figures would be wrong), "warning" (look at it) or "note"
    files : tuple of tuple of str
        A case each: one file (or line of a file), or those that belong together. Empty where the whole set is
        meant.
    words, cure : str
    details : tuple of str
        A few words on each case, as long as `files`, or empty.
    """

    kind: str
    severity: str
    files: tuple[tuple[str, ...], ...]
    words: str
    cure: str
    details: tuple[str, ...] = ()
