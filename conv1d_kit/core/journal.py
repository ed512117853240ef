"""The hidden folder beside a result while it is made, and the journal in it from which an ended run goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, InputError
from .sound_file import shown_path

__all__ = ["WorkFolder", "fingerprint", "identity_of", "lock_folder"]

_JOURNAL, _NEW_JOURNAL = "journal.npz", "journal.new"
_OURS = (_JOURNAL, _NEW_JOURNAL, "raw.npy", "rows.jsonl", "result")


class WorkFolder:
    """`.NAME.part` in dst's folder: what is half done never stands under dst's own name.

    Parameters
    ----------
    dst : str or path

    Attributes
    ----------
    raw, rows, result : Path
        Of samples as floats, of rows of a table, and of the file that will be dst.

    Raises
    ------
    DataError
        If the folder cannot be made, or another run is at work in it.
    """

    def __init__(self, dst):
        self.dst = Path(os.path.realpath(os.fsdecode(dst)))  # a link stays one: what it names is written
        name = self.dst.name
        if len(os.fsencode(name)) > 200:  # names end at 255 bytes
            name = hashlib.sha256(os.fsencode(name)).hexdigest()
        self.path = self.dst.with_name(f".{name}.part")
        self.raw, self.rows = self.path / "raw.npy", self.path / "rows.jsonl"
        self.result = self.path / "result"
        self._journal = self.path / _JOURNAL
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise DataError(
                f"{shown_path(dst)}: its folder must be writable, got '{error.strerror}'; choose another place"
            ) from error
        self._lock = lock_folder(self.path, dst)

    @property
    def has_journal(self) -> bool:
        return self._journal.exists()

    def begin_anew(self) -> None:
        """Remove what an earlier run left, and nothing that is not ours."""
        for name in _OURS:
            (self.path / name).unlink(missing_ok=True)

    def save(self, record: dict[str, Any], state: dict[str, np.ndarray]) -> None:
        """Write the journal whole or not at all."""
        new = self.path / _NEW_JOURNAL
        with open(new, "wb") as file:
            arrays: dict[str, Any] = {f"state.{k}": v for k, v in state.items()}
            np.savez(file, record=np.array(json.dumps(record)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._journal)

    def load(self, identity: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """(record, state) as saved, or None where nothing was.

        Raises
        ------
        InputError
            If the journal was kept with another source, kernel or options.
        DataError
            If it cannot be read.
        """
        if not self.has_journal:
            return None
        try:
            with open(self._journal, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                record = json.loads(str(arrays["record"]))
                state = {k.removeprefix("state."): arrays[k] for k in arrays.files if k != "record"}
            kept = dict(record["identity"])
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self._journal}: not a readable journal ({error}); leave resume out to begin anew"
            ) from error
        for key, value in identity.items():
            if kept.get(key) != value:
                raise InputError(
                    f"resume must have the {key} it began with, {kept.get(key)}, got {value}; "
                    "give that, or leave resume out to begin anew"
                )
        return record, state

    def move(self) -> None:
        """The finished result to dst, on the disk before it has the name."""
        with open(self.result, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(self.result, self.dst)
        if os.name != "nt":  # the name, too
            descriptor = os.open(self.dst.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove(self) -> None:
        """What is in it, and the folder."""
        with contextlib.suppress(OSError):  # something of another's is in it, say
            self.begin_anew()
            self.path.rmdir()

    def close(self) -> None:
        """Let another run in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def fingerprint(values: np.ndarray) -> str:
    """A hash of an array's shape, dtype and values."""
    h = hashlib.sha256(f"{values.dtype} {values.shape}".encode())
    h.update(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
    return h.hexdigest()[:16]


def identity_of(path) -> str:
    """What changes when a file does: its size and the time of its last change."""
    status = os.stat(path)
    return f"{status.st_size} bytes of {status.st_mtime_ns} ns"


def lock_folder(folder: Path, dst) -> int | None:
    """A lock that ends with the process, however it ends; None where the system has none."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataError(f"{shown_path(dst)}: another run is writing it; wait for its end") from None
    except OSError:  # a file system without locks
        pass
    return descriptor
