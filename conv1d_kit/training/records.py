"""A file of JSON lines, one a finished run: readable after a kill at any moment, one writer at a time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DataError

__all__ = ["RecordFile", "Records"]

_PATIENCE_S = 10.0  # that a single append waits for another's


@dataclass(frozen=True)
class Records:
    """What stands in a file: its records with their line numbers (from 1), and the lines that are none."""

    records: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    damaged: list[tuple[int, str]] = field(default_factory=list)


class RecordFile:
    """JSON objects, one a line, each on the disk before `append` returns.

    A kill in the middle of an append leaves a torn last line. `read` leaves it out; the next `append` moves it
    to `NAME.torn` beside the file, so that the file holds whole lines and nothing is thrown away.

    Parameters
    ----------
    path : str or Path
        The file may be missing; its folder is made by the first `append`.

    Examples
    --------
    >>> import tempfile
    >>> file = RecordFile(Path(tempfile.mkdtemp(), "runs.jsonl"))
    >>> file.append({"fold": 0, "accuracy": 0.5})
    >>> file.read().records
    [{'fold': 0, 'accuracy': 0.5}]
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._file: BinaryIO | None = None

    def read(self) -> Records:
        """All records in the order of their lines; a file that is missing holds none.

        Raises
        ------
        DataError
            If the file cannot be read, or holds lines none of which is a record: it is of another kind.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Records()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(
                f"{self.path}: cannot be read as results ({reason}); choose another file"
            ) from error
        found = Records()
        *whole, last = content.split(b"\n")
        for number, line in enumerate([*whole, last], start=1):
            if not line.strip():
                continue
            record = _record(line)
            if record is not None:
                found.records.append(record)
                found.lines.append(number)
            else:
                torn = line is last  # no line feed after it
                found.damaged.append((number, "cut short by a kill" if torn else "not a JSON object"))
        if not found.records and found.damaged and b"\n" in content:
            number, reason = found.damaged[0]
            raise DataError(f"{self.path}: holds no results (line {number} is {reason}); choose another file")
        return found

    def append(self, record: dict[str, Any]) -> None:
        """Write one record behind the others and wait until the disk has it.

        Raises
        ------
        DataError
            If the file cannot be written, or another process holds it.
        """
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode(
            "utf-8", "backslashreplace"
        )
        if self._file is not None:
            self._write(self._file, line)
            return
        with self._open() as file:
            end = time.monotonic() + _PATIENCE_S
            while not _locked(file):
                if time.monotonic() > end:
                    raise self._busy()
                time.sleep(0.02)
            self._write(file, line)

    @contextmanager
    def held(self) -> Iterator[RecordFile]:
        """Within the block this process alone appends to the file.

        The system lets go when the process ends, however it ends: no lock is left behind by a kill.

        Raises
        ------
        DataError
            If another process holds it, or it cannot be written.
        """
        with self._open() as file:
            if not _locked(file):
                raise self._busy()
            self._file = file
            try:
                yield self
            finally:
                self._file = None

    def _open(self) -> BinaryIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return open(self.path, "a+b", buffering=0)
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from error

    def _write(self, file: BinaryIO, line: bytes) -> None:
        try:
            self._mend_end(file)
            left = memoryview(line)
            while left:  # a short write is no error to the system
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _mend_end(self, file: BinaryIO) -> None:
        """What stands behind the last line feed: complete it if it is whole, else set it aside."""
        size = file.seek(0, os.SEEK_END)
        start = size
        fragment = b""
        while start > 0:
            step = min(1 << 16, start)
            file.seek(start - step)
            block = file.read(step)
            cut = block.rfind(b"\n")
            fragment = block[cut + 1 :] + fragment
            start -= step if cut < 0 else step - cut - 1
            if cut >= 0:
                break
        if not fragment:
            return
        if _record(fragment) is not None:
            file.write(b"\n")
            return
        with open(self.path.with_name(f"{self.path.name}.torn"), "ab") as aside:
            aside.write(fragment + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        file.truncate(start)

    def _busy(self) -> DataError:
        return DataError(f"{self.path}: another run writes to it; wait for its end, or choose another file")

    def _unwritable(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or error
        return DataError(f"{self.path}: cannot be written ({reason}); choose another file")


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _locked(file: BinaryIO) -> bool:
    """Whether the file is this process's now; a file system without locks lets everyone in."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return _locked_by_bytes(file)
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _locked_by_bytes(file: BinaryIO) -> bool:
    import msvcrt

    file.seek(1 << 40)  # far behind the end: the lines themselves stay readable for others
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True
