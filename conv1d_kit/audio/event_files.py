"""Events as files: a table (CSV, JSON lines, Parquet), an Audacity label track, a Raven selection table.

A row of EVENT_FORMATS is a class: made with a path, told every Event and Heard in order, closed.
"""

from __future__ import annotations

import csv
import json
import os
from fractions import Fraction
from typing import Any

from ..errors import InputError, InputTypeError
from .events import Event, Heard

__all__ = ["EVENT_FORMATS", "AudacityLabels", "CsvEvents", "EventFile", "JsonLines", "ParquetEvents",
           "RavenTable", "format_of", "seconds_text"]  # fmt: skip

COLUMNS = ("path", "start_s", "end_s", "label", "score", "mean_score", "error")
_CONTROL = dict.fromkeys((*range(32), 127), " ")  # what would end a line or a cell of a tab-separated table
_ROW_GROUP = 10_000  # rows of Parquet in memory


class EventFile:
    """A file of events.

    Parameters
    ----------
    path : str or path
    high_hz : float
        The highest frequency that the model hears.

    Attributes
    ----------
    has_errors : bool
        Whether the format has room for a recording that could not be heard.
    max_recordings : int or None
        How many recordings one file can hold.
    """

    has_errors = True
    max_recordings: int | None = None

    def __init__(self, path, high_hz: float):
        self.path, self.high_hz = path, high_hz

    def event(self, event: Event) -> None:
        """Write an event."""
        raise NotImplementedError

    def heard(self, heard: Heard) -> None:
        """Write the end of a recording: a row where it could not be heard to its end."""

    def close(self) -> None:
        """Finish the file."""
        raise NotImplementedError


class _TextFile(EventFile):
    """UTF-8; odd bytes of file names as \\x…."""

    def __init__(self, path, high_hz: float):
        super().__init__(path, high_hz)
        self._file = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115

    def close(self) -> None:
        self._file.close()


class CsvEvents(_TextFile):
    """A row an event: path, start_s, end_s (6 decimals), label, score, mean_score; or a recording's error."""

    def __init__(self, path, high_hz: float):
        super().__init__(path, high_hz)
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def event(self, event: Event) -> None:
        scores = f"{event.score:.6f}", f"{event.mean_score:.6f}"
        stamps = seconds_text(event.start), seconds_text(event.end)
        self._rows.writerow([event.path, *stamps, event.label, *scores, ""])

    def heard(self, heard: Heard) -> None:
        if heard.error:
            self._rows.writerow([heard.path, "", "", "", "", "", heard.error])


class JsonLines(_TextFile):
    """An object a line, with the columns of the CSV table that have a value; numbers in full."""

    def event(self, event: Event) -> None:
        self._write(_values(event))

    def heard(self, heard: Heard) -> None:
        if heard.error:
            self._write({"path": heard.path, "error": heard.error})

    def _write(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")


class ParquetEvents(EventFile):
    """The columns of the CSV table, numbers in full; null where there is no value (needs pyarrow)."""

    def __init__(self, path, high_hz: float):
        super().__init__(path, high_hz)
        pyarrow = _pyarrow()
        from pyarrow.parquet import ParquetWriter

        text, number = pyarrow.string(), pyarrow.float64()
        kinds = (text, number, number, text, number, number, text)
        self._schema = pyarrow.schema(list(zip(COLUMNS, kinds, strict=True)))
        self._rows: list[dict[str, Any]] = []
        self._writer = ParquetWriter(os.fspath(path), self._schema)

    def event(self, event: Event) -> None:
        self._add(_values(event))

    def heard(self, heard: Heard) -> None:
        if heard.error:
            self._add({"path": heard.path, "error": heard.error})

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _add(self, values: dict[str, Any]) -> None:
        self._rows.append({k: _utf8(v) for k, v in values.items()})
        if len(self._rows) == _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            rows = [{c: row.get(c) for c in COLUMNS} for row in self._rows]
            self._writer.write_table(_pyarrow().Table.from_pylist(rows, schema=self._schema))
        self._rows = []


class AudacityLabels(_TextFile):
    """A label track: start, end (s, 6 decimals) and label, tab-separated, no header. One recording.

    Source: the Audacity manual, "Importing and Exporting Labels".
    """

    has_errors = False
    max_recordings = 1

    def event(self, event: Event) -> None:
        label = event.label.translate(_CONTROL)
        self._file.write(f"{seconds_text(event.start)}\t{seconds_text(event.end)}\t{label}\n")


class RavenTable(_TextFile):
    """A selection table of Raven: tab-separated with a header line, a selection an event.

    Begin Time and End Time count from the start of the first recording, as Raven shows several files one after
    the other; File Offset counts from the start of Begin File.

    Source: the Raven Pro user's manual, chapter 6 and appendix "Raven selection tables".
    """

    has_errors = False
    header = (
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
        "Begin File", "Begin Path", "File Offset (s)", "Label", "Score",
    )  # fmt: skip

    def __init__(self, path, high_hz: float):
        super().__init__(path, high_hz)
        self._file.write("\t".join(self.header) + "\n")
        self._number, self._offset = 0, Fraction(0)

    def event(self, event: Event) -> None:
        self._number += 1
        begin, end = (seconds_text(self._offset + t) for t in (event.start, event.end))
        place = os.path.basename(event.path), os.path.abspath(event.path), seconds_text(event.start)
        cells = [self._number, "Spectrogram 1", 1, begin, end, "0.000", f"{self.high_hz:.3f}", *place,
                 event.label, f"{event.score:.6f}"]  # fmt: skip
        self._file.write("\t".join(str(c).translate(_CONTROL) for c in cells) + "\n")

    def heard(self, heard: Heard) -> None:
        self._offset += heard.duration


def format_of(out, format: str | None = None) -> str:
    """The row of EVENT_FORMATS that is asked for, or that the name's ending says.

    Raises
    ------
    InputError
        If there is no such format, or its package is missing.

    Examples
    --------
    >>> format_of("day.selections.txt"), format_of("day.txt"), format_of("DAY.CSV")
    ('raven', 'audacity', 'csv')
    """
    name = os.path.basename(os.fsdecode(out)).lower()
    if format is None:
        found = next((f for ending, f in ENDINGS.items() if name.endswith(ending)), None)
        if found is None:
            raise InputError(
                f"out must end in one of {', '.join(ENDINGS)}, got {name!r}; or say format: "
                f"{', '.join(EVENT_FORMATS)}"
            )
    elif not isinstance(format, str):
        raise InputTypeError(f"format must be one of {', '.join(EVENT_FORMATS)}, got {format!r}")
    elif format.lower() not in EVENT_FORMATS:
        raise InputError(f"format must be one of {', '.join(EVENT_FORMATS)}, got {format!r}")
    else:
        found = format.lower()
    if found == "parquet":
        _pyarrow()
    return found


def seconds_text(seconds: Fraction) -> str:
    """A time with 6 decimals, rounded from the exact fraction (half to even).

    Examples
    --------
    >>> seconds_text(Fraction(1, 3)), seconds_text(Fraction(36000))
    ('0.333333', '36000.000000')
    """
    whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{whole}.{rest:06d}"


def _values(event: Event) -> dict[str, Any]:
    stamps = {"start_s": float(event.start), "end_s": float(event.end)}
    scores = {"score": event.score, "mean_score": event.mean_score}
    return {"path": event.path, **stamps, "label": event.label, **scores}


def _utf8(value: Any) -> Any:
    """Bytes of odd file names as \\x…: what a file of UTF-8 can hold."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise InputError(
            "format must be csv or jsonl where the package pyarrow is missing, got parquet; "
            "pip install 'conv1d_kit[parquet]'"
        ) from None
    return pyarrow


EVENT_FORMATS: dict[str, type[EventFile]] = {
    "csv": CsvEvents, "jsonl": JsonLines, "parquet": ParquetEvents, "audacity": AudacityLabels,
    "raven": RavenTable,
}  # fmt: skip
ENDINGS = {
    ".selections.txt": "raven",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".txt": "audacity",
}
