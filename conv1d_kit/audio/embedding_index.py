"""An index of sounds: their vectors as safetensors, their names as JSON lines; nearest clips by cosine.

An index folder holds three files:

    vectors.safetensors   "vectors" (N, D) float32, row i for line i of clips.jsonl; zeros where there is none
    clips.jsonl           one object a sound: path, duration_s, and where they apply label, note, error
    index.json            format, the model's id and place, sizes

It is made in `.NAME.part` beside it, row by row, and moved when it is whole; an ended run goes on there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..core.journal import identity_of, lock_folder
from ..errors import DataError, InputError, check_whole
from .embedding import Embedded, dimension, embed_each, model_id

__all__ = ["EmbeddingIndex", "Found", "make_index"]

FORMAT = 1
_VECTORS, _CLIPS, _INDEX, _PLAN = "vectors.safetensors", "clips.jsonl", "index.json", "plan.json"
_BLOCK = 2**24  # numbers of one block of the search
_KEEP = 64  # rows between two moments when all is on the disk


@dataclass(frozen=True)
class Found:
    """A sound that is near: its row, how near (cosine, −1…1), and what clips.jsonl says of it."""

    row: int
    similarity: float
    clip: dict[str, Any]


class EmbeddingIndex:
    """Vectors (N, D) with a name each, searched exactly.

    Parameters
    ----------
    vectors : array [shape=(N, D), float32]
        May be a memory map; it is read in blocks. A row of zeros is never found.
    clips : sequence of dict, length N
    model_id : str
        Of the model that made the vectors (`embedding.model_id`).
    model_path : str
        Where that model was, for messages.

    Raises
    ------
    InputError
        If vectors are not (N, D) or not as many as clips.

    Examples
    --------
    >>> index = EmbeddingIndex(np.eye(3, dtype=np.float32), [{"path": p} for p in "abc"], "")
    >>> [(f.clip["path"], round(f.similarity, 2)) for f in index.search(np.array([3.0, 1.0, 0.0]), k=2)]
    [('a', 0.95), ('b', 0.32)]
    """

    def __init__(
        self, vectors: np.ndarray, clips: Sequence[dict[str, Any]], model_id: str, model_path: str = ""
    ):
        if vectors.ndim != 2 or len(vectors) != len(clips):
            raise InputError(f"vectors must be (N, D) with N = {len(clips)} clips, got shape {vectors.shape}")
        self.vectors, self.clips = vectors, list(clips)
        self.model_id, self.model_path = model_id, model_path

    def __len__(self) -> int:
        return len(self.clips)

    def search(self, query: np.ndarray, *, k: int = 5, leave_out: Sequence[int] = ()) -> list[Found]:
        """The k rows with the highest cosine, best first (of equals the first); fewer where there are no more.

        Parameters
        ----------
        query : array [shape=(D,)]
        k : int >= 1
        leave_out : sequence of int
            Rows that are not wanted: the query's own, say.

        Raises
        ------
        InputError
            If the query does not fit, is not finite or all 0, or k is not >= 1.
        """
        q = np.asarray(query, np.float64)
        if q.shape != self.vectors.shape[1:]:
            raise InputError(f"query must be (D,) = {self.vectors.shape[1:]}, got shape {q.shape}")
        if not np.isfinite(q).all() or not q.any():
            raise InputError("query must be finite and not all 0; was the sound heard by a sound model?")
        check_whole("k", k)
        best: list[tuple[float, int]] = []
        for start, units in _unit_blocks(self.vectors):
            score = units @ (q / np.linalg.norm(q)).astype(np.float32)
            score[~units.any(1)] = -np.inf
            score[[i - start for i in leave_out if 0 <= i - start < len(score)]] = -np.inf
            near = np.argsort(-score, kind="stable")[:k]
            best += [(float(score[i]), start + int(i)) for i in near if score[i] > -np.inf]
            best = sorted(best, key=lambda pair: (-pair[0], pair[1]))[:k]
        return [Found(row, min(1.0, max(-1.0, score)), self.clips[row]) for score, row in best]

    def save(self, path) -> None:
        """Write the index folder whole, or not at all; an index that stands there is replaced.

        Raises
        ------
        DataError
            If something else stands there, or it cannot be written.
        """
        with _Work(path) as work:
            work.begin(self.vectors.shape, {"model": self.model_id, "model_path": self.model_path})
            for i, clip in enumerate(self.clips):
                work.add(self.vectors[i], clip)
            work.finish()

    @classmethod
    def load(cls, path) -> EmbeddingIndex:
        """Open an index folder; the vectors stay on the disk (a memory map), and nothing in it is run.

        Raises
        ------
        DataError
            If it is no index, is damaged, or was written by a newer format.
        """
        folder = Path(path)
        if not all((folder / name).is_file() for name in (_VECTORS, _CLIPS, _INDEX)):
            raise DataError(
                f"{folder} is not an index folder ({_VECTORS}, {_CLIPS}, {_INDEX}); audio embed makes one"
            )
        try:
            about = json.loads((folder / _INDEX).read_text("utf-8"))
            clips = [json.loads(line) for line in (folder / _CLIPS).read_text("utf-8").splitlines()]
            version, shape = about["format"], (int(about["n_rows"]), int(about["dimension"]))
            if isinstance(version, int) and version > FORMAT:
                raise DataError(
                    f"{folder} has format {version}, this version reads up to {FORMAT}; upgrade conv1d_kit"
                )
            vectors = _mapped(folder / _VECTORS, shape, "r")
            if version != FORMAT or len(clips) != shape[0] or not all(isinstance(c, dict) for c in clips):
                raise ValueError(f"format {version!r}, {len(clips)} clips, {shape[0]} rows")
            return cls(vectors, clips, str(about["model"]), str(about["model_path"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{folder} is damaged and cannot be read: {error}; run audio embed again"
            ) from error

    def check_model(self, model) -> None:
        """Refuse a model whose vectors do not lie in the same space.

        Raises
        ------
        InputError
            If the vectors of this index are another model's.
        """
        found = model_id(model)
        if found != self.model_id:
            raise InputError(
                f"the index must be searched with the model that made it ({self.model_path}, id "
                f"{self.model_id[:12]}), got one with id {found[:12]}; give that model, or embed with this one"
            )


def make_index(
    model,
    paths: Sequence,
    out,
    *,
    labels: Sequence[str] | None = None,
    model_path: str = "",
    on_resume: Callable[[int], None] | None = None,
    on_file: Callable[[Embedded], None] | None = None,
) -> EmbeddingIndex:
    """Embed files into an index folder, in constant memory; what an ended run had done is not done again.

    Parameters
    ----------
    model : a trained AudioClassifier
    paths : sequence of path
    out : path
        The index folder; an index that stands there is replaced.
    labels : sequence of str, optional
        Kept in clips.jsonl.
    model_path : str
        Kept for messages and as the model that `audio search` opens.
    on_resume : callable
        Called with the number of rows that an ended run has left, if it began with the same model and files.
    on_file : callable
        Called with each Embedded, its index counted from the first of paths.

    Returns
    -------
    EmbeddingIndex
        A file that cannot be read has its line with the error, and a row of zeros.

    Raises
    ------
    InputError
        If there are no paths, or not as many labels.
    DataError
        If out is something else than an index, cannot be written, or another run is at work there.
    """
    if len(paths) == 0:
        raise InputError("paths must hold at least one file, got none")
    if labels is not None and len(labels) != len(paths):
        raise InputError(f"labels must be one a path ({len(paths)}), got {len(labels)}")
    plan = {"model": model_id(model), "model_path": os.path.abspath(model_path) if model_path else ""}
    with _Work(out) as work:
        n_done = work.begin((len(paths), dimension(model)), {**plan, "files": _files_id(paths, labels)})
        if n_done and on_resume is not None:
            on_resume(n_done)
        for found in embed_each(model, islice(paths, n_done, None)):
            found.index += n_done
            work.add(found.vector, _line(found, paths, labels))
            if on_file is not None:
                on_file(found)
        work.finish()
    return EmbeddingIndex.load(out)


class _Work:
    """`.NAME.part` beside an index while it is made: rows are added in order and stay if the run ends."""

    def __init__(self, out):
        self.target = Path(os.path.realpath(out))
        _refuse_target(self.target, out)
        self.path = self.target.with_name(f".{self.target.name}.part")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"cannot write {out}: {error.strerror}; choose another place") from error
        self._lock = lock_folder(self.path, out)
        self._rows: Any = None
        self._vectors: Any = None

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, kind, value, trace) -> None:
        failed = value if isinstance(value, OSError) else None
        try:
            if self._rows is not None and failed is None:
                self._keep()
        except OSError as error:
            failed = error
        finally:
            if self._rows is not None:
                with suppress(OSError):  # of the lines that found no room
                    self._rows.close()
            if self._lock is not None:
                os.close(self._lock)
        if failed is not None:
            reason = failed.strerror or failed
            raise DataError(f"cannot write {self.target}: {reason}; make room and run it again") from failed

    def begin(self, shape: tuple[int, int], plan: dict[str, Any]) -> int:
        """Go on with what a run with the same plan has left, or begin anew; the number of rows there."""
        self.shape, self.plan = shape, {**plan, "n_rows": shape[0], "dimension": shape[1]}
        self._n = self._left()
        if not self._n:
            for name in (_PLAN, _VECTORS, _CLIPS, _INDEX):
                (self.path / name).unlink(missing_ok=True)
            _allocate(self.path / _VECTORS, shape)
            (self.path / _CLIPS).touch()
            (self.path / _PLAN).write_text(json.dumps(self.plan), "utf-8")
        self._vectors = _mapped(self.path / _VECTORS, shape, "r+")
        self._rows = open(self.path / _CLIPS, "a", encoding="utf-8")  # noqa: SIM115  # closed by __exit__
        self._pending: list[str] = []
        return self._n

    def add(self, vector: np.ndarray | None, clip: dict[str, Any]) -> None:
        """The next row; None for what has no vector."""
        self._vectors[self._n] = 0.0 if vector is None else vector
        self._pending.append(json.dumps(clip) + "\n")
        self._n += 1
        if len(self._pending) >= _KEEP:
            self._keep()

    def finish(self) -> None:
        """Move the index to its name."""
        self._keep()
        about = {k: self.plan[k] for k in ("model", "model_path", "n_rows", "dimension")}
        (self.path / _INDEX).write_text(json.dumps({"format": FORMAT, **about}), "utf-8")
        (self.path / _PLAN).unlink()
        if self.target.exists():
            shutil.rmtree(self.target)
        os.replace(self.path, self.target)

    def _keep(self) -> None:
        """Vectors first, then the lines that say they are there."""
        if self._pending:
            if self._vectors.size:
                self._vectors.flush()
            self._rows.writelines(self._pending)
            self._rows.flush()
            os.fsync(self._rows.fileno())
            self._pending = []

    def _left(self) -> int:
        """Rows of an ended run with the same plan; a line that was cut short is taken away."""
        try:
            if json.loads((self.path / _PLAN).read_text("utf-8")) != self.plan:
                return 0
            _mapped(self.path / _VECTORS, self.shape, "r")
            with open(self.path / _CLIPS, "rb+") as file:
                text = file.read()
                file.truncate(text.rfind(b"\n") + 1)
            return min(text.count(b"\n"), self.shape[0])
        except (OSError, ValueError):
            return 0


def _unit_blocks(vectors: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows of length 1) [shape=(n, D), float32], zeros where a row is zeros."""
    step = max(1, _BLOCK // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        block = np.array(vectors[start : start + step], np.float32)
        yield start, block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-30)


def _line(found: Embedded, paths: Sequence, labels: Sequence[str] | None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "path": os.path.abspath(os.fsdecode(paths[found.index])),
        "duration_s": found.duration_s,
    }
    if labels is not None:
        line["label"] = str(labels[found.index])
    for key in ("note", "error"):
        if getattr(found, key):
            line[key] = getattr(found, key)
    return line


def _files_id(paths: Sequence, labels: Sequence[str] | None) -> str:
    """A hash of names, sizes, times and labels: of what a run that goes on must have begun with."""
    h = hashlib.sha256(json.dumps(None if labels is None else list(map(str, labels))).encode())
    for path in paths:
        try:
            h.update(os.fsencode(os.path.abspath(path)) + identity_of(path).encode())
        except (OSError, ValueError):
            h.update(os.fsencode(path))
    return h.hexdigest()


def _header(shape: tuple[int, int]) -> bytes:
    """What stands before the numbers in a safetensors file: eight bytes of length, JSON, padded to eight."""
    n_bytes = 4 * shape[0] * shape[1]
    about = {"vectors": {"dtype": "F32", "shape": list(shape), "data_offsets": [0, n_bytes]}}
    text = json.dumps(about, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _allocate(path: Path, shape: tuple[int, int]) -> None:
    head = _header(shape)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + 4 * shape[0] * shape[1])


def _mapped(path: Path, shape: tuple[int, int], mode: Any) -> np.ndarray:
    """The numbers of a file that `_allocate` made, as an array over it."""
    head = _header(shape)
    with open(path, "rb") as file:
        if (
            file.read(len(head)) != head
            or os.fstat(file.fileno()).st_size != len(head) + 4 * shape[0] * shape[1]
        ):
            raise ValueError(f"{path.name} does not hold {shape[0]} vectors of {shape[1]} numbers")
    if 0 in shape:
        return np.zeros(shape, np.float32)
    return np.memmap(path, "<f4", mode, offset=len(head), shape=shape)


def _refuse_target(target: Path, out) -> None:
    if not os.path.lexists(target):
        return
    names = sorted(os.listdir(target)) if target.is_dir() else None
    if names is None or (names and set(names) != {_VECTORS, _CLIPS, _INDEX}):
        raise DataError(f"{out} is not an index folder that may be replaced; choose another name")
