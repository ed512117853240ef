"""Word vectors from files of word2vec, GloVe and fastText, read once and only for the words that are needed."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, InputError, one_line

__all__ = ["VectorTable", "embedding_matrix", "load_vectors"]

BLOCK = 1 << 22  # bytes read at once
HEAD = 1 << 18  # bytes by which the format is told: more than any first line
LONGEST_WORD = 1 << 16  # bytes
_HEADER = re.compile(rb"\s*(\d+) (\d+)\s*")
_FOREIGN = {
    b"\xba\x16\x4f\x2f": "is a model of fastText's own; give the .vec file beside it",
    b"PK\x03\x04": "is a zip archive; unpack it and give the file in it",
    codecs.BOM_UTF16_LE: "is in UTF-16; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is in UTF-16; save it as UTF-8",
}
_EXACT, _LOWER, _FOLDED, _NONE = range(4)  # how a word was found, the better first


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Vectors of the words that were asked for.

    Attributes
    ----------
    words : tuple of str, length N
    found : bool array [shape=(N,)]
    matrix : float32 array [shape=(N, dim)]
        Zeros where a word was not found.
    dim : int
    name : str
        Of the file.
    hash : str
        SHA-256 of the file's content, unpacked.
    format : str
        "word2vec binary", "word2vec text" (fastText's .vec too) or "glove".
    n_rows : int
        Of the file.
    n_exact : int
        Words found as they are written; the others of `found` only in other letter case.
    n_duplicates : int
        Rows left aside because their word, one of those asked for, had come before.
    """

    words: tuple[str, ...]
    found: np.ndarray
    matrix: np.ndarray
    dim: int
    name: str
    hash: str
    format: str
    n_rows: int
    n_exact: int
    n_duplicates: int


def load_vectors(
    path: Any, words: Sequence[str], *, dim: int | None = None, ignore_case: bool = True
) -> VectorTable:
    """Read the vectors of `words` from a file, in one pass and a memory that does not grow with the file.

    Formats are told apart by what the file holds: word2vec binary (a header, then word, space, 4 · dim bytes),
    word2vec and fastText text (a header, then a line a word), GloVe (no header); gzip around any of them.
    Numbers of other words are counted in text and skipped in binary files, never decoded.

    Parameters
    ----------
    path : str or path
    words : sequence of distinct str, length N
        A vocabulary's.
    dim : int, optional
        Refuse a file of another dimension.
    ignore_case : bool
        Where a word does not stand in the file as it is, take it in lower case, then any row that is equal but
        for case: "Paris" of the file serves for "paris". The first of equal rows wins.

    Raises
    ------
    DataError
        With the path and the line or row: a file that cannot be read, is empty, cut off, of another dimension,
        has another number of rows than its header says, or numbers that are none or not finite.
    InputError
        If `dim` is no int >= 1 or `words` are not distinct.

    Source: Mikolov et al. (2013), word2vec, distance.c; Pennington et al. (2014), GloVe; Bojanowski et al.
    (2017), fastText.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "small.vec")
    ...     _ = path.write_text("2 3\\nfilm 1 2 3\\nParis 0 0 1\\n")
    ...     table = load_vectors(path, ["film", "plot", "paris"])
    >>> table.found.tolist(), table.matrix[0].tolist(), table.n_exact
    ([True, False, True], [1.0, 2.0, 3.0], 1)
    """
    if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int) or dim < 1):
        raise InputError(f"dim must be an int >= 1 or None, got {dim!r}")
    wanted = _Wanted(words, ignore_case)
    name = os.fspath(path)
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
                source = _Source(name, stream)
                read = _start(source, dim)
                n_rows = read.rows(source, wanted)
                source.to_end()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name} is cut off or damaged: {error}; fetch it again") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error
    matrix = np.zeros((len(wanted.words), read.dim), np.float32)
    for i, row in wanted.vectors.items():
        matrix[i] = row
    found = wanted.rank < _NONE
    return VectorTable(
        wanted.words, found, matrix, read.dim, Path(name).name, source.hash.hexdigest(), read.format, n_rows,
        int((wanted.rank == _EXACT).sum()), wanted.duplicates,
    )  # fmt: skip


def embedding_matrix(table: VectorTable, *, seed: int = 0) -> np.ndarray:
    """Embeddings to start from [shape=(N + 2, dim), float32]: <pad>, <unk>, then the table's words.

    <pad> is zero. <unk> and words without a vector are uniform in ±a, with a such that their variance is that
    of the vectors found.

    Parameters
    ----------
    table : VectorTable
        Of a vocabulary's `words`.
    seed : int >= 0

    Raises
    ------
    InputError
        If no word has a vector.

    Source: Kim (2014), section 3.1.2.
    """
    if not table.found.any():
        raise InputError(
            f"{table.name} has a vector for none of the {len(table.words)} words, such as "
            f"{', '.join(map(repr, table.words[:3]))}; is it of another language or tokenizer?"
        )
    a = float(np.sqrt(3 * table.matrix[table.found].var(dtype=np.float64)))
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(-a, a, (len(table.words) + 2, table.dim)).astype(np.float32)
    matrix[0] = 0
    matrix[2:][table.found] = table.matrix[table.found]
    return matrix


class _Wanted:
    """The words asked for, as UTF-8, and what has been found of them."""

    def __init__(self, words: Sequence[str], ignore_case: bool):
        self.words = tuple(words)
        if len(set(self.words)) < len(self.words):
            raise InputError("words must be distinct; give a vocabulary's")
        self.rank = np.full(len(self.words), _NONE)
        self.vectors: dict[int, np.ndarray] = {}
        self.duplicates = 0
        self.ignore_case = ignore_case
        self.written: dict[bytes, list[tuple[int, int]]] = {}  # as a row may write it: (index, rank)
        self.folded: dict[bytes, list[tuple[int, int]]] = {}
        for i, word in enumerate(self.words):
            exact, lower = _bytes(word), _bytes(word.lower())
            self.written.setdefault(exact, []).append((i, _EXACT))
            if ignore_case:
                if lower != exact:
                    self.written.setdefault(lower, []).append((i, _LOWER))
                self.folded.setdefault(lower, []).append((i, _FOLDED))

    def places(self, word: bytes) -> list[tuple[int, int]] | None:
        """Where a row of this word would be written: (index, rank), or None; most rows end here."""
        places = self.written.get(word)
        if places is None and self.ignore_case:
            lower = word.lower() if word.isascii() else _bytes(word.decode("utf-8", "replace").lower())
            return self.folded.get(lower) if lower != word else None
        return places

    def take(self, places: list[tuple[int, int]], row: Callable[[], np.ndarray]) -> None:
        """Keep a row where it is the best so far; `row()` decodes it."""
        vector = None
        for i, rank in places:
            if rank < self.rank[i]:
                vector = row() if vector is None else vector
                self.rank[i], self.vectors[i] = rank, vector
            elif rank == self.rank[i]:
                self.duplicates += 1


class _Source:
    """A file's bytes in blocks, hashed on the way."""

    def __init__(self, name: str, stream: Any):
        self.name, self.stream = name, stream
        self.hash = hashlib.sha256()
        self.ahead = b""

    def read(self) -> bytes:
        """The next block, b"" at the end."""
        if self.ahead:
            block, self.ahead = self.ahead, b""
            return block
        block = self.stream.read(BLOCK)
        self.hash.update(block)
        return block

    def peek(self, size: int) -> bytes:
        """The next bytes, at least `size` of them where the file has as many; they are read again."""
        while len(self.ahead) < size:
            block = self.stream.read(max(BLOCK, size))
            if not block:
                break
            self.hash.update(block)
            self.ahead += block
        return self.ahead

    def to_end(self) -> None:
        while self.read():
            pass


@dataclass
class _Text:
    """Rows of lines: word, space, numbers with spaces between."""

    format: str
    dim: int
    stated: int | None  # rows, by the header
    first_line: int

    def rows(self, source: _Source, wanted: _Wanted) -> int:
        dim, number, blank = self.dim, self.first_line - 1, 0
        for line in _lines(source):
            number += 1
            if line.endswith((b" ", b"\r", b"\t")):
                line = line.rstrip(b" \r\t")
            n_spaces = line.count(b" ")
            if n_spaces == dim:
                word = line[: line.find(b" ")]
            elif n_spaces > dim:  # GloVe has words with spaces
                word = line.rsplit(b" ", dim)[0]
                if b"  " in line or (number == self.first_line and _is_number(word.rpartition(b" ")[2])):
                    raise self._unlike(source, number, line)
            elif not line:
                blank = blank or number
                continue
            else:
                raise self._unlike(source, number, line)
            if blank:
                raise DataError(f"{source.name}: line {blank} is blank")
            places = wanted.places(word)
            if places is not None:
                wanted.take(places, partial(_numbers, source, line, number, dim))
        n_rows = (blank or number + 1) - self.first_line
        if self.stated is not None and n_rows != self.stated:
            raise DataError(
                f"{source.name}: its header says {self.stated} words, it has {n_rows}; is it cut off?"
            )
        return n_rows

    def _unlike(self, source: _Source, number: int, line: bytes) -> DataError:
        if b"  " in line:
            return DataError(f"{source.name}: line {number} has two spaces in a row; write one between numbers")
        hint = "the file is cut off there or its lines differ"
        if number == self.first_line and self.stated is not None:
            hint = "as its header says"
        n = line.count(b" ")
        return DataError(f"{source.name}: line {number} has {n} numbers, expected {self.dim}; {hint}")


@dataclass
class _Binary:
    """Rows of a word, a space and 4 · dim bytes, with or without a line feed before the next word."""

    dim: int
    stated: int
    format: str = "word2vec binary"

    def rows(self, source: _Source, wanted: _Wanted) -> int:
        size, block, at = 4 * self.dim, b"", 0
        places_of = wanted.places
        for number in range(1, self.stated + 1):
            space = block.find(b" ", at)
            while space < 0 or space + 1 + size > len(block):  # the row goes on in the next block
                more = source.read()
                if not more or (space < 0 and len(block) - at > LONGEST_WORD):
                    raise self._cut(source, number, block[at:])
                block, at = block[at:] + more, 0
                space = block.find(b" ")
            word = block[at:space]
            if word[:1] == b"\n":
                word = word[1:]
            start, at = space + 1, space + 1 + size
            places = places_of(word)
            if places is not None:
                wanted.take(places, partial(self._vector, source, block, start, number))
        left = block[at:].strip(b"\n") or source.read().strip(b"\n")
        if left:
            raise DataError(f"{source.name} goes on behind its {self.stated} words; its header says too few")
        return self.stated

    def _vector(self, source: _Source, block: bytes, start: int, number: int) -> np.ndarray:
        vector = np.frombuffer(block, "<f4", self.dim, start).astype(np.float32)  # a copy: the block may go
        if not np.isfinite(vector).all():
            raise DataError(f"{source.name}: row {number} holds NaN or Inf; fetch the file again")
        return vector

    def _cut(self, source: _Source, number: int, rest: bytes) -> DataError:
        if not rest.strip(b"\n"):
            said = f"ends after row {number - 1}"
        else:
            said = f"is cut off or damaged in row {number}"
        return DataError(f"{source.name} {said}, its header says {self.stated} words of {self.dim} numbers")


def _start(source: _Source, dim: int | None) -> _Text | _Binary:
    """The format by the file's beginning, and its header read."""
    head = source.ahead = source.peek(HEAD).removeprefix(codecs.BOM_UTF8)
    if not head.strip():
        raise DataError(f"{source.name} is empty; give a file of word vectors")
    for magic, said in _FOREIGN.items():
        if head.startswith(magic):
            raise DataError(f"{source.name} {said}")
    end = head.find(b"\n")
    header = _HEADER.fullmatch(head[: end if end >= 0 else len(head)])
    read: _Text | _Binary
    if header is None:
        first = head[: end if end >= 0 else len(head)].rstrip(b" \r\t")
        n = first.count(b" ")
        if n == 0 or not _is_number(first.rsplit(b" ", 1)[1]):
            raise DataError(
                f"{source.name}: line 1 must be a header (words, dimension) or a word and its numbers, "
                f"with spaces between, got {one_line(first[:60].decode('utf-8', 'replace'))}"
            )
        read = _Text("glove", n, None, 1)
    else:
        stated, size = int(header[1]), int(header[2])
        if stated < 1 or size < 1:
            raise DataError(f"{source.name}: line 1 says {stated} words of {size} numbers; is it damaged?")
        source.ahead = head[end + 1 :] if end >= 0 else b""
        text = _is_text(source.peek(40 * size + LONGEST_WORD), size)
        read = _Text("word2vec text", size, stated, 2) if text else _Binary(size, stated)
    if dim is not None and read.dim != dim:
        raise DataError(
            f"{source.name} has vectors of {read.dim} numbers, asked for {dim}; set dim to {read.dim}"
        )
    return read


def _is_text(head: bytes, dim: int) -> bool:
    """Whether what follows a header is a line of numbers; four bytes of a float are hardly ever digits."""
    line = head[: 40 * dim + LONGEST_WORD].split(b"\n", 1)[0].rstrip(b" \r\t")
    fields = list(filter(None, line.split(b" ")))
    return len(fields) > 1 and all(map(_is_number, fields[max(1, len(fields) - dim) :]))


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _lines(source: _Source) -> Iterator[bytes]:
    rest = b""
    while block := source.read():
        first, *others = block.split(b"\n")
        if not others:
            rest += first
            continue
        yield rest + first
        rest = others.pop()
        yield from others
    if rest:
        yield rest


def _numbers(source: _Source, line: bytes, number: int, dim: int) -> np.ndarray:
    fields = line.rsplit(b" ", dim)[1:]
    try:
        vector = np.array(fields).astype(np.float64)
    except ValueError:
        bad = next((f for f in fields if not _is_number(f)), b"")
        raise DataError(
            f"{source.name}: line {number} holds {one_line(bad.decode('utf-8', 'replace'))}, which is no number"
        ) from None
    with np.errstate(over="ignore"):  # said below
        vector = vector.astype(np.float32)
    if not np.isfinite(vector).all():
        raise DataError(f"{source.name}: line {number} holds NaN, Inf or a number too large for float32")
    return vector


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
