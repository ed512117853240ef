"""Compressed files give the rows of the files they hold."""

import bz2
import gzip
import lzma

import pytest

from conv1d_kit.errors import DataError
from conv1d_kit.text.dataset import find_format, open_texts, read_texts

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
FILES = {
    "d.txt": b"0 fine\n1 dull \x97\n", "d.csv": b'text,label\n"fine",0\ndull,1\n',
    "d.tsv": b"text\tlabel\nfine\t0\ndull\t1\n",
    "d.jsonl": b'{"text": "fine", "label": 0}\n{"text": "dull", "label": 1}\n',
    "d.json": b'[{"text": "fine", "label": 0}, {"text": "dull", "label": 1}]',
    "d.ft": b"__label__0 fine\n__label__1 dull\n",
}  # fmt: skip


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("name", FILES)
def test_a_compressed_file_is_read_as_the_file_in_it(tmp_path, name, ending):
    (tmp_path / name).write_bytes(FILES[name])
    (tmp_path / (name + ending)).write_bytes(PACK[ending](FILES[name]))
    plain, packed = read_texts(tmp_path / name), read_texts(tmp_path / (name + ending))
    assert (packed.texts, packed.labels, packed.format) == (plain.texts, plain.labels, plain.format)
    assert len(plain) == 2
    assert (packed.note is None) == (plain.note is None)
    assert find_format(tmp_path / (name + ending)) == plain.format


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("damage", ["cut", "none"])
def test_a_damaged_file_is_refused(tmp_path, ending, damage):
    data = PACK[ending](b"".join(b"%d text of line %d\n" % (i % 2, i * i) for i in range(20_000)))
    (tmp_path / f"d.txt{ending}").write_bytes(data[: len(data) // 2] if damage == "cut" else b"no such thing")
    with pytest.raises(DataError, match=r"d\.txt\.\w+ cannot be read: .*; is it damaged or cut short\?"):
        list(open_texts(tmp_path / f"d.txt{ending}").rows)
