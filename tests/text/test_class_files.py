"""Labels by file and by folder."""

from pathlib import Path

import pytest

from conv1d_kit.errors import DataError, InputError
from conv1d_kit.text.dataset import open_class_texts, open_texts, read_class_files, read_texts


def test_a_file_a_class_gives_its_lines_in_order(tmp_path):
    (tmp_path / "p.txt").write_text("so fine\n\nfine\n\n")
    (tmp_path / "n.txt").write_text("so dull\n")
    data = read_class_files({"pos": tmp_path / "p.txt", "neg": tmp_path / "n.txt"})
    assert (data.labels, data.texts) == (["pos", "pos", "neg"], ["so fine", "fine", "so dull"])
    assert [data.where(i) for i in range(3)] == ["p.txt: line 1", "p.txt: line 3", "n.txt: line 1"]
    assert [(r.where, r.error) for r in data.bad] == [("p.txt: line 2", "no text")]


def test_files_of_one_class_may_be_tables_and_of_two_encodings(tmp_path):
    (tmp_path / "p.csv").write_text("id,text\n1,so fine\n2,\n")
    (tmp_path / "n.txt").write_bytes(b"dull \x97 so dull\n")
    data = read_class_files({"pos": tmp_path / "p.csv", "neg": tmp_path / "n.txt"})
    assert data.texts == ["so fine", "dull — so dull"]
    assert any("n.txt: read as cp1252" in words for words in data.notes)
    assert data.encoding == "cp1252 and utf-8"


def test_the_pair_of_a_polarity_set_is_found_by_either_file(tmp_path):
    (tmp_path / "rt.pos").write_text("so fine\nfine film\n")
    (tmp_path / "rt.neg").write_text("so dull\n")
    assert read_texts(tmp_path / "rt.pos", multi_label=True).labels == [("pos",), ("pos",), ("neg",)]
    for name in ("rt.pos", "rt.neg"):
        data = read_texts(tmp_path / name)
        assert list(zip(data.labels, data.texts, strict=True)) == [
            ("pos", "so fine"), ("pos", "fine film"), ("neg", "so dull"),
        ]  # fmt: skip
        assert any("its label is the file's ending" in n for n in data.notes)
    assert len(list(open_texts(tmp_path / "rt.pos", format="plain").rows)) == 2
    (tmp_path / "rt.neg").unlink()
    assert open_texts(tmp_path / "rt.pos").format == "lines"


def test_class_files_that_cannot_be_used_are_refused(tmp_path):
    (tmp_path / "p.txt").write_text("so fine\n")
    (tmp_path / "e.txt").write_text("")
    with pytest.raises(DataError, match=r"p\.txt is named for two classes"):
        open_class_texts({"pos": tmp_path / "p.txt", "neg": tmp_path / "p.txt"})
    with pytest.raises(DataError, match=r"e\.txt is empty"):
        read_class_files({"pos": tmp_path / "p.txt", "neg": tmp_path / "e.txt"})
    with pytest.raises(DataError, match=r"none\.txt cannot be opened"):
        read_class_files({"pos": tmp_path / "p.txt", "neg": tmp_path / "none.txt"})
    with pytest.raises(DataError, match="one class only, 'pos'"):
        read_class_files({"pos": tmp_path / "p.txt"})
    with pytest.raises(InputError, match="format must be one of"):
        read_class_files({"pos": tmp_path / "p.txt"}, format="xml")


@pytest.fixture
def reviews(tmp_path):
    for name, text in {
        "pos/10_9.txt": "so fine\nindeed\r\n", "pos/1_7.txt": "fine\n", "neg/2_1.txt": "dull",
        "neg/3_1.txt": "",
        "neg/.hidden": "x", "urls.txt": "not a text", "neg/deep/x.txt": "y",
    }.items():  # fmt: skip
        path = tmp_path / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "train"


def test_a_folder_a_class_gives_a_text_a_file_in_the_order_of_names(reviews):
    data = read_texts(reviews)
    assert list(zip(data.labels, data.texts, strict=True)) == [
        ("neg", "dull"), ("pos", "so fine\nindeed"), ("pos", "fine"),
    ]  # fmt: skip
    assert [data.where(i) for i in range(3)] == ["neg/2_1.txt", "pos/10_9.txt", "pos/1_7.txt"]
    assert [(r.where, r.error) for r in data.bad] == [("neg/3_1.txt", "no text")]
    assert any("urls.txt beside the class folders left out" in n for n in data.notes)
    assert any("neg/.hidden, neg/deep left out" in n for n in data.notes)


def test_encodings_of_a_folder_are_found_file_by_file(reviews):
    (reviews / "pos/20_8.txt").write_bytes(b"caf\xe9 society")
    data = read_texts(reviews)
    assert "café society" in data.texts
    assert any("pos/20_8.txt read as cp1252" in n for n in data.notes)
    strict = read_texts(reviews, encoding="utf-8")
    bad = {r.where: r.error for r in strict.bad}
    assert bad["pos/20_8.txt"] == "line 1: byte 0xe9 is not utf-8; name another encoding"


def test_a_file_that_may_not_be_read_is_a_bad_row(reviews, monkeypatch):
    read = Path.read_bytes

    def refused(path):
        if path.name == "1_7.txt":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert [(r.where, r.error) for r in read_texts(reviews).bad][1] == (
        "pos/1_7.txt", "cannot be opened: Permission denied",
    )  # fmt: skip


def test_a_link_to_nowhere_is_a_bad_row(reviews):
    (reviews / "pos/5_5.txt").symlink_to(reviews / "gone.txt")
    bad = {r.where: r.error for r in read_texts(reviews).bad}
    assert bad["pos/5_5.txt"] == "cannot be opened: No such file or directory"


def test_folders_that_hold_no_classes_are_refused_with_the_cure(reviews, tmp_path):
    with pytest.raises(
        DataError, match=r"its folders hold folders themselves; name the one with the classes: .*train"
    ):
        read_texts(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without folders; name a file of texts in it"):
        read_texts(tmp_path / "empty")
    with pytest.raises(InputError, match="encoding must be a text encoding that Python knows"):
        read_texts(reviews, encoding="utf-99")
