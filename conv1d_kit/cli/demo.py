"""`conv1d-kit demo`"""

from __future__ import annotations

__all__ = ["demo"]


def demo() -> None:
    """Train both classifiers on data the kit makes itself and write report.html."""
