"""Features of clips in one file that is mapped into memory: decoded once, for any number of epochs and runs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch

from ..errors import DataError, InputError, one_line
from ..training.records import RecordFile
from .clip import Clip
from .frontends import Frontend

__all__ = ["FeatureStore", "Kept", "clip_key", "opened_store"]

_DTYPES = {"float16": torch.float16, "float32": torch.float32}
_AT_ONCE = 256  # clips between two waits for the disk


class Kept(NamedTuple):
    """features : tensor [shape=(F, L)], a view of the file; note : what `extract` said of the clip."""

    features: torch.Tensor
    note: str


class FeatureStore:
    """Features of one front-end by the keys of their clips, in `FOLDER/WORD.bin` and an index beside it.

    What is read is a view of the mapped file: memory holds what is in use, however large the set, and processes
    share it. Features are appended as they come and stay for the next run; a kill loses the last few.

    Parameters
    ----------
    folder : str or path
        Made where it is missing.
    frontend : Frontend
        Another front-end or another option of it has another file.

    Raises
    ------
    InputError
        If the folder cannot be made.

    Examples
    --------
    >>> from .frontends import Raw
    >>> store = FeatureStore(tempfile.mkdtemp(), Raw(8000))
    >>> with store.written():
    ...     store.put("a", torch.ones(1, 3), "silent")
    >>> store.get("a").features.tolist(), store.get("a").note, store.get("b")
    ([[1.0, 1.0, 1.0]], 'silent', None)
    """

    def __init__(self, folder: str | os.PathLike, frontend: Frontend):
        word = json.dumps([type(frontend).__name__, frontend.options()], sort_keys=True)
        name = hashlib.sha256(word.encode()).hexdigest()[:16]
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cache must be a folder that can be made, {folder}: {error.strerror}") from error
        self.path = Path(folder, f"{name}.bin")
        self._index = RecordFile(Path(folder, f"{name}.jsonl"))
        self._rows: dict[str, dict[str, Any]] = {}
        self._fresh: list[dict[str, Any]] = []  # not in the index yet
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._map = torch.zeros(0, dtype=torch.uint8)
        self._reach = 0  # bytes of the file that the index speaks of
        self._read()

    @contextmanager
    def written(self) -> Iterator[None]:
        """Within the block this process alone may `put`.

        Raises
        ------
        DataError
            If another process writes there, or the folder cannot be written.
        """
        with self._index.held():
            try:
                with self.path.open("ab") as file:
                    if file.tell() < self._reach:  # cut short or taken away: what follows is not what was there
                        self._index.append({"rows": [], "cut_at": file.tell()})
                    self._file = file
                    yield
                    self._flush()
            except OSError as error:
                raise DataError(
                    f"{self.path}: cannot be written ({error.strerror}); name another cache"
                ) from error
            finally:
                self._file = None

    def put(self, key: str, features: torch.Tensor, note: str = "") -> None:
        """Append the features (F, L) of a clip, float16 or float32; from any thread, inside `written`."""
        x = features.detach().contiguous()
        dtype = next(name for name, kind in _DTYPES.items() if kind == x.dtype)
        with self._lock:
            assert self._file is not None
            self._file.write(bytes(-self._file.tell() % 64))
            row = {"key": key, "at": self._file.tell(), "shape": list(x.shape), "dtype": dtype, "note": note}
            self._file.write(x.numpy().data)
            self._rows[key] = row
            self._fresh.append(row)
            if len(self._fresh) >= _AT_ONCE:
                self._flush()

    def get(self, key: str) -> Kept | None:
        """What is kept of a clip, or None."""
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                return None
            end = _end(row)
            if end > len(self._map):
                if self._file is not None:
                    self._file.flush()
                size = os.path.getsize(self.path)
                storage = torch.UntypedStorage.from_file(str(self.path), False, size)
                self._map = torch.tensor([], dtype=torch.uint8).set_(storage)  # type: ignore[arg-type]
            part = self._map[row["at"] : end]
            return Kept(part.view(_DTYPES[row["dtype"]]).view(row["shape"]), row["note"])

    def features(self, key: str) -> torch.Tensor:
        """The features of a clip that is there."""
        kept = self.get(key)
        assert kept is not None, f"no clip {key} in {self.path}"
        return kept.features

    def _flush(self) -> None:
        """First the features on the disk, then the lines that say where they are."""
        if self._fresh and self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._index.append({"rows": self._fresh})
            self._fresh = []

    def _read(self) -> None:
        """The index as it stands on the disk; rows whose features a kill cut short count as missing."""
        size = os.path.getsize(self.path) if self.path.exists() else 0
        for record in self._index.read().records:
            try:
                if "cut_at" in record:
                    self._rows = {k: row for k, row in self._rows.items() if _end(row) <= record["cut_at"]}
                    self._reach = record["cut_at"]
                for row in record["rows"]:
                    self._reach = _end(row)
                    if self._reach <= size:
                        self._rows[row["key"]] = row
            except (KeyError, TypeError, IndexError) as error:
                raise DataError(
                    f"{self._index.path}: is no index of features ({one_line(str(error))}); name another cache"
                ) from error


def _end(row: dict[str, Any]) -> int:
    """The byte behind a row's features."""
    return row["at"] + row["shape"][0] * row["shape"][1] * _DTYPES[row["dtype"]].itemsize


def clip_key(item: Any) -> str:
    """What tells one clip's content from another's: path, size and time of a file; the samples of a Clip.

    Raises
    ------
    DataError
        If there is no such file.
    """
    if isinstance(item, Clip):
        digest = hashlib.sha256(f"{item.sample_rate} {item.samples.shape}".encode())
        digest.update(item.samples.tobytes())
        return digest.hexdigest()
    name = os.fsdecode(item)
    try:
        stat = os.stat(name)
        return f"{os.path.realpath(name)}|{stat.st_size}|{stat.st_mtime_ns}".encode(
            "utf-8", "backslashreplace"
        ).decode()
    except (OSError, ValueError) as error:  # a NUL in the name, or one too long
        raise DataError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


@contextmanager
def opened_store(folder: str | os.PathLike | None, frontend: Frontend) -> Iterator[FeatureStore]:
    """The store in `folder`, or one in a temporary folder that is gone at the end of the block."""
    if folder is not None:
        yield FeatureStore(folder, frontend)
        return
    with tempfile.TemporaryDirectory(prefix="conv1d_kit-", ignore_cleanup_errors=True) as place:
        yield FeatureStore(place, frontend)
