"""Word vectors of every format, whole and damaged; the memory does not grow with the file."""

import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text import vectors
from conv1d_kit.text.vectors import embedding_matrix, load_vectors

WORDS = ["the", "film", "café", "Paris", "new york", "好", "😀", "it's"]
MATRIX = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)


def lines(words=WORDS, matrix=MATRIX, end="\n"):
    rows = (" ".join(map(repr, map(float, row))) for row in matrix)
    return "".join(f"{w} {row}{end}" for w, row in zip(words, rows, strict=True))


def binary(words=WORDS, matrix=MATRIX, feed=b"", n=None):
    rows = (row.astype("<f4").tobytes() + feed for row in matrix)
    body = b"".join(w.encode() + b" " + row for w, row in zip(words, rows, strict=True))
    return f"{len(words) if n is None else n} {matrix.shape[1]}\n".encode() + body


SPACELESS = [w for w in WORDS if " " not in w]
KEPT = [i for i, w in enumerate(WORDS) if " " not in w]
FORMATS = {
    "glove": (lines().encode(), "glove"),
    "glove of Windows": (lines(end="\r\n").encode(), "glove"),
    "glove with a byte-order mark": (lines().encode("utf-8-sig"), "glove"),
    "word2vec text with a byte-order mark": (f"{len(WORDS)} 5\n{lines()}".encode("utf-8-sig"), "word2vec text"),
    "glove without a last line end": (lines().encode()[:-1], "glove"),
    "word2vec text": (f"{len(WORDS)} 5\n{lines()}".encode(), "word2vec text"),
    "fasttext": (f"{len(WORDS)} 5\n{lines(end=' ' + chr(10))}".encode(), "word2vec text"),
    "binary": (binary(SPACELESS, MATRIX[KEPT]), "word2vec binary"),
    "binary with line feeds": (binary(SPACELESS, MATRIX[KEPT], b"\n"), "word2vec binary"),
}


@pytest.fixture
def place(tmp_path):
    def write(data, name="vectors"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [1 << 22, 64, 7])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_words_asked_for(place, monkeypatch, name, packed, block):
    monkeypatch.setattr(vectors, "BLOCK", block)
    monkeypatch.setattr(vectors, "HEAD", 100)
    data, format = FORMATS[name]
    table = load_vectors(place(gzip.compress(data) if packed else data), ["unseen", *reversed(WORDS)], dim=5)
    here = [w for w in WORDS if " " not in w or format != "word2vec binary"]
    assert table.found.tolist() == [False, *(w in here for w in reversed(WORDS))]
    for word, row in zip(table.words, table.matrix, strict=True):
        expected = MATRIX[WORDS.index(word)] if word in here else np.zeros(5)
        np.testing.assert_array_equal(row, expected)
    assert (table.format, table.dim, table.n_rows) == (format, 5, len(here))
    assert (table.n_exact, table.n_duplicates) == (len(here), 0)
    assert table.hash == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("feed", [b"", b"\n"])
def test_numbers_whose_bytes_look_like_spaces_and_line_feeds_are_not_misread(place, feed):
    spaces = np.frombuffer(b" \n \n" * 5, "<f4")
    matrix = np.stack([spaces, np.arange(5, dtype=np.float32), spaces])
    table = load_vectors(place(binary(["a", "b", "c"], matrix, feed)), ["c", "b"])
    np.testing.assert_array_equal(table.matrix, matrix[[2, 1]])


def test_case_comes_second_and_the_first_of_equals_wins(place):
    rows = ["Good 1 1", "good 2 2", "good 9 9", "GOOD 3 3", "PARIS 4 4", "Paris 5 5", "the 6 6", "ÉTÉ 7 7"]
    path = place("\n".join(rows) + "\n")
    table = load_vectors(path, ["good", "GOOD", "paris", "The", "THE", "été", "GooD"])
    assert table.matrix[:, 0].tolist() == [2, 3, 4, 6, 6, 7, 2]
    assert table.n_exact == 2
    assert table.n_duplicates >= 1
    exact = load_vectors(path, ["good", "GOOD", "paris", "The"], ignore_case=False)
    assert exact.found.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "is empty; give a file of word vectors"),
        ("\n \n", "is empty"),
        ("the\nfilm\n", "line 1 must be a header .words, dimension. or a word and its numbers, .* got 'the'"),
        ("the cat sat\n", "line 1 must be a header"),
        ("0 5\n", "line 1 says 0 words of 5 numbers"),
        ("the 1 2 3\nfilm 1 2\n", "line 2 has 2 numbers, expected 3"),
        ("2 3\nthe 1 2\nfilm 1 2\n", "line 2 has 2 numbers, expected 3; as its header says"),
        ("2 2\nthe 1 2 3\nfilm 1 2 3\n", "line 2 has 3 numbers, expected 2; as its header says"),
        ("the 1 2 3\nfilm  1 2 3\n", "line 2 has two spaces in a row; write one between numbers"),
        ("2 3\nthe 1  2  3\nfilm 1 2 3\n", "line 2 has two spaces in a row"),
        ("2 3\nthe 1  2\nfilm 1 2 3\n", "line 2 holds '', which is no number"),
        ("the 1 2 3\nfilm 1 x 3\n", "line 2 holds 'x', which is no number"),
        ("the 1 2 3\nfilm 1 nan 3\n", "line 2 holds NaN, Inf or a number too large"),
        ("the 1 2 3\nfilm 1 1e99 3\n", "line 2 holds NaN, Inf or a number too large"),
        ("the 1 2 3\n\nfilm 1 2 3\n", "line 2 is blank"),
        ("3 3\nthe 1 2 3\nfilm 1 2 3\n", "its header says 3 words, it has 2; is it cut off"),
        ("1 3\nthe 1 2 3\nfilm 1 2 3\n", "its header says 1 words, it has 2"),
        (binary()[:-3], "is cut off or damaged in row 8, its header says 8 words of 5 numbers"),
        (binary(n=9), "ends after row 8, its header says 9 words"),
        (binary(n=7), "goes on behind its 7 words; its header says too few"),
        (binary(["film"], np.full((1, 5), np.nan, np.float32)), "row 1 holds NaN or Inf"),
        (b"5 300\n" + b"x" * 200_000, "is cut off or damaged in row 1"),
        (struct.pack("<i", 793712314) + b"\x0c", "is a model of fastText's own; give the .vec file"),
        (b"PK\x03\x04 glove", "is a zip archive; unpack it"),
        (lines().encode("utf-16"), "is in UTF-16; save it as UTF-8"),
        ("the\t1\t2\nfilm\t1\t2\n", "line 1 must be .* a word and its numbers, with spaces between, got"),
        (gzip.compress(lines().encode())[:-20], "is cut off or damaged"),
    ],
)
def test_a_damaged_file_is_said_with_its_line(place, data, message):
    path = place(data)
    with pytest.raises(DataError, match=message) as stop:
        load_vectors(path, ["the", "film"])
    assert str(stop.value).startswith(str(path))


def test_a_missing_file_and_another_dimension(place, tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_vectors(tmp_path / "none", ["a"])
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        load_vectors(tmp_path, ["a"])
    for data in (lines(), binary()):
        with pytest.raises(DataError, match="has vectors of 5 numbers, asked for 300; set dim to 5"):
            load_vectors(place(data), ["a"], dim=300)
    with pytest.raises(InputError, match="dim must be an int >= 1 or None, got 0"):
        load_vectors(place(lines()), ["a"], dim=0)
    with pytest.raises(InputError, match="words must be distinct"):
        load_vectors(place(lines()), ["a", "a"])


def test_missing_words_have_the_variance_of_the_found_ones(place):
    rng = np.random.default_rng(0)
    names = [f"w{i}" for i in range(400)]
    path = place(lines(names, rng.normal(0, 0.3, (400, 50)).astype(np.float32)))
    table = load_vectors(path, [*names, *(f"missing{i}" for i in range(400))])
    matrix = embedding_matrix(table, seed=1)
    assert matrix.shape == (802, 50)
    assert (matrix[0] == 0).all()
    np.testing.assert_array_equal(matrix[2:402], table.matrix[:400])
    drawn = matrix[402:]
    assert drawn.var() == pytest.approx(table.matrix[:400].var(), rel=0.02)
    assert abs(drawn).max() <= (3 * 0.3**2) ** 0.5 * 1.05  # uniform, not normal
    np.testing.assert_array_equal(matrix, embedding_matrix(table, seed=1))
    assert not np.array_equal(matrix[1], embedding_matrix(table, seed=2)[1])


def test_a_file_without_any_of_the_words_is_no_start(place):
    table = load_vectors(place(lines()), ["zzz"])
    assert not table.found.any()
    with pytest.raises(InputError, match="has a vector for none of the 1 words, such as 'zzz'"):
        embedding_matrix(table)


@pytest.mark.parametrize("kind", ["binary", "text"])
def test_memory_does_not_grow_with_the_file(place, monkeypatch, kind):
    monkeypatch.setattr(vectors, "BLOCK", 1 << 16)
    monkeypatch.setattr(vectors, "HEAD", 1 << 16)
    rng = np.random.default_rng(0)
    peaks = []
    for n in (2_000, 20_000):
        names, matrix = [f"w{i}" for i in range(n)], rng.normal(size=(n, 20)).astype(np.float32)
        path = place(binary(names, matrix) if kind == "binary" else f"{n} 20\n{lines(names, matrix)}", f"{n}")
        tracemalloc.start()
        table = load_vectors(path, ["w5", "w1999"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        np.testing.assert_array_equal(table.matrix, matrix[[5, 1999]])
        assert path.stat().st_size > n * 80
    assert peaks[1] < 1.2 * peaks[0] + 20_000
