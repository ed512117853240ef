"""Numbers and tables as the pages show them."""

from __future__ import annotations

__all__ = ["bold", "shown_bytes", "shown_time", "table"]


def table(head: str, rules: str, lines: list[list[str]]) -> str:
    """Markdown: a head, the line below it, and lines of cells."""
    return "\n".join([f"| {head} |", rules] + ["| " + " | ".join(line) + " |" for line in lines])


def bold(text: str, is_bold: bool) -> str:
    """The text in bold, if so."""
    return f"**{text}**" if is_bold else text


def shown_time(seconds: float) -> str:
    """Three digits and a unit.

    Examples
    --------
    >>> [shown_time(s) for s in (1.23e-8, 1.2345e-5, 0.00456, 0.9999, 12.0)]
    ['12.3 ns', '12.3 µs', '4.56 ms', '1.00 s', '12.0 s']
    """
    for unit, scale in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if abs(seconds) * scale < 999.5:
            return f"{_three_digits(seconds * scale)} {unit}"
    return f"{_three_digits(seconds)} s"


def shown_bytes(n: float) -> str:
    """Megabytes."""
    return f"{_three_digits(n / 1e6)} MB"


def _three_digits(value: float) -> str:
    size = abs(value)
    return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
