"""Data sets: what is a class, what is left out and told, who is tested by which fold."""

import os
import threading

import numpy as np
import pytest
import soundfile as sf

from conv1d_kit.audio.dataset import find_audio, load_waves, make_folds, read_dataset
from conv1d_kit.errors import DataError, InputError


def _sound(path, rate=8000, n=400):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(n, np.float32), rate, format="WAV")


@pytest.fixture
def folder(tmp_path):
    for name in ("001 - Dog/1.wav", "001 - Dog/b/2.WAV", "Cat/.hidden.wav", "Cat/3.Wav", "Cat/notes.txt"):
        _sound(tmp_path / name)
    (tmp_path / "README.md").write_text("stray")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/README.txt").write_text("stray")
    _sound(tmp_path / ".git/4.wav")
    return tmp_path


def test_sub_folders_are_the_classes_and_strays_never_are(folder):
    table = read_dataset(folder)
    assert table.classes == ["001 - Dog", "Cat"]
    assert [p.rsplit("/", 1)[1] for p in table.paths] == ["1.wav", "2.WAV", "3.Wav"]
    assert any("docs" in note for note in table.notes)


def test_find_audio_sees_any_case_and_depth_but_nothing_hidden(folder):
    assert [p.name for p in find_audio(folder)] == ["1.wav", "2.WAV", "3.Wav"]
    with pytest.raises(DataError, match="no such folder"):
        find_audio(folder / "nowhere")


def test_audio_beside_the_class_folders_is_told(folder):
    _sound(folder / "loose.wav")
    table = read_dataset(folder)
    assert len(table) == 3
    assert any("beside the class folders" in note for note in table.notes)


def test_places_that_cannot_be_trained_on_have_one_clear_reason(tmp_path):
    (tmp_path / "empty").mkdir()
    _sound(tmp_path / "one/dog/1.wav")
    _sound(tmp_path / "flat/1.wav")
    for name, reason in [
        ("nowhere", "no such folder or table"),
        ("empty", "no audio file under it"),
        ("one", "one class \\('dog'\\), training needs at least two"),
        ("flat", "have no labels"),
        ("flat/1.wav", "one audio file has no labels"),
    ]:
        with pytest.raises(DataError, match=reason) as caught:
            read_dataset(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_gives_paths_labels_folds_and_groups(tmp_path, delimiter):
    rows = ["path,label,fold,speaker", "a b.wav,dog,1,x", "sub/c.wav, cat ,2,y"]
    (tmp_path / "t.csv").write_text("\ufeff" + "\n".join(r.replace(",", delimiter) for r in rows), "utf-8")
    table = read_dataset(tmp_path / "t.csv", group_column="speaker")
    assert table.paths == (str(tmp_path / "a b.wav"), str(tmp_path / "sub/c.wav"))
    assert (table.labels, table.folds, table.groups) == (("dog", "cat"), ("1", "2"), ("x", "y"))


def test_an_unknown_column_is_named_with_its_nearest(tmp_path):
    (tmp_path / "t.csv").write_text("path,label,Speakers\na.wav,x,1\nb.wav,y,2\n")
    with pytest.raises(DataError, match="no column 'speaker'; nearest: Speakers"):
        read_dataset(tmp_path / "t.csv", group_column="speaker")
    with pytest.raises(DataError, match="no column 'zzz'; there are path, label, Speakers"):
        read_dataset(tmp_path / "t.csv", fold_column="zzz")
    with pytest.raises(DataError, match=r"a folder has no column 'fold'"):
        read_dataset(tmp_path, fold_column="fold")


def test_a_row_without_a_label_is_named_by_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na.wav,x\nb.wav,\nc.wav\n")
    with pytest.raises(DataError, match=r"line 3 \(b.wav\) has no label"):
        read_dataset(tmp_path / "t.csv")


def test_tables_without_rows_or_text_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("path,label\n")
    (tmp_path / "b.csv").write_bytes(b"path,label\na.wav,caf\xe9\n")
    with pytest.raises(DataError, match="no rows"):
        read_dataset(tmp_path / "a.csv")
    with pytest.raises(DataError, match="not UTF-8"):
        read_dataset(tmp_path / "b.csv")


def _esc(tmp_path, names):
    for i, name in enumerate(names):
        _sound(tmp_path / ("even" if i % 2 else "odd") / name)
    return read_dataset(tmp_path)


def test_esc_names_give_the_folds_and_are_recognised(tmp_path):
    table = _esc(tmp_path, ["1-100-A.wav", "1-101-B.wav", "2-102-A.wav", "2-103-A.wav", "5-104-A-0.wav"])
    described, folds = make_folds(table)
    assert "ESC" in described
    assert [sorted(table.paths[i].rsplit("/", 1)[1][0] for i in test) for _, test in folds] == [
        ["1"] * 2,
        ["2"] * 2,
        ["5"],
    ]
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(5))


def test_a_source_recording_in_two_folds_is_refused(tmp_path):
    table = _esc(tmp_path, ["1-100-A.wav", "2-100-B.wav", "2-102-A.wav"])
    with pytest.raises(DataError, match="group '100' stands in folds '2' and '1'"):
        make_folds(table, "esc")


def test_names_unlike_esc_are_refused_with_a_cure(tmp_path):
    table = _esc(tmp_path, ["1-100-A.wav", "dog.wav"])
    with pytest.raises(DataError, match=r"dog\.wav: is not named like ESC"):
        make_folds(table, "esc")


def test_a_fixed_split_tests_one_value_only(tmp_path):
    (tmp_path / "t.csv").write_text("path,label,split\na.wav,x,train\nb.wav,y,train\nc.wav,x,test\n")
    table = read_dataset(tmp_path / "t.csv", fold_column="split")
    _, folds = make_folds(table, "column", test_fold="test")
    assert [(train.tolist(), test.tolist()) for train, test in folds] == [([0, 1], [2])]
    with pytest.raises(DataError, match="no row has fold 'dev'; there are test, train"):
        make_folds(table, "column", test_fold="dev")
    with pytest.raises(InputError, match="test_fold"):
        make_folds(table, 2, test_fold="test")


def test_stratified_folds_keep_groups_together(tmp_path):
    rows = [f"{i}.wav,{'xy'[i % 2]},{i // 4}" for i in range(24)]
    (tmp_path / "t.csv").write_text("path,label,group\n" + "\n".join(rows))
    table = read_dataset(tmp_path / "t.csv")
    _, folds = make_folds(table, 3)
    for train, test in folds:
        assert not {table.groups[i] for i in train} & {table.groups[i] for i in test}
    with pytest.raises(DataError, match="no fold column"):
        make_folds(table, "column")
    with pytest.raises(InputError, match="rule"):
        make_folds(table, "random")


def test_waves_come_in_order_and_a_bad_file_is_its_own_error(tmp_path):
    for i in range(6):
        sf.write(tmp_path / f"{i}.wav", np.full(100 + i, 0.1, np.float32), 8000)
    (tmp_path / "3.wav").write_bytes(b"")
    told, lock = [], threading.Lock()

    def on_file():
        with lock:
            told.append(1)

    waves = load_waves([tmp_path / f"{i}.wav" for i in range(6)], 8000, n_threads=3, on_file=on_file)
    assert [len(w) for i, w in enumerate(waves) if i != 3] == [100, 101, 102, 104, 105]
    assert "zero-length" in str(waves[3])
    assert len(told) == 6


def _table(tmp_path, text, **options):
    (tmp_path / "t.csv").write_bytes(text.encode())
    return read_dataset(tmp_path / "t.csv", **options)


def test_cells_may_hold_line_ends_in_quotes_and_unicodes_own_separators(tmp_path):
    table = _table(tmp_path, 'path,label\r\na\u2028b\x85.wav,"x\ny"\r\n\r\nc.wav,z')
    assert table.paths == (str(tmp_path / "a\u2028b\x85.wav"), str(tmp_path / "c.wav"))
    assert table.labels == ("x\ny", "z")


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    table = _table(tmp_path, '\npath,label\n\n"a.wav","x\ny"\nb.wav,z\n\nc.wav,\n')
    assert [reason for _, reason in table.left_out] == [
        f"{tmp_path / 't.csv'}: line 8 (c.wav) has no label; fill it in or take the line out"
    ]


def test_rows_without_path_or_label_are_left_out_and_kept_in_mind(tmp_path):
    table = _table(tmp_path, "path,label\na.wav,x\nb.wav,\n,y\nc.wav\nd.wav,y\n")
    assert (len(table), len(table.left_out)) == (2, 3)
    assert [path for path, _ in table.left_out] == [
        str(tmp_path / "b.wav"), f"{tmp_path / 't.csv'}, line 4", str(tmp_path / "c.wav"),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"line 2 \(a\.wav\) has no label.*all 2 rows"):
        _table(tmp_path, "path,label\na.wav,\nb.wav,\n")


def test_a_row_without_fold_matters_only_where_folds_do(tmp_path):
    text = "path,label,fold\na.wav,x,1\nb.wav,y,\nc.wav,y,2\n"
    assert "has no fold" in _table(tmp_path, text).left_out[0][1]
    assert len(_table(tmp_path, text, with_folds=False)) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,label,label\na.wav,x,y\n", "two columns are named 'label'"),
        ("path,label\na.wav,x\n" + "b" * 140_000 + ",y\n", "line 3 is not CSV .*limit"),
        ('path,label\na.wav,x\n"b.wav,y\nc.wav,z\n', "line 3 is not CSV"),
        ("", "no rows"),
        ("\n\n", "no rows"),
    ],
)
def test_tables_that_say_two_things_are_refused(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        _table(tmp_path, text)


def test_one_file_has_one_label_and_stands_in_one_fold(tmp_path):
    with pytest.raises(DataError, match=r"one file with two labels in .*t\.csv, 'x' and 'y'"):
        _table(tmp_path, "path,label\na.wav,x\n./a.wav,y\nb.wav,y\n")
    rows = "".join(f"{i}.wav,{'xy'[i % 2]}\n" for i in range(8))
    twice = _table(tmp_path, "path,label\n" + rows + rows)
    assert any("more than once" in note for note in twice.notes)
    described, folds = make_folds(twice, 2)
    assert "repeats of a file kept together" in described
    for train, test in folds:
        assert not {twice.paths[i] for i in train} & {twice.paths[i] for i in test}
    with pytest.raises(DataError, match=r"a\.wav: .* lists it more than once, under '1' and '2'"):
        make_folds(_table(tmp_path, "path,label,fold\na.wav,x,1\nb.wav,y,1\na.wav,x,2\nb.wav,y,2\n"))
    with pytest.raises(DataError, match=r"more than once, under 'g' and 'h'"):
        make_folds(_table(tmp_path, "path,label,group\na.wav,x,g\nb.wav,y,i\na.wav,x,h\nb.wav,y,i\n"), 2)


def test_folds_that_cannot_be_trained_on_are_named_with_the_table(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv: testing on fold '1' leaves only the class 'y'"):
        make_folds(_table(tmp_path, "path,label,fold\na.wav,x,1\nb.wav,y,2\n"))
    with pytest.raises(DataError, match=r"t\.csv: the column 'part' holds one value \('1'\)"):
        make_folds(_table(tmp_path, "path,label,part\na.wav,x,1\nb.wav,y,1\n", fold_column="part"), "column")


def test_a_class_folder_whose_name_is_no_utf_8_has_a_label_that_can_be_written(tmp_path):
    for name in (b"caf\xe9", b"tea"):
        os.mkdir(os.fsencode(tmp_path) + b"/" + name)
        with open(os.fsencode(tmp_path) + b"/" + name + b"/\xff.wav", "wb") as file:
            sf.write(file, np.zeros(10), 8000, format="WAV")
    table = read_dataset(tmp_path)
    assert table.classes == ["caf\\udce9", "tea"]
